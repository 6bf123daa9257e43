"""Stage 2 over time: how many pseudo-positives the streams agree on, and how right those are by the labels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kinestream.viz.curves import Epoch, draw_panels, line_styles

_VOTED, _RIGHT, _CHANCE = "#0072b2", "#009e73", "#8a8a8a"


def draw_agreement(epochs: Sequence[Epoch], *, title: str = "") -> Figure:
    """Pseudo-positives a clip, voted and right; their purity beside chance; each stream's marks that are voted
    down. The labels serve this display only.

    Raises ValueError when no epoch of the log is of stage 2.
    """
    second = [epoch for epoch in epochs if "positives/beyond" in epoch]
    if not second:
        raise ValueError(
            "no epoch of the log has pseudo-positives: they exist in stage 2 of three-stream recipes, "
            "whose method.cross_epoch is set (caca-3s-*)"
        )
    styles = {
        stream: style
        for stream, style in line_styles(second).items()
        if any(f"outvoted/{stream}" in epoch for epoch in second)
    }
    panels: list[tuple[str, Callable[[Axes], object]]] = [
        ("pseudo-positives a clip, beyond the clip itself", lambda axes: _counts(axes, second)),
    ]
    if any("by_labels/right" in epoch for epoch in second):
        panels.append(("of them right by the labels, %", lambda axes: _purity(axes, second)))
    panels.append(("marks of each stream that the others vote down, %", lambda axes: _outvoted(axes, second, styles)))
    return draw_panels(
        panels,
        epochs=(float(second[0]["epoch"]), float(second[-1]["epoch"])),
        stage_change=None,
        title=title,
        handles=[Line2D([], [], label=stream, **style) for stream, style in styles.items()],
    )


def _counts(axes: Axes, second: Sequence[Epoch]) -> None:
    _line(axes, second, [epoch["positives/beyond"] for epoch in second], "voted", color=_VOTED, linestyle="-")
    right = [epoch.get("by_labels/right", float("nan")) for epoch in second]
    if right[0] == right[0]:
        _line(axes, second, right, "right by labels", color=_RIGHT, linestyle="--")
    most = max(max(line["positives/beyond"] for line in second), 1e-3)
    axes.set_ylim(0, 1.4 * most)  # the legend has room above the lines
    axes.legend(loc="upper left", ncols=2)


def _purity(axes: Axes, second: Sequence[Epoch]) -> None:
    purity = [
        100 * epoch["by_labels/right"] / epoch["positives/beyond"] if epoch["positives/beyond"] > 0 else float("nan")
        for epoch in second
    ]
    _line(axes, second, purity, "purity", color=_RIGHT, linestyle="-")
    _line(axes, second, [100 * epoch["by_labels/chance"] for epoch in second], "chance", color=_CHANCE, linestyle=":")
    axes.set_ylim(0, 140)
    axes.set_yticks([0, 50, 100])
    axes.legend(loc="upper left", ncols=2)


def _outvoted(axes: Axes, second: Sequence[Epoch], styles: Mapping[str, Any]) -> None:
    for stream, style in styles.items():
        _line(axes, second, [100 * epoch[f"outvoted/{stream}"] for epoch in second], stream, **style)
    axes.set_ylim(0, 104)


def _line(axes: Axes, epochs: Sequence[Epoch], values: Sequence[float], label: str, **style: Any) -> None:
    marker = "o" if len(epochs) <= 20 else None
    axes.plot([epoch["epoch"] for epoch in epochs], values, label=label, marker=marker, markersize=2.5, **style)
