"""Stage 2 over time: how many pseudo-positives the streams agree on, and how right those are by the labels."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kinestream.viz.curves import Drawn, Epoch, draw_panels, line_styles
from kinestream.viz.style import SMALL, grid, new_figure

_COUNTED = "pseudo-positives a clip, beyond the clip itself"
_PURE = "of them right by the labels, %"
_DOWN = "marks of each stream that the others vote down, %"
_VOTED, _RIGHT, _CHANCE = "#0072b2", "#009e73", "#8a8a8a"


def draw_agreement(epochs: Sequence[Epoch]) -> Figure:
    """Pseudo-positives a clip, voted and right; their purity beside chance; each stream's marks that are voted
    down: lines over the epochs, or bars where stage 2 has one epoch. The labels serve this display only.

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
    if len(second) == 1:
        return _bars(second[0], styles)
    panels = [Drawn(title=_COUNTED, draw=lambda axes: _counts(axes, second))]
    if any("by_labels/right" in epoch for epoch in second):
        panels.append(Drawn(title=_PURE, draw=lambda axes: _purity(axes, second)))
    panels.append(Drawn(title=_DOWN, draw=lambda axes: _outvoted(axes, second, styles)))
    return draw_panels(
        panels,
        epochs=(float(second[0]["epoch"]), float(second[-1]["epoch"])),
        stage_change=None,
        handles=[Line2D([], [], label=stream, **style) for stream, style in styles.items()],
    )


def _bars(epoch: Epoch, styles: Mapping[str, Any]) -> Figure:
    """One epoch has no course: its numbers."""
    beyond, labelled = epoch["positives/beyond"], "by_labels/right" in epoch
    groups = [(_COUNTED, [("voted", beyond, _VOTED)])]
    if labelled:
        groups[0][1].append(("right by labels", epoch["by_labels/right"], _RIGHT))
        purity = [("purity", 100 * epoch["by_labels/right"] / beyond, _RIGHT)] if beyond > 0 else []
        groups.append((_PURE, [*purity, ("chance", 100 * epoch["by_labels/chance"], _CHANCE)]))
    down = [(stream, 100 * epoch[f"outvoted/{stream}"], style["color"]) for stream, style in styles.items()]
    groups += [(_DOWN, down)] if down else []
    figure = new_figure(sum(0.42 + 0.17 * len(bars) for _, bars in groups))
    rows = figure.subplots(len(groups), 1, squeeze=False, height_ratios=[1 + len(bars) for _, bars in groups])[:, 0]
    for axes, (name, bars) in zip(rows, groups, strict=True):
        axes.set_title(name, pad=3, fontsize=7)
        grid(axes, "x")
        axes.barh(
            range(len(bars)), [value for _, value, _ in bars], height=0.6, color=[colour for _, _, colour in bars]
        )
        for row, (_, value, _) in enumerate(bars):
            axes.annotate(
                f"{value:.2f}" if name == _COUNTED else f"{value:.0f}",
                (value, row),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=SMALL,
            )
        axes.set_yticks(range(len(bars)), [label for label, _, _ in bars])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.set_xlim(0, 112 if name != _COUNTED else 1.25 * max(beyond, 1e-3))
    return figure


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
