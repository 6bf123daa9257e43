"""Runs a recipe with several seeds or settings, evaluates each run, and gives means and deviations over the seeds. A
setting with several values, --set KEY=A,B,C, varies; of several such settings all combinations are run. The same
command goes on after a stop; with further values it adds their runs.

Examples:
  kinestream sweep laptop --data store/ --out runs/seeds --set seed=0,1,2
  kinestream sweep laptop --data store/ --out runs/rates --set seed=0,1 --set learning_rate=0.001,0.003 --epochs 20
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from kinestream.arguments import required_option
from kinestream.distributed.launch import Device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream sweep`."""

    recipe: str
    """Name of a recipe (see 'kinestream recipes') or path of a .yaml file."""
    data: Path = required_option()
    """The store to learn from and to evaluate on."""
    out: Path = required_option()
    """Folder for the runs and what they reach (sweep.csv, sweep.json)."""
    set: tuple[str, ...] = ()
    """A setting of the recipe: KEY=A,B,C varies it, KEY=VALUE sets it in all runs; may be given several times."""
    epochs: int | None = None
    """Passes over the training clips, instead of the recipe's."""
    evaluate: tuple[str, ...] = ()
    """Evaluation of each run; may be given several times; knn if not given."""
    bare: bool = False
    """Leave out the untrained encoders and the raw coordinates."""
    device: Device = "auto"
    """Where to compute; auto takes a GPU where there is one."""


def run(config: Config) -> None:
    from kinestream.console import Screen
    from kinestream.sweep import sweep, varied

    screen = Screen()
    several, same = varied(config.set)
    made = sweep(
        config.data,
        config.recipe,
        config.out,
        vary=several,
        settings=[*same, *([] if config.epochs is None else [f"epochs={config.epochs}"])],
        evaluations=config.evaluate or ("knn",),
        baselines=not config.bare,
        device=config.device,
        progress=screen.progress_callback(),
        notice=screen.notice,
    )
    screen.say(str(made))
    if any(key != "seed" for key in several):
        screen.say("these are accuracies on test clips: settings chosen by them are chosen on the test clips")
    screen.say(f"each run: {made.file}")
    screen.say(f"next: kinestream compare {' '.join(shlex.quote(str(one.run)) for one in made.members[:4])}")
