"""Tables of one's own, as text or Parquet: a row a frame with columns such as `left_hip_x`, or a row a joint.

How the columns are called is recognised (see `table_names`) or said, `Source.columns`. Text may be separated by commas,
semicolons, tabs or spaces, its header may be one line or two, and blank cells were not seen.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from kinestream.data.formats import FORMATS, Format, mediapipe_csv
from kinestream.data.formats.orders import chained
from kinestream.data.formats.table_frames import check_size, frame_places, rate_of
from kinestream.data.formats.table_header import JOINED, Header
from kinestream.data.formats.table_long import columns_of_long, read_long
from kinestream.data.formats.table_names import Joints, find_joints, role_of, seconds_of
from kinestream.data.formats.table_rows import PARQUET, Block, Rows, open_rows
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import SkeletonLayout

SUFFIXES = (".csv", ".tsv", ".txt", PARQUET)
_FEWEST_JOINTS = 4
"""Of a table that is taken for one of positions without being told."""
_NOT_RECORDINGS = ("recordings.csv", "labels.csv", "rejected.csv")
_MOST_PEOPLE = 100


def read(source: Source) -> Found | list[Found]:
    """Raises RecordingError for a file that is no table, whose columns are not joints, or with text for numbers."""
    try:
        return _read(source, afresh=False)
    except RecordingError:
        # A file whose header begins as that of others did may be written in another way all the same.
        return _read(source, afresh=True)


def recognises(path: Path) -> bool:
    """Whether a file is a table of positions, and not one that another format reads."""
    if path.name.lower() in _NOT_RECORDINGS:
        return False
    try:
        with open_rows(path, afresh=True) as rows:
            return _is_table(rows.header, path.suffix.lower())
    except (RecordingError, OSError):
        return False


FORMATS.add(
    "table",
    Format(
        suffixes=SUFFIXES,
        read=read,
        recognises=recognises,
        looks_like="tables with a row a frame (left_hip_x, left_hip_y ...) or a row a joint (frame, joint, x, y, z)",
    ),
)


def _is_table(header: Header, suffix: str) -> bool:
    if not header.names:
        return header.only_numbers and suffix != ".txt"  # numbers alone may be anything in a .txt
    if header.ours is not None or columns_of_long(header.names) is not None:
        return True
    if suffix == ".csv" and header.delimiter == b"," and mediapipe_csv.columns_of(header.names) is not None:
        return False
    joints = find_joints(header.names, JOINED if header.joined else "")
    return joints is not None and len(joints.columns[0]) >= _FEWEST_JOINTS


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What is read of each row: `columns` in their order, of which the first are the coordinates."""

    joints: Joints
    columns: tuple[int, ...] | None
    """None for all, as they stand."""
    first: int
    """Place of the first coordinate among what is read; the others follow it."""
    confidence: tuple[int, ...]
    """Places; empty where there is none, -1 for joints without."""
    time: int | None
    time_unit: float | None
    """Seconds; None where the name of the column does not say."""
    frame: int | None
    person: int | None
    fps: int | None
    notes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """People, joints, coordinates."""
        columns = self.joints.columns
        return len(columns), len(columns[0]), len(columns[0][0])


def _read(source: Source, *, afresh: bool) -> Found | list[Found]:
    with open_rows(source.path, afresh=afresh) as rows:
        header = rows.header
        long = columns_of_long(header.names) if not source.columns else None
        if header.ours is not None and long is None:
            raise RecordingError("a table written by kinestream without its columns joint, x and y: damaged")
        if long is not None:
            return read_long(rows, long, source)
        plan = _plan(header.names, header.joined, header.width, source.columns, source.layout)
        return _read_wide(rows, plan)


# --- a row a frame --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _plan(names: tuple[str, ...], joined: bool, width: int, pattern: str, layout: SkeletonLayout | None) -> _Plan:
    if names:
        joints = find_joints(names, pattern or (JOINED if joined else ""))
        if joints is None:
            some = chained([name.replace("\x1f", " ") for name in names if name])
            raise RecordingError(
                f"no columns of joints among {some}: say how they are called with --columns, as in {{joint}}_{{axis}}"
            )
        notes: list[str] = []
    else:
        joints = _nameless(width, layout)
        notes = ["it has no header: its columns are taken for the joints of the layout in their order"]
    roles = {role: column for column, name in reversed(list(enumerate(names))) if (role := role_of(name))}
    taken = joints.used
    places = {role: column for role, column in roles.items() if column not in taken}
    if joints.incomplete:
        notes.append(f"points without z are left out: {chained(joints.incomplete)}")
    unread = [
        name.replace("\x1f", " ")
        for column, name in enumerate(names)
        if name and column not in taken and column not in places.values()
    ]
    if unread:
        notes.append(f"columns that are not read ({len(unread)}): {chained(unread)}")
    unit = seconds_of(names[places["time"]]) if "time" in places else None
    return _arranged(joints, places, width, unit, tuple(notes))


