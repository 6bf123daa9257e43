"""Search by example: for each test clip the training clips ranked by the cosine of frozen features. 1-NN, precision at
k, mean average precision, and a sheet of queries with what they found (needs the extra kinestream[viz]).

Examples:
  kinestream evaluate retrieval runs/caca-joint --data ntu60/
  kinestream evaluate retrieval runs/caca-joint --data ntu60/ --k 5 --k 20 --queries 10 --bare
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.configs import required_option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream evaluate retrieval`."""

    run: Path
    """Folder of a pre-training run, or an encoder file (.safetensors)."""
    data: Path = required_option()
    """The store with the labels."""
    split: str | None = None
    """Split to evaluate on; that of the run if not given."""
    k: tuple[int, ...] = ()
    """How many of the nearest precision is taken of; may be given several times. 5 and 10 if not given."""
    queries: int = 6
    """Test clips on the sheet; 0 for none."""
    seed: int = 0
    """Of the choice of those."""
    bare: bool = False
    """Only the run: leave out the untrained encoder and the raw coordinates, which take long on much data."""
    allow_leak: bool = False
    """Go on where test clips were learnt from; the results are marked."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute features."""


def run(config: Config) -> None:
    from kinestream.commands.options import open_subject
    from kinestream.protocols.retrieval import search

    subject = open_subject(config, "evaluate retrieval", references=not config.bare)
    search(subject, ks=config.k or (5, 10), queries_shown=config.queries, seed=config.seed)
