"""CSV files of a known form: the fields of the lines at their head, then their rows in blocks of numbers and texts."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from kinestream.data.formats.cells import Cells, split_cells
from kinestream.data.formats.lines import TextFile
from kinestream.data.recording import RecordingError

_HEAD = 2**20
"""Bytes of the lines at the head."""
_MOST_COLUMNS = 100_000
_MARK = b"\xef\xbb\xbf"


class Rows(NamedTuple):
    """Some rows of a file."""

    lines: range | Int64[np.ndarray, " rows"]
    """The line of each, counted from 1."""
    texts: list[list[str]]
    """Of each row the fields of the columns that are text; empty where there is no such column."""
    numbers: Float64[np.ndarray, "rows columns"]
    """Of the other columns; NaN for an empty field."""


def header(path: Path, most: int) -> list[list[str]]:
    """The fields of up to so many lines at the head of a file. Raises RecordingError."""
    with path.open("rb") as file:
        head = file.read(_HEAD + 1)
    lines = head.removeprefix(_MARK).split(b"\n")[:most]
    if len(lines) < most and len(head) > _HEAD:
        raise RecordingError(f"a line of more than {_HEAD:,} bytes: no CSV of this form")
    if not lines[-1]:
        lines.pop()
    if not lines:
        raise RecordingError("empty")
    rows = [_fields(line, at) for at, line in enumerate(lines, start=1)]
    if any(len(row) > _MOST_COLUMNS for row in rows):
        raise RecordingError(f"more than {_MOST_COLUMNS:,} columns")
    return rows


def rows(path: Path, *, skip: int, names: Sequence[str], text: Sequence[int] = ()) -> Iterator[Rows]:
    """The rows after so many lines, in blocks.

    Args:
        names: of all columns, for messages.
        text: the columns that are no numbers, in their order.

    Raises:
        RecordingError: a row of other length, or text where a number belongs, with the line.
    """
    words = set(text)
    others = [column for column in range(len(names)) if column not in words] if text else None
    with TextFile(path) as file:
        for _ in range(skip):
            file.line()
        for block, line in file.blocks():
            cells = split_cells(block, b",", len(names), line, names)
            if not len(cells):
                continue
            numbers = cells.numbers(others)
            endless = np.isinf(numbers).any(axis=1)
            if endless.any():
                raise RecordingError("a number without end", int(cells.lines[int(endless.argmax())]))
            yield Rows(cells.lines, _texts(cells, text), numbers)


def _fields(line: bytes, number: int) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8").rstrip("\r")], strict=True), [])
    except UnicodeDecodeError:
        raise RecordingError("not UTF-8 text: save it as UTF-8", number) from None
    except csv.Error as error:
        raise RecordingError(f"no CSV ({error})", number) from None


def _texts(cells: Cells, columns: Sequence[int]) -> list[list[str]]:
    made: list[list[str]] = []
    for column in columns:
        known: dict[str, int] = {}
        codes = cells.codes(column, known).tolist()
        words = list(known)
        made.append([words[code] for code in codes])
    return [list(row) for row in zip(*made, strict=True)]
