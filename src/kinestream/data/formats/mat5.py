"""What MATLAB files of version 5 to 7.2 hold ("MAT-File Format", MathWorks, "Level 5"): the names of their variables,
and of one the numbers. Every type and length is looked at before it is followed: scipy's reader ends the process, not
only itself, on a damaged file.

An element is a tag of 8 bytes, its type and the bytes that follow, filled up to 8; of up to 4 bytes all is within the
tag. A variable is an element of elements: flags, shape, name, and its numbers column by column.
"""

import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

Order = Literal["<", ">"]
"""Of bytes."""
MARK = b"MATLAB 5.0"
_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
_OTHERS = ("cell", "struct", "object", "char", "sparse", "double", "single")
KINDS: Mapping[int, str] = dict(enumerate((*_OTHERS, *_INTEGERS, "function", "opaque"), 1))
"""Classes of variables, by number."""
_NUMBERS: Mapping[int, str] = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
"""Types of elements that hold numbers, as numpy calls them."""
_NAME, _INT32, _UINT32, _MATRIX, _PACKED = 1, 5, 6, 14, 15
_FIRST_NUMERIC, _LAST_NUMERIC, _STRUCT, _OPAQUE = 6, 15, 2, 17
_HEADER, _TAG = 128, 8
_START = 1 << 16
"""Of a packed variable so much is unpacked to see what it is."""
_MOST_AXES, _MOST_FIELDS = 32, 1000


class DamagedError(ValueError):
    """What cannot be in such a file."""


@dataclass(frozen=True)
class Variable:
    """One of the file, at the top."""

    name: str
    shape: tuple[int, ...]
    kind: str
    """As MATLAB calls it: double, struct, cell, logical and so on."""
    place: int
    """Of its element in the file."""


def list_variables(path: Path) -> list[Variable]:
    """In the order of the file. Raises DamagedError, or OSError."""
    content, order = _opened(path)
    found = []
    at = _HEADER
    while at < len(content):
        part = _start_of(content, at, order)
        if part is not None:
            head = _Head(part, order)
            if head.name:  # what functions of MATLAB keep has none
                found.append(Variable(head.name, head.shape, head.kind, at))
        kind, start, size = _tag(content, at, order)
        at = start + size if kind == _PACKED else _after(at, start, size)
    return found


def load_variable(path: Path, variable: Variable, most_bytes: int) -> dict[str, np.ndarray]:
    """Its array under the name "", or those of the fields of a struct; what holds no numbers is an empty array of
    objects. Raises DamagedError, also where more than `most_bytes` are packed in the file."""
    content, order = _opened(path)
    kind, start, size = _tag(content, variable.place, order)
    body = content[start : start + size]
    if kind == _PACKED:
        body = memoryview(_unpacked(body, most_bytes))
        kind, start, size = _tag(body, 0, order)
        body = body[start : start + size]
    if kind != _MATRIX:
        raise DamagedError(f"an element of type {kind} where a variable belongs")
    head = _Head(body, order)
    if head.number != _STRUCT:
        return {"": head.numbers()}
    return dict(head.fields())


