"""Finds training recordings of different cameras that show the same, by the features of a finished run alone: pairs
that are each among the nearest of the other. No label, person or number of a take is looked at. A second pre-training
takes such recordings for views of one clip, where names do not tell which are.

Examples:
  kinestream pair runs/first --data nw-ucla/ --out pairs.csv
  kinestream pretrain laptop-nw-ucla --data nw-ucla/ --pairs pairs.csv --set other_camera=0.5 --out runs/second
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kinestream.arguments import required_option

if TYPE_CHECKING:
    from kinestream.distributed.devices import Device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream pair`."""

    run: Path
    """Folder of a pre-training run, or an encoder file (.safetensors)."""
    data: Path = required_option()
    """The store whose training recordings are paired."""
    out: Path = required_option()
    """The file of pairs to write (.csv); one that is there is replaced."""
    split: str | None = None
    """Split whose training recordings are paired; that of the run if not given."""
    count: int = 3
    """How many nearest recordings of other cameras may be a recording's partners."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""


def run(config: Config) -> None:
    from kinestream.evaluate.protocols.pair import pair_cameras

    pair_cameras(config.run, config.data, config.out, split=config.split, count=config.count, device=config.device)


def pairs_between(first: Path, second: Path, data: Path, device: "Device") -> Path:
    """The file of pairs for the second of two passes: what that run keeps where it is begun, else what the features of
    the first one tell, which is then written beside them."""
    from kinestream.train.run_folder import RunFolder

    kept, found = RunFolder(second).pairs, first / "found-pairs.csv"
    if kept.is_file():
        return kept
    run(Config(run=first, data=data, out=found, device=device))
    return found
