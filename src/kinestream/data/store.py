"""The store: a folder with all prepared recordings of a data set, full length, end to end, memory-mapped.

    joints.npy       float32 (frames, m, v, c), the recordings one after the other, metres
    recordings.csv   a row each: name, file, label, subject, camera, session, setup, repetition, fps, filled, masked,
                     offset, length, crc32
    store.json       schema, data set, layout, classes, splits, preparation, counts, checksums of the tables
    segments.csv     only where recordings are whole videos: name, label, start, end of each labelled part

Every recording has its own checksum, looked at when it is read: a store that was cut or edited says so at once, and no
pass over all data is needed to open it.
"""

import csv
import dataclasses
import hashlib
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, Int64

from kinestream.data.npy import HEADER_BYTES, header, map_array
from kinestream.data.preparation import Preparation, preparation_of
from kinestream.data.recording import Recording, Segment, Source
from kinestream.data.split import Part, Split, SplitField
from kinestream.documents import read_json
from kinestream.files import write_json
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.tables import Line, parse_table, whole_number
from kinestream.words import plain_name, plain_text, reason, shown

SCHEMA = 4
_WHO = ("subject", "camera", "session")
_COLUMNS = (
    *("name", "file", "label", *_WHO, "setup", "repetition", "fps", "filled", "masked", "offset", "length", "crc32"),
)
_SEGMENT_COLUMNS = ("name", "label", "start", "end")


class StoreError(ValueError):
    """A store that cannot be used: which, why, what to do."""


