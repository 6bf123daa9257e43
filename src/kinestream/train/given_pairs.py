"""A file that says which recordings show the same from other cameras."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from kinestream.data.partners import ClipPairs, parse_pairs
from kinestream.data.store import Store
from kinestream.recipes import Recipe
from kinestream.train.run_folder import Run

Chosen = Sequence[tuple[Store, Int64[np.ndarray, " n"]]]
"""Stores, and which of their recordings are learnt from."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """A file of pairs: what is in it, and what that says of the clips."""

    file: Path
    content: bytes
    pairs: ClipPairs

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def paired(self) -> int:
        """How many clips have a partner."""
        return len(np.unique(self.pairs))


def read_given(file: Path, run: Run, chosen: Chosen, split: str | None, *, resume: bool) -> Given:
    """Raises ValueError where there is no such file, or it does not fit the stores."""
    if not file.is_file():
        kept = f": the run keeps its own, --pairs {run.pairs}" if resume and run.pairs.is_file() else ""
        raise ValueError(f"no file of pairs {file}{kept}")
    content = file.read_bytes()
    return Given(file=file, content=content, pairs=parse_pairs(content, str(file), chosen, split))


def check_partners(recipe: Recipe, pairs: str | Path | None, chosen: Chosen) -> None:
    """Raises ValueError for a file of pairs that would have no effect, and where none can be told."""
    if pairs is not None:
        if not recipe.partner:
            raise ValueError(
                f"--pairs {pairs} has no effect while the recipe's setting partner is 0: --set partner=0.5"
            )
    elif recipe.partner and not any(store.share_performances(indices) for store, indices in chosen):
        where = ", ".join(str(store.path) for store, _ in chosen)
        raise ValueError(
            f"the recipe takes views of partners, and there are none in {where}: no two recordings to learn from show "
            "one performance; give pairs with --pairs FILE, or --set partner=0"
        )
