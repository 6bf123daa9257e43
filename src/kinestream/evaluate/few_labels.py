"""Parts of the labelled clips, drawn for each class: few labels to learn from, or some held out to choose by."""

import numpy as np
from jaxtyping import Bool, Int64


def draw_subset(labels: Int64[np.ndarray, " n"], percent: float, seed: int) -> Int64[np.ndarray, " k"]:
    """Places of `percent` of the labels of each class, at least one of each, ascending.

    Nested: with the same seed, the clips of a smaller share are among those of a larger one.

    Raises ValueError when `percent` is not in (0, 100].

    Example:
        >>> draw_subset(np.array([0, 0, 0, 0, 1, 1, 1, 1]), 50.0, seed=0).tolist()
        [0, 2, 4, 7]
    """
    if not 0 < percent <= 100:
        raise ValueError(f"{percent:g} % of the labels: must be above 0 and at most 100")
    chosen = []
    for label in np.unique(labels):
        # A generator for each class, and the first ones of one order: that is what nests them.
        order = np.random.default_rng([seed, int(label)]).permutation(np.flatnonzero(labels == label))
        chosen.append(order[: max(1, round(len(order) * percent / 100))])
    return np.sort(np.concatenate(chosen))


def hold_out(labels: Int64[np.ndarray, " n"], percent: float, seed: int) -> Bool[np.ndarray, " n"]:
    """Marks `percent` of the clips of each class; a class of one clip keeps it.

    Raises ValueError when `percent` is not in (0, 100), or nothing would be held out.
    """
    if not 0 < percent < 100:
        raise ValueError(f"{percent:g} % held out: must be above 0 and below 100")
    held = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        places = np.random.default_rng([seed, int(label)]).permutation(np.flatnonzero(labels == label))
        held[places[: min(len(places) - 1, max(1, round(len(places) * percent / 100)))]] = True
    if not held.any():
        raise ValueError(f"{percent:g} % of {len(labels)} clips cannot be held out: too few to choose by")
    return held
