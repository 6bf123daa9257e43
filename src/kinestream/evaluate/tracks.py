"""How well a track of labels, an integer for each frame, agrees with the true one.

Frame accuracy, the segmental edit score and the F1 score at an overlap are those of Lea et al. (2016, 2017): a piece
is a run of frames with one label, so two neighbouring actions of one class are one piece.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int, Int64

Track = Int[np.ndarray, " t"]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Frames `start` to `end`, counted from 0, `end` not included, with one label."""

    label: int
    start: int
    end: int


def pieces_of(track: Track, without: Collection[int] = ()) -> tuple[Piece, ...]:
    """The runs of equal labels, in their order, but for those of the labels `without`.

    Example:
        >>> [(piece.label, piece.start, piece.end) for piece in pieces_of(np.array([4, 4, 1, 4]))]
        [(4, 0, 2), (1, 2, 3), (4, 3, 4)]
    """
    if not len(track):
        return ()
    bounds = [0, *(np.flatnonzero(np.diff(track)) + 1).tolist(), len(track)]
    return tuple(
        Piece(label=int(track[start]), start=start, end=end)
        for start, end in pairwise(bounds)
        if int(track[start]) not in without
    )


def frame_accuracy(found: Track, truth: Track) -> float:
    """Percent of the frames with the true label. Raises ValueError for tracks of different lengths, or empty ones."""
    _check(found, truth)
    return 100 * float((found == truth).mean())


def edit_score(found: Track, truth: Track, without: Collection[int] = ()) -> float:
    """100 (1 - d / n): d is the least number of insertions, deletions and replacements that turn the order of the found
    pieces into that of the true ones, n the number of pieces of the longer. Nothing is asked of where they begin.

    Example:
        >>> edit_score(np.array([1, 1, 2, 3]), np.array([1, 3, 3, 3]))  # one of three pieces too many
        66.66666666666667
    """
    _check(found, truth)
    a, b = ([piece.label for piece in pieces_of(track, without)] for track in (found, truth))
    longer = max(len(a), len(b))
    return 100.0 if not longer else 100 * (1 - _edits(a, b) / longer)


def f1_score(found: Track, truth: Track, overlap: float, without: Collection[int] = ()) -> float:
    """2 tp / (2 tp + fp + fn) over pieces, in percent. Each found piece, in the order of time, is compared with the
    true piece of its label with which its intersection over union is greatest; it is right where that is at least
    `overlap` and no piece before took that one.

    Raises ValueError for an overlap outside (0, 1].

    Example:
        >>> f1_score(np.array([1, 1, 1, 2]), np.array([1, 1, 2, 2]), 0.5)
        100.0
        >>> f1_score(np.array([1, 1, 1, 2]), np.array([1, 1, 2, 2]), 0.6)
        50.0
    """
    _check(found, truth)
    right, wrong, missed = count_pieces(pieces_of(found, without), pieces_of(truth, without), overlap)
    every = 2 * right + wrong + missed
    return 100.0 if not every else 100 * 2 * right / every


def count_pieces(found: Collection[Piece], truth: Collection[Piece], overlap: float) -> tuple[int, int, int]:
    """True positives, false positives and false negatives, as `f1_score` counts them."""
    if not 0 < overlap <= 1:
        raise ValueError(f"an overlap of {overlap}: it must be above 0 and at most 1")
    there = list(truth)
    taken = [False] * len(there)
    right = 0
    for piece in found:
        shares = [_intersection_over_union(piece, other) if piece.label == other.label else 0.0 for other in there]
        best = int(np.argmax(shares)) if shares else -1
        if best >= 0 and shares[best] >= overlap and not taken[best]:
            taken[best] = True
            right += 1
    return right, len(found) - right, len(there) - right


def matched_track(found: Track, truth: Track) -> Int64[np.ndarray, " t"]:
    """`found`, its groups renamed to the true labels so that most frames agree, one to one (Hungarian method). Groups
    beyond the number of labels get numbers of their own, below every label, and are wrong wherever they are.

    Example:
        >>> matched_track(np.array([5, 5, 0, 0, 7]), np.array([1, 1, 2, 2, 2])).tolist()
        [1, 1, 2, 2, 0]
    """
    from scipy.optimize import linear_sum_assignment

    _check(found, truth)
    groups, place = np.unique(found, return_inverse=True)
    labels, true_place = np.unique(truth, return_inverse=True)
    together = np.zeros((len(groups), len(labels)), dtype=np.int64)
    np.add.at(together, (place.reshape(-1), true_place.reshape(-1)), 1)
    rows, columns = linear_sum_assignment(together, maximize=True)
    names = int(labels.min()) - 1 - np.arange(len(groups))
    names[rows] = labels[columns]
    if len(groups) > len(labels):  # numbers without a gap, whichever groups are left over
        spare = np.setdiff1d(np.arange(len(groups)), rows)
        names[spare] = int(labels.min()) - 1 - np.arange(len(spare))
    return names[place.reshape(-1)].astype(np.int64)


def _intersection_over_union(a: Piece, b: Piece) -> float:
    """Of two pieces of one track or of two; Lea et al. take the span of both for their union, which it is where they
    meet."""
    shared = min(a.end, b.end) - max(a.start, b.start)
    return max(0.0, shared / (max(a.end, b.end) - min(a.start, b.start)))


def _edits(a: list[int], b: list[int]) -> int:
    """Levenshtein's distance."""
    row = np.arange(len(b) + 1)
    other = np.array(b, dtype=np.int64)
    for number, label in enumerate(a, start=1):
        least = np.minimum(row[1:] + 1, row[:-1] + (other != label))
        # What an insertion brings runs along the row: the least of all before, each a step dearer.
        steps = np.concatenate(([number], least)) - np.arange(len(b) + 1)
        row = np.minimum.accumulate(steps) + np.arange(len(b) + 1)
    return int(row[-1])


def _check(found: Track, truth: Track) -> None:
    if len(found) != len(truth) or not len(found):
        raise ValueError(f"tracks of {len(found)} and {len(truth)} frames: they must be of one length, above 0")
