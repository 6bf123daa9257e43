"""What did not get into a store, and why."""

import csv
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinestream.files import replacing
from kinestream.tables import read_table, whole_number

FILE = "rejected.csv"
_COLUMNS = ("file", "line", "reason")


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A file, or a part of one, that cannot be used."""

    path: Path
    reason: str
    line: int | None = None
    """Where in the file, counted from 1: the line of a text, or which of several recordings."""
    recording: str = ""
    """What it is called, where a file has several."""

    def __str__(self) -> str:
        return f"{self.path}{'' if self.line is None else f':{self.line}'}: {self.said}"

    @property
    def said(self) -> str:
        """The reason, and of which recording."""
        return f"{self.recording}: {self.reason}" if self.recording else self.reason


def stop_if_most(rejected: Sequence[Rejected], total: int, *, keep_going: bool = False) -> None:
    """Raises ValueError where more than half of `total` recordings cannot be used, with the commonest reason: a store
    of the rest would be of something else than its source. Reasons that differ in numbers only are of a kind.

    Example:
        >>> stop_if_most([Rejected(path=Path("a.csv"), reason="line 3: no frames")], 1)
        Traceback (most recent call last):
        ValueError: 1 of 1 recordings cannot be used, a.csv: line 3: no frames: nothing was written
    """
    if len(rejected) * 2 <= total or (keep_going and len(rejected) < total):
        return
    kinds = Counter(_kind(entry.reason) for entry in rejected)
    kind, count = kinds.most_common(1)[0]
    first = next(entry for entry in rejected if _kind(entry.reason) == kind)
    place = f"{first.path.name}{'' if first.line is None else f':{first.line}'}: {first.said}"
    most = place if len(rejected) == 1 else f"{'all' if count == len(rejected) else 'most'} because, as in {place}"
    rest = "" if len(rejected) == total else "; --keep-going takes the rest"
    raise ValueError(f"{len(rejected):,} of {total:,} recordings cannot be used, {most}: nothing was written{rest}")


def _kind(reason: str) -> str:
    return re.sub(r"[-+]?\d[\d.,e+-]*", "#", reason)


def write_rejected(folder: Path, rejected: Iterable[Rejected], base: Path | None = None, name: str = FILE) -> None:
    """Writes `rejected.csv` into the folder of a store, with paths as they are seen from `base`."""
    with (
        replacing(folder / name) as part,
        part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,  # names may be no text
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for entry in rejected:
            path = entry.path if base is None else Path(os.path.relpath(entry.path, base))
            writer.writerow((path.as_posix(), "" if entry.line is None else entry.line, entry.said))


def read_rejected(folder: Path) -> list[Rejected]:
    """What `write_rejected` wrote."""
    rows = read_table(folder / FILE, _COLUMNS, remedy="prepare the store again to have it anew")
    return [
        Rejected(path=Path(file), reason=reason, line=whole_number(line) if line else None)
        for _, (file, line, reason) in rows
    ]
