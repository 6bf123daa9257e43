"""Does a recording look like a body? Numbers about one, and what is wrong with it in plain words.

Nothing here changes a recording. Shapes: t frame, m place in the frame, v joint, c coordinate; lengths in whatever
units the joints have, if not said otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Int

from kinestream.data.anatomy import (
    Direction,
    bone_lengths,
    left_right,
    odd_bones,
    skeletal_height,
    swing_of,
    unevenness,
    up_of,
)
from kinestream.data.tracks import places
from kinestream.skeleton.layout import SkeletonLayout

HEIGHTS = (0.5, 2.5)
"""Metres, from ankles to head."""
MOST_SWING = 0.3
MOST_UNEVEN = 0.25
MOST_ODD = 0.35
SURE_UPRIGHT = 0.8
"""Share of frames in which one axis points from feet to head, and the mean cosine to it, for an axis to be told."""
SURE_MIRRORED = -0.5
MOST_FRAMES = 400
_METRES: Mapping[str, float] = MappingProxyType({"m": 1.0, "cm": 0.01, "mm": 0.001})
_INCH = 0.0254


@dataclass(frozen=True, kw_only=True)
class Plausibility:
    """What is known of the body that a recording shows longest; None where it cannot be told."""

    frames: int
    """That were looked at."""
    height: float | None
    """From ankles to head along the bones, in the units of the joints."""
    units: str | None
    """The only ones of m, cm and mm in which that is the height of a person."""
    up: str | None
    """The axis from feet to head: x, y, z, or one of these with a minus."""
    up_share: float
    """Share of the frames in which it is that axis, ..."""
    up_cosine: float
    """... and how well it is, on average: 1 for a body that is always upright."""
    swing: float | None
    """By how much the length of a bone changes, as a share of it: the median over the bones."""
    unevenness: float | None
    """By how much bones on the left and on the right differ, as a share of them: the median over the pairs."""
    odd: float | None
    """Share of the bones that are longer or shorter than a person of that height can have."""
    facing: float | None
    """Which way knees, elbows, feet and face point, against left and right: 1 forwards, -1 where the body is a mirror
    image or its sides are exchanged."""
    problems: tuple[str, ...] = field(default=())

    @property
    def plausible(self) -> bool:
        return not self.problems


def examine(
    joints: Float[np.ndarray, "t m v c"],
    layout: SkeletonLayout,
    *,
    bodies: Int[np.ndarray, "t m"] | None = None,
    units: str | None = None,
    up: str | None = None,
    planar: bool = False,
) -> Plausibility:
    """Looks at the body that is seen longest, in at most 400 frames over its time.

    Args:
        joints: NaN where a joint was not seen; a body that is not there is all NaN or all zero.
        bodies: tracking numbers; as given, each place is a person.
        units: those of the joints, as one of m, cm and mm, where they are said: a height that does not go with them is
            a problem then. So for `up`.
        planar: two coordinates only, or a third of zero: bones change with the view, and depth is not judged.

    Example:
        >>> from kinestream.skeleton.layout import load_layout
        >>> from kinestream.skeleton.pose import standing
        >>> layout = load_layout("body16")
        >>> found = examine(1000 * standing(layout)[None, None].repeat(9, axis=0), layout, units="m")
        >>> round(found.height), found.units, found.up, found.problems
        (1645, 'mm', 'y', ('the body is 1,645 m high from ankles to head: are its units mm?',))
    """
    body = _longest(joints, bodies)
    planar = planar or joints.shape[3] == 2 or not np.nan_to_num(joints[..., 2]).any()
    if not len(body):
        return Plausibility(
            frames=0, height=None, units=None, up=None, up_share=0.0, up_cosine=0.0, swing=None, unevenness=None,
            odd=None, facing=None, problems=("no body in any frame",),
        )  # fmt: skip
    lengths = bone_lengths(body, layout)
    height = skeletal_height(lengths, layout)
    direction = up_of(body, layout)
    sure = direction is not None and min(direction.share, direction.cosine) >= SURE_UPRIGHT
    found = Plausibility(
        frames=len(body),
        height=height,
        units=None if height is None else units_of(height),
        up=direction.axis if sure and direction else None,
        up_share=direction.share if direction else 0.0,
        up_cosine=direction.cosine if direction else 0.0,
        swing=None if planar else swing_of(lengths),
        unevenness=None if planar else unevenness(lengths, layout),
        odd=None if planar else odd_bones(lengths, layout),
        facing=None if planar else left_right(body, layout),
    )
    object.__setattr__(found, "problems", tuple(_problems(found, direction, units, up, layout)))
    return found


def units_of(height: float) -> str | None:
    """The units, m, cm or mm, in which a body of this height from ankles to head is a person of 0.5 to 2.5 m; None
    where it is one in none of them, or in inches, too.

    Example:
        >>> [units_of(height) for height in (1.6, 160.0, 1600.0, 16.0, 63.0)]
        ['m', 'cm', 'mm', None, None]
    """
    low, high = HEIGHTS
    fitting = [name for name, metres in _METRES.items() if low <= height * metres <= high]
    fitting += ["in"] if low <= height * _INCH <= high else []
    return fitting[0] if len(fitting) == 1 and fitting[0] != "in" else None


def content_key(joints: Float[np.ndarray, "t m v c"]) -> str:
    """The same for recordings of the same positions: in single precision, NaN and absent bodies as zero, without the
    empty places of further bodies.

    Example:
        >>> one = np.ones((5, 1, 4, 3))
        >>> content_key(one) == content_key(np.concatenate((one, 0 * one), axis=1).astype(np.float32))
        True
    """
    plain = np.nan_to_num(joints).astype(np.float32)
    plain = np.ascontiguousarray(plain[:, plain.any(axis=(0, 2, 3))]) + 0.0  # no negative zero
    return blake2b(repr(plain.shape).encode() + plain.tobytes(), digest_size=16).hexdigest()


def duplicates(keys: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Names of recordings that are the same, given the `content_key` of each.

    Example:
        >>> duplicates({"a": "1", "b": "2", "c": "1"})
        (('a', 'c'),)
    """
    groups: dict[str, list[str]] = {}
    for name, key in keys.items():
        groups.setdefault(key, []).append(name)
    return tuple(tuple(names) for names in groups.values() if len(names) > 1)


