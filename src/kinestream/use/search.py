"""Search by example: what in an archive is most like a query."""

import csv
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float32

from kinestream.console import table_html
from kinestream.data.clips import cache_folder
from kinestream.files import replacing
from kinestream.use.nearest import approximate, nearest
from kinestream.use.rows import COLUMNS, Rows, cells_of

if TYPE_CHECKING:
    from kinestream.use.archive import Embeddings

NotSame = Literal["person", "file"]
Index = Literal["auto", "exact", "usearch"]
EXACT_ROWS = 1_000_000
"""Beyond so many an index is built where usearch is installed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Query:
    """What is looked for."""

    name: str
    vectors: Float32[np.ndarray, "q d"]
    """One, or those of several windows and people: what is near to any of them is found."""
    rows: Rows | None = None
    """What is known of it: who it is, and which rows of an archive it is itself."""


@dataclass(frozen=True, eq=False)
class Hits:
    """What a search found, the nearest first.

    `distances` are cosine distances: 0 for the same direction, 1 for unrelated ones, 2 for opposite ones.
    """

    names: tuple[str, ...]
    indices: tuple[int, ...]
    """Where each stands in what was searched."""
    distances: tuple[float, ...]
    rows: Rows = field(repr=False)
    """File, person, stretch and label of each."""
    query: str = ""
    notes: tuple[str, ...] = field(default=(), repr=False)
    """What a user should know of the search."""

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        rows = zip(self._called(), self.distances, strict=True)
        return "\n".join(f"{rank:>3}  {distance:.3f}  {name}" for rank, (name, distance) in enumerate(rows, start=1))

    def _repr_html_(self) -> str:
        rows = zip(range(1, len(self) + 1), self._called(), (f"{one:.3f}" for one in self.distances), strict=True)
        return table_html(f"most like {self.query}", ("rank", "recording", "distance"), rows)

    def to_pandas(self) -> Any:
        """A `DataFrame`, a row each. Raises ValueError where pandas is not installed."""
        table = self.rows.to_pandas()
        table.insert(0, "distance", list(self.distances))
        table.insert(0, "rank", range(1, len(self) + 1))
        return table

    def save(self, path: str | Path) -> None:
        """Writes a `.csv` file: rank, distance, and the columns of the archive."""
        path = Path(path)
        if path.suffix != ".csv":
            raise ValueError(f"{path}: hits are saved as .csv")
        with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("rank", "distance", *COLUMNS))
            for rank, (distance, cells) in enumerate(zip(self.distances, cells_of(self.rows), strict=True), start=1):
                writer.writerow((rank, f"{distance:.6f}", *cells))

    def _called(self) -> Sequence[str]:
        """Stretches and people are told where recordings are not whole."""
        whole = len({*self.rows.recordings()}) == len(self) and not self.rows.person.any() and not self.rows.start.any()
        return self.names if whole else [self.rows.called(index) for index in range(len(self))]


def search(
    archive: "Embeddings",
    query: Query,
    *,
    k: int = 5,
    not_same: NotSame | None = None,
    index: Index = "auto",
    itself: bool = False,
) -> Hits:
    """The `k` nearest of an archive; of rows of one recording and person that overlap in time only the nearest. What
    the query is `itself` is left out, unless it is asked for.

    Raises ValueError for a `k` that is not in 1 .. n, and where the person or the file of the query is not known and
    the same shall not be found.
    """
    rows = archive.rows
    count = len(rows)
    if not 1 <= k <= count:
        raise ValueError(f"k ({k}) must be in 1..{count}, the number of recordings to search")
    notes: list[str] = []
    allowed = _allowed(rows, query, not_same, notes)
    if not itself and query.rows is not None:
        allowed &= ~_itself(rows, query.rows)
    if not allowed.any():
        raise ValueError(f"nothing is left to search for '{query.name}' in {count:,} rows: all are left out")
    look = _look(archive, query, allowed, index, notes)
    wanted = min(count, 4 * k)
    while True:
        cosines, places = look(wanted)
        kept = _apart(rows, places, k)
        if len(kept) == k or wanted == count:
            break
        wanted = min(count, 4 * wanted)
    chosen = places[kept]
    return Hits(
        names=tuple(rows.name[chosen].tolist()),
        indices=tuple(chosen.tolist()),
        distances=tuple(float(1 - cosine) for cosine in cosines[kept]),
        rows=rows.take(chosen),
        query=query.name,
        notes=tuple(notes),
    )


def overlapping(rows: Rows, start: float, end: float) -> Bool[np.ndarray, " n"]:
    """Marks the rows that have some time in common with a stretch."""
    return (rows.start < end) & (rows.end > start)


def _allowed(rows: Rows, query: Query, not_same: NotSame | None, notes: list[str]) -> Bool[np.ndarray, " n"]:
    if not_same is None:
        return np.ones(len(rows), dtype=np.bool_)
    if not_same not in ("person", "file"):
        raise ValueError(f"not_same {not_same!r}: 'person' or 'file'")
    column = "subject" if not_same == "person" else "file"
    own = set() if query.rows is None else {*getattr(query.rows, column)} - {""}
    if not own:
        what = "who the query shows is not known (its subject)" if column == "subject" else "the query has no file"
        raise ValueError(f"{what}: leave out not_same={not_same!r} (--not-same {not_same})")
    values = getattr(rows, column)
    if column == "subject":
        own.add("")
        if unknown := int((values == "").sum()):
            notes.append(f"{unknown:,} rows whose person is not known are left out")
    return np.array([value not in own for value in values.tolist()], dtype=np.bool_)


def _itself(rows: Rows, query: Rows) -> Bool[np.ndarray, " n"]:
    """Marks what the query is itself, or overlaps with."""
    found = np.zeros(len(rows), dtype=np.bool_)
    for file, name in dict.fromkeys(query.recordings()):
        own = (query.file == file) & (query.name == name)
        there = (rows.file == file) & (rows.name == name)
        found |= there & overlapping(rows, float(query.start[own].min()), float(query.end[own].max()))
    return found


def _look(
    archive: "Embeddings", query: Query, allowed: Bool[np.ndarray, " n"], index: Index, notes: list[str]
) -> Callable[[int], tuple[Float32[np.ndarray, " m"], np.ndarray]]:
    """What finds the nearest so many: cosines and places, those left out not among them."""
    if index not in ("auto", "exact", "usearch"):
        raise ValueError(f"index {index!r}: 'auto', 'exact' or 'usearch'")
    vectors, queries = archive.source, query.vectors
    built = None
    if index == "usearch" or (index == "auto" and len(allowed) > EXACT_ROWS):
        try:
            built = archive.index
        except ValueError:
            if index == "usearch":
                raise
            notes.append(
                f'{len(allowed):,} rows are searched one by one: pip install "kinestream[search]" for a quicker index'
            )
    if built is not None:
        notes.append(
            f"by an index of usearch, which finds {100 * built.recall:.1f} % of the {built.k} nearest (of a sample, "
            "against the exact search)"
        )

    def look(wanted: int) -> tuple[Float32[np.ndarray, " m"], np.ndarray]:
        if built is None or wanted == len(allowed):
            cosines, places = nearest(vectors, queries, wanted, allowed=allowed, together=True)
            there = places[0] >= 0
            return cosines[0][there], places[0][there]
        cosines, places = (values.reshape(-1) for values in built.nearest(queries, wanted))
        order = np.argsort(-cosines, kind="stable")
        first = np.sort(np.unique(places[order], return_index=True)[1])
        chosen = order[first]
        chosen = chosen[allowed[places[chosen]]]
        return cosines[chosen], places[chosen]

    return look


def _apart(rows: Rows, places: np.ndarray, k: int) -> list[int]:
    """Of what was found, nearest first, the first `k` that do not overlap with a nearer one of the same recording and
    person."""
    kept: list[int] = []
    taken: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    for number, place in enumerate(places.tolist()):
        key = (rows.file[place], rows.name[place], int(rows.person[place]))
        if not key[0] and not rows.name[place]:
            key = (str(place), "", 0)
        start, end = float(rows.start[place]), float(rows.end[place])
        stretches = taken.setdefault(key, [])
        if any(start < other_end and end > other_start for other_start, other_end in stretches):
            continue
        stretches.append((start, end))
        kept.append(number)
        if len(kept) == k:
            break
    return kept


def build_index(archive: "Embeddings") -> Any:
    """An index of usearch over an archive; of one on disk it is kept in the user's cache folder, for as long as the
    file stays as it is. Raises ValueError where usearch is not installed."""
    kept = None
    if archive.path is not None and archive.path.is_file():
        about = archive.path.stat()
        what = f"{archive.path.absolute()} {about.st_size} {about.st_mtime_ns} {archive.made_by.to_json()}"
        kept = cache_folder() / f"index-{hashlib.sha256(what.encode()).hexdigest()[:24]}"
    return approximate(archive.source, kept)
