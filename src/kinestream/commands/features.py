"""Computes the features of a run on a store and keeps them beside the run, where every evaluation of frozen features
finds them: those of the run and of the untrained encoder. With --devices so many processes of this machine share the
clips; torchrun and SLURM start those of several machines. The features are the same bits; evaluations
whiten them where the recipe says so.

Examples:
  kinestream features runs/3s --data ntu60/ --device cuda --devices 8
  kinestream evaluate linear runs/3s --data ntu60/
"""

from dataclasses import dataclass

from kinestream.arguments import typed_words
from kinestream.commands.evaluate import FrozenOptions
from kinestream.distributed.launch import in_processes


@dataclass(frozen=True, kw_only=True)
class Config(FrozenOptions):
    """Arguments of `kinestream features`."""

    devices: int = 1
    """Processes that share the clips, one a GPU with --device cuda."""


def run(config: Config) -> None:
    in_processes(typed_words(), config.devices)
    from kinestream.console import Screen
    from kinestream.distributed.devices import contact, in_turn, make_fabric
    from kinestream.evaluate.session import open_session

    screen = Screen()
    session = open_session(config.run, config.data, **config.shared, progress=screen.progress_callback())
    fabric = make_fabric(config.device)
    if not fabric.is_global_zero:
        screen.quiet()
    for text in session.notes:
        screen.warn(text)
    with contact():
        in_turn(fabric, lambda: session.clips)
        session.of_run()
        if session.baselines:
            session.of_untrained()
    screen.say(f"features: {session.source.folder.path / 'features'}")
