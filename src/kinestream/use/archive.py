"""Archives of embeddings: vectors, what each row is, and which encoder made them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from kinestream.console import table_html
from kinestream.data.recording import Recording
from kinestream.use.archive_files import read_archive, write_archive
from kinestream.use.made_by import MadeBy
from kinestream.use.rows import COLUMNS, TEXTS, Rows, cells_of
from kinestream.use.search import Hits, Index, NotSame, Query, build_index, search
from kinestream.use.vectors import Held, Joined, Picked, Vectors

if TYPE_CHECKING:
    from kinestream.use.model import Model

_ROWS_SHOWN = 100


@dataclass(frozen=True, eq=False, repr=False)
class Embeddings:
    """An archive, on disk or in memory. It is not changed: what changes it gives another one.

    Example:
        >>> archive = open_embeddings("movements.parquet")  # doctest: +SKIP
        >>> archive.filter(label="walk").vectors.shape  # doctest: +SKIP
        (212, 1792)
    """

    made_by: MadeBy
    """The encoder, and how recordings were cut."""
    rows: Rows
    """What each row is: name, file, person, start, end, fps, label, subject, camera, session."""
    source: Vectors = field(repr=False)
    """The vectors where they lie; read some at a time with `kinestream.use.vectors.chunks`."""
    path: Path | None = None

    def __post_init__(self) -> None:
        if self.source.shape != (len(self.rows), self.made_by.dim):
            raise ValueError(
                f"{self.path or 'the archive'} is damaged: vectors {self.source.shape} for {len(self.rows):,} rows of "
                f"{self.made_by.dim}"
            )

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        made = self.made_by
        where = f"{str(self.path)!r}: " if self.path else ""
        cut = f"windows {made.windows}" if made.windows else "whole recordings"
        return (
            f"Embeddings({where}{len(self):,} rows of {made.dim}, {cut}, encoder {made.encoder_name} "
            f"{made.encoder[:12]})"
        )

    def _repr_html_(self) -> str:
        return table_html(repr(self), COLUMNS, cells_of(self.rows.take(slice(0, _ROWS_SHOWN))))

    @property
    def encoder(self) -> str:
        """Hash of the encoder's weights, of how they are read and of the whitening."""
        return self.made_by.encoder

    @cached_property
    def vectors(self) -> Float32[np.ndarray, "n d"]:
        """All unit vectors; mapped from the file where that can be done (`.npz`, a folder of one piece), else read into
        memory."""
        return self.source.read(0, len(self))

    @cached_property
    def index(self) -> Any:
        """An index of usearch over the vectors, built when it is first used. Raises ValueError where usearch is not
        installed."""
        return build_index(self)

    def search(
        self,
        query: "str | Path | Recording | int | Query",
        *,
        k: int = 5,
        model: "Model | None" = None,
        not_same: NotSame | None = None,
        index: Index = "auto",
        itself: bool = False,
    ) -> Hits:
        """The `k` rows that are most like a query; of rows of one recording and person that overlap in time only the
        nearest.

        Args:
            query: the name of a recording in the archive, a file, or a stretch of one of them (`walk@3.2-5.1`, seconds;
                `walk@96-150f`, frames); a recording; or the number of a row. What the query is itself is not found.
            model: the encoder of the archive, for what is not in it; loaded from where it was if None.
            not_same: "person" finds other people only (by `subject`), "file" other files only.
            index: "exact" looks at every row; "usearch" builds an index (extra `search`), and its recall is told in
                `notes`; "auto" does so beyond a million rows.
            itself: what the query is itself may be found, too.

        Raises:
            ValueError: nothing is called so, the encoder is not there any more or is another one, or `k` is out of
                range.
        """
        from kinestream.use.query import find_query

        found = query if isinstance(query, Query) else find_query(self, query, model)
        return search(self, found, k=k, not_same=not_same, index=index, itself=itself)

    def filter(
        self, which: "Callable[[Rows], np.ndarray] | np.ndarray | None" = None, /, **equal: str | int
    ) -> "Embeddings":
        """Some of the rows: a mask or numbers, what a function of `rows` gives, or those with these values.

        Raises ValueError for an unknown column.

        Example:
            >>> archive.filter(subject="7", camera="1")  # doctest: +SKIP
            >>> archive.filter(lambda rows: rows.start > 10)  # doctest: +SKIP
        """
        chosen = which(self.rows) if callable(which) else which
        indices = np.arange(len(self)) if chosen is None else np.arange(len(self))[np.asarray(chosen)]
        for column, value in equal.items():
            if column not in COLUMNS:
                raise ValueError(f"no column '{column}': there are {', '.join(COLUMNS)}")
            values = getattr(self.rows, column)[indices]
            indices = indices[values == (str(value) if column in TEXTS else value)]
        return self._picked(indices)

    def append(self, other: "Embeddings") -> "Embeddings":
        """Those of both; rows that are here already are left out. Raises ValueError for an archive of another encoder,
        or one whose recordings were cut otherwise."""
        self.made_by.check_same(other.made_by, self.path or "this archive")
        known = set(_identities(self.rows))
        new = np.flatnonzero([key not in known for key in _identities(other.rows)])
        more = other if len(new) == len(other) else other._picked(new)
        rows = Rows.joined([self.rows, more.rows])
        return Embeddings(self.made_by, rows, Joined([self.source, more.source], self.made_by.dim))

    def save(self, path: str | Path) -> None:
        """Writes a `.parquet` (extra `formats`), `.npz` or `.csv` file, whole."""
        if not Path(path).suffix:
            raise ValueError(f"{path}: save an archive as .parquet, .npz or .csv")
        write_archive(Path(path), self.made_by, [(self.rows, self.source)])

    def to_pandas(self) -> Any:
        """A `DataFrame`: the columns of `rows`, then v0, v1, ... Raises ValueError where pandas is not installed."""
        table = self.rows.to_pandas()
        import pandas as pd

        numbers = pd.DataFrame(self.vectors, columns=[f"v{number}" for number in range(self.made_by.dim)])
        return pd.concat((table, numbers), axis=1)

    def to_xarray(self) -> Any:
        """A `DataArray` (row, feature) with the columns of `rows` as coordinates. Raises ValueError where xarray is not
        installed."""
        try:
            import xarray as xr
        except ModuleNotFoundError:
            raise ValueError('this needs xarray: pip install "kinestream[formats]"') from None
        columns = {
            name: ("row", getattr(self.rows, name).astype(str) if name in TEXTS else getattr(self.rows, name))
            for name in COLUMNS
        }
        return xr.DataArray(
            self.vectors,
            dims=("row", "feature"),
            # `name` is what an array is called itself
            coords={"recording" if name == "name" else name: column for name, column in columns.items()},
            name="embedding",
            attrs={"encoder": self.encoder, "encoder_name": self.made_by.encoder_name},
        )

    def _picked(self, indices: Int64[np.ndarray, " k"] | Bool[np.ndarray, " n"]) -> "Embeddings":
        source = Held(self.source.rows(indices)) if isinstance(self.source, Held) else Picked(self.source, indices)
        return Embeddings(self.made_by, self.rows.take(indices), source)


def open_embeddings(path: str | Path) -> Embeddings:
    """An archive on disk: a `.parquet`, `.npz` or `.csv` file, or a folder, also one that is still written.

    Raises ValueError for what is no archive, or a damaged one. Nothing in it is executed.

    Example:
        >>> open_embeddings("movements.parquet")  # doctest: +SKIP
        Embeddings('movements.parquet': 12,040 rows of 1792, windows 2s, encoder mine 4a0e51f2c3d4)
    """
    made_by, rows, vectors = read_archive(Path(path))
    return Embeddings(made_by, rows, vectors, Path(path))


def _identities(rows: Rows) -> list[tuple[Any, ...]]:
    """What a row is: equal for the same stretch of the same person."""
    columns = (getattr(rows, name).tolist() for name in ("file", "name", "person", "start", "end"))
    return list(zip(*columns, strict=True))
