"""The streams of a clip: joint, motion and bone (reference: 3s-CACA, section "streams"); the motion of bones, the
fourth stream of the supervised literature (Shi et al. 2019); the distances of joints with their motion (the joint
collection distances of Yang et al. 2019); and three of our own.

Streams are computed from the augmented joint clip, once for each view. Shapes: n clip, c coordinate, t frame, v joint,
m body, p pair of joints.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from kinestream.skeleton import STREAMS
from kinestream.skeleton.layout import SkeletonLayout

DISTANCE_LAG = 8
"""Frames between the two moments of `lagged-distance`."""
DISPLACEMENT_LAGS = (1, 2, 4, 8)
"""Frames over which `displacement` is taken."""

Make = Callable[[Tensor, SkeletonLayout], Tensor]


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What a stream is made by, and what encoders and evaluations need to know of it."""

    name: str
    make: Make
    shape: Callable[[SkeletonLayout], tuple[int, int]]
    """How many coordinates of how many joints, or pairs of them, it has."""
    of_pairs: bool
    """Of pairs of joints: an encoder that works on the graph of the joints cannot take it."""
    same_from_all_sides: bool
    """No turn about the vertical changes it."""
    per_frame: bool
    """A change from one frame to the next: of clips whose rate is known it is taken for a second."""
    published: bool
    """One of the published self-supervised methods, whose weights there are."""
    motion_of: str | None = None
    """The stream that it is the motion of: where both are wanted, that one is made once."""


def stream(
    name: str,
    *,
    shape: Callable[[SkeletonLayout], tuple[int, int]] = lambda layout: (3, len(layout.joints)),
    of_pairs: bool = False,
    same_from_all_sides: bool = False,
    per_frame: bool = False,
    published: bool = False,
    motion_of: str | None = None,
) -> Callable[[Make], Make]:
    """A decorator that makes a function of joint clips `(n, c, t, v, m)` and their layout the stream `name`."""

    def add(make: Make) -> Make:
        record = Stream(
            name=name,
            make=make,
            shape=shape,
            of_pairs=of_pairs,
            same_from_all_sides=same_from_all_sides,
            per_frame=per_frame,
            published=published,
            motion_of=motion_of,
        )
        STREAMS.add(name, record)
        return make

    return add


def make_streams(
    x: Float[Tensor, "n c t v m"], names: Iterable[str], layout: SkeletonLayout, rate: float | None = None
) -> dict[str, Float[Tensor, "n _ t _ m"]]:
    """The named streams of joint clips `x`; what moves is in metres a second where their `rate` (frames a second) is
    given, else in metres a frame, as published. Raises ValueError for an unknown name."""
    records = {name: STREAMS.get(name) for name in names}
    plain: dict[str, Tensor] = {}
    for name, one in sorted(records.items(), key=lambda item: item[1].motion_of is not None):
        still = plain.get(one.motion_of or "")
        plain[name] = one.make(x, layout) if still is None else motion(still, layout)
    return {
        name: plain[name] * rate if rate is not None and one.per_frame else plain[name] for name, one in records.items()
    }


def _pairs(layout: SkeletonLayout) -> tuple[int, int]:
    joints = len(layout.joints)
    return 1, joints * (joints - 1) // 2


