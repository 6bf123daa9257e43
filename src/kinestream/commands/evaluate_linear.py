"""Accuracy of a linear layer trained on the frozen encoder of a run, the published protocol, beside an untrained
encoder and raw coordinates. Of several streams: each alone, all trained together (logits summed, as published), and
the scores of the single ones fused. Features are computed once and kept in the run.

Examples:
  kinestream evaluate linear runs/caca-joint --data ntu60/
  kinestream evaluate linear runs/caca-joint --data ntu60/ --epochs 50 --rate 1
  kinestream evaluate linear runs/caca-3s --data ntu60/ --weights joint=0.6,motion=0.4,bone=0.6
"""

from dataclasses import dataclass

from kinestream.commands.options import FrozenOptions, open_subject, parse_weights


@dataclass(frozen=True, kw_only=True)
class Config(FrozenOptions):
    """Arguments of `kinestream evaluate linear`."""

    epochs: int = 100
    """Passes over the features."""
    rate: float = 3.0
    """Learning rate; a tenth of it after four fifths of the epochs."""
    batch_size: int = 128
    """Features a step."""
    weights: str | None = None
    """Of the streams when their scores are fused, as in joint=0.6,motion=0.4,bone=0.6; alike if not given."""
    seed: int = 0
    """Of the layer's weights and the order."""


def run(config: Config) -> None:
    from kinestream.evaluate.linear import ProbeSettings
    from kinestream.evaluate.protocols.linear import train_probe

    settings = ProbeSettings(
        epochs=config.epochs,
        milestone=round(0.8 * config.epochs),
        rate=config.rate,
        batch_size=config.batch_size,
        seed=config.seed,
    )
    subject = open_subject(config, "evaluate linear", references=not config.bare)
    train_probe(subject, settings, parse_weights(config.weights))
