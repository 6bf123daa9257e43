"""Runs side by side: the settings that differ, how they learnt, and what they reached, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kinestream.evaluate.run_results import SavedRow, read_evaluations
from kinestream.train.run_folder import Run
from kinestream.viz.curves import Epoch
from kinestream.viz.palette import class_symbol
from kinestream.viz.run_figures import epochs_of
from kinestream.viz.settings import differing, flat, in_yaml
from kinestream.viz.style import MARKERS, SMALL, class_colours, format_of, grid, new_figure, save, shortened, theme

_DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """What is compared of one run."""

    name: str
    """As much of its path as tells it from the others."""
    settings: Mapping[str, Any]
    """Flat, with what it learnt from."""
    epochs: Sequence[Epoch]
    reached: Mapping[str, SavedRow]
    """What stands for it in each of its evaluations, by protocol and split, as `linear xview`."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Runs side by side."""

    runs: tuple[ComparedRun, ...]

    @property
    def protocols(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(protocol for run in self.runs for protocol in run.reached))

    def differing(self) -> Mapping[str, Sequence[str]]:
        """The settings that are not the same in all runs, with the value of each."""
        found = differing([run.settings for run in self.runs])
        return {key: [in_yaml(value) for value in values] for key, values in found.items() if key != "title"}

    def save(self, path: Path, *, dark: bool = False) -> None:
        """Draws the comparison into a .png, .svg or .pdf file. Raises ValueError where there is nothing to draw."""
        format_of(path)
        with theme(dark=dark):
            save(draw_comparison(self.runs), path)


def compare(runs: Sequence[Path]) -> Comparison:
    """Reads two runs or more. Raises ValueError for a folder that is no run, or stands twice."""
    if len(runs) < 2:
        raise ValueError(f"{'no' if not runs else 'one'} run has nothing to be compared with: give two or more")
    folders = [Run(path) for path in runs]
    return Comparison(
        runs=tuple(
            ComparedRun(name=name, settings=_settings(folder), epochs=epochs_of(folder), reached=_headlines(folder))
            for name, folder in zip(distinct_names(runs), folders, strict=True)
        )
    )


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """As many of the last parts of each path as tell all apart.

    Example:
        >>> distinct_names([Path("a/seed-0"), Path("b/seed-0")])
        ['a/seed-0', 'b/seed-0']
    """
    whole = [path.resolve().parts for path in paths]
    for length in range(1, max(map(len, whole)) + 1):
        names = ["/".join(parts[-length:]) for parts in whole]
        if len(set(names)) == len(names):
            return names
    raise ValueError(f"a run stands twice among {', '.join(map(str, paths))}")


def _settings(folder: Run) -> Mapping[str, Any]:
    config = folder.config()
    return {
        "recipe": config.recipe_name,
        "store": config.store_fingerprint[:8],
        "also": " ".join(one.store_fingerprint[:8] for one in config.also),
        "pairs": config.pairs.sha256[:8] if config.pairs else "",
        **flat(config.recipe.to_dict()),
    }


def _headlines(folder: Run) -> Mapping[str, SavedRow]:
    found = ((evaluation, evaluation.headline()) for evaluation in read_evaluations(folder.path))
    return {
        " ".join(
            filter(
                None,
                (
                    "1-NN" if evaluation.protocol == "knn" else evaluation.protocol,
                    evaluation.split,
                    evaluation.changed,
                ),
            )
        ): result
        for evaluation, result in found
        if result is not None
    }


def draw_comparison(runs: Sequence[ComparedRun]) -> Figure:
    """Total loss and online 1-NN over the epochs, then a row of accuracies with intervals for each protocol.

    Raises ValueError when there is nothing of any run to draw.
    """
    protocols = list(dict.fromkeys(protocol for run in runs for protocol in run.reached))
    curves = [
        (title, series)
        for title, series in (
            ("loss, all terms together", [_points(run.epochs, ("loss",)) for run in runs]),
            ("1-NN accuracy while learning, %", [_points(run.epochs, ("knn/together", "knn/")) for run in runs]),
        )
        if any(series)
    ]
    if not curves and not protocols:
        raise ValueError("none of the runs has a finished epoch or an evaluation: there is nothing to draw")
    heights = [1.1] * len(curves) + ([0.35 + 0.15 * len(runs) * len(protocols)] if protocols else [])
    figure = new_figure(sum(heights) + 0.35 + 0.14 * -(-len(runs) // 2))
    rows = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, series) in zip(rows, curves, strict=False):
        axes.set_title(title, pad=3, fontsize=7)
        grid(axes)
        for number, points in enumerate(series):
            if points:
                axes.plot(*zip(*points, strict=True), **_style(number, len(points)))
        axes.set_xlabel("epoch", labelpad=1)
        axes.set_xlim(0, 1.02 * max(epoch["epoch"] for run in runs for epoch in run.epochs))
    if protocols:
        _draw_reached(rows[-1], runs, protocols)
    handles = [Line2D([], [], label=shortened(run.name, 30), **_style(number, 1)) for number, run in enumerate(runs)]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, handlelength=2.4, columnspacing=1.0)
    return figure


def _draw_reached(axes: Axes, runs: Sequence[ComparedRun], protocols: Sequence[str]) -> None:
    axes.set_title("top-1 accuracy, %, with 95 % intervals", pad=3, fontsize=7)
    grid(axes, "x")
    places, row = [], 0.0
    for protocol in protocols:
        first = row
        for number, run in enumerate(runs):
            if (found := run.reached.get(protocol)) is not None:
                style = _style(number, 1)
                axes.plot([found.low, found.high], [row, row], color=style["color"], linewidth=1.4)
                axes.plot(
                    found.top1, row, linestyle="none", marker=style["marker"], color=style["color"], markersize=4.5
                )
                axes.annotate(
                    f"{found.top1:.1f}",
                    (found.high, row),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=SMALL,
                )
                row += 1
        places.append(((first + row - 1) / 2, protocol))
        row += 0.7
    axes.set_yticks([place for place, _ in places], [name for _, name in places])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(row - 1.0, -0.7)
    axes.margins(x=0.12)


def _points(epochs: Sequence[Epoch], prefixes: Sequence[str]) -> list[tuple[float, float]]:
    """(epoch, value) of the first key that fits a prefix, in the order of the prefixes."""
    keys = [key for prefix in prefixes for epoch in epochs for key in epoch if key.startswith(prefix)]
    return [(float(epoch["epoch"]), float(epoch[keys[0]])) for epoch in epochs if keys and keys[0] in epoch]


def _style(number: int, points: int) -> dict[str, Any]:
    symbol = class_symbol(number)
    return {
        "color": class_colours()[symbol.colour],
        "linestyle": _DASHES[number % len(_DASHES)],
        "marker": MARKERS[symbol.shape] if points <= 20 else None,
        "markersize": 3.5,
    }
