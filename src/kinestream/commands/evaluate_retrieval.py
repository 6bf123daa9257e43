"""Search by example: for each test clip the training clips ranked by the cosine of frozen features. 1-NN, precision at
k, mean average precision, and a sheet of queries with what they found (needs the extra kinestream[viz]).

Examples:
  kinestream evaluate retrieval runs/caca-joint --data ntu60/
  kinestream evaluate retrieval runs/caca-joint --data ntu60/ --k 5 --k 20 --queries 10 --bare
"""

from dataclasses import dataclass

from kinestream.commands.options import FrozenOptions, open_subject


@dataclass(frozen=True, kw_only=True)
class Config(FrozenOptions):
    """Arguments of `kinestream evaluate retrieval`."""

    k: tuple[int, ...] = ()
    """How many of the nearest precision is taken of; may be given several times. 5 and 10 if not given."""
    queries: int = 6
    """Test clips on the sheet; 0 for none."""
    seed: int = 0
    """Of the choice of those."""


def run(config: Config) -> None:
    from kinestream.evaluate.protocols.retrieval import search

    subject = open_subject(config, "evaluate retrieval", references=not config.bare)
    search(subject, ks=config.k or (5, 10), queries_shown=config.queries, seed=config.seed)
