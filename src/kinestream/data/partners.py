"""Which recordings show the same as another, so that each may stand in for it in a further view."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float64, Int64

from kinestream.data.store import Store
from kinestream.tables import parse_sheet
from kinestream.words import plain_name, shown

_COLUMNS = ("recording", "partner")

ClipPairs = Int64[np.ndarray, "m 2"]


class Partners:
    """For each of `count` clips, by number, those that may stand in for it."""

    def __init__(self, pairs: ClipPairs, count: int, *, share: float) -> None:
        """`pairs`: in any order, each once. `share`: how often another one stands in, where there is any."""
        both = np.concatenate([pairs, pairs[:, ::-1]])
        order = np.lexsort((both[:, 1], both[:, 0]))
        self._share = share
        self._partners = np.append(both[order, 1], 0)  # one more, for clips that have none
        self._counts = np.bincount(both[:, 0], minlength=count)
        self._starts = np.cumsum(self._counts) - self._counts

    def stand_ins(self, numbers: Int64[np.ndarray, " n"], draws: Float64[np.ndarray, "2 n"]) -> Int64[np.ndarray, " n"]:
        """For each clip one of its partners or itself, by two draws from [0, 1): whether, and which one."""
        counts = self._counts[numbers]
        found = self._partners[self._starts[numbers] + (draws[1] * counts).astype(np.int64)]
        return np.where((counts > 0) & (draws[0] < self._share), found, numbers)


def pairs_of_equal(numbers: Int64[np.ndarray, " n"]) -> ClipPairs:
    """All pairs of places where the number is the same.

    Example:
        >>> pairs_of_equal(np.array([7, 2, 7, 7, 3])).tolist()
        [[0, 2], [0, 3], [2, 3]]
    """
    order = np.argsort(numbers, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    pairs = [pair for group in groups if len(group) > 1 for pair in combinations(group.tolist(), 2)]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def parse_pairs(
    content: bytes, where: str, chosen: Sequence[tuple[Store, Int64[np.ndarray, " _"]]], split: str | None
) -> ClipPairs:
    """A table of pairs of names, with the heading `recording,partner`, as numbers of the recordings chosen by `split`,
    those of the first store first; each pair once. Pairs with a recording that is in a store but not chosen are left
    out.

    Raises ValueError, naming `where`, for content of another form, for a name that no store has or that tells no single
    one of the chosen recordings, and where no pair is left.
    """
    names = [store.table.name[index] for store, indices in chosen for index in indices.tolist()]
    numbers = {name: number for number, name in enumerate(names)}
    known = {name for store, _ in chosen for name in store.table.name}
    twice = {name for number, name in enumerate(names) if numbers[name] != number}
    found = set()
    for line, pair in _rows(content, where):
        for name in pair:
            if name not in known:
                raise ValueError(f"{where}, line {line}: no recording is called '{shown(name)}'")
            if name in twice:
                raise ValueError(
                    f"{where}, line {line}: several recordings to learn from are called '{shown(name)}': leave out one "
                    "of the stores (--also), or this pair"
                )
        first, second = sorted(numbers.get(name, -1) for name in pair)
        if pair[0] == pair[1]:
            raise ValueError(f"{where}, line {line}: '{shown(pair[0])}' is paired with itself")
        if first >= 0:
            found.add((first, second))
    if not found:
        of = "" if split is None else f", those of split '{split}'"
        raise ValueError(f"{where} pairs no two of the {len(names)} recordings to learn from{of}")
    return np.array(sorted(found), dtype=np.int64)


def _rows(content: bytes, where: str) -> Iterator[tuple[int, tuple[str, str]]]:
    """The pairs of names, with the line of each."""
    try:
        sheet = parse_sheet(content)
        if sheet.columns != _COLUMNS:
            first = shown(",".join(sheet.columns))
            raise ValueError(f"it begins with '{first}', where '{','.join(_COLUMNS)}' belongs")
        for line, cells in sheet.lines:
            yield line, (plain_name(cells[_COLUMNS[0]]), plain_name(cells[_COLUMNS[1]]))
    except ValueError as error:
        raise ValueError(f"{where} is no table of pairs of names: {error}") from None
