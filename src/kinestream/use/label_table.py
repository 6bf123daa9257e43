"""Labels that somebody gave to recordings, or to stretches of them: a CSV file, and the rows of an archive it is about.

Columns: `name` (of the recording) or `file`, or both; `label`; where only a part is meant `start` and `end`, in
seconds; `person` where one of several is meant. Others are not looked at. A row without a label says nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64

from kinestream.tables import read_sheet
from kinestream.use.rows import Rows
from kinestream.use.sources import full
from kinestream.words import plain_name, plain_text, shown

if TYPE_CHECKING:
    from kinestream.use.archive import Embeddings

LEAST_SHARE = 0.5
"""Of a row's time that must lie in a labelled stretch."""
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A line of the file."""

    line: int
    name: str
    file: str
    label: str
    start: float
    end: float
    person: int | None

    def __str__(self) -> str:
        stretch = "" if math.isinf(self.end) and self.start <= 0 else f"@{self.start:g}-{self.end:g}"
        return f"'{shown(self.name or self.file)}{stretch}' (line {self.line})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Matched:
    """The rows of an archive that have labels."""

    places: Int64[np.ndarray, " n"]
    labels: tuple[str, ...]
    unknown: tuple[Labelled, ...]
    """Lines that no row of the archive belongs to."""

    @property
    def notes(self) -> list[str]:
        """What a user should know."""
        if not self.unknown:
            return []
        some = ", ".join(map(str, self.unknown[:_SHOWN]))
        more = f" and {len(self.unknown) - _SHOWN:,} more" if len(self.unknown) > _SHOWN else ""
        many = len(self.unknown) > 1
        what = f"{len(self.unknown):,} label{'s belong' if many else ' belongs'} to nothing in the archive"
        return [f"{what}: {some}{more}"]


def read_labels(path: str | Path) -> list[Labelled]:
    """The lines of the file that have a label. Raises ValueError for a file that is no such table."""
    place = Path(path)
    sheet = read_sheet(place, "name|file", "label", what="labels")
    made = [_labelled(cells, line, place) for line, cells in sheet.lines if cells["label"]]
    if not made:
        raise ValueError(f"{place} has no label: its column 'label' is empty")
    return made


def match_labels(
    archive: "Embeddings", given: Sequence[Labelled], where: str | Path = "", *, nearest: bool = False
) -> Matched:
    """The rows of the archive that are labelled: all of a recording, or those of which more than half of the time lies
    in the stretch that a line is about; the line that has most of a row counts. With `nearest` a line is about those
    rows alone of which it has the most: not about windows that overlap with the one that it names.

    Raises ValueError where lines of different labels have equally much of a row, or nothing is labelled.
    """
    rows = archive.rows
    by_name, by_file = _places(rows.name), _places(rows.file)
    short = _places(np.array([Path(file).name if file else "" for file in rows.file.tolist()], dtype=object))
    folder = Path(where).parent
    best = np.zeros(len(rows))
    chosen = np.full(len(rows), -1, dtype=np.int64)
    unknown = []
    for number, one in enumerate(given):
        there = _of_line(one, rows, by_name, by_file, short, folder)
        shares = _shares(rows, there, one)
        enough = shares > LEAST_SHARE + 1e-6
        if nearest:
            enough &= shares >= shares.max(initial=0) - 1e-6
        there, shares = there[enough], shares[enough]
        if not len(there):
            unknown.append(one)
            continue
        for place, share in zip(there.tolist(), shares.tolist(), strict=True):
            other = given[chosen[place]] if chosen[place] >= 0 else None
            if other is not None and other.label != one.label and math.isclose(share, best[place], abs_tol=1e-6):
                raise ValueError(
                    f"{where or 'labels'}: {rows.called(place)} is called '{shown(other.label)}' in line {other.line} "
                    f"and '{shown(one.label)}' in line {one.line}: keep one of them"
                )
            if share > best[place]:
                best[place], chosen[place] = share, number
    places = np.flatnonzero(chosen >= 0)
    if not len(places):
        raise ValueError(
            f"none of the {len(given):,} labels of {where or 'the table'} belongs to the archive: {given[0]} is not in "
            f"it; recordings there are called as '{shown(str(rows.name[0]))}'"
        )
    return Matched(places=places, labels=tuple(given[n].label for n in chosen[places].tolist()), unknown=tuple(unknown))


def _labelled(cells: dict[str, str], line: int, place: Path) -> Labelled:
    where = f"{place}, line {line}"
    if not cells.get("name") and not cells.get("file"):
        raise ValueError(f"{where}: '{shown(cells['label'])}' is the label of nothing, it has no name and no file")
    start, end = _number(cells, "start", 0.0, where), _number(cells, "end", math.inf, where)
    if not end > start:
        raise ValueError(f"{where}: the stretch from {start:g} to {end:g} ends before it begins")
    person = _number(cells, "person", math.nan, where)
    return Labelled(
        line=line,
        name=plain_name(cells.get("name", "")),
        file=cells.get("file", ""),
        label=plain_text(cells["label"]),
        start=start,
        end=end,
        person=None if math.isnan(person) or person < 1 else int(person),
    )


def _number(cells: dict[str, str], name: str, absent: float, where: str) -> float:
    text = cells.get(name, "")
    if not text:
        return absent
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{where}: {name} '{shown(text)}' is no number")
    return value


def _places(names: np.ndarray) -> dict[str, Int64[np.ndarray, " _"]]:
    """Where each name stands."""
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names.tolist()):
        found.setdefault(name, []).append(place)
    return {name: np.array(places, dtype=np.int64) for name, places in found.items() if name}


def _of_line(
    one: Labelled,
    rows: Rows,
    by_name: dict[str, np.ndarray],
    by_file: dict[str, np.ndarray],
    short: dict[str, np.ndarray],
    folder: Path,
) -> Int64[np.ndarray, " _"]:
    """The rows of its recording. A file may be written in full, from here, from where the table lies, or by its name
    alone where only one is called so."""
    nothing = np.zeros(0, dtype=np.int64)
    found = by_name.get(one.name, nothing) if one.name else None
    if one.file:
        ways = (one.file, full(Path(one.file)), full(folder / one.file))
        of_file = next((by_file[way] for way in ways if way in by_file), None)
        if of_file is None:
            alone = short.get(one.file, nothing)
            of_file = alone if len({*rows.file[alone]}) == 1 else nothing
        found = of_file if found is None else np.intersect1d(found, of_file)
    assert found is not None, "a line has a name or a file"
    return found if one.person is None else found[np.isin(rows.person[found], (0, one.person))]


def _shares(rows: Rows, there: Int64[np.ndarray, " m"], one: Labelled) -> Float64[np.ndarray, " m"]:
    """How much of each row's time lies in the stretch of a line."""
    start, end = rows.start[there], rows.end[there]
    shared = np.minimum(end, one.end) - np.maximum(start, one.start)
    return np.clip(shared / np.maximum(end - start, 1e-9), 0.0, 1.0)
