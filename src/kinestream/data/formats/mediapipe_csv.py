"""MediaPipe landmarks as CSV: a row a frame, with columns such as `x0,y0,z0,v0` or `LEFT_SHOULDER_x`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from kinestream.data.formats import FORMATS, Format, comma_rows
from kinestream.data.formats.landmarks import POINTS, WORLD, chosen, found, seconds
from kinestream.data.formats.sightings import Sightings, rate
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import load_layout
from kinestream.words import shown

_AXES = "xyzv"
_AXIS = "(?P<axis>x|y|z|v|vis|visibility)"
_FILLERS = re.compile(r"pose_?|world_?|landmarks?_?|keypoints?_?")
_COLUMNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_AXIS}_?(?P<index>\d{{1,3}})",
        rf"(?P<index>\d{{1,3}})_?{_AXIS}",
        rf"(?P<name>[a-z_]+?)_{_AXIS}",
        rf"{_AXIS}_(?P<name>[a-z_]+)",
    )
)
_WHOLE_BODIES = (POINTS, 501, 543)
"""How many points there may be by number: the body, then what Holistic has of face and hands."""
_FRAME = ("frame", "frame_number", "frame_id", "frame_idx", "frame_index", "frame_no", "framenumber")
_TIME = ("timestamp_ms", "timestamp_us", "timestamp", "timestampms", "time_ms", "time_s", "time")
_LABEL = ("class", "label", "action")
_PERSON = ("person", "person_id", "pose_id", "track_id")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where the numbers of the landmarks stand."""

    places: tuple[tuple[int, ...], ...]
    """Of x, y, z and visibility of each of the 33; -1 for a visibility that is not there."""
    kind: str | None
    more: tuple[str, ...]
    """The names of the columns, in lower case where they are none of `places` and empty there."""


def read(source: Source) -> Found:
    """Raises RecordingError, with the line, for what is no number or no row of so many fields."""
    head = comma_rows.header(source.path, 2)
    columns = columns_of(head[0])
    if columns is None:
        raise RecordingError(f"no columns x, y and z of {POINTS} landmarks", 1)
    if len(head) < 2:
        raise RecordingError("no frames")
    text = [at for at, name in enumerate(columns.more) if name and at < len(head[1]) and not _is_number(head[1][at])]
    place = {column: rank for rank, column in enumerate(at for at in range(len(head[0])) if at not in text)}
    place[-1] = -1
    order = np.array([place[column] for point in columns.places for column in point])
    of_frame, of_time, of_person = (_column(columns, words, text) for words in (_FRAME, _TIME, _PERSON))
    of_label = _column(columns, _LABEL, ())
    seen, labels, times, numbers = Sightings(POINTS, 4), set[str](), list[np.ndarray](), list[np.ndarray]()
    count = 0
    for rows in comma_rows.rows(source.path, skip=1, names=head[0], text=text):
        frames = np.arange(count, count + len(rows.numbers))
        count += len(frames)
        if of_frame >= 0:
            frames = _whole(rows.numbers[:, place[of_frame]], "the number of a frame", rows.lines)
        tracks = None
        if of_person >= 0:
            tracks = _whole(rows.numbers[:, place[of_person]], "the number of a person", rows.lines)
        seen.add_rows(frames, np.where(order < 0, np.nan, rows.numbers[:, order]), tracks)
        numbers.append(frames)
        if of_time >= 0:
            times.append(rows.numbers[:, place[of_time]])
        if of_label in text and len(labels) < 2:
            labels |= {row[text.index(of_label)] for row in rows.texts}
    if not count:
        raise RecordingError("no frames")
    fps, notes = _rate(columns.more[of_time] if times else "", times, numbers)
    used = {of_frame, of_time, of_person} | ({of_label} if len(labels) == 1 else set())
    others = [name for at, name in enumerate(columns.more) if name and at not in used]
    if others:
        notes = (*notes, f"not read: {len(others)} columns, such as '{shown(others[0])}'")
    made = found(seen.assemble(), chosen(source.variable) or columns.kind, fps=fps, notes=notes)
    return replace(made, label=labels.pop()) if len(labels) == 1 else made


