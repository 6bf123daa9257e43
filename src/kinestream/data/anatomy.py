"""Measures of one body over time: lengths of its bones, its height, which way is up and which way it faces.

Shapes: s frame, v joint, b bone (as in `layout.bones`), c coordinate. Joints that were not seen are NaN.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from kinestream.skeleton.layout import SkeletonLayout
from kinestream.skeleton.pose import STANDING

Body = Float[np.ndarray, "s v c"]
Points = Float[np.ndarray, "s c"]
Lengths = Float[np.ndarray, "s b"]

_HEAD = ("head_top", "head", "nose", "left_eye right_eye", "left_ear right_ear", "neck", "left_shoulder right_shoulder")
_FEET = ("left_ankle right_ankle", "left_foot right_foot", "left_knee right_knee", "left_hip right_hip", "pelvis")
_ARM = {"elbow", "wrist", "hand", "thumb", "index", "pinky"}
_WHOLE = 0.8
"""Height over the longest way through the tree, which is that from a foot to a hand."""
_LEAST_SEEN = 3
"""Frames."""
_LEAST_ORDERED = 6
"""Joints."""
_CLEAR = 0.06
"""In trunk lengths: what is less far ahead or behind tells nothing."""
_ENOUGH = 0.4
"""What is further counts no more than this."""
_RIGID = 0.01
"""Swing of bones that were fitted to a skeleton: elsewhere, knees often bend the wrong way."""


class Direction(NamedTuple):
    """The axis from feet to head."""

    axis: str
    """x, y, z, or one of these with a minus."""
    share: float
    """Of the frames in which it is this one."""
    cosine: float
    """Between the axis and the line from feet to head, on average."""


# --- bones ----------------------------------------------------------------------------------------------------------


def bone_lengths(body: Body, layout: SkeletonLayout) -> Lengths:
    """NaN where an end was not seen."""
    bones = np.array(layout.bones, dtype=np.intp).reshape(-1, 2)
    return np.linalg.norm(body[:, bones[:, 0]] - body[:, bones[:, 1]], axis=-1)


def skeletal_height(lengths: Lengths, layout: SkeletonLayout) -> float | None:
    """Along the bones from ankles to head, where the layout has such joints, the mean of left and right; else 0.8 times
    the longest way through the tree. None where bones on that way were not seen, or have no length.

    Example:
        >>> from kinestream.skeleton.layout import load_layout
        >>> from kinestream.skeleton.pose import standing
        >>> layout = load_layout("coco17")
        >>> round(skeletal_height(bone_lengths(standing(layout)[None], layout), layout), 2)
        1.66
    """
    typical = _typical(lengths)
    names = {name: v for v, name in enumerate(layout.canonical)}
    head = next((names[name] for name in ("head", "head_top", "nose") if name in names), None)
    ankles = [names[name] for name in ("left_ankle", "right_ankle") if name in names]
    if head is None or not ankles:
        return _WHOLE * _longest_way(typical, layout) or None
    ways = [float(typical[_way(layout, ankle, head)].sum()) for ankle in ankles]
    known = [way for way in ways if np.isfinite(way)]
    return float(np.mean(known)) or None if known else None


def swing_of(lengths: Lengths) -> float | None:
    """Half of (90th - 10th percentile) / median of each bone over time, the median over the bones: at 0.1 a bone is
    mostly within 10 % of its length. None with under 3 frames."""
    typical = _typical(lengths)
    bones = (typical > 0) & ((~np.isnan(lengths)).sum(axis=0) >= _LEAST_SEEN)
    if not bones.any():
        return None
    low, high = np.nanpercentile(lengths[:, bones], (10, 90), axis=0)
    return float(np.median((high - low) / typical[bones]) / 2)


def unevenness(lengths: Lengths, layout: SkeletonLayout) -> float | None:
    """|left - right| / their mean, of each bone's median length; the mean over the pairs, None where there are none."""
    typical = _typical(lengths)
    row = {bone: number for number, bone in enumerate(layout.bones)}
    other = layout.mirrored
    lefts = [bone for bone, side in zip(layout.bones, layout.bone_sides, strict=True) if side == "left"]
    pairs = [(row[bone], row[mirror]) for bone in lefts if (mirror := (other[bone[0]], other[bone[1]])) in row]
    if not pairs:
        return None
    left, right = typical[np.array(pairs).T]
    usable = left + right > 0
    return float(np.mean(2 * np.abs(left - right)[usable] / (left + right)[usable])) if usable.any() else None


