"""CSV tables that the package wrote, or that follow a form of it: headings, lengths of rows, sizes."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from kinestream.words import reason, shown

MOST_BYTES = 2**30
"""Of a table."""
Line = tuple[int, list[str]]
"""The number of a line, counted from 1, and its cells in the order of the columns asked for."""


def read_table(path: Path, columns: Sequence[str], *, remedy: str, others: bool = False) -> list[Line]:
    """The lines of a CSV file below its heading, see `parse_table`.

    Raises FileNotFoundError where there is none, ValueError, with the file, for one that is damaged.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(f"it has {size:,} bytes, at most {MOST_BYTES:,} are read")
        return list(parse_table(path.read_bytes(), columns, others=others))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} was edited or damaged ({reason(error)}): {remedy}") from None


def parse_table(content: bytes, columns: Sequence[str], *, others: bool = False) -> Iterator[Line]:
    """The lines of CSV text below its heading, each with as many cells as columns.

    The heading is just the columns; with `others` it may have further ones, in any order. Raises ValueError with what
    is wrong, and in which line.

    Example:
        >>> list(parse_table(b"name,length\\nwalk,30\\n", ("name", "length")))
        [(2, ['walk', '30'])]
        >>> list(parse_table(b"name\\nwalk\\n", ("name", "length")))
        Traceback (most recent call last):
        ValueError: its columns are name, not name, length
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"no UTF-8 text, from byte {error.start} on") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        heading = next(reader, [])
        fits = set(columns) <= set(heading) and len(set(heading)) == len(heading)
        if not (fits if others else heading == list(columns)):
            raise ValueError(f"its columns are {shown(', '.join(heading[:20]))}, not {', '.join(columns)}")
        places = [heading.index(column) for column in columns]
        for row in reader:
            if len(row) != len(heading):
                raise ValueError(f"line {reader.line_num}: {len(row)} cells, not {len(heading)}")
            yield reader.line_num, [row[place] for place in places]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: no CSV ({reason(error, 80)})") from None


def whole_number(cell: str, *, least: int = 0, most: int = 2**62) -> int:
    """A cell as a whole number. Raises ValueError for another text, and beyond the bounds."""
    digits = cell.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and least <= int(cell) <= most):
        raise ValueError(f"'{shown(cell, 30)}' where a whole number of {least} or more belongs")
    return int(cell)
