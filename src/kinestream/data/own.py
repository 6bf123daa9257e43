"""Recordings of one's own, from files or from memory, written as a store."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32

from kinestream.data.durations import Windows
from kinestream.data.gaps import close_gaps
from kinestream.data.listing import Entry
from kinestream.data.people import each_person
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.reading import Files, recordings_of
from kinestream.data.recording import Recording, RecordingError, Source
from kinestream.data.rejected import Rejected, stop_if_most, write_rejected
from kinestream.data.split import Split
from kinestream.data.splitting import AskedSplit, check_splits, splits_of
from kinestream.data.store import Store, StoreWriter, batches
from kinestream.data.tracks import join_tracks
from kinestream.data.understanding import Facts, Told
from kinestream.data.workers import in_processes
from kinestream.files import new_folder
from kinestream.skeleton.layout import SkeletonLayout

People = int | Literal["each"] | None
MOST_PEOPLE = 2
"""Bodies kept of a recording where nobody says how many."""
_FILES_A_TASK = 8


@dataclass(frozen=True, kw_only=True)
class Way:
    """How each recording is prepared; it goes to other processes."""

    layout: SkeletonLayout
    preparation: str | None = None
    """`tracked`, or `planar` in 2D, if None."""
    people: People = None
    windows: Windows | None = None

    @property
    def most(self) -> int:
        if self.people == "each":
            return 1
        return self.people or MOST_PEOPLE


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A row of the store to be."""

    name: str
    file: str
    label: str | None
    who: tuple[str, str, str]
    """Subject, camera and session; empty where they are not known."""
    fps: float | None
    joints: Float32[np.ndarray, "t m v c"]
    filled: int
    masked: int
    preparation: str


@dataclass(kw_only=True)
class Tally:
    """What is to be told of the recordings that went into a store."""

    counts: Counter[str] = field(default_factory=Counter)
    seen: int = 1
    """The most bodies of a recording."""

    def add(self, other: "Tally") -> None:
        self.counts.update(other.counts)
        self.seen = max(self.seen, other.seen)

    def notes(self, way: Way, preparation: str) -> Iterator[str]:
        count = self.counts
        if count["filled"]:
            yield f"{count['filled']:,} joints that were not seen for a moment are interpolated"
        if count["masked"]:
            yield (
                f"{count['masked']:,} joints were not seen for longer, in {count['masked recordings']} recordings: "
                "they stand where the next joint towards the root is"
            )
        if count["crowded"]:
            yield (
                f"{count['crowded']} recordings have more than {way.most} bodies: those that move least are left out, "
                f"{count['crowded frames']:,} frames of bodies in all"
            )
        if count["noisy"]:
            yield (
                f"{count['noisy']} recordings have bodies that '{preparation}' takes for noise and leaves out (seldom "
                "seen, or wider than high)"
            )
        if count["joined"]:
            yield f"{count['joined']} tracking numbers are those of a person who had another before, and are joined"
        if count["passers"]:
            yield (
                f"{count['passers']} bodies are noise, or seen too shortly to be a recording of their own, and are "
                "left out"
            )


