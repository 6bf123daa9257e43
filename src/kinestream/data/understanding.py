"""From what files say to recordings in metres with y up: what they leave open is said by the user, or inferred from the
bodies of a sample and then the same for all; every such fact is told."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, cast

import numpy as np
from jaxtyping import Float, Int

from kinestream.data.plausibility import Plausibility, examine, units_of
from kinestream.data.recording import MOST_RATE, Found, Recording, RecordingError, Units, Up, check_coordinates
from kinestream.data.tracks import track_by_place
from kinestream.data.unseen import unseen
from kinestream.skeleton.joint_maps import joint_map
from kinestream.skeleton.layout import SkeletonLayout, layout_names, load_layout
from kinestream.skeleton.points import PointMap, layout_for, point_map

ToldUnits = Literal["m", "cm", "mm", "in", "px", "body"]
"""What a user may say: `px` and `body` both mean that metres are not known, and that bodies are scaled."""
STANDARD_HEIGHT = 1.7
"""Metres that bodies are scaled to where their size is not known: of the skeleton, from ankles to head."""
LEAST_CONFIDENCE = 0.1
"""A joint that a pose estimator is less sure of was not seen."""
_SCALED = ("px", "body")
_INFERRED = "inferred from"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the user says of files, where they do not say it themselves."""

    layout: SkeletonLayout | None = None
    fps: float | int | None = None
    units: ToldUnits | None = None
    up: Up | None = None
    columns: str = ""
    """How the columns of tables are called, as in `{joint}.{axis}`."""
    variable: str = ""
    """Which array of a file, and the order of its axes."""
    trust: bool = False
    """Accept what does not look like a body."""
    inferred_units: ToldUnits | None = None
    """What the bodies of all files together told before, taken where nothing else says it; so is `inferred_up`."""
    inferred_up: Up | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps < MOST_RATE:
            raise ValueError(f"{self.fps:g} frames a second: a number above 0 and below {MOST_RATE:,} is needed")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What holds for all recordings that go together."""

    layout: SkeletonLayout
    planar: bool
    units: ToldUnits
    up: Up
    how: tuple[str, ...]
    """A sentence on each, and how it is known."""
    inferred: tuple[ToldUnits | None, Up | None] = (None, None)
    """Units and axis where nobody said them."""


def survey(read: Sequence[Found | Recording], told: Told, where: str) -> Facts:
    """The facts, from a sample of what files hold.

    Raises ValueError, naming `where`, for what neither the files nor the user say and the bodies do not tell.
    """
    found = [as_found(one, told) for one in read]
    first = found[0]
    mapped, layout_how = _layout(first, told, where)
    alike = [one for one in found if _kind(one) == _kind(first)]
    planar = first.joints.shape[3] == 2

    @cache  # looking at bodies takes time, and is often not needed
    def bodies() -> list[Plausibility]:
        some = [_mapped(one, mapped.layout) for one in alike]
        return [examine(seen_joints(one), mapped.layout, bodies=one.bodies, planar=planar) for one in some]

    try:
        units, units_how = _units(alike, bodies, mapped.layout, told, planar=planar)
        up, up_how = _up(alike, bodies, mapped.layout, told, planar=planar)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    rates: set[float | int | None] = {one.fps for one in found}
    return Facts(
        layout=mapped.layout,
        planar=planar,
        units=units,
        up=up,
        how=(layout_how, units_how, up_how, _rate(rates, told)),
        inferred=(units if _INFERRED in units_how else None, up if _INFERRED in up_how else None),
    )


def _bodies(found: Found, joints: Float[np.ndarray, "t m v c"], told: Told) -> Int[np.ndarray, "t m"] | None:
    if found.bodies is None and found.in_any_order and joints.shape[1] > 1:
        return track_by_place(joints, told.fps or found.fps)
    return found.bodies


def of_dataset(read: Found | Recording, layout: SkeletonLayout) -> Facts:
    """Those of a file of a data set, whose description says what the file does not: metres and y up, if nothing."""
    planar = read.planar if isinstance(read, Recording) else read.joints.shape[3] == 2
    return Facts(layout=layout, planar=planar, units="m", up="y", how=())


def as_found(read: Found | Recording, told: Told) -> Found:
    """A recording of a format that leaves nothing open, as what files say; in other units or axes if the user says."""
    if isinstance(read, Found):
        return read
    return Found(
        joints=read.joints[..., :2] if read.planar else read.joints,
        layout=read.layout,
        confidence=read.confidence,
        bodies=read.bodies,
        fps=read.fps,
        units="m" if told.units is None else None,
        up="y" if told.up is None else None,
        name=read.name,
        label=read.label,
        subject=read.subject,
        camera=read.camera,
        session=read.session,
    )


def interpret(read: Found | Recording, facts: Facts, told: Told) -> Recording:
    """A recording in metres, y up, with the joints of the facts' layout. Raises RecordingError where it is of another
    kind than the facts, or does not look like a body and the user does not say that it is one."""
    if (
        isinstance(read, Recording)
        and told
        == Told(
            layout=told.layout,
            trust=told.trust,
            inferred_units=told.inferred_units,
            inferred_up=told.inferred_up,
        )
        and read.layout == facts.layout
    ):
        return read  # its format vouches for it
    found = as_found(read, told)
    if (found.joints.shape[3] == 2) != facts.planar:
        dims = (3, 2) if facts.planar else (2, 3)
        raise RecordingError(f"{dims[0]} coordinates, where the first recordings have {dims[1]}")
    try:
        found = _mapped(found, facts.layout)
    except ValueError as error:
        raise RecordingError(str(error)) from None
    joints = seen_joints(found)
    if np.isnan(joints).any(axis=3).all():
        raise RecordingError(f"no body in any of its {len(joints)} frames")
    units = told.units or cast("ToldUnits | None", found.units) or facts.units
    up = told.up or cast("Up | None", found.up) or facts.up
    bodies = _bodies(found, joints, told)
    looks = None
    if units in _SCALED:
        looks = examine(joints, facts.layout, bodies=bodies, units=None, up=up, planar=facts.planar)
        if not looks.height:
            raise RecordingError("how large its body is cannot be told: too few joints are seen together")
        joints, units = joints * (STANDARD_HEIGHT / looks.height), "m"
    try:
        recording = Recording(
            joints,
            facts.layout,
            fps=told.fps or found.fps,
            units=cast(Units, units),
            up=up,
            name=found.name,
            label=found.label,
            subject=found.subject,
            camera=found.camera,
            session=found.session,
            confidence=found.confidence,
            bodies=bodies,
        )
    except ValueError as error:
        raise RecordingError(str(error)) from None
    if (check_coordinates(recording.joints) & ~np.isnan(recording.joints).any(axis=-1)).any():
        raise RecordingError("a joint beyond 100 m: give positions in metres, or say --units cm or mm")
    if not told.trust:
        if looks is None:
            looks = examine(recording.joints, facts.layout, bodies=recording.bodies, planar=facts.planar)
        if looks.problems:
            raise RecordingError(f"{'; '.join(looks.problems)} If it is right all the same, say --trust")
    return recording


def _kind(found: Found) -> tuple[object, ...]:
    return found.layout and found.layout.joints, found.points, found.joints.shape[2:]


def _rate(rates: set[float | int | None], told: Told) -> str:
    if told.fps is not None:
        return f"rate: {told.fps:g} fps, as given"
    known = sorted(rate for rate in rates if rate is not None)
    if not known:
        return "rate: not known; give it with --fps"
    return f"rate: {', '.join(f'{rate:g}' for rate in known[:5])} fps, as the files say"


# --- layout ---------------------------------------------------------------------------------------------------------


def _layout(found: Found, told: Told, where: str) -> tuple[PointMap, str]:
    try:
        if told.layout is not None:
            made = _map(found, told.layout)
            return made, f"layout: {told.layout.name}, as given{_made(made)}"
        if found.layout is not None:
            return _map(found, found.layout), f"layout: {found.layout.name}, as the files say"
        if found.points:
            made = layout_for(found.points)
            return made, f"layout: {made.layout.name}, by the names of {len(found.points)} points{_made(made)}"
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    count = found.joints.shape[2]
    near = [name for name in layout_names() if len(load_layout(name).joints) == count]
    few = f", {' or '.join(near)} has as many" if near else ""
    raise ValueError(
        f"{where}: the files do not say which joints their {count} are{few}: give --layout, a name ('kinestream "
        "layouts' lists them) or a .yaml file"
    )


def _made(made: PointMap) -> str:
    parts = []
    if made.derived:
        some = [f"{joint} from {' and '.join(points[:4])}" for joint, points in list(made.derived.items())[:3]]
        parts.append(f"derived: {', '.join(some)}{' ...' if len(made.derived) > 3 else ''}")
    if made.unused:
        parts.append(f"not used: {', '.join(made.unused[:6])}{' ...' if len(made.unused) > 6 else ''}")
    return f" ({'; '.join(parts)})" if parts else ""


def _map(found: Found, layout: SkeletonLayout) -> PointMap:
    """Raises ValueError where joints of the layout cannot be made."""
    if found.layout is not None:
        return _from_layout(found.layout.to_json(), layout.to_json())
    if found.points:
        return _from_points(found.points, layout.to_json())
    count = len(layout.joints)
    if found.joints.shape[2] != count:
        raise ValueError(f"{found.joints.shape[2]} joints, where layout {layout.name} has {count}")
    return PointMap(layout=layout, points=layout.joints, parts=tuple((v,) for v in range(count)))


@cache
def _from_layout(source: str, target: str) -> PointMap:
    own, wanted = SkeletonLayout.from_json(source), SkeletonLayout.from_json(target)
    parts = joint_map(own, wanted).parts if own != wanted else tuple((v,) for v in range(len(own.joints)))
    return PointMap(layout=wanted, points=own.joints, parts=parts)


@cache
def _from_points(points: tuple[str, ...], layout: str) -> PointMap:
    return point_map(points, SkeletonLayout.from_json(layout))


def _mapped(found: Found, layout: SkeletonLayout) -> Found:
    made = _map(found, layout)
    if made.is_same:
        return found
    confidence = found.confidence
    if confidence is not None:
        confidence = np.stack([confidence[:, :, list(part)].min(axis=2) for part in made.parts], axis=2)
    return replace(found, joints=made(found.joints), layout=layout, points=(), confidence=confidence)


def seen_joints(found: Found) -> Float[np.ndarray, "t m v c"]:
    """The joints, NaN where they were not seen."""
    marked = unseen(found.joints, found.confidence, LEAST_CONFIDENCE)
    return np.where(marked[..., None], np.nan, found.joints) if marked.any() else found.joints


# --- units and axes -------------------------------------------------------------------------------------------------


def _units(
    found: Sequence[Found],
    bodies: Callable[[], Sequence[Plausibility]],
    layout: SkeletonLayout,
    told: Told,
    *,
    planar: bool,
) -> tuple[ToldUnits, str]:
    if told.units is not None:
        how = f"scaled to {STANDARD_HEIGHT} m from ankles to head" if told.units in _SCALED else "as given"
        return told.units, f"units: {told.units}, {how}"
    named = Counter(one.units for one in found if one.units)
    if named:
        units = cast(ToldUnits, named.most_common(1)[0][0])
        scaled = f"; bodies are scaled to {STANDARD_HEIGHT} m from ankles to head" if units in _SCALED else ""
        return units, f"units: {units}, as the files say{scaled}"
    if layout.units:
        return cast(ToldUnits, layout.units), f"units: {layout.units}, as layout {layout.name} says"
    if planar:
        return "body", f"units: not known in 2D; bodies are scaled to {STANDARD_HEIGHT} m from ankles to head"
    if told.inferred_units is not None:
        return told.inferred_units, f"units: {told.inferred_units}, {_INFERRED} all files before"
    heights = [one.height for one in bodies() if one.height]
    if not heights:
        raise ValueError("the units cannot be told, too few joints are seen together: say --units m, cm or mm, or body")
    middle = float(np.median(heights))
    guess = units_of(middle)
    if guess is None:
        raise ValueError(
            f"bodies are {middle:.4g} high in the files, which is no person in m, cm or mm (0.5 to 2.5 m): say "
            f"--units, or --units body to scale them to {STANDARD_HEIGHT} m"
        )
    return cast(ToldUnits, guess), f"units: {guess}, inferred from bodies {min(heights):.4g} to {max(heights):.4g} high"


def _up(
    found: Sequence[Found],
    bodies: Callable[[], Sequence[Plausibility]],
    layout: SkeletonLayout,
    told: Told,
    *,
    planar: bool,
) -> tuple[Up, str]:
    named = Counter(one.up for one in found if one.up)
    said = told.up or (named.most_common(1)[0][0] if named else layout.up or None)
    whose = "you say" if told.up else "the files say" if named else f"layout {layout.name} says"
    if said is not None and told.trust:
        return cast(Up, said), f"up: {said}, as {whose}"
    if said is None and told.inferred_up is not None:
        return told.inferred_up, f"up: {told.inferred_up}, {_INFERRED} all files before"
    votes: Counter[str] = Counter()
    for one in bodies():
        if one.up is not None:
            votes[one.up] += one.frames
    seen, weight = votes.most_common(1)[0] if votes else (None, 0)
    clear = seen is not None and weight >= 0.8 * sum(votes.values())
    if said is not None:
        if clear and seen != said:
            raise ValueError(
                f"{whose} that {said} points up, but heads are above feet along {seen}: say --up {seen}, or --trust"
            )
        return cast(Up, said), f"up: {said}, as {whose}"
    if clear:
        return cast(Up, seen), f"up: {seen}, inferred from heads above feet"
    if planar:
        return "-y", "up: -y, as in pictures"
    raise ValueError("which axis points up cannot be told from the bodies: say --up y or z (-y, -z, x, -x)")