class _Head:
    """What a variable says of itself, and where its content begins."""

    def __init__(self, body: memoryview, order: Order) -> None:
        self._body, self._order = body, order
        kind, data, at = _element(body, 0, order)
        if kind != _UINT32 or len(data) != 8:
            raise DamagedError("a variable without flags")
        flags = struct.unpack(f"{order}II", data)[0]
        self.number, self._complex = flags & 0xFF, bool(flags & 0x800)
        self.kind = "logical" if flags & 0x200 else KINDS.get(self.number, "")
        if not self.kind:
            raise DamagedError(f"a variable of class {self.number}")
        self.shape: tuple[int, ...] = ()
        if self.number != _OPAQUE:
            kind, data, at = _element(body, at, order)
            if kind != _INT32 or len(data) % 4 or not 8 <= len(data) <= 4 * _MOST_AXES:
                raise DamagedError("a variable without a shape")
            self.shape = struct.unpack(f"{order}{len(data) // 4}i", data)
            if min(self.shape) < 0:
                raise DamagedError(f"a variable of shape {self.shape}")
        kind, data, self._at = _element(body, at, order)
        if kind != _NAME:
            raise DamagedError("a variable without a name")
        self.name = _text(data)

    def numbers(self) -> np.ndarray:
        """Of a type that holds them, which may be a smaller one than MATLAB's."""
        if not _FIRST_NUMERIC <= self.number <= _LAST_NUMERIC:
            return np.empty(0, dtype=object)
        count = math.prod(self.shape)
        real, at = self._part(self._at, count)
        made = real if not self._complex else real + 1j * self._part(at, count)[0]
        return made.reshape(self.shape, order="F")

    def _part(self, at: int, count: int) -> tuple[np.ndarray, int]:
        if count == 0 and at >= len(self._body):
            return np.zeros(0), at
        kind, data, at = _element(self._body, at, self._order)
        if kind not in _NUMBERS:
            raise DamagedError(f"an element of type {kind} where numbers belong")
        dtype = np.dtype(_NUMBERS[kind]).newbyteorder(self._order)
        if len(data) != count * dtype.itemsize:
            raise DamagedError(f"{len(data)} bytes of numbers for shape {self.shape}")
        return np.frombuffer(data, dtype), at

    def fields(self) -> Iterator[tuple[str, np.ndarray]]:
        """Of one struct."""
        kind, data, at = _element(self._body, self._at, self._order)
        if kind != _INT32 or len(data) != 4:
            raise DamagedError("a struct without the length of its names")
        length = struct.unpack(f"{self._order}i", data)[0]
        kind, names, at = _element(self._body, at, self._order)
        if kind != _NAME or length < 1 or len(names) % length or len(names) // length > _MOST_FIELDS:
            raise DamagedError("a struct without names of fields")
        for place in range(0, len(names), length):
            kind, data, at = _element(self._body, at, self._order)
            if kind != _MATRIX:
                raise DamagedError(f"an element of type {kind} where a field belongs")
            yield _text(names[place : place + length]), _Head(data, self._order).numbers() if data else np.zeros((0, 0))


def _opened(path: Path) -> tuple[memoryview, Order]:
    """What the file holds, mapped, and the order of its bytes, `<` or `>`."""
    content = np.memmap(path, dtype=np.uint8, mode="r").data if path.stat().st_size else memoryview(b"")
    start = bytes(content[:_HEADER])
    orders: Mapping[bytes, Order] = {b"IM": "<", b"MI": ">"}
    order = orders.get(start[126:128])
    if not start.startswith(MARK) or order is None:
        raise DamagedError("its first line is not of version 5")
    return content, order


def _start_of(content: memoryview, at: int, order: Order) -> memoryview | None:
    """The beginning of the variable there, unpacked; None for an element that is none."""
    kind, start, size = _tag(content, at, order)
    body = content[start : start + size]
    if kind == _PACKED:
        try:
            body = memoryview(zlib.decompressobj().decompress(body, _START))
        except zlib.error as error:
            raise DamagedError(str(error)) from None
        kind, start, size = _tag(body, 0, order, whole=False)
        body = body[start : start + size]
    return body if kind == _MATRIX else None


def _unpacked(body: memoryview, most_bytes: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        made = unpacker.decompress(body, most_bytes)
        if not unpacker.eof:
            made += unpacker.flush(1) if not unpacker.unconsumed_tail else b""
    except zlib.error as error:
        raise DamagedError(str(error)) from None
    if not unpacker.eof:
        raise DamagedError(f"it does not end after {len(made):,} bytes")
    return made


def _tag(content: memoryview, at: int, order: Order, *, whole: bool = True) -> tuple[int, int, int]:
    """The type of the element there, where its data begin, and how many bytes they are."""
    if at + _TAG > len(content):
        raise DamagedError("it ends within an element")
    kind, size = struct.unpack(f"{order}II", content[at : at + _TAG])
    if kind >> 16:
        kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
        if size > 4:
            raise DamagedError(f"a short element of {size} bytes")
    else:
        start = at + _TAG
    if whole and start + size > len(content):
        raise DamagedError("an element is longer than the file")
    return kind, start, size


def _element(content: memoryview, at: int, order: Order) -> tuple[int, memoryview, int]:
    """The type of the element there, its data, and where the next one begins."""
    kind, start, size = _tag(content, at, order)
    return kind, content[start : start + size], _after(at, start, size)


def _after(at: int, start: int, size: int) -> int:
    return at + _TAG if start == at + 4 else start + size + -size % 8


def _text(data: memoryview) -> str:
    return bytes(data).split(b"\0")[0].decode("latin-1")