def _arranged(
    joints: Joints, roles: dict[str, int], width: int, time_unit: float | None, notes: tuple[str, ...]
) -> _Plan:
    """With as little to be copied as possible: columns as they stand where the coordinates follow one another."""
    coordinates = [column for person in joints.columns for joint in person for column in joint]
    sure = [column for person in joints.confidence for column in person]
    extra = [column for role, column in roles.items() if role in ("time", "frame", "person", "fps")]
    others = dict.fromkeys([*(column for column in sure if column >= 0), *extra])
    first = coordinates[0]
    if coordinates == list(range(first, first + len(coordinates))):
        read = sorted({*coordinates, *others})
    else:
        read = [*coordinates, *others]
    place = {column: number for number, column in enumerate(read)}
    return _Plan(
        joints=joints,
        columns=None if read == list(range(width)) else tuple(read),
        first=place[first],
        confidence=tuple(place.get(column, -1) for column in sure),
        time=place.get(roles.get("time", -1)),
        time_unit=time_unit,
        frame=place.get(roles.get("frame", -1)),
        person=place.get(roles.get("person", -1)),
        fps=place.get(roles.get("fps", -1)),
        notes=notes,
    )


def _nameless(width: int, layout: SkeletonLayout | None) -> Joints:
    """The joints of a layout, in their order."""
    if layout is None:
        raise RecordingError(f"{width} columns without names: say which joints they are with --layout")
    count = len(layout.joints)
    coordinates, rest = divmod(width, count)
    if rest or coordinates not in (2, 3):
        raise RecordingError(
            f"{width} columns without names: layout {layout.name} has {count} joints, which are {2 * count} or "
            f"{3 * count} columns"
        )
    columns = tuple(tuple(range(coordinates * joint, coordinates * (joint + 1))) for joint in range(count))
    return Joints(people=("",), names=(), columns=(columns,), confidence=(), units=None, incomplete=())


def _read_wide(rows: Rows, plan: _Plan) -> Found:
    values = _values(rows, plan)
    people, joints, axes = plan.shape
    count = len(values)
    if not count:
        raise RecordingError("no rows of numbers after its header")
    notes = list(plan.notes)
    size = people * joints * axes
    positions = values[:, plan.first : plan.first + size].reshape(count, people, joints, axes)
    confidence = None
    if plan.confidence:
        padded = np.concatenate((values, np.full((count, 1), np.nan)), axis=1)  # place -1 is this
        confidence = padded[:, list(plan.confidence)].reshape(count, people, joints)
    fps, note = _rate(rows.header, values, plan)
    notes.append(note)
    if plan.frame is not None or plan.person is not None:
        positions, confidence, note = _placed(values, positions, confidence, plan)
        notes.append(note)
    positions, note = _finite(positions)
    notes.append(note)
    confidence, note = checked_confidence(confidence)
    notes.append(note)
    return Found(
        joints=positions,
        points=plan.joints.names,
        confidence=confidence,
        fps=fps,
        units=plan.joints.units or rows.header.units,
        notes=tuple(filter(None, notes)),
    )


def _values(rows: Rows, plan: _Plan) -> Float64[np.ndarray, "rows columns"]:
    """All that is read, in one array: of a long file without a second copy of it."""
    blocks = rows.blocks()
    first = next(blocks, None)
    if first is None:
        return np.empty((0, 0))
    numbers = first.numbers(plan.columns)
    second = next(blocks, None)
    if second is None:
        return numbers
    most = rows.most()
    check_size(most, numbers.shape[1])
    made = np.empty((most, numbers.shape[1]))
    made[: len(numbers)] = numbers
    done = len(numbers)
    block: Block | None = second
    while block is not None:
        numbers = block.numbers(plan.columns)
        made[done : done + len(numbers)] = numbers
        done += len(numbers)
        block = next(blocks, None)
    return made[:done]


