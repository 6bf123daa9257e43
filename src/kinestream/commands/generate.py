"""Writes made-up recordings of made-up people in the true raw format of a data set, so that the whole chain can be
tried without the data. The same seed gives the same files.

Examples:
  kinestream generate ntu60 raw/ --clips 600
  kinestream generate nw-ucla raw/ --clips 300 --seed 7
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.data.synthetic import generate_ntu, generate_nw_ucla
from kinestream.screen import Screen


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream generate`."""

    dataset: Literal["ntu60", "nw-ucla"]
    """Whose raw format."""
    out: Path
    """Folder for the files; must be empty or not exist."""
    clips: int = 600
    """How many files."""
    seed: int = 0
    """The first files of a larger number are the same files."""


def run(config: Config) -> None:
    screen = Screen()
    write = generate_ntu if config.dataset == "ntu60" else generate_nw_ucla
    with screen.progress(f"generate {config.dataset}", "files") as advance:
        paths = write(config.out, config.clips, config.seed, progress=lambda done: advance(done, config.clips))
    size = sum(path.stat().st_size for path in paths)
    screen.say(f"{len(paths):,} files, {size / 1e6:,.1f} MB: {config.out}")
    screen.say(f"next: kinestream prepare {config.dataset} {config.out} STORE")
