"""Sets runs side by side: the settings that differ, how they learnt, what they reached with 95 % intervals; printed and
drawn.

Examples:
  kinestream compare runs/skeleton-byol runs/caca
  kinestream compare runs/caca-3s/seed-* --out seeds.svg
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream compare`."""

    runs: tuple[Path, ...]
    """Folders of pre-training runs, two or more."""
    out: Path = Path("compare.png")
    """Picture to write, .png or .svg."""
    dark: bool = False
    """Light on dark."""


def run(config: Config) -> None:
    from kinestream.viz.plotting import need_drawing

    need_drawing()
    if len(config.runs) < 2:
        raise ValueError(f"one run ({config.runs[0]}) has nothing to be compared with: give two or more")
    from kinestream.viz.compare_runs import compare

    compare(config.runs, config.out, dark=config.dark)
