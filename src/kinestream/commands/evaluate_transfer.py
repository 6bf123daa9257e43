"""Accuracy of encoders that learnt on one data set on another: linear probe and nearest neighbours on frozen features,
and fine-tuning if asked for. The layouts may differ where the joints of the encoder can be made of those of the store;
how is shown. The store must have the preparation that the encoders learnt from.

Examples:
  kinestream evaluate transfer runs/caca-joint-ntu60 --data pku2/ --split xsub
  kinestream evaluate transfer runs/caca-joint-ntu60 --data nw-ucla-published/ --split xview --finetune --seeds 3
"""

from dataclasses import dataclass
from pathlib import Path

from kinestream.commands.options import FrozenOptions, TrainingOptions, open_subject, training_settings
from kinestream.config import required_option


@dataclass(frozen=True, kw_only=True)
class Config(TrainingOptions, FrozenOptions):
    """Arguments of `kinestream evaluate transfer`."""

    data: Path = required_option()
    """The store of the other data set, with labels."""
    split: str | None = None
    """Split to evaluate on; that of the run if not given and there."""
    finetune: bool = False
    """Fine-tune, too; the options from --form to --seed are for that."""
    k: int = 20
    """Neighbours that vote, beside the 1-NN."""
    probe_epochs: int = 100
    """Passes over the features for the linear probe."""


def run(config: Config) -> None:
    from kinestream.evaluate.linear import ProbeSettings
    from kinestream.evaluate.protocols.training import seeds_from
    from kinestream.evaluate.protocols.transfer import transfer

    settings = training_settings(config)
    seeds = seeds_from(config.seed, config.seeds)
    probe = ProbeSettings(epochs=config.probe_epochs, milestone=round(0.8 * config.probe_epochs), seed=config.seed)
    subject = open_subject(config, "evaluate transfer", references=not config.bare, other_layout=True)
    training = settings if config.finetune else None
    transfer(subject, probe, k=config.k, training=training, seeds=seeds, fusion=config.fusion)