@dataclass(frozen=True, kw_only=True)
class StoreInfo:
    """What `store.json` says."""

    dataset: str
    title: str
    layout: SkeletonLayout
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    preparation: str
    most_bodies: int
    recordings: int
    frames: int
    table_sha256: str
    excluded: int
    """Recordings left out because the official list says that they have no skeleton."""
    rejected: int
    """Files and rows of label files left out with a reason, in `rejected.csv`."""
    segments_sha256: str | None = None
    """Checksum of `segments.csv`, where recordings are whole videos; None where each is one action."""
    fps: float | int | None = None
    """Frames a second of all recordings; None where it is not known, or differs (see the table)."""
    subjects: tuple[str, ...] = ()
    """Names of the subjects 1, 2, ...; empty where they are numbered by the data set. So for those below."""
    cameras: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out, filled in or taken for granted when the store was made."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """`recordings.csv`: one entry each, in the order of the frames. `label` counts from 0; -1 is that of a whole video,
    whose labels are its segments."""

    name: tuple[str, ...]
    file: tuple[str, ...]
    """Stem of the raw file that each was read from; many may be cut from one."""
    label: Int64[np.ndarray, " n"]
    subject: Int64[np.ndarray, " n"]
    camera: Int64[np.ndarray, " n"]
    session: Int64[np.ndarray, " n"]
    setup: Int64[np.ndarray, " n"]
    repetition: Int64[np.ndarray, " n"]
    fps: Float64[np.ndarray, " n"]
    """Frames a second; NaN where it is not known."""
    filled: Int64[np.ndarray, " n"]
    """Joints that were not seen and are interpolated, over all frames and bodies."""
    masked: Int64[np.ndarray, " n"]
    """Those that were unseen too long for that: they stand where the next joint towards the root is."""
    offset: Int64[np.ndarray, " n"]
    length: Int64[np.ndarray, " n"]
    crc32: Int64[np.ndarray, " n"]

    def values(self, field: SplitField) -> np.ndarray:
        """As splits count them: classes from 1."""
        return np.asarray(getattr(self, field)) if field != "label" else self.label + 1


class Store:
    """A store on disk, open for reading.

    Raises StoreError when the folder is no store, is damaged, or was made by a newer kinestream.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info = _read_info(path)
        self.table = _read_table(path, self.info)
        self._segments = _read_segments(path, self.info, self.table)
        self._joints = _map_joints(path, self.info)

    def __len__(self) -> int:
        return self.info.recordings

    def __repr__(self) -> str:
        info = self.info
        count = len(info.classes)
        classes = f"{count} class{'es' if count > 1 else ''}" if count else "no labels"
        splits = f"splits {', '.join(info.splits)}" if info.splits else "no splits"
        return (
            f"Store({str(self.path)!r}: {info.title}, {info.recordings:,} recordings of {info.frames:,} frames, "
            f"{info.layout.name}, preparation {info.preparation}, {classes}, {splits})"
        )

    def to_pandas(self) -> Any:
        """The table of recordings as a pandas `DataFrame`, a row each, with the names of classes. Raises ValueError
        where pandas is not installed."""
        try:
            import pandas as pd
        except ModuleNotFoundError:
            raise ValueError("this needs pandas: pip install pandas") from None
        names = [self.info.classes[label] if label >= 0 else None for label in self.table.label.tolist()]
        columns = {column: list(getattr(self.table, column)) for column in _COLUMNS}
        return pd.DataFrame({"name": columns.pop("name"), "class": names, **columns})

    @property
    def layout(self) -> SkeletonLayout:
        return self.info.layout

    @property
    def preparation(self) -> Preparation:
        return preparation_of(self.info.preparation)

    @property
    def continuous(self) -> bool:
        """Whether the recordings are whole videos with many actions each."""
        return self.info.segments_sha256 is not None

    @property
    def is_labelled(self) -> bool:
        """Whether each recording is of a class."""
        return bool(self.info.classes) and not self.continuous and bool((self.table.label >= 0).all())

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """The label of each recording, from 0; -1 for one that has none. Raises StoreError where no recording has one,
        or recordings are whole videos, which have many."""
        if self.continuous:
            raise StoreError(
                f"{self.path} holds whole videos, which have no label of their own: evaluate on a store that was "
                "prepared without --continuous"
            )
        if not self.info.classes:
            raise StoreError(f"{self.path} has no labels, and this needs some: prepare its recordings with labels")
        return self.table.label

    @cached_property
    def performances(self) -> Int64[np.ndarray, " n"]:
        """A number for each recording, the same for those that show one performance from several cameras: those whose
        action, subject, setup and repetition are the same, as data sets number them. Where a camera of the store
        would have recorded one twice (recordings that tell no such numbers), each is for itself."""
        table = self.table
        told = np.stack([table.label, table.subject, table.setup, table.repetition], axis=1)
        numbers = np.unique(told, axis=0, return_inverse=True)[1].reshape(-1)
        shots, count = np.unique(np.stack([numbers, table.camera], axis=1), axis=0, return_counts=True)
        doubtful = np.isin(numbers, shots[count > 1, 0]) | (told == (-1, 0, 0, 0)).all(axis=1)
        return np.where(doubtful, len(numbers) + np.arange(len(numbers)), numbers)

    def share_performances(self, indices: Int64[np.ndarray, " _"]) -> bool:
        """Whether any two of these recordings show one performance."""
        return len(np.unique(self.performances[indices])) < len(indices)

    def segments(self, index: int) -> tuple[Segment, ...]:
        """The labelled parts of a whole video, as its label file has them; none where recordings are single actions."""
        return self._segments.get(self.table.name[index], ())

    @cached_property
    def fingerprint(self) -> str:
        """Names the content: two stores with the same have the same recordings, prepared alike."""
        return hashlib.sha256(f"{self.info.table_sha256} {self.info.preparation}".encode()).hexdigest()

    def joints(self, index: int) -> Float32[np.ndarray, "t m v c"]:
        """One recording as prepared, full length. Raises StoreError when its checksum does not fit."""
        offset, length = int(self.table.offset[index]), int(self.table.length[index])
        joints = self._joints[offset : offset + length]
        if zlib.crc32(joints.data) != self.table.crc32[index]:
            raise StoreError(
                f"{self.path}: recording {self.table.name[index]} is not as it was written (checksum): "
                "the store was edited or damaged, prepare it again"
            )
        return joints

    def recordings(self, indices: Int64[np.ndarray, " n"] | None = None) -> Iterator[Recording]:
        """The recordings, as they were prepared; all of them, or those asked for."""
        table, classes = self.table, self.info.classes
        for index in (np.arange(len(self)) if indices is None else indices).tolist():
            label = int(table.label[index])
            yield Recording(
                self.joints(index),
                self.layout,
                fps=self.rate(index),
                name=table.name[index],
                label=classes[label] if label >= 0 else None,
                subject=self.who("subject", index),
                camera=self.who("camera", index),
                session=self.who("session", index),
                segments=self.segments(index),
            )

    def rate(self, index: int) -> float | None:
        """Frames a second of a recording; None where it is not known."""
        rate = float(self.table.fps[index])
        return rate if math.isfinite(rate) else None

    def who(self, what: str, index: int) -> str | int | None:
        """Name or number of the subject, camera or session of a recording; None where it is not known."""
        number, names = int(getattr(self.table, what)[index]), getattr(self.info, f"{what}s")
        return names[number - 1] if names and number else number or None

    def content_key(self, index: int) -> tuple[int, int]:
        """Length and checksum of a recording: equal for equal content, and by chance for others."""
        return int(self.table.length[index]), int(self.table.crc32[index])

    def index_of(self, name: str) -> int:
        """Where the recording of that name stands. Raises StoreError when there is none."""
        try:
            return self.table.name.index(name)
        except ValueError:
            some = ", ".join(self.table.name[:3])
            raise StoreError(f"{self.path} has no recording '{name}': names there are like {some}") from None

    @property
    def usual_splits(self) -> tuple[str, ...]:
        """Those that may be meant where nobody names one: with published counts, or all where none has. One that serves
        to choose settings is not."""
        splits = self.info.splits
        return tuple(name for name, split in splits.items() if split.published is not None) or tuple(splits)

    @property
    def usual_split(self) -> str | None:
        """The split that is meant where nobody names one: the only one with published counts, or the only one; None
        where there is none. Raises StoreError where several are as good."""
        usual = self.usual_splits
        if len(usual) > 1:
            raise StoreError(f"say which split, for {self.path} has several: {', '.join(self.info.splits)}")
        return usual[0] if usual else None

    def select(self, split: str | None, part: Part) -> Int64[np.ndarray, " n"]:
        """Indices of the recordings of one part of a split; without a split all are for training. Raises StoreError for
        an unknown split."""
        if split is None:
            return np.arange(len(self) if part == "train" else 0)
        if split not in self.info.splits:
            known = ", ".join(self.info.splits)
            raise StoreError(f"{self.path} ({self.info.dataset}) has no split '{split}': choose from {known}")
        rule = self.info.splits[split]
        belongs = rule.is_training if part == "train" else rule.is_testing
        return np.flatnonzero(belongs(self.table.values(rule.field), self.table.camera, self.table.values("label")))


