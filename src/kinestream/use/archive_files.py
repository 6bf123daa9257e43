"""Archives of embeddings on disk. The suffix says which form:

.parquet   the columns of `rows` and `vector`, a list of fixed size; what made them under `kinestream` in the metadata
.npz       vectors.npy, uncompressed so that it can be mapped, rows.csv, kinestream.json
.csv       the columns of `rows`, `archive` (what made them, as JSON) and v0, v1, ...
no suffix  a folder: embedding.json, and for each piece of work part-*.npy, .csv and .json
"""

import contextlib
import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from kinestream.config import parse_strictly
from kinestream.data.npy import HEADER_BYTES, header, map_array, read_header
from kinestream.documents import parse_json
from kinestream.files import replacing
from kinestream.use.made_by import MadeBy
from kinestream.use.rows import COLUMNS, NUMBERS, Rows, cells_of, read_rows, rows_from_text, write_rows
from kinestream.use.vectors import Held, InParquet, Vectors, arrow, once
from kinestream.words import reason, shown

SUFFIXES = (".parquet", ".npz", ".csv", "")
_VECTORS, _ROWS, _INFO = "vectors.npy", "rows.csv", "kinestream.json"
_MOST_DIM = 1_000_000
_MOST_GROUP_BYTES = 2 << 30
_ALIGNED = b"KS" + (63).to_bytes(2, "little") + bytes(63)
"""A field of a zip entry that fills up what stands before its content to 128 bytes: numbers can then be used as they
lie in the file."""
_LONGEST = 1e9
_ROW_BYTES = 20_000
"""More of the table a row, on average, than any has."""

_ZIP_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, EOFError, UnicodeDecodeError),
    *(struct.error, LookupError, MemoryError),
)
Content = tuple[MadeBy, Rows, Vectors]


def check_out(path: Path) -> None:
    """Raises ValueError where no archive can be written under this name."""
    if path.suffix not in SUFFIXES:
        known = ", ".join(suffix for suffix in SUFFIXES if suffix)
        raise ValueError(f"{path}: an archive of embeddings ends with {known}, or is a folder (no suffix)")
    if path.suffix == ".parquet":
        arrow(path)


def read_archive(path: Path) -> Content:
    """Raises ValueError for what is no archive, or a damaged one. Nothing in it is executed."""
    if not path.exists():
        raise ValueError(f"no archive of embeddings {path}: make one with 'kinestream embed'")
    if path.is_dir():
        from kinestream.use.shards import read_folder

        return _checked(path, read_folder(path))
    readers = {".parquet": _read_parquet, ".npz": _read_npz, ".csv": _read_csv}
    if path.suffix not in readers:
        raise ValueError(f"{path} is no archive of embeddings: one ends with {', '.join(readers)}, or is a folder")
    return _checked(path, readers[path.suffix](path))


def _checked(path: Path, content: Content) -> Content:
    """Raises ValueError where a row is about a stretch that cannot be."""
    rows = content[1]
    known = ~np.isnan(rows.fps)
    stretches = (rows.start >= 0) & (rows.start <= rows.end) & (rows.end < _LONGEST)
    rates = ~known | ((rows.fps > 0) & (rows.fps < 100_000))
    wrong = np.flatnonzero(~(stretches & rates & (rows.person >= 0)))
    if len(wrong):
        raise ValueError(f"{path} is damaged: row {wrong[0] + 1} is about a stretch, a rate or a person that cannot be")
    return content


def write_archive(path: Path, made_by: MadeBy, parts: Sequence[tuple[Rows, Vectors]]) -> None:
    """Writes a file, whole; some rows at a time, so that memory stays bounded."""
    check_out(path)
    with replacing(path) as part:
        if path.suffix == ".parquet":
            _write_parquet(part, made_by, parts)
        elif path.suffix == ".npz":
            _write_npz(part, made_by, parts)
        else:
            _write_csv(part, made_by, parts)


