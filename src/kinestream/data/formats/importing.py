"""From a file or folder of others to a store: what it is is told by its content, what cannot be used is listed."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kinestream.data.datasets import Dataset
from kinestream.data.formats import ntu, open_collection
from kinestream.data.formats.incoming import MOST_CLASSES, Asked, ExchangeError, Incoming, Row
from kinestream.data.formats.matching import describe, refuse_duplicates, splits_taken
from kinestream.data.formats.numbering import check_name
from kinestream.data.gaps import close_gaps
from kinestream.data.preparation import Clean, clean_as_found, preparation_of
from kinestream.data.recording import RecordingError, Source, Units, Up
from kinestream.data.rejected import Rejected, stop_if_most, write_rejected
from kinestream.data.split import Split
from kinestream.data.splitting import ask, check_splits, splits_of
from kinestream.data.store import Store, StoreInfo, StoreWriter
from kinestream.files import new_folder
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.words import shown

_MOST_PEOPLE = 2
"""Bodies kept of a recording that is prepared here, where nobody says how many."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What `import_store` did."""

    info: StoreInfo
    form: str
    rejected: tuple[Rejected, ...]
    other_splits: int
    """Recordings that are in no part of the split that was asked for."""
    notes: tuple[str, ...]


def import_store(
    source: Path,
    out: Path,
    *,
    dataset: Dataset | None = None,
    layout: str | Path | SkeletonLayout | None = None,
    class_names: Sequence[str] = (),
    first_label: int | None = None,
    axes: str = "",
    units: Units = "m",
    up: Up = "y",
    fps: float | int | None = None,
    splits: Mapping[str, str | Split] | str | None = None,
    people: int | None = None,
    preparation: str | None = None,
    format: str | None = None,  # noqa: A002  the word of the command line
    keep_going: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Imported:
    """Writes the store `out` from what others made, or nothing at all.

    Args:
        dataset: gives class names and, where the file names its recordings, fields and splits; names, labels and parts
            of the file must agree with it.
        layout: which joints there are; needed where neither the file, nor its names, nor `dataset` says it.
        class_names: in the order of the labels, where neither the file nor `dataset` says them.
        first_label: 0 or 1, the label of the first class, where labels begin at 1 and do not show it.
        axes: the order of the axes of `x_train`, where it is not `n t (m v c)`, as in `n c t v m`.
        units: of the positions; `up` is the axis that points up, `fps` are the frames a second.
        splits: of the splits of the file the only one to take, by name, or what its two parts are called; else what is
            for training (`subject:1,3`, `random:20%`), or several of such by name. All is for training without any.
        people: bodies kept of a recording; those of `dataset`, at most two, or all of prepared clips, if None.
        preparation: what raw joints go through, or what the authors' `position` clips were made with.
        format: name of its format; told by its content if None.
        keep_going: makes a store also where more than half of the recordings cannot be used.

    Raises:
        ValueError: the source is none of the forms, damaged, leaves open which joints it has or where labels begin,
            contradicts `dataset`, or most of it is not usable.
    """
    if people is not None and people < 1:
        raise ExchangeError(f"people ({people}) must be at least 1")
    if first_label not in (None, 0, 1):
        raise ExchangeError(f"the first label is 0 or 1, not {first_label}")
    if dataset is not None and class_names:
        raise ExchangeError(f"{dataset.name} says its classes itself: leave out the names of classes")
    asked = Asked(
        layout=None if layout is None else load_layout(layout),
        dataset="" if dataset is None else dataset.name,
        dataset_layout=None if dataset is None else dataset.layout,
        class_names=tuple(class_names) if dataset is None else dataset.classes,
        first_label=first_label,
        axes=axes,
        preparation=preparation,
    )
    named = splits if isinstance(splits, str) and ":" not in splits and not splits.startswith("leave-one-") else None
    rules = {} if named else {"default": splits} if isinstance(splits, str) else splits or {}
    own = [ask(name, told) if isinstance(told, str) else told for name, told in rules.items()]
    with new_folder(out) as folder:
        incoming = open_collection(source, asked, format)
        taken = {} if own else splits_taken(incoming, named, dataset)
        refuse_duplicates(incoming, source)
        described, left_out = describe(incoming, taken, dataset, source, own=bool(own))
        work = _Work(
            incoming=incoming,
            dataset=dataset if dataset is not None and incoming.names is not None else None,
            classes=len(described.classes),
            parts=frozenset().union(*(part for file in taken.values() for part in (file.train, file.test))),
            by_rule=bool(own),
            units=units,
            up=up,
            fps=fps,
            most=people or _kept(incoming, dataset),
        )
        with StoreWriter(folder, incoming.layout, work.most) as writer:
            names = [*work.write(writer, progress)]
            stop_if_most(work.rejected, len(names) + len(work.rejected), keep_going=keep_going)
            if not names:
                raise ExchangeError(f"none of the {incoming.count} recordings of {source} is in a split that is taken")
            write_rejected(folder, work.rejected)
            notes = (*incoming.notes, *left_out, *work.notes())
            info = writer.finish(
                dataclasses.replace(described, splits=splits_of(own, writer)) if own else described,
                preparation_of(incoming.preparation),
                excluded=0,
                rejected=len(work.rejected),
                fps=next(iter(work.rates)) if len(work.rates) == 1 else None,
                notes=notes,
            )
        if own:
            check_splits(Store(folder))
    return Imported(
        info=info, form=incoming.form, rejected=tuple(work.rejected), other_splits=work.other_splits, notes=notes
    )


def _kept(incoming: Incoming, dataset: Dataset | None) -> int:
    """Bodies of a recording of the store."""
    if dataset is not None:
        return dataset.most_bodies
    return incoming.most_bodies if incoming.cleaned else min(incoming.most_bodies, _MOST_PEOPLE)


@dataclass(kw_only=True)
class _Work:
    """The way of the rows of a file into a store, and what is to be told of it."""

    incoming: Incoming
    dataset: Dataset | None
    """Whose names the recordings have."""
    classes: int
    parts: frozenset[str]
    """That are taken; all where there are none."""
    by_rule: bool
    """Splits go by recordings, not by the parts of the file."""
    units: Units
    up: Up
    fps: float | int | None
    most: int
    rejected: list[Rejected] = field(default_factory=list)
    other_splits: int = 0
    filled: int = 0
    rates: set[float | None] = field(default_factory=set)

    def write(self, writer: StoreWriter, progress: Callable[[int, int], None]) -> Iterator[str]:
        """Adds all rows that can be used; gives their names."""
        incoming = self.incoming
        progress(0, incoming.count)
        for done, row in enumerate(incoming.rows(), start=1):
            if self.parts and row.part not in self.parts:
                self.other_splits += 1
            else:
                try:
                    self._add(writer, row)
                    yield row.name
                except RecordingError as error:
                    self.rejected.append(
                        Rejected(path=Path(row.file), line=row.number, recording=shown(row.name), reason=error.reason)
                    )
            progress(done, incoming.count)

    def notes(self) -> Iterator[str]:
        if self.incoming.most_bodies > self.most:
            yield f"some recordings have up to {self.incoming.most_bodies} bodies: {self.most} are kept"
        if self.filled:
            yield f"{self.filled:,} joints that were not seen are filled in"
        if not self.incoming.labelled:
            yield "no recording has a label"

    def _add(self, writer: StoreWriter, row: Row) -> None:
        """Raises RecordingError for what cannot be used."""
        source = self._source(row)
        recording = self.incoming.recording(row, units=self.units, up=self.up)
        filled = masked = 0
        if np.isnan(recording.joints).any():
            closed = close_gaps(recording.joints, recording.bodies, self.incoming.layout, recording.fps or self.fps)
            recording = dataclasses.replace(recording, joints=closed.joints, bodies=closed.bodies)
            filled, masked = closed.filled, closed.masked
        cleaned = self._clean(recording, self.incoming.layout, self.most)
        rate = recording.fps or self.fps
        who = [_text(getattr(source, what, 0) or getattr(row, what, None)) for what in ("subject", "camera", "session")]
        writer.add(source, cleaned.astype(np.float32), fps=rate, filled=filled, masked=masked, who=who)
        self.filled += filled + masked
        self.rates.add(recording.fps or (None if self.fps is None else float(self.fps)))

    @property
    def _clean(self) -> Clean:
        return clean_as_found if self.incoming.cleaned else preparation_of(self.incoming.preparation).clean

    def _source(self, row: Row) -> Source:
        """What is known of a recording. Raises RecordingError for a name or label that cannot be."""
        if not row.name.isprintable() or not row.name.strip():
            raise RecordingError("no usable name")
        if row.name in (".", ".."):
            raise RecordingError(f"'{row.name}' where a name belongs")
        number = row.label - self.incoming.first_label
        if self.incoming.labelled and not 0 <= number < min(self.classes, MOST_CLASSES):
            counted = f"counted from {self.incoming.first_label}"
            raise RecordingError(f"its label is none of the {self.classes} classes ({counted})")
        action = number + 1 if self.incoming.labelled else 0
        if self.dataset is not None:
            made = self.dataset.parse_name(Path(f"{row.name}{self.dataset.format.suffix}"))
            if self.incoming.labelled and made.action != action:
                raise RecordingError(f"label {number} in the file, {made.action - 1} by its name")
            return made
        if self.incoming.labelled:
            check_name(row.name, number, self.incoming)
        path = Path(f"{row.name if self.by_rule else row.part}.imported")
        try:
            named = ntu.parse_name(Path(f"{row.name}{ntu.SUFFIX}"))
        except RecordingError:
            named = Source(path=path, name=row.name)
        return dataclasses.replace(named, path=path, action=action)


def _text(value: str | int | None) -> str:
    return "" if value is None or value == 0 else str(value)
