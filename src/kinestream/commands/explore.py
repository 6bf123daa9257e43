"""Writes an archive of embeddings as one page that opens from disk and needs no network: a map of its recordings or
windows, without labels, coloured by group, person, file or label. Clips play beside their nearest neighbours. Select
clips with a lasso or by keyboard, give them names, and save these as labels.csv for 'kinestream fit'.

Examples:
  kinestream explore movements.parquet
  kinestream explore movements.parquet --groups 12 --out gestures.html
  kinestream explore movements.parquet --labels labels.csv
"""

from dataclasses import dataclass
from pathlib import Path

from kinestream.console import Screen


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream explore`."""

    archive: Path
    """Archive of embeddings: .parquet, .npz or .csv, or a folder."""
    out: Path = Path("explore.html")
    """Page to write."""
    labels: Path | None = None
    """Names given before (.csv): columns name or file, and label; start, end and person for less than a recording."""
    groups: int | None = None
    """Groups to colour by; a rough guess from 2 to 20 if not given."""
    points: int = 20_000
    """Most rows on the map; of more, some are drawn at random."""
    frames: int = 24
    """Most frames of each clip."""
    megabytes: float = 25.0
    """Most that the clips take in the page: beyond it they have fewer frames, down to 8, then fewer rows have one."""


def run(config: Config) -> None:
    from kinestream.viz.explore import explore

    screen = Screen()
    done = explore(
        config.archive,
        config.out,
        labels=config.labels,
        groups=config.groups,
        points=config.points,
        frames=config.frames,
        megabytes=config.megabytes,
        progress=screen.progress_callback(),
        notice=screen.notice,
    )
    screen.say(str(done))
