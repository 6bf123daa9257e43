"""Accuracy class by class, beside the encoder that was never trained."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kinestream.viz.style import SMALL, grid, new_figure, shortened

_OWN, _UNTRAINED = "#0072b2", "#d55e00"
_BAR = 0.155


def draw_classes(own: Mapping[str, float | None], untrained: Mapping[str, float | None], *, most: int = 40) -> Figure:
    """A bar for each class that has test clips, the best on top, and a mark where the untrained encoder is. Of more
    than `most` classes the best and the worst halves of that number are shown, and the figure says so.

    Raises ValueError when no class has an accuracy.
    """
    shares = sorted(((name, share) for name, share in own.items() if share is not None), key=lambda pair: -pair[1])
    if not shares:
        raise ValueError("no class has an accuracy: there are no bars to draw")
    left_out = max(0, len(shares) - most)
    shown: Sequence[tuple[str, float] | None] = shares
    if left_out:
        shown = [*shares[: most // 2], None, *shares[-(most - most // 2) :]]
    figure = new_figure(0.58 + _BAR * len(shown))
    axes = figure.subplots()
    names = []
    for row, entry in enumerate(shown):
        if entry is None:
            names.append(f"({left_out} between)")
            continue
        name, share = entry
        names.append(shortened(name, 28))
        axes.barh(row, share, height=0.68, color=_OWN, zorder=2)
        before = untrained.get(name)
        if before is not None:
            axes.plot(
                before, row, marker="D", markersize=3.4, color=_UNTRAINED, markeredgecolor="white", mew=0.5, zorder=3
            )
        axes.text(103.5, row, f"{share:.0f}", fontsize=SMALL, va="center", ha="left")
    axes.set_yticks(range(len(shown)), names, fontsize=6.5)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 102)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    grid(axes, "x")
    axes.set_xlabel("recognised test clips of the class, %", labelpad=2)
    handles: list[Patch | Line2D] = [Patch(color=_OWN, label="after pre-training")]
    if any(share is not None for share in untrained.values()):
        handles.append(
            Line2D([], [], linestyle="none", marker="D", markersize=3.4, color=_UNTRAINED, label="untrained encoder")
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=2, handlelength=1.2)
    return figure
