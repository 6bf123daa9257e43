"""Runs a recipe and its evaluations, and writes one report with our figures beside the published one. What is already
done is not done again: the same command goes on after a stop. With several seeds, the report gives mean and deviation.

Examples:
  kinestream reproduce caca-3s-ntu60-xsub --data ntu60/ --out runs/caca-3s --device cuda
  kinestream reproduce nw-ucla --data nw-ucla/ --out runs/nw-ucla --seeds 3
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.configs import command_words, required_option
from kinestream.recipes import resolve


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream reproduce`."""

    recipe: str
    """Name of a recipe (see 'kinestream recipes') or path of a .yaml file."""
    data: Path = required_option()
    """The store to learn from and to evaluate on."""
    out: Path = required_option()
    """Folder for the runs (seed-0, seed-1, ...) and the report."""
    also: tuple[Path, ...] = ()
    """A further store of unlabelled recordings to learn from; may be given several times."""
    seeds: int = 1
    """How many runs, with the seeds from the recipe's own on."""
    set: tuple[str, ...] = ()
    """Change a setting of the recipe: KEY=VALUE; may be given several times."""
    bare: bool = False
    """Leave out the untrained encoder and the raw coordinates."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true"] = "32-true"
    """Number format of the training."""


def run(config: Config) -> None:
    recipe = resolve(config.recipe, config.set)
    if config.seeds < 1:
        raise ValueError(f"--seeds {config.seeds}: at least one run is needed")
    from kinestream.commands.reproduction import reproduce

    reproduce(
        recipe,
        Path(config.recipe).stem,
        config.data,
        config.out,
        also=config.also,
        command=shlex.join(command_words("kinestream reproduce", config)),
        changes=config.set,
        seeds=range(recipe.seed, recipe.seed + config.seeds),
        references=not config.bare,
        device=config.device,
        precision=config.precision,
    )
