"""From a file or folder of others to a store: what it is is told by its content, what cannot be used is listed."""

import csv
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kinestream.data import ntu
from kinestream.data.datasets import Dataset, Split
from kinestream.data.exchange.authors import found_in, open_authors
from kinestream.data.exchange.incoming import MOST_CLASSES, ExchangeError, FileSplit, Incoming, Row
from kinestream.data.exchange.npz import open_npz
from kinestream.data.exchange.pyskl import open_pyskl
from kinestream.data.preparation import STORED, clean_as_found
from kinestream.data.recording import Recording, RecordingError, Source, check_coordinates
from kinestream.data.store import StoreInfo, StoreWriter
from kinestream.files import new_folder
from kinestream.layout import COCO17

UNDERSTOOD = (
    "a folder with the 3s-CACA authors' train_position.npy or train_data.npy, a PYSKL pickle, or an npz with x_train"
)


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A recording that did not get into the store, and why. `number` is its place in the file, from 1."""

    file: str
    number: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What `import_store` did."""

    info: StoreInfo
    form: str
    rejected: tuple[RejectedRow, ...]
    other_splits: int
    """Recordings that are in no part of the split that was asked for."""
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Described:
    name: str
    title: str
    classes: tuple[str, ...]
    splits: Mapping[str, Split]


def import_store(
    source: Path,
    out: Path,
    *,
    dataset: Dataset | None = None,
    split: str | None = None,
    preparation: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Imported:
    """Writes the store `out` from what others made, or nothing at all.

    Args:
        dataset: gives class names and, where the file names its recordings, fields and splits; names, labels and parts
            of the file must agree with it.
        split: of a PYSKL pickle, the only one to take; else the name of the split that the file's two parts are.
        preparation: what raw joints go through, or what the authors' `position` clips were made with.

    Raises:
        ValueError: the source is none of the forms, damaged, in contradiction to `dataset`, or nothing in it is usable.
    """
    with new_folder(out) as folder:
        incoming = open_source(source, preparation)
        taken = _splits_taken(incoming, split, dataset)
        _refuse_duplicates(incoming, source)
        described, left_out = _describe(incoming, taken, dataset, source)
        by_name = dataset if dataset is not None and incoming.names is not None else None
        parts = frozenset().union(*(part for file in taken.values() for part in (file.train, file.test)))
        rejected: list[RejectedRow] = []
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
                            RejectedRow(file=row.file, number=row.number, reason=f"{_shown(row.name)}: {error.reason}")
                        )
                progress(done, incoming.count)
            if not len(writer):
                first = f"; the first: {rejected[0].reason}" if rejected else ""
                raise ExchangeError(f"none of the {incoming.count} recordings of {source} can be used{first}")
            _write_rejected(folder / "rejected.csv", rejected)
            info = writer.finish(described, STORED[incoming.preparation], excluded=0, rejected=len(rejected))
    return Imported(
        info=info,
        form=incoming.form,
        rejected=tuple(rejected),
        other_splits=other_splits,
        notes=(*incoming.notes, *left_out),
    )


def open_source(source: Path, preparation: str | None = None) -> Incoming:
    """Opens whatever it is. Raises ValueError saying what was found and what is understood."""
    if source.is_dir():
        if found_in(source):
            return open_authors(source, preparation)
        inside = ", ".join(sorted(path.name for path in source.iterdir())[:4]) or "nothing"
        raise ExchangeError(f"{source} is a folder with {inside}: understood is {UNDERSTOOD}")
    if not source.is_file():
        raise ExchangeError(f"no file or folder {source}")
    with source.open("rb") as file:
        begin = file.read(8)
    if begin.startswith(b"PK"):
        return open_npz(source, preparation)
    if begin.startswith(b"\x80") or source.suffix in (".pkl", ".pickle"):
        return open_pyskl(source, preparation)
    if begin.startswith(b"\x93NUMPY"):
        raise ExchangeError(
            f"{source} is a single array: give the folder with its {source.stem.split('_')[0]}_label.pkl"
        )
    held = f"begins with {begin!r}" if begin else "is empty"
    raise ExchangeError(f"{source} {held}, it is none of the known forms: understood is {UNDERSTOOD}")


