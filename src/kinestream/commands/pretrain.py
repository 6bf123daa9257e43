"""Learns an encoder from the unlabelled training clips of a split, as a recipe says. A run may be stopped or killed at
any moment; with --resume it goes on where it was and ends with the same result, and its recipe and stores need not be
given again. With --devices N, N processes of this machine share each batch; torchrun and SLURM start those of several
machines. The result is that of one process.

Examples:
  kinestream pretrain caca-joint-ntu60-xsub --data ntu60/ --out runs/caca-joint
  kinestream pretrain --out runs/caca-joint --resume
  kinestream pretrain --out runs/caca-joint --resume --epochs 600
  kinestream pretrain nw-ucla --data nw-ucla/ --out runs/quick --epochs 10 --set learning_rate=0.002
  kinestream pretrain nw-ucla --data nw-ucla/ --also generated/ --out runs/more
  kinestream pretrain nw-ucla --data nw-ucla/ --pairs pairs.csv --set partner=0.5 --out runs/second
  kinestream pretrain laptop --data store/ --from anybody --out runs/tuned --epochs 20
  kinestream pretrain my-recipe.yaml --data ntu60/ --out runs/mine --device cuda --precision bf16-mixed
  kinestream pretrain caca-3s-ntu60-xsub --data ntu60/ --out runs/3s --device cuda --devices 8
"""

import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kinestream.arguments import option, optional_word, required_option, typed_words
from kinestream.console import Screen
from kinestream.distributed.launch import check_shares, in_processes, is_first
from kinestream.recipes import resolve

if TYPE_CHECKING:
    from kinestream.train.run_folder import Run


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream pretrain`."""

    recipe: str | None = optional_word()
    """Name of a recipe (see 'kinestream recipes') or path of a .yaml file; that of the run with --resume if not
    given."""
    data: Path | None = None
    """The store to learn from; that of the run with --resume if not given."""
    out: Path = required_option()
    """Folder of the run."""
    also: tuple[Path, ...] = ()
    """A further store of unlabelled recordings to learn from, of any data set whose joints can be mapped; may be given
    several times."""
    pairs: Path | None = None
    """CSV file (recording,partner) of which recordings show the same performance; found in the stores if not given.
    The recipe's setting 'partner' says how often a pair is used."""
    start: Path | None = option(called="from")
    """Go on from the weights of a run, or of anybody, which comes with the package, instead of random ones."""
    set: tuple[str, ...] = ()
    """Change a setting of the recipe: KEY=VALUE, as in batch_size=64 or learning_rate=0.05; may be given several
    times. Several values of one: 'kinestream sweep'."""
    epochs: int | None = None
    """Passes over the training clips, instead of the recipe's; with --resume, how far to go on."""
    resume: bool = False
    """Go on with the run in --out (or begin it when there is none)."""
    dry_run: bool = False
    """Make nothing; say what would be made, and about how much time, memory and disk it takes."""
    log: tuple[str, ...] = ()
    """Log to tensorboard or wandb, too, or to a log of a plug-in; may be given several times."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU where there is one."""
    devices: int = 1
    """Processes that share each batch, one a GPU with --device cuda."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true", "spectral-bf16"] | None = None
    """Number format of the computation; that of the run with --resume, else 32-true, if not given. spectral-bf16, for
    ST-GCNs on processors with bfloat16 products, rounds in their long convolutions alone."""
    tf32: bool = False
    """On CUDA: matrix products of float32 with the mantissa cut to 10 bits."""
    compile: bool = False
    """On CUDA: compile the blocks of the encoders (torch.compile), minutes before the first step, for long runs."""


def run(config: Config) -> None:
    if config.devices > 1 and config.recipe is not None:
        check_shares(resolve(config.recipe, config.set).batch_size, config.devices)
    in_processes(typed_words(), config.devices)
    from kinestream.train.pretrain import estimate, pretrain

    screen, began = Screen(), time.monotonic()
    asked = (config.data, config.recipe)
    given: dict[str, Any] = {
        "out": config.out,
        "epochs": config.epochs,
        "settings": config.set,
        "also": config.also,
        "pairs": config.pairs,
        "start": config.start,
        "resume": config.resume,
        "device": config.device,
        "precision": config.precision,
        "tf32": config.tf32,
        "compiled": config.compile,
        "logs": config.log,
        "progress": screen.progress_callback(),
        "notice": screen.notice,
    }
    if config.dry_run:
        rows = estimate(*asked, **given).rows()
        if is_first():
            screen.table("this would be made", ("what", "value"), rows)
        return
    done = pretrain(*asked, **given)
    if is_first():
        _show(screen, done, (time.monotonic() - began) / 60)


def _show(screen: Screen, run: "Run", minutes: float) -> None:
    from kinestream.train.summary import summarise

    config, summary = run.config(), summarise(run)
    screen.table(
        "last epoch, means", ("what", "value"), [(name, f"{value:.4f}") for name, value in summary.last.items()]
    )
    if summary.neighbours:
        screen.table("1-NN accuracy, % (labels serve this display only)", summary.columns, summary.neighbours)
    for gain in summary.gains:
        screen.say(gain)
    for stream, epoch in summary.collapsed.items():
        screen.warn(f"stream {stream} collapsed in epoch {epoch}: its encoder hardly tells clips apart")
    screen.say(f"{config.recipe.epochs} epochs; this session took {minutes:.1f} min")
    screen.say(f"run: {run.path}")
    screen.say(f"next: kinestream evaluate {shlex.quote(str(run.path))}")
