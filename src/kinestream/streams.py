"""The streams of a clip: joint, motion and bone (reference: 3s-CACA, section "streams"); the motion of bones, the
fourth stream of the supervised literature (Shi et al. 2019); and the distances of joints with their motion (the joint
collection distances of Yang et al. 2019), which no turn of the body or the camera changes.

Streams are computed from the augmented joint clip, once for each view. Shapes: n clip, c coordinate, t frame, v joint,
m body, p pair of joints.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from kinestream.layout import SkeletonLayout


def joint(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n c t v m"]:
    """The coordinates as prepared."""
    return x


def motion(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n c t v m"]:
    """`x[t+1] - x[t]`, in metres a frame; the last frame is zero.

    Example:
        >>> from kinestream.layout import NTU25
        >>> motion(torch.arange(3.0).reshape(1, 1, 3, 1, 1), NTU25).flatten().tolist()
        [1.0, 1.0, 0.0]
    """
    return torch.cat((x[:, :, 1:] - x[:, :, :-1], torch.zeros_like(x[:, :, :1])), dim=2)


def bone(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n c t v m"]:
    """`x[v] - x[parent(v)]`, in metres; the root joint is zero."""
    return x - x[:, :, :, list(layout.parents)]


def bone_motion(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n c t v m"]:
    """The motion of the bones, in metres a frame: how limbs turn, wherever the body goes."""
    return motion(bone(x, layout), layout)


def distance(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n 1 t p m"]:
    """How far the joints of a body are from each other, in metres: one number for each pair, (0, 1), (0, 2), ...
    (v - 2, v - 1)."""
    first, second = torch.triu_indices(x.shape[3], x.shape[3], offset=1, device=x.device)
    points = rearrange(x, "n c t v m -> (n m t) v c")
    # Products of coordinates, torch's other way, would lose the digits of small distances.
    between = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")[:, first, second]
    return rearrange(between, "(n m t) p -> n 1 t p m", n=x.shape[0], m=x.shape[4]).contiguous()


def distance_motion(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n 1 t p m"]:
    """How the distances change, in metres a frame."""
    return motion(distance(x, layout), layout)


STREAMS: Mapping[str, Callable[[Tensor, SkeletonLayout], Tensor]] = MappingProxyType(
    {
        "joint": joint,
        "motion": motion,
        "bone": bone,
        "bone-motion": bone_motion,
        "distance": distance,
        "distance-motion": distance_motion,
    }
)


def make_streams(
    x: Float[Tensor, "n c t v m"], names: Iterable[str], layout: SkeletonLayout
) -> dict[str, Float[Tensor, "n _ t _ m"]]:
    """The named streams of joint clips `x`. Raises ValueError for an unknown name."""
    unknown = [name for name in names if name not in STREAMS]
    if unknown:
        raise ValueError(f"unknown stream '{unknown[0]}': choose from {', '.join(STREAMS)}")
    return {name: STREAMS[name](x, layout) for name in names}
