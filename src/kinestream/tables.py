"""CSV tables: those that the package wrote (`read_table`), and those that people write (`read_sheet`)."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kinestream.words import reason, shown

MOST_BYTES = 2**30
"""Of a table."""
_MOST_SHEET = 2**28
"""Bytes of a table that people write."""
_SEPARATORS = ",;\t"
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
    rows = _rows(content)
    _, heading = next(rows, (1, []))
    fits = set(columns) <= set(heading) and len(set(heading)) == len(heading)
    if not (fits if others else heading == list(columns)):
        raise ValueError(f"its columns are {shown(', '.join(heading[:20]))}, not {', '.join(columns)}")
    places = [heading.index(column) for column in columns]
    for line, row in rows:
        if len(row) != len(heading):
            raise ValueError(f"line {line}: {len(row)} cells, not {len(heading)}")
        yield line, [row[place] for place in places]


class Sheet(NamedTuple):
    """A table that people write."""

    columns: tuple[str, ...]
    """In lower case, as the first line names them, each once."""
    lines: Iterator[tuple[int, dict[str, str]]]
    """The number of each line that is not empty, counted from 1, and its cells by column, without space around them."""

    def need(self, *columns: str) -> "Sheet":
        """Raises ValueError unless these are among its columns; of a group such as `name|file` one will do."""
        for group in columns:
            if not set(group.split("|")) & set(self.columns):
                wanted = " or ".join(f"'{name}'" for name in group.split("|"))
                named = shown(", ".join(self.columns[:12]), 200) or "nothing"
                raise ValueError(f"its first line names the columns {named}: {wanted} is needed")
        return self


def read_sheet(path: Path, *needed: str, what: str) -> Sheet:
    """A CSV file as people write it, see `parse_sheet`; `needed` are columns that must be there, see `Sheet.need`.

    Raises ValueError, with the file, and `what` it should be, where it is none, now or while its lines are taken.
    """
    try:
        size = path.stat().st_size
        if size > _MOST_SHEET:
            raise ValueError(f"it has {size:,} bytes")
        sheet = parse_sheet(path.read_bytes()).need(*needed)
    except FileNotFoundError:
        raise ValueError(f"no file of {what} {path}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no table of {what}: {reason(error, 400)}") from None

    def lines() -> Iterator[tuple[int, dict[str, str]]]:
        try:
            yield from sheet.lines
        except ValueError as error:
            raise ValueError(f"{path}, {error}") from None

    return Sheet(sheet.columns, lines())


def parse_sheet(content: bytes) -> Sheet:
    """CSV text as people write it: columns in any order, capitals and space do not matter, commas, semicolons or tabs
    stand between cells, and empty lines say nothing.

    Raises ValueError with what is wrong, and in which line, now or while its lines are taken.

    Example:
        >>> sheet = parse_sheet(b"Name; Label\\n\\nwalk; sit down\\n")
        >>> sheet.columns, list(sheet.lines)
        (('name', 'label'), [(3, {'name': 'walk', 'label': 'sit down'})])
    """
    first = content.partition(b"\n")[0].decode("utf-8", "replace")
    rows = _rows(content, max(_SEPARATORS, key=first.count))
    columns = [cell.strip().lower() for cell in next(rows, (1, []))[1]]
    if len(set(columns)) != len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise ValueError(f"its first line names the column '{shown(twice, 40)}' twice")

    def lines() -> Iterator[tuple[int, dict[str, str]]]:
        for line, row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if len(cells) != len(columns):
                raise ValueError(f"line {line}: {len(cells)} cells, where the first line names {len(columns)} columns")
            yield line, dict(zip(columns, cells, strict=True))

    return Sheet(tuple(columns), lines())


def _rows(content: bytes, separator: str = ",") -> Iterator[Line]:
    """The number of each line and its cells. Raises ValueError for what is no CSV."""
    with io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=separator, strict=True)
        try:
            yield from ((reader.line_num, row) for row in reader)
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num}: no CSV ({reason(error, 80)})") from None
        except UnicodeDecodeError as error:
            raise ValueError(f"line {reader.line_num + 1}: no UTF-8 text ({reason(error, 80)})") from None


def whole_number(cell: str, *, least: int = 0, most: int = 2**62) -> int:
    """A cell as a whole number. Raises ValueError for another text, and beyond the bounds."""
    digits = cell.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and least <= int(cell) <= most):
        raise ValueError(f"'{shown(cell, 30)}' where a whole number of {least} or more belongs")
    return int(cell)
