"""Embeds recordings into an archive: a vector for each recording, or for each window and person of it. Any number of
recordings, files or a store. After a stop the same command goes on; with new recordings it adds them.
With --devices N, N processes of this machine share the work; torchrun starts those of several machines.

Examples:
  kinestream embed recordings/ --out movements.parquet --layout mediapipe33
  kinestream embed recordings/ --out movements.parquet --windows 2s --hop 0.5s
  kinestream embed store/ --encoder runs/mine --out movements.npz
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.arguments import required_option, typed_words
from kinestream.console import Screen
from kinestream.data.recording import Up
from kinestream.data.understanding import ToldUnits
from kinestream.distributed.launch import Device, in_processes, is_first
from kinestream.shipped import DEFAULT


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream embed`."""

    recordings: tuple[str, ...]
    """Files, folders of them, or stores."""
    encoder: Path = Path(DEFAULT)
    """Run, encoder file, or anybody, which comes with the package."""
    out: Path = required_option()
    """Archive to write or to add to: .parquet, .npz or .csv, or a folder."""
    windows: str | None = None
    """Embed windows of this length, as in 2s, or 60f in frames; whole recordings if not given."""
    hop: str | None = None
    """From the start of a window to that of the next, as in 0.5s; half a window if not given."""
    people: Literal["together", "each"] | None = None
    """together: one row for all people; each: a row for each. If not given, together for whole recordings, each for
    windows."""
    format: str | None = None
    """Format of the files; detected from their endings and content if not given."""
    layout: str | None = None
    """Which joints the files have, where they do not say it: a name ('kinestream layouts') or a .yaml file."""
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
    trust: bool = False
    """Accept what does not look like a body."""
    dry_run: bool = False
    """Make nothing; say what would be made, and about how much time, memory and disk it takes."""
    device: Device = "auto"
    """Where to compute; auto takes a GPU where there is one."""
    devices: int = 1
    """Processes that share the recordings, one a GPU with --device cuda."""


def run(config: Config) -> None:
    if config.dry_run:
        _estimate(config)
        return
    in_processes(typed_words(), config.devices)
    from kinestream.use.embed import embed

    screen = Screen()
    if not is_first():
        screen.quiet()
    archive = embed(
        list(config.recordings),
        config.encoder,
        config.out,
        windows=config.windows,
        hop=config.hop,
        people=config.people,
        layout=config.layout,
        format=config.format,
        fps=config.fps,
        units=config.units,
        up=config.up,
        columns=config.columns,
        variable=config.variable,
        trust=config.trust,
        device=config.device,
        progress=screen.progress_callback(),
        notice=screen.notice,
    )
    screen.say(repr(archive))
    screen.say(f"next: kinestream search {shlex.quote(archive.rows.name[0])} --in {shlex.quote(str(config.out))}")


def _estimate(config: Config) -> None:
    from kinestream.use.estimate import estimate
    from kinestream.use.made_by import Reading

    reading = Reading(
        layout=config.layout,
        format=config.format,
        fps=config.fps,
        units=config.units,
        up=config.up,
        columns=config.columns,
        variable=config.variable,
        trust=config.trust,
    )
    done = estimate(
        list(config.recordings),
        config.encoder,
        config.out,
        reading,
        windows=config.windows,
        hop=config.hop,
        people=config.people,
        device=config.device,
    )
    Screen().table("this would be made", ("what", "value"), done.rows())