def columns_of(names: Sequence[str]) -> Columns | None:
    """Where the 33 landmarks stand, by the names of columns; None where these are not those of MediaPipe.

    Points by number count only with a visibility, or where the columns are called landmarks.
    """
    there: dict[tuple[bool, str], dict[str, int]] = {}
    called = False
    for at, name in enumerate(names):
        plain = re.sub(r"[.\- ]", "_", name.strip().lower())
        match = next((match for pattern in _COLUMNS if (match := pattern.fullmatch(_FILLERS.sub("", plain)))), None)
        if match is None:
            continue
        told = match.groupdict()
        point = told.get("name") or str(int(told["index"]))
        axes = there.setdefault(("world" in plain, point), {})
        if axes.setdefault(told["axis"][0], at) != at:
            return None
        called = called or "landmark" in plain
    for world in (True, False):
        some = {point: axes for (kind, point), axes in there.items() if kind == world}
        points = _named(some) or _numbered(some, called)
        if points is not None and all(axis in axes for axes in points for axis in "xyz"):
            places = tuple(tuple(axes.get(axis, -1) for axis in _AXES) for axes in points)
            used = {at for place in places for at in place}
            more = tuple("" if at in used else name.strip().lower() or "(no name)" for at, name in enumerate(names))
            return Columns(places=places, kind=WORLD if world else None, more=more)
    return None


def recognises(path: Path) -> bool:
    """Whether its first line names the landmarks."""
    try:
        return columns_of(comma_rows.header(path, 1)[0]) is not None
    except (RecordingError, OSError):
        return False


def _named(some: dict[str, dict[str, int]]) -> list[dict[str, int]] | None:
    joints = load_layout("mediapipe33").joints
    return [some[joint] for joint in joints] if all(joint in some for joint in joints) else None


def _numbered(some: dict[str, dict[str, int]], called: bool) -> list[dict[str, int]] | None:
    numbers = sorted(int(point) for point in some if point.isdigit())
    if len(numbers) not in _WHOLE_BODIES or numbers[0] not in (0, 1) or numbers[-1] - numbers[0] + 1 != len(numbers):
        return None
    points = [some[str(number)] for number in numbers[:POINTS]]
    return points if called or all("v" in axes for axes in points) else None


def _column(columns: Columns, words: Sequence[str], text: Sequence[int]) -> int:
    """The column of one of these names that holds numbers; -1 for none."""
    return next(
        (columns.more.index(word) for word in words if word in columns.more and columns.more.index(word) not in text),
        -1,
    )


def _is_number(field: str) -> bool:
    try:
        float(field or "nan")
    except ValueError:
        return False
    return True


def _whole(numbers: Float[np.ndarray, " n"], what: str, lines: range | Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    wrong = ~((numbers >= 0) & (numbers < 2**40) & (numbers == np.floor(numbers)))
    if wrong.any():
        at = int(wrong.argmax())
        raise RecordingError(f"{numbers[at]} where {what} belongs", int(lines[at]))
    return numbers.astype(np.int64)


def _rate(
    name: str, times: Sequence[np.ndarray], numbers: Sequence[np.ndarray]
) -> tuple[float | None, tuple[str, ...]]:
    if not times:
        return None, ()
    every, notes = seconds(np.concatenate(times), name)
    if np.isnan(every).any():
        return None, notes
    fps, more = rate(every, np.concatenate(numbers))
    return fps, (*notes, *more)


FORMATS.add(
    "mediapipe-csv",
    Format(
        suffixes=(".csv",), read=read, looks_like="MediaPipe landmarks (CSV)", recognises=recognises, files_a_task=8
    ),
)
