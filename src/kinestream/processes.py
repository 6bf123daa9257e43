"""Tensors of all processes of a training, in the order of their ranks. With one process, or none started by torch's
`distributed`, everything here leaves its argument as it is.

Each process holds an equal share of the batch. A loss of gathered rows is the same number in each process; the gradient
that reaches a process's own rows is the sum over all processes, so that the mean over processes, which data-parallel
training takes of the gradients of the parameters, is the gradient of that one number.
"""

from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, distributed

Moments = tuple[Float[Tensor, " c"], Float[Tensor, " c"], Float[Tensor, ""]]
"""Mean and variance (divided by N) of each of c channels in float64, and N."""


def several_processes() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


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
    return sum_over_processes(value) / distributed.get_world_size() if several_processes() else value.detach()


def own_rows(share: int) -> slice:
    """Of the rows of all processes those of this one, which holds `share`."""
    first = distributed.get_rank() * share if several_processes() else 0
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
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return sum_over_processes(gradient)[ctx.own]