def _typical(lengths: Lengths) -> Float[np.ndarray, " b"]:
    """Median of each bone over the frames in which it is seen; NaN for one that never is."""
    typical = np.full(lengths.shape[1], np.nan)
    seen = (~np.isnan(lengths)).any(axis=0)
    typical[seen] = np.nanmedian(lengths[:, seen], axis=0)
    return typical


def _way(layout: SkeletonLayout, start: int, end: int) -> list[int]:
    """The bones between two joints."""
    row = {child: number for number, (child, _) in enumerate(layout.bones)}
    return [row[child] for child in set(_to_root(layout, start)) ^ set(_to_root(layout, end))]


def _to_root(layout: SkeletonLayout, joint: int) -> Iterator[int]:
    while layout.parents[joint] != joint:
        yield joint
        joint = layout.parents[joint]


def _longest_way(typical: Float[np.ndarray, " b"], layout: SkeletonLayout) -> float:
    """Between any two joints; a bone that was never seen has no length."""
    length = {child: float(np.nan_to_num(typical[row])) for row, (child, _) in enumerate(layout.bones)}
    deepest = [0.0] * len(layout.joints)
    longest = 0.0
    for joint in sorted(length, key=layout.depths.__getitem__, reverse=True):
        parent, reach = layout.parents[joint], deepest[joint] + length[joint]
        longest = max(longest, deepest[parent] + reach)
        deepest[parent] = max(deepest[parent], reach)
    return longest


# --- posture --------------------------------------------------------------------------------------------------------


def direction_of(body: Body, layout: SkeletonLayout) -> Direction | None:
    """The axis from the feet (or knees, or hips) over to the head (or neck, or shoulders); None where the layout names
    neither, or they were not seen together."""
    ends = _ends(body, layout)
    if ends is None:
        return None
    _, feet, head = ends
    up = (head - feet) / np.linalg.norm(head - feet, axis=1, keepdims=True)
    axes = np.abs(up).argmax(axis=1)
    signed = 2 * axes + (up[np.arange(len(up)), axes] < 0)
    counts = np.bincount(signed)
    axis, down = divmod(int(counts.argmax()), 2)
    cosine = float(up[:, axis].mean())
    return Direction(f"{'-' if down else ''}{'xyz'[axis]}", float(counts.max() / len(up)), -cosine if down else cosine)


def order_of(body: Body, layout: SkeletonLayout) -> float | None:
    """Whether head, trunk and legs follow each other as in a body: the correlation between how far up they are in a
    standing figure and, in the median over time, along the line from the feet to the head. None where too few joints
    are known, or no such line.

    Arms are left out, which may be anywhere; the line is the body's own, so that lying and hanging are no matter.

    Example:
        >>> from kinestream.skeleton.layout import load_layout
        >>> from kinestream.skeleton.pose import standing
        >>> layout = load_layout("body16")
        >>> round(order_of(standing(layout)[None], layout), 2)
        1.0
    """
    ends = _ends(body, layout)
    rows = [v for v, name in enumerate(layout.canonical) if name in STANDING and not _ARM & set(name.split("_"))]
    if ends is None or not rows:
        return None
    frames, feet, head = ends
    line = head - feet
    along = ((body[frames][:, rows] - feet[:, None]) * line[:, None]).sum(axis=2) / (line**2).sum(axis=1, keepdims=True)
    seen = ~np.isnan(along).all(axis=0)
    if seen.sum() < _LEAST_ORDERED:
        return None
    expected = np.array([STANDING[layout.canonical[v]][1] for v in rows])[seen]
    found = np.nanmedian(along[:, seen], axis=0)
    return float(np.corrcoef(found, expected)[0, 1]) if np.ptp(found) > 0 else 0.0


