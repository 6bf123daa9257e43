"""Tensors on disk: safetensors, and what torch saved. Sizes are checked before anything is loaded; no code is run."""

import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from kinestream.words import reason, shown

_DAMAGE = (
    *(SafetensorError, OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, RuntimeError),
    *(ArithmeticError, MemoryError),
)
_MOST_BESIDE = 2**24
"""Bytes of a file of tensors that are none of a tensor's numbers."""


def read_tensors(path: Path, expected: Mapping[str, Tensor] | None = None) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file by name, in memory, and what is said of them.

    Args:
        expected: names, shapes and types that must be there, and no others; tensors on the `meta` device will do. Real
            numbers of another precision, of a training in double precision, become those that belong.

    Raises:
        FileNotFoundError: there is none.
        ValueError: what is wrong with it, without its name.
    """
    if not path.is_file():
        raise FileNotFoundError(2, "no such file", str(path))
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            if expected is not None:
                found = {name: tuple(file.get_slice(name).get_shape()) for name in names}
                check_shapes(found, {name: tuple(value.shape) for name, value in expected.items()})
            tensors = {name: file.get_tensor(name).clone() for name in names}
            metadata = dict(file.metadata() or {})
    except _DAMAGE as error:
        raise ValueError(reason(error, 300)) from None
    for name, value in (expected or {}).items():
        if tensors[name].is_floating_point() and value.is_floating_point():
            tensors[name] = tensors[name].to(value.dtype)
        if tensors[name].dtype != value.dtype:
            raise ValueError(f"{name} is {tensors[name].dtype}, it should be {value.dtype}")
    check_finite(tensors)
    return tensors, metadata


def check_shapes(found: Mapping[str, Sequence[int]], expected: Mapping[str, Sequence[int]]) -> None:
    """Raises ValueError unless both have the same names and shapes."""
    missing = [name for name in expected if name not in found]
    if missing:
        raise ValueError(f"{shown(missing[0])} is missing" + (f", and {len(missing) - 1} more" if missing[1:] else ""))
    for name, shape in found.items():
        if name not in expected:
            raise ValueError(f"{shown(name)} belongs to another network")
        if tuple(shape) != tuple(expected[name]):
            raise ValueError(f"{shown(name)} is {tuple(shape)}, it should be {tuple(expected[name])}")


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raises ValueError for numbers that no training ends with."""
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ValueError(f"{shown(name)} holds numbers that are not finite")


def read_torch(path: Path) -> Any:
    """What torch saved in a file: tensors, numbers, text and containers of them, on the CPU.

    Raises FileNotFoundError where there is none, ValueError with what is wrong, without its name: for one that is
    damaged (checksums are compared), holds anything else, or stands for more numbers than it has.
    """
    if not path.is_file():
        raise FileNotFoundError(2, "no such file", str(path))
    size = path.stat().st_size
    if not size:
        raise ValueError("it is empty")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(about.file_size for about in archive.infolist()) > size:
                    raise ValueError("it says that it holds more than there is")  # torch does not compress
                damaged = archive.testzip()  # torch itself does not look at the checksums
            if damaged is not None:
                raise ValueError(f"the checksum of {shown(damaged)} differs")
        content = torch.load(path, map_location="cpu", weights_only=True)
        held = sum(value.numel() * value.element_size() for value in _tensors(content, 0))
    except Exception as error:  # noqa: BLE001  torch raises whatever its parsers do for a damaged file
        raise ValueError(_said(error)) from None
    if held > size + _MOST_BESIDE:
        raise ValueError(f"its tensors stand for {held:,} bytes, it has {size:,}")
    return content


def _said(error: Exception) -> str:
    """What torch says of a file, without its advice, which is to run what is in it."""
    said = reason(error, 2000)
    said = said.partition("WeightsUnpickler error: ")[2] or said
    if isinstance(error, pickle.UnpicklingError):
        what = re.split(r" (?:was not an allowed|Check the documentation|Please file)", said)[0]
        if "Weights only load failed" in what:
            return "it is damaged, or no file of torch"
        return f"it holds something else than tensors, numbers and text: {shown(what, 100)}"
    return shown(said, 160)


def _tensors(value: Any, depth: int) -> Iterator[Tensor]:
    if depth > 20:
        raise ValueError("containers within containers, too deep")
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part, depth + 1)
    elif isinstance(value, list | tuple | set):
        for part in value:
            yield from _tensors(part, depth + 1)
