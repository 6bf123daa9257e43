"""The same clips laid out by the features of two encoders, side by side: before and after pre-training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kinestream.viz.palette import class_symbol
from kinestream.viz.style import COLUMN, MARKERS, class_colours, faint, shortened

_LEGEND_LINE = 0.125
_LETTERS = 29


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One layout of the clips."""

    title: str
    points: Float32[np.ndarray, "n 2"]


def draw_embedding(panels: Sequence[Panel], labels: Int64[np.ndarray, " n"], classes: Sequence[str]) -> Figure:
    """Points of one class share colour and shape; the classes that have points are listed below. The points fill each
    panel: its axes have scales of their own, for neither t-SNE nor PCA has a unit.

    Raises ValueError when panels and labels do not go together.
    """
    if not panels or any(len(panel.points) != len(labels) for panel in panels):
        raise ValueError(f"{len(labels)} labels for panels of {[len(panel.points) for panel in panels]} points")
    shown = np.unique(labels).tolist()
    side = (COLUMN - 0.06) / len(panels)
    lines = -(-len(shown) // 2)
    title = 0.36
    height = title + side + 0.1 + lines * _LEGEND_LINE
    figure = Figure(figsize=(COLUMN, height))
    left = 0.03
    for number, panel in enumerate(panels):
        box = (
            (left + number * side + 0.02) / COLUMN,
            1 - (title + side) / height,
            (side - 0.04) / COLUMN,
            side / height,
        )
        _draw_panel(figure.add_axes(box), panel, labels, "abcd"[number] if len(panels) > 1 else "")
    handles = [_handle(label, classes[label]) for label in shown]
    figure.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - (title + side + 0.02) / height),
        ncols=2 if len(shown) > 1 else 1,
        columnspacing=1.0,
        borderpad=0.1,
        labelspacing=0.25,
        handlelength=1.0,
    )
    return figure


def _draw_panel(axes: Axes, panel: Panel, labels: Int64[np.ndarray, " n"], letter: str) -> None:
    size = float(np.clip(9.0 * (400 / max(len(labels), 1)) ** 0.5, 1.2, 10.0))
    for label in np.unique(labels).tolist():
        symbol = class_symbol(label)
        colour = class_colours()[symbol.colour]
        axes.scatter(
            panel.points[labels == label, 0],
            panel.points[labels == label, 1],
            s=size,
            marker=MARKERS[symbol.shape],
            facecolors=colour if symbol.filled else "none",
            edgecolors=axes.get_facecolor() if symbol.filled else colour,
            linewidths=0.15 if symbol.filled else 0.6,
            alpha=0.9,
        )
    low, high = panel.points.min(axis=0), panel.points.max(axis=0)
    margin = np.where(high > low, 0.04 * (high - low), 1.0)  # all in one place: that is the middle
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(faint())
    axes.set_title(panel.title, loc="left", pad=3, linespacing=1.15)
    axes.text(1.0, 1.0, f"{letter} ", transform=axes.transAxes, weight="bold", fontsize=8, ha="right", va="top")


def _handle(label: int, name: str) -> Line2D:
    symbol = class_symbol(label)
    colour = class_colours()[symbol.colour]
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=MARKERS[symbol.shape],
        markersize=4,
        markerfacecolor=colour if symbol.filled else "none",
        markeredgecolor=colour,
        markeredgewidth=0.7,
        label=shortened(name, _LETTERS),
    )
