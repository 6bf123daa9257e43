"""Which recordings show the same as another, so that each may stand in for it in a further view."""

import csv
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from kinestream.data.store import Store
from kinestream.files import replacing

_COLUMNS = ("recording", "partner")

Pairs = Int64[np.ndarray, "m 2"]


class Partners:
    """For each of `count` clips, by number, those that it is paired with."""

    def __init__(self, pairs: Pairs, count: int) -> None:
        """`pairs`: in any order, each once."""
        both = np.concatenate([pairs, pairs[:, ::-1]])
        order = np.lexsort((both[:, 1], both[:, 0]))
        self._partners = np.append(both[order, 1], 0)  # one more, for clips that have none
        self._counts = np.bincount(both[:, 0], minlength=count)
        self._starts = np.cumsum(self._counts) - self._counts

    def draw(self, numbers: Int64[np.ndarray, " n"], draws: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        """For each clip one of its partners, by a draw from [0, 1) which one; its own number where there is none."""
        counts = self._counts[numbers]
        found = self._partners[self._starts[numbers] + (draws * counts).astype(np.int64)]
        return np.where(counts > 0, found, numbers)


def pairs_of_equal(numbers: Int64[np.ndarray, " n"]) -> Pairs:
    """All pairs of places where the number is the same.

    Example:
        >>> pairs_of_equal(np.array([7, 2, 7, 7, 3])).tolist()
        [[0, 2], [0, 3], [2, 3]]
    """
    order = np.argsort(numbers, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    pairs = [pair for group in groups if len(group) > 1 for pair in combinations(group.tolist(), 2)]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def write_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Writes pairs of names of recordings, a row each, whole."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(pairs)


def read_pairs(path: Path, chosen: Sequence[tuple[Store, Int64[np.ndarray, " _"]]]) -> Pairs:
    """The inverse of `write_pairs`, as numbers of the chosen recordings, those of the first store first; each pair
    once. Pairs with a recording that is in a store but not chosen are left out.

    Raises ValueError for a file of another form, for a name that no store has or that tells no single one of the chosen
    recordings, and where no pair is left.
    """
    names = [store.table.name[index] for store, indices in chosen for index in indices.tolist()]
    numbers = {name: number for number, name in enumerate(names)}
    known = {name for store, _ in chosen for name in store.table.name}
    twice = {name for number, name in enumerate(names) if numbers[name] != number}
    found = set()
    for line, row in _rows(path):
        for name in row:
            if name not in known:
                raise ValueError(f"{path}, line {line}: no recording is called '{name}'")
            if name in twice:
                raise ValueError(f"{path}, line {line}: several recordings to learn from are called '{name}'")
        first, second = sorted(numbers.get(name, -1) for name in row)
        if first == second and first >= 0:
            raise ValueError(f"{path}, line {line}: '{row[0]}' is paired with itself")
        if first >= 0:
            found.add((first, second))
    if not found:
        raise ValueError(f"{path} pairs no two of the {len(names)} recordings to learn from")
    return np.array(sorted(found), dtype=np.int64)


def _rows(path: Path) -> Iterable[tuple[int, tuple[str, str]]]:
    """The pairs of names in a file, with the line of each."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        try:
            heading = tuple(next(reader, ()))
            if heading != _COLUMNS:
                raise ValueError(f"{path} begins with '{','.join(heading)}': a file of pairs has {','.join(_COLUMNS)}")
            for row in reader:
                if len(row) != len(_COLUMNS):
                    raise ValueError(f"{path}, line {reader.line_num}: {len(row)} entries where two names belong")
                yield reader.line_num, (row[0], row[1])
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no table of pairs of names ({error})") from None
