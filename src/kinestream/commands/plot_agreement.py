"""Draws stage 2 of a three-stream run: how many pseudo-positives the streams agree on, and how right those are by the
labels, which serve this display only.

Examples:
  kinestream plot agreement runs/caca-3s
  kinestream plot agreement runs/caca-3s --out agreement.svg
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream plot agreement`."""

    run: Path
    """Folder of a pre-training run."""
    out: Path | None = None
    """Picture to write, .png or .svg; RUN/figures/agreement.png if not given."""
    dark: bool = False
    """Light on dark."""


def run(config: Config) -> None:
    from kinestream.viz.plotting import finish, need_drawing, target

    need_drawing()
    out = target(config.run, config.out, "agreement")
    from kinestream.train.run_folder import RunFolder
    from kinestream.viz.run_figures import agreement_figure

    finish(agreement_figure(RunFolder(config.run)), out, dark=config.dark)