@dataclass(frozen=True, kw_only=True)
class Made:
    """What came out of one file, or of one recording held in memory."""

    rows: tuple[Prepared, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    tally: Tally = field(default_factory=Tally)


# --- one recording --------------------------------------------------------------------------------------------------


def make_rows(recording: Recording, entries: Sequence[Entry], way: Way, where: Path) -> Made:
    """The rows that a recording gives: one, or one for each entry, person and window."""
    rows: list[Prepared] = []
    rejected: list[Rejected] = []
    tally = Tally()
    for number, entry in enumerate(entries or (Entry(),), start=1):
        try:
            part = _with_entry(recording, entry, number if len(entries) > 1 else None)
            rows += _of_part(part, recording.name or where.stem, way, tally)
        except RecordingError as error:
            rejected.append(Rejected(path=where, reason=error.reason, line=entry.line or error.line))
    return Made(rows=tuple(rows), rejected=tuple(rejected), tally=tally)


def _with_entry(recording: Recording, entry: Entry, number: int | None) -> Recording:
    """A recording, or the part of it that an entry is about, with what that says of it."""
    part = recording
    if entry.start is not None:
        begin = entry.start.frames(recording.fps)
        end = len(recording) if entry.end is None else entry.end.frames(recording.fps)
        if not 0 <= begin < end <= len(recording):
            raise RecordingError(f"frames {begin} to {end} of a recording of {len(recording)}: out of range")
        part = recording.cut(slice(begin, end))
    name = entry.name or (f"{recording.name}-{number}" if number is not None else recording.name)
    told = {what: value for what in ("label", "subject", "camera", "session") if (value := getattr(entry, what))}
    return dataclasses.replace(part, name=name, **told)


def _of_part(recording: Recording, file: str, way: Way, tally: Tally) -> Iterator[Prepared]:
    bodies = join_tracks(recording.joints, recording.bodies, recording.fps)
    if bodies is not recording.bodies:
        tally.counts["joined"] += len(np.unique(recording.bodies)) - len(np.unique(bodies))
        recording = dataclasses.replace(recording, bodies=bodies)
    people = [recording]
    if way.people == "each":
        people, left_out = each_person(recording)
        tally.counts["passers"] += len(left_out)
    for one in people:
        yield from _of_people(one, file, way, tally)


def _of_people(recording: Recording, file: str, way: Way, tally: Tally) -> Iterator[Prepared]:
    chosen = PREPARATIONS.get(way.preparation or ("planar" if recording.planar else "tracked"))
    joints, bodies, filled, masked = close_gaps(recording.joints, recording.bodies, way.layout, recording.fps)
    whole = dataclasses.replace(recording, joints=joints, bodies=bodies)
    label = None if recording.label is None else str(recording.label)
    cuts = [slice(0, len(whole))] if way.windows is None else list(way.windows.of(len(whole), whole.fps))
    for cut in cuts:
        part = whole if cut == slice(0, len(whole)) else whole.cut(cut)
        cleaned = chosen.clean(part, way.layout, way.most).astype(np.float32)
        _count(part, cleaned, way.most, tally)
        share = (cut.stop - cut.start) / len(whole)
        yield Prepared(
            name=recording.name if part is whole else f"{recording.name}@{_span(cut, whole.fps)}",
            file=file,
            label=label,
            who=(_text(recording.subject), _text(recording.camera), _text(recording.session)),
            fps=recording.fps,
            joints=cleaned,
            filled=round(filled * share),
            masked=round(masked * share),
            preparation=chosen.name,
        )
    tally.counts["filled"] += filled
    tally.counts["masked"] += masked
    tally.counts["masked recordings"] += masked > 0


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)


def _span(cut: slice, fps: float | None) -> str:
    if fps is None:
        return f"{cut.start}f-{cut.stop}f"
    return f"{cut.start / fps:.2f}-{cut.stop / fps:.2f}"


def _count(recording: Recording, cleaned: np.ndarray, most: int, tally: Tally) -> None:
    numbers, frames = np.unique(recording.bodies[recording.bodies > 0], return_counts=True)
    bodies = len(numbers)
    if bodies > most:
        tally.counts["crowded"] += 1
        tally.counts["crowded frames"] += int(np.sort(frames)[:-most].sum())
    tally.counts["noisy"] += int(cleaned.any(axis=(0, 2, 3)).sum()) < min(bodies, most)
    tally.seen = max(tally.seen, bodies)


# --- many -----------------------------------------------------------------------------------------------------------


def made_from_files(
    files: Files, entries: Mapping[Path, tuple[Entry, ...]] | None, way: Way, processes: int
) -> Iterator[Made]:
    """What the files give, in their order; those that `entries` does not name are passed over."""
    items = [
        (source, () if entries is None else entries[source.path])
        for source in files.sources
        if entries is None or source.path in entries
    ]
    if processes <= 1 or len(items) <= len(files.sample):
        for source, told in items:
            held = files.sample.get(source.path)
            yield _with_paths(_of_file(files.format, files.facts, files.told, way, source, told, held), files)
        return
    portions = (tuple(items[rows]) for rows in batches(len(items), _FILES_A_TASK))
    work = partial(_some_files, files.format, files.facts, files.told, way)
    for made in in_processes(work, portions, processes):
        yield _with_paths(made, files)


def _some_files(
    form: str, facts: Facts, told: Told, way: Way, items: Sequence[tuple[Source, tuple[Entry, ...]]]
) -> list[Made]:
    return [_of_file(form, facts, told, way, source, entries) for source, entries in items]


def _of_file(
    form: str, facts: Facts, told: Told, way: Way, source: Source, entries: Sequence[Entry], held: object = None
) -> Made:
    rows: list[Prepared] = []
    rejected: list[Rejected] = []
    tally = Tally()
    for _, one in recordings_of(form, source, facts, told, held):  # type: ignore[arg-type]
        if isinstance(one, Rejected):
            rejected.append(one)
            continue
        made = make_rows(one, entries, way, source.path)
        rows += made.rows
        rejected += made.rejected
        tally.add(made.tally)
    return Made(rows=tuple(rows), rejected=tuple(rejected), tally=tally)


