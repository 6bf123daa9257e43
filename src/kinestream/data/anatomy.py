"""Measures of one body over time: lengths of its bones, its height, which way is up and which way it faces.

Shapes: s frame, v joint, b bone, c coordinate. Joints that were not seen are NaN.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from kinestream.skeleton.layout import SkeletonLayout
from kinestream.skeleton.pose import STANDING, standing

Body = Float[np.ndarray, "s v c"]
Lengths = Float[np.ndarray, "s b"]

_HEAD = ("head_top", "head", "nose", "left_eye right_eye", "left_ear right_ear", "neck", "left_shoulder right_shoulder")
_FEET = ("left_ankle right_ankle", "left_foot right_foot", "left_knee right_knee", "left_hip right_hip", "pelvis")
_WHOLE = 0.8
"""Height over the longest way through the tree, which is that from a foot to a hand."""
_SHORT = 0.1
"""Metres: of bones that are shorter, sensors tell the length badly."""
_ODD = 2.0
"""A bone is odd when it is more than so many times longer or shorter, for its body, than in a standing figure."""
_LEAST_SEEN = 3
_CLEAR = 0.06
"""In trunk lengths: what is less far ahead or behind tells nothing."""
_ENOUGH = 0.4
"""What is further counts no more than this."""
_LIMB_JOINTS = ["hip", "knee", "ankle", "shoulder", "elbow", "wrist", "heel", "foot", "toes"]
_BENDS = {("hip", "knee", "ankle"): 1, ("shoulder", "elbow", "wrist"): -1}


class Direction(NamedTuple):
    """The axis from feet to head."""

    axis: str
    """x, y, z, or one of these with a minus."""
    share: float
    """Of the frames in which it is this one."""
    cosine: float
    """Between the axis and the line from feet to head, on average."""


def bone_lengths(body: Body, layout: SkeletonLayout) -> Lengths:
    """Of `layout.bones`; NaN where an end was not seen."""
    bones = np.array(layout.bones, dtype=np.intp).reshape(-1, 2)
    return np.linalg.norm(body[:, bones[:, 0]] - body[:, bones[:, 1]], axis=-1)


def typical_lengths(lengths: Lengths) -> Float[np.ndarray, " b"]:
    """Median of each bone over the frames in which it is seen; NaN for one that never is."""
    typical = np.full(lengths.shape[1], np.nan)
    seen = (~np.isnan(lengths)).any(axis=0)
    typical[seen] = np.nanmedian(lengths[:, seen], axis=0)
    return typical


def skeletal_height(lengths: Lengths, layout: SkeletonLayout) -> float | None:
    """Along the bones from ankles to head, where the layout has such joints, the mean of left and right; else 0.8 times
    the longest way through the tree. None where bones on that way were not seen, or have no length.

    Example:
        >>> from kinestream.skeleton.layout import load_layout
        >>> layout = load_layout("coco17")
        >>> round(skeletal_height(bone_lengths(standing(layout)[None], layout), layout), 2)
        1.66
    """
    return _height(typical_lengths(lengths), layout)


def _height(typical: Float[np.ndarray, " b"], layout: SkeletonLayout) -> float | None:
    named = [_way(layout, *ends) for ends in _ankles_to_head(layout)]
    ways = [float(typical[list(way)].sum()) for way in named]
    known = [way for way in ways if np.isfinite(way)]
    height = float(np.mean(known)) if known else None if named else _WHOLE * _longest_way(typical, layout)
    return height if height else None


def _ankles_to_head(layout: SkeletonLayout) -> list[tuple[int, int]]:
    names = {name: v for v, name in enumerate(layout.canonical)}
    head = next((names[name] for name in ("head", "head_top", "nose") if name in names), None)
    ankles = [names[name] for name in ("left_ankle", "right_ankle") if name in names]
    return [] if head is None else [(ankle, head) for ankle in ankles]


def _way(layout: SkeletonLayout, start: int, end: int) -> tuple[int, ...]:
    """The bones (rows of `layout.bones`) between two joints."""
    row = {child: number for number, (child, _) in enumerate(layout.bones)}
    up = [set(_bones_to_root(layout, joint)) for joint in (start, end)]
    return tuple(row[child] for child in sorted(up[0] ^ up[1]))


def _bones_to_root(layout: SkeletonLayout, joint: int) -> list[int]:
    found = []
    while layout.parents[joint] != joint:
        found.append(joint)
        joint = layout.parents[joint]
    return found


def _longest_way(typical: Float[np.ndarray, " b"], layout: SkeletonLayout) -> float:
    """Between any two joints; a bone that was never seen has no length."""
    length = {child: np.nan_to_num(typical[row]) for row, (child, _) in enumerate(layout.bones)}
    deepest = np.zeros(len(layout.joints))
    longest = 0.0
    for joint in sorted(length, key=lambda joint: -layout.depths[joint]):
        parent = layout.parents[joint]
        reach = deepest[joint] + length[joint]
        longest = max(longest, float(deepest[parent] + reach))
        deepest[parent] = max(deepest[parent], reach)
    return longest


def swing_of(lengths: Lengths) -> float | None:
    """(90th - 10th percentile) / median of each bone over time; the median over the bones. None with under 3 frames."""
    typical = typical_lengths(lengths)
    bones = (typical > 0) & ((~np.isnan(lengths)).sum(axis=0) >= _LEAST_SEEN)
    if not bones.any():
        return None
    low, high = np.nanpercentile(lengths[:, bones], (10, 90), axis=0)
    return float(np.median((high - low) / typical[bones]))


def unevenness(lengths: Lengths, layout: SkeletonLayout) -> float | None:
    """|left - right| / their mean for each pair of bones; the median over the pairs, or None where there are none."""
    typical = typical_lengths(lengths)
    row = {bone: number for number, bone in enumerate(layout.bones)}
    other = layout.mirrored
    lefts = [bone for bone, side in zip(layout.bones, layout.bone_sides, strict=True) if side == "left"]
    pairs = [(row[bone], row[mirror]) for bone in lefts if (mirror := (other[bone[0]], other[bone[1]])) in row]
    if not pairs:
        return None
    left, right = typical[np.array(pairs).T]
    mean = (left + right) / 2
    usable = mean > 0
    return float(np.median(np.abs(left - right)[usable] / mean[usable])) if usable.any() else None


def odd_bones(lengths: Lengths, layout: SkeletonLayout) -> float | None:
    """Share of the bones that are over twice as long, or under half as long, as a standing figure of the same
    proportions would have them. Only bones between joints whose place in a body is known count; None with under 4."""
    known, expected = _expected(layout)
    typical = typical_lengths(lengths)[list(known)]
    seen = typical > 0
    if seen.sum() < 4:
        return None
    ratio = np.log(typical[seen] / np.array(expected)[seen])
    return float((np.abs(ratio - np.median(ratio)) > np.log(_ODD)).mean())


def _expected(layout: SkeletonLayout) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Bones (rows of `layout.bones`) between joints that a standing figure has, and their lengths there in metres."""
    figure = standing(layout)
    found = [
        (row, float(np.linalg.norm(figure[child] - figure[parent])))
        for row, (child, parent) in enumerate(layout.bones)
        if layout.canonical[child] in STANDING and layout.canonical[parent] in STANDING
    ]
    long = [(row, length) for row, length in found if length >= _SHORT]
    return tuple(row for row, _ in long), tuple(length for _, length in long)


