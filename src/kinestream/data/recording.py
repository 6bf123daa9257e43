"""One recording, as a file has it or as it is held in memory."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.words import plain_name, plain_text, shown

LARGEST_COORDINATE = 100.0
"""Metres. No sensor sees a body further away: a larger number in a file is damage, not data."""
Units = Literal["m", "cm", "mm", "in"]
Up = Literal["y", "-y", "z", "-z", "x", "-x"]
MOST_RATE = 100_000
"""Frames a second that no recording has."""
_METRES: Mapping[str, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254}
_TO_Y_UP: Mapping[str, tuple[tuple[int, int], ...]] = {
    # For x', y', z' the old axis and its sign: a turn each, no mirror image.
    "y": ((0, 1), (1, 1), (2, 1)),
    "-y": ((0, 1), (1, -1), (2, -1)),
    "z": ((0, 1), (2, 1), (1, -1)),
    "-z": ((0, 1), (2, -1), (1, 1)),
    "x": ((1, -1), (0, 1), (2, 1)),
    "-x": ((1, 1), (0, -1), (2, 1)),
}


class RecordingError(ValueError):
    """A raw file that cannot be used: why, and in which line (counted from 1; None when it is not about a line)."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason = reason
        self.line = line


@dataclass(frozen=True, kw_only=True)
class Source:
    """A raw file and what its name tells."""

    path: Path
    name: str
    action: int = 0
    """As the data set counts it, from 1; 0 where it is not known, and so are the numbers below."""
    subject: int = 0
    camera: int = 0
    setup: int = 0
    repetition: int = 0
    labels: Path | None = None
    """File with the labels of its parts, where the name tells no action (`action` is 0 then)."""
    parts: tuple[Path, ...] = ()
    """All files of a recording that has one for each frame, in their order; `path` is the first of them then."""
    layout: SkeletonLayout | None = None
    """Which joints the user says it has: to tell joints from coordinates where a file has only numbers."""
    columns: str = ""
    """How the user says that the columns of a table are called, as in `{joint}.{axis}`."""
    variable: str = ""
    """Which of several arrays in a file the user means."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a recording in which one thing is done: frames `start` to `end`, counted from 0, `end` not included."""

    label: int
    """Counted from 0."""
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class LabelTrack:
    """What a label file says of its recording."""

    segments: Mapping[int, Segment]
    """By the line of the file, counted from 1, in the order of the lines."""
    refused: tuple[RecordingError, ...]
    """The lines that cannot be used, and why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """One recording as a file has it: the numbers as they stand there, and what the file itself says of them.

    What it does not say (None or empty) is said by the user or inferred from the bodies, elsewhere and for all
    recordings of a folder alike: a reader never guesses.
    """

    joints: Float[np.ndarray, "t m v c"]
    """In the units and axes of the file; c is 2 or 3; NaN where a point was not seen."""
    layout: SkeletonLayout | None = None
    """Where the format or the file says how the points hang together."""
    points: tuple[str, ...] = ()
    """Names of the points (v), where the file has names but does not say how they hang together: markers, columns."""
    confidence: Float[np.ndarray, "t m v"] | None = None
    """From 0 to 1."""
    bodies: Int[np.ndarray, "t m"] | None = None
    """Tracking numbers from 1, 0 where there is no body; None where a place in the file is a person."""
    in_any_order: bool = False
    """People without tracking numbers stand in each frame in any order: they are followed by where they are."""
    fps: float | None = None
    units: str | None = None
    """As one of `kinestream.skeleton.layout.UNITS`: m, cm, mm, in or px."""
    up: str | None = None
    """As one of `kinestream.skeleton.layout.UP`: x, y, z, -x, -y or -z."""
    picture: tuple[float, float] | None = None
    """Width and height of the picture that the points were seen in, in pixels."""
    name: str = ""
    """What it is called, where a file has several recordings."""
    label: str | int | None = None
    subject: str | int | None = None
    camera: str | int | None = None
    session: str | int | None = None
    notes: tuple[str, ...] = ()
    """What the user should know: parts of the file that were not read, rows that were left out, in plain words."""

    def __post_init__(self) -> None:
        named = self.points or (self.layout.joints if self.layout else ())
        if self.joints.ndim != 4 or self.joints.shape[3] not in (2, 3):
            raise RecordingError(f"an array {self.joints.shape}: frames, bodies, joints and 2 or 3 coordinates belong")
        if named and len(named) != self.joints.shape[2]:
            raise RecordingError(f"{self.joints.shape[2]} points where {len(named)} are named")


@dataclass(frozen=True, eq=False)
class Recording:
    """The joints of one or more bodies over time, before any cleaning.

    An array `(t, v, c)` of one body becomes `(t, 1, v, c)`; two coordinates get a third of zero. What is given in other
    units, or with another axis up, is held in metres with y up. NaN marks joints that were not seen; a body that is not
    there is all NaN or all zero in a frame.

    Args:
        joints: positions, `(t, v, c)` or `(t, m, v, c)`, c 3 or 2.
        layout: which joints they are: a name (`kinestream layouts` lists them), the path of a YAML file, or a layout.
        fps: frames a second, where known.
        units: of the positions as given.
        up: the axis that points up as given.
        name: what it is called, unique within a store.
        label: its class; `subject`, `camera` and `session` say who did it, where it was recorded from, and when.
        confidence: of each position, `(t, v)` or `(t, m, v)`, where a pose estimator tells it.
        segments: its labelled parts, where it is a whole video.
        bodies: tracking number `(t, m)` of each body, 0 where there is none. As given, body m is number m + 1.

    Raises:
        ValueError: an array of another shape, infinite positions, or what is not allowed above.

    Example:
        >>> walk = Recording(np.zeros((30, 25, 3)) + 0.5, "ntu25", fps=30)
        >>> walk.joints.shape, walk.seconds
        ((30, 1, 25, 3), 1.0)
    """

    joints: Float[np.ndarray, "t m v c"]
    layout: SkeletonLayout | None = None
    _: dataclasses.KW_ONLY
    fps: float | int | None = None
    units: Units = "m"
    up: Up = "y"
    name: str = ""
    label: str | int | None = None
    subject: str | int | None = None
    camera: str | int | None = None
    session: str | int | None = None
    confidence: Float[np.ndarray, "t m v"] | None = None
    segments: tuple[Segment, ...] = ()
    bodies: Int[np.ndarray, "t m"] = None  # type: ignore[assignment]
    planar: bool = False
    """Whether there are two coordinates only."""

    def __init__(
        self,
        joints: Any,
        layout: str | Path | SkeletonLayout | None = None,
        *,
        fps: int | float | None = None,  # beartype takes no int for a float
        units: Units = "m",
        up: Up = "y",
        name: str = "",
        label: str | int | None = None,
        subject: str | int | None = None,
        camera: str | int | None = None,
        session: str | int | None = None,
        confidence: Any = None,
        segments: Sequence[Segment] = (),
        bodies: Any = None,
        planar: bool = False,
    ) -> None:
        if isinstance(layout, str | Path):
            layout = load_layout(layout)
        name = plain_name(name)
        array = _checked(joints, layout, name)
        planar = planar or array.shape[3] == 2
        if array.shape[3] == 2:
            array = np.concatenate((array, np.zeros_like(array[..., :1])), axis=3)
        if units not in _METRES or up not in _TO_Y_UP:
            raise ValueError(
                f"{_called(name)}: units '{units}', up '{up}': units are {', '.join(_METRES)}, up is one of "
                f"{', '.join(_TO_Y_UP)}"
            )
        if units != "m":
            array = array * _METRES[units]
        if up != "y":
            array = np.stack([sign * array[..., axis] for axis, sign in _TO_Y_UP[up]], axis=-1)
        if fps is not None and not 0 < fps < MOST_RATE:
            raise ValueError(f"{_called(name)}: {fps} frames a second: above 0 is needed, or None where unknown")
        if bodies is None:
            bodies = np.where(_there(array), np.arange(1, array.shape[1] + 1), 0)
        bodies = np.asarray(bodies)
        if bodies.shape != array.shape[:2]:
            raise ValueError(
                f"{_called(name)}: tracking numbers {bodies.shape} for joints {array.shape}: (t, m) is meant"
            )
        if confidence is not None:
            confidence = np.asarray(confidence, dtype=np.float64)
            confidence = confidence[:, None] if confidence.ndim == 2 else confidence
            if confidence.shape != array.shape[:3]:
                raise ValueError(f"{_called(name)}: confidence {confidence.shape} for joints {array.shape}")
        values: dict[str, Any] = {
            "joints": array,
            "layout": layout,
            "fps": None if fps is None else float(fps),
            "units": "m",
            "up": "y",
            "name": name,
        }
        told = {"label": label, "subject": subject, "camera": camera, "session": session}
        values |= {key: _fact(value, key, name) for key, value in told.items()}
        values["confidence"] = confidence
        values |= {"segments": tuple(segments), "bodies": bodies, "planar": planar}
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def __len__(self) -> int:
        """Frames."""
        return len(self.joints)

    def __repr__(self) -> str:
        layout = "no layout" if self.layout is None else self.layout.name
        rate = "" if self.fps is None else f", {self.fps:g} fps"
        known = "".join(
            f", {what} {value}"
            for what, value in (("label", self.label), ("subject", self.subject), ("camera", self.camera))
            if value is not None
        )
        people = f"{self.joints.shape[1]} bod{'y' if self.joints.shape[1] == 1 else 'ies'}"
        return f"Recording({self.name!r}: {len(self)} frames{rate}, {people}, {layout}{known})"

    @property
    def seconds(self) -> float | None:
        """How long it is; None where the rate is not known."""
        return None if self.fps is None else len(self) / self.fps

    def with_joints(self, joints: Float[np.ndarray, "t m v c"]) -> "Recording":
        """With other positions, in metres and y up, of the same bodies."""
        return self if joints is self.joints else dataclasses.replace(self, joints=joints)

    def cut(self, frames: slice) -> "Recording":
        """Some of its frames, without its segments."""
        confidence = None if self.confidence is None else self.confidence[frames]
        part: dict[str, Any] = {"joints": self.joints[frames], "bodies": self.bodies[frames], "confidence": confidence}
        return dataclasses.replace(self, **part, segments=())


def as_recordings(
    moves: "Recording | np.ndarray | Sequence[Recording | np.ndarray]",
    layout: str | Path | SkeletonLayout | None = None,
) -> list[Recording]:
    """One or several recordings or arrays, as a list; `layout` is that of what has none of its own.

    Raises ValueError where there is none, or something is neither a recording nor an array with a layout.
    """
    known = load_layout(layout) if isinstance(layout, str | Path) else layout
    some = [moves] if isinstance(moves, Recording | np.ndarray) else list(moves)
    if not some:
        raise ValueError("no recordings: give at least one")
    made = []
    for number, one in enumerate(some):
        recording = one if isinstance(one, Recording) else Recording(one, known, name=str(number))
        if recording.layout is None:
            if known is None:
                raise ValueError(
                    f"{_called(recording.name or str(number))} has no layout: say which joints it has, layout="
                )
            recording = dataclasses.replace(recording, layout=known)
        made.append(recording)
    return made


def check_coordinates(joints: Float[np.ndarray, "*points c"]) -> np.ndarray:
    """Marks the points (all axes but the last) that are no usable position: not finite, or beyond 100 m."""
    return ~(np.abs(joints) <= LARGEST_COORDINATE).all(axis=-1)


def _checked(joints: Any, layout: SkeletonLayout | None, name: str) -> Float[np.ndarray, "t m v c"]:
    try:
        array = np.asarray(joints)
        array = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{_called(name)}: joints must be an array of numbers, not {type(joints).__name__}") from None
    if array.ndim == 3:
        array = array[:, None]
    shape = f"{_called(name)}: joints {np.shape(joints)}"
    if array.ndim != 4 or array.shape[3] not in (2, 3) or 0 in array.shape:
        raise ValueError(
            f"{shape}: (frames, joints, 3) or (frames, bodies, joints, 3) is needed, or with 2 coordinates"
        )
    if layout is not None and array.shape[2] != len(layout.joints):
        raise ValueError(f"{shape}: layout {layout.name} has {len(layout.joints)} joints, these are {array.shape[2]}")
    if np.isinf(array).any():
        raise ValueError(f"{shape}: some positions are infinite; mark joints that were not seen with NaN")
    return array


def _there(joints: Float[np.ndarray, "t m v c"]) -> Bool[np.ndarray, "t m"]:
    """Which bodies are there: some joint is seen, and not all are zero."""
    return np.nan_to_num(joints).any(axis=(2, 3))


def _fact(value: object, what: str, name: str) -> str | int | None:
    if isinstance(value, str):
        return plain_text(value)
    if value is None or (isinstance(value, int | np.integer) and not isinstance(value, bool)):
        return None if value is None else int(value)
    raise RecordingError(f"{_called(name)}: {what} {shown(value)}: text, a whole number, or None where unknown")


def _called(name: str) -> str:
    return f"recording '{shown(name, 100)}'" if name else "a recording"
