"""The nearest of many unit vectors by their cosine: exact, some vectors at a time, or by an index of usearch.

n vectors, q queries, d numbers, m found for each of r queries, or for all together.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from kinestream.documents import read_json
from kinestream.files import replacing, write_json
from kinestream.use.vectors import Vectors, chunks, take

_FEW = 1024
"""Vectors that are sorted before it is known how near the others must be."""

SAMPLE = 64
"""Vectors by which the recall of an index is told."""

Found = tuple[Float32[np.ndarray, "r m"], Int64[np.ndarray, "r m"]]
"""Cosines, the largest first, and where they stand; -1 where there are fewer."""
_SoFar = tuple[Float32[np.ndarray, "r _"], Int64[np.ndarray, "r _"]]


def nearest(
    vectors: Vectors,
    queries: Float32[np.ndarray, "q d"],
    k: int,
    *,
    allowed: Bool[np.ndarray, " n"] | None = None,
    together: bool = False,
) -> Found:
    """The `k` nearest of each query, of equal ones the earlier first. Memory grows with the queries, not with the
    vectors.

    Args:
        allowed: marks those that may be found; all if None.
        together: the queries are one, near to what any of them is near to.
    """
    count = 1 if together else len(queries)
    best = np.full((count, 0), -np.inf, np.float32), np.full((count, 0), -1, np.int64)
    turned = np.ascontiguousarray(queries.T)
    for start, some in chunks(vectors):
        cosines = some @ turned
        if together:
            cosines = cosines.max(axis=1, keepdims=True)
        may = None if allowed is None else allowed[start : start + len(some)]
        # The first few by sorting; of all others those alone that are nearer than the last one found so far.
        head = _FEW if best[0].shape[1] < k else 0
        best = _with_all(best, cosines[:head], start, k, None if may is None else may[:head])
        best = _with_nearer(best, cosines[head:], start + head, k, None if may is None else may[head:])
    return best[0], np.where(np.isfinite(best[0]), best[1], -1)


def _with_all(best: _SoFar, cosines: Float32[np.ndarray, "c r"], start: int, k: int, may: np.ndarray | None) -> Found:
    """The `k` nearest of those found and of some that begin at `start`."""
    if not len(cosines):
        return best
    rows = np.nan_to_num(cosines.T, nan=-np.inf, posinf=-np.inf, neginf=-np.inf)
    if may is not None:
        rows = np.where(may, rows, -np.inf)
    places = np.broadcast_to(np.arange(start, start + len(cosines)), rows.shape)
    if len(cosines) > k:
        chosen = _largest(rows, k)
        rows, places = np.take_along_axis(rows, chosen, 1), np.take_along_axis(places, chosen, 1)
    return _first(np.concatenate((best[0], rows), 1), np.concatenate((best[1], places), 1), k)


def _with_nearer(
    best: _SoFar, cosines: Float32[np.ndarray, "c r"], start: int, k: int, may: np.ndarray | None
) -> Found:
    """As `_with_all`, by one comparison of each cosine where few are nearer than those found."""
    count = len(best[0])
    least = best[0][:, -1] if best[0].shape[1] == k else np.full(count, -np.inf, np.float32)
    nearer = cosines > least  # NaN never is
    if may is not None:
        nearer &= may[:, None]
    if np.count_nonzero(nearer) > _FEW * count:
        return _with_all(best, cosines, start, k, may)
    # Few of many, which numpy finds four times as fast in a row as in a table.
    places, queries = np.divmod(np.flatnonzero(nearer), count)
    values = cosines[places, queries]
    finite = np.isfinite(values)
    places, queries, values = places[finite], queries[finite], values[finite]
    order = np.lexsort((places, -values, queries))
    places, queries, values = places[order], queries[order], values[order]
    rank = np.arange(len(order)) - np.searchsorted(queries, queries)
    first = rank < k
    lacking = min(k - best[0].shape[1], len(cosines))
    width = max(int(rank[first].max(initial=-1)) + 1, lacking)
    found = np.full((count, width), -np.inf, np.float32), np.full((count, width), -1, np.int64)
    found[0][queries[first], rank[first]] = values[first]
    found[1][queries[first], rank[first]] = places[first] + start
    return _first(np.concatenate((best[0], found[0]), 1), np.concatenate((best[1], found[1]), 1), k)


def _largest(cosines: Float32[np.ndarray, "q m"], k: int) -> Int64[np.ndarray, "q k"]:
    """Where the `k` largest of each row stand, of equal ones the earlier, in ascending order."""
    least = -np.partition(-cosines, k - 1, axis=1)[:, k - 1 : k]
    above, equal = cosines > least, cosines == least
    lacking = k - above.sum(axis=1, keepdims=True)
    return np.nonzero(above | (equal & (equal.cumsum(axis=1) <= lacking)))[1].reshape(len(cosines), k)


def _first(cosines: Float32[np.ndarray, "r c"], places: Int64[np.ndarray, "r c"], k: int) -> Found:
    """The largest, those that stand earlier before equal ones: `places` ascend where cosines are equal."""
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(cosines, order, 1), np.take_along_axis(places, order, 1)


@dataclass(frozen=True, eq=False)
class Approximate:
    """An index of usearch over vectors: a search looks at few of them, and may miss some."""

    index: Any
    recall: float
    """Share of the ten nearest that it finds, of a sample of the vectors against the exact search."""
    k: int

    def nearest(self, queries: Float32[np.ndarray, "q d"], k: int) -> Found:
        found = self.index.search(queries, k)
        keys = np.asarray(found.keys).reshape(len(queries), -1).astype(np.int64)
        distances = np.asarray(found.distances, dtype=np.float32).reshape(keys.shape)
        return 1 - distances, keys


def approximate(vectors: Vectors, kept: Path | None = None, *, seed: int = 0) -> Approximate:
    """Builds the index, or takes the one in `kept` (without suffix), where it is kept for the next time. Raises
    ValueError where usearch is not installed.

    A `seed` draws the sample that its recall is told by.
    """
    try:
        from usearch.index import Index
    except ModuleNotFoundError:
        raise ValueError(
            'index "usearch" needs usearch: pip install "kinestream[search]", or take index="exact"'
        ) from None
    count, dim = vectors.shape
    k = min(10, count)
    index = Index(ndim=dim, metric="cos", dtype="f32")
    if kept is not None and (recall := _recall_in(kept)) is not None:
        index.view(str(kept.with_suffix(".usearch")))
        if len(index) == count and index.ndim == dim:
            return Approximate(index=index, recall=recall, k=k)
        index = Index(ndim=dim, metric="cos", dtype="f32")
    for start, some in chunks(vectors):
        index.add(np.arange(start, start + len(some)), np.require(some, np.float32, ("C", "A")))
    sample = np.sort(np.random.default_rng(seed).choice(count, min(SAMPLE, count), replace=False))
    queries = take(vectors, sample)
    exact = nearest(vectors, queries, k)[1]
    found = Approximate(index=index, recall=0.0, k=k).nearest(queries, k)[1]
    hits = [len(set(one) & set(other)) for one, other in zip(exact.tolist(), found.tolist(), strict=True)]
    recall = sum(hits) / (k * len(sample))
    if kept is not None:
        with replacing(kept.with_suffix(".usearch")) as part:
            index.save(str(part))
        write_json(kept.with_suffix(".json"), {"recall": recall})
    return Approximate(index=index, recall=recall, k=k)


def _recall_in(kept: Path) -> float | None:
    try:
        recall = read_json(kept.with_suffix(".json"), remedy="it is made again")["recall"]
    except (OSError, ValueError, KeyError):
        return None
    known = isinstance(recall, float) and 0 <= recall <= 1 and kept.with_suffix(".usearch").is_file()
    return recall if known else None
