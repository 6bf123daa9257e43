"""Accuracy of a linear probe whose learning rate and weight decay are chosen on held-out clips of the training part,
never on the test clips: all of them are trained at once on the kept features.

Examples:
  kinestream evaluate probe-grid runs/caca-joint --data ntu60/
  kinestream evaluate probe-grid runs/caca-joint --data ntu60/ --rate 0.3 --rate 3 --decay 0 --decay 0.001
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.configs import required_option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream evaluate probe-grid`."""

    run: Path
    """Folder of a pre-training run, or an encoder file (.safetensors)."""
    data: Path = required_option()
    """The store with the labels."""
    split: str | None = None
    """Split to evaluate on; that of the run if not given."""
    rate: tuple[float, ...] = ()
    """Learning rate to try; may be given several times. 0.1, 0.3, 1, 3, 10, 30 if not given."""
    decay: tuple[float, ...] = ()
    """Weight decay to try; may be given several times. 0, 1e-5, 1e-4, 1e-3 if not given."""
    held_out: float = 20.0
    """Percent of the training clips of each class to choose by."""
    epochs: int = 100
    """Passes over the features."""
    batch_size: int = 128
    """Features a step."""
    seed: int = 0
    """Of what is held out, the layer's weights and the order."""
    bare: bool = False
    """Only the run: leave out the untrained encoder and the raw coordinates, which take long on much data."""
    allow_leak: bool = False
    """Go on where test clips were learnt from; the results are marked."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute features."""


def run(config: Config) -> None:
    from kinestream.commands.options import open_subject
    from kinestream.evaluate.probe_grid import GridSettings
    from kinestream.protocols.probe_grid import probe_grid

    usual = GridSettings()
    settings = GridSettings(
        rates=config.rate or usual.rates,
        decays=config.decay or usual.decays,
        held_out=config.held_out,
        epochs=config.epochs,
        batch_size=config.batch_size,
        seed=config.seed,
    )
    subject = open_subject(config, "evaluate probe-grid", references=not config.bare)
    probe_grid(subject, settings)
