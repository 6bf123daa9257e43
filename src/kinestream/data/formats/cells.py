"""The cells of a text table: where each begins and ends, and the numbers or words that they hold, many rows at once."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from kinestream.data.formats.decimals import as_number, decimal_values
from kinestream.data.recording import RecordingError
from kinestream.words import shown

NOT_SEEN = frozenset(
    (b"", b"nan", b"-nan", b"na", b"n/a", b"#n/a", b"null", b"none", b"-", b"--", b"nan(ind)", b"-nan(ind)", b"<na>")
)
"""What tools write, in lower case, where there is no number."""
_LONGEST_WORD = 256
_NEWLINE, _POINT, _QUOTE, _SPACE = 10, 46, b'"', b" "
_INSIDE = b"\x1f"
"""In place of what separates cells, inside of one that stood in quotes."""


@dataclass(frozen=True)
class Cells:
    """Rows of a table. A cell is `text[starts:ends]`; `points` is where its last decimal point stands, or its end."""

    text: bytes
    starts: Int64[np.ndarray, "rows columns"]
    ends: Int64[np.ndarray, "rows columns"]
    points: Int64[np.ndarray, "rows columns"]
    lines: Int64[np.ndarray, " rows"] | range
    """The line of the file of each row."""
    delimiter: bytes
    names: Sequence[str] = field(default=(), compare=False)
    """Of the columns, for messages."""

    def __len__(self) -> int:
        return len(self.starts)

    def numbers(self, columns: Sequence[int] | None = None) -> Float64[np.ndarray, "rows some"]:
        """Of some columns, or all; NaN where a cell is blank or says that there is none. Raises RecordingError for
        text.

        Example:
            >>> split_cells(b"1,2.5,\\n-3,nan,4e-1\\n", b",", 3).numbers().tolist()
            [[1.0, 2.5, nan], [-3.0, nan, 0.4]]
        """
        parts = (self.starts, self.ends, self.points)
        if columns is not None:
            chosen = list(columns)
            parts = (self.starts[:, chosen], self.ends[:, chosen], self.points[:, chosen])
        shape = parts[0].shape
        starts, ends, points = (part.reshape(-1) for part in parts)
        codes = np.frombuffer(self.text, dtype=np.uint8)
        values, known = decimal_values(codes, starts, ends, points)
        if not known.all():
            blank = starts == ends
            values[blank] = np.nan
            for place in np.flatnonzero(~(known | blank)).tolist():
                word = self.text[int(starts[place]) : int(ends[place])]
                value = as_number(word)
                if value is None:
                    if word.strip().lower() not in NOT_SEEN:
                        row, column = divmod(place, shape[1])
                        raise self._no_number(word, row, column if columns is None else columns[column])
                    value = np.nan
                values[place] = value
        return values.reshape(shape)

    def codes(self, column: int, known: dict[str, int]) -> Int64[np.ndarray, " rows"]:
        """The words of a column, as their numbers in `known`, which new ones are added to in the order in which they
        come. Raises RecordingError for words that are no UTF-8, or of more than 256 bytes."""
        starts, ends = self.starts[:, column], self.ends[:, column]
        if not len(starts):
            return np.empty(0, dtype=np.int64)
        lengths = ends - starts
        longest = int(lengths.max())
        if longest > _LONGEST_WORD:
            row = int(lengths.argmax())
            raise RecordingError(f"a word of {longest} characters in column {self._called(column)}", self._line(row))
        width = max(8 * -(-longest // 8), 8)
        letters = np.frombuffer(self.text, dtype=np.uint8)
        places = np.arange(width)
        words = letters.take(starts[:, None] + places, mode="clip")
        words *= places < lengths[:, None]
        first, inverse = _distinct(words)
        table = np.empty(len(first), dtype=np.int64)
        for place in np.argsort(first).tolist():
            row = int(first[place])
            word = self.text[int(starts[row]) : int(ends[row])]
            try:
                name = word.replace(_INSIDE, self.delimiter).decode("utf-8").strip()
                table[place] = known.setdefault(name, len(known))
            except UnicodeDecodeError:
                raise RecordingError(f"{shown(ascii(word)[1:])} is no UTF-8 text", self._line(row)) from None
        return table[inverse]

    def _no_number(self, word: bytes, row: int, column: int) -> RecordingError:
        text = shown(ascii(word.decode("utf-8", "replace"))[1:-1], 24)
        return RecordingError(f"'{text}' where a number belongs, column {self._called(column)}", self._line(row))

    def _line(self, row: int) -> int:
        return int(self.lines[row])

    def _called(self, column: int) -> str:
        return f"'{shown(self.names[column], 30)}'" if column < len(self.names) else str(column + 1)


def split_cells(
    text: bytes,
    delimiter: bytes,
    columns: int,
    line: int = 1,
    names: Sequence[str] = (),
) -> Cells:
    """The cells of whole lines, of which the first is the line `line` of its file.

    Blank lines and those that begin with `#` are passed over; cells may stand in quotes and between spaces. Raises
    RecordingError for a line that has not `columns` cells.
    """
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    if not text.endswith(b"\n"):
        text += b"\n"
    lines: Int64[np.ndarray, " rows"] | range | None = None
    grid = None
    if _QUOTE not in text and (_SPACE not in text or delimiter == _SPACE):
        grid = _grid(text, delimiter, columns)
    if grid is None:
        text, lines = _tidy(text, delimiter, columns, line)
        grid = _grid(text, delimiter, columns)
        assert grid is not None
    starts, ends, points = grid
    return Cells(
        text, starts, ends, points, range(line, line + len(starts)) if lines is None else lines, delimiter, names
    )


def _grid(
    text: bytes, delimiter: bytes, columns: int
) -> tuple[Int64[np.ndarray, "r c"], Int64[np.ndarray, "r c"], Int64[np.ndarray, "r c"]] | None:
    """None where lines have other numbers of cells."""
    letters = np.frombuffer(text, dtype=np.uint8)
    between = ord(delimiter)
    marked = letters == between
    marked |= letters == _NEWLINE
    marked |= letters == _POINT
    marks = np.flatnonzero(marked)
    kinds = letters[marks]
    are_points = kinds == _POINT
    half = len(marks) // 2
    if len(marks) == 2 * half and are_points[::2].all() and not are_points[1::2].any():  # one point in each cell
        ends, points = np.ascontiguousarray(marks[1::2]), np.ascontiguousarray(marks[::2])
        kinds = kinds[1::2]
    else:
        places = np.flatnonzero(~are_points)
        ends, kinds = marks[places], kinds[places]
        before = np.maximum(places - 1, 0)
        points = np.where(are_points[before], marks[before], ends)
    rows, rest = divmod(len(ends), columns)
    last = kinds[columns - 1 :: columns]
    if rest or (last != _NEWLINE).any() or np.count_nonzero(kinds == _NEWLINE) != rows:
        return None
    starts = np.empty_like(ends)
    starts[:1] = 0
    np.add(ends[:-1], 1, out=starts[1:])
    return starts.reshape(rows, columns), ends.reshape(rows, columns), points.reshape(rows, columns)


def _tidy(text: bytes, delimiter: bytes, columns: int, line: int) -> tuple[bytes, Int64[np.ndarray, " rows"]]:
    """The text without blank lines, comments, quotes, and spaces beside cells, and the lines that are left."""
    kept: list[bytes] = []
    numbers: list[int] = []
    for number, row in enumerate(text.split(b"\n")[:-1], start=line):
        row = row.strip(b" \r") if delimiter == b"\t" else row.strip()
        if not row or row.startswith(b"#"):
            continue
        cells = _cells(row, delimiter)
        if len(cells) < columns and len(cells) + row.count(delimiter, len(row.rstrip(delimiter))) >= columns:
            cells += [b""] * (columns - len(cells))
        if len(cells) != columns:
            some = f"{len(cells)} cell{'' if len(cells) == 1 else 's'} where {columns} belong"
            raise RecordingError(some, number)
        kept.append(delimiter.join(cells))
        numbers.append(number)
    joined = b"\n".join(kept)
    return joined + b"\n" if kept else b"", np.array(numbers, dtype=np.int64)


def _cells(row: bytes, delimiter: bytes) -> list[bytes]:
    if delimiter == _SPACE:
        return row.split()
    if _QUOTE not in row:
        return [cell.strip() for cell in row.split(delimiter)]
    try:
        text = io.StringIO(row.decode("latin-1"), newline="")
        found = next(csv.reader(text, delimiter=delimiter.decode(), skipinitialspace=True))
    except (csv.Error, StopIteration):
        return [row]
    return [cell.strip(" \t\r").encode("latin-1").replace(delimiter, _INSIDE) for cell in found]


def _distinct(words: UInt8[np.ndarray, "n width"]) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " n"]]:
    """The first row of each distinct word, and for each row which one it is. Words are compared by a hash, and the rows
    of one hash then letter by letter."""
    eights = np.ascontiguousarray(words).view(np.uint64)
    mixed = eights[:, 0].copy()
    for column in range(1, eights.shape[1]):
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0x9E3779B97F4A7C15)
        mixed += eights[:, column]
    _, first, inverse = np.unique(mixed, return_index=True, return_inverse=True)
    if not (eights == eights[first[inverse]]).all():
        _, first, inverse = np.unique(eights, axis=0, return_index=True, return_inverse=True)
    return first, inverse.reshape(-1)
