"""Header and parameters of C3D files, read with every size checked against the file.

The form is that of the C3D user guide (Motion Lab Systems): blocks of 512 bytes; a header block; groups of named
parameters; then the frames. Three kinds of computers wrote such files, each with its own order of bytes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from jaxtyping import Float32, Integer, UInt8

from kinestream.data.recording import RecordingError
from kinestream.words import shown

BLOCK = 512
Machine = Literal["intel", "dec", "mips"]
_MACHINES: Mapping[int, Machine] = {84: "intel", 85: "dec", 86: "mips"}
_SIZES = {-1: 1, 1: 1, 2: 2, 4: 4}
_MOST_DIMENSIONS = 7
_MOST_PARAMETERS = 20_000

Value = list[str] | list[float]


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a C3D file says before its frames."""

    machine: Machine
    points: int
    analog: int
    """Samples of all analog channels in a frame."""
    frames: int
    """As the first block says: 16 bits, so that long recordings say less than there is."""
    scale: float
    """Of whole numbers; negative where the numbers are floating point."""
    rate: float
    data: int
    """The byte at which the frames begin."""
    events: int
    parameters: Mapping[str, Value]
    """By `GROUP:NAME`; numbers and texts of any shape in one row, as they stand in the file."""

    def texts(self, name: str) -> list[str]:
        """The texts of a parameter and of those that continue it: LABELS, LABELS2, ..."""
        made: list[str] = []
        for number in range(1, 256):
            part = self.parameters.get(name if number == 1 else f"{name}{number}", [])
            texts = [value for value in part if isinstance(value, str)]
            if not texts:
                break
            made += texts
        return made

    def number(self, name: str) -> float | None:
        """The first number of a parameter that has any, if it is finite."""
        values = self.parameters.get(name, [])
        value = values[0] if values else None
        return value if isinstance(value, float) and math.isfinite(value) else None


def read_header(file: BinaryIO, path: Path) -> Header:
    """Raises RecordingError, saying which part is damaged."""
    size = path.stat().st_size
    first = np.frombuffer(file.read(BLOCK), dtype=np.uint8)
    if len(first) < BLOCK or first[1] != 0x50:
        raise RecordingError("it does not begin with the header of a C3D file")
    start = (max(int(first[0]), 1) - 1) * BLOCK
    if start < BLOCK or start + BLOCK > size:
        raise RecordingError("its parameters begin beyond its end: the file is cut or damaged")
    file.seek(start)
    head = file.read(4)
    machine = _MACHINES.get(head[3])
    if machine is None:
        raise RecordingError(
            f"written by an unknown kind of computer ({head[3]}): 84 (Intel), 85 (DEC) and 86 (MIPS) are read"
        )
    words = whole_numbers(first, machine, signed=False)
    data = (int(words[8]) - 1) * BLOCK
    if not start < data < size:
        raise RecordingError("its frames begin outside of the file: the file is cut or damaged")
    floats = floating_numbers(first, machine)
    has_events = int(words[149]) == 12345
    return Header(
        machine=machine,
        points=int(words[1]),
        analog=int(words[2]),
        frames=int(words[4]) - int(words[3]) + 1,
        scale=_finite(float(_float_at(first, 12, machine)), "scale"),
        rate=_finite(float(floats[5]), "rate"),
        data=data,
        events=int(words[150]) if has_events else 0,
        parameters=_parameters(file.read(data - start - 4), machine),
    )


def _float_at(raw: UInt8[np.ndarray, " bytes"], at: int, machine: Machine) -> float:
    return float(floating_numbers(raw[at : at + 4], machine)[0])


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise RecordingError(f"the {what} in its header is no number: it is damaged")
    return value


def whole_numbers(
    raw: UInt8[np.ndarray, " bytes"], machine: Machine, *, signed: bool = True
) -> Integer[np.ndarray, " n"]:
    """Numbers of 16 bits."""
    order = ">" if machine == "mips" else "<"
    kind = "i2" if signed else "u2"
    return raw[: len(raw) // 2 * 2].view(order + kind).astype(kind)


def floating_numbers(raw: UInt8[np.ndarray, " bytes"], machine: Machine) -> Float32[np.ndarray, " n"]:
    """Numbers of 32 bits. Those of DEC have their halves exchanged and count the exponent from 2 further below.

    Example:
        >>> one = np.array([0x80, 0x40, 0, 0], dtype=np.uint8)
        >>> floating_numbers(one, "dec").tolist()
        [1.0]
    """
    raw = raw[: len(raw) // 4 * 4]
    if machine == "mips":
        return raw.view(">f4").astype(np.float32)
    if machine == "intel":
        return raw.view("<f4").astype(np.float32)
    halves = raw.view("<u2").reshape(-1, 2)
    bits = (halves[:, 0].astype(np.uint32) << 16) | halves[:, 1]
    values = bits.view(np.float32) / np.float32(4)
    return np.where((bits >> 23) & 0xFF == 0, np.float32(0), values).astype(np.float32)


def _parameters(raw: bytes, machine: Machine) -> dict[str, Value]:
    groups: dict[int, str] = {}
    found: dict[tuple[int, str], Value] = {}
    at = 0
    while at + 2 <= len(raw):
        length, group = abs(int.from_bytes(raw[at : at + 1], signed=True)), raw[at + 1]
        if length == 0:
            break
        name = raw[at + 2 : at + 2 + length].decode("latin-1").strip().upper()
        at += 2 + length
        if at + 2 > len(raw) or not name.isprintable() or len(found) > _MOST_PARAMETERS:
            raise RecordingError("its parameters are damaged or cut")
        step = int.from_bytes(raw[at : at + 2], "big" if machine == "mips" else "little")
        # A group has a number below zero, its parameters the same above it.
        if group > 127:
            groups[256 - group] = name
        else:
            end = at + step if step else len(raw)
            found[group, name] = _value(raw[at + 2 : end], machine, name)
        if step == 0:
            break
        if step < 2 or at + step > len(raw):
            raise RecordingError(f"parameter {shown(name)} ends beyond the parameters: they are damaged or cut")
        at += step
    return {f"{groups[group]}:{name}": value for (group, name), value in found.items() if group in groups}


def _value(raw: bytes, machine: Machine, name: str) -> Value:
    if len(raw) < 2:
        raise RecordingError(f"parameter {shown(name)} is cut")
    kind, rank = int.from_bytes(raw[:1], signed=True), raw[1]
    if kind not in _SIZES or rank > _MOST_DIMENSIONS:
        raise RecordingError(f"parameter {shown(name)} is of kind {kind} with {rank} dimensions: it is damaged")
    shape = list(raw[2 : 2 + rank])
    count = math.prod(shape)
    content = np.frombuffer(raw, dtype=np.uint8)[2 + rank : 2 + rank + count * _SIZES[kind]]
    if len(content) < count * _SIZES[kind]:
        raise RecordingError(f"parameter {shown(name)} says {count} values and has fewer: it is damaged or cut")
    if kind == -1:
        width = shape[0] if shape else 1
        text = content.tobytes()
        parts = [text[start : start + width] for start in range(0, len(text), width)] if width else []
        return [_text(part) for part in parts]
    if kind == 1:
        return [float(value) for value in content.tolist()]
    numbers = whole_numbers(content, machine) if kind == 2 else floating_numbers(content, machine)
    return [float(value) for value in numbers.tolist()]


def _text(raw: bytes) -> str:
    raw = raw.split(b"\0")[0]
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip()
