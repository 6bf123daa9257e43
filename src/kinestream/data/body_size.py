"""How large a body is, by the joints that nearly every sensor has: units and height then need not matter."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from kinestream.skeleton.joint_maps import joint_map
from kinestream.skeleton.layout import SkeletonLayout, load_layout

BODY = "body16"

LENGTHS: Mapping[tuple[str, str], float] = MappingProxyType(
    {("left_shoulder right_shoulder", "left_hip right_hip"): 0.5}
    | {
        (f"{side}_{start}", f"{side}_{end}"): length / 2
        for side in ("left", "right")
        for start, end, length in (
            ("shoulder", "elbow", 0.28),
            ("elbow", "wrist", 0.25),
            ("hip", "knee", 0.42),
            ("knee", "ankle", 0.40),
        )
    }
)
"""Between which joints (or their middles) a grown body is measured, and what it has there in metres; each arm and leg
counts half, so that the sum is that of the trunk, one arm and one leg."""


Measured = tuple[tuple[int, ...], tuple[int, ...], float, float]


@cache
def measured(layout: SkeletonLayout) -> tuple[Measured, ...]:
    """`LENGTHS` by joints of a layout: between which (the middles of) joints, the weight in a sum, and the length;
    those that it has.

    Raises ValueError where it has too little of a body.
    """
    body = load_layout(BODY)
    made = joint_map(layout, body, partly=True)
    places = {name: made.parts[v] for v, name in enumerate(body.joints) if name not in made.lacking}
    rows = []
    for (start, end), length in LENGTHS.items():
        if not all(name in places for name in (*start.split(), *end.split())):
            continue
        ends = [tuple(v for name in names.split() for v in places[name]) for names in (start, end)]
        weight = 0.5 if len(start.split()) == 1 else 1.0
        rows.append((ends[0], ends[1], weight, length))
    return tuple(rows)


def body_scale(body: Float[np.ndarray, "t v c"], layout: SkeletonLayout) -> float:
    """What a body's coordinates are multiplied by to make it as large as a grown one.

    The median over time of the length of trunk, arms and legs is compared with `LENGTHS`; bones that are hidden all the
    time (both ends in one place) do not count. 1 for a body without any. Raises ValueError for a layout without the
    joints.

    Example:
        >>> from kinestream.skeleton.pose import standing
        >>> layout = load_layout("ntu25")
        >>> child = 0.6 * np.tile(standing(layout), (10, 1, 1))
        >>> round(body_scale(child, layout) * 0.6, 2)
        0.99
    """
    rows = measured(layout)
    starts, ends = _middles(body, [row[0] for row in rows]), _middles(body, [row[1] for row in rows])
    wanted = found = 0.0
    for (_, _, weight, length), size in zip(rows, _medians(starts - ends), strict=True):
        if size > 0:
            wanted += length
            found += weight * size
    return wanted / found if found > 0 else 1.0


def _middles(body: Float[np.ndarray, "t v c"], places: Sequence[tuple[int, ...]]) -> Float[np.ndarray, "t n c"]:
    """Of the joints of each place."""
    made = body[:, [place[0] for place in places]]
    for number, place in enumerate(places):
        if len(place) > 1:
            made[:, number] = body[:, list(place)].mean(axis=1)
    return made


def _medians(bones: Float[np.ndarray, "t n c"]) -> list[float]:
    """Over time, of the length of each."""
    return [float(size) for size in np.median(np.linalg.norm(bones, axis=-1), axis=0)]
