"""Numbers out of long CSV files, a block of lines at a time, exactly as `float` reads them."""

import csv
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from kinestream.data.recording import RecordingError
from kinestream.words import shown

_BLOCK = 2**22
"""Bytes of lines that are read at once."""
_LONGEST_LINE = 2**22
_MOST_COLUMNS = 100_000
_BOM = b"\xef\xbb\xbf"


class Rows(NamedTuple):
    """Some rows of a file."""

    line: int
    """Of the first of them, counted from 1; the others follow."""
    texts: list[list[str]]
    """Of each row the fields of the columns that are text; empty where there is no such column."""
    numbers: Float64[np.ndarray, "rows columns"]
    """Of the other columns; NaN for an empty field."""


def header(path: Path, most: int) -> list[list[str]]:
    """The fields of up to so many lines at the beginning of a file. Raises RecordingError."""
    with path.open("rb") as file:
        lines = [file.readline(_LONGEST_LINE + 1) for _ in range(most)]
    if any(len(line) > _LONGEST_LINE for line in lines):
        raise RecordingError(f"a line of more than {_LONGEST_LINE:,} bytes: no CSV")
    rows = [fields(line.removeprefix(_BOM) if not at else line, at + 1) for at, line in enumerate(lines) if line]
    if not rows:
        raise RecordingError("empty")
    if any(len(row) > _MOST_COLUMNS for row in rows):
        raise RecordingError(f"more than {_MOST_COLUMNS:,} columns")
    return rows


def fields(line: bytes, number: int) -> list[str]:
    """The fields of a line, by the rules of CSV. Raises RecordingError."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise RecordingError("its text is not UTF-8: save it as UTF-8", number) from None
    try:
        return next(csv.reader([text.strip("\r\n")], strict=True), [])
    except csv.Error as error:
        raise RecordingError(f"no CSV ({error})", number) from None


def rows(path: Path, *, skip: int, columns: int, text: Sequence[int] = ()) -> Iterator[Rows]:
    """The rows after so many lines, in blocks. Empty lines at the end are nothing.

    Args:
        columns: of each row.
        text: the columns that are no numbers, in their order.

    Raises:
        RecordingError: a row of other length, or text where a number belongs, with the line.
    """
    with path.open("rb") as file:
        for _ in range(skip):
            file.readline(_LONGEST_LINE)
        number = skip + 1
        while True:
            lines = file.readlines(_BLOCK)
            while lines and not lines[-1].strip():
                after = file.read(1)
                if after:
                    raise RecordingError("an empty line", number + len(lines) - 1)
                lines.pop()
            if not lines:
                return
            if max(map(len, lines)) > _LONGEST_LINE:
                raise RecordingError(f"a line of more than {_LONGEST_LINE:,} bytes", number)
            yield _block(lines, number, columns, text)
            number += len(lines)


def _block(lines: list[bytes], number: int, columns: int, text: Sequence[int]) -> Rows:
    for at, line in enumerate(lines):
        if line.count(b",") != columns - 1 and b'"' not in line:
            raise RecordingError(f"{line.count(b',') + 1} fields where {columns} belong", number + at)
    body = b"".join(lines)
    texts: list[list[str]] = []
    if text or b'"' in body:
        split = [fields(line, number + at) for at, line in enumerate(lines)]
        for at, row in enumerate(split):
            if len(row) != columns:
                raise RecordingError(f"{len(row)} fields where {columns} belong", number + at)
        texts = [[row[column] for column in text] for row in split] if text else []
        others = [column for column in range(columns) if column not in set(text)]
        lines = [",".join([row[column] for column in others]).encode() for row in split]
        body = b"\n".join(lines)
    wanted = (columns - len(text)) * len(lines)
    numbers = _numbers(body, wanted)
    if numbers is None:
        numbers = np.concatenate([_slowly(line, number + at) for at, line in enumerate(lines)])
    return Rows(number, texts, numbers.reshape(len(lines), columns - len(text)))


def _numbers(body: bytes, count: int) -> Float64[np.ndarray, " n"] | None:
    """All numbers at once; None where something among them is none."""
    plain = body.replace(b"\r\n", b"\n").rstrip(b"\n").replace(b"\n", b",")
    for _ in range(2):  # twice: of three commas the first replacement takes two
        plain = plain.replace(b",,", b",nan,")
    plain = (b"nan" if plain[:1] in (b",", b"") else b"") + plain + (b"nan" if plain[-1:] == b"," else b"")
    if plain.translate(None, b"0123456789+-.eE, naN"):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = np.fromstring(plain.decode("ascii"), dtype=np.float64, sep=",")
        except (ValueError, DeprecationWarning):
            return None
    return found if len(found) == count and not np.isinf(found).any() else None


def _slowly(line: bytes, number: int) -> Float64[np.ndarray, " n"]:
    """The numbers of one line. Raises RecordingError, naming the field, for what is none."""
    made = []
    for field in fields(line, number):
        word = field.strip()
        try:
            value = float(word) if word else np.nan
        except ValueError:
            raise RecordingError(f"'{shown(word)}' where a number belongs", number) from None
        if "_" in word or np.isinf(value):
            raise RecordingError(f"'{shown(word)}' where a number belongs", number)
        made.append(value)
    return np.array(made)
