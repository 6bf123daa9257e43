"""Clusters that k-means finds in the frozen features of the test clips, against their classes: accuracy after the best
one-to-one matching, normalised mutual information, adjusted Rand index.

Examples:
  kinestream evaluate cluster runs/caca-joint --data ntu60/
  kinestream evaluate cluster runs/caca-joint --data ntu60/ --seeds 5 --bare
"""

from dataclasses import dataclass

from kinestream.commands.options import FrozenOptions, open_subject


@dataclass(frozen=True, kw_only=True)
class Config(FrozenOptions):
    """Arguments of `kinestream evaluate cluster`."""

    seeds: int = 1
    """How many clusterings, with the seeds from --seed on; the figures are means."""
    seed: int = 0
    """Of the first clustering."""


def run(config: Config) -> None:
    from kinestream.evaluate.protocols.cluster import find_clusters
    from kinestream.evaluate.protocols.training import seeds_from

    seeds = seeds_from(config.seed, config.seeds)
    subject = open_subject(config, "evaluate cluster", references=not config.bare)
    find_clusters(subject, seeds=seeds)
