"""The arrays of `.npy` and `.npz` files by name: headers are read first, and no data that they do not announce.

Plain `.npy` files, and large arrays that an `.npz` holds without compression, are mapped, not loaded.
"""

import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, Protocol, runtime_checkable

import numpy as np

from kinestream.data.recording import RecordingError
from kinestream.words import shown

SUFFIXES = (".npy", ".npz")
MOST_BYTES = 2**32
"""Of an array that has to be loaded."""
_MAPPED = 2**26
"""From this size on an array in an archive is mapped where that can be done."""
_MAGIC, _ZIP_MAGIC = b"\x93NUMPY", b"PK\x03\x04"
_LOCAL_HEADER = 30
"""Bytes of what stands before the name of a file in an archive."""
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, SyntaxError, TokenError, KeyError),
    *(NotImplementedError, RuntimeError, OverflowError, MemoryError, RecursionError),
)


@dataclass(frozen=True, kw_only=True)
class Header:
    """What stands before the numbers of an array."""

    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"
    fortran: bool
    start: int
    """Byte of the first number, counted from the magic word."""

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Arrays:
    """The arrays of a file by name; that of a `.npy` file has the name ''."""

    path: Path
    headers: Mapping[str, Header]

    def load(self, name: str) -> np.ndarray:
        """Raises RecordingError where it is damaged, or too large."""
        header = self.headers[name]
        if header.dtype.hasobject:
            raise RecordingError(f"array {_called(name)} is of Python objects, which are not read: they can run code")
        try:
            if not name and self.path.suffix.lower() != ".npz":
                return _map(self.path, header, header.start)
            return self._member(name, header)
        except RecordingError:
            raise
        except _DAMAGE as error:
            raise damaged(error) from None

    def _member(self, name: str, header: Header) -> np.ndarray:
        with zipfile.ZipFile(self.path) as archive:
            about = archive.getinfo(_member_name(archive, name))
            if about.compress_type == zipfile.ZIP_STORED and header.size >= _MAPPED:
                begin = _begin(self.path, about)
                found = _map(self.path, header, begin + header.start)
                if _checksum(self.path, begin, about.file_size) != about.CRC:
                    raise RecordingError(f"array {_called(name)} is damaged: its checksum differs")
                return found
            if header.size > MOST_BYTES:
                raise RecordingError(
                    f"array {_called(name)} is {header.size:,} bytes, more than the {MOST_BYTES:,} that are unpacked: "
                    "save it with numpy.savez or as .npy, or in parts"
                )
            with archive.open(about) as file:
                return np.lib.format.read_array(file, allow_pickle=False, max_header_size=_MOST_HEADER)


_MOST_HEADER = 10_000


def open_arrays(path: Path) -> Arrays:
    """Raises RecordingError for a file that is no whole `.npy` or `.npz`."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
            if start == _MAGIC:
                file.seek(0)
                header = _header(file)
                there = path.stat().st_size - header.start
                if there < header.size and not header.dtype.hasobject:
                    raise RecordingError(f"the file ends before its array {header.shape} does: cut off or damaged")
                return Arrays(path, {"": header})
            if start[: len(_ZIP_MAGIC)] != _ZIP_MAGIC:
                raise RecordingError("no numpy file: it begins otherwise" if start else "the file is empty")
        return Arrays(path, _members(path))
    except RecordingError:
        raise
    except _DAMAGE as error:
        raise damaged(error) from None


def names_in(path: Path) -> tuple[str, ...]:
    """The names of the arrays of an `.npz` file; none for any other."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy"))
    except _DAMAGE:
        return ()


def is_npy(path: Path) -> bool:
    """Whether a file begins as a `.npy` file does."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def damaged(error: BaseException) -> RecordingError:
    """What to say of a file that numpy cannot read."""
    return RecordingError(f"no numpy file that can be read ({shown(str(error), 80)}): cut off or damaged")


def _members(path: Path) -> dict[str, Header]:
    found: dict[str, Header] = {}
    with zipfile.ZipFile(path) as archive:
        for about in archive.infolist():
            if not about.filename.endswith(".npy"):
                continue
            with archive.open(about) as file:
                header = _header(file)
            if about.file_size - header.start != header.size and not header.dtype.hasobject:
                raise RecordingError(f"array {_called(about.filename)} is not as long as it says: damaged")
            found[about.filename.removesuffix(".npy")] = header
    if not found:
        raise RecordingError("an archive without arrays")
    return found


@runtime_checkable
class _Binary(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...

    def tell(self) -> int: ...


def _header(file: _Binary) -> Header:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise RecordingError(f"a numpy file of version {version}: 1 to 3 are read")
    # 3.0 differs from 2.0 in the encoding of the names of record fields only, and those are not read.
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(file, max_header_size=_MOST_HEADER)
    except TypeError as error:  # a type that numpy does not know
        raise ValueError(str(error)) from None
    if any(size < 0 for size in shape):
        raise RecordingError(f"an array {shape}: damaged")
    return Header(shape=shape, dtype=dtype, fortran=fortran, start=file.tell())


def _map(path: Path, header: Header, start: int) -> np.ndarray:
    order: Any = "F" if header.fortran else "C"
    if not header.size:
        return np.empty(header.shape, header.dtype)
    return np.memmap(path, dtype=header.dtype, mode="r", offset=start, shape=header.shape, order=order)


def _member_name(archive: zipfile.ZipFile, name: str) -> str:
    return next(one for one in archive.namelist() if one == f"{name}.npy")


def _begin(path: Path, about: zipfile.ZipInfo) -> int:
    """The byte where a file in an archive begins."""
    with path.open("rb") as file:
        file.seek(about.header_offset)
        local = file.read(_LOCAL_HEADER)
    if len(local) != _LOCAL_HEADER or local[: len(_ZIP_MAGIC)] != _ZIP_MAGIC:
        raise RecordingError("the archive is damaged")
    lengths = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
    return about.header_offset + _LOCAL_HEADER + lengths


def _checksum(path: Path, begin: int, size: int) -> int:
    found = 0
    with path.open("rb") as file:
        file.seek(begin)
        while size and (block := file.read(min(size, 1 << 20))):
            found, size = zlib.crc32(block, found), size - len(block)
    return found


def _called(name: str) -> str:
    return f"'{shown(name, 40)}'" if name else "of the file"
