"""All figures of a run, made from what its folder holds; what cannot be drawn is left out, with the reason."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from kinestream.evaluate.run_results import SavedResult, SavedRow, read_evaluations
from kinestream.files import replacing
from kinestream.recipes import Recipe
from kinestream.train.run_folder import Run, read_metrics
from kinestream.viz.agreement import draw_agreement
from kinestream.viz.confusion import confusion_matrix, draw_confusion, worst_pairs
from kinestream.viz.curves import Epoch, draw_curves
from kinestream.viz.embedding import Panel, draw_embedding
from kinestream.viz.encoded import METHODS, ShownClips, plane_of
from kinestream.viz.per_class import draw_classes
from kinestream.viz.projection import Method, sample
from kinestream.viz.style import save, theme

MOST_POINTS = 5000
MOST_CLASSES = 12


@dataclass(frozen=True, kw_only=True)
class RunFigure:
    """A figure of a run: its name as a file, what it is, and what it says in words."""

    name: str
    title: str
    words: str
    draw: Callable[[], Figure]
    """Draws in the theme in force; what is slow has been done before."""

    @property
    def caption(self) -> str:
        return f"{self.title}. {self.words}"

    def save(self, path: Path, *, dark: bool = False) -> None:
        """Writes a .png, .svg or .pdf file, and beside it the caption as .txt."""
        with theme(dark=dark):
            save(self.draw(), path)
        with replacing(path.with_suffix(".txt")) as part:
            part.write_text(f"{self.caption}\n", encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A figure that could not be made."""

    name: str
    reason: str


def figures_of_run(clips: ShownClips) -> Iterator[RunFigure | LeftOut]:
    """In the order of the report."""
    folder, split = clips.session.source.folder, clips.session.split
    # What is not of the method, or of a store without labels and splits, is not lacking either.
    makers: dict[str, Callable[[], RunFigure]] = {
        "embedding-tsne": lambda: embedding_figure(clips, "tsne"),
        "embedding-pca": lambda: embedding_figure(clips, "pca"),
    }
    if clips.guesses is not None:
        makers["confusion"] = lambda: confusion_figure(clips)
        makers["classes"] = lambda: classes_figure(folder, split)
    makers["curves"] = lambda: curves_figure(folder)
    if folder.config().recipe.method.stage_change is not None:
        makers["agreement"] = lambda: agreement_figure(folder)
    for name, make in makers.items():
        try:
            yield make()
        except ValueError as error:
            yield LeftOut(name=name, reason=str(error))


def embedding_figure(
    clips: ShownClips, method: Method, *, points: int = MOST_POINTS, classes: int = MOST_CLASSES
) -> RunFigure:
    """The clips before and after pre-training. Of many classes some are drawn by lot, and so of many clips."""
    if classes < 1 or points < 1:
        raise ValueError(f"{classes} classes and {points} points: at least one of each is needed")
    present = np.unique(clips.labels)
    chosen = present[sample(len(present), classes)]
    of_chosen = np.flatnonzero(np.isin(clips.labels, chosen))
    rows = of_chosen[sample(len(of_chosen), points)]
    panels = []
    for title, encoded in (("untrained encoder", clips.before), ("after pre-training", clips.after)):
        if encoded is not None:
            nearest = "" if encoded.right is None else f"\n1-NN {encoded.right:.1f} %"
            panels.append(Panel(title=title + nearest, points=plane_of(clips, encoded, rows, method, title)))
    some = "" if len(chosen) == len(present) else f" of {len(chosen)} classes of {len(present)}, drawn by lot"
    less = "" if len(rows) == len(of_chosen) else f" ({len(rows):,} of {len(of_chosen):,}, drawn by lot)"
    note = f"{METHODS[method]} of the {clips.kind}{less}{some}, {clips.where}"
    words = f"{note}. Each dot is a clip; axes have no unit."
    if clips.after.right is not None:
        words += " 1-NN: share of the test clips whose nearest training clip is of their class."
    return RunFigure(
        name=f"embedding-{method}",
        title=f"Embedding, {METHODS[method]}",
        words=words,
        draw=lambda: draw_embedding(panels, clips.labels[rows], clips.classes),
    )


