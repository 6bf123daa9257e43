"""How all figures look, and how they become files: one column wide, the same bytes each time, light or dark."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast, get_args

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kinestream.files import replacing
from kinestream.viz.palette import CLASS_COLOURS, CLASS_COLOURS_ON_DARK, DARK_PAPER

COLUMN = 3.45
"""Width of a figure in inches: one column of a paper; no letter in it is smaller than 6 points."""

SMALL = 6.0
"""Font size of what is secondary, in points."""

Format = Literal["png", "svg", "pdf"]
MARKERS = {"circle": "o", "square": "s", "up": "^", "diamond": "D", "down": "v", "plus": "P"}
"""The shapes of `palette` by matplotlib's names."""


@contextmanager
def theme(*, dark: bool = False) -> Iterator[None]:
    """Figures made inside are dark on light, or light on dark. Nothing of the user's own settings is used."""
    ink, faint, paper = ("#e6e6e6", "#3a3f47", DARK_PAPER) if dark else ("#202020", "#d8d8d8", "#ffffff")
    settings: Any = {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 7.0,
        "axes.titlesize": 7.5,
        "axes.titlelocation": "left",
        "axes.labelsize": 7.0,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": ink,
        "axes.labelcolor": ink,
        "axes.facecolor": paper,
        "axes.grid": False,
        "axes.unicode_minus": True,
        "grid.color": faint,
        "grid.linewidth": 0.5,
        "xtick.labelsize": 6.5,
        "ytick.labelsize": 6.5,
        "xtick.color": ink,
        "ytick.color": ink,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "text.color": ink,
        "legend.frameon": False,
        "legend.fontsize": 6.5,
        "legend.handletextpad": 0.4,
        "figure.facecolor": paper,
        "figure.dpi": 100.0,
        "savefig.facecolor": paper,
        "lines.linewidth": 1.2,
    }
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(settings)
        yield


def is_dark() -> bool:
    """Whether the theme in force is the dark one."""
    return bool(mpl.rcParams["figure.facecolor"] == DARK_PAPER)


def class_colours() -> tuple[str, ...]:
    """Those of the theme in force."""
    return CLASS_COLOURS_ON_DARK if is_dark() else CLASS_COLOURS


def faint() -> str:
    """The colour of grids and of what is drawn beneath, in the theme in force."""
    return str(mpl.rcParams["grid.color"])


def new_figure(height: float) -> Figure:
    """A figure one column wide and `height` inches high, whose parts make room for each other."""
    return Figure(figsize=(COLUMN, height), layout="constrained")


def grid(axes: Axes, which: Literal["x", "y"] = "y") -> None:
    """Faint lines behind the data."""
    axes.grid(visible=True, axis=which)
    axes.set_axisbelow(True)


def format_of(path: Path) -> Format:
    """What the suffix says. Raises ValueError for another than .png, .svg and .pdf.

    Example:
        >>> format_of(Path("curves.svg"))
        'svg'
    """
    for form in get_args(Format):
        if path.suffix == f".{form}":
            return cast(Format, form)
    raise ValueError(f"{path}: the suffix '{path.suffix}' is not one of .png, .svg, .pdf")


def encoded(figure: Figure, form: Format, *, dpi: int = 300) -> bytes:
    """The figure as a file's content: the same figure gives the same bytes."""
    content = io.BytesIO()
    dated: dict[Format, tuple[str, ...]] = {"png": ("Software",), "svg": ("Date",), "pdf": ("CreationDate", "Producer")}
    metadata = dict.fromkeys(dated[form])
    with mpl.rc_context({"svg.hashsalt": "kinestream", "pdf.fonttype": 42}):
        figure.savefig(content, format=form, dpi=dpi, metadata=metadata)
    return content.getvalue()


def save(figure: Figure, path: Path, *, dpi: int = 300) -> None:
    """Writes a .png of `dpi` dots an inch, an .svg or a .pdf, whole or not at all."""
    content = encoded(figure, format_of(path), dpi=dpi)
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


def shortened(name: str, most: int) -> str:
    """A name of at most `most` letters.

    Example:
        >>> shortened("pick up with one hand", 12)
        'pick up wit…'
    """
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"
