"""How a training went, epoch by epoch: every term of the loss, the online 1-NN, the spread of the features."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from kinestream.viz.palette import LINE_COLOURS, TOGETHER_COLOUR
from kinestream.viz.style import COLUMN, grid, new_figure

Epoch = Mapping[str, Any]
"""A line of kind `epoch` of `metrics.jsonl`."""

Dashes = Literal["-", "--", "-.", ":"] | tuple[int, tuple[int, ...]]
_DASHES: tuple[Dashes, ...] = (
    *("-", "--", "-.", (0, (6, 2, 1, 2, 1, 2)), (0, (5, 1))),
    *((0, (5, 1, 1, 1)), (0, (3, 1)), (0, (1, 1, 3, 1, 1, 3)), (0, (8, 2)), (0, (8, 2, 1, 2))),
)
_BY_STREAM = ("loss/", "agreement/", "knn/", "spread/", "outvoted/")
_PANEL = 0.95
_SAMPLE, _LETTER = 0.34, 0.056
"""Inches that a legend takes for the line before a label, and for each letter of it."""
_CHANGE: Any = {"color": "#8a8a8a", "linewidth": 0.8, "linestyle": (0, (2, 2))}


@dataclass(frozen=True, kw_only=True)
class _Panel:
    title: str
    prefix: str
    """Of the keys whose lines it holds; what follows is the stream."""
    suffix: str = ""
    by_stage: bool = False
    """Whether its values in the two stages are of different kinds."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A panel of `draw_panels`."""

    title: str
    draw: Callable[[Axes], object]
    by_stage: bool = False
    """Give each stage a scale of its own."""


_PANELS = (
    _Panel(title="loss of each stream", prefix="loss/", by_stage=True),
    _Panel(title="agreement of the streams (weighted)", prefix="agreement/"),
    _Panel(title="online 1-NN accuracy on the test clips, %", prefix="knn/"),
    _Panel(title="spread of the features (1 isotropic, 0 collapsed)", prefix="spread/"),
    _Panel(title="spread of the predictions", prefix="spread/", suffix="/predictions"),
)


def draw_curves(epochs: Sequence[Epoch], *, stage_change: int | None = None) -> Figure:
    """One panel below the other for each kind of term that the log has, the total loss first where it is a sum;
    `stage_change` is the last epoch of stage 1. The losses of the two stages are other sums, so that each stage has a
    scale of its own.

    Raises ValueError when there is no epoch.
    """
    if not epochs:
        raise ValueError("no epoch is finished: there is no curve to draw")
    styles = line_styles(epochs)
    kinds = [(panel.title, lines, panel.by_stage) for panel in _PANELS if (lines := _lines(epochs, panel, styles))]
    terms = [key for epoch in epochs for key in epoch if key.startswith(("loss/", "agreement/"))]
    if len(set(terms)) > 1:
        kinds.insert(0, ("loss, all terms together", {"": _series(epochs, "loss")}, True))
    if not kinds:
        raise ValueError("the log has no number of these epochs that can be drawn: it was edited or damaged")
    shown = [stream for stream in styles if any(stream in lines for _, lines, _ in kinds)]
    return draw_panels(
        [Drawn(title=name, draw=_drawing(lines, styles), by_stage=by_stage) for name, lines, by_stage in kinds],
        epochs=(float(epochs[0]["epoch"]), float(epochs[-1]["epoch"])),
        stage_change=stage_change,
        handles=[Line2D([], [], label=stream, **styles[stream]) for stream in shown],
    )


def line_styles(epochs: Sequence[Epoch]) -> Mapping[str, Any]:
    """Colour and dashes of each stream of a log, of all streams together last.

    Example:
        >>> [*line_styles([{"knn/together": 80.0, "loss/joint": 1.0, "loss/bone": 1.0}])]
        ['joint', 'bone', 'together']
    """
    found = dict.fromkeys(key.split("/")[1] for epoch in epochs for key in epoch if key.startswith(_BY_STREAM))
    streams = [stream for stream in found if stream != "together"]
    looks = zip(cycle(LINE_COLOURS), cycle(_DASHES), strict=False)
    styles: dict[str, Any] = {
        stream: {"color": colour, "linestyle": dashes} for stream, (colour, dashes) in zip(streams, looks, strict=False)
    }
    return styles | {"together": {"color": TOGETHER_COLOUR, "linestyle": ":"}}


