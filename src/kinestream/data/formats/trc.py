"""TRC files (Track Row Column) of OpenSim and Motion Analysis: places of markers as text, with tabs or commas.

Five lines of header, then a line for each frame: its number, its time, and x, y, z of each marker. A blank cell is a
marker that was not seen.
"""

import math
import re

import numpy as np
from jaxtyping import Float64

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.decimals import split_words
from kinestream.data.formats.lines import TextFile, parse_numbers
from kinestream.data.formats.markers import LARGEST, MOST_MARKERS, sort_markers
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.words import shown

_BLANK = b"99999999"
"""Stands for a blank cell while numbers are read: no position is that large."""
_AXES = re.compile(r"[XYZ]\d+", re.IGNORECASE)


def read(source: Source) -> list[Found]:
    """Reads a file: one recording, or several where it has subjects with other markers. Raises RecordingError with the
    line."""
    with TextFile(source.path) as file:
        separator, said = _read_start(file)
        labels = _read_labels(file, separator)
        markers = sort_markers(labels)
        cells = 2 + 3 * len(labels)
        room = min(file.count_rest(), (file.size - file.tell()) // cells + 1)
        places = np.empty((room, len(labels), 3))
        numbers = np.empty((room, 2))
        frames = 0
        for text, first in file.blocks():
            rows = _rows(text, first, cells, separator.encode())
            places[frames : frames + len(rows)] = rows[:, 2:].reshape(-1, len(labels), 3)
            numbers[frames : frames + len(rows)] = rows[:, :2]
            frames += len(rows)
    fps = _positive(said.get("datarate", ""))
    notes = _contradictions(said, labels, numbers[:frames], fps)
    return markers.found(places[:frames], fps=fps, units=said.get("units", ""), up=None, notes=notes)


def _read_start(file: TextFile) -> tuple[str, dict[str, str]]:
    """The separator, and what the second and third line say, by names in small letters."""
    lines = [file.line() for _ in range(3)]
    first = lines[0] or ""
    if not first.lower().startswith("pathfiletype"):
        raise RecordingError(f"'{shown(first)}' where PathFileType belongs: this is no TRC file", 1)
    if lines[2] is None:
        raise RecordingError("it ends in its header: the file is cut", file.number)
    separator = "\t" if "\t" in first else ","
    keys, values = ([cell.strip() for cell in (line or "").split(separator)] for line in lines[1:])
    said = {key.lower(): value for key, value in zip(keys, values, strict=False) if key}
    if "datarate" not in said or "units" not in said:
        raise RecordingError("its second and third line do not tell DataRate and Units", 2)
    return separator, said


def _read_labels(file: TextFile, separator: str) -> list[str]:
    names, axes = ([cell.strip() for cell in (file.line() or "").split(separator)] for _ in range(2))
    while axes and not axes[-1]:
        axes.pop()
    count, rest = divmod(len(axes) - 2, 3)
    if rest or count < 1 or count > MOST_MARKERS or any(axes[:2]):
        raise RecordingError(
            f"{max(len(axes) - 2, 0)} columns of markers where X1 Y1 Z1, X2 Y2 Z2, ... belong", file.number
        )
    for place, axis in enumerate(axes[2:]):
        if not _AXES.fullmatch(axis) or axis[0].upper() != "XYZ"[place % 3]:
            raise RecordingError(f"'{shown(axis)}' where {'XYZ'[place % 3]}{place // 3 + 1} belongs", file.number)
    if not names[0].lower().startswith("frame") or any(names[2 + 3 * count :]):
        raise RecordingError("Frame#, Time and a name for each X, Y, Z belong there", file.number - 1)
    strays = [name for place, name in enumerate(names[2:]) if place % 3 and name]
    if strays:
        raise RecordingError(f"'{shown(strays[0])}' is over a Y or Z: names stand over the X", file.number - 1)
    names += [""] * (2 + 3 * count - len(names))
    return names[2 : 2 + 3 * count : 3]


def _rows(text: bytes, first: int, cells: int, separator: bytes) -> Float64[np.ndarray, "t cells"]:
    """The numbers of some lines, NaN for blank cells; lines that are blank are passed over. Raises RecordingError."""
    tokens = split_words(_filled(text, separator))
    counts = np.diff(tokens.first)
    short = np.flatnonzero(counts < cells)
    if len(tokens.starts) and len(short):
        line = first - 1 + int(tokens.numbers[short[0]])
        raise RecordingError(f"{counts[short[0]]} cells where {cells} belong", line)
    numbers = parse_numbers(tokens, np.arange(len(tokens.starts)), first)
    numbers[numbers == float(_BLANK)] = np.nan
    lines = tokens.first[:-1] if len(tokens.starts) else np.empty(0, dtype=np.int64)
    places = lines[:, None] + np.arange(cells)
    rows = numbers[places]
    far = np.flatnonzero((np.abs(rows) > LARGEST).any(axis=1))
    if len(far):
        raise RecordingError(f"a number beyond {LARGEST:,.0f}: not a position", first - 1 + int(tokens.numbers[far[0]]))
    numbers[places] = np.nan
    surplus = np.flatnonzero(~np.isnan(numbers))
    if len(surplus):
        raise RecordingError(f"more than {cells} cells with numbers", first - 1 + tokens.line_of(int(surplus[0])))
    return rows[~np.isnan(rows).all(axis=1)]


def _filled(text: bytes, separator: bytes) -> bytes:
    """Words between white space, a blank cell as a number that is none."""
    text = text.replace(b"\r\n", b"\n")
    if b" " in text:
        text = re.sub(rb" *([\t,\n]) *", rb"\1", text).strip(b" ")
    text = text if text.endswith(b"\n") else text + b"\n"
    for _ in range(2):
        text = text.replace(separator * 2, separator + _BLANK + separator)
    text = text.replace(separator + b"\n", separator + _BLANK + b"\n").replace(
        b"\n" + separator, b"\n" + _BLANK + separator
    )
    text = _BLANK + text if text.startswith(separator) else text
    return text.replace(b",", b" ") if separator == b"," else text


def _contradictions(
    said: dict[str, str], labels: list[str], numbers: Float64[np.ndarray, "t 2"], fps: float | None
) -> list[str]:
    """Where the header does not say what the lines are."""
    notes = []
    for key, count, what in (("numframes", len(numbers), "frames"), ("nummarkers", len(labels), "markers")):
        told = _positive(said.get(key, ""))
        if told is not None and told != count:
            notes.append(f"its header says {told:,.0f} {what}, it has {count:,}")
    if len(numbers) < 2:
        return notes
    frames, times = numbers[-1] - numbers[0]
    if np.isfinite(frames) and frames + 1 != len(numbers):
        notes.append(f"its frames are numbered over {frames + 1:,.0f}, there are {len(numbers):,}")
    if fps is not None and np.isfinite(times) and times > 0 and abs(times * fps / (len(numbers) - 1) - 1) > 0.01:
        notes.append(f"its header says {fps:g} frames a second, its times {(len(numbers) - 1) / times:.4g}")
    return notes


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 < value < 1e9 else None


FORMATS.add("trc", Format(suffixes=(".trc",), read=read, looks_like="TRC motion capture", files_a_task=2))
