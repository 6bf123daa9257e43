"""Batch normalisation in evaluation mode is a scale and a shift of each channel: the linear layer before takes both up.

norm(W x + b) = (s W) x + (s b + r),   s = weight / sqrt(running_var + eps),   r = bias - s running_mean
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

Norm = nn.BatchNorm1d | nn.BatchNorm2d


class Affine(NamedTuple):
    scale: Float[Tensor, " d"]
    shift: Float[Tensor, " d"]


def running_affine(norm: Norm) -> Affine:
    """What `norm` does in evaluation mode."""
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return Affine(scale, norm.bias - scale * norm.running_mean)


def folded(layer: nn.Linear | nn.Conv2d, norm: Norm) -> tuple[Float[Tensor, "d c ..."], Float[Tensor, " d"]]:
    """Weight and bias of `layer`; in evaluation mode with what `norm` would do to the result."""
    assert layer.bias is not None
    if norm.training:
        return layer.weight, layer.bias
    scale, shift = running_affine(norm)
    return layer.weight * scale.view(-1, *(1,) * (layer.weight.ndim - 1)), layer.bias * scale + shift
