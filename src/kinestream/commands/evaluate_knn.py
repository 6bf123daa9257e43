"""Accuracy of nearest neighbours by the frozen features of a run (cosine similarity): 1-NN, and k-NN with votes
weighted exp(cos / temperature), beside an untrained encoder and raw coordinates. Several streams count alone and
together, by their unit features side by side.

Examples:
  kinestream evaluate knn runs/caca-joint --data ntu60/
  kinestream evaluate knn runs/caca-joint --data ntu60/ --k 50 --temperature 0.07
"""

from dataclasses import dataclass

from kinestream.commands.options import FrozenOptions, open_subject


@dataclass(frozen=True, kw_only=True)
class Config(FrozenOptions):
    """Arguments of `kinestream evaluate knn`."""

    k: int = 20
    """Neighbours that vote, beside the 1-NN."""
    temperature: float = 0.1
    """Of the votes' weights."""


def run(config: Config) -> None:
    from kinestream.evaluate.protocols.knn import count_neighbours

    subject = open_subject(config, "evaluate knn", references=not config.bare)
    count_neighbours(subject, k=config.k, temperature=config.temperature)