def up_of(body: Body, layout: SkeletonLayout) -> Direction | None:
    """The axis from the feet (or knees, or hips) over to the head (or neck, or shoulders); None where the layout names
    neither, or they were not seen together."""
    up = _line(body, layout)
    if up is None:
        return None
    axes = np.abs(up).argmax(axis=1)
    signed = 2 * axes + (up[np.arange(len(up)), axes] < 0)
    counts = np.bincount(signed, minlength=2 * body.shape[2])
    best = int(counts.argmax())
    axis, sign = best // 2, -1 if best % 2 else 1
    cosine = float((sign * up[:, axis]).mean())
    return Direction(("" if sign > 0 else "-") + "xyz"[axis], float(counts[best] / len(up)), cosine)


def _line(body: Body, layout: SkeletonLayout) -> Float[np.ndarray, "n c"] | None:
    """Unit vectors from feet to head of the frames in which both are seen."""
    for low in _FEET:
        for high in _HEAD:
            feet, head = _point(body, layout, low), _point(body, layout, high)
            if feet is None or head is None:
                continue
            line = head - feet
            length = np.linalg.norm(line, axis=1)
            seen = length > 0
            if seen.any():
                return line[seen] / length[seen, None]
    return None


def _point(body: Body, layout: SkeletonLayout, names: str) -> Float[np.ndarray, "s c"] | None:
    """The middle of the joints of these canonical names; None where the layout lacks one."""
    canonical = layout.canonical
    wanted = names.split()
    if any(name not in canonical for name in wanted):
        return None
    return body[:, [canonical.index(name) for name in wanted]].mean(axis=1)


