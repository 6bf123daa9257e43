"""Draws the accuracy class by class beside the untrained encoder, from an evaluation of the run.

Examples:
  kinestream plot classes runs/caca-joint
  kinestream plot classes runs/caca-joint --protocol knn --most 60 --out classes.svg
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream plot classes`."""

    run: Path
    """Folder of a pre-training run."""
    out: Path | None = None
    """Picture to write, .png or .svg; RUN/figures/classes.png if not given."""
    protocol: str | None = None
    """Evaluation to draw, as linear or knn; the first that there is if not given."""
    split: str | None = None
    """Split that was evaluated; that of the run if not given."""
    most: int = 40
    """Of more classes than this the best and the worst halves of this number are drawn."""
    dark: bool = False
    """Light on dark."""


def run(config: Config) -> None:
    from kinestream.viz.plotting import finish, need_drawing, target

    need_drawing()
    if config.most < 2:
        raise ValueError(f"--most {config.most}: at least two classes are drawn")
    out = target(config.run, config.out, "classes")
    from kinestream.train.run_folder import RunFolder
    from kinestream.viz.run_figures import classes_figure

    folder = RunFolder(config.run)
    split = config.split or folder.config().recipe.split or ""
    finish(classes_figure(folder, split, config.protocol, config.most), out, dark=config.dark)