# --- splits and names -----------------------------------------------------------------------------------------------


def _splits_taken(incoming: Incoming, split: str | None, dataset: Dataset | None) -> Mapping[str, FileSplit]:
    """The splits of the file to take, under the name that the user gives to one that has none."""
    if split is None:
        return incoming.splits
    if split in incoming.splits:
        return {split: incoming.splits[split]}
    if list(incoming.splits) == ["given"]:
        if dataset is not None and split not in dataset.splits:
            raise ExchangeError(f"{dataset.name} has no split '{split}': choose from {', '.join(dataset.splits)}")
        return {split: incoming.splits["given"]}
    raise ExchangeError(f"there is no split '{split}' in the file: choose from {', '.join(incoming.splits)}")


def _describe(
    incoming: Incoming, taken: Mapping[str, FileSplit], dataset: Dataset | None, source: Path
) -> tuple[_Described, tuple[str, ...]]:
    """Classes and splits of the store, and what to say about splits that it cannot have."""
    if dataset is not None:
        _check_layout(incoming, dataset)
    if dataset is not None and incoming.names is not None:
        notes = _check_agreement(incoming.names, taken, dataset, source)
        return _of_dataset(dataset, dataset.splits), notes
    splits: dict[str, Split] = {}
    left_out: list[str] = []
    for name, file in taken.items():
        reason = _not_a_split(file, incoming, taken)
        if reason:
            left_out.append(f"split '{name}' is left out: {reason}; --split {name} takes its recordings alone")
            continue
        rule = dataset.splits.get(name) if dataset is not None else None
        splits[name] = Split(
            name=name,
            title=rule.title if rule else f"as in {source.name}",
            field="file",
            train=file.train,
            published=rule.published if rule else None,
        )
    if not splits:
        raise ExchangeError(f"{source}: {left_out[0]}")
    if dataset is not None:
        if "given" in splits:
            known = ", ".join(dataset.splits)
            raise ExchangeError(
                f"{source} does not name its recordings: say which split its parts are, --split {known}"
            )
        return _of_dataset(dataset, splits), tuple(left_out)
    classes = tuple(f"class {number}" for number in range(incoming.classes))
    title = f"imported from {source.absolute().name}"
    return _Described(name="imported", title=title, classes=classes, splits=splits), tuple(left_out)


def _of_dataset(dataset: Dataset, splits: Mapping[str, Split]) -> _Described:
    return _Described(name=dataset.name, title=dataset.title, classes=dataset.classes, splits=splits)


def _check_layout(incoming: Incoming, dataset: Dataset) -> None:
    own = dataset.format.layout
    if incoming.layout not in (own, COCO17):
        raise ExchangeError(
            f"the file has {len(incoming.layout.joints)} joints ({incoming.layout.name}), {dataset.name} has "
            f"{len(own.joints)} ({own.name}): is it another data set's?"
        )
    if incoming.layout == own and incoming.most_bodies > dataset.most_bodies:
        raise ExchangeError(
            f"the file has {incoming.most_bodies} bodies, {dataset.name} at most {dataset.most_bodies}: "
            "is it another data set's?"
        )


def _not_a_split(file: FileSplit, incoming: Incoming, taken: Mapping[str, FileSplit]) -> str:
    """Why a store of all recordings taken cannot have a split of the file: there, all that is not for training is for
    testing."""
    both = file.train & file.test
    if both:
        return f"'{_shown(min(both))}' is in both parts"
    if incoming.names is not None:
        mine = file.train | file.test
        all_taken = frozenset().union(*(other.train | other.test for other in taken.values()))
        outside = [name for name, part in incoming.names if part in all_taken and part not in mine]
        if outside:
            return f"{len(outside)} recordings of other splits are in none of its parts"
    return ""


