"""Cuts long recordings into pieces by what is done in them: recurring groups of movements, found without labels, or the
labels of a classifier (--model). Groups are the same in all recordings of a call. The pieces go into a CSV file; a
sheet shows what each group looks like, to give it a name.

Examples:
  kinestream segment session.npy --layout kinect20 --fps 30 --out segments.csv
  kinestream segment monday/ tuesday/ --encoder runs/mine --groups 8 --out segments.csv --sheet groups.png
  kinestream segment monday/ --encoder runs/mine --out named.csv --merge 1,2 --name 0=walk --name 1=sit
  kinestream segment monday/ --model gestures.model --out segments.csv
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.arguments import required_option
from kinestream.data.recording import Up
from kinestream.data.understanding import ToldUnits
from kinestream.distributed.launch import Device

if TYPE_CHECKING:
    from kinestream.use.segments import Segments


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream segment`."""

    recordings: tuple[Path, ...]
    """Files, or folders of them."""
    out: Path = required_option()
    """CSV file for the pieces: recording, start, end, group, label, certainty."""
    encoder: Path | None = None
    """Run, encoder file, or anybody, which comes with the package and is taken if not given: for groups."""
    model: Path | None = None
    """Folder of a classifier ('kinestream fit'): for its labels; it has its encoder with it."""
    threshold: float = 0.5
    """Probability that a label needs, else it is background."""
    groups: int | None = None
    """How many groups; a rough guess from 2 to 20 if not given."""
    sheet: Path | None = None
    """Picture (.png) of a few pieces of each group. Needs the extra kinestream[viz]."""
    name: tuple[str, ...] = ()
    """Name of a group, as in 0=walk; may be given several times."""
    merge: tuple[str, ...] = ()
    """Groups that are one, as in 1,2; may be given several times, and comes before names."""
    window: float | None = None
    """Seconds that are looked at at once: 1.07 for groups if not given, for labels as long as what was labelled."""
    hop: float | None = None
    """Seconds from one window to the next; an eighth of a window if not given."""
    switch: float = 0.25
    """What a change from one piece to another costs: more for longer pieces."""
    seed: int = 0
    """Random seed of the search for groups."""
    layout: str | None = None
    """Which joints the files have, where they do not say it: a name ('kinestream layouts') or a .yaml file."""
    format: str | None = None
    """Format of the files; detected from their endings and content if not given."""
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
    device: Device = "auto"
    """Where to compute; auto takes a GPU where there is one."""


def run(config: Config) -> None:
    from kinestream.console import Screen
    from kinestream.data.reading import read
    from kinestream.files import check_writable
    from kinestream.shipped import DEFAULT
    from kinestream.use.classifier_files import load_classifier
    from kinestream.use.model import load
    from kinestream.use.segment import WINDOW, segment
    from kinestream.use.segments import save_segments

    names, merged = _names(config.name), _merged(config.merge)  # before any work
    if config.encoder is not None and config.model is not None:
        raise ValueError("give either --encoder, for groups, or --model, for the labels of a classifier")
    if config.model is not None and config.groups is not None:
        raise ValueError("--groups is for groups, and --model gives labels: leave one of them out")
    if config.sheet is not None and config.sheet.suffix != ".png":
        raise ValueError(f"--sheet {config.sheet}: the suffix '{config.sheet.suffix}' is not .png")
    check_writable(config.out)  # before any work
    if config.sheet is not None:
        from kinestream.viz.group_sheet import draw_groups

        check_writable(config.sheet)
    screen = Screen()
    moves = read(
        list(config.recordings),
        layout=config.layout,
        format=config.format,
        fps=config.fps,
        units=config.units,
        up=config.up,
        columns=config.columns,
        variable=config.variable,
        trust=config.trust,
    )
    labels = None if config.model is None else load_classifier(config.model, device=config.device)
    window = config.window
    if window is None:
        window = WINDOW if labels is None or labels.seconds_ is None else labels.seconds_
    encoder = labels.model if labels is not None else load(config.encoder or DEFAULT)
    assert encoder is not None, "a classifier that was saved has its encoder"
    found = segment(
        encoder,
        moves,
        groups=config.groups,
        labels=labels,
        threshold=config.threshold,
        window=window,
        hop=config.hop,
        switch=config.switch,
        fps=config.fps,
        seed=config.seed,
        device=config.device,
        progress=screen.progress_callback(),
    )
    found = [_changed(one, names, merged) for one in found]
    kind = "group" if config.model is None else "label"
    screen.table(f"{kind}s", (kind, "pieces", "seconds", "certainty"), list(_rows(found)))
    save_segments(found, config.out)
    screen.say(
        f"{sum(map(len, found)):,} pieces of {len(found)} recording{'s' if len(found) > 1 else ''}: {config.out}"
    )
    if config.sheet is not None:
        screen.say(f"what the groups look like: {draw_groups(found, moves, config.sheet)}")


def _changed(one: "Segments", names: dict[int, str], merged: list[list[int]]) -> "Segments":
    for groups in merged:
        one = one.merged(groups)
    return one.named(names) if names else one


def _rows(found: "Iterable[Segments]") -> Iterable[tuple[str, int, str, str]]:
    every = [(one, row) for one in found for row in one]
    for group in sorted({row.group for _, row in every}):
        mine = [row for _, row in every if row.group == group]
        title = "nobody seen" if group < 0 else f"{group}  {mine[0].label}".rstrip()
        seconds = sum(row.end - row.start for row in mine)
        sure = sum(row.certainty * (row.end - row.start) for row in mine) / seconds
        yield title, len(mine), f"{seconds:.1f}", f"{sure:.2f}"


def _names(words: tuple[str, ...]) -> dict[int, str]:
    names = {}
    for word in words:
        group, equals, name = word.partition("=")
        if not equals or not group.strip().isdigit() or not name.strip():
            raise ValueError(f"--name '{word}': write it as 0=walk")
        names[int(group)] = name.strip()
    return names


def _merged(words: tuple[str, ...]) -> list[list[int]]:
    merged = []
    for word in words:
        parts = [part.strip() for part in word.split(",")]
        if len(parts) < 2 or not all(part.isdigit() for part in parts):
            raise ValueError(f"--merge '{word}': write it as 1,2")
        merged.append([int(part) for part in parts])
    return merged
