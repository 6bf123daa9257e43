"""Clusters that k-means finds in the frozen features of the test clips, against their classes: accuracy after the best
one-to-one matching, normalised mutual information, adjusted Rand index.

Examples:
  kinestream evaluate cluster runs/caca-joint --data ntu60/
  kinestream evaluate cluster runs/caca-joint --data ntu60/ --seeds 5 --bare
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.configs import required_option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream evaluate cluster`."""

    run: Path
    """Folder of a pre-training run, or an encoder file (.safetensors)."""
    data: Path = required_option()
    """The store with the labels."""
    split: str | None = None
    """Split to evaluate on; that of the run if not given."""
    seeds: int = 1
    """How many clusterings, with the seeds from --seed on; the figures are means."""
    seed: int = 0
    """Of the first clustering."""
    bare: bool = False
    """Only the run: leave out the untrained encoder and the raw coordinates, which take long on much data."""
    allow_leak: bool = False
    """Go on where test clips were learnt from; the results are marked."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute features."""


def run(config: Config) -> None:
    from kinestream.commands.options import open_subject
    from kinestream.protocols.cluster import find_clusters
    from kinestream.protocols.training import seeds_from

    seeds = seeds_from(config.seed, config.seeds)
    subject = open_subject(config, "evaluate cluster", references=not config.bare)
    find_clusters(subject, seeds=seeds)
