"""Lists the runs in a folder and below it: how far each is, and what it reached beside the untrained encoder and the
raw coordinates.

Examples:
  kinestream runs
  kinestream runs runs/ --sort linear
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.arguments import optional_word
from kinestream.console import Screen

if TYPE_CHECKING:
    from kinestream.evaluate.overview import Overview


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream runs`."""

    folder: Path | None = optional_word()
    """Where to look; the current folder if not given."""
    sort: str | None = None
    """Best first by this evaluation, as linear or knn; by name if not given."""


def run(config: Config) -> None:
    from kinestream.evaluate.overview import runs_in

    folder, screen = config.folder or Path(), Screen()
    found = runs_in(folder)
    if not found:
        raise ValueError(f"no run in {folder}, nor below it: make one with 'kinestream pretrain'")
    if config.sort is not None:
        found = _sorted(found, config.sort)
    rows = [
        (
            str(one.path.relative_to(folder)) if one.path != folder else one.path.absolute().name,
            one.recipe,
            one.data,
            f"{one.epochs_done}/{one.epochs}",
            one.state,
            f"{one.minutes:.0f}",
            _figures(one),
        )
        for one in found
    ]
    screen.table("runs", ("run", "recipe", "data", "epochs", "state", "minutes", "reached, %"), rows)
    for one in found:
        if one.problem:
            screen.warn(one.problem)
    stopped = next((one for one in found if one.state == "stopped"), None)
    if stopped is not None:
        screen.say(f"go on with one that stopped: kinestream pretrain --out {stopped.path} --resume")
    bare = next((one for one in found if one.state == "done" and not one.reached), None)
    if bare is not None:
        screen.say(f"evaluate one that is done: kinestream evaluate {bare.path}")


def _sorted(found: "Sequence[Overview]", protocol: str) -> "tuple[Overview, ...]":
    name = "1-NN" if protocol == "knn" else protocol
    figures = {one.path: max((r.top1 for r in one.reached if r.protocol == name), default=None) for one in found}
    if not any(figure is not None for figure in figures.values()):
        raise ValueError(f"--sort {protocol}: no run has such an evaluation")
    return tuple(sorted(found, key=lambda one: (-(figures[one.path] or -1.0), one.path)))


def _figures(one: "Overview") -> str:
    online = [] if one.nearest is None or one.reached else [f"1-NN while learning {one.nearest:.1f}"]
    return "; ".join([*map(str, one.reached), *online]) or "-"
