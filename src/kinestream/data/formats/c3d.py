"""C3D files: places of markers, as optical motion capture saves them, and much else, which is not read.

NOTE(own reader): ezc3d takes a file that is cut anywhere as if it were whole, and none of MIPS computers, so all sizes
are checked here; the tests compare the two.
"""

import re
from typing import BinaryIO

import numpy as np
from jaxtyping import Float32

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.c3d_parameters import Header, floating_numbers, read_header, whole_numbers
from kinestream.data.formats.markers import LARGEST, sort_markers
from kinestream.data.recording import Found, RecordingError, Source

_MODEL_RESULTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "REACTIONS")
"""Parameters of POINT that name columns which are no places."""
_LONGEST_16_BITS = 65535
_FRAMES_AT_ONCE = 4096
_SCREEN = re.compile(r"([+-]?)([XYZ])", re.IGNORECASE)


def read(source: Source) -> list[Found]:
    """Reads a file: one recording with a body for each subject, or several where their markers differ. Raises
    RecordingError."""
    with source.path.open("rb") as file:
        header = read_header(file, source.path)
        notes = _not_read(header)
        _check_counts(header)
        labels = header.texts("POINT:LABELS")[: header.points]
        labels += [""] * (header.points - len(labels))
        no_places = {label for kind in _MODEL_RESULTS for label in header.texts(f"POINT:{kind}")}
        markers = sort_markers(labels, no_places=no_places)
        frames = _frames(header, source.path.stat().st_size)
        places = _places(file, header, frames)
    rate = header.number("POINT:RATE") or header.rate
    units = next(iter(header.texts("POINT:UNITS")), "")
    fps = rate if 0 < rate < 100_000 else None
    return markers.found(places, fps=fps, units=units, up=_up(header), notes=notes)


def _not_read(header: Header) -> list[str]:
    notes = []
    if channels := header.number("ANALOG:USED"):
        notes.append(f"{channels:.0f} analog channels (force plates, EMG and the like) are not read")
    if events := max(header.number("EVENT:USED") or 0, header.events):
        notes.append(f"{events:.0f} events are not read")
    if rotations := header.number("ROTATION:USED"):
        notes.append(f"{rotations:.0f} rotations of segments are not read")
    return notes


def _check_counts(header: Header) -> None:
    used, scale = header.number("POINT:USED"), header.number("POINT:SCALE")
    if not header.points:
        raise RecordingError("no points: it has only other measurements")
    if used is not None and int(used) % 65536 != header.points:
        raise RecordingError(f"its header says {header.points} points, its parameters {used:.0f}: it is damaged")
    if scale is not None and (scale < 0) != (header.scale < 0):
        raise RecordingError("its header and its parameters differ in whether numbers are whole: it is damaged")
    if not header.scale and not scale:
        raise RecordingError("the scale of its numbers is zero: it is damaged")


def _frames(header: Header, size: int) -> int:
    """How many there are. The counts that are kept in 16 bits end at 65535; longer ones stand elsewhere."""
    room = (size - header.data) // _frame_bytes(header)
    told = header.number("POINT:FRAMES")
    said = header.frames if told is None else int(told) % 65536
    ends = [header.parameters.get(f"TRIAL:ACTUAL_{end}_FIELD", []) for end in ("START", "END")]
    if all(len(end) == 2 and not isinstance(end[0], str) for end in ends):
        start, end = (_two_words(float(low), float(high)) for low, high in ends)
        said = end - start + 1
    elif (long := header.number("POINT:LONG_FRAMES")) is not None:
        said = int(long)
    elif said == _LONGEST_16_BITS:
        said = max(room, said)
    if said < 1:
        raise RecordingError("no frames")
    if said > room:
        raise RecordingError(f"it says {said:,} frames and has room for {room:,}: the file is cut")
    return said


def _two_words(low: float, high: float) -> int:
    return int(low) % 65536 + 65536 * (int(high) % 65536)


def _frame_bytes(header: Header) -> int:
    return (4 * header.points + header.analog) * (4 if header.scale < 0 else 2)


def _places(file: BinaryIO, header: Header, frames: int) -> Float32[np.ndarray, "t markers 3"]:
    """NaN where a marker was not seen: its residual is below zero, or it lies exactly in the origin."""
    size, whole = _frame_bytes(header), header.scale > 0
    scale = np.float32(abs(header.number("POINT:SCALE") or header.scale))
    places = np.empty((frames, header.points, 3), dtype=np.float32)
    at_once = max(1, min(_FRAMES_AT_ONCE, 4_000_000 // size))
    file.seek(header.data)
    for start in range(0, frames, at_once):
        count = min(at_once, frames - start)
        raw = np.frombuffer(file.read(count * size), dtype=np.uint8)
        if len(raw) < count * size:
            raise RecordingError(f"it ends in frame {start + len(raw) // size + 1}: the file is cut")
        own = np.ascontiguousarray(raw.reshape(count, size)[:, : header.points * (8 if whole else 16)]).reshape(-1)
        numbers = whole_numbers(own, header.machine) if whole else floating_numbers(own, header.machine)
        block = numbers.reshape(count, header.points, 4)
        seen = (block[..., 3] >= 0) & np.isfinite(block).all(axis=-1) & (block[..., :3] != 0).any(axis=-1)
        part = block[..., :3].astype(np.float32)
        part[~seen] = np.nan
        part *= scale if whole else np.float32(1)
        if (np.abs(part) > LARGEST).any():
            frame, point, _ = (int(place) for place in np.argwhere(np.abs(part) > LARGEST)[0])
            raise RecordingError(f"frame {start + frame + 1}: point {point + 1} beyond {LARGEST:,.0f}: not a position")
        places[start : start + count] = part
    return places


def _up(header: Header) -> str | None:
    """The axis that points up on the screen."""
    told = _SCREEN.fullmatch(next(iter(header.texts("POINT:Y_SCREEN")), ""))
    return f"{'-' if told[1] == '-' else ''}{told[2].lower()}" if told else None


FORMATS.add("c3d", Format(suffixes=(".c3d",), read=read, looks_like="C3D motion capture", files_a_task=2))
