"""How a training went, epoch by epoch: every term of the loss, the online 1-NN, the spread of the features."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kinestream.viz.palette import LINE_COLOURS, TOGETHER_COLOUR
from kinestream.viz.style import grid, new_figure

Epoch = Mapping[str, Any]
"""A line of kind `epoch` of `metrics.jsonl`."""

Dashes = Literal["-", "--", "-.", ":"] | tuple[int, tuple[int, ...]]
_DASHES: tuple[Dashes, ...] = (
    *("-", "--", "-.", (0, (6, 2, 1, 2, 1, 2)), (0, (5, 1))),
    *((0, (5, 1, 1, 1)), (0, (3, 1)), (0, (1, 1, 3, 1, 1, 3)), (0, (8, 2)), (0, (8, 2, 1, 2))),
)
_BY_STREAM = ("loss/", "agreement/", "knn/", "spread/", "outvoted/")
_PANEL = 0.95
_CHANGE: Any = {"color": "#8a8a8a", "linewidth": 0.8, "linestyle": (0, (2, 2))}


@dataclass(frozen=True, kw_only=True)
class _Panel:
    title: str
    prefix: str
    """Of the keys whose lines it holds; what follows is the stream."""
    suffix: str = ""


_PANELS = (
    _Panel(title="loss of each stream", prefix="loss/"),
    _Panel(title="agreement of the streams (weighted)", prefix="agreement/"),
    _Panel(title="online 1-NN accuracy on the test clips, %", prefix="knn/"),
    _Panel(title="spread of the features (1 isotropic, 0 collapsed)", prefix="spread/"),
    _Panel(title="spread of the predictions", prefix="spread/", suffix="/predictions"),
)


def draw_curves(epochs: Sequence[Epoch], *, stage_change: int | None = None, title: str = "") -> Figure:
    """One panel below the other for each kind of term that the log has, the total loss first where it is a sum;
    `stage_change` is the last epoch of stage 1.

    Raises ValueError when there is no epoch.
    """
    if not epochs:
        raise ValueError("no epoch is finished: there is no curve to draw")
    styles = line_styles(epochs)
    kinds = [(panel.title, _lines(epochs, panel, styles)) for panel in _PANELS]
    kinds = [(name, lines) for name, lines in kinds if lines]
    terms = [key for epoch in epochs for key in epoch if key.startswith(("loss/", "agreement/"))]
    if len(set(terms)) > 1:
        kinds.insert(0, ("loss, all terms together", {"": _series(epochs, "loss")}))
    shown = [stream for stream in styles if any(stream in lines for _, lines in kinds)]
    return draw_panels(
        [(name, _drawing(lines, styles)) for name, lines in kinds],
        epochs=(float(epochs[0]["epoch"]), float(epochs[-1]["epoch"])),
        stage_change=stage_change,
        title=title,
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
    panels: Sequence[tuple[str, Callable[[Axes], object]]],
    *,
    epochs: tuple[float, float],
    stage_change: int | None,
    title: str,
    handles: Sequence[Line2D],
) -> Figure:
    """Panels over the epochs (first and last), one below the other, with one legend below all."""
    first, last = epochs
    changes = stage_change is not None and first <= stage_change < last
    entries = list(handles) if len(handles) > 1 else []
    if changes:
        entries.append(Line2D([], [], label="stage 2 begins", **_CHANGE))
    columns = 5 if len(entries) <= 5 else 3  # the width holds no more
    figure = new_figure(0.4 + _PANEL * len(panels) + 0.16 * math.ceil(len(entries) / columns) + 0.16 * bool(title))
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    margin = 0.02 * max(last - first, 1)
    for axes, (name, draw) in zip(rows, panels, strict=True):
        axes.set_title(name, pad=3, fontsize=7)
        grid(axes)
        draw(axes)
        axes.set_xlim(first - margin, last + margin)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if stage_change is not None and changes:
            axes.axvline(stage_change + 0.5, **_CHANGE)
    rows[-1].set_xlabel("epoch", labelpad=2)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=7.5)
    if entries:
        figure.legend(handles=entries, loc="outside lower center", ncols=columns, handlelength=2.0, columnspacing=0.7)
    return figure


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