def left_right(body: Body, layout: SkeletonLayout) -> float | None:
    """Whether what points forwards in a body does so where its left and right say that forwards is: feet and toes, the
    nose, knees (bent forwards) and elbows (bent backwards). From 1 to -1, which is a mirror image or exchanged names;
    None where too little of it is seen.

    Forwards is up x right, with up from the pelvis to the shoulders: no axis of the recording matters.
    """
    if body.shape[2] != 3:
        return None
    shoulders, hips = _sides(body, layout, "shoulder"), _sides(body, layout, "hip")
    if shoulders is None or hips is None:
        return None
    up = (shoulders[0] + shoulders[1] - hips[0] - hips[1]) / 2
    right = shoulders[1] - shoulders[0] + hips[1] - hips[0]
    forwards = np.cross(up, right)
    size = np.linalg.norm(up, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        forwards = forwards / np.linalg.norm(forwards, axis=1, keepdims=True) / size
    votes = [vote for cue in _cues(body, layout) if (vote := _vote((cue * forwards).sum(axis=1))) is not None]
    if not votes:
        return None
    scores, weights = np.array(votes).T
    return float((scores * weights).sum() / weights.sum())


def _vote(ahead: Float[np.ndarray, " s"]) -> tuple[float, float] | None:
    """From lengths ahead of the body, in its own trunk lengths: which way they point on the whole, from -1 to 1, and
    how much that says."""
    ahead = ahead[np.isfinite(ahead)]
    clear = ahead[np.abs(ahead) >= _CLEAR]
    if len(clear) < _LEAST_SEEN:
        return None
    clear = np.clip(clear, -_ENOUGH, _ENOUGH)
    return float(clear.sum() / np.abs(clear).sum()), float(np.abs(clear).sum() / len(ahead))


def _cues(body: Body, layout: SkeletonLayout) -> list[Float[np.ndarray, "s c"]]:
    """Vectors that point forwards in a body."""
    cues = []
    for side in ("left", "right"):
        point = {name: _point(body, layout, f"{side}_{name}") for name in _LIMB_JOINTS}
        ankle = point["ankle"]
        toes = point["toes"] if point["toes"] is not None else point["foot"]
        if toes is not None and ankle is not None:
            cues.append(toes - (ankle if point["heel"] is None else point["heel"]))
        for (start, middle, end), sign in _BENDS.items():
            first, bent, last = point[start], point[middle], point[end]
            if first is not None and bent is not None and last is not None:
                cues.append(sign * (bent - _nearest_on_line(bent, first, last)))
    nose = _point(body, layout, "nose")
    behind = next(
        (found for names in ("left_ear right_ear", "head") if (found := _point(body, layout, names)) is not None), None
    )
    if nose is not None and behind is not None:
        cues.append(nose - behind)
    return cues


def _nearest_on_line(
    point: Float[np.ndarray, "s c"], start: Float[np.ndarray, "s c"], end: Float[np.ndarray, "s c"]
) -> Float[np.ndarray, "s c"]:
    along = end - start
    squared = np.maximum((along**2).sum(axis=1, keepdims=True), 1e-12)
    return start + along * (((point - start) * along).sum(axis=1, keepdims=True) / squared)


def _sides(
    body: Body, layout: SkeletonLayout, name: str
) -> tuple[Float[np.ndarray, "s c"], Float[np.ndarray, "s c"]] | None:
    left, right = (_point(body, layout, f"{side}_{name}") for side in ("left", "right"))
    return None if left is None or right is None else (left, right)
