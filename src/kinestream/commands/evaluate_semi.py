"""Accuracy after fine-tuning with few labels: a share of those of each class, drawn with a seed and written into the
run (subsets/). Smaller shares lie within larger ones of the same seed. With several seeds: mean and deviation.

Examples:
  kinestream evaluate semi runs/caca-joint --data ntu60/ --percent 1 --percent 10
  kinestream evaluate semi runs/caca-joint --data ntu60/ --percent 5 --seeds 5 --form published
"""

from dataclasses import dataclass

from kinestream.commands.options import WeightedOptions, open_subject, parse_weights, training_settings


@dataclass(frozen=True, kw_only=True)
class Config(WeightedOptions):
    """Arguments of `kinestream evaluate semi`."""

    percent: tuple[float, ...] = ()
    """Share of the labels; may be given several times. 1 and 10 if not given."""
    seeds: int = 1
    """How many draws of the labels, with a training each, with the seeds from --seed on; the figures are means."""


def run(config: Config) -> None:
    from kinestream.evaluate.protocols.semi import semi_supervise
    from kinestream.evaluate.protocols.training import seeds_from

    settings = training_settings(config)
    seeds, weights = seeds_from(config.seed, config.seeds), parse_weights(config.weights)
    percents = config.percent or (1.0, 10.0)
    subject = open_subject(config, "evaluate semi")
    semi_supervise(subject, settings, percents=percents, seeds=seeds, fusion=config.fusion, weights=weights)