def draw_panels(
    panels: Sequence[Drawn],
    *,
    epochs: tuple[float, float],
    stage_change: int | None,
    handles: Sequence[Line2D],
) -> Figure:
    """Panels over the epochs (first and last), one below the other, with one legend below all."""
    first, last = epochs
    change = float(stage_change) if stage_change is not None and first <= stage_change < last else None
    entries = list(handles) if len(handles) > 1 else []
    if change is not None:
        entries.append(Line2D([], [], label="stage 2 begins", **_CHANGE))
    columns = _columns([str(entry.get_label()) for entry in entries])
    figure = new_figure(0.4 + _PANEL * len(panels) + 0.16 * math.ceil(len(entries) / columns))
    margin = 0.02 * (last - first) or 0.5
    whole = (first - margin, last + margin)
    ends = whole if change is None else (whole[0], change + 0.5, whole[1])
    places = figure.add_gridspec(len(panels), len(ends) - 1, width_ratios=_widths(ends))
    for row, panel in enumerate(panels):
        parts = list(pairwise(ends)) if panel.by_stage else [whole]
        for column, limits in enumerate(parts):
            axes = figure.add_subplot(places[row, column] if len(parts) > 1 else places[row, :])
            axes.set_title(panel.title if not column else "", pad=3, fontsize=7)
            grid(axes)
            panel.draw(axes)
            _keep_within(axes, limits)
            if column:  # stage 2, whose scale is at the right
                axes.yaxis.tick_right()
                axes.spines["left"].set(visible=True, **_CHANGE)
            elif change is not None and len(parts) == 1:
                axes.axvline(change + 0.5, **_CHANGE)
            axes.xaxis.set_major_locator(MaxNLocator(5 if len(parts) > 1 else 9, integer=True))
            is_last = row + 1 == len(panels)
            axes.tick_params(labelbottom=is_last)
            axes.set_xlabel("epoch" if is_last else "", labelpad=2)
    if entries:
        figure.legend(handles=entries, loc="outside lower center", ncols=columns, handlelength=2.0, columnspacing=0.7)
    return figure


def _widths(ends: Sequence[float]) -> list[float]:
    """Of the parts of a panel, by their epochs; each has room for its ticks."""
    parts = [end - begin for begin, end in pairwise(ends)]
    return [max(part, 0.3 * sum(parts)) for part in parts]


def _keep_within(axes: Axes, limits: tuple[float, float]) -> None:
    """Shows these epochs only, on a scale that is theirs."""
    low, high = limits
    for line in axes.get_lines():
        x, y = (np.asarray(values, dtype=float) for values in line.get_data())
        inside = (x >= low) & (x <= high)
        line.set_data(x[inside], y[inside])
    axes.set_xlim(low, high)
    if axes.get_autoscaley_on():
        axes.relim()
        axes.autoscale_view(scalex=False)


def _columns(labels: Sequence[str]) -> int:
    """How many columns of a legend the figure is wide enough for."""
    for columns in (5, 4, 3):
        widest = [max(map(len, column), default=0) for column in np.array_split(np.array(labels), columns)]
        if sum(_SAMPLE + _LETTER * letters for letters in widest) <= COLUMN:
            return columns
    return 2


def _lines(epochs: Sequence[Epoch], panel: _Panel, streams: Iterable[str]) -> dict[str, list[tuple[float, float]]]:
    """The points (epoch, value) of each stream."""
    keys = {
        key.removeprefix(panel.prefix).removesuffix(panel.suffix): key
        for epoch in epochs
        for key in epoch
        if key.startswith(panel.prefix) and key.endswith(panel.suffix)
    }
    return {stream: _series(epochs, keys[stream]) for stream in streams if stream in keys}


def _series(epochs: Sequence[Epoch], key: str) -> list[tuple[float, float]]:
    return [(float(epoch["epoch"]), float(epoch[key])) for epoch in epochs if key in epoch]


def _drawing(lines: Mapping[str, Sequence[tuple[float, float]]], styles: Mapping[str, Any]) -> Callable[[Axes], object]:
    def draw(axes: Axes) -> None:
        for stream, points in lines.items():
            style = styles[stream] if stream else {"color": "#8a8a8a"}
            few = len(points) <= 20
            axes.plot(*zip(*points, strict=True), marker="o" if few else None, markersize=2.5, **style)

    return draw