def facing_of(body: Body, layout: SkeletonLayout, swing: float | None = None) -> float | None:
    """Whether what points forwards in a body does so where its left and right say that forwards is: the feet, and the
    face before the ears; of layouts without these, the knees, if the bones hardly `swing`. From 1 to -1, which is a
    mirror image or exchanged names; None where too little of it is seen.

    Forwards is up x right, with up from the hips to the shoulders: no axis of the recording matters.
    """
    shoulders, hips = _pair(body, layout, "shoulder"), _pair(body, layout, "hip")
    if body.shape[2] != 3 or shoulders is None or hips is None:
        return None
    up = (shoulders[0] + shoulders[1] - hips[0] - hips[1]) / 2
    forwards = np.cross(up, shoulders[1] - shoulders[0] + hips[1] - hips[0])
    scale = np.linalg.norm(forwards, axis=1) * np.linalg.norm(up, axis=1)
    clear = scale > 0
    cues = [*_feet(body, layout), *_face(body, layout)]
    if not cues and swing is not None and swing <= _RIGID:
        cues = list(_knees(body, layout))
    votes = [_vote((cue * forwards).sum(axis=1)[clear] / scale[clear]) for cue in cues]
    known = [vote for vote in votes if vote is not None]
    weight = sum(weight for _, weight in known)
    return sum(score * weight for score, weight in known) / weight if known else None


def _vote(ahead: Float[np.ndarray, " s"]) -> tuple[float, float] | None:
    """From lengths ahead of the body, in trunk lengths: which way they point on the whole, from -1 to 1, and how much
    that says."""
    clear = ahead[np.abs(ahead) >= _CLEAR]  # NaN is not
    if len(clear) < _LEAST_SEEN:
        return None
    clear = np.clip(clear, -_ENOUGH, _ENOUGH)
    return float(clear.sum() / np.abs(clear).sum()), float(np.abs(clear).sum() / len(ahead))


def _feet(body: Body, layout: SkeletonLayout) -> Iterator[Points]:
    for side in ("left", "right"):
        toes = _first(body, layout, f"{side}_toes", f"{side}_foot")
        heel = _first(body, layout, f"{side}_heel", f"{side}_ankle")
        if toes is not None and heel is not None:
            yield toes - heel


def _face(body: Body, layout: SkeletonLayout) -> Iterator[Points]:
    nose, behind = _point(body, layout, "nose"), _first(body, layout, "left_ear right_ear", "head")
    if nose is not None and behind is not None:
        yield nose - behind


def _knees(body: Body, layout: SkeletonLayout) -> Iterator[Points]:
    for side in ("left", "right"):
        hip, knee, ankle = (_point(body, layout, f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        if hip is not None and knee is not None and ankle is not None:
            leg = ankle - hip
            share = ((knee - hip) * leg).sum(axis=1, keepdims=True) / np.maximum((leg**2).sum(axis=1), 1e-12)[:, None]
            yield knee - hip - share * leg


def _ends(body: Body, layout: SkeletonLayout) -> tuple[Bool[np.ndarray, " s"], np.ndarray, np.ndarray] | None:
    """The frames in which feet and head, or what is next to them, are seen, and these; None where there are none."""
    for low in _FEET:
        for high in _HEAD:
            feet, head = _point(body, layout, low), _point(body, layout, high)
            if feet is None or head is None:
                continue
            frames = np.linalg.norm(head - feet, axis=1) > 0
            if frames.any():
                return frames, feet[frames], head[frames]
    return None


def _pair(body: Body, layout: SkeletonLayout, name: str) -> tuple[Points, Points] | None:
    left, right = (_point(body, layout, f"{side}_{name}") for side in ("left", "right"))
    return None if left is None or right is None else (left, right)


def _first(body: Body, layout: SkeletonLayout, *choices: str) -> Points | None:
    return next((point for names in choices if (point := _point(body, layout, names)) is not None), None)


def _point(body: Body, layout: SkeletonLayout, names: str) -> Points | None:
    """The middle of the joints of these canonical names; None where the layout lacks one."""
    canonical, wanted = layout.canonical, names.split()
    if any(name not in canonical for name in wanted):
        return None
    return body[:, [canonical.index(name) for name in wanted]].mean(axis=1)
