"""Writes made-up recordings of made-up people in the true raw format of a data set, so that the whole chain can be
tried without the data. The same seed gives the same files.

Examples:
  kinestream generate ntu60 raw/ --clips 600
  kinestream generate nw-ucla raw/ --clips 300 --seed 7
  kinestream generate pku2 raw/ --clips 360
  kinestream generate movements raw/ --clips 24000
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from kinestream.console import Screen
from kinestream.data.synthetic import count_pku_files, generate_ntu, generate_nw_ucla, generate_pku
from kinestream.data.synthetic.movements import PAIRS, generate_movements


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream generate`."""

    dataset: Literal["ntu60", "nw-ucla", "pku1", "pku2", "movements"]
    """ntu60, nw-ucla, pku1 or pku2: the data set whose raw format is written; or movements: of every kind, each by two
    people, as 16 joints."""
    out: Path
    """Folder for the files; must be empty or not exist."""
    clips: int = 600
    """How many files; of PKU-MMD how many labelled actions, six in a video; of movements how many recordings."""
    seed: int = 0
    """Random seed; a longer run begins with the files of a shorter one."""


def run(config: Config) -> None:
    screen = Screen()
    total = count_pku_files(config.clips) if config.dataset.startswith("pku") else config.clips
    with screen.progress(f"generate {config.dataset}", "files") as advance:
        paths = _WRITERS[config.dataset](
            config.out, config.clips, config.seed, progress=lambda done: advance(done, total)
        )
    size = sum(path.stat().st_size for path in paths)
    screen.say(f"{len(paths):,} files, {size / 1e6:,.1f} MB: {config.out}")
    if config.dataset == "movements":
        screen.say(f"next: kinestream prepare {config.out} STORE --preparation scaled --trust")
        screen.say(f"then: kinestream pretrain anybody --data STORE --pairs {config.out / PAIRS} --out RUN")
    else:
        screen.say(f"next: kinestream prepare {config.dataset} {config.out} STORE")


_WRITERS: Mapping[str, Callable[..., list[Path]]] = MappingProxyType(
    {
        "ntu60": generate_ntu,
        "nw-ucla": generate_nw_ucla,
        "pku1": partial(generate_pku, phase=1),
        "pku2": partial(generate_pku, phase=2),
        "movements": generate_movements,
    }
)