@runtime_checkable
class Description(Protocol):
    """What a store tells about the data set that its recordings are of; every `Dataset` is one."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def splits(self) -> Mapping[str, Split]: ...


def open_store(path: str | Path) -> Store:
    """A store on disk, for reading. Raises StoreError when the folder is no store, or is damaged.

    Example:
        >>> open_store("store/")  # doctest: +SKIP
        Store('store': walks, 12 recordings of 4,310 frames, mediapipe33, preparation tracked, no labels, no splits)
    """
    return Store(Path(path))


class StoreWriter:
    """Writes a store into an existing empty folder; the caller gives the folder its name when it is whole.

    Use as a context manager; `finish` writes the tables and `store.json`. `continuous` is for whole videos, of which
    each has its segments.
    """

    def __init__(self, folder: Path, layout: SkeletonLayout, most_bodies: int, *, continuous: bool = False) -> None:
        self._folder = folder
        self._layout = layout
        self._most_bodies = most_bodies
        self._continuous = continuous
        self._segments: list[tuple[str | int, ...]] = []
        self._frames = 0
        self._rows: list[tuple[str | int, ...]] = []
        self._named: dict[str, tuple[str, ...]] = {}
        self._file = (folder / "joints.npy").open("wb")
        self._file.write(bytes(HEADER_BYTES))

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def copies(self) -> int:
        """How many recordings have the content of one before them (see `Store.content_key`)."""
        return len(self._rows) - len({(row[-2], row[-1]) for row in self._rows})

    def add(
        self,
        source: Source,
        joints: Float32[np.ndarray, "t m v c"],
        segments: Sequence[Segment] = (),
        *,
        fps: float | int | None = None,
        filled: int = 0,
        masked: int = 0,
        who: Sequence[str | int] | None = None,
        file: str | None = None,
    ) -> None:
        """Appends a prepared recording; `who` are subject, camera and session by name or number where `source` does not
        number them, `file` is what it is cut from where that is not its path. Raises ValueError when its shape does not
        fit the store."""
        expected = (len(joints), self._most_bodies, len(self._layout.joints), 3)
        if joints.shape != expected or not len(joints):
            raise ValueError(f"recording {source.name} has shape {joints.shape}, {expected} was expected")
        wrong = next((entry for entry in segments if not 0 <= entry.start < entry.end <= len(joints)), None)
        if wrong is not None:
            raise ValueError(
                f"recording {source.name} has {len(joints)} frames, and a segment from {wrong.start} to {wrong.end}"
            )
        joints = np.ascontiguousarray(joints)
        self._file.write(joints.data)
        self._rows.append(
            (
                *(source.name, source.path.stem if file is None else file, source.action - 1),
                *(who or (source.subject or "", source.camera or "", "")),
                *(source.setup, source.repetition, "" if fps is None else f"{fps:g}", filled, masked),
                *(self._frames, len(joints), zlib.crc32(joints.data)),
            )
        )
        self._segments += [(source.name, entry.label, entry.start, entry.end) for entry in segments]
        self._frames += len(joints)

    def keep_bodies(self, count: int) -> None:
        """Writes the joints again with places for so many bodies only, where there are more: no recording has them."""
        if count >= self._most_bodies:
            return
        self._file.close()
        path, wide = self._folder / "joints.npy", self._folder / "wide"
        path.replace(wide)
        shape = (self._frames, self._most_bodies, len(self._layout.joints), 3)
        joints = np.memmap(wide, np.float32, "r", HEADER_BYTES, shape)
        self._most_bodies = count
        self._file = path.open("wb")
        self._file.write(bytes(HEADER_BYTES))
        rows = []
        for *told, offset, length, _ in self._rows:
            kept = np.ascontiguousarray(joints[int(offset) : int(offset) + int(length), : self._most_bodies])
            self._file.write(kept.data)
            rows.append((*told, offset, length, zlib.crc32(kept.data)))
        self._rows = rows
        wide.unlink()

    def label(self, numbers: Sequence[int]) -> None:
        """Gives every recording its class, by number from 0; -1 for none."""
        place = _COLUMNS.index("label")
        self._rows = [
            (*row[:place], number, *row[place + 1 :]) for row, number in zip(self._rows, numbers, strict=True)
        ]

    def told(self) -> tuple[list[str], dict[str, Int64[np.ndarray, " n"]]]:
        """The file of each recording, and the numbers of its subject, camera and session, once they have numbers."""
        places = {what: _COLUMNS.index(what) for what in _WHO}
        files = [str(row[_COLUMNS.index("file")]) for row in self._rows]
        return files, {
            what: np.asarray([int(row[place]) for row in self._rows], dtype=np.int64) for what, place in places.items()
        }

    def number_names(self) -> dict[str, tuple[str, ...]]:
        """Numbers the subjects, cameras and sessions that have names, in alphabetical order from 1, and tells the
        names. Where all are whole numbers above 0, these stay."""
        named: dict[str, tuple[str, ...]] = {}
        for what in _WHO:
            place = _COLUMNS.index(what)
            values = [str(row[place]).strip() for row in self._rows]
            known = sorted(set(values) - {""}, key=lambda value: (len(value) if value.isdigit() else 10, value))
            if what in self._named or all(_is_number(value) for value in known):
                numbers = {value: int(value or 0) for value in values}
                named[what] = self._named.setdefault(what, ())
            else:
                numbers = {"": 0} | {name: number for number, name in enumerate(known, start=1)}
                named[what] = self._named[what] = tuple(known)
            self._rows = [
                (*row[:place], numbers[value], *row[place + 1 :]) for row, value in zip(self._rows, values, strict=True)
            ]
        return named

    def finish(
        self,
        dataset: Description,
        preparation: Preparation,
        *,
        excluded: int,
        rejected: int,
        fps: float | int | None = None,
        notes: Sequence[str] = (),
    ) -> StoreInfo:
        """Writes header, table and description. Raises ValueError where two recordings have one name."""
        names = Counter(str(row[_COLUMNS.index("name")]) for row in self._rows)
        if names and (twice := names.most_common(1)[0])[1] > 1:
            raise ValueError(f"{twice[1]} recordings have the name {shown(twice[0])}: give each its own")
        shape = (self._frames, self._most_bodies, len(self._layout.joints), 3)
        self._file.seek(0)
        self._file.write(header(shape))
        self._file.flush()
        named = self.number_names()
        table = _write_table(self._folder / "recordings.csv", _COLUMNS, self._rows)
        segments = None
        if self._continuous:
            segments = _write_table(self._folder / "segments.csv", _SEGMENT_COLUMNS, self._segments)
        info = StoreInfo(
            dataset=dataset.name,
            title=dataset.title,
            layout=self._layout,
            classes=dataset.classes,
            splits=dataset.splits,
            preparation=preparation.name,
            most_bodies=self._most_bodies,
            recordings=len(self._rows),
            frames=self._frames,
            table_sha256=table,
            excluded=excluded,
            rejected=rejected,
            segments_sha256=segments,
            fps=fps,
            notes=tuple(notes),
            subjects=named["subject"],
            cameras=named["camera"],
            sessions=named["session"],
        )
        write_json(self._folder / "store.json", _info_to_dict(info))
        return info


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 10 and int(value) > 0


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    """Writes a CSV file and returns its checksum."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _info_to_dict(info: StoreInfo) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        **{key: value for key, value in vars(info).items() if key not in ("layout", "classes", "splits")},
        "layout": info.layout.to_dict(),
        "classes": list(info.classes),
        "splits": {name: split.to_dict() for name, split in info.splits.items()},
    }


