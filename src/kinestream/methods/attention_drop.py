"""AimCLR's energy-based attention drop (EADM): the part of a feature map that stands out is taken away.

b body of a clip, c channel, s frame of the map, v joint.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinestream.distributed.collectives import mean_over_processes

_EPSILON = 1e-4


@torch.no_grad()
def energy_attention(x: Float[Tensor, "b c s v"]) -> Float[Tensor, "b c s v"]:
    """`sigmoid(e)`, `e = (x - mean)^2 / (4 (sum (x - mean)^2 / (s v - 1) + 1e-4)) + 1/2`, mean and sum over s and v:
    the further a value is from its channel's mean, the higher (SimAM, Yang et al. 2021)."""
    squared = (x - x.mean(dim=(2, 3), keepdim=True)) ** 2
    variance = squared.sum(dim=(2, 3), keepdim=True) / (x.shape[2] * x.shape[3] - 1)
    return torch.sigmoid(squared / (4 * (variance + _EPSILON)) + 0.5)


def attention_drop(x: Float[Tensor, "b c s v"], threshold: float = 0.7) -> Float[Tensor, "b c s v"]:
    """Zeroes the joints whose attention, averaged over channels and frames, reaches `threshold`; then, of the rest,
    each value whose own attention does. After each, what is left is divided by the share that was kept, over the
    bodies of all clips of the batch. The attention carries no gradient."""
    attention = energy_attention(x)
    joints = attention.mean(dim=(1, 2)) < threshold
    x = x * (joints[:, None, None, :] * _rescale(joints, x.dtype))
    values = attention < threshold
    return x * (values * _rescale(values, x.dtype))


def _rescale(kept: Bool[Tensor, "b ..."], dtype: torch.dtype) -> Float[Tensor, ""]:
    """One over the share that is kept; 0 where nothing is, which leaves a map of zeros instead of none."""
    counts = torch.stack([kept.sum(), torch.full((), kept.numel(), device=kept.device)]).to(dtype)
    total = mean_over_processes(counts)
    share = total[0] / total[1]
    return torch.where(share > 0, 1 / share.clamp(min=torch.finfo(dtype).tiny), torch.zeros_like(share))
