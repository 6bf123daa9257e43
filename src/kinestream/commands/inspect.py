"""Says what recordings are: format, layout, people, frame rate, units, the axis that points up, height, gaps. A file, a
folder (some of its files are looked at) or an archive. Nothing is written, unless a drawing is asked for.

Examples:
  kinestream inspect walk.bvh
  kinestream inspect recordings/ --layout mediapipe33
  kinestream inspect walk.bvh --units body --draw walk.png
"""

from dataclasses import dataclass
from pathlib import Path

from kinestream.console import Screen
from kinestream.data.inspection import COLUMNS, inspect
from kinestream.data.own import Way, make_rows
from kinestream.data.recording import Up
from kinestream.data.understanding import ToldUnits


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream inspect`."""

    place: Path
    """A file, a folder or an archive."""
    layout: str | None = None
    """Which joints they have, a name ('kinestream layouts') or a .yaml file; joints of another layout are mapped."""
    format: str | None = None
    """Format of the files; detected from their content if not given."""
    fps: float | None = None
    """Frames a second, where the files do not say it."""
    units: ToldUnits | None = None
    """Units of the positions; what the files say if not given, else inferred from the bodies."""
    up: Up | None = None
    """The axis that points up; as for --units."""
    columns: str = ""
    """Pattern of the column names of a table, as in {joint}.{axis}."""
    variable: str = ""
    """Which array of a file is meant, and the order of its axes, as in poses:ntvc."""
    draw: Path | None = None
    """Picture (.png) of the first recording, as it would be prepared."""


def run(config: Config) -> None:
    screen = Screen()
    found = inspect(
        config.place,
        layout=config.layout,
        format=config.format,
        fps=config.fps,
        units=config.units,
        up=config.up,
        columns=config.columns,
        variable=config.variable,
    )
    screen.say(f"{found.place}: {found.recordings:,} of format {found.format}")
    for sentence in (*found.facts, *found.notes):
        screen.say(sentence)
    if found.looked_at:
        title = "looked at" if len(found.looked_at) < found.recordings else "recordings"
        screen.table(title, COLUMNS, [one.row() for one in found.looked_at])
    for refused in found.refused:
        screen.warn(refused)
    if config.draw is not None:
        if found.recording is None:
            raise ValueError(f"{found.place}: nothing can be drawn, none of the recordings looked at can be used")
        try:
            from kinestream.viz.skeleton import skeleton_strip
        except ModuleNotFoundError as error:
            raise ValueError(f'drawing needs {error.name}: pip install "kinestream[viz]"') from None
        made = make_rows(found.recording, (), Way(layout=found.layout), config.place)
        if not made.rows:
            raise ValueError(str(made.rejected[0]))
        skeleton_strip(made.rows[0].joints, found.layout, config.draw, title=made.rows[0].name)
        screen.say(f"drawn: {config.draw}")
