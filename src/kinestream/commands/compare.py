"""Compares runs: the settings that differ, curves, and accuracies with 95 % intervals; printed and
drawn.

Examples:
  kinestream compare runs/skeleton-byol runs/caca
  kinestream compare runs/caca-3s/seed-* --out seeds.svg
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.console import Screen

if TYPE_CHECKING:
    from kinestream.evaluate.run_results import SavedRow


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream compare`."""

    runs: tuple[Path, ...]
    """Folders of pre-training runs, two or more."""
    out: Path = Path("compare.png")
    """Picture to write, .png, .svg or .pdf."""
    dark: bool = False
    """Light on dark."""


def run(config: Config) -> None:
    from kinestream.viz.comparison import compare

    found, screen = compare(config.runs), Screen()
    found.save(config.out, dark=config.dark)
    names = [one.name for one in found.runs]
    if differing := found.differing():
        screen.table("settings that differ", ("setting", *names), [(key, *row) for key, row in differing.items()])
    else:
        screen.say("no setting differs")
    if found.protocols:
        screen.table(
            "top-1 accuracy, %, with 95 % interval, all streams of a run together",
            ("protocol, split", *names),
            [(key, *(_cell(one.reached.get(key)) for one in found.runs)) for key in found.protocols],
        )
    for one, path in zip(found.runs, config.runs, strict=True):
        if not one.reached:
            screen.say(f"{one.name} has no evaluation: make one with 'kinestream evaluate linear {path} --data STORE'")
    screen.say(f"comparison: {config.out}")


def _cell(result: "SavedRow | None") -> str:
    return "-" if result is None else f"{result.top1:.2f} ({result.low:.1f} to {result.high:.1f})"
