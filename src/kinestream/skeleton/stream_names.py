"""What streams there are and how large each is: what recipes need to know of them, without torch."""

import typing
from typing import Literal

from kinestream.skeleton.layout import SkeletonLayout

StreamName = Literal[
    "joint",
    "motion",
    "bone",
    "bone-motion",
    "distance",
    "distance-motion",
    "lagged-distance",
    "displacement",
    "cylindrical-motion",
]

STREAM_NAMES: tuple[str, ...] = typing.get_args(StreamName)

PUBLISHED: tuple[StreamName, ...] = ("joint", "motion", "bone")
"""Those of the published self-supervised methods, whose weights there are."""

DISTANCE_LAG = 8
"""Frames between the two moments of `lagged-distance`."""
DISPLACEMENT_LAGS = (1, 2, 4, 8)
"""Frames over which `displacement` is taken."""

PAIRED = frozenset({"distance", "distance-motion", "lagged-distance"})
"""The streams of pairs of joints: an encoder that works on the graph of the joints cannot take them."""

SAME_FROM_ALL_SIDES = PAIRED | {"displacement", "cylindrical-motion"}
"""The streams that no turn about the vertical changes."""


def stream_shape(name: str, layout: SkeletonLayout) -> tuple[int, int]:
    """How many coordinates of how many joints, or pairs of them, a stream has.

    Example:
        >>> from kinestream.skeleton.layout import NTU25
        >>> stream_shape("joint", NTU25), stream_shape("distance", NTU25)
        ((3, 25), (1, 300))
    """
    joints = len(layout.joints)
    pairs = joints * (joints - 1) // 2
    others = {
        "distance": (1, pairs),
        "distance-motion": (1, pairs),
        "lagged-distance": (1, joints**2),
        "displacement": (2 * len(DISPLACEMENT_LAGS), joints),
    }
    return others.get(name, (3, joints))
