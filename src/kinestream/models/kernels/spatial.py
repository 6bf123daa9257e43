"""Sums over linked joints, as sparse as a skeleton is.

Of the 3 x 25 x 25 entries of the adjacency only about 70 are not zero. On CPUs the sum over the links alone takes as
long as writing its result, a third to a seventh of the dense matrix product; its gradients likewise.
"""

from dataclasses import dataclass
from typing import Any, cast

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


@dataclass(frozen=True)
class Links:
    """The entries of an adjacency `(k, v, w)` that are not zero, in the order of (w, k), then v."""

    target: Int[Tensor, " links"]
    """Row (w, k) of the result."""
    source: Int[Tensor, " links"]
    """Joint v."""
    targets: int
    sources: int

    @classmethod
    def of(cls, adjacency: Float[Tensor, "k v w"]) -> "Links":
        target, source = by_target(adjacency).nonzero(as_tuple=True)
        return cls(target, source, adjacency.shape[0] * adjacency.shape[2], adjacency.shape[1])


def by_target(adjacency: Float[Tensor, "k v w"]) -> Float[Tensor, "wk v"]:
    return rearrange(adjacency, "k v w -> (w k) v")


def gather_links(
    x: Float[Tensor, "t v b c"], a: Float[Tensor, "k v w"], links: Links | None
) -> Float[Tensor, "t wk b c"]:
    """`y[t, (w, k)] = sum_v a[k, v, w] x[t, v]`, where `links` are the entries of `a` that may differ from zero;
    all of them if None."""
    frames, joints, batch, channels = x.shape
    exact = x.dtype == a.dtype and x.dtype in (torch.float32, torch.float64)
    if links is not None and exact and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
        values = by_target(a)[links.target, links.source]
        y = cast(Tensor, _SparseSum.apply(x.reshape(frames * joints, -1), values, links))  # type: ignore[no-untyped-call]
    else:
        y = torch.bmm(by_target(a).expand(frames, -1, -1), rearrange(x, "t v b c -> t v (b c)"))
    return y.view(frames, -1, batch, channels)


class _SparseSum(torch.autograd.Function):
    """A bag of weighted rows for each target: the bags of all frames in one call, and the same for both gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, links: Links) -> Tensor:
        ctx.save_for_backward(x, values)
        ctx.links = links
        return _bags(x, values, links.source, links.target, links.sources, links.targets)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, values = ctx.saved_tensors
        links: Links = ctx.links
        grad = grad.contiguous()
        of_x = of_values = None
        if ctx.needs_input_grad[0]:
            order = links.source.argsort(stable=True)
            of_x = _bags(grad, values[order], links.target[order], links.source[order], links.targets, links.sources)
        if ctx.needs_input_grad[1]:
            frames = len(x) // links.sources
            rows = _of_all_frames(links.source, frames, links.sources)
            bags = _of_all_frames(links.target, frames, links.targets)
            # The gradient of `embedding_bag` by its weights: for each link the product of two rows.
            products = torch.ops.aten._embedding_bag_per_sample_weights_backward(grad, x, rows, bags[:0], bags, 0)
            of_values = products.view(frames, -1).sum(dim=0)
        return of_x, of_values, None


def _bags(x: Tensor, values: Tensor, rows: Tensor, bags: Tensor, row_count: int, bag_count: int) -> Tensor:
    """For each frame and bag the sum of `values * x[rows]`; `bags` ascends."""
    frames = len(x) // row_count
    starts = torch.searchsorted(bags, torch.arange(bag_count, device=bags.device))
    return functional.embedding_bag(
        _of_all_frames(rows, frames, row_count),
        x,
        _of_all_frames(starts, frames, len(rows)),
        mode="sum",
        per_sample_weights=values.repeat(frames),
    )


def _of_all_frames(index: Tensor, frames: int, step: int) -> Tensor:
    return (torch.arange(frames, device=index.device)[:, None] * step + index).flatten()
