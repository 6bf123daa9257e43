"""Tables with a row for each joint: frame, joint, x, y and perhaps recording, time, person, z and confidence."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float64, Int32, Int64

from kinestream.data.formats.orders import chained
from kinestream.data.formats.table_frames import check_size, frame_places, rate_of
from kinestream.data.formats.table_names import role_of, seconds_of, without_unit
from kinestream.data.formats.table_rows import Rows
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import MOST_JOINTS, UNITS, UP, SkeletonLayout
from kinestream.words import shown

_AXIS = re.compile(r"(?:pos(?:ition)?[ _.]?)?([xyz])(?:[ _.]?pos(?:ition)?|[ _.]?coord(?:inate)?)?", re.IGNORECASE)
_SURE = re.compile(r"confidence|conf|scores?|visibility|vis|likelihood|probability|prob|presence", re.IGNORECASE)
_MOST_PEOPLE = 100
_TOLD = ("label", "subject", "camera", "session")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column is what."""

    roles: Mapping[str, int]
    axes: tuple[int, ...]
    confidence: int | None
    units: str | None
    unread: tuple[str, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Columns of numbers: coordinates, confidence, frame, time."""
        more = [self.confidence, self.roles.get("frame"), self.roles.get("time")]
        return (*self.axes, *(column for column in more if column is not None))


@lru_cache(maxsize=64)
def columns_of_long(names: tuple[str, ...]) -> Columns | None:
    """Where a table with such columns has what; None where it has no row a joint.

    Example:
        >>> columns_of_long(("frame", "joint", "x", "y")).axes
        (2, 3)
    """
    roles = {role: column for column, name in reversed(list(enumerate(names))) if (role := role_of(name))}
    bare = [without_unit(name) for name in names]
    axes = {match[1].lower(): column for column, (name, _) in enumerate(bare) if (match := _AXIS.fullmatch(name))}
    if "joint" not in roles or not {"x", "y"} <= set(axes) or not {"frame", "time"} & set(roles):
        return None
    places = tuple(axes[axis] for axis in "xyz" if axis in axes)
    units = {bare[column][1] for column in places} - {None}
    if len(units) > 1:
        raise RecordingError(f"columns in {' and in '.join(sorted(map(str, units)))}: give all in one unit")
    sure = next((column for column, (name, _) in enumerate(bare) if _SURE.fullmatch(name)), None)
    used = {
        *places,
        sure,
        *(roles[role] for role in ("frame", "time", "person", "joint", "recording") if role in roles),
    }
    return Columns(
        roles=roles,
        axes=places,
        confidence=sure,
        units=next(iter(units), None),
        unread=tuple(name for column, name in enumerate(names) if name and column not in used),
    )


@dataclass(frozen=True, kw_only=True)
class _Read:
    """All rows: numbers as `Columns.numbers` has them, and words as their places among those that there are."""

    values: Float64[np.ndarray, "rows k"]
    codes: Mapping[str, Int32[np.ndarray, " rows"]]
    words: Mapping[str, Sequence[str]]


def read_long(rows: Rows, columns: Columns, source: Source) -> list[Found]:
    """One recording, or several where there is a column `recording`. Raises RecordingError for rows that are not of
    a frame and a joint, or stand twice."""
    read = _read(rows, columns)
    if not len(read.values):
        raise RecordingError("no rows of numbers after its header")
    ours = rows.header.ours
    layout = _layout(ours) or source.layout
    joints = _joint_order(read.words["joint"], layout, ours is not None)
    notes = [f"columns that are not read ({len(columns.unread)}): {chained(columns.unread)}"] if columns.unread else []
    made = []
    time = next((name for name in rows.header.names if role_of(name) == "time"), "")
    for name, chosen in _recordings(read):
        told = _told(ours, name)
        one = _one(read, chosen, columns, joints, told, seconds_of(time) if time else None)
        if one is None:
            notes.append("recordings in which no joint is seen are left out")
            continue
        made.append(
            Found(
                joints=one.joints,
                confidence=one.confidence,
                fps=one.fps,
                layout=layout if ours is not None else None,
                points=() if ours is not None and layout else joints.points,
                units=columns.units or _word(ours, "units", UNITS),
                up=_word(ours, "up", UP),
                name=name,
                notes=tuple(filter(None, dict.fromkeys([*notes, *one.notes]))),
                **{what: told[what] for what in _TOLD if what in told},
            )
        )
    if not made:
        raise RecordingError("no joint is seen in any of its frames")
    return made


def _read(rows: Rows, columns: Columns) -> _Read:
    known: dict[str, dict[str, int]] = {role: {} for role in ("recording", "person", "joint") if role in columns.roles}
    values: np.ndarray | None = None
    codes: dict[str, np.ndarray] = {}
    done = 0
    most = rows.most()
    for block in rows.blocks():
        numbers = block.numbers(columns.numbers)
        if values is None:
            check_size(most, numbers.shape[1])
            values = np.empty((most, numbers.shape[1]))
            codes = {role: np.empty(most, dtype=np.int32) for role in known}
        values[done : done + len(numbers)] = numbers
        for role, words in known.items():
            codes[role][done : done + len(numbers)] = block.codes(columns.roles[role], words)
        if len(known["joint"]) > MOST_JOINTS:
            raise RecordingError(f"more than {MOST_JOINTS} joints")
        done += len(numbers)
    empty = np.empty((0, len(columns.numbers)))
    return _Read(
        values=empty if values is None else values[:done],
        codes={role: code[:done] for role, code in codes.items()},
        words={role: list(words) for role, words in known.items()},
    )


# --- joints ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Joints:
    places: Int64[np.ndarray, " words"]
    """For each word of the column the place of the joint."""
    count: int
    points: tuple[str, ...]
    """Empty where joints have numbers."""


def _joint_order(words: Sequence[str], layout: SkeletonLayout | None, ours: bool) -> _Joints:
    """Names in the order in which they come, or as the layout of our own tables has them; numbers from 0 or 1."""
    numbers = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 9]
    if len(numbers) == len(words):
        return _numbered(numbers, layout)
    if ours and layout is not None:
        unknown = [word for word in words if word not in layout.joints]
        if unknown:
            raise RecordingError(f"'{shown(unknown[0], 30)}' is no joint of its layout: damaged")
        places = np.array([layout.joints.index(word) for word in words], dtype=np.int64)
        return _Joints(places, len(layout.joints), layout.joints)
    if "" in words:
        raise RecordingError("a row without a joint")
    return _Joints(np.arange(len(words)), len(words), tuple(words))


def _numbered(numbers: Sequence[int], layout: SkeletonLayout | None) -> _Joints:
    least, most = min(numbers), max(numbers)
    if len(set(numbers)) != len(numbers):
        raise RecordingError("a number of a joint is spelled in two ways")
    if layout is None:
        if most - least + 1 != len(numbers) or least > 1:
            raise RecordingError(f"joints are numbered {least} to {most}, and some lack: say which with --layout")
        return _Joints(np.array(numbers) - least, len(numbers), ())
    count = len(layout.joints)
    first = 0 if least == 0 else 1
    if most - first >= count or (first == 1 and most != count):
        raise RecordingError(
            f"joints are numbered {least} to {most}, where layout {layout.name} has {count}, numbered from 0 or from 1"
        )
    return _Joints(np.array(numbers) - first, count, ())


# --- one recording --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _One:
    joints: Float64[np.ndarray, "t m v c"]
    confidence: Float64[np.ndarray, "t m v"] | None
    fps: float | None
    notes: tuple[str, ...]


def _recordings(read: _Read) -> Iterator[tuple[str, slice | Int64[np.ndarray, " some"]]]:
    """The name and the rows of each, in the order in which they come."""
    codes = read.codes.get("recording")
    if codes is None:
        yield "", slice(None)
        return
    ends = np.append(np.flatnonzero(np.diff(codes)) + 1, len(codes))
    names = read.words["recording"]
    if len(ends) == len(names):  # one after the other
        for begin, end in zip([0, *ends.tolist()], ends.tolist(), strict=False):
            yield names[int(codes[begin])], slice(begin, end)
        return
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    for part in parts:
        yield names[int(codes[part[0]])], part


def _one(
    read: _Read,
    chosen: slice | Int64[np.ndarray, " some"],
    columns: Columns,
    joints: _Joints,
    told: Mapping[str, Any],
    unit: float | None,
) -> _One | None:
    """None where no joint is seen."""
    values = read.values[chosen]
    place = {column: number for number, column in enumerate(columns.numbers)}
    axes = len(columns.axes)
    frame, time = (columns.roles.get(role) for role in ("frame", "time"))
    times = values[:, place[time]] if time is not None else None
    notes: list[str] = []
    if frame is not None and "frames" in told:
        places, count = _own_frames(values[:, place[frame]], told["frames"])
    elif frame is not None:
        places, count, note = frame_places(values[:, place[frame]])
        notes.append(note)
    else:
        assert times is not None
        distinct, places = np.unique(times, return_inverse=True)
        places, count = places.reshape(-1), len(distinct)
    people, persons = _people(read, chosen)
    check_size(count, people, joints.count, axes)
    cells = (places * people + persons) * joints.count + joints.places[read.codes["joint"][chosen]]
    total = count * people * joints.count
    if len(cells) == total and (cells == np.arange(total)).all():
        positions, sure = values[:, :axes], values[:, axes] if columns.confidence is not None else None
    else:
        seen = np.zeros(total, dtype=np.bool_)
        seen[cells] = True
        if int(np.count_nonzero(seen)) != len(cells):
            raise RecordingError("a joint of one person and frame stands in two rows")
        positions = np.full((total, axes), np.nan)
        positions[cells] = values[:, :axes]
        sure = None
        if columns.confidence is not None:
            sure = np.full(total, np.nan)
            sure[cells] = values[:, axes]
    made = positions.reshape(count, people, joints.count, axes)
    infinite = np.isinf(made).any(axis=-1)
    if infinite.any():
        made = np.where(infinite[..., None], np.nan, made)
        notes.append("infinite positions are taken for not seen")
    if np.isnan(made).any(axis=-1).all():
        return None
    fps = told.get("fps")
    if fps is None and times is not None:
        fps, note = rate_of(np.unique(times[np.isfinite(times)]), unit)
        notes.append(note)
    confidence = None if sure is None or np.isnan(sure).all() else sure.reshape(made.shape[:3])
    if confidence is not None and not ((confidence >= 0) & (confidence <= 1) | np.isnan(confidence)).all():
        confidence = None
        notes.append("its confidence does not go from 0 to 1: it is not used")
    return _One(joints=made, confidence=confidence, fps=fps, notes=tuple(notes))


def _own_frames(frames: Float64[np.ndarray, " rows"], count: int) -> tuple[Int64[np.ndarray, " rows"], int]:
    if not ((frames >= 0) & (frames < count) & (frames == np.floor(frames))).all():
        raise RecordingError(f"a frame that is not one of the {count} of its recording: damaged")
    return frames.astype(np.int64), count


def _people(read: _Read, chosen: slice | Int64[np.ndarray, " some"]) -> tuple[int, Int64[np.ndarray, " rows"] | int]:
    """How many people there are, and whose each row is: by their numbers, or in the order in which they come."""
    codes = read.codes.get("person")
    if codes is None:
        return 1, 0
    there, first, inverse = np.unique(codes[chosen], return_index=True, return_inverse=True)
    if len(there) > _MOST_PEOPLE:
        raise RecordingError(f"{len(there)} people: at most {_MOST_PEOPLE} are read")
    words = [read.words["person"][code] for code in there.tolist()]
    numbered = all(word.isascii() and word.isdigit() and len(word) < 9 for word in words)
    keys = [int(word) for word in words] if numbered else first.tolist()
    return len(there), np.argsort(np.argsort(keys))[inverse.reshape(-1)]


# --- tables of our own ----------------------------------------------------------------------------------------------


def _layout(ours: Mapping[str, Any] | None) -> SkeletonLayout | None:
    plain = ours.get("layout") if ours else None
    if plain is None:
        return None
    try:
        if isinstance(plain, str):
            return SkeletonLayout.from_json(plain)
        if not isinstance(plain, dict):
            raise ValueError("no mapping of keys to values")
        return SkeletonLayout.from_dict(plain)
    except (ValueError, AttributeError, RecursionError) as error:
        raise RecordingError(f"its layout cannot be read: {shown(str(error), 100)}", 1) from None


def _word(ours: Mapping[str, Any] | None, key: str, allowed: Sequence[str]) -> str | None:
    word = ours.get(key) if ours else None
    return word if isinstance(word, str) and word in allowed else None


def _told(ours: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    """Label, subject, camera, session, rate and number of frames of a recording. Raises RecordingError where what the
    first line says of them is of another kind."""
    told: dict[str, Any] = {}
    for what in (*_TOLD, "fps", "frames"):
        every = ours.get(what, {}) if ours else {}
        if not isinstance(every, dict):
            raise RecordingError(f"'{what}' of its first line does not go by recordings: damaged", 1)
        value = every.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        if what == "fps":
            usable = isinstance(value, int | float) and 0 < value < 100_000
        elif what == "frames":
            usable = isinstance(value, int) and 0 < value < 2**31
        else:
            usable = value != "" and isinstance(value, str | int)
        if usable:
            told[what] = float(value) if what == "fps" else value
    return told
