"""The rows of a table, some thousands at a time, out of text or Parquet."""

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64

from kinestream.data.formats.cells import split_cells
from kinestream.data.formats.table_header import MOST_COLUMNS, MOST_HEAD, OURS, Header, read_header
from kinestream.data.recording import RecordingError
from kinestream.words import shown

PARQUET = ".parquet"
_PARQUET_MAGIC = b"PAR1"
_BLOCK = 2**20
_MOST_LINE = 2**24
_MOST_OURS = 2**26
"""Bytes of the first line of a table of our own, which names all its recordings."""
_BATCH_CELLS = 2**18
_MOST_KNOWN = 64
_MOST_CELLS = 2**31
_known: dict[bytes, Header] = {}
"""Headers that were looked at, by their first line: the files of a folder have one."""


@runtime_checkable
class Block(Protocol):
    """Some rows of a table."""

    def __len__(self) -> int: ...

    def numbers(self, columns: Sequence[int] | None = None) -> Float64[np.ndarray, "rows some"]: ...

    def codes(self, column: int, known: dict[str, int]) -> Int64[np.ndarray, " rows"]: ...


@runtime_checkable
class Rows(Protocol):
    """The rows of a file."""

    @property
    def header(self) -> Header: ...

    def most(self) -> int:
        """There are no more rows than these."""

    def blocks(self) -> Iterator[Block]:
        """Once only. Raises RecordingError for a row that cannot be used."""


@contextmanager
def open_rows(path: Path, *, afresh: bool = False) -> Iterator[Rows]:
    """Raises RecordingError for a file that is no table. What was learnt of the header of another file is not used if
    `afresh`."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(min(size, MOST_HEAD)) or b""
        if head.startswith(_PARQUET_MAGIC):
            yield _open_parquet(path)
            return
        if path.suffix.lower() == PARQUET:
            raise RecordingError("no Parquet file: it is empty, damaged, or of another kind")
        while head.startswith(OURS.encode()) and b"\n" not in head and len(head) < _MOST_OURS:
            more = file.read(_BLOCK)
            if not more:
                break
            head += more
        yield _Text(file, head, _header(head, afresh=afresh), whole=len(head) >= size)


def _header(head: bytes, *, afresh: bool) -> Header:
    first = head[: head.find(b"\n") + 1]
    known = None if afresh else _known.get(first)
    if known is not None and head.startswith(known.text):
        return known
    made = read_header(head)
    if made.ours is None and first and made.names:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[first] = made
    return made


class _Text:
    def __init__(self, file: FileIO, head: bytes, header: Header, *, whole: bool) -> None:
        self._file, self._head, self.header = file, head, header
        self._whole = whole

    def most(self) -> int:
        place, count = self._file.tell(), 1
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            count += block.count(b"\n")
        self._file.seek(place)
        return count

    def blocks(self) -> Iterator[Block]:
        header = self.header
        text, line = self._head[len(header.text) :], header.lines + 1
        self._head = b""
        ended = self._whole
        while not ended:
            more = self._file.read(_BLOCK)
            ended = not more
            text += more or b""
            cut = text.rfind(b"\n") + 1
            if ended or not cut:
                if not ended and len(text) > _MOST_LINE:
                    raise RecordingError(f"a line of more than {_MOST_LINE:,} bytes", line)
                continue
            yield self._split(text[:cut], line)
            line += text.count(b"\n", 0, cut)
            text = text[cut:]
        if text:
            yield self._split(text, line)

    def _split(self, text: bytes, line: int) -> Block:
        if self.header.decimal_comma:
            text = text.replace(b",", b".")
        return split_cells(text, self.header.delimiter, self.header.width, line, self.header.names)


# --- Parquet --------------------------------------------------------------------------------------------------------


def _arrow() -> Any:
    return importlib.import_module("pyarrow")  # as Any: it says nothing of its types


def _open_parquet(path: Path) -> "_Parquet":
    try:
        pyarrow, parquet = _arrow(), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise RecordingError('Parquet files are read with pyarrow: pip install "kinestream[formats]"') from None
    errors = (pyarrow.ArrowException, OSError, ValueError, TypeError, MemoryError, OverflowError)
    try:
        file = parquet.ParquetFile(path, memory_map=False, pre_buffer=False)
        schema, rows = file.schema_arrow, file.metadata.num_rows
        names = tuple(str(name) for name in schema.names)
    except errors as error:
        raise _damaged(error) from None
    if not names or len(names) > MOST_COLUMNS or len(names) * max(rows, 0) > _MOST_CELLS:
        raise RecordingError(f"{rows:,} rows of {len(names):,} columns: more than is read, or none")
    header = Header(text=b"", lines=0, delimiter=b"", decimal_comma=False, width=len(names), names=names)
    return _Parquet(file, header, max(rows, 0), errors)


class _Parquet:
    def __init__(self, file: Any, header: Header, rows: int, errors: tuple[type[Exception], ...]) -> None:
        self._file, self.header, self._rows, self._errors = file, header, rows, errors

    def most(self) -> int:
        return self._rows

    def blocks(self) -> Iterator[Block]:
        size = max(_BATCH_CELLS // self.header.width, 1)
        done = 0
        try:
            for batch in self._file.iter_batches(batch_size=size, use_threads=False):
                yield _Batch(batch, self.header.names, done)
                done += batch.num_rows
                if done > self._rows:
                    raise RecordingError("more rows than the file says: damaged")
        except self._errors as error:
            if isinstance(error, RecordingError):
                raise
            raise _damaged(error) from None


@dataclass(frozen=True)
class _Batch:
    batch: Any
    names: tuple[str, ...]
    before: int

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def numbers(self, columns: Sequence[int] | None = None) -> Float64[np.ndarray, "rows some"]:
        chosen = range(len(self.names)) if columns is None else columns
        made = np.empty((len(self), len(chosen)))
        for place, column in enumerate(chosen):
            made[:, place] = self._column(column)
        return made

    def _column(self, column: int) -> np.ndarray:
        pyarrow, types = _arrow(), _arrow().types
        values = self.batch.column(column)
        kind = values.type
        if types.is_timestamp(kind) or types.is_duration(kind):
            scale = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[kind.unit]
            seconds = values.cast(pyarrow.int64()).to_numpy(zero_copy_only=False).astype(np.float64) * scale
            return np.where(values.is_null().to_numpy(zero_copy_only=False), np.nan, seconds)
        if not (types.is_floating(kind) or types.is_integer(kind) or types.is_null(kind)):
            raise RecordingError(
                f"column '{shown(self.names[column], 30)}' is of type {shown(str(kind), 30)}: numbers belong"
            )
        return values.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)

    def codes(self, column: int, known: dict[str, int]) -> Int64[np.ndarray, " rows"]:
        pyarrow, types = _arrow(), _arrow().types
        values = self.batch.column(column)
        if not (types.is_string(values.type) or types.is_large_string(values.type) or types.is_integer(values.type)):
            if not types.is_dictionary(values.type):
                kind = shown(str(values.type), 30)
                raise RecordingError(f"column '{shown(self.names[column], 30)}' is of type {kind}: names belong")
            values = values.dictionary_decode()
        coded = values.cast(pyarrow.string()).fill_null("").dictionary_encode()
        words = coded.dictionary.to_pylist()
        table = np.array([known.setdefault(str(word)[:256], len(known)) for word in words], dtype=np.int64)
        return table[coded.indices.to_numpy(zero_copy_only=False)]


def _damaged(error: Exception) -> RecordingError:
    return RecordingError(f"no Parquet file that can be read ({shown(str(error), 80)}): cut off or damaged")
