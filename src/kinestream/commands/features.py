"""Computes the features of a run on a store and keeps them beside the run, where every evaluation of frozen features
finds them: those of the run and of the untrained encoder. With --devices so many processes of this machine share the
clips; torchrun and SLURM start those of several machines. The features are the same bits; evaluations
whiten them where the recipe says so.

Examples:
  kinestream features runs/3s --data ntu60/ --device cuda --devices 8
  kinestream evaluate linear runs/3s --data ntu60/
"""

from dataclasses import dataclass
from pathlib import Path

from kinestream.arguments import required_option, typed_words
from kinestream.commands.options import LookOptions, open_subject
from kinestream.distributed.launch import in_processes


@dataclass(frozen=True, kw_only=True)
class Config(LookOptions):
    """Arguments of `kinestream features`."""

    data: Path = required_option()
    """The store with the clips."""
    split: str | None = None
    """Split whose training clips calibrate the untrained encoder; that of the run if not given."""
    devices: int = 1
    """Processes that share the clips, one a GPU with --device cuda."""


def run(config: Config) -> None:
    in_processes(typed_words(), config.devices)
    from kinestream.distributed.devices import contact, in_turn, make_fabric

    subject = open_subject(config, "features", references=not config.bare)
    fabric = make_fabric(config.device)
    if not fabric.is_global_zero:
        subject.screen.quiet()
    with contact():
        in_turn(fabric, lambda: subject.clips)
        subject.keep_features()
