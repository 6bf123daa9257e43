"""Draws a figure of a run. embedding: the test clips laid out by their features, before and after pre-training;
confusion: what the classes are taken for; curves: every term of the loss and the online 1-NN over the epochs; classes:
the accuracy class by class beside the untrained encoder; agreement: what the streams of a three-stream run agree on in
stage 2. The same run gives the same picture.

Examples:
  kinestream plot embedding runs/caca-joint
  kinestream plot embedding runs/caca-joint --method pca --classes 10 --out embedding.svg
  kinestream plot confusion runs/caca-joint --data ntu60/
  kinestream plot classes runs/caca-joint --protocol knn --most 60
  kinestream plot curves runs/caca-joint --dark
  kinestream plot agreement runs/caca-3s
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kinestream.console import Screen

if TYPE_CHECKING:
    from kinestream.viz.run_figures import RunFigure


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream plot`."""

    figure: Literal["embedding", "confusion", "curves", "classes", "agreement"]
    """What to draw."""
    run: Path
    """Folder of a pre-training run; it may still be learning."""
    out: Path | None = None
    """Picture to write, .png, .svg or .pdf, with a caption as .txt beside; RUN/figures/FIGURE.png if not given."""
    dark: bool = False
    """Light on dark."""
    data: Path | None = None
    """embedding, confusion: the store with the clips; that which the run learnt from if not given."""
    split: str | None = None
    """embedding, confusion, classes: the split whose test clips count; that of the run if not given."""
    method: Literal["tsne", "pca"] = "tsne"
    """embedding: how to lay the clips out."""
    classes: int = 12
    """embedding: most classes to draw; of more, some are drawn at random."""
    points: int = 5000
    """embedding: most clips to draw; of more, some are drawn at random."""
    bare: bool = False
    """embedding: leave out the untrained encoder."""
    protocol: str | None = None
    """classes: evaluation to draw, as linear or knn; the first that there is if not given."""
    most: int = 40
    """classes: most classes to draw; of more, the best and the worst."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """embedding, confusion: where to compute features."""


_ONLY = {
    **dict.fromkeys(("data", "device"), ("embedding", "confusion")),
    "split": ("embedding", "confusion", "classes"),
    **dict.fromkeys(("method", "classes", "points", "bare"), ("embedding",)),
    **dict.fromkeys(("protocol", "most"), ("classes",)),
}


def run(config: Config) -> None:
    from kinestream.files import check_writable
    from kinestream.viz.style import format_of

    for entry in fields(config):
        figures = _ONLY.get(entry.name, (config.figure,))
        if config.figure not in figures and getattr(config, entry.name) != entry.default:
            raise ValueError(f"--{entry.name} is for {', '.join(figures)}, not for {config.figure}: leave it out")
    name = f"embedding-{config.method}" if config.figure == "embedding" else config.figure
    out = config.out or config.run / "figures" / f"{name}.png"
    format_of(out)  # before any work is done for it
    check_writable(out)
    screen = Screen()
    figure = _figure(config, screen)
    figure.save(out, dark=config.dark)
    screen.say(figure.words)
    screen.say(f"{figure.title}: {out}")


def _figure(config: Config, screen: Screen) -> "RunFigure":
    from kinestream.train.run_folder import Run
    from kinestream.viz import encoded, run_figures

    folder = Run(config.run)
    if config.figure == "curves":
        return run_figures.curves_figure(folder)
    if config.figure == "agreement":
        return run_figures.agreement_figure(folder)
    if config.figure == "classes":
        split = config.split or folder.config().recipe.split or ""
        return run_figures.classes_figure(folder, split, config.protocol, config.most)
    clips = encoded.encode(
        config.run,
        config.data,
        config.split,
        baselines=config.figure == "embedding" and not config.bare,
        device=config.device,
        progress=screen.progress_callback(),
        notice=screen.notice,
    )
    if config.figure == "confusion":
        return run_figures.confusion_figure(clips)
    return run_figures.embedding_figure(clips, config.method, points=config.points, classes=config.classes)
