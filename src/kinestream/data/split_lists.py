"""Official split files: which raw files are for training and which for validation, as the owners of a data set say.

Line 2 holds the names for training, line 4 those for validation, separated by commas; lines 1 and 3 are headings.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from kinestream.data.datasets import Dataset
from kinestream.data.split import Split
from kinestream.files import entries
from kinestream.words import shown


@dataclass(frozen=True, kw_only=True)
class SplitList:
    """A split file that was used, and how it fits the raw files."""

    split: str
    path: Path
    unlisted: int
    """Raw files in neither list: neither for training nor for testing."""
    absent: int
    """Names in the lists without a raw file."""


WITHOUT = Path("none")
"""In place of the folder: the data set without the splits that need official files, all of it for training."""


def resolve_splits(
    dataset: Dataset, raw: Path, names: Set[str], folder: Path | None = None
) -> tuple[Mapping[str, Split], tuple[SplitList, ...]]:
    """The splits of `dataset`, those that go by official files filled from them, and the files used. Splits without a
    file are left out.

    Args:
        names: stems of the raw files.
        folder: where the files are; looked for beside and below `raw`, also in a folder Split there, when None; or
            `WITHOUT`.

    Raises:
        ValueError: no file is found, or one is not what it should be.
    """
    listed = {name: split for name, split in dataset.splits.items() if split.lists}
    if not listed:
        if folder is not None:
            raise ValueError(f"the splits of {dataset.name} need no files: leave out --splits {folder}")
        return dataset.splits, ()
    splits = {name: split for name, split in dataset.splits.items() if not split.lists}
    if folder == WITHOUT:
        return splits, ()
    found = {_plain(path.name): path for path in reversed([*_candidates(raw, folder)])}
    used = []
    for name, split in listed.items():
        path = next((found[_plain(file)] for file in split.lists if _plain(file) in found), None)
        if path is None:
            continue
        train, test = read_split_list(path)
        if not (train | test) & names:
            raise ValueError(
                f"{path} names none of the {len(names)} files below {raw} (it begins with {min(train)}, they with "
                f"{min(names)}): it is of another data set or phase, take the one of {dataset.title}"
            )
        splits[name] = dataclasses.replace(
            split, title=f"{split.title} by {path.name}", train=train, test=test, lists=()
        )
        used.append(
            SplitList(split=name, path=path, unlisted=len(names - train - test), absent=len((train | test) - names))
        )
    if not used:
        raise ValueError(
            f"no split file in {'or beside ' if folder is None else ''}{folder or raw}: get "
            f"{' and '.join(split.lists[0] for split in listed.values())} from the folder Split of the downloads of "
            f"{dataset.title} ({dataset.home}) and put them beside the data, name their folder with --splits "
            "FOLDER, or go without: --splits none"
        )
    return splits, tuple(used)


def read_split_list(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The names for training and for validation. Raises ValueError when the file is none of that form."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the split file {path} cannot be read: {error}") from None
    lists = []
    for number, what in ((2, "training"), (4, "validation")):
        words = lines[number - 1].split(",") if len(lines) >= number else []
        lists.append(frozenset(word.strip() for word in words) - {""})
        if not lists[-1]:
            raise ValueError(f"{path}:{number}: no names for {what}, separated by commas, as a split file has them")
    train, test = lists
    if train & test:
        raise ValueError(
            f"{path}: {shown(min(train & test))} is for training and for validation, {len(train & test)} are"
        )
    return train, test


def is_split_list(dataset: Dataset, path: Path) -> bool:
    """Whether a file is by its name a split file of the data set."""
    return any(_plain(path.name) == _plain(file) for split in dataset.splits.values() for file in split.lists)


def _candidates(raw: Path, folder: Path | None) -> Iterator[Path]:
    """What lies in the given folder, or in the raw one and the one above; in a folder Split there, too."""
    if folder is not None and not folder.is_dir():
        raise ValueError(f"{folder} is no folder: give the one with the split files")
    for place in (raw, raw.absolute().parent) if folder is None else (folder,):
        yield from entries(place)
        for inner in entries(place):
            if inner.name.lower().startswith("split") and inner.is_dir():
                yield from entries(inner)


def _plain(name: str) -> str:
    """Both cross-subject.txt and cross_subject.txt are about."""
    return name.lower().replace("-", "_")