def _longest(joints: Float[np.ndarray, "t m v c"], bodies: Int[np.ndarray, "t m"] | None) -> Float[np.ndarray, "s v c"]:
    """Frames of the body that is seen longest, joints that were not seen NaN."""
    there = np.nan_to_num(joints).any(axis=(2, 3))
    numbers = np.arange(1, joints.shape[1] + 1) if bodies is None else bodies
    tracks = places(np.where(there, numbers, 0))
    if not tracks:
        return np.zeros((0, *joints.shape[2:]))
    body = max(tracks, key=lambda track: len(track.frames))
    some = np.unique(np.linspace(0, len(body.frames) - 1, MOST_FRAMES).astype(np.intp))
    return joints[body.frames[some], body.slots[some]].astype(np.float64)


def _problems(
    found: Plausibility, direction: Direction | None, units: str | None, up: str | None, layout: SkeletonLayout
) -> list[str]:
    problems = []
    low, high = HEIGHTS
    if found.height is not None and units in _METRES and not low <= found.height * _METRES[units] <= high:
        hint = f": are its units {found.units}?" if found.units else f", and a person has {low} to {high} m"
        problems.append(f"the body is {_number(found.height)} {units} high from ankles to head{hint}")
    if direction is not None and up is not None and found.up is not None and found.up != up:
        problems.append(
            f"the head is along {found.up} from the feet in {found.up_share:.0%} of the frames, where {up} is said to "
            "be up: is another axis up, or does the body lie?"
        )
    if found.swing is not None and found.swing > MOST_SWING:
        problems.append(
            f"the lengths of its bones swing by {found.swing:.0%} (a body's by under {MOST_SWING:.0%}): is the layout "
            f"{layout.name}?"
        )
    if found.unevenness is not None and found.unevenness > MOST_UNEVEN:
        problems.append(
            f"bones on the left and on the right differ by {found.unevenness:.0%} in length (a body's by under "
            f"{MOST_UNEVEN:.0%}): is the layout {layout.name}?"
        )
    if found.odd is not None and found.odd > MOST_ODD:
        problems.append(
            f"{found.odd:.0%} of its bones are too long or too short (of a body's under {MOST_ODD:.0%}): is the layout "
            f"{layout.name}?"
        )
    if found.facing is not None and found.facing < SURE_MIRRORED:
        problems.append(
            f"knees, elbows, feet and face point backwards (score {found.facing:.2f}, of a body 1): are left and right "
            "exchanged, or is an axis mirrored?"
        )
    return problems


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
