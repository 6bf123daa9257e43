"""A body of any layout standing, arms a little out: what drawings of layouts show.

In metres, as prepared recordings are: the ground at y = 0, the body's right at positive x, so that one looks at its
back.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from kinestream.skeleton.layout import SkeletonLayout

Point = tuple[float, float, float]

_MIDDLE: Mapping[str, Point] = {
    "pelvis": (0, 0.95, 0),
    "lower_spine": (0, 1.06, 0),
    "spine": (0, 1.19, 0),
    "chest": (0, 1.32, 0),
    "neck": (0, 1.46, 0),
    "upper_neck": (0, 1.54, 0),
    "head": (0, 1.66, 0),
    "head_top": (0, 1.8, 0),
    "nose": (0, 1.64, -0.1),
}
_RIGHT: Mapping[str, Point] = {
    "eye_inner": (0.03, 1.7, -0.08),
    "eye": (0.06, 1.7, -0.08),
    "eye_outer": (0.09, 1.7, -0.07),
    "ear": (0.12, 1.65, 0),
    "mouth": (0.04, 1.57, -0.09),
    "collar": (0.09, 1.42, 0),
    "shoulder": (0.2, 1.43, 0),
    "elbow": (0.36, 1.2, 0),
    "wrist": (0.5, 0.99, 0),
    "hand": (0.54, 0.92, -0.02),
    "hand_tip": (0.6, 0.82, -0.03),
    "thumb": (0.48, 0.87, -0.06),
    "index": (0.55, 0.86, -0.03),
    "pinky": (0.61, 0.89, 0.03),
    "hip": (0.1, 0.92, 0),
    "knee": (0.12, 0.5, 0),
    "ankle": (0.13, 0.09, 0),
    "heel": (0.09, 0.02, 0.06),
    "foot": (0.18, 0.03, -0.13),
    "toes": (0.23, 0.02, -0.2),
    "small_toe": (0.24, 0.04, -0.11),
}
STANDING: Mapping[str, Point] = MappingProxyType(
    {name: (float(x), float(y), float(z)) for name, (x, y, z) in _MIDDLE.items()}
    | {f"left_{name}": (-float(x), float(y), float(z)) for name, (x, y, z) in _RIGHT.items()}
    | {f"right_{name}": (float(x), float(y), float(z)) for name, (x, y, z) in _RIGHT.items()}
)
"""Where canonical joints are."""

_BONE = 0.12
_FAN = 0.6


def standing(layout: SkeletonLayout) -> Float[np.ndarray, "v 3"]:
    """Where the joints of a layout are. Joints without a canonical name stand by the derived joint that they are part
    of, else on the line between joints of the tree that have one, else beyond the last."""
    fixed = {v: STANDING[name] for v, name in enumerate(layout.canonical) if name in STANDING}
    sides = {v: side for pair in layout.pairs for v, side in zip(pair, (-1, 1), strict=True)}
    for name, parts in layout.derive.items():
        for row, v in enumerate(map(layout.joints.index, parts)):
            if name in STANDING and v not in fixed:
                x, y, z = STANDING[name]
                fixed[v] = (x + 0.04 * sides.get(v, 0), y - 0.03 * (row - (len(parts) - 1) / 2), z)
    if not fixed:
        fixed[layout.root] = STANDING["pelvis"]
    points = _between(fixed, layout)
    for v in sorted(set(range(len(layout.joints))) - set(points), key=layout.depths.__getitem__):
        points[v] = _beyond(v, points, sides, layout)
    return np.array([points[v] for v in range(len(layout.joints))], dtype=np.float64)


def _between(fixed: Mapping[int, Point], layout: SkeletonLayout) -> dict[int, Sequence[float]]:
    """The fixed joints and those on a way between some of them: each of these is the mean of its neighbours."""
    neighbours: dict[int, set[int]] = {v: set() for v in range(len(layout.joints))}
    for child, parent in layout.bones:
        neighbours[child].add(parent)
        neighbours[parent].add(child)
    while ends := [v for v, others in neighbours.items() if len(others) < 2 and v not in fixed]:
        for v in ends:
            for other in neighbours.pop(v):
                neighbours[other].discard(v)
    order = {v: row for row, v in enumerate(neighbours)}
    system, known = np.eye(len(order)), np.zeros((len(order), 3))
    for v, row in order.items():
        if v in fixed:
            known[row] = fixed[v]
        else:
            system[row, [order[other] for other in neighbours[v]]] = -1 / len(neighbours[v])
    solved = np.linalg.solve(system, known)
    return {v: solved[row].tolist() for v, row in order.items()}


def _beyond(
    v: int, points: Mapping[int, Sequence[float]], sides: Mapping[int, int], layout: SkeletonLayout
) -> Sequence[float]:
    """A bone further than the joint that it hangs on, away from that one's own parent; several fan out."""
    parent = layout.parents[v]
    if parent not in points or parent == v:  # above all that is known
        below = [points[child] for child, other in layout.bones if other == v and child in points]
        return np.mean(below, axis=0).tolist() if below else STANDING["pelvis"]
    before = layout.parents[parent]
    along = np.subtract(points[parent], points[before])[:2] if before in points else np.zeros(2)
    angle = math.atan2(along[1], along[0]) if np.hypot(*along) > 1e-6 else -math.pi / 2
    children = [child for child, other in layout.bones if other == parent]
    if v not in sides:
        angle += _FAN * (children.index(v) - (len(children) - 1) / 2)
    else:
        angle = math.atan2(math.sin(angle) - _FAN, math.cos(angle) + sides[v] * _FAN * (1 + children.index(v) // 2))
    x, y, z = points[parent]
    return (x + _BONE * math.cos(angle), y + _BONE * math.sin(angle), z)
