"""Draws how a training went: every term of the loss, the online 1-NN accuracy, the spread of the features. Works while
the run is still learning.

Examples:
  kinestream plot curves runs/caca-joint
  kinestream plot curves runs/caca-joint --out curves.svg
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream plot curves`."""

    run: Path
    """Folder of a pre-training run."""
    out: Path | None = None
    """Picture to write, .png or .svg; RUN/figures/curves.png if not given."""
    dark: bool = False
    """Light on dark."""


def run(config: Config) -> None:
    from kinestream.viz.plotting import finish, need_drawing, target

    need_drawing()
    out = target(config.run, config.out, "curves")
    from kinestream.train.run_folder import RunFolder
    from kinestream.viz.run_figures import curves_figure

    finish(curves_figure(RunFolder(config.run)), out, dark=config.dark)
