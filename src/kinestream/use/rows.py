"""What is known of each row of an archive of embeddings: a table of columns."""

import csv
import io
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from kinestream.words import plain_name, plain_text, reason, shown

TEXTS = ("name", "file", "label", "subject", "camera", "session")
NUMBERS = ("start", "end", "fps")
COLUMNS = ("name", "file", "person", "start", "end", "fps", "label", "subject", "camera", "session")
"""In the order of files."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """A table, a row each embedding. Texts are empty where nothing is known."""

    name: np.ndarray
    """Of the recording."""
    file: np.ndarray
    """That it was read from, in full; of a store `STORE/NAME`, NAME the raw file; empty for what was held in memory."""
    person: Int64[np.ndarray, " n"]
    """Tracking number in the recording; 0 for all people together."""
    start: Float64[np.ndarray, " n"]
    """In seconds, in frames where the rate is not known; so is `end`."""
    end: Float64[np.ndarray, " n"]
    fps: Float64[np.ndarray, " n"]
    """Frames a second; nan where they are not known."""
    label: np.ndarray
    subject: np.ndarray
    camera: np.ndarray
    session: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, column)) for column in COLUMNS}
        if len(lengths) != 1:
            raise ValueError(f"columns of {sorted(lengths)} rows make no table")

    def __len__(self) -> int:
        return len(self.person)

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any] | np.ndarray]) -> "Rows":
        """From columns of any kind; equal texts are kept once."""
        made: dict[str, Any] = {}
        for name in COLUMNS:
            values = columns[name]
            if name in TEXTS:
                column = np.empty(len(values), dtype=object)
                column[:] = [sys.intern((plain_name if name == "name" else plain_text)(str(value))) for value in values]
                made[name] = column
            else:
                made[name] = np.asarray(values, dtype=np.float64 if name in NUMBERS else np.int64)
        return cls(**made)

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> "Rows":
        """One below the other."""
        if not parts:
            return cls.of({name: [] for name in COLUMNS})
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS})

    def take(self, which: Int64[np.ndarray, " k"] | Bool[np.ndarray, " n"] | slice) -> "Rows":
        """Some of them."""
        return Rows(**{name: getattr(self, name)[which] for name in COLUMNS})

    def same(self, other: "Rows") -> bool:
        """Whether both say the same."""
        return len(self) == len(other) and all(
            np.array_equal(getattr(self, name), getattr(other, name), equal_nan=name in NUMBERS) for name in COLUMNS
        )

    def recordings(self) -> Iterator[tuple[str, str]]:
        """File and name of each row."""
        return zip(self.file, self.name, strict=True)

    def frames(self, index: int) -> slice:
        """Of the recording, that a row is about."""
        rate = 1.0 if math.isnan(self.fps[index]) else float(self.fps[index])
        return slice(round(float(self.start[index]) * rate), round(float(self.end[index]) * rate))

    def called(self, index: int) -> str:
        """A row as one would ask for it: `walk@3.2-5.1`, with the person where there is one."""
        digits = "f" if math.isnan(self.fps[index]) else ""
        stretch = f"{self.start[index]:.6g}-{self.end[index]:.6g}{digits}"
        person = f" person {self.person[index]}" if self.person[index] else ""
        return f"{self.name[index]}@{stretch}{person}"

    def to_pandas(self) -> Any:
        """A `DataFrame`. Raises ValueError where pandas is not installed."""
        try:
            import pandas as pd
        except ModuleNotFoundError:
            raise ValueError('this needs pandas: pip install "kinestream[formats]"') from None
        return pd.DataFrame({name: getattr(self, name) for name in COLUMNS})


def write_rows(file: io.TextIOBase, rows: Rows, *, heading: bool = True) -> None:
    """As CSV."""
    writer = csv.writer(file, lineterminator="\n")
    if heading:
        writer.writerow(COLUMNS)
    writer.writerows(cells_of(rows))


def cells_of(rows: Rows) -> Iterator[tuple[Any, ...]]:
    """The cells of each row as CSV has them: whole numbers without a point, nothing for a rate that is not known."""
    columns = [
        [_number(value) for value in getattr(rows, name).tolist()] if name in NUMBERS else getattr(rows, name).tolist()
        for name in COLUMNS
    ]
    return zip(*columns, strict=True)


def read_rows(lines: Iterable[str], where: object, most: int | None = None) -> Rows:
    """The inverse of `write_rows`. Raises ValueError for a damaged table, or one of more than `most` rows."""
    cells: list[list[str]] = []
    try:
        reader = csv.reader(lines, strict=True)
        heading = next(reader, [])
        if tuple(heading) != COLUMNS:
            raise ValueError(f"its columns are {shown(heading[:12], 200)}")
        for row in reader:
            if len(row) != len(COLUMNS) or len(cells) == most:
                raise ValueError(f"line {reader.line_num} is none of its rows")
            cells.append(row)
        columns = zip(*cells, strict=True) if cells else ((),) * len(COLUMNS)
        return rows_from_text(dict(zip(COLUMNS, columns, strict=True)))
    except (ValueError, OverflowError, csv.Error) as error:
        raise ValueError(f"the table of {where} is damaged: {reason(error)}") from None


def rows_from_text(columns: Mapping[str, Sequence[str]]) -> Rows:
    """Raises ValueError for what is no number."""
    plain: dict[str, Any] = dict(columns)
    plain["person"] = [int(value) for value in columns["person"]]
    plain |= {name: [float(value) if value else math.nan for value in columns[name]] for name in NUMBERS}
    return Rows.of(plain)


def _number(value: float) -> float | int | str:
    if math.isnan(value):
        return ""
    return int(value) if value == int(value) else value


assert {field.name for field in fields(Rows)} == set(COLUMNS)
