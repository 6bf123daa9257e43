"""Accuracy of a linear probe whose learning rate and weight decay are chosen on held-out clips of the training part,
never on the test clips: all of them are trained at once on the kept features.

Examples:
  kinestream evaluate probe-grid runs/caca-joint --data ntu60/
  kinestream evaluate probe-grid runs/caca-joint --data ntu60/ --rate 0.3 --rate 3 --decay 0 --decay 0.001
"""

from dataclasses import dataclass

from kinestream.commands.options import FrozenOptions, open_subject


@dataclass(frozen=True, kw_only=True)
class Config(FrozenOptions):
    """Arguments of `kinestream evaluate probe-grid`."""

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


def run(config: Config) -> None:
    from kinestream.evaluate.probe_grid import GridSettings
    from kinestream.evaluate.protocols.probe_grid import probe_grid

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
