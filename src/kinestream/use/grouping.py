"""Recurring groups of movements in embeddings over time, found without labels.

k-means on the windows gives centres; then, in turns, the cheapest sticky path through them is taken and each centre is
moved to the mean of its windows, as in Viterbi training of a hidden Markov model. Changes are dear, so a group lasts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int64

from kinestream.features.sticky import sticky_path
from kinestream.use.states import GroupStates, directions, squared_distances

MOST = 20
"""Groups that are tried where their number is not given."""
_ROUNDS = 5
_STARTS = 10
_STARTS_TO_CHOOSE = 3
_MOST_LEFT = 0.65
_LEAST_GAIN = 0.1
"""Shares of the squared distances to the mean: what centres may leave, and what one more must explain. Chosen on joined
clips of training people of NW-UCLA, of 2 to 10 classes; the silhouette does worse there, for windows overlap."""

Rows = Float[np.ndarray, "_ d"]
"""Of one recording, or of all."""
Path = Int64[np.ndarray, " _"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Grouping:
    """Groups, and how well each number of groups did where it was chosen."""

    states: GroupStates
    left: dict[int, float]
    """By number of groups the share of the squared distances to the mean that is left to their centres, as far as it
    was looked at; empty where the number was given."""


def find_groups(
    sequences: Sequence[Rows], count: int | None, *, switch: float, centred: bool = False, seed: int = 0
) -> Grouping:
    """Groups of the windows of one or more recordings, each a sequence of embeddings.

    Args:
        centred: embeddings are compared by their direction from the mean of all, not from zero.
        count: how many; None for the smallest number from 2 to 20 whose k-means centres leave at most 65 % of the
            squared distances to the mean, and to which one more would add less than 10 %. A rough guess.
        switch: what a change costs, in units of the mean squared distance to the nearest centre.

    Raises ValueError for more groups than different windows, fewer than one, or where windows are too few to choose.
    """
    every = np.concatenate([rows.astype(np.float64) for rows in sequences])
    origin = every.mean(axis=0) if centred else None
    if origin is not None:
        sequences = [directions(rows, origin) for rows in sequences]
        every = np.concatenate(sequences)
    different = len(np.unique(every.round(6), axis=0))
    left: dict[int, float] = {}
    if count is None:
        if different < 3:
            raise ValueError(
                f"{different} different windows are too few to choose a number of groups: give it, groups="
            )
        count, left = _choose(every, min(MOST, different - 1), seed)
    elif not 1 <= count <= different:
        raise ValueError(
            f"{count} groups of {different} different windows: give a number from 1 to {different}, or a "
            "shorter hop for more windows"
        )
    return Grouping(states=replace(_fitted(sequences, every, count, switch, seed), origin=origin), left=left)


def _choose(every: Rows, most: int, seed: int) -> tuple[int, dict[int, float]]:
    total = float(((every - every.mean(axis=0)) ** 2).sum(axis=1).mean())
    left: dict[int, float] = {}
    for number in range(2, most + 1):
        centres = _k_means(every, number, seed, starts=_STARTS_TO_CHOOSE)[0]
        left[number] = float(squared_distances(every, centres).min(axis=1).mean()) / total
        before = number - 1
        if before in left and left[before] <= _MOST_LEFT and left[before] - left[number] < _LEAST_GAIN:
            return before, left
    return most, left


def _fitted(sequences: Sequence[Rows], every: Rows, count: int, switch: float, seed: int) -> GroupStates:
    centres = _k_means(every, count, seed)[0]
    paths: list[Path] = []
    spread = 1.0
    for _ in range(_ROUNDS):
        spread = float(squared_distances(every, centres).min(axis=1).mean()) or 1.0
        paths = [sticky_path(squared_distances(rows, centres) / spread, switch) for rows in sequences]
        assignment = np.concatenate(paths)
        moved = np.stack(
            [
                every[assignment == group].mean(axis=0) if (assignment == group).any() else centres[group]
                for group in range(count)
            ]
        )
        if np.array_equal(moved, centres):
            break
        centres = moved
    spread = float(squared_distances(every, centres).min(axis=1).mean()) or 1.0
    paths = [sticky_path(squared_distances(rows, centres) / spread, switch) for rows in sequences]
    order = _as_they_come(np.concatenate(paths), count)
    return GroupStates(centres=centres[order], spread=spread, numbers=tuple(range(count)), names={})


def _as_they_come(assignment: Path, count: int) -> list[int]:
    """Group 0 is the first in time, and so on; those that no window is in stand at the end."""
    met = list(dict.fromkeys(assignment.tolist()))
    return met + [group for group in range(count) if group not in met]


def _k_means(rows: Rows, count: int, seed: int, *, starts: int = _STARTS) -> tuple[Float[np.ndarray, "k d"], Path]:
    from sklearn.cluster import KMeans

    fitted = KMeans(n_clusters=count, n_init=starts, random_state=seed).fit(rows)
    return fitted.cluster_centers_, np.asarray(fitted.labels_, dtype=np.int64)
