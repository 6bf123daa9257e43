"""Finds what in an archive of embeddings is most like a query: a recording of the archive by its name, a file, or a
stretch of either (seconds, or frames as in @96-150f). Of overlapping windows only the nearest is listed.

Examples:
  kinestream search walk-01 --in movements.parquet
  kinestream search walk.bvh@3.2-5.1 --in movements.parquet --top 5 --out hits.png
  kinestream search walk-01 --in movements.parquet --not-same person --out hits.csv
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.arguments import required_option
from kinestream.console import Screen

_DRAWN, _TABLE = ".png", ".csv"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream search`."""

    query: str
    """Name of a recording in the archive, or a file; @START-END after it for a stretch."""
    archive: Path = required_option(called="in")
    """The archive."""
    top: int = 5
    """How many to find, at most."""
    encoder: Path | None = None
    """Run or encoder file that made the archive; needed only if it is not where it was then."""
    not_same: Literal["person", "file"] | None = None
    """Leave out what shows the same person (subject), or is of the same file."""
    index: Literal["auto", "exact", "usearch"] = "auto"
    """exact: every row is looked at; usearch: an index is built once (extra kinestream[search]); auto: exact up to a
    million rows, usearch beyond."""
    out: Path | None = None
    """Table (.csv) or sheet of skeletons (.png, extra kinestream[viz]) to write."""


def run(config: Config) -> None:
    if config.out is not None and config.out.suffix not in (_DRAWN, _TABLE):
        raise ValueError(f"--out {config.out}: a table is .csv, a sheet is .png")
    from kinestream.files import check_writable
    from kinestream.use.archive import open_embeddings
    from kinestream.use.model import load
    from kinestream.use.query import find_query, recording_of
    from kinestream.use.search import search

    if config.out is not None:
        check_writable(config.out)  # before any work
    if config.out is not None and config.out.suffix == _DRAWN:
        from kinestream.viz.retrieval_sheet import draw_hits
    screen = Screen()
    archive = open_embeddings(config.archive)
    model = None if config.encoder is None else load(config.encoder)
    query = find_query(archive, config.query, model)
    hits = search(archive, query, k=min(config.top, len(archive)), not_same=config.not_same, index=config.index)
    for note in hits.notes:
        screen.notice(note)
    screen.say(str(hits))
    if config.out is None:
        return
    if config.out.suffix == _TABLE:
        hits.save(config.out)
    else:
        missing = draw_hits(hits, archive.made_by.reading, config.out, query=recording_of(archive, query))
        if missing:
            screen.warn(f"{missing} of {len(hits)} hits are not drawn: their files cannot be read any more")
    screen.say(f"hits: {config.out}")
