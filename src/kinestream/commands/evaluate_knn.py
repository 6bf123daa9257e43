"""Accuracy of nearest neighbours by the frozen features of a run (cosine similarity): 1-NN, and k-NN with votes
weighted exp(cos / temperature), beside an untrained encoder and raw coordinates. Several streams count alone and
together, by their unit features side by side.

Examples:
  kinestream evaluate knn runs/caca-joint --data ntu60/
  kinestream evaluate knn runs/caca-joint --data ntu60/ --k 50 --temperature 0.07
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.configs import required_option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream evaluate knn`."""

    run: Path
    """Folder of a pre-training run, or an encoder file (.safetensors)."""
    data: Path = required_option()
    """The store with the labels."""
    split: str | None = None
    """Split to evaluate on; that of the run if not given."""
    k: int = 20
    """Neighbours that vote, beside the 1-NN."""
    temperature: float = 0.1
    """Of the votes' weights."""
    bare: bool = False
    """Only the run: leave out the untrained encoder and the raw coordinates, which take long on much data."""
    allow_leak: bool = False
    """Go on where test clips were learnt from; the results are marked."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute features."""


def run(config: Config) -> None:
    from kinestream.commands.options import open_subject
    from kinestream.protocols.knn import count_neighbours

    subject = open_subject(config, "evaluate knn", references=not config.bare)
    count_neighbours(subject, k=config.k, temperature=config.temperature)
