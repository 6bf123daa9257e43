"""Writes a run as one page that opens from disk and loads nothing: results beside the published figure, all figures,
configuration, commands, and a map of the test clips to explore, on which every clip plays its skeleton beside its five
nearest neighbours. Figures and predictions come from the evaluations that the run holds: make those first.

Examples:
  kinestream report runs/caca-joint --data ntu60/
  kinestream report runs/caca-joint --data ntu60/ --points 5000 --megabytes 10 --out caca-joint.html
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.arguments import required_option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream report`."""

    run: Path
    """Folder of a pre-training run."""
    data: Path = required_option()
    """The store with the clips."""
    out: Path | None = None
    """Page to write; RUN/report.html if not given."""
    split: str | None = None
    """Split whose test clips are shown; that of the run if not given."""
    points: int = 20_000
    """Most clips on the map; of more, some are drawn by lot."""
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
    from kinestream.viz.plotting import need_drawing

    need_drawing()
    if config.points < 1 or config.frames < 2 or not config.megabytes >= 0:
        raise ValueError(
            f"--points {config.points} --frames {config.frames} --megabytes {config.megabytes}: at least 1 point, "
            "2 frames and 0 megabytes are needed"
        )
    out = config.out or config.run / "report.html"
    if out.suffix not in (".html", ".htm"):
        raise ValueError(f"{out}: the suffix '{out.suffix}' is not one of .html, .htm")
    from kinestream.evaluate.protocols.subject import Subject
    from kinestream.viz.report import Limits, write_report

    subject = Subject(config.run, config.data, config.split, config.device, references=not config.bare)
    limits = Limits(points=config.points, frames=config.frames, megabytes=config.megabytes)
    write_report(subject, out, limits)