@stream("joint", published=True)
def joint(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n c t v m"]:
    """The coordinates as prepared."""
    return x


@stream("motion", per_frame=True, published=True)
def motion(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n c t v m"]:
    """`x[t+1] - x[t]`, in metres a frame; the last frame is zero.

    Example:
        >>> from kinestream.skeleton.layout import NTU25
        >>> motion(torch.arange(3.0).reshape(1, 1, 3, 1, 1), NTU25).flatten().tolist()
        [1.0, 1.0, 0.0]
    """
    return torch.cat((x[:, :, 1:] - x[:, :, :-1], torch.zeros_like(x[:, :, :1])), dim=2)


@stream("bone", published=True)
def bone(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n c t v m"]:
    """`x[v] - x[parent(v)]`, in metres; the root joint is zero."""
    return x - x[:, :, :, list(layout.parents)]


@stream("bone-motion", per_frame=True, motion_of="bone")
def bone_motion(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n c t v m"]:
    """The motion of the bones, in metres a frame: how limbs turn, wherever the body goes."""
    return motion(bone(x, layout), layout)


@stream("distance", shape=_pairs, of_pairs=True, same_from_all_sides=True)
def distance(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n 1 t p m"]:
    """How far the joints of a body are from each other, in metres: one number for each pair, (0, 1), (0, 2), ...
    (v - 2, v - 1)."""
    first, second = torch.triu_indices(x.shape[3], x.shape[3], offset=1, device=x.device)
    return _between(x, x)[:, :, :, first, second].contiguous()


@stream(
    "distance-motion",
    shape=_pairs,
    of_pairs=True,
    same_from_all_sides=True,
    per_frame=True,
    motion_of="distance",
)
def distance_motion(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n 1 t p m"]:
    """How the distances change, in metres a frame."""
    return motion(distance(x, layout), layout)


@stream("lagged-distance", shape=lambda layout: (1, len(layout.joints) ** 2), of_pairs=True, same_from_all_sides=True)
def lagged_distance(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n 1 t p m"]:
    """How far each joint is from where every joint, itself too, was `DISTANCE_LAG` frames ago, in metres: posture and
    movement at once. Pairs are (now, then): (0, 0), (0, 1), ... (v - 1, v - 1); a body stood as in its first frame
    before that, and is nowhere in frames without it."""
    held, there = _held(x)
    between = rearrange(_between(x, _earlier(held, DISTANCE_LAG)), "n 1 t v u m -> n 1 t (v u) m")
    return (between * there).contiguous()


@stream("displacement", shape=lambda layout: (2 * len(DISPLACEMENT_LAGS), len(layout.joints)), same_from_all_sides=True)
def displacement(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n k t v m"]:
    """How far each joint has come in each of `DISPLACEMENT_LAGS` frames, upwards and along the ground (a length), in
    metres: slow and fast movements side by side. A body stood as in its first frame before that, and does not move in
    frames without it."""
    held, there = _held(x)
    steps = torch.stack([x - _earlier(held, lag) for lag in DISPLACEMENT_LAGS], dim=1)
    return torch.stack((steps[:, :, 1], _along_the_ground(steps, dim=2)), dim=2).flatten(1, 2) * there


@stream("cylindrical-motion", same_from_all_sides=True, per_frame=True)
def cylindrical_motion(x: Float[Tensor, "n c t v m"], layout: SkeletonLayout) -> Float[Tensor, "n 3 t v m"]:
    """How these change, in metres a frame: the height of each joint; its distance along the ground from where the
    pelvis stood in the body's first frame; and how far it moves along the ground to the next frame. They are zero in
    frames without the body."""
    held, there = _held(x)
    start = held[:, :, :1, list(layout.pelvis)].mean(dim=3, keepdim=True)
    away = _along_the_ground(held - start, dim=1)
    speed = _along_the_ground(motion(held, layout), dim=1)
    return motion(torch.stack((x[:, 1], away, speed), dim=1) * there, layout)


def _held(x: Float[Tensor, "n c t v m"]) -> tuple[Float[Tensor, "n c t v m"], Bool[Tensor, "n 1 t 1 m"]]:
    """Each body in the frames without it, all zero, as it was last, and before it came as it first was; and where it is
    there. A body that is never there stays zero."""
    there = x.ne(0).any(dim=3, keepdim=True).any(dim=1, keepdim=True)
    frames = torch.arange(x.shape[2], device=x.device)[:, None, None]
    last = torch.where(there, frames, -1).cummax(dim=2).values
    first = there.to(torch.uint8).argmax(dim=2, keepdim=True)
    return x.gather(2, torch.where(last < 0, first, last).expand_as(x)), there


def _earlier(x: Float[Tensor, "n c t v m"], lag: int) -> Float[Tensor, "n c t v m"]:
    """The clip so many frames late, its first frame held until then."""
    frames = (torch.arange(x.shape[2], device=x.device) - lag).clamp(min=0)
    return x[:, :, frames]


def _along_the_ground(steps: Tensor, *, dim: int) -> Tensor:
    """The horizontal length of vectors whose coordinates lie along `dim`."""
    return torch.hypot(steps.select(dim, 0), steps.select(dim, 2))


def _between(x: Float[Tensor, "n c t v m"], y: Float[Tensor, "n c t u m"]) -> Float[Tensor, "n 1 t v u m"]:
    """The distances of the joints of one from those of the other, frame by frame."""
    rows = [rearrange(points, "n c t v m -> (n m t) v c") for points in (x, y)]
    # Products of coordinates, torch's other way, would lose the digits of small distances.
    distances = torch.cdist(rows[0], rows[1], compute_mode="donot_use_mm_for_euclid_dist")
    return rearrange(distances, "(n m t) v u -> n 1 t v u m", n=x.shape[0], m=x.shape[4])
