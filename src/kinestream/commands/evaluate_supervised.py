"""Accuracy of the same encoder trained from random weights with all labels: the bar that pre-training has to pass. The
run gives the form of the encoder and the augmentation; its weights are not used.

Examples:
  kinestream evaluate supervised runs/caca-joint --data ntu60/ --epochs 80
  kinestream evaluate supervised runs/caca-joint --data ntu60/ --seeds 3
"""

from dataclasses import dataclass

from kinestream.commands.options import WeightedOptions, open_subject, parse_weights, training_settings


@dataclass(frozen=True, kw_only=True)
class Config(WeightedOptions):
    """Arguments of `kinestream evaluate supervised`."""


def run(config: Config) -> None:
    from kinestream.evaluate.protocols.finetune import train_supervised
    from kinestream.evaluate.protocols.training import seeds_from

    settings = training_settings(config, layer_decay=1.0)
    seeds, weights = seeds_from(config.seed, config.seeds), parse_weights(config.weights)
    subject = open_subject(config, "evaluate supervised", pretrained=False)
    train_supervised(subject, settings, seeds=seeds, fusion=config.fusion, weights=weights)
