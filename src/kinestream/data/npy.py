"""Arrays in `.npy` files: headers are looked at before anything is read or mapped, and no code in a file is run."""

import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, Protocol, runtime_checkable

import numpy as np

from kinestream.words import reason

HEADER_BYTES = 192
"""Of the headers that `header` makes."""
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, ValueError, TypeError, EOFError, OSError, SyntaxError, TokenError, LookupError),
    *(NotImplementedError, RuntimeError, ArithmeticError, MemoryError, AttributeError, SystemError),
)
"""What numpy and zipfile raise for a damaged file: numpy reads the header of an array as Python."""
_MOST_HEADER = 10_000


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


@runtime_checkable
class Binary(Protocol):
    """A file, or a member of an archive."""

    def read(self, size: int = -1, /) -> bytes: ...

    def tell(self) -> int: ...


def read_header(file: Binary) -> Header:
    """The header of the array that begins where the file stands. Raises ValueError for a damaged one."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"a numpy file of version {version}: 1 to 3 are read")
        # 3.0 differs from 2.0 in the encoding of the names of record fields only, and those are not read.
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file, max_header_size=_MOST_HEADER)
    except DAMAGE as error:
        raise ValueError(f"no header of an array ({reason(error, 80)})") from None
    if any(size < 0 for size in shape):
        raise ValueError(f"an array {shape}")
    return Header(shape=shape, dtype=dtype, fortran=bool(fortran), start=file.tell())


def map_array(path: Path) -> np.ndarray:
    """Maps a `.npy` file for reading. Raises FileNotFoundError where there is none, ValueError for a damaged one."""
    with path.open("rb") as file:
        header = read_header(file)
    there = path.stat().st_size - header.start
    if header.dtype.hasobject:
        raise ValueError("an array of Python objects, which are not read: they can run code")
    if there != header.size:
        raise ValueError(f"an array {header.shape} of {header.dtype}, but {there:,} bytes of numbers")
    if not header.size:
        return np.empty(header.shape, header.dtype)
    order: Any = "F" if header.fortran else "C"
    return np.memmap(path, header.dtype, "r", header.start, header.shape, order)


def header(shape: tuple[int, ...]) -> bytes:
    """A version 1.0 header of float32 of exactly `HEADER_BYTES` bytes, so that it can be written after the data."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape!r}, }}"
    magic = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return magic + text.encode("ascii").ljust(HEADER_BYTES - 11) + b"\n"
