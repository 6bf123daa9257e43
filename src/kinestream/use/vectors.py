"""The vectors of an archive, wherever they lie: read some rows at a time, so that memory stays bounded."""

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int64

from kinestream.words import reason

Vectors32 = Float32[np.ndarray, "n d"]
_CHUNK_BYTES = 64 << 20
_CHECKED_ROWS = 4096
_LONGEST = 1.01


@runtime_checkable
class Vectors(Protocol):
    """n vectors of d numbers."""

    @property
    def shape(self) -> tuple[int, int]: ...
    def read(self, start: int, stop: int) -> Vectors32: ...


class Held:
    """An array, in memory or mapped from a file; what is read of a file is looked at."""

    def __init__(self, array: Vectors32, file: Path | None = None) -> None:
        self.array, self.file = array, file

    @property
    def shape(self) -> tuple[int, int]:
        return self.array.shape[0], self.array.shape[1]

    def read(self, start: int, stop: int) -> Vectors32:
        return check_lengths(self.array[start:stop], self.file)

    def rows(self, indices: Int64[np.ndarray, " k"] | Bool[np.ndarray, " n"]) -> Vectors32:
        """Some of them, copied."""
        return check_lengths(np.ascontiguousarray(self.array[indices]), self.file)

    def release(self) -> None:
        """Gives the pages of a mapped file back to the system; they are read again when they are asked for."""
        if isinstance(self.array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self.array.base.madvise(mmap.MADV_DONTNEED)


class Joined:
    """Several, one below the other."""

    def __init__(self, parts: Sequence[Vectors], dim: int) -> None:
        self.parts = tuple(part for part in parts if part.shape[0])
        self._ends = np.cumsum([part.shape[0] for part in self.parts], dtype=np.int64)
        self._dim = dim

    @property
    def shape(self) -> tuple[int, int]:
        return int(self._ends[-1]) if self.parts else 0, self._dim

    def read(self, start: int, stop: int) -> Vectors32:
        some = []
        for part, end in zip(self.parts, self._ends.tolist(), strict=True):
            begin = end - part.shape[0]
            if begin < stop and end > start:
                some.append(part.read(max(start, begin) - begin, min(stop, end) - begin))
        if len(some) == 1:
            return some[0]
        return np.concatenate(some) if some else np.empty((0, self._dim), np.float32)


class Picked:
    """Some of others, in any order."""

    def __init__(self, base: Vectors, indices: Int64[np.ndarray, " n"]) -> None:
        self._base, self._indices = base, indices

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._indices), self._base.shape[1]

    def read(self, start: int, stop: int) -> Vectors32:
        return take(self._base, self._indices[start:stop])


class InParquet:
    """The column of a Parquet file, read by row groups; the last one read is kept."""

    def __init__(self, path: Path, dim: int) -> None:
        _, pq = arrow(path)
        self._path = path
        with pq.ParquetFile(path) as file:
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        self._ends = np.cumsum(sizes, dtype=np.int64) if sizes else np.zeros(0, np.int64)
        self._dim = dim
        self._last: tuple[int, Vectors32] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return int(self._ends[-1]) if len(self._ends) else 0, self._dim

    def read(self, start: int, stop: int) -> Vectors32:
        if stop <= start:
            return np.empty((0, self._dim), np.float32)
        some = []
        first = int(np.searchsorted(self._ends, start, side="right"))
        for group in range(first, len(self._ends)):
            begin = int(self._ends[group - 1]) if group else 0
            if begin >= stop:
                break
            some.append(self._group(group)[max(start - begin, 0) : stop - begin])
        return some[0] if len(some) == 1 else np.concatenate(some)

    def _group(self, group: int) -> Vectors32:
        if self._last is None or self._last[0] != group:
            self._last = None  # before the next one is read: two at a time are too many
            self._last = group, self._read(group)
        return self._last[1]

    def _read(self, group: int) -> Vectors32:
        pa, pq = arrow(self._path)
        expected = int(self._ends[group] - (self._ends[group - 1] if group else 0))
        try:
            with pq.ParquetFile(self._path) as file:
                column: Any = file.read_row_group(group, columns=["vector"]).column("vector").combine_chunks()
            values = column.flatten().to_numpy(zero_copy_only=False)
            vectors = values.reshape(expected, self._dim).astype(np.float32, copy=False)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ValueError(f"{self._path}: its vectors are damaged ({reason(error)})") from None
        return check_lengths(vectors, self._path)


def check_lengths(vectors: Vectors32, file: Path | None) -> Vectors32:
    """The vectors of a file. Raises ValueError where some are none of an encoder, which are of length 1: damage makes
    numbers that are not finite, or large."""
    for start in range(0, len(vectors) if file is not None else 0, _CHECKED_ROWS):
        some = vectors[start : start + _CHECKED_ROWS]
        with np.errstate(over="ignore", invalid="ignore"):
            fits = np.einsum("nd,nd->n", some, some) < _LONGEST**2
        if not fits.all():
            raise ValueError(f"{file} is damaged: some of its vectors are not of length 1: embed again")
    return vectors


def arrow(path: Path) -> tuple[Any, Any]:
    """pyarrow and its part for Parquet. Raises ValueError where they are not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise ValueError(
            f'{path}: Parquet needs pyarrow: pip install "kinestream[formats]", or take .npz or .csv'
        ) from None
    return pa, pq


def chunks(vectors: Vectors, rows: int | None = None) -> Iterator[tuple[int, Vectors32]]:
    """All of them, some at a time, each with where it begins; about 64 MB where `rows` does not say otherwise."""
    count, dim = vectors.shape
    step = rows or max(1, _CHUNK_BYTES // (4 * max(dim, 1)))
    for start in range(0, count, step):
        yield start, vectors.read(start, min(start + step, count))


def once(vectors: Vectors, rows: int | None = None) -> Iterator[tuple[int, Vectors32]]:
    """As `chunks`, of what is not needed again soon: pages of a mapped file do not pile up."""
    yield from chunks(vectors, rows)
    if isinstance(vectors, Held):
        vectors.release()


def take(vectors: Vectors, indices: Int64[np.ndarray, " k"]) -> Vectors32:
    """Some rows, in the order asked for, read in the order in which they lie."""
    if isinstance(vectors, Held):
        return vectors.rows(indices)
    made = np.empty((len(indices), vectors.shape[1]), np.float32)
    order = np.argsort(indices, kind="stable")
    for place in order.tolist():
        made[place] = vectors.read(int(indices[place]), int(indices[place]) + 1)[0]
    return made