def made_by_from(plain: Any, where: object) -> MadeBy:
    """Raises ValueError for what is no description of an archive."""
    if isinstance(plain, str | bytes):
        try:
            plain = parse_json(plain)
        except ValueError:
            plain = None
    if not isinstance(plain, dict) or plain.get("schema") != MadeBy.SCHEMA:
        raise ValueError(f"{where} is no archive of embeddings that this kinestream reads")
    made_by = parse_strictly(MadeBy, {key: plain[key] for key in plain if key != "schema"}, f"{where} is damaged")
    if not 1 <= made_by.dim <= _MOST_DIM:
        raise ValueError(f"{where} is damaged: vectors of {made_by.dim} numbers")
    return made_by


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _read_parquet(path: Path) -> Content:
    pa, pq = arrow(path)
    try:
        with pq.ParquetFile(path) as file:
            made_by = made_by_from((file.schema_arrow.metadata or {}).get(b"kinestream"), path)
            kinds = {field.name: field.type for field in file.schema_arrow}
            if set(kinds) < {*COLUMNS, "vector"} or kinds["vector"] != pa.list_(pa.float32(), made_by.dim):
                raise ValueError(f"{path} is damaged: its columns are {shown(sorted(kinds)[:12], 200)}")
            sizes = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
            if any(4 * made_by.dim * size > _MOST_GROUP_BYTES for size in sizes):
                raise ValueError(f"{path} has row groups of more than 2 GB: write it again in smaller ones")
            parts = []
            for number in range(len(sizes)):
                table = file.read_row_group(number, columns=list(COLUMNS))
                parts.append(Rows.of({name: table.column(name).to_pylist() for name in COLUMNS}))
        return made_by, Rows.joined(parts), InParquet(path, made_by.dim)
    except (pa.ArrowException, OSError, TypeError, OverflowError, MemoryError, LookupError) as error:
        raise ValueError(f"{path} is no whole Parquet file ({reason(error)})") from None


def _write_parquet(path: Path, made_by: MadeBy, parts: Sequence[tuple[Rows, Vectors]]) -> None:
    pa, pq = arrow(path)
    kinds = {name: pa.float64() if name in NUMBERS else pa.string() for name in COLUMNS} | {"person": pa.int64()}
    fields = [pa.field(name, kind) for name, kind in kinds.items()]
    fields.append(pa.field("vector", pa.list_(pa.float32(), made_by.dim)))
    schema = pa.schema(fields, metadata={"kinestream": made_by.to_json()})
    texts = [name for name in COLUMNS if kinds[name] == pa.string()]
    # Vectors do not compress: left as they are, they are read faster.
    codecs = dict.fromkeys(COLUMNS, "ZSTD") | {"vector.list.element": "NONE"}
    with pq.ParquetWriter(path, schema, use_dictionary=texts, compression=codecs, write_statistics=texts) as writer:
        for rows, vectors in parts:
            for start, some in once(vectors):
                told = rows.take(slice(start, start + len(some)))
                columns = [pa.array(getattr(told, name).tolist(), kinds[name]) for name in COLUMNS]
                flat = pa.array(np.ascontiguousarray(some).reshape(-1))
                columns.append(pa.FixedSizeListArray.from_arrays(flat, made_by.dim))
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))


# --- npz --------------------------------------------------------------------------------------------------------------


def _read_npz(path: Path) -> Content:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename: entry for entry in archive.infolist()}
            if not {_VECTORS, _ROWS, _INFO} <= set(sizes):
                raise ValueError(f"{path} is no archive of embeddings: it has no {_VECTORS}, {_ROWS} and {_INFO}")
            if sizes[_INFO].file_size > 1_000_000:
                raise ValueError(f"{path} is damaged: {_INFO} has {sizes[_INFO].file_size:,} bytes")
            made_by = made_by_from(archive.read(_INFO), path)
            vectors = _mapped(path, sizes[_VECTORS])
            if vectors.ndim != 2 or vectors.shape[1] != made_by.dim or vectors.dtype != np.float32:
                raise ValueError(f"{path} is damaged: vectors {vectors.shape}, and each has {made_by.dim} numbers")
            if sizes[_ROWS].file_size > _ROW_BYTES * (len(vectors) + 1):
                raise ValueError(f"{path} is damaged: {_ROWS} is too long for {len(vectors):,} rows")
            with archive.open(_ROWS) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as lines:
                rows = read_rows(lines, path, most=len(vectors))
    except _ZIP_DAMAGE as error:
        raise ValueError(f"{path} is no whole .npz file ({reason(error)})") from None
    if len(rows) != len(vectors):
        raise ValueError(f"{path} is damaged: {len(vectors):,} vectors and {len(rows):,} rows")
    return made_by, rows, Held(vectors, path)