def _read_info(path: Path) -> StoreInfo:
    file = path / "store.json"
    if not path.is_dir():
        raise StoreError(f"no store at {path}: make one with 'kinestream prepare'")
    if not file.is_file():
        raise StoreError(f"{path} is no store (no store.json): make one with 'kinestream prepare'")
    try:
        plain = read_json(file, remedy="prepare the store again")
    except ValueError as error:
        raise StoreError(str(error)) from None
    schema = plain.pop("schema", None)
    if schema != SCHEMA:
        newer = isinstance(schema, int) and schema > SCHEMA
        advice = "update kinestream" if newer else "prepare it again"
        raise StoreError(f"{path} has schema {shown(schema, 20)}, this kinestream reads {SCHEMA}: {advice}")
    try:
        splits = {name: Split.from_dict(name, split) for name, split in plain.pop("splits").items()}
        classes = _texts(plain.pop("classes"), "classes")
        info = StoreInfo(
            layout=SkeletonLayout.from_dict(plain.pop("layout")),
            classes=classes,
            splits=MappingProxyType(splits),
            notes=tuple(str(note) for note in plain.pop("notes")),
            subjects=_texts(plain.pop("subjects"), "subjects"),
            cameras=_texts(plain.pop("cameras"), "cameras"),
            sessions=_texts(plain.pop("sessions"), "sessions"),
            **plain,
        )
        for entry in dataclasses.fields(StoreInfo):
            if entry.type in (str, int) and type(plain[entry.name]) is not entry.type:
                raise TypeError(f"'{entry.name}' is {shown(plain[entry.name])}")
        if not isinstance(info.segments_sha256, str | None):
            raise TypeError(f"'segments_sha256' is {shown(info.segments_sha256)}")
        if info.fps is not None and not (isinstance(info.fps, int | float) and 0 < info.fps < 100_000):
            raise TypeError(f"'fps' is {shown(info.fps)}")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise StoreError(f"{file} was edited or damaged ({reason(error)}): prepare the store again") from None
    try:
        preparation_of(info.preparation)
    except ValueError:
        raise StoreError(
            f"{path} has the unknown preparation '{shown(info.preparation)}': update kinestream, or name the "
            "plug-in that brings it (KINESTREAM_PLUGINS)"
        ) from None
    return info


