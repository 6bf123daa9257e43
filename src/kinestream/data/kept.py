"""Arrays that are kept on disk to be computed once, in which each row has a checksum.

The file is a `.npy` file, which other programs read as it is; what follows the array is looked at here alone. A large
one is mapped, and a row is compared with its checksum when it is first used.
"""

import io
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Bool, Float32, Int64

from kinestream.data.npy import read_header
from kinestream.files import replacing

_MARK = b"kinestream checksums of the rows"
_SUM = np.dtype("<u4")
_MOST_HEADER = 10_000


class NotKeptError(Exception):
    """Why a file is not what was written; empty where there is none."""


def keep(file: Path, shape: tuple[int, ...], rows: Iterable[Float32[np.ndarray, "..."]]) -> None:
    """Writes an array of this shape into the file, a row at a time, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": shape})
    sums = np.zeros(shape[0], _SUM)
    count = 0
    # Written, not mapped: on a full disk a write says so, a mapping ends the process (SIGBUS).
    with replacing(file) as part, part.open("wb") as opened:
        opened.write(head.getvalue())
        for count, row in enumerate(rows, start=1):
            if row.shape != shape[1:] or count > shape[0]:
                raise ValueError(f"row {count} is {row.shape}, of an array {shape}")
            content = np.ascontiguousarray(row, dtype="<f4").reshape(-1).data
            opened.write(content)
            sums[count - 1] = zlib.crc32(content)
        if count != shape[0]:
            raise ValueError(f"{count} rows of an array {shape}")
        opened.write(_MARK + sums.tobytes() + _sum_of(head.getvalue(), sums.tobytes()))


def kept(file: Path, rows: int) -> Float32[np.ndarray, "n d"]:
    """The array in a file, of so many rows, in memory. Raises NotKeptError where there is none, or not as it was
    written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     keep(Path(folder, "two.npy"), (2, 2), np.float32([[1, 2], [3, 4]]))
        ...     kept(Path(folder, "two.npy"), 2).tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    found = Kept(file)
    if len(found.array) != rows or found.array.ndim != 2:
        raise NotKeptError(f"an array {found.array.shape}, where {rows} rows of float32 belong")
    everything = np.arange(rows)
    values = found.array[everything]
    if not found.are_whole(everything, values).all():
        raise NotKeptError("its checksum does not fit")
    return values


class Kept:
    """An array that `keep` wrote, mapped. Raises NotKeptError as `kept` does, but for the numbers of its rows, which
    are not read yet."""

    def __init__(self, file: Path) -> None:
        try:
            with file.open("rb") as opened:
                self.array, self._sums = _mapped(file, opened)
        except FileNotFoundError:
            raise NotKeptError from None
        except OSError as error:
            raise NotKeptError(error.strerror or str(error)) from None
        self._known = np.zeros(len(self.array), bool)

    def are_whole(
        self, indices: Int64[np.ndarray, " n"], values: Float32[np.ndarray, "n ..."]
    ) -> Bool[np.ndarray, " n"]:
        """Whether these rows, which were read from `array`, are as they were written. Each is looked at once."""
        for place, index in enumerate(indices.tolist()):
            if not self._known[index]:
                self._known[index] = zlib.crc32(values[place].reshape(-1).data) == self._sums[index]
        return self._known[indices]


def _mapped(file: Path, opened: BinaryIO) -> tuple[Any, Any]:
    """The array and the checksums. Sizes are compared with the bytes that are there before anything is made of them."""
    try:
        header = read_header(io.BytesIO(opened.read(_MOST_HEADER)))
    except ValueError as error:
        raise NotKeptError(str(error)) from None
    if header.dtype != np.dtype("<f4") or header.fortran or not header.shape:
        raise NotKeptError(f"{header.dtype} {header.shape}, where rows of float32 belong")
    table = _SUM.itemsize * header.shape[0]
    after = os.fstat(opened.fileno()).st_size - header.start - header.size
    opened.seek(max(header.start + header.size, 0))
    if after < len(_MARK) or opened.read(len(_MARK)) != _MARK:
        raise NotKeptError("cut off, or it has no checksums")
    if after != len(_MARK) + table + 4:
        raise NotKeptError("cut off")
    sums = opened.read(table)
    told = opened.read(4)
    opened.seek(0)
    if _sum_of(opened.read(header.start), sums) != told:
        raise NotKeptError("its checksums are damaged")
    array = np.empty(header.shape, np.float32)
    if header.size:
        array = np.asarray(np.memmap(file, np.float32, "r", header.start, header.shape))
    return array, np.frombuffer(sums, _SUM)


def _sum_of(head: bytes, sums: bytes) -> bytes:
    return zlib.crc32(sums, zlib.crc32(head)).to_bytes(4, "little")
