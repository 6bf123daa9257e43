"""DeepLabCut's tables, CSV or HDF5: what a network found in a video, or what somebody labelled in its pictures.

Columns have three or four names: scorer, individual (with several animals), body part, and x, y, z or likelihood.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from kinestream.data.formats import FORMATS, Format, comma_rows
from kinestream.data.formats.coco_json import folder_of, frame_of
from kinestream.data.formats.deeplabcut_h5 import is_pandas, read_table
from kinestream.data.formats.sightings import MOST_NUMBERS, check_span, scored
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.words import shown

Names = Sequence[tuple[str, ...]]
_COORDINATES = ("x", "y", "z", "likelihood")
_HEADERS = ("scorer", "individuals", "bodyparts", "coords")


@dataclass(frozen=True, kw_only=True)
class _Arrangement:
    points: tuple[str, ...]
    places: Int[np.ndarray, "m v n"]
    """The column of each number; -1 for a likelihood that is not there."""
    notes: tuple[str, ...]


def read(source: Source) -> Found | list[Found]:
    """A recording for each folder of pictures; one where frames are numbered. Raises RecordingError."""
    if source.path.suffix.lower() == ".csv":
        return _read_csv(source.path)
    names, values, index = read_table(source.path)
    arrangement = _arrange(names)
    return _founds(arrangement, _pick(values, arrangement), index)


def recognises(path: Path) -> bool:
    """Whether the names of its columns are of this kind."""
    if path.suffix.lower() != ".csv":
        return is_pandas(path)
    try:
        head = [row[0].strip().lower() for row in comma_rows.header(path, 4) if row]
    except (RecordingError, OSError):
        return False
    return head[:1] == ["scorer"] and "bodyparts" in head and "coords" in head


def _read_csv(path: Path) -> list[Found]:
    head = comma_rows.header(path, 5)
    words = [row[0].strip().lower() if row else "" for row in head]
    if "coords" not in words or any(word not in _HEADERS for word in words[: words.index("coords") + 1]):
        raise RecordingError("its first lines are not scorer, bodyparts and coords", 1)
    levels = words.index("coords") + 1
    columns = len(head[levels - 1])
    for at, row in enumerate(head[:levels], start=1):
        if len(row) != columns:
            raise RecordingError(f"{len(row)} fields where {columns} belong", at)
    index = 1
    while index < columns and not head[levels - 1][index].strip():
        index += 1
    rank = [words.index(word) for word in _HEADERS if word in words[:levels]]
    names = [tuple(head[row][column].strip() for row in rank) for column in range(index, columns)]
    arrangement = _arrange(names)
    if len(head) == levels:
        raise RecordingError("no frames")
    numbered = index == 1 and "".join(head[levels][:1]).strip().isdigit()
    called = ["/".join(row[column].strip() for row in head[1:levels]) for column in range(columns)]
    blocks, frames = [], []
    images: list[str] = []
    for rows in comma_rows.rows(path, skip=levels, names=called, text=() if numbered else range(index)):
        if numbered:
            frames.append(rows.numbers[:, 0])
            blocks.append(_pick(rows.numbers[:, 1:], arrangement))
        else:
            images += ["/".join(row) for row in rows.texts]
            blocks.append(_pick(rows.numbers, arrangement))
        if sum(block.size for block in blocks) > MOST_NUMBERS:
            raise RecordingError(
                f"more than {MOST_NUMBERS:,} numbers: cut it into several recordings", int(rows.lines[0])
            )
    if not blocks:
        raise RecordingError("no frames")
    every = np.concatenate(blocks)
    blocks.clear()
    return _founds(arrangement, every, np.concatenate(frames) if numbered else images)


def _arrange(names: Names) -> _Arrangement:
    """Which column is what. Names are scorer, perhaps individual, body part and coordinate."""
    if any(len(name) not in (3, 4) for name in names):
        raise RecordingError("its columns are not named by scorer, body part and coordinate")
    columns: dict[str, dict[str, dict[str, int]]] = {}
    others, scorers = 0, {name[0] for name in names}
    first = names[0][0] if names else ""
    for at, name in enumerate(names):
        coordinate = name[-1].lower()
        if coordinate not in _COORDINATES or name[0] != first:
            others += 1
            continue
        parts = columns.setdefault(name[1] if len(name) == 4 else "", {}).setdefault(name[-2], {})
        if parts.setdefault(coordinate, at) != at:
            raise RecordingError(f"two columns {shown('/'.join(name))}")
    if not columns:
        raise RecordingError("no columns x and y of body parts")
    largest = max(columns.values(), key=len)
    people = {name: parts for name, parts in columns.items() if parts.keys() == largest.keys()}
    notes = [
        f"not read: {shown(name)}, which has {len(parts)} other body parts"
        for name, parts in columns.items()
        if name not in people
    ]
    solid = any("z" in axes for axes in largest.values())
    wanted = _COORDINATES[: 3 if solid else 2]
    for animal, held in people.items():
        for part, axes in held.items():
            lacking = [axis for axis in wanted if axis not in axes]
            if lacking:
                raise RecordingError(f"{shown(animal)} {shown(part)}: no column {lacking[0]}".strip())
    if len(scorers) > 1:
        notes.append(f"not read: columns of {len(scorers) - 1} scorers besides {shown(first)}")
    elif others:
        notes.append(f"not read: {others} columns besides {', '.join(_COORDINATES)}")
    places = [
        [[parts[part].get(axis, -1) for axis in (*wanted, "likelihood")] for part in largest]
        for parts in people.values()
    ]
    return _Arrangement(points=tuple(largest), places=np.array(places), notes=tuple(notes))


def _pick(values: Float[np.ndarray, "t columns"], arrangement: _Arrangement) -> Float[np.ndarray, "t m v n"]:
    picked = values[:, arrangement.places]
    picked[:, arrangement.places < 0] = np.nan
    return picked


def _founds(
    arrangement: _Arrangement, values: Float[np.ndarray, "t m v n"], index: Sequence[str] | np.ndarray
) -> list[Found]:
    """A recording for each folder where `index` names pictures, else one."""
    if not len(values):
        raise RecordingError("no frames")
    if isinstance(index, np.ndarray):
        if not ((index >= 0) & (index < 2**40) & (index == np.floor(index))).all():
            raise RecordingError("the first column does not number the frames")
        return [_found(arrangement, values, index.astype(np.int64), "", ())]
    folders: dict[str, list[int]] = {}
    for row, image in enumerate(index):
        folders.setdefault(folder_of(image), []).append(row)
    made = []
    for folder, rows in folders.items():
        numbers = [frame_of(index[row]) for row in rows]
        known = [number for number in numbers if number is not None]
        notes: tuple[str, ...] = ()
        if len(known) < len(rows):
            known = list(range(len(rows)))
            notes = ("pictures have no numbers: the order in the file is taken for that of the frames",)
        name = folder.rpartition("/")[2] if len(folders) > 1 else ""
        part = values if len(rows) == len(values) else values[rows]
        made.append(_found(arrangement, part, np.array(known, dtype=np.int64), name, notes))
    return made


def _found(
    arrangement: _Arrangement,
    values: Float[np.ndarray, "t m v n"],
    frames: Int[np.ndarray, " t"],
    name: str,
    notes: tuple[str, ...],
) -> Found:
    order = np.argsort(frames, kind="stable")
    first, last = int(frames[order[0]]), int(frames[order[-1]])
    if (np.diff(frames[order]) == 0).any():
        raise RecordingError("two rows are of one frame")
    check_span(first, last, len(frames))
    missing = last - first + 1 - len(frames)
    if missing or (np.diff(frames) < 0).any():
        if (last - first + 1) * values[0].size > MOST_NUMBERS:
            raise RecordingError(f"frames {first} to {last}: too many for one recording")
        spread = np.full((last - first + 1, *values.shape[1:]), np.nan)
        spread[frames - first] = values
        values = spread
    if missing:
        notes = (*notes, f"{missing:,} of {len(values):,} frames are missing")
    joints, confidence, more = scored(values, first)
    if not np.isfinite(joints).any():
        raise RecordingError(f"no body in any of its {len(joints)} frames")
    flat = joints.shape[3] == 2
    return Found(
        joints=joints,
        points=arrangement.points,
        confidence=confidence,
        units="px" if flat else None,
        up="-y" if flat else None,
        name=name,
        notes=(*notes, *more, *arrangement.notes),
    )


FORMATS.add(
    "deeplabcut",
    Format(
        suffixes=(".csv", ".h5", ".hdf5"),
        read=read,
        looks_like="DeepLabCut's CSV or HDF5",
        recognises=recognises,
        files_a_task=4,
    ),
)
