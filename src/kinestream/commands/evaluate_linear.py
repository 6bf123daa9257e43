"""Accuracy of a linear layer trained on the frozen encoder of a run, the published protocol, beside an untrained
encoder and raw coordinates. Features are computed once and kept in the run.

Examples:
  kinestream evaluate linear runs/caca-joint --data ntu60/
  kinestream evaluate linear runs/caca-joint --data ntu60/ --epochs 50 --rate 1
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.configs import required_option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream evaluate linear`."""

    run: Path
    """Folder of a pre-training run."""
    data: Path = required_option()
    """The store with the labels."""
    split: str | None = None
    """Split to evaluate on; that of the run if not given."""
    epochs: int = 100
    """Passes over the features."""
    rate: float = 3.0
    """Learning rate; a tenth of it after four fifths of the epochs."""
    batch_size: int = 128
    """Features a step."""
    seed: int = 0
    """Of the layer's weights and the order."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute features."""


def run(config: Config) -> None:
    from kinestream.commands.evaluation import FrozenRun, train_probe
    from kinestream.evaluate.linear import ProbeSettings

    settings = ProbeSettings(
        epochs=config.epochs,
        milestone=round(0.8 * config.epochs),
        rate=config.rate,
        batch_size=config.batch_size,
        seed=config.seed,
    )
    train_probe(FrozenRun(config.run, config.data, config.split, config.device), settings)
