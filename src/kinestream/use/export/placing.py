"""The preparations as functions of tensors, for what is exported: from joints as recorded to clips of a fixed length.

Each gives what `kinestream.data.preparation` makes of the same recordings, of all clips of a batch at once and without
a branch on values, so that torch.export can trace it. A test holds the two together.

Shapes: n clip, t frame, m body, p kept body, v joint, f frame of the result; metres, y up. A body that is not there is
all zero or all NaN in a frame, so that recordings of different lengths make a batch with zeros at the end.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kinestream.data.body_size import measured
from kinestream.data.people import MOST_OUT_OF_SHAPE, SHORTEST_SHARE, WIDEST_SHARE
from kinestream.data.preparation import is_as_found, preparation_of
from kinestream.skeleton.layout import SkeletonLayout

Joints = Float[Tensor, "n t m v 3"]
There = Bool[Tensor, "n t m"]


class Clips(NamedTuple):
    joints: Float[Tensor, "n f p v 3"]
    usable: Bool[Tensor, " n"]
    """Where the preparation would have refused the recording: nobody is there."""


Place = Callable[[Joints, SkeletonLayout, int, int], Clips]
"""From joints, their layout, how many bodies are kept and the length of a clip."""


def placing(preparation: str) -> Place:
    """What a preparation does. Raises ValueError for one that others added, which has no such form."""
    if preparation in _PLACES:
        return _PLACES[preparation]
    if is_as_found(preparation):
        return place_as_found
    known = preparation_of(preparation).name
    raise ValueError(
        f"preparation '{known}' cannot stand in an exported model, only {', '.join(_PLACES)} can: export with "
        "prepared=True (--prepared), and prepare the recordings yourself"
    )


def place_as_found(x: Joints, layout: SkeletonLayout, people: int, frames: int) -> Clips:
    """Nothing but gaps that are filled, the number of bodies and the length."""
    x, there = _first_bodies(*_filled(x, layout), people)
    length = torch.full_like(there[:, 0, 0], x.shape[1], dtype=torch.long)
    return Clips(resized(x, torch.zeros_like(length), length, frames), there.any(dim=2).any(dim=1))


def place_published(x: Joints, layout: SkeletonLayout, people: int, frames: int) -> Clips:
    """As `clean_as_published` and `clip_as_published`."""
    x, _ = _first_bodies(*_filled(x, layout), people)
    valid = x[:, :, 0, 0].ne(0).any(dim=2).sum(dim=1)
    x = resized(x - x[:, :, :, layout.root, None], torch.zeros_like(valid), valid.clamp(min=1), frames)
    left, right = layout.heading
    across = x[:, :, :, right] - x[:, :, :, left]
    dx, dz = across[..., 0], across[..., 2]
    side = torch.where(dz.sum(dim=1, keepdim=True) >= 0, 1.0, -1.0)
    angle = side * torch.arccos(dx / ((dx**2 + dz**2).sqrt() + 1e-4))
    return Clips(_turned(x, angle.cos()[..., None], angle.sin()[..., None]), valid > 0)


def place_planar(x: Joints, layout: SkeletonLayout, people: int, frames: int) -> Clips:
    """As `clean_planar`."""
    x, there = _first_bodies(*_filled(x, layout), people)
    first, last = _times(there.any(dim=2))
    body = there.any(dim=1).int().argmax(dim=1)
    begin, _ = _times(there)
    start = _start(x, body, begin)
    moved = torch.where(there[..., None, None], x - _pelvis(start, layout)[:, None, None, None], 0.0)
    clip = resized(moved, first.clamp(max=x.shape[1] - 1), (last - first + 1).clamp(min=1), frames)
    return Clips(clip, there.any(dim=2).any(dim=1))


def place_tracked(x: Joints, layout: SkeletonLayout, people: int, frames: int) -> Clips:
    """As `clean_by_tracking`; a place in the input is a body."""
    x, there = _with_room(*_filled(x, layout, within=True), people)
    chosen, kept = _people(x, there, people)
    begin, end = _times(there)
    begin, end = begin.gather(1, chosen), end.gather(1, chosen)
    x = x.gather(2, chosen[:, None, :, None, None].expand(-1, x.shape[1], -1, x.shape[3], 3))
    time = torch.arange(x.shape[1], device=x.device)[:, None]
    inside = (time >= begin[:, None]) & (time <= end[:, None]) & kept[:, None]
    start = _start(x, torch.zeros_like(begin[:, 0]), begin)
    left, right = layout.heading
    across = start[:, right] - start[:, left]
    reach = torch.hypot(across[:, 0], across[:, 2])[:, None, None, None]
    some = torch.where(reach > 0, reach, 1.0)
    cosine = torch.where(reach > 0, across[:, 0, None, None, None] / some, 1.0)
    sine = across[:, 2, None, None, None] / some
    placed = _turned(x - _pelvis(start, layout)[:, None, None, None], cosine, sine)
    first = torch.where(kept, begin, x.shape[1]).amin(dim=1)
    last = torch.where(kept, end, -1).amax(dim=1)
    clip = resized(
        torch.where(inside[..., None, None], placed, 0.0),
        first.clamp(max=x.shape[1] - 1),
        (last - first + 1).clamp(min=1),
        frames,
    )
    return Clips(clip, kept[:, 0])


def place_scaled(x: Joints, layout: SkeletonLayout, people: int, frames: int) -> Clips:
    """As `clean_by_tracking` and `clip_to_one_size`."""
    clips = place_tracked(x, layout, people, frames)
    body = clips.joints[:, :, 0]
    seen = body.ne(0).any(dim=3).any(dim=2)
    wanted = found = torch.zeros_like(body[:, 0, 0, 0])
    for start, end, weight, length in measured(layout):
        size = _median((body[:, :, list(start)].mean(dim=2) - body[:, :, list(end)].mean(dim=2)).norm(dim=-1), seen)
        wanted = wanted + torch.where(size > 0, length, 0.0)
        found = found + weight * size
    scale = torch.where(found > 0, wanted / torch.where(found > 0, found, 1.0), 1.0)
    return Clips(clips.joints * scale[:, None, None, None, None], clips.usable)


_PLACES: Mapping[str, Place] = MappingProxyType(
    {"published": place_published, "tracked": place_tracked, "scaled": place_scaled, "planar": place_planar}
)


def resized(x: Joints, first: Int[Tensor, " n"], length: Int[Tensor, " n"], frames: int) -> Float[Tensor, "n f m v 3"]:
    """`kinestream.data.preparation.resize` of `length` frames of each clip from its frame `first`.

    The position of a frame is a fraction with the denominator 2 f: whole numbers keep it exact.
    """
    odd = 2 * torch.arange(frames, device=x.device) + 1
    most = 2 * frames * (length[:, None] - 1)
    position = torch.minimum((odd * length[:, None] - frames).clamp(min=0), most)
    before = torch.div(position, 2 * frames, rounding_mode="floor")
    weight = ((position - 2 * frames * before).to(x.dtype) / (2 * frames))[:, :, None, None, None]
    after = torch.minimum(before + 1, length[:, None] - 1)
    earlier, later = (
        x.gather(1, (first[:, None] + at)[:, :, None, None, None].expand(-1, -1, *x.shape[2:]))
        for at in (before, after)
    )
    return earlier * (1 - weight) + later * weight


def _filled(x: Joints, layout: SkeletonLayout, *, within: bool = False) -> tuple[Joints, There]:
    """As `kinestream.data.gaps.close_gaps` for short gaps, and which bodies are there: a joint that was not seen (NaN)
    lies on the line between where it was before and after, or as its first or last, or is where its parent is if it was
    never seen. `within`: so do all joints of a body in frames without it, else it is zero there."""
    missing = x.isnan().any(dim=4)
    known = torch.where(missing[..., None], 0.0, x)
    there = known.ne(0).any(dim=4).any(dim=3)
    missing = missing | ~there[..., None]
    y = _on_the_line(known, ~missing)
    never = missing.all(dim=1)  # (n, m, v)
    y = _where_the_parent_is(y, never, layout)
    return (y if within else torch.where(there[..., None, None], y, 0.0)), there


def _on_the_line(x: Joints, seen: Bool[Tensor, "n t m v"]) -> Joints:
    """Every joint in every frame, interpolated between the frames in which it was seen.

    `slots` lists the frames in which a joint was seen, counted from 1, and what was not seen in one slot at the end.
    """
    frames = x.shape[1]
    time = torch.arange(frames, device=x.device)[:, None, None].expand_as(seen)
    rank = seen.long().cumsum(dim=1)
    slots = torch.zeros_like(torch.cat((rank, rank[:, :1], rank[:, :1]), dim=1))
    slots = slots.scatter(1, torch.where(seen, rank, frames + 1), time)
    before = slots.gather(1, rank.clamp(min=1))
    after = slots.gather(1, torch.minimum(rank + (~seen).long(), rank[:, -1:]).clamp(min=1))
    span = (after - before).clamp(min=1)
    weight = ((time - before).clamp(min=0).to(x.dtype) / span.to(x.dtype)).clamp(max=1)[..., None]
    earlier, later = (x.gather(1, at[..., None].expand_as(x)) for at in (before, after))
    return earlier * (1 - weight) + later * weight


def _where_the_parent_is(x: Joints, never: Bool[Tensor, "n m v"], layout: SkeletonLayout) -> Joints:
    """Joints that were never seen take the place of the next one towards the root that was; a root, of the middle of
    all that were."""
    parents = torch.tensor(layout.parents, device=x.device)
    source = torch.arange(len(layout.parents), device=x.device).expand_as(never)
    for _ in range(max(layout.depths)):
        source = torch.where(never.gather(2, source), parents[source], source)
    weight = (~never).to(x.dtype)
    share = weight / weight.sum(dim=2, keepdim=True).clamp(min=1)
    middle = (x * share[:, None, :, :, None]).sum(dim=3, keepdim=True)
    taken = x.gather(3, source[:, None, :, :, None].expand_as(x))
    return torch.where(never.gather(2, source)[:, None, :, :, None], middle, taken)


def _with_room(x: Joints, there: There, people: int) -> tuple[Float[Tensor, "n t more v 3"], Bool[Tensor, "n t more"]]:
    """With as many more bodies that are not there."""
    none = x.new_zeros(x.shape[0], x.shape[1], people, x.shape[3], 3)
    return torch.cat((x, none), dim=2), torch.cat((there, none[..., 0, 0].bool()), dim=2)


def _first_bodies(x: Joints, there: There, people: int) -> tuple[Float[Tensor, "n t p v 3"], Bool[Tensor, "n t p"]]:
    x, there = _with_room(x, there, people)
    return x[:, :, :people], there[:, :, :people]


def _people(x: Joints, there: There, people: int) -> tuple[Int[Tensor, "n p"], Bool[Tensor, "n p"]]:
    """The bodies that are kept, the most energetic first, and whether there are so many. Shares are compared in double
    precision, as they are in the preparation."""
    seen = there.sum(dim=1)
    weight = (there.to(x.dtype) / seen.clamp(min=1)[:, None])[..., None, None]
    mean = (x * weight).sum(dim=1, keepdim=True)
    energy = ((x - mean) ** 2 * weight).sum(dim=1).sum(dim=(2, 3))
    extent = x.amax(dim=3) - x.amin(dim=3)
    wide = ((extent[..., 0] > WIDEST_SHARE * extent[..., 1]) & there).sum(dim=1)
    long = (seen > 0) & (seen.double() >= SHORTEST_SHARE * seen.amax(dim=1, keepdim=True).double())
    in_shape = long & (wide.double() / seen.clamp(min=1).double() <= MOST_OUT_OF_SHAPE)
    score = torch.where(long, energy, -1.0)
    best = torch.arange(score.shape[1], device=x.device) == score.argmax(dim=1, keepdim=True)
    some = in_shape.any(dim=1, keepdim=True)
    keep = (some & in_shape) | (~some & best & long)
    score = torch.where(keep, energy, -1.0)
    chosen, kept = [], []
    for _ in range(people):  # of equal ones the first, which a sort does not promise
        body = score.argmax(dim=1, keepdim=True)
        chosen.append(body)
        kept.append(score.gather(1, body) >= 0)
        score = score.scatter(1, body, -1.0)
    return torch.cat(chosen, dim=1), torch.cat(kept, dim=1)


def _times(there: Bool[Tensor, "n t *m"]) -> tuple[Int[Tensor, "n *m"], Int[Tensor, "n *m"]]:
    """The first frame and the last in which something is there; the first of all and before it where it never is."""
    time = torch.arange(there.shape[1], device=there.device).view(-1, *(1,) * (there.ndim - 2))
    return there.int().argmax(dim=1), torch.where(there, time, -1).amax(dim=1)


def _start(x: Joints, body: Int[Tensor, " n"], begin: Int[Tensor, "n m"]) -> Float[Tensor, "n v 3"]:
    """A body of each clip in its first frame."""
    mine = x.gather(2, body[:, None, None, None, None].expand(-1, x.shape[1], 1, x.shape[3], 3))
    frame = begin.gather(1, body[:, None])[:, :, None, None, None].expand(-1, 1, 1, x.shape[3], 3)
    return mine.gather(1, frame)[:, 0, 0]


def _median(x: Float[Tensor, "n f"], known: Bool[Tensor, "n f"]) -> Float[Tensor, " n"]:
    """Over what is known; 0 where nothing is."""
    ordered = torch.where(known, x, torch.inf).sort(dim=1).values
    count = known.sum(dim=1, keepdim=True).clamp(min=1)
    low, high = (ordered.gather(1, at) for at in ((count - 1) // 2, count // 2))
    middle = ((low + high) / 2)[:, 0]
    return torch.where(known.any(dim=1), middle, 0.0)


def _pelvis(body: Float[Tensor, "n v 3"], layout: SkeletonLayout) -> Float[Tensor, "n 3"]:
    return body[:, list(layout.pelvis)].mean(dim=1)


def _turned(x: Float[Tensor, "*n v 3"], cosine: Tensor, sine: Tensor) -> Float[Tensor, "*n v 3"]:
    """`x' = cos x + sin z`, `z' = -sin x + cos z`; y, the vertical, stays."""
    right, up, forward = x.unbind(dim=-1)
    return torch.stack((cosine * right + sine * forward, up.expand_as(right), cosine * forward - sine * right), dim=-1)
