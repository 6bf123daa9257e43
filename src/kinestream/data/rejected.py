"""What did not get into a store, and why."""

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE = "rejected.csv"


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A file, or a part of one, that cannot be used."""

    path: Path
    reason: str
    line: int | None = None
    """Where in the file, counted from 1: the line of a text, or which of several recordings."""

    def __str__(self) -> str:
        return f"{self.path}{'' if self.line is None else f':{self.line}'}: {self.reason}"


def write_rejected(folder: Path, rejected: Iterable[Rejected], base: Path | None = None, name: str = FILE) -> None:
    """Writes `rejected.csv` into the folder of a store, with paths as they are seen from `base`."""
    with (folder / name).open(
        "w", encoding="utf-8", errors="backslashreplace", newline=""
    ) as file:  # names may be no text
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "line", "reason"))
        for entry in rejected:
            path = entry.path if base is None else Path(os.path.relpath(entry.path, base))
            writer.writerow((path.as_posix(), "" if entry.line is None else entry.line, entry.reason))
