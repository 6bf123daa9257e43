"""How much of what a machine can do a network makes use of: its arithmetic by formula, the machine's rate of matrix
products, and by which kind of operation the time goes."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import profile

from benchmarks.pairing import machine
from kinestream.models.stgcn import TEMPORAL_TAPS
from kinestream.skeleton.layout import SkeletonLayout

_KINDS = {
    "matrix products": ("bmm", "mm", "addmm", "baddbmm_", "matmul"),
    "convolutions": ("convolution", "conv2d", "mkldnn"),
    "batch normalisation": ("batch_norm", "addcmul"),
    "sums over links": ("embedding_bag",),
    "random numbers and masks": ("random_", "bernoulli", "dropout", "index_select", "_Masked"),
}


def clock() -> Callable[[], float]:
    """Seconds of the processor with one thread, which other work on the machine does not stretch; else of the wall."""
    return time.process_time if torch.get_num_threads() == 1 else time.perf_counter


def setting() -> dict[str, Any]:
    """Machine, versions, threads, what is counted as a second, and the rate that the shares are of."""
    return {
        **machine(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "seconds": "of the processor" if torch.get_num_threads() == 1 else "of the wall",
        "matrix_product_gflops": round(matrix_product_rate() / 1e9, 1),
    }


def matrix_product_rate(size: int = 1536) -> float:
    """Floating-point operations a second of a large float32 product, the best of five."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    now, best = clock(), float("inf")
    for _ in range(6):
        began = now()
        torch.mm(a, b)
        best = min(best, now() - began)
    return 2 * size**3 / best


def forward_operations(layout: SkeletonLayout, *, frames: int, bodies: int, dim: int, hidden: int = 16) -> float:
    """Floating-point operations of one clip's pass through the literal ST-GCN, two for each multiplication of its
    convolutions and of the adjacency product (bias, normalisation and the like are left out)."""
    h, joints = hidden, len(layout.joints)
    widths = (h, h, h, h, 2 * h, 2 * h, 2 * h, 4 * h, 4 * h, dim)
    strides = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
    total, before, t = 0, 3, frames
    for number, (width, stride) in enumerate(zip(widths, strides, strict=True)):
        total += t * joints * 3 * before * width + t * 3 * joints * joints * width
        t = -(-t // stride)
        total += t * joints * TEMPORAL_TAPS * width * width
        if number and (before != width or stride != 1):
            total += t * joints * before * width
        before = width
    return 2.0 * bodies * total


def shares_by_kind(work: Callable[[], object]) -> dict[str, float]:
    """Of the time of one call, in percent."""
    with profile() as profiled:
        work()
    shares = dict.fromkeys([*_KINDS, "the rest"], 0.0)
    for event in profiled.key_averages():
        name = event.key.removeprefix("aten::")
        found = next((kind for kind, parts in _KINDS.items() if any(_is_of(name, part) for part in parts)), "the rest")
        shares[found] += event.self_cpu_time_total
    whole = sum(shares.values())
    return {kind: round(100 * time / whole, 1) for kind, time in shares.items()}


def _is_of(name: str, part: str) -> bool:
    return name == part if part in ("bmm", "mm", "addmm", "baddbmm_", "matmul", "random_") else part in name
