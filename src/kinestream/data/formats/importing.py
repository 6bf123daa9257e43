"""From a file or folder of others to a store: what it is is told by its content, what cannot be used is listed."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kinestream.data.datasets import Dataset
from kinestream.data.formats import ntu, open_collection
from kinestream.data.formats.incoming import MOST_CLASSES, ExchangeError, Incoming, Row, joints_of, shown
from kinestream.data.formats.matching import describe, refuse_duplicates, splits_taken
from kinestream.data.preparation import clean_as_found, preparation_of
from kinestream.data.recording import Recording, RecordingError, Source
from kinestream.data.rejected import Rejected, write_rejected
from kinestream.data.store import StoreInfo, StoreWriter
from kinestream.files import new_folder


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
    split: str | None = None,
    preparation: str | None = None,
    form: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Imported:
    """Writes the store `out` from what others made, or nothing at all.

    Args:
        dataset: gives class names and, where the file names its recordings, fields and splits; names, labels and parts
            of the file must agree with it.
        split: of a PYSKL pickle, the only one to take; else the name of the split that the file's two parts are.
        preparation: what raw joints go through, or what the authors' `position` clips were made with.
        form: name of its format; told by its content if None.

    Raises:
        ValueError: the source is none of the forms, damaged, in contradiction to `dataset`, or nothing in it is usable.
    """
    with new_folder(out) as folder:
        incoming = open_collection(source, preparation, form)
        taken = splits_taken(incoming, split, dataset)
        refuse_duplicates(incoming, source)
        described, left_out = describe(incoming, taken, dataset, source)
        by_name = dataset if dataset is not None and incoming.names is not None else None
        parts = frozenset().union(*(part for file in taken.values() for part in (file.train, file.test)))
        rejected: list[Rejected] = []
        other_splits = 0
        most_bodies = dataset.most_bodies if dataset is not None else incoming.most_bodies
        with StoreWriter(folder, incoming.layout, most_bodies) as writer:
            progress(0, incoming.count)
            for done, row in enumerate(incoming.rows(), start=1):
                if row.part not in parts:
                    other_splits += 1
                else:
                    try:
                        made = _source(row, by_name, len(described.classes))
                        writer.add(made, _joints(row, incoming, most_bodies))
                    except RecordingError as error:
                        rejected.append(
                            Rejected(path=Path(row.file), line=row.number, reason=f"{shown(row.name)}: {error.reason}")
                        )
                progress(done, incoming.count)
            if not len(writer):
                first = f"; the first: {rejected[0].reason}" if rejected else ""
                raise ExchangeError(f"none of the {incoming.count} recordings of {source} can be used{first}")
            write_rejected(folder, rejected)
            notes = (*incoming.notes, *left_out)
            made_with = preparation_of(incoming.preparation)
            info = writer.finish(described, made_with, excluded=0, rejected=len(rejected), notes=notes)
    return Imported(
        info=info,
        form=incoming.form,
        rejected=tuple(rejected),
        other_splits=other_splits,
        notes=notes,
    )


def _source(row: Row, dataset: Dataset | None, classes: int) -> Source:
    """What is known of a recording. Raises RecordingError for a name or label that cannot be."""
    if not row.name.isprintable() or not row.name.strip():
        raise RecordingError("a name that cannot be printed")
    if not 0 <= row.label < min(classes, MOST_CLASSES):
        raise RecordingError(f"its label is none of the {classes} classes (counted from 0)")
    if dataset is not None:
        made = dataset.parse_name(Path(f"{row.name}{dataset.format.suffix}"))
        if made.action - 1 != row.label:
            raise RecordingError(f"label {row.label} in the file, {made.action - 1} by its name")
        return made
    path = Path(f"{row.part}.imported")
    try:
        return dataclasses.replace(ntu.parse_name(Path(f"{row.name}{ntu.SUFFIX}")), path=path, action=row.label + 1)
    except RecordingError:
        action = row.label + 1
        return Source(path=path, name=row.name, action=action, subject=0, camera=0, setup=0, repetition=0)


def _joints(row: Row, incoming: Incoming, most_bodies: int) -> Float[np.ndarray, "t m v c"]:
    """The joints for the store. Raises RecordingError for what cannot be used."""
    clean = clean_as_found if incoming.cleaned else preparation_of(incoming.preparation).clean
    return clean(Recording(joints_of(row)), incoming.layout, most_bodies).astype(np.float32)
