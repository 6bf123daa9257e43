"""Batch normalisation whose statistics are those of the whole batch: of all processes that share it, and with rows that
stand for many equal ones.

`y = (x - mean) / sqrt(variance + eps) * weight + bias`, mean and variance of each channel over N values, of which a row
with weight w counts w times. Names, shapes and values are those of torch's modules; so is every bit of the result in
one process without weights, and in evaluation mode.

The backward pass, with g the gradient of y and x' the normalised x, is

    dx = weight / sqrt(variance + eps) * (g - w (sum g + x' sum g x') / N),

the sums over the whole batch: the gradient of a row with weight w is that of its w equal rows together.
"""

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from kinestream.distributed.collectives import Moments, moments_over_processes, several_processes, sum_over_processes


class BatchNorm1d(nn.BatchNorm1d):
    """Of `(b, c)` or `(b, c, t)`; a weight for each of the b rows."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(
        self, x: Float[Tensor, "b c *t"], weights: Float[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b c *t"]:
        if not self.training or (weights is None and not several_processes()):
            return super().forward(x)
        rows = x.contiguous().view(len(x), x.shape[1], -1)
        moments = _moments(rows) if weights is None else _moments_of_rows(rows.view(1, -1, rows.shape[2]), weights)
        return _normalise(self, rows, moments, weights).view(x.shape)

    def standardised(
        self, x: Float[Tensor, "t c b"], weights: Float[Tensor, " b"] | None = None
    ) -> Float[Tensor, "t c b"]:
        """`x'`, before weight and bias, for a layer that takes them up into its own; a weight for each of the b rows,
        which lie side by side."""
        if not self.training or (weights is None and not several_processes()):
            factor = _count(self) if self.training else 0.0
            return functional.batch_norm(
                x, self.running_mean, self.running_var, training=self.training, momentum=factor, eps=self.eps
            )
        rows = x.permute(2, 1, 0).contiguous()
        moments = _moments(rows) if weights is None else _moments_of_rows(rows.view(1, -1, rows.shape[2]), weights)
        return _normalise(self, rows, moments, weights, affine=False).permute(2, 1, 0)


class BatchNorm2d(nn.BatchNorm2d):
    """Of images `(n, c, t, p)`, channels last in memory, whose p are `(v b)`; a weight for each of the b bodies."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(
        self, x: Float[Tensor, "n c t p"], weights: Float[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n c t p"]:
        if not self.training or (weights is None and not several_processes()):
            return super().forward(x)
        if weights is None:
            return _normalise(self, x, _moments(x), None)
        each = x.permute(0, 2, 3, 1).reshape(-1, len(weights) * x.shape[1], 1)
        return _normalise(self, x, _moments_of_rows(each, weights), weights.repeat(x.shape[3] // len(weights)))


def _normalise(
    norm: nn.BatchNorm1d | nn.BatchNorm2d,
    x: Tensor,
    moments: Moments,
    weights: Tensor | None,
    *,
    affine: bool = True,
) -> Tensor:
    """Weights of the rows `(n, c, t)` or of the positions of images `(1, c, t, n)`."""
    mean, variance, count = moments
    _follow(norm, mean, variance * (count / (count - 1)))
    dtype = norm.weight.dtype
    scale, shift = (
        (norm.weight, norm.bias)
        if affine
        else (torch.ones_like(mean, dtype=dtype), torch.zeros_like(mean, dtype=dtype))
    )
    y = _Normalise.apply(  # type: ignore[no-untyped-call]
        x, scale, shift, mean.to(dtype), variance.to(dtype), count, weights, norm.eps
    )
    return cast(Tensor, y)


@torch.no_grad()
def _moments(x: Float[Tensor, "n c *rest"]) -> Moments:
    """Of all rows of all processes, each row once."""
    count = torch.full((), x.numel() / x.shape[1], dtype=torch.float64, device=x.device)
    return moments_over_processes(*_mean_and_variance(x), count)


@torch.no_grad()
def _moments_of_rows(each: Float[Tensor, "n bc _"], weights: Float[Tensor, " b"]) -> Moments:
    """Of rows that weigh: first of each by itself (the channels of all rows beside each other), then pooled."""
    mean, variance = (of.view(len(weights), -1) for of in _mean_and_variance(each))
    share = weights.double() / weights.double().sum()
    pooled = share @ mean
    within_and_between = share @ (variance + (mean - pooled) ** 2)
    values = each.numel() / each.shape[1]
    return moments_over_processes(pooled, within_and_between, weights.double().sum() * values)


def _mean_and_variance(x: Float[Tensor, "n c *rest"]) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Of each channel, in float64."""
    x = x.detach() if x.dtype == torch.float64 else x.detach().float()
    if x.device.type == "cpu":
        # What `functional.batch_norm` itself computes them with here; `var_mean` takes ten times as long.
        mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)
    else:
        variance, mean = torch.var_mean(x, dim=[0, *range(2, x.ndim)], correction=0)
    return mean.double(), variance.double()


@torch.no_grad()
def _follow(norm: nn.BatchNorm1d | nn.BatchNorm2d, mean: Tensor, unbiased: Tensor) -> None:
    """Moves the running statistics: by `momentum`, or to the plain average over all batches where it is None."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = _count(norm)
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), factor)
    norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), factor)


def _count(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> float:
    """Counts a batch; the share that it has in the running statistics."""
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    return 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum


class _Normalise(torch.autograd.Function):
    """With moments that were taken of x, and the gradient that goes through them."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        count: Tensor,
        weights: Tensor | None,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance, count, weights)
        ctx.eps = eps
        return functional.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance, count, weights = ctx.saved_tensors
        # In evaluation mode the gradients of weight and bias are the two sums that are needed.
        _, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            grad, x, weight, mean, variance, None, None, False, ctx.eps, [False, True, True]
        )
        of_x = None
        if ctx.needs_input_grad[0]:
            sums = sum_over_processes(torch.stack([of_bias, of_weight])) / count.to(of_bias.dtype)
            deviation = (variance + ctx.eps).rsqrt()
            scale = weight * deviation
            # - scale w (sum g + x' sum g x') / N = w (offset + slope x)
            slope = -scale * sums[1] * deviation
            offset = -scale * sums[0] - slope * mean
            of_x = torch.addcmul(_weighted(offset, x, weights), x, _weighted(slope, x, weights))
            of_x = of_x.addcmul_(grad, _weighted(scale, x, None)).to(x.dtype)
        return of_x, of_weight, of_bias, None, None, None, None, None


def _weighted(value: Float[Tensor, " c"], x: Tensor, weights: Float[Tensor, " n"] | None) -> Tensor:
    """Of each channel and row, in the order in which x lies in memory."""
    if weights is None:
        return value.view(-1, *(1,) * (x.ndim - 2))
    products = weights[:, None] * value
    return products[:, :, None] if x.ndim == 3 else products.T[:, None]
