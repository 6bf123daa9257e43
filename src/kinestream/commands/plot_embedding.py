"""Draws the test clips of a run by their features, before and after pre-training, side by side: t-SNE or PCA of the
unit features. Of many classes, and of many clips, some are drawn by lot, always the same, and the picture comes out the
same each time.

Examples:
  kinestream plot embedding runs/caca-joint --data ntu60/
  kinestream plot embedding runs/caca-joint --data ntu60/ --method pca --classes 10 --out embedding.svg
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.arguments import required_option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream plot embedding`."""

    run: Path
    """Folder of a pre-training run."""
    data: Path = required_option()
    """The store with the clips."""
    out: Path | None = None
    """Picture to write, .png or .svg; RUN/figures/embedding-METHOD.png if not given."""
    method: Literal["tsne", "pca"] = "tsne"
    """How to lay the clips out."""
    split: str | None = None
    """Split whose test clips are drawn; that of the run if not given."""
    classes: int = 12
    """Most classes to draw."""
    points: int = 5000
    """Most clips to draw."""
    bare: bool = False
    """Leave out the untrained encoder."""
    dark: bool = False
    """Light on dark."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute features."""


def run(config: Config) -> None:
    from kinestream.viz.plotting import finish, need_drawing, target

    need_drawing()
    if config.classes < 1 or config.points < 1:
        raise ValueError(f"--classes {config.classes} --points {config.points}: at least one of each is needed")
    out = target(config.run, config.out, f"embedding-{config.method}")
    from kinestream.evaluate.protocols.subject import Subject
    from kinestream.viz.run_figures import embedding_figure
    from kinestream.viz.test_clips import encode_test_clips

    subject = Subject(config.run, config.data, config.split, config.device, references=not config.bare)
    figure = embedding_figure(
        subject.source.folder,
        subject.store,
        subject.split,
        encode_test_clips(subject),
        subject.screen,
        method=config.method,
        points=config.points,
        classes=config.classes,
    )
    finish(figure, out, dark=config.dark)