def _texts(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"'{key}' is no list of names")
    names = tuple(map(plain_text, value))
    if len(set(names)) < len(names):
        raise ValueError(f"'{key}' has a name twice")
    return names


def _read_table(path: Path, info: StoreInfo) -> Table:
    file = path / "recordings.csv"
    rows = _read_rows(file, info.table_sha256, _COLUMNS)
    names, files, *numbers = zip(*(cells for _, cells in rows), strict=True) if rows else [()] * len(_COLUMNS)
    try:
        columns = {
            column: np.asarray([value or "nan" for value in values], dtype=np.float64 if column == "fps" else np.int64)
            for column, values in zip(_COLUMNS[2:], numbers, strict=True)
        }
        fps = columns["fps"]
        for what in _WHO:
            most = len(getattr(info, f"{what}s")) or 2**31
            if columns[what].min(initial=0) < 0 or columns[what].max(initial=0) > most:
                raise ValueError(f"a {what} that has no name")
        if any(columns[what].min(initial=0) < 0 for what in ("filled", "masked")):
            raise ValueError("a number of joints below 0")
        if not (np.isnan(fps) | ((fps > 0) & (fps < 100_000))).all():
            raise ValueError("frames a second that cannot be")
    except (ValueError, OverflowError) as error:
        raise StoreError(f"{file} was edited or damaged ({reason(error)}): prepare the store again") from None
    table = Table(name=tuple(map(plain_name, names)), file=tuple(map(plain_name, files)), **columns)
    _check_rows(path, info, table)
    classes = int(table.label.max(initial=-1)) + 1
    if table.label.min(initial=0) < -1 or (info.segments_sha256 is None and (path / "segments.csv").exists()):
        raise StoreError(f"{path / 'store.json'} has lost the checksum of segments.csv: prepare the store again")
    if len(table.name) != info.recordings or classes > len(info.classes):
        raise StoreError(
            f"{path / 'store.json'} says {info.recordings} recordings of {len(info.classes)} classes, recordings.csv "
            f"has {len(table.name)} of {classes}: it was edited, prepare the store again"
        )
    return table


