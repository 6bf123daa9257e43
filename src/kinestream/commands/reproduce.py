"""Runs a recipe and its evaluations, and writes our figures beside the published one. What is already
done is not done again: the same command goes on after a stop. Of several seeds, mean and deviation are given.

Examples:
  kinestream reproduce caca-3s-ntu60-xsub --data ntu60/ --out runs/caca-3s --device cuda
  kinestream reproduce nw-ucla --data nw-ucla/ --out runs/nw-ucla --seeds 3
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from kinestream.arguments import required_option, typed_words
from kinestream.distributed.launch import Device, Precision
from kinestream.recipes import resolve


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream reproduce`."""

    recipe: str
    """Name of a recipe (see 'kinestream recipes') or path of a .yaml file."""
    data: Path = required_option()
    """The store to learn from and to evaluate on."""
    out: Path = required_option()
    """Folder for the runs (seed-0, seed-1, ...) and their figures."""
    also: tuple[Path, ...] = ()
    """A further store of unlabelled recordings to learn from; may be given several times."""
    seeds: int = 1
    """How many runs; their seeds count up from the recipe's."""
    set: tuple[str, ...] = ()
    """Change a setting of the recipe: KEY=VALUE; may be given several times."""
    bare: bool = False
    """Leave out the untrained encoder and the raw coordinates."""
    device: Device = "auto"
    """Where to compute; auto takes a GPU where there is one."""
    precision: Precision = "32-true"
    """Number format of the training."""


def run(config: Config) -> None:
    recipe = resolve(config.recipe, config.set)
    if config.seeds < 1:
        raise ValueError(f"--seeds {config.seeds}: at least one run is needed")
    from kinestream.console import Screen
    from kinestream.reproduction import reproduce

    screen = Screen()
    made = reproduce(
        recipe,
        config.data,
        config.out,
        name=Path(config.recipe).stem,
        seeds=range(recipe.seed, recipe.seed + config.seeds),
        also=config.also,
        command=shlex.join(["kinestream", *typed_words()]),
        changes=config.set,
        baselines=not config.bare,
        device=config.device,
        precision=config.precision,
        progress=screen.progress_callback(),
        notice=screen.notice,
    )
    screen.say(str(made))
    screen.say(f"all of it: {made.file}")
