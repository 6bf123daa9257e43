"""How a text table is written: what separates its cells, what its columns are called, and where its rows begin."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kinestream.data.formats.cells import NOT_SEEN
from kinestream.data.formats.table_names import counted, role_of, without_unit
from kinestream.data.recording import RecordingError
from kinestream.words import shown

OURS = "# kinestream "
"""How tables of our own begin; JSON follows."""
MOST_HEAD = 2**18
"""Bytes in which a header has to end, but for the first line of our own tables."""
MOST_COLUMNS = 20_000
JOINED = "{joint}\x1f{axis}"
"""How columns are called whose joint and axis stand in two lines."""
_DELIMITERS = ("\t", ";", ",", "|", " ")
_MOST_HEADER_LINES = 40
_FEWEST_CELLS = 4
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_AXIS_CELL = re.compile(r"(?:pos(?:ition)?[ _.]?)?([xyz])\d*", re.IGNORECASE)
_SURE_CELL = re.compile(r"confidence|conf|score|visibility|likelihood|residual", re.IGNORECASE)
_UNIT_CELL = re.compile(r"[(\[]?(mm|cm|m|in|px)[)\]]?", re.IGNORECASE)
_COMMENTS = ("#", "%", "//")
_FOREIGN = {
    "scorer": "a DeepLabCut table",
    "bodyparts": "a DeepLabCut table",
    "individuals": "a DeepLabCut table",
    "pathfiletype": "a TRC file",
}


@dataclass(frozen=True, kw_only=True)
class Header:
    """What stands before the rows of numbers."""

    text: bytes
    """All of it: rows begin after these bytes."""
    lines: int
    delimiter: bytes
    decimal_comma: bool
    width: int
    """Cells in a row."""
    names: tuple[str, ...] = ()
    """Of the columns, one for each cell ('' where a column has none); empty where the table does not name them."""
    joined: bool = False
    """Whether the names are joints and axes as `JOINED`."""
    units: str | None = None
    fps: float | None = None
    only_numbers: bool = True
    """Whether the first row has nothing but numbers and blanks."""
    ours: Mapping[str, Any] | None = field(default=None, compare=False)
    """What the first line of a table of our own says."""


def read_header(head: bytes) -> Header:
    """Looks at the first bytes of a file. Raises RecordingError where no rows of numbers are found, or it is a table of
    a tool that has a reader of its own."""
    if not head.strip():
        raise RecordingError("the file is empty")
    text = _decoded(head)
    lines = text.split("\n")
    if len(head) >= MOST_HEAD:
        lines = lines[:-1]  # it may be cut
    if not lines:
        raise RecordingError(f"its first line has more than {MOST_HEAD:,} bytes: it begins '{shown(text, 40)}'")
    begin, comments = _after_comments(lines)
    ours = _ours(comments)
    split = _delimiter(lines, begin)
    if split is None:
        _refuse_foreign([re.split(r"[,;\t]", line) for line in lines[begin : begin + 3]])
        raise RecordingError(
            f"no rows of numbers in its first {min(len(lines), _MOST_HEADER_LINES)} lines, each of as many cells as "
            f"the next: it begins '{shown(lines[begin] if begin < len(lines) else text, 40)}'"
        )
    delimiter, first = split
    first = _after_axes(lines, first, delimiter)
    block = [(number, _split(lines[number], delimiter)) for number in range(begin, first) if lines[number].strip()]
    _refuse_foreign([cells for _, cells in block])
    row = _split(lines[first], delimiter)
    width = len(row)
    if width > MOST_COLUMNS:
        raise RecordingError(f"{width} cells in a row: at most {MOST_COLUMNS} are read", first + 1)
    rows = [cells for _, cells in block]
    if not rows and comments and ours is None:
        last = _split(comments[-1], delimiter)
        rows = [last] if len(last) == width and not all(map(_is_number, last)) else []
    length = sum(len(line.encode("utf-8")) + 1 for line in lines[:first]) + (
        3 if head.startswith(b"\xef\xbb\xbf") else 0
    )
    comma = delimiter != "," and any("," in cell for cell in row) and not any("." in cell for cell in row)
    return Header(
        text=head[:length],
        lines=first,
        delimiter=delimiter.encode(),
        decimal_comma=comma or (delimiter != "," and _has_comma(lines[first : first + 20], delimiter)),
        width=width,
        only_numbers=all(_is_number(cell) or _is_blank(cell) for cell in row),
        ours=ours,
        **_names(rows, width),
    )


# --- which line, which delimiter ------------------------------------------------------------------------------------


def _decoded(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RecordingError("text in UTF-16: save it as UTF-8")
    try:
        text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        # A character at the end of what is looked at may be cut, and bytes among the numbers are told with their line.
        good = head.removeprefix(b"\xef\xbb\xbf")[: error.start]
        text = good.decode("utf-8")
        if len(good.split(b"\n")) < 3:
            raise RecordingError("no UTF-8 text: save it as UTF-8", text.count("\n") + 1) from None
        text = text[: text.rindex("\n") + 1]
    if "\0" in text:
        raise RecordingError("no text: there are zero bytes in it", text[: text.index("\0")].count("\n") + 1)
    return text


def _after_comments(lines: Sequence[str]) -> tuple[int, list[str]]:
    """The first line that is neither blank nor a comment, and the comments before it."""
    comments: list[str] = []
    for number, line in enumerate(lines):
        if line.startswith(_COMMENTS):
            comments.append(line if line.startswith(OURS) else line.lstrip("#%/ \t").rstrip("\r"))
        elif line.strip():
            return number, comments
    return len(lines), comments


def _ours(comments: Sequence[str]) -> Mapping[str, Any] | None:
    if not comments or not comments[0].startswith(OURS):
        return None
    try:
        found = json.loads(comments[0].removeprefix(OURS))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RecordingError(f"'{OURS.strip()}' is not followed by JSON: damaged", 1)
    return found


def _delimiter(lines: Sequence[str], begin: int) -> tuple[str, int] | None:
    """What separates cells, and the first row of numbers: that of most cells."""
    best: tuple[int, str, int] | None = None
    for delimiter in _DELIMITERS:
        first = _first_row(lines, begin, delimiter)
        if first is not None and (best is None or first[1] > best[0]):
            best = (first[1], delimiter, first[0])
    return None if best is None else (best[1], best[2])


def _first_row(lines: Sequence[str], begin: int, delimiter: str) -> tuple[int, int] | None:
    """The first line of which most cells are numbers, and how many cells it has, where the next line has as many."""
    for number in range(begin, min(len(lines), begin + _MOST_HEADER_LINES)):
        cells = _split(lines[number], delimiter)
        if len(cells) < _FEWEST_CELLS:
            continue
        numbers = sum(map(_is_number, cells))
        blank = sum(map(_is_blank, cells))
        if not numbers or 2 * (numbers + blank) < len(cells) or numbers < 0.3 * (len(cells) - blank):
            continue
        after = next((line for line in lines[number + 1 :] if line.strip()), None)
        if after is None or len(_split(after, delimiter)) == len(cells) or number + 2 >= len(lines):
            return number, len(cells)
    return None


def _after_axes(lines: Sequence[str], first: int, delimiter: str) -> int:
    """Past a line of axes that follows joints called by numbers, and the line of their units."""
    for number in range(first + 1, min(first + 4, len(lines))):
        if _are_axes(_split(lines[number], delimiter)):
            units = number + 1 < len(lines) and _are_units(_split(lines[number + 1], delimiter))
            return min(number + 1 + units, len(lines) - 1)
    return first


def _split(line: str, delimiter: str) -> list[str]:
    line = line.rstrip("\r\n")
    if delimiter == " ":
        return line.split()
    if '"' in line:
        try:
            return [
                cell.strip()
                for cell in next(csv.reader(io.StringIO(line), delimiter=delimiter, skipinitialspace=True), [])
            ]
        except csv.Error:
            return [line]
    return [cell.strip() for cell in line.split(delimiter)]


def _is_number(cell: str) -> bool:
    return len(cell) < 400 and _NUMBER.fullmatch(cell) is not None


def _is_blank(cell: str) -> bool:
    return cell.lower().encode() in NOT_SEEN


def _has_comma(lines: Sequence[str], delimiter: str) -> bool:
    """Whether numbers have a comma for a point in some rows; the first may have whole numbers only."""
    cells = [cell for line in lines for cell in _split(line, delimiter)]
    commas = sum("," in cell for cell in cells if _is_number(cell))
    return commas > 0 and not any("." in cell for cell in cells if _is_number(cell))


# --- names ----------------------------------------------------------------------------------------------------------


def _names(rows: Sequence[list[str]], width: int) -> dict[str, Any]:
    """Of the columns, with what else is said before the rows."""
    said: dict[str, Any] = {"fps": _rate(rows)}
    keys = {cells[0].upper(): cells[1:] for cells in rows if cells}
    if "MARKER_NAMES" in keys:  # Qualisys
        markers = [name for name in keys["MARKER_NAMES"] if name]
        extra = width - 3 * len(markers)
        while extra < 0 and markers and not markers[-1]:
            markers.pop()
        titles = ["Frame", "Time"][:extra] if 0 <= extra <= 3 else []
        if len(titles) + 3 * len(markers) in (width, width - 1):
            names = [*titles, *(f"{marker}\x1f{axis}" for marker in markers for axis in "xyz")]
            units = "mm" if "DATA_INCLUDED" in keys else None
            return said | {"names": _padded(names, width), "joined": True, "units": units}
    for number in range(len(rows) - 1, max(len(rows) - 3, 0), -1):
        if _are_axes(rows[number]) and not _is_long(rows[number]):
            joints = next((cells for cells in reversed(rows[:number]) if sum(map(bool, cells)) >= 1), None)
            if joints is not None and not _is_rate(joints):
                said["units"] = _units(rows[number + 1 :])
                return said | {"names": _join(joints, rows[number], width), "joined": True}
    for place, cells in reversed(list(enumerate(rows))):
        if place and _are_units(cells):
            said["units"] = _units([cells])
            continue
        if len(cells) in (width, width - 1) or len([cell for cell in cells if cell]) == width:
            named = cells if len(cells) <= width else [cell for cell in cells if cell]
            if not all(_is_number(cell) or not cell for cell in named):
                return said | {"names": _padded(named, width)}
    return said


def _padded(names: Sequence[str], width: int) -> tuple[str, ...]:
    return tuple([*names, *([""] * (width - len(names)))][:width])


def _join(joints: Sequence[str], axes: Sequence[str], width: int) -> tuple[str, ...]:
    """Names of both lines. A joint stands over each of its columns, or over the first and blanks follow."""
    made: list[str] = []
    joint = ""
    for column in range(width):
        axis = axes[column] if column < len(axes) else ""
        above = joints[column] if column < len(joints) else ""
        joint = above or joint
        bare = without_unit(axis)[0]
        match = _AXIS_CELL.fullmatch(bare)
        if match is not None and joint:
            unit = axis[len(bare) :]
            made.append(f"{joint}\x1f{match[1]}{unit}")
        elif _SURE_CELL.fullmatch(axis) and joint:
            made.append(f"{joint}\x1fconfidence")
        else:
            made.append(axis or above)
            joint = "" if above and not axis else joint
    return tuple(made)


def _are_axes(cells: Sequence[str]) -> bool:
    filled = [without_unit(cell)[0] for cell in cells if cell]
    axes = sum(_AXIS_CELL.fullmatch(cell) is not None for cell in filled)
    sure = sum(_SURE_CELL.fullmatch(cell) is not None for cell in filled)
    named = sum(role_of(cell) is not None for cell in filled)
    # `x1,y1,z1` names joints by itself; axes of two lines have no numbers, or those that TRC files give them.
    return axes >= 2 and axes + sure + named >= 0.8 * len(filled) and not _number_joints(filled)


def _number_joints(cells: Sequence[str]) -> bool:
    digits = [cell for cell in cells if re.fullmatch(r"[xyzXYZ]\d+", cell)]
    return bool(digits)


def _is_long(cells: Sequence[str]) -> bool:
    return counted(cells)["joint"] > 0


def _are_units(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and sum(_UNIT_CELL.fullmatch(cell) is not None for cell in filled) >= 0.5 * len(filled)


def _units(rows: Sequence[Sequence[str]]) -> str | None:
    """The unit of a line of units below the axes. Raises RecordingError for two."""
    for cells in rows:
        if _are_units(cells):
            found = {match[1].lower() for cell in cells if (match := _UNIT_CELL.fullmatch(cell))}
            if len(found) > 1:
                raise RecordingError(f"columns in {' and in '.join(sorted(found))}: give all in one unit")
            return found.pop()
    return None


def _is_rate(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return len(filled) == 1 and _is_number(filled[0])


def _rate(rows: Sequence[Sequence[str]]) -> float | None:
    """Frames a second, as Vicon's and Qualisys' exports say it before their rows."""
    for number, cells in enumerate(rows):
        if not cells:
            continue
        word = cells[0].lower().strip(" :")
        if word == "trajectories" and number + 1 < len(rows) and _is_rate(rows[number + 1]):
            return _positive(next(cell for cell in rows[number + 1] if cell))
        if word in ("frequency", "fps", "frame rate", "framerate", "sampling rate") and len(cells) > 1:
            return _positive(cells[1])
    return None


def _positive(cell: str) -> float | None:
    value = float(cell.replace(",", ".")) if _is_number(cell) else 0.0
    return value if 0 < value < 100_000 else None


def _refuse_foreign(rows: Sequence[Sequence[str]]) -> None:
    for cells in rows[:4]:
        what = _FOREIGN.get(cells[0].strip().lower()) if cells else None
        if what is not None:
            raise RecordingError(f"it is {what}, which has a format of its own")
