"""Whether a movement is like anything that was labelled: how far it is from the mean of the nearest class.

n rows, d numbers of an embedding, k classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

Rows = Float[np.ndarray, "n d"]
Codes = Int64[np.ndarray, " n"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Familiar:
    """Class means as directions, and how far from the nearest of them a movement may be.

    Of nearest labelled neighbours and class means the latter tell new classes from known ones better
    (`benchmarks/few_labels.py`).
    """

    centres: Float64[np.ndarray, "k d"]
    """Unit vectors."""
    threshold: float | None
    """Cosine distance; None where no row was held out to find it by: all movements count as known then."""
    distances: Float64[np.ndarray, " n"]
    """Of the rows that were held out from the centres of the others; nan for one that was not, or whose class was not
    among the others."""
    false_alarms: float
    """Share of movements like those labelled that may be called unknown."""
    notes: tuple[str, ...] = ()

    def known(self, rows: Rows) -> Bool[np.ndarray, " n"]:
        if self.threshold is None:
            return np.ones(len(rows), dtype=np.bool_)
        return distances(rows, self.centres) <= self.threshold


def fit_familiar(rows: Rows, codes: Codes, folds: Sequence[Int64[np.ndarray, " q"]], false_alarms: float) -> Familiar:
    """The threshold is that at which the share `false_alarms` of rows of known classes, held out with their people, is
    called unknown."""
    away = np.full(len(rows), np.nan)
    for test in folds:
        train = np.ones(len(rows), dtype=np.bool_)
        train[test] = False
        there = test[np.isin(codes[test], codes[train])]
        if len(there):
            away[there] = distances(rows[there], centres_of(rows[train], codes[train]))
    known = away[np.isfinite(away)]
    threshold, note = threshold_of(known, false_alarms)
    return Familiar(
        centres=centres_of(rows, codes),
        threshold=threshold,
        distances=away,
        false_alarms=false_alarms,
        notes=(note,) if note else (),
    )


def threshold_of(away: Float64[np.ndarray, " n"], false_alarms: float) -> tuple[float | None, str]:
    """The distance that a further row exceeds with at most this probability (the quantile of conformal prediction), and
    what to say where there are too few rows for that.

    Example:
        >>> threshold_of(np.arange(1.0, 20.0), 0.05)
        (19.0, '')
    """
    count = len(away)
    if not count:
        return None, ""
    rank = math.ceil((count + 1) * (1 - false_alarms) - 1e-9)
    if rank > count:
        return float(away.max()), (
            f"{count} held-out rows are too few for a false alarm rate of {100 * false_alarms:g} %: 'known' calls none "
            f"of them unknown, and about {100 / (count + 1):.0f} % of further ones"
        )
    return float(np.sort(away)[rank - 1]), ""


def distances(rows: Rows, centres: Float64[np.ndarray, "k d"]) -> Float64[np.ndarray, " n"]:
    """Cosine distance to the nearest centre; 1 for a row of zeros."""
    return 1 - (_units(rows) @ centres.T).max(axis=1)


def centres_of(rows: Rows, codes: Codes) -> Float64[np.ndarray, "k d"]:
    """The mean direction of each class that has rows."""
    units = _units(rows)
    return _units(np.stack([units[codes == code].mean(axis=0) for code in np.unique(codes)]))


def _units(rows: Rows) -> Float64[np.ndarray, "n d"]:
    rows = rows.astype(np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
