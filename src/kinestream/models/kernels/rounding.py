"""Products of single precision on the processor that round what goes into them to bfloat16, 8 bits, and add up in
single precision: where it has units for them they take half the time or less."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_spectra = False


def rounding_is_fast() -> bool:
    """Whether torch (2.9 and later) can, and this processor has units for it (AMX, or AVX-512 with bfloat16)."""
    asked = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    here = any(bool(getattr(torch.cpu, name, lambda: False)()) for name in asked)
    return here and hasattr(torch.backends.mkldnn, "matmul")


@contextmanager
def products(*, rounded: bool) -> Iterator[None]:
    """Within, products round; as exact as ever if not `rounded`, or where torch cannot."""
    settings = getattr(torch.backends.mkldnn, "matmul", None)
    if not rounded or settings is None:
        yield
        return
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


def check_rounding(device: torch.device) -> None:
    """Raises ValueError where products that round are not faster."""
    if device.type != "cpu" or not rounding_is_fast():
        where = f"this would train on {device.type}" if device.type != "cpu" else "this processor or torch has none"
        raise ValueError(
            "precision spectral-bf16 is for processors with products in bfloat16 (AMX, or AVX-512 with bfloat16) and "
            f"torch 2.9 or later, {where}: take 32-true"
        )


def round_spectra(method: nn.Module) -> None:
    """From here on the products of spectra of this module's passes forward, and of the passes back from them, round;
    the transforms and all else stay exact, and so are the features of its encoders outside of it."""

    def switch(on: bool) -> None:
        global _spectra
        _spectra = on

    def begin(module: nn.Module, given: Any) -> None:
        switch(True)

    def end(module: nn.Module, given: Any, made: Any) -> None:
        switch(False)

    method.register_forward_pre_hook(begin)
    method.register_forward_hook(end, always_call=True)


def spectra_rounded() -> bool:
    """Whether a pass forward runs whose products of spectra round."""
    return _spectra
