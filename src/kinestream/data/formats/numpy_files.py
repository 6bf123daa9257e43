"""The arrays of `.npy` and `.npz` files by name: headers are read first, and no data that they do not announce.

Plain `.npy` files, and large arrays that an `.npz` holds without compression, are mapped, not loaded.
"""

import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.npy import DAMAGE, Binary, Header, read_header
from kinestream.data.recording import RecordingError
from kinestream.words import reason, shown

SUFFIXES = (".npy", ".npz")
MOST_BYTES = 2**32
"""Of an array that has to be loaded."""
_MAPPED = 2**26
"""From this size on an array in an archive is mapped where that can be done."""
_ROOM, _TIMES = 2**26, 200
"""Bytes that any member may unpack to, and how many times its own."""
_MAGIC, _ZIP_MAGIC = b"\x93NUMPY", b"PK\x03\x04"
_LOCAL_HEADER = 30
"""Bytes of what stands before the name of a file in an archive."""


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
        except DAMAGE as error:
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
            check_unpacked(_called(name), header, about)
            with archive.open(about) as file:
                return np.lib.format.read_array(file, allow_pickle=False)


def check_unpacked(called: str, header: Header, about: zipfile.ZipInfo) -> None:
    """Raises RecordingError where a member of an archive unpacks to more than can be, or than recordings do: those take
    a third to a tenth of their room, nothing but zeros a thousandth."""
    if header.size > MOST_BYTES:
        raise RecordingError(
            f"array {called} is {header.size:,} bytes, more than the {MOST_BYTES:,} that are unpacked: "
            "save it with numpy.savez or as .npy, or in parts"
        )
    numbers = 8 * math.prod(header.shape)  # as they are computed with
    if max(header.size, numbers) > max(_ROOM, _TIMES * about.compress_size):
        raise RecordingError(
            f"array {called} unpacks {about.compress_size:,} bytes to {header.size:,}: hardly anything but equal "
            "numbers; save it with numpy.savez if that is right"
        )


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
    except DAMAGE as error:
        raise damaged(error) from None


def names_in(path: Path) -> tuple[str, ...]:
    """The names of the arrays of an `.npz` file; none for any other."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy"))
    except DAMAGE:
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
    return RecordingError(f"no numpy file that can be read ({reason(error, 80)}): cut off or damaged")


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


def _header(file: Binary) -> Header:
    try:
        return read_header(file)
    except ValueError as error:
        raise RecordingError(f"{error}: cut off or damaged") from None


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
