"""Tensors of all processes of a training, in the order of their ranks. With one process, or none started by torch's
`distributed`, everything here leaves its argument as it is.

Each process holds an equal share of the batch. A loss of gathered rows is the same number in each process; the gradient
that reaches a process's own rows is the sum over all processes, so that the mean over processes, which data-parallel
training takes of the gradients of the parameters, is the gradient of that one number.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, distributed

Moments = tuple[Float[Tensor, " c"], Float[Tensor, " c"], Float[Tensor, ""]]
"""Mean and variance (divided by N) of each of c channels in float64, and N."""


_by_themselves = False


def several_processes() -> bool:
    started = distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
    return started and not _by_themselves


@contextmanager
def by_themselves() -> Iterator[None]:
    """Within, each process computes as if it were the only one."""
    global _by_themselves
    before, _by_themselves = _by_themselves, True
    try:
        yield
    finally:
        _by_themselves = before


def place() -> tuple[int, int]:
    """The rank of this process, and how many there are."""
    return (distributed.get_rank(), distributed.get_world_size()) if several_processes() else (0, 1)


def gather_rows(rows: Shaped[Tensor, "b ..."]) -> Shaped[Tensor, "B ..."]:
    """The rows of all processes, with gradients to where they came from."""
    if not several_processes():
        return rows
    gathered: Tensor = _GatherRows.apply(rows)  # type: ignore[no-untyped-call]
    return gathered


def sum_over_processes(value: Tensor) -> Tensor:
    """Without gradient."""
    if not several_processes():
        return value.detach()
    total = value.detach().clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


def mean_over_processes(value: Tensor) -> Tensor:
    """Without gradient."""
    return sum_over_processes(value) / place()[1] if several_processes() else value.detach()


def agree(*wishes: bool, device: torch.device) -> tuple[bool, ...]:
    """Of each wish whether any process has it."""
    counts = sum_over_processes(torch.tensor(wishes, dtype=torch.int64, device=device))
    return tuple(count > 0 for count in counts.tolist())


def own_rows(share: int) -> slice:
    """Of the rows of all processes those of this one, which holds `share`."""
    first = place()[0] * share
    return slice(first, first + share)


def moments_over_processes(
    mean: Float[Tensor, " c"], variance: Float[Tensor, " c"], count: Float[Tensor, ""]
) -> Moments:
    """Of the rows of all processes, from those of each, without gradient: one sum over processes of N, of x and of its
    square. That the mean square is less the square of the mean costs digits; float64 has 29 bits of them more than
    values in single precision."""
    if not several_processes():
        return mean.detach(), variance.detach(), count
    sums = sum_over_processes(torch.cat([count[None], count * mean, count * (variance + mean**2)]))
    total = sums[0]
    first, second = (sums[1:] / total).chunk(2)
    return first, (second - first**2).clamp(min=0), total


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.own = own_rows(len(rows))
        rows = rows.contiguous()
        parts = [torch.empty_like(rows) for _ in range(place()[1])]
        distributed.all_gather(parts, rows)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return sum_over_processes(gradient)[ctx.own]