def confusion_figure(clips: ShownClips) -> RunFigure:
    """By the predictions of an evaluation, or the nearest training clips. Raises ValueError without labels."""
    guesses = clips.guesses
    if guesses is None:
        raise ValueError(f"{clips.session.store.path} has no labelled test clips, whose confusions could be counted")
    matrix = confusion_matrix(clips.labels, guesses.predicted, len(clips.classes))
    worst = [
        f"{clips.classes[pair.label]} taken for {clips.classes[pair.predicted]} ({pair.clips} of {pair.of})"
        for pair in worst_pairs(matrix, 3)
    ]
    right = 100 * float(np.trace(matrix)) / max(1, int(matrix.sum()))
    return RunFigure(
        name="confusion",
        title="Confusion matrix",
        words=f"What the {guesses.how} takes the clips of each class for, in percent of the class; {clips.where}, "
        f"{right:.1f} % right. Worst: {'; '.join(worst) if worst else 'none'}.",
        draw=lambda: draw_confusion(matrix, clips.classes),
    )


def classes_figure(folder: Run, split: str, protocol: str | None = None, most: int = 40) -> RunFigure:
    """Raises ValueError when no evaluation of the split has accuracies by class."""
    if most < 2:
        raise ValueError(f"{most} classes: at least two are drawn")
    if not split:
        raise ValueError("without labels and a split into training and test clips no class has an accuracy")
    for evaluation in read_evaluations(folder.path):
        own = evaluation.headline()
        if evaluation.split == split and protocol in (None, evaluation.protocol) and own is not None and own.per_class:
            return _classes_of(evaluation, own, most)
    wanted = protocol or "linear"
    raise ValueError(
        f"{folder.path} has no evaluation{f' {protocol}' if protocol else ''} of split '{split}' with accuracies by "
        f"class: make one with 'kinestream evaluate {wanted}'"
    )


def curves_figure(folder: Run) -> RunFigure:
    """Raises ValueError when no epoch is finished."""
    config = folder.config()
    epochs = epochs_of(folder)
    if not epochs:
        raise ValueError(f"{folder.path} has no finished epoch: there is no curve to draw")
    return RunFigure(
        name="curves",
        title="Learning curves",
        words=f"{config.recipe_name}, {len(epochs)} of {config.recipe.epochs} epochs.{_stages(config.recipe, epochs)} "
        "The online 1-NN uses labels for this display only.",
        draw=lambda: draw_curves(epochs, stage_change=config.recipe.method.stage_change),
    )


def agreement_figure(folder: Run) -> RunFigure:
    """Raises ValueError when the run has no stage 2."""
    config = folder.config()
    epochs = epochs_of(folder)
    if not any("positives/beyond" in epoch for epoch in epochs):
        change = config.recipe.method.stage_change
        why = (
            f"stage 2 begins after epoch {change}, the run has {len(epochs)}"
            if change is not None and change >= len(epochs)
            else "they are of stage 2 of three-stream recipes (caca-3s-*)"
        )
        raise ValueError(f"{folder.path} has no pseudo-positives in its log: {why}")
    return RunFigure(
        name="agreement",
        title="Agreement of the streams",
        words=f"{config.recipe_name}, stage 2: clips that the streams take for positives of each other, and how right "
        "they are by the labels, which serve this display only.",
        draw=lambda: draw_agreement(epochs),
    )


def _stages(recipe: Recipe, epochs: Sequence[Epoch]) -> str:
    change = recipe.method.stage_change
    if change is None or not any(epoch["epoch"] > change for epoch in epochs):
        return ""
    return f" Stage 2 begins after epoch {change}; losses of the two stages have scales of their own."


def epochs_of(folder: Run) -> Sequence[Epoch]:
    """The lines of the log that end an epoch; none where there is no log yet."""
    if not folder.metrics.is_file():
        return []
    return [line for line in read_metrics(folder.metrics) if line.get("kind") == "epoch"]


def _classes_of(evaluation: SavedResult, own: SavedRow, most: int) -> RunFigure:
    untrained = evaluation.headline("untrained")
    before: Mapping[str, float | None] = untrained.per_class if untrained else {}
    words = f"Accuracy by class, {evaluation.called} on split {evaluation.split}, {own.name}; all: {own.top1:.1f} %"
    return RunFigure(
        name="classes",
        title="Class by class",
        words=f"{words}, untrained {untrained.top1:.1f} %." if untrained else f"{words}.",
        draw=lambda: draw_classes(own.per_class, before, most=most),
    )
