"""What is taken for what: the confusion matrix, and its worst pairs by name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from kinestream.viz.style import COLUMN, SMALL, shortened

_NAMES_UP_TO = 30
_NUMBERS_UP_TO = 12
_LINE = 0.125
_LABEL, _SCALE = 0.14, 0.52
"""Inches for the name of the axis at the left, and for the scale of the colours at the right."""


@dataclass(frozen=True, kw_only=True)
class Confused:
    """Clips of class `label` that were taken for `predicted`."""

    label: int
    predicted: int
    clips: int
    of: int
    """Test clips of the class `label`."""


def confusion_matrix(
    labels: Int64[np.ndarray, " q"], predicted: Int64[np.ndarray, " q"], classes: int
) -> Int64[np.ndarray, "c c"]:
    """How many clips of the class of the row were taken for the class of the column.

    Example:
        >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def worst_pairs(matrix: Int64[np.ndarray, "c c"], most: int = 5) -> tuple[Confused, ...]:
    """The confusions that hit the largest shares of their classes, largest first; of equal ones the one of more clips,
    then the lower classes.

    Example:
        >>> worst_pairs(np.array([[9, 1], [0, 2]]))
        (Confused(label=0, predicted=1, clips=1, of=10),)
    """
    of = matrix.sum(axis=1)
    pairs = [(int(row), int(column)) for row, column in np.argwhere(matrix > 0) if row != column]
    pairs.sort(key=lambda pair: (-matrix[pair] / of[pair[0]], -matrix[pair], *pair))
    return tuple(
        Confused(label=row, predicted=column, clips=int(matrix[row, column]), of=int(of[row]))
        for row, column in pairs[:most]
    )


def draw_confusion(matrix: Int64[np.ndarray, "c c"], classes: Sequence[str]) -> Figure:
    """Shares of each true class (row), in percent, with their scale, and the five worst pairs by name below. Classes
    that do not occur are left out; above 30 only every tenth has its number."""
    there = np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1))
    worst = worst_pairs(matrix)
    inner = matrix[np.ix_(there, there)]
    counts = inner.sum(axis=1, keepdims=True)
    shares = 100 * inner / np.where(counts > 0, counts, 1)
    named = len(there) <= _NAMES_UP_TO
    names = [shortened(classes[number], 18) for number in there.tolist()]
    left = _LABEL + 0.2 + (0.05 * max(map(len, names), default=0) if named else 0.1)
    side = COLUMN - left - _SCALE
    below = 0.36 + 0.17 + _LINE * max(1, len(worst)) + 0.05
    height = 0.08 + side + below
    figure = Figure(figsize=(COLUMN, height))
    axes = figure.add_axes((left / COLUMN, below / height, side / COLUMN, side / height))
    drawn = _draw_shares(axes, shares)
    _name_classes(axes, there, names if named else [])
    middle = (below + side / 2) / height
    figure.text(0.05 / COLUMN, middle, "true class", fontsize=7, rotation=90, va="center", ha="left")
    scale = figure.add_axes(((left + side + 0.07) / COLUMN, below / height, 0.07 / COLUMN, side / height))
    figure.colorbar(drawn, cax=scale, ticks=[0, 25, 50, 75, 100])
    scale.tick_params(labelsize=SMALL, length=1.5, pad=1.5)
    scale.set_ylabel("share of the true class, %", fontsize=7, labelpad=1)
    figure.text(
        0.02, (below - 0.33) / height, "most confused (true → taken for)", fontsize=6.5, va="top", weight="bold"
    )
    for line, pair in enumerate(worst):
        y = (below - 0.48 - line * _LINE) / height
        words = f"{shortened(classes[pair.label], 23)} → {shortened(classes[pair.predicted], 23)}"
        figure.text(0.02, y, words, fontsize=SMALL, va="top")
        share = f"{pair.clips} of {pair.of}  {100 * pair.clips / pair.of:3.0f} %"
        figure.text(0.98, y, share, fontsize=SMALL, va="top", ha="right")
    if not worst:
        figure.text(0.02, (below - 0.48) / height, "none: every clip is taken for what it is", fontsize=SMALL, va="top")
    return figure


def _draw_shares(axes: Axes, shares: Float[np.ndarray, "c c"]) -> AxesImage:
    drawn = axes.imshow(shares, cmap="cividis", vmin=0, vmax=100, aspect="equal", interpolation="nearest")
    written = np.argwhere(shares >= 0.5).tolist() if len(shares) <= _NUMBERS_UP_TO else []
    for row, column in written:
        value = shares[row, column]
        colour = "#101010" if value > 55 else "#ffffff"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=SMALL, color=colour)
    return drawn


def _name_classes(axes: Axes, there: Int64[np.ndarray, " c"], names: Sequence[str]) -> None:
    """Names and numbers on the left, numbers below."""
    ticks = np.arange(len(there)) if names else np.flatnonzero((there + 1) % 10 == 0)
    numbers = [str(number + 1) for number in there[ticks]]
    axes.set_xticks(ticks, numbers, fontsize=SMALL if len(ticks) <= 20 else 4.5)
    beside = [f"{name}  {number}" for name, number in zip(names, numbers, strict=True)] if names else numbers
    axes.set_yticks(ticks, beside, fontsize=SMALL if len(ticks) <= 20 else 5.0)
    axes.tick_params(length=0 if names else 2, pad=2)
    axes.set_xlabel("taken for", labelpad=2)
    axes.spines[:].set_visible(False)
