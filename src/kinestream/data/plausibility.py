"""Does a recording look like a body? Numbers about one, and what is wrong with it in plain words.

Nothing here changes a recording. Shapes: t frame, m place in the frame, v joint, c coordinate; lengths in whatever
units the joints have, if not said otherwise. The thresholds leave room on both sides of what `benchmarks.plausibility`
finds: for real recordings, clean and noisy, and for made-up errors.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Int

from kinestream.data.anatomy import (
    Direction,
    bone_lengths,
    direction_of,
    facing_of,
    order_of,
    skeletal_height,
    swing_of,
    unevenness,
)
from kinestream.data.tracks import places
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.words import shown

HEIGHTS = (0.5, 2.5)
"""Metres, from ankles to head."""
MOST_SWING = 0.3
MOST_UNEVEN = 0.5
LEAST_ORDER = 0.7
MOST_MISFIT = 0.6
"""Of unevenness and disorder (1 - order) together."""
LEAST_FACING = -0.4
SURE = 0.8
"""Share of frames in which one axis points from feet to head, and the mean cosine to it, for an axis to be told."""
MOST_FRAMES = 400
"""Looked at, evenly over the time."""
_METRES: Mapping[str, float] = MappingProxyType({"m": 1.0, "cm": 0.01, "mm": 0.001})
_INCH = 0.0254


@dataclass(frozen=True, kw_only=True)
class Plausibility:
    """What is known of the body that a recording shows longest; None where it cannot be told."""

    frames: int
    """That were looked at."""
    height: float | None = None
    """From ankles to head along the bones, in the units of the joints."""
    units: str | None = None
    """Those of m, cm and mm in which that is the height of a person."""
    up: str | None = None
    """The axis from feet to head: x, y, z, or one of these with a minus."""
    up_share: float = 0.0
    """Share of the frames in which it is that axis, ..."""
    up_cosine: float = 0.0
    """... and how well it is, on average: 1 for a body that is always upright."""
    swing: float | None = None
    """By how much a bone changes its length over time, as a share of it."""
    unevenness: float | None = None
    """By how much bones on the left and on the right differ, as a share of them."""
    order: float | None = None
    """Whether head, trunk and legs follow each other as in a body, from -1 to 1."""
    facing: float | None = None
    """Which way feet, face or knees point, going by left and right: from 1, forwards, to -1, of a mirror image or a
    body whose sides are exchanged."""
    problems: tuple[str, ...] = ()

    @property
    def plausible(self) -> bool:
        return not self.problems


def examine(
    joints: Float[np.ndarray, "t m v c"],
    layout: SkeletonLayout,
    *,
    bodies: Int[np.ndarray, "t m"] | None = None,
    units: str | None = "m",
    up: str | None = "y",
    planar: bool = False,
) -> Plausibility:
    """Looks at the body that is seen longest.

    Args:
        joints: NaN where a joint was not seen; a body that is not there is all NaN or all zero.
        bodies: tracking numbers; each place is a person if None.
        units: of the joints, m, cm or mm: a height that is no person's in these is a problem. None where it is open; so
            for `up`.
        planar: two coordinates only, or a third of zero: the lengths of bones change with the view, and depth is not
            judged.

    Raises ValueError for other units.

    Example:
        >>> from kinestream.skeleton.layout import load_layout
        >>> from kinestream.skeleton.pose import standing
        >>> layout = load_layout("body16")
        >>> found = examine(1000 * standing(layout)[None, None].repeat(9, axis=0), layout)
        >>> round(found.height), found.units, found.up, found.problems
        (1645, 'mm', 'y', ('the body is 1,645 m high from ankles to head: are its units mm?',))
    """
    if units is not None and units not in _METRES:
        raise ValueError(f"units {shown(units)}: {', '.join(_METRES)} can be examined")
    body = _longest(joints, bodies)
    if not len(body):
        return Plausibility(frames=0, problems=("no body in any frame",))
    planar = planar or body.shape[2] == 2
    lengths = bone_lengths(body, layout)
    height, swing = skeletal_height(lengths, layout), swing_of(lengths)
    direction = direction_of(body, layout) or Direction("", 0.0, 0.0)
    found = Plausibility(
        frames=len(body),
        height=height,
        units=None if height is None else units_of(height),
        up=direction.axis if min(direction.share, direction.cosine) >= SURE else None,
        up_share=direction.share,
        up_cosine=direction.cosine,
        swing=None if planar else swing,
        unevenness=None if planar else unevenness(lengths, layout),
        order=order_of(body, layout),
        facing=None if planar else facing_of(body, layout, swing),
    )
    return replace(found, problems=tuple(_problems(found, layout, units, up)))


def units_of(height: float) -> str | None:
    """The units, m, cm or mm, in which a body of this height from ankles to head is a person of 0.5 to 2.5 m; None
    where it is one in none of them, or in inches, too.

    Example:
        >>> [units_of(height) for height in (1.6, 160.0, 1600.0, 16.0, 63.0)]
        ['m', 'cm', 'mm', None, None]
    """
    low, high = HEIGHTS
    if low <= height * _INCH <= high:
        return None
    return next((name for name, metres in _METRES.items() if low <= height * metres <= high), None)


def _longest(joints: Float[np.ndarray, "t m v c"], bodies: Int[np.ndarray, "t m"] | None) -> Float[np.ndarray, "s v c"]:
    there = np.nan_to_num(joints).any(axis=(2, 3))
    tracks = places(np.where(there, np.arange(1, joints.shape[1] + 1) if bodies is None else bodies, 0))
    if not tracks:
        return np.zeros((0, *joints.shape[2:]))
    body = max(tracks, key=lambda track: len(track.frames))
    some = np.unique(np.linspace(0, len(body.frames) - 1, MOST_FRAMES).astype(np.intp))
    return joints[body.frames[some], body.slots[some]].astype(np.float64)


def _problems(found: Plausibility, layout: SkeletonLayout, units: str | None, up: str | None) -> Iterator[str]:
    low, high = HEIGHTS
    if found.height is not None and units is not None and not low <= found.height * _METRES[units] <= high:
        hint = f"are its units {found.units}?" if found.units else f"a person's is {low} to {high} m"
        yield f"the body is {_number(found.height)} {units} high from ankles to head: {hint}"
    if found.up is not None and up is not None and found.up != up:
        yield (
            f"{found.up} points from feet to head in {found.up_share:.0%} of the frames, and {up} is said to be up: is "
            "it another axis, or does the body lie?"
        )
    if found.swing is not None and found.swing > MOST_SWING:
        yield (
            f"its bones change their lengths by {found.swing:.0%} either way (a body's by under {MOST_SWING:.0%}): is "
            f"the layout {layout.name}?"
        )
    disorder = 0.0 if found.order is None else 1 - found.order
    uneven = found.unevenness or 0.0
    if uneven > MOST_UNEVEN or disorder > 1 - LEAST_ORDER or uneven + disorder > MOST_MISFIT:
        told = [f"bones on the left and on the right differ by {uneven:.0%}"] if found.unevenness is not None else []
        if found.order is not None:
            told.append(f"joints from feet to head are in another order than a body's (correlation {found.order:.2f})")
        yield f"{' and '.join(told)}: is the layout {layout.name}?"
    if found.facing is not None and found.facing < LEAST_FACING:
        yield (
            f"feet, face or knees point backwards (score {found.facing:.2f}, a body's is 1): are left and right "
            "exchanged, or is an axis mirrored?"
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