def _mapped(path: Path, entry: zipfile.ZipInfo) -> Float32[np.ndarray, "n d"]:
    """An array of a .npz file, mapped where it lies."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise ValueError(f"{path}: {entry.filename} is compressed, so that it cannot be mapped: write it with ks.embed")
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        local = file.read(30)
        if len(local) < 30 or local[:4] != b"PK\x03\x04":
            raise ValueError(f"{path} is damaged: {entry.filename} is not where its list says")
        name, extra = (int.from_bytes(local[at : at + 2], "little") for at in (26, 28))
        begin = entry.header_offset + 30 + name + extra
        file.seek(begin)
        try:
            head = read_header(file)
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}") from None
    if head.dtype != np.dtype("<f4") or head.fortran or head.size != entry.file_size - (head.start - begin):
        raise ValueError(f"{path} is damaged: {entry.filename} is no array of {head.shape}")
    if not head.size:
        return np.empty(head.shape, np.float32)
    if head.start + head.size > path.stat().st_size:
        raise ValueError(f"{path} is cut off: {entry.filename} is not whole")
    return np.memmap(path, np.float32, "r", head.start, head.shape)


def _write_npz(path: Path, made_by: MadeBy, parts: Sequence[tuple[Rows, Vectors]]) -> None:
    count = sum(len(rows) for rows, _ in parts)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        entry = zipfile.ZipInfo(_VECTORS)
        entry.extra = _ALIGNED
        with archive.open(entry, "w", force_zip64=True) as file:
            file.write(header((count, made_by.dim)))
            for _, vectors in parts:
                for _, some in once(vectors):
                    file.write(np.ascontiguousarray(some, dtype="<f4").data)
        entry = zipfile.ZipInfo(_ROWS)
        entry.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(entry, "w", force_zip64=True) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as text:
            for number, (rows, _) in enumerate(parts):
                write_rows(text, rows, heading=number == 0)
            if not parts:
                write_rows(text, Rows.joined([]))
        archive.writestr(_INFO, made_by.to_json())


# --- CSV --------------------------------------------------------------------------------------------------------------


def _read_csv(path: Path) -> Content:
    cells: list[list[str]] = []
    vectors: list[np.ndarray] = []
    known = ""
    made_by = None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            heading = next(reader, [])
            dim = len(heading) - len(COLUMNS) - 1
            if (*COLUMNS, "archive") != tuple(heading[: len(COLUMNS) + 1]) or dim < 1:
                raise ValueError("it has other columns")
            for row in reader:
                if len(row) != len(heading):
                    raise ValueError(f"line {reader.line_num} has {len(row)} cells, not {len(heading)}")
                if made_by is None:
                    known, made_by = row[len(COLUMNS)], made_by_from(row[len(COLUMNS)], path)
                if row[len(COLUMNS)] != known:
                    raise ValueError(f"line {reader.line_num} was made otherwise than those before it")
                cells.append(row[: len(COLUMNS)])
                vectors.append(np.array(row[len(COLUMNS) + 1 :], dtype=np.float32))
        if made_by is None:
            raise ValueError("it has no row")
        rows = rows_from_text(dict(zip(COLUMNS, zip(*cells, strict=True), strict=True)))
    except (ValueError, OverflowError, OSError, csv.Error) as error:
        raise ValueError(f"{path} is no archive of embeddings: {reason(error)}") from None
    if made_by.dim != dim:
        raise ValueError(f"{path} is damaged: vectors of {dim} numbers, where {made_by.dim} belong")
    return made_by, rows, Held(np.stack(vectors), path)


def _write_csv(path: Path, made_by: MadeBy, parts: Sequence[tuple[Rows, Vectors]]) -> None:
    text = made_by.to_json()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*COLUMNS, "archive", *(f"v{number}" for number in range(made_by.dim))))
        for rows, vectors in parts:
            for start, some in once(vectors, 1024):
                told = cells_of(rows.take(slice(start, start + len(some))))
                for cells, row in zip(told, some, strict=True):
                    # Nine digits give each float32 back to the bit.
                    writer.writerow((*cells, text, *(f"{value:.9g}" for value in row.tolist())))


@contextlib.contextmanager
def writing_vectors(path: Path, dim: int) -> Iterator["VectorFile"]:
    """A `.npy` file of vectors that grows; its header is written in the end."""
    with path.open("wb") as file:
        file.write(bytes(HEADER_BYTES))
        made = VectorFile(file, dim)
        yield made
        file.seek(0)
        file.write(header((made.rows, dim)))


class VectorFile:
    """What `writing_vectors` gives."""

    def __init__(self, file: Any, dim: int) -> None:
        self._file, self._dim = file, dim
        self.rows = 0

    def add(self, vectors: Float32[np.ndarray, "n d"]) -> None:
        self._file.write(np.ascontiguousarray(vectors, dtype="<f4").data)
        self.rows += len(vectors)


def map_vectors(path: Path, dim: int) -> Held:
    """Raises ValueError for a file of another kind."""
    try:
        array = map_array(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({reason(error)}): remove it, and embed again") from None
    if array.ndim != 2 or array.shape[1] != dim or array.dtype != np.float32:
        raise ValueError(f"{path} is damaged: {array.shape} where vectors of {dim} numbers belong: remove it")
    return Held(array, path)
