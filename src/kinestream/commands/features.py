"""Computes the features of a run on a store and keeps them beside the run, where every evaluation of frozen features
finds them: those of the run and of the untrained encoder. With --devices N, N processes of this machine share the
clips; torchrun and SLURM start those of several machines; the features are the same to the bit. They
are kept unwhitened; evaluations whiten them where the recipe says so. With --out they are also written into a file,
with names and labels.

Examples:
  kinestream features runs/3s --data ntu60/ --device cuda --devices 8
  kinestream features runs/3s --out features.npz --bare
  kinestream evaluate linear runs/3s
"""

from dataclasses import dataclass
from pathlib import Path

from kinestream.arguments import typed_words
from kinestream.commands.evaluate import FrozenOptions
from kinestream.distributed.launch import in_processes


@dataclass(frozen=True, kw_only=True)
class Config(FrozenOptions):
    """Arguments of `kinestream features`."""

    out: Path | None = None
    """A .npz file for the features of the run, not whitened: name, label, part, features, and those of each stream."""
    dry_run: bool = False
    """Make nothing; say what would be made, and about how much time, memory and disk it takes."""
    devices: int = 1
    """Processes that share the clips, one a GPU with --device cuda."""


def run(config: Config) -> None:
    if not config.dry_run:
        in_processes(typed_words(), config.devices)
    from kinestream.console import Screen
    from kinestream.distributed.devices import contact, in_turn, make_fabric
    from kinestream.evaluate.kept_features import check_npz, estimate, write_features
    from kinestream.evaluate.session import open_session

    if config.out is not None:
        check_npz(config.out)
    screen = Screen()
    session = open_session(config.run, config.data, **config.shared, progress=screen.progress_callback())
    if config.dry_run:
        screen.table("this would be made", ("what", "value"), estimate(session).rows())
        return
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
        if config.out is not None and fabric.is_global_zero:
            write_features(session, config.out)
    screen.say(f"features: {session.source.folder.path / 'features'}")
    if config.out is not None:
        screen.say(f"with names and labels: {config.out}")
