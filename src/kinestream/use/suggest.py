"""Which rows of an archive are most worth a label.

n rows, d numbers of an embedding.
"""

import csv
import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from kinestream.console import table_html
from kinestream.files import replacing
from kinestream.use.archive import Embeddings
from kinestream.use.classifier import Classifier
from kinestream.use.label_table import match_labels, read_labels
from kinestream.use.rows import Rows
from kinestream.use.vectors import take

if TYPE_CHECKING:
    from kinestream.use.label_table import Labelled

COLUMNS = ("name", "file", "person", "start", "end", "why", "label")
MOST = 5_000
"""Rows that suggestions are chosen from; of more, so many are drawn first."""
COVER, UNSURE = "covers", "unsure"
_FEW, _HALF = 3, 0.5
"""Labels a class below which the margin does harm, and its share from there on (docs/explanation/label-counts.md)."""
_ROWS_AT_ONCE = 2048


@dataclass(frozen=True, kw_only=True, eq=False)
class Suggestions:
    """Rows to be labelled, the most useful first."""

    indices: tuple[int, ...]
    """Where each stands in the archive."""
    rows: Rows = field(repr=False)
    why: tuple[str, ...]
    """covers: it stands for a part of the archive that has no label; unsure: the model is least sure of it."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.indices)

    def __str__(self) -> str:
        return "\n".join(f"{n + 1:>4}  {self.why[n]:<7} {self.rows.called(n)}" for n in range(len(self)))

    def _repr_html_(self) -> str:
        rows = ((n + 1, self.why[n], self.rows.called(n)) for n in range(len(self)))
        return table_html(f"{len(self)} suggestions", ("number", "why", "recording"), rows)

    def save(self, path: str | Path) -> None:
        """Writes a CSV file, whole, with an empty column `label` to fill in: `kinestream fit --labels` takes it."""
        with replacing(Path(path)) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            columns = [getattr(self.rows, name).tolist() for name in ("name", "file", "person", "start", "end")]
            writer.writerows((*cells, why, "") for *cells, why in zip(*columns, self.why, strict=True))


def suggest(
    archive: Embeddings,
    count: int,
    *,
    labels: "str | Path | list[Labelled] | np.ndarray | None" = None,
    model: Classifier | None = None,
    unsure: float | None = None,
    seed: int = 0,
) -> Suggestions:
    """The `count` rows that are most worth a label: first those that stand for most of what has none
    (`representative`), then, with a model, those that it is least sure of. Of rows of one recording and person that
    overlap in time only one is suggested.

    Args:
        labels: what is labelled already, and need not be suggested: a file as `kinestream fit` takes, or a mark or
            label for each row of the archive (empty or False where it has none).
        model: a fitted classifier: some suggestions are those with the smallest margin, the difference between the two
            largest probabilities.
        unsure: the share of these, from 0 to 1. If None a half, but none while there are fewer than three labels of a
            class on average: what so young a classifier is unsure of is worth less than what stands for much.
        seed: of what is drawn from an archive of more than 5 000 rows.

    Raises ValueError for a count below 1, a share outside 0 to 1 or without a model, labels that belong to nothing, or
    a model of another encoder.
    """
    if count < 1:
        raise ValueError(f"{count} suggestions: 1 or more are needed")
    if unsure is not None and (model is None or not 0 <= unsure <= 1):
        raise ValueError(f"unsure ({unsure}) must be a share from 0 to 1, and needs a classifier: model= (--model)")
    labelled = _labelled(archive, labels)
    apart = _Apart(archive.rows, labelled)
    free = np.flatnonzero([apart.is_free(place) for place in range(len(archive))])
    notes = []
    if not len(free):
        raise ValueError(
            f"all {len(archive):,} rows are labelled, or overlap with one that is: nothing is left to suggest"
        )
    if len(free) > MOST:
        free = np.sort(np.random.default_rng(seed).permutation(free)[:MOST])
        notes.append(f"drawn from {MOST:,} of {len(archive):,} rows")
    chosen: list[tuple[int, str]] = []
    covering = count
    if model is not None:
        share = unsure if unsure is not None else _share(model, int(labelled.sum()))
        covering -= math.floor(count * share)
        if not share and unsure is None:
            notes.append(f"fewer than {_FEW} labels a class: what stands for most comes first, not what is unsure")
    vectors = take(archive.source, free)
    anchors = take(archive.source, np.flatnonzero(labelled)) if labelled.any() else None
    for place in representative(vectors, anchors):
        if len(chosen) == covering:
            break
        if apart.claim(int(free[place])):
            chosen.append((int(free[place]), COVER))
    if model is not None:
        margins = _margins(archive, free, model)
        for place in np.argsort(margins, kind="stable").tolist():
            if len(chosen) == count:
                break
            if apart.claim(int(free[place])):
                chosen.append((int(free[place]), UNSURE))
    if len(chosen) < count:
        notes.append(f"{len(chosen)} suggestions, not {count}: all others overlap with these, or are labelled")
    indices = np.array([place for place, _ in chosen], dtype=np.int64)
    return Suggestions(
        indices=tuple(indices.tolist()),
        rows=archive.rows.take(indices),
        why=tuple(why for _, why in chosen),
        notes=tuple(notes),
    )


def representative(vectors: Float[np.ndarray, "n d"], anchors: Float[np.ndarray, "m d"] | None = None) -> Iterator[int]:
    """All places of unit vectors, in an order in which the first ones stand best for all: each next one raises the mean
    cosine of every vector with its nearest among them (and the `anchors`) the most (greedy facility location).

    NOTE: the farthest point first, the greedy k-centre, finds what is unlike everything: recordings that went wrong. It
    is worse than drawing (`benchmarks/few_labels.py`).

    Example:
        >>> pair, lone = [[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0]]
        >>> list(representative(np.array(pair + lone)))
        [0, 2, 1]
    """
    cosines = vectors @ vectors.T
    nearest = np.full(len(vectors), -1.0, dtype=cosines.dtype)
    if anchors is not None:
        for start in range(0, len(anchors), _ROWS_AT_ONCE):
            nearest = np.maximum(nearest, (vectors @ anchors[start : start + _ROWS_AT_ONCE].T).max(axis=1))
    # Gains only fall: one that is still the largest when it is computed anew is the largest of all.
    heap = [(-np.inf, place) for place in range(len(vectors))]
    while heap:
        place = heapq.heappop(heap)[1]
        gain = float(np.maximum(cosines[place] - nearest, 0).sum(dtype=np.float64))
        if heap and gain < -heap[0][0]:
            heapq.heappush(heap, (-gain, place))
            continue
        nearest = np.maximum(nearest, cosines[place])
        yield place


def _share(model: Classifier, labelled: int) -> float:
    """A half with labels enough: those that are given, else those that the model learnt from, where it is known."""
    count = labelled or model.label_count
    return _HALF if count is None or count >= _FEW * len(model.classes_) else 0.0


def margins_of(probabilities: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, " n"]:
    """How far the most probable class is from the next: the smaller, the less sure."""
    first_two = np.sort(probabilities, axis=1)[:, -2:]
    return np.asarray(first_two[:, 1] - first_two[:, 0])


class _Apart:
    """What may still be suggested: nothing that is labelled or chosen, nor what overlaps with it in time."""

    def __init__(self, rows: Rows, labelled: Bool[np.ndarray, " n"]) -> None:
        self._keys = list(zip(rows.file.tolist(), rows.name.tolist(), rows.person.tolist(), strict=True))
        self._start, self._end = rows.start.tolist(), rows.end.tolist()
        self._taken: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
        for place in np.flatnonzero(labelled).tolist():
            self._taken.setdefault(self._keys[place], []).append((self._start[place], self._end[place]))

    def is_free(self, place: int) -> bool:
        start, end = self._start[place], self._end[place]
        return not any(start < other and end > begin for begin, other in self._taken.get(self._keys[place], ()))

    def claim(self, place: int) -> bool:
        """Takes it, where that is possible."""
        if not self.is_free(place):
            return False
        self._taken.setdefault(self._keys[place], []).append((self._start[place], self._end[place]))
        return True


def _labelled(archive: Embeddings, labels: Any) -> Bool[np.ndarray, " n"]:
    marked = np.zeros(len(archive), dtype=np.bool_)
    if labels is None:
        return marked
    if isinstance(labels, np.ndarray):
        if labels.shape != (len(archive),):
            raise ValueError(f"labels {labels.shape} for {len(archive):,} rows: one for each is needed")
        return np.array([bool(one) for one in labels.tolist()], dtype=np.bool_)
    given = read_labels(labels) if isinstance(labels, str | Path) else labels
    marked[match_labels(archive, given, labels if isinstance(labels, str | Path) else "").places] = True
    return marked


def _margins(archive: Embeddings, free: Int64[np.ndarray, " m"], model: Classifier) -> Float64[np.ndarray, " m"]:
    """A share of the rows at a time."""
    made = [
        margins_of(model.predict_proba(archive.filter(free[start : start + _ROWS_AT_ONCE])))
        for start in range(0, len(free), _ROWS_AT_ONCE)
    ]
    return np.concatenate(made)