def _check_agreement(
    names: Sequence[tuple[str, str]], taken: Mapping[str, FileSplit], dataset: Dataset, source: Path
) -> tuple[str, ...]:
    """Compares the parts of the file with the rules of the data set. Raises ExchangeError at the first difference."""
    sources = []
    for name, _ in names:
        try:
            sources.append(dataset.format.parse_name(Path(f"{name}{dataset.format.suffix}")))
        except RecordingError as error:
            raise ExchangeError(
                f"{source}: '{_shown(name)}' is no name of {dataset.name} ({error.reason}): leave --dataset out to go "
                "by the parts of the file"
            ) from None
    notes = []
    for name, file in taken.items():
        candidates = [dataset.splits[name]] if name in dataset.splits else list(dataset.splits.values())
        differences = [_first_difference(names, sources, file, rule) for rule in candidates]
        if all(differences):
            if name not in dataset.splits and name != "given":
                notes.append(f"split '{name}' of the file is none of {dataset.name}'s and is left out")
                continue
            raise ExchangeError(f"{source} is not split as {dataset.name}: {'; '.join(map(str, differences))}")
    return tuple(notes)


def _first_difference(
    names: Sequence[tuple[str, str]], sources: Sequence[Source], file: FileSplit, rule: Split
) -> str | None:
    values = [made.path.stem if rule.field == "file" else getattr(made, rule.field) for made in sources]
    for (name, part), training in zip(names, rule.is_training(np.asarray(values)).tolist(), strict=True):
        if (part in file.test) if training else (part in file.train):
            here, there = ("testing", "training") if training else ("training", "testing")
            return f"'{_shown(name)}' is for {here} in the file, for {there} in {rule.name}"
    return None


def _refuse_duplicates(incoming: Incoming, source: Path) -> None:
    seen: set[str] = set()
    for name, _ in incoming.names or ():
        if name in seen:
            raise ExchangeError(f"{source}: the name '{_shown(name)}' stands there twice")
        seen.add(name)


# --- recordings -----------------------------------------------------------------------------------------------------


def _source(row: Row, dataset: Dataset | None, classes: int) -> Source:
    """What is known of a recording. Raises RecordingError for a name or label that cannot be."""
    if not row.name.isprintable() or not row.name.strip():
        raise RecordingError("a name that cannot be printed")
    if not 0 <= row.label < min(classes, MOST_CLASSES):
        raise RecordingError(f"its label is none of the {classes} classes (counted from 0)")
    if dataset is not None:
        made = dataset.format.parse_name(Path(f"{row.name}{dataset.format.suffix}"))
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
    if row.joints is None:
        raise RecordingError(row.reason)
    joints = row.joints
    if not joints.any():
        raise RecordingError(f"no body in any of its {len(joints)} frames")
    wrong = check_coordinates(joints)
    if wrong.any():
        frame = int(np.flatnonzero(wrong.any(axis=(1, 2)))[0])
        raise RecordingError(f"frame {frame + 1}: a joint that is no position")
    present = joints.any(axis=(2, 3))
    bodies = np.where(present, np.arange(1, joints.shape[1] + 1), 0)
    clean = clean_as_found if incoming.cleaned else STORED[incoming.preparation].clean
    recording = Recording(joints=joints, bodies=bodies)
    return clean(recording, incoming.layout, most_bodies).astype(np.float32)


def _shown(name: str) -> str:
    return ascii(name)[1:-1][:60]


def _write_rejected(path: Path, rejected: Sequence[RejectedRow]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "line", "reason"))
        for _, rows in groupby(rejected, key=lambda row: row.file):
            writer.writerows((row.file, row.number, row.reason) for row in rows)
