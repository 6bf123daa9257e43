"""Accuracy after fine-tuning the encoder of a run, or of all its streams, with all labels of the training part.
Stopped, the same command goes on; what is trained is not trained again.

Examples:
  kinestream evaluate finetune runs/caca-joint --data ntu60/
  kinestream evaluate finetune runs/caca-joint --data ntu60/ --form published
  kinestream evaluate finetune runs/caca-3s --data ntu60/ --fusion fused --weights joint=0.6,motion=0.4,bone=0.6
  kinestream evaluate finetune runs/caca-joint --data ntu60/ --seeds 3 --rate 0.0005 --layer-decay 0.6
"""

from dataclasses import dataclass

from kinestream.commands.options import WeightedOptions, open_subject, parse_weights, training_settings


@dataclass(frozen=True, kw_only=True)
class Config(WeightedOptions):
    """Arguments of `kinestream evaluate finetune`."""


def run(config: Config) -> None:
    from kinestream.evaluate.protocols.finetune import fine_tune
    from kinestream.evaluate.protocols.training import seeds_from

    settings = training_settings(config)
    seeds, weights = seeds_from(config.seed, config.seeds), parse_weights(config.weights)
    subject = open_subject(config, "evaluate finetune")
    fine_tune(subject, settings, seeds=seeds, fusion=config.fusion, weights=weights)
