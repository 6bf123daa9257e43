"""Which recordings of others are for training: as their file says, and as the data set does, which must agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinestream.data.datasets import Dataset
from kinestream.data.formats.incoming import ExchangeError, FileSplit, Incoming
from kinestream.data.recording import RecordingError, Source
from kinestream.data.split import Split
from kinestream.words import shown


@dataclass(frozen=True, kw_only=True)
class Described:
    """The data set that a store is of, as `StoreWriter.finish` takes it."""

    name: str
    title: str
    classes: tuple[str, ...]
    splits: Mapping[str, Split]


def splits_taken(incoming: Incoming, split: str | None, dataset: Dataset | None) -> Mapping[str, FileSplit]:
    """The splits of the file to take, under the name that the user gives to one that has none."""
    if split is None:
        return incoming.splits
    if split in incoming.splits:
        return {split: incoming.splits[split]}
    if not incoming.splits:
        raise ExchangeError(f"there is no split '{shown(split)}' in the file, it has none: draw one, as in random:20%")
    if list(incoming.splits) == ["given"]:
        if dataset is not None and split not in dataset.splits:
            raise ExchangeError(f"{dataset.name} has no split '{split}': choose from {', '.join(dataset.splits)}")
        return {split: incoming.splits["given"]}
    raise ExchangeError(f"there is no split '{split}' in the file: choose from {', '.join(incoming.splits)}")


def describe(
    incoming: Incoming,
    taken: Mapping[str, FileSplit],
    dataset: Dataset | None,
    source: Path,
    *,
    own: bool = False,
) -> tuple[Described, tuple[str, ...]]:
    """Classes and splits of the store, and what to say about splits that it cannot have. The user's `own` splits take
    the place of those of the file."""
    if dataset is not None:
        _check_bodies(incoming, dataset)
    if own:
        if dataset is not None:
            return _of_dataset(dataset, {}), ()
        return _of_file(incoming, {}, source), ()
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
    if not splits and left_out:
        raise ExchangeError(f"{source}: {left_out[0]}")
    if dataset is not None:
        if "given" in splits:
            known = ", ".join(dataset.splits)
            raise ExchangeError(
                f"{source} does not name its recordings: say which split its parts are, --split {known}"
            )
        return _of_dataset(dataset, splits), tuple(left_out)
    return _of_file(incoming, splits, source), tuple(left_out)


def _of_file(incoming: Incoming, splits: Mapping[str, Split], source: Path) -> Described:
    classes = incoming.class_names or tuple(f"class {number}" for number in range(incoming.classes))
    title = f"imported from {source.absolute().name}"
    return Described(name="imported", title=title, classes=classes, splits=splits)


def _of_dataset(dataset: Dataset, splits: Mapping[str, Split]) -> Described:
    return Described(name=dataset.name, title=dataset.title, classes=dataset.classes, splits=splits)


def _check_bodies(incoming: Incoming, dataset: Dataset) -> None:
    if incoming.layout == dataset.layout and incoming.cleaned and incoming.most_bodies > dataset.most_bodies:
        raise ExchangeError(
            f"the file has {incoming.most_bodies} bodies, {dataset.name} at most {dataset.most_bodies}: "
            "is it another data set's?"
        )


def _not_a_split(file: FileSplit, incoming: Incoming, taken: Mapping[str, FileSplit]) -> str:
    """Why a store of all recordings taken cannot have a split of the file: there, all that is not for training is for
    testing."""
    both = file.train & file.test
    if both:
        return f"'{shown(min(both))}' is in both parts"
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
            sources.append(dataset.parse_name(Path(f"{name}{dataset.format.suffix}")))
        except RecordingError as error:
            raise ExchangeError(
                f"{source}: '{shown(name)}' is no name of {dataset.name} ({error.reason}): leave --dataset out to go "
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
    labels, cameras = (np.asarray([getattr(made, what) for made in sources]) for what in ("action", "camera"))
    field = "action" if rule.field == "label" else rule.field
    values = np.asarray([made.path.stem if field == "file" else getattr(made, field) for made in sources])
    trains, tests = (belongs(values, cameras, labels) for belongs in (rule.is_training, rule.is_testing))
    for (name, part), training, testing in zip(names, trains.tolist(), tests.tolist(), strict=True):
        there = "training" if training else "testing" if testing else "neither"
        for here, listed in (("training", file.train), ("testing", file.test)):
            if part in listed and here != there:
                return f"'{shown(name)}' is for {here} in the file, for {there} in {rule.name}"
    return None


def refuse_duplicates(incoming: Incoming, source: Path) -> None:
    seen: set[str] = set()
    for name, _ in incoming.names or ():
        if name in seen:
            raise ExchangeError(f"{source}: the name '{shown(name)}' stands there twice")
        seen.add(name)