def _check_rows(path: Path, info: StoreInfo, table: Table) -> None:
    """Raises StoreError where two recordings have one name, or share frames, or have some that are not there."""
    file = path / "recordings.csv"
    if "" in table.name:
        raise StoreError(f"{file} has a recording without a name: it was edited, prepare the store again")
    if len(set(table.name)) < len(table.name):
        twice = next(name for name, count in Counter(table.name).items() if count > 1)
        raise StoreError(f"{file} has two recordings of the name {shown(twice)}: give each its own, prepare them again")
    # As the writer leaves them: one after the other.
    begins = np.cumsum(table.length) - table.length
    frames = min(info.frames, 2**62)  # so that no sum here is beyond what 64 bits hold
    wrong = (table.length < 1) | (table.offset != begins) | (table.offset > frames - table.length)
    if wrong.any():
        at = int(wrong.argmax())
        raise StoreError(
            f"{file}: recording {shown(table.name[at])} has {table.length[at]} frames from {table.offset[at]} on, "
            f"where those before it end at {begins[at]} and there are {info.frames}: it was edited, prepare the store "
            "again"
        )


def _read_segments(path: Path, info: StoreInfo, table: Table) -> Mapping[str, tuple[Segment, ...]]:
    """The labelled parts of each whole video, by its name."""
    if info.segments_sha256 is None:
        return {}
    found: dict[str, list[Segment]] = {name: [] for name in table.name}
    lengths = dict(zip(table.name, table.length.tolist(), strict=True))
    for line, (called, *numbers) in _read_rows(path / "segments.csv", info.segments_sha256, _SEGMENT_COLUMNS):
        name = plain_name(called)
        try:
            label, start, end = (whole_number(number, most=info.frames) for number in numbers)
            known = found[name] if label < len(info.classes) and start < end <= lengths[name] else None
        except (ValueError, KeyError):
            known = None
        if known is None:
            raise StoreError(
                f"{path / 'segments.csv'} does not go with store.json (line {line}): it was edited, prepare it again"
            )
        known.append(Segment(label=label, start=start, end=end))
    return {name: tuple(segments) for name, segments in found.items()}


def _read_rows(file: Path, sha256: str, columns: Sequence[str]) -> list[Line]:
    """The rows of a table below its heading."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise StoreError(f"{file.parent} has lost its {file.name}: prepare the store again") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StoreError(f"{file} is not as it was written (checksum): it was edited or damaged, prepare it again")
    try:
        return list(parse_table(content, columns))
    except ValueError as error:
        raise StoreError(f"{file} was edited or damaged ({error}): prepare the store again") from None


def _map_joints(path: Path, info: StoreInfo) -> Float32[np.ndarray, "frames m v c"]:
    file = path / "joints.npy"
    expected = (info.frames, info.most_bodies, len(info.layout.joints), 3)
    try:
        joints = map_array(file)
    except FileNotFoundError:
        raise StoreError(f"{path} has lost its joints.npy: prepare the store again") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{file} was cut or damaged ({reason(error)}): prepare the store again") from None
    if joints.shape != expected or joints.dtype != np.float32:
        raise StoreError(
            f"{file} holds {joints.dtype} {joints.shape}, store.json says float32 {expected}: "
            "it was edited, prepare the store again"
        )
    return np.asarray(joints)


def batches(count: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover `count`, in order."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