def _with_paths(made: Made, files: Files) -> Made:
    rejected = tuple(dataclasses.replace(one, path=files.folder.called(one.path)) for one in made.rejected)
    return dataclasses.replace(made, rejected=rejected)


# --- the store ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Description:
    """What the store says of recordings that are of no data set."""

    title: str
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    name: str = ""


def write_store(
    out: Path,
    made: Iterable[Made],
    total: int,
    way: Way,
    *,
    splits: Sequence[AskedSplit | Split],
    title: str,
    notes: Sequence[str] = (),
    base: Path | None = None,
    keep_going: bool = False,
    tell: Callable[[int], None] = lambda done: None,
) -> Store:
    """Writes what `made` gives as a store, or nothing at all.

    Raises ValueError where nothing can be used or, unless `keep_going`, most cannot; where a split leaves one part
    empty; and where `out` exists.
    """
    with new_folder(out) as folder:
        with StoreWriter(folder, way.layout, way.most) as writer:
            tell(0)
            rows = _Rows(writer)
            tally = Tally()
            refused: list[Rejected] = []
            for number, one in enumerate(made, start=1):
                tally.add(one.tally)
                refused += [*one.rejected, *(again for row in one.rows if (again := rows.add(row)) is not None)]
                tell(number)
            stop_if_most(refused, len(refused) + len(writer), keep_going=keep_going)
            write_rejected(folder, refused, base)
            said = [*notes, *tally.notes(way, rows.preparation), *rows.notes()]
            if refused:
                said.append(f"{len(refused)} recordings cannot be used, see rejected.csv")
            if way.people is None:
                writer.keep_bodies(tally.seen)
            classes = rows.number_labels()
            description = _Description(title=title, classes=classes, splits=splits_of(splits, writer))
            writer.finish(
                description,
                PREPARATIONS.get(rows.preparation),
                excluded=0,
                rejected=len(refused),
                fps=next(iter(rows.rates)) if len(rows.rates) == 1 else None,
                notes=said,
            )
        check_splits(Store(folder))
    return Store(out)


class _Rows:
    """Hands rows to the writer, and remembers what is to be known of all."""

    def __init__(self, writer: StoreWriter) -> None:
        self._writer = writer
        self._names: set[str] = set()
        self._labels: list[str | None] = []
        self.rates: set[float | None] = set()
        self.preparation = ""

    def add(self, row: Prepared) -> Rejected | None:
        reason = self._refused(row)
        if reason:
            return Rejected(path=Path(row.file), reason=reason)
        self.preparation = row.preparation
        self._writer.add(
            Source(path=Path(row.file), name=row.name),
            row.joints,
            fps=row.fps,
            filled=row.filled,
            masked=row.masked,
            who=row.who,
            file=row.file,
        )
        self._names.add(row.name)
        self._labels.append(row.label)
        self.rates.add(row.fps)
        return None

    def _refused(self, row: Prepared) -> str:
        if not row.name.strip() or not row.name.isprintable() or len(row.name) > 200:
            return "its name is empty, too long, or cannot be printed"
        if row.name in self._names:
            return f"a second recording of the name '{row.name}'"
        if self.preparation and row.preparation != self.preparation:
            return f"it needs preparation '{row.preparation}', the first recordings '{self.preparation}'"
        return ""

    def number_labels(self) -> tuple[str, ...]:
        """The classes: in the order in which they come, or of their numbers where all are numbers."""
        classes = list(dict.fromkeys(label for label in self._labels if label is not None))
        if all(label.isascii() and label.isdigit() for label in classes):
            classes.sort(key=int)
        numbers = {label: number for number, label in enumerate(classes)}
        self._writer.label([-1 if label is None else numbers[label] for label in self._labels])
        return tuple(classes)

    def notes(self) -> Iterator[str]:
        unlabelled = sum(label is None for label in self._labels)
        if 0 < unlabelled < len(self._labels):
            yield f"{unlabelled} of {len(self._labels)} recordings have no label"
        if copies := self._writer.copies:
            yield f"{copies} recordings are exact copies of another: 'kinestream check' names them"
        if len(self.rates) > 1:
            told = ", ".join("unknown" if rate is None else f"{rate:g}" for rate in sorted(self.rates, key=str)[:8])
            yield f"recordings differ in their frame rate ({told}): the table of the store has that of each"
