"""What the `plot` commands share."""

from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.console import Screen

if TYPE_CHECKING:
    from kinestream.viz.run_figures import RunFigure


def need_drawing() -> None:
    """Raises ValueError, with the remedy, where the packages of `[viz]` are absent."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise ValueError(f"drawing needs {error.name}: install kinestream[viz]") from None


def target(run: Path, out: Path | None, name: str) -> Path:
    """Where to write. Raises ValueError for a suffix that no figure has: before any work is done for it."""
    from kinestream.viz.style import format_of

    path = out or run / "figures" / f"{name}.png"
    format_of(path)
    return path


def finish(figure: "RunFigure", path: Path, *, dark: bool) -> None:
    """Writes the figure and says what it shows and where it lies."""
    from kinestream.viz.run_figures import write_figure

    write_figure(figure, path, dark=dark)
    screen = Screen()
    screen.say(figure.words)
    screen.say(f"{figure.title}: {path}")
