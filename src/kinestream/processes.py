"""Tensors of all processes of a training, in the order of their ranks. With one process, or none started by torch's
`distributed`, everything here leaves its argument as it is.

Each process holds an equal share of the batch. A loss of gathered rows is the same number in each process; the gradient
that reaches a process's own rows is the sum over all processes, so that the mean over processes, which data-parallel
training takes of the gradients of the parameters, is the gradient of that one number.
"""

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, distributed


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


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.share = len(rows)
        rows = rows.contiguous()
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = sum_over_processes(gradient)
        first = distributed.get_rank() * ctx.share
        return total[first : first + ctx.share]
