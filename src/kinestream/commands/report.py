"""Writes a run as one page that opens from disk and needs no network: results beside the published figure, all figures,
configuration, commands, and a map of the clips to explore, on which every clip plays its skeleton beside its five
nearest neighbours. Figures and predictions come from the evaluations that the run holds: make those first.

Examples:
  kinestream report runs/caca-joint
  kinestream report runs/caca-joint --data ntu60/ --points 5000 --megabytes 10 --out caca-joint.html
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.console import Screen


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream report`."""

    run: Path
    """Folder of a pre-training run."""
    data: Path | None = None
    """The store with the clips; that which the run learnt from if not given."""
    out: Path | None = None
    """Page to write; RUN/report.html if not given."""
    split: str | None = None
    """Split whose test clips are shown; that of the run if not given. Without labels or splits all are shown."""
    points: int = 20_000
    """Most clips on the map; of more, some are drawn at random."""
    frames: int = 24
    """Most frames of each skeleton."""
    megabytes: float = 30.0
    """Most that the skeletons take in the page: beyond it they have fewer frames, down to 8, and then fewer clips have
    one."""
    bare: bool = False
    """Leave out the untrained encoder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute features."""


def run(config: Config) -> None:
    from kinestream.viz.report import report

    screen = Screen()
    done = report(
        config.run,
        config.data,
        out=config.out,
        split=config.split,
        points=config.points,
        frames=config.frames,
        megabytes=config.megabytes,
        baselines=not config.bare,
        device=config.device,
        progress=screen.progress_callback(),
        notice=screen.notice,
    )
    for one in done.left_out:
        screen.say(f"left out: {one.name} ({one.reason})")
    screen.say(str(done))
