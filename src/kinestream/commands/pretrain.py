"""Learns an encoder from the unlabelled training clips of a split, as a recipe says. A run may be stopped or killed at
any moment; with --resume it goes on where it was and ends with the same result. With --devices so many processes of
this machine share each batch; torchrun and SLURM start those of several machines. The result is that of one process.

Examples:
  kinestream pretrain caca-joint-ntu60-xsub --data ntu60/ --out runs/caca-joint
  kinestream pretrain caca-joint-ntu60-xsub --data ntu60/ --out runs/caca-joint --resume
  kinestream pretrain nw-ucla --data nw-ucla/ --out runs/quick --set epochs=10 --set optimiser.rate=0.002
  kinestream pretrain nw-ucla --data nw-ucla/ --also generated/ --out runs/more
  kinestream pretrain nw-ucla --data nw-ucla/ --pairs pairs.csv --set other_camera=0.5 --out runs/second
  kinestream pretrain my-recipe.yaml --data ntu60/ --out runs/mine --device cuda --precision bf16-mixed
  kinestream pretrain caca-3s-ntu60-xsub --data ntu60/ --out runs/3s --device cuda --devices 8
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.commands.starting import in_processes
from kinestream.configs import required_option
from kinestream.engine.supervise import check_shares
from kinestream.recipes import resolve
from kinestream.screen import Screen


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream pretrain`."""

    recipe: str
    """Name of a recipe (see 'kinestream recipes') or path of a .yaml file."""
    data: Path = required_option()
    """The store to learn from."""
    out: Path = required_option()
    """Folder of the run."""
    also: tuple[Path, ...] = ()
    """A further store of unlabelled recordings to learn from, of any data set whose joints can be mapped; may be given
    several times."""
    pairs: Path | None = None
    """Which recordings show the same from other cameras, of all stores: a table (.csv) of their names under the
    heading recording,partner; the numbers of the data sets if not given. It counts as often as the recipe's
    other_camera says."""
    set: tuple[str, ...] = ()
    """Change a setting of the recipe: KEY=VALUE, as in epochs=10 or optimiser.rate=0.05; may be given several times."""
    resume: bool = False
    """Go on with the run in --out (or begin it when there is none)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    devices: int = 1
    """Processes that share each batch, one a GPU with --device cuda."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true"] = "32-true"
    """Number format of the computation."""
    tf32: bool = False
    """On CUDA: matrix products of float32 with the mantissa cut to 10 bits."""
    compile: bool = False
    """On CUDA: compile the blocks of the encoders (torch.compile), minutes before the first step, for long runs."""


def run(config: Config) -> None:
    recipe = resolve(config.recipe, config.set)
    if config.devices > 1:
        check_shares(recipe.batch_size, config.devices)
    in_processes("pretrain", config, config.devices)
    from kinestream.engine.pretrain import pretrain

    pretrain(
        recipe,
        Path(config.recipe).stem,
        config.data,
        config.out,
        also=config.also,
        pairs=config.pairs,
        resume=config.resume,
        device=config.device,
        precision=config.precision,
        tf32=config.tf32,
        compiled=config.compile,
        screen=Screen(),
    )