def _rate(header: Header, values: Float64[np.ndarray, "rows columns"], plan: _Plan) -> tuple[float | None, str]:
    if header.fps is not None:
        return header.fps, ""
    if plan.fps is not None:
        rates = np.unique(values[:, plan.fps])
        if len(rates) == 1 and 0 < rates[0] < 100_000:
            return float(rates[0]), ""
    if plan.time is None:
        return None, ""
    times = values[:, plan.time]
    if plan.person is not None:
        times = np.unique(times[np.isfinite(times)])
    return rate_of(times, plan.time_unit)


def _placed(
    values: Float64[np.ndarray, "rows columns"],
    positions: Float64[np.ndarray, "rows m v c"],
    confidence: Float64[np.ndarray, "rows m v"] | None,
    plan: _Plan,
) -> tuple[Float64[np.ndarray, "t people v c"], Float64[np.ndarray, "t people v"] | None, str]:
    """By the numbers of their frames and people, where the rows are not one after the other anyway."""
    frames = values[:, plan.frame] if plan.frame is not None else None
    persons = values[:, plan.person] if plan.person is not None else np.zeros(len(values))
    if np.isnan(persons).any():
        raise RecordingError(f"row {int(np.isnan(persons).argmax()) + 1} has no number of a person")
    _, first, inverse = np.unique(persons, return_index=True, return_inverse=True)
    if len(first) > 1 and plan.joints.people != ("",):
        raise RecordingError("people have columns of their own and rows of their own: give them one or the other")
    if frames is None:
        if len(first) > 1 and plan.time is None:
            raise RecordingError(f"rows of {len(first)} people without the frames that they belong to")
        frames = np.searchsorted(np.unique(values[:, plan.time or 0]), values[:, plan.time or 0]).astype(np.float64)
    if len(first) == 1 and (len(frames) == 1 or (np.diff(frames) == 1).all()):
        return positions, confidence, ""
    if len(first) > _MOST_PEOPLE:
        raise RecordingError(f"{len(first)} people: at most {_MOST_PEOPLE} are read")
    if not np.isfinite(frames).any():
        return positions, confidence, "its frames have no numbers"
    places, count, note = frame_places(frames)
    m = len(first) if len(first) > 1 else positions.shape[1]
    check_size(count, m, *positions.shape[2:])
    order = np.argsort(np.argsort(first))[inverse.reshape(-1)]  # people in the order in which they come
    cells = places * len(first) + order
    if len(np.unique(cells)) != len(cells):
        raise RecordingError(
            "a frame of one person stands in two rows" if len(first) > 1 else "a frame stands in two rows"
        )
    made = np.full((count, m, *positions.shape[2:]), np.nan)
    surer = None if confidence is None else np.full((count, m, positions.shape[2]), np.nan)
    if len(first) > 1:
        made[places, order] = positions[:, 0]
    else:
        made[places] = positions
    if surer is not None and confidence is not None:
        if len(first) > 1:
            surer[places, order] = confidence[:, 0]
        else:
            surer[places] = confidence
    return made, surer, note


def _finite(joints: Float64[np.ndarray, "t m v c"]) -> tuple[Float64[np.ndarray, "t m v c"], str]:
    """With infinite numbers as not seen. Raises RecordingError where nothing is seen at all."""
    if np.isfinite(joints).all():
        return joints, ""
    infinite = np.isinf(joints).any(axis=-1)
    if np.isnan(joints).any(axis=-1).all():
        raise RecordingError(f"no joint is seen in any of its {len(joints)} frames")
    if not infinite.any():
        return joints, ""
    return np.where(
        infinite[..., None], np.nan, joints
    ), f"{int(infinite.sum())} infinite positions are taken for not seen"


def checked_confidence(
    confidence: Float64[np.ndarray, "t m v"] | None,
) -> tuple[Float64[np.ndarray, "t m v"] | None, str]:
    """None, and a note, where it does not go from 0 to 1."""
    if confidence is None or np.isnan(confidence).all():
        return None, ""
    least, most = float(np.nanmin(confidence)), float(np.nanmax(confidence))
    if least < 0 or most > 1:
        return None, f"its confidence goes from {least:.4g} to {most:.4g}, not 0 to 1: it is not used"
    return confidence, ""
