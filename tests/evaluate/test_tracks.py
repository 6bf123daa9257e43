"""Measures of label tracks against slow, literal definitions."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.evaluate.tracks import edit_score, f1_score, frame_accuracy, matched_track, pieces_of

tracks = st.integers(0, 10_000).map(lambda seed: _two(seed))


def _two(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, 40))
    made = [np.repeat(rng.integers(0, 4, length), rng.integers(1, 6, length))[:length] for _ in range(2)]
    return made[0], made[1]


def runs(track: np.ndarray) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for frame, label in enumerate(track.tolist()):
        if found and found[-1][0] == label:
            found[-1] = (label, found[-1][1], frame + 1)
        else:
            found.append((label, frame, frame + 1))
    return found


def naive_edits(a: list[int], b: list[int]) -> int:
    if not a or not b:
        return len(a) + len(b)
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) + 1):
        for j in range(len(b) + 1):
            if 0 in (i, j):
                table[i][j] = i + j
            else:
                same = table[i - 1][j - 1] + (a[i - 1] != b[j - 1])
                table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, same)
    return table[-1][-1]


def naive_f1(found: np.ndarray, truth: np.ndarray, overlap: float) -> float:
    """With sets of frames, where the span that Lea et al. divide by is a union."""
    there, used, right = runs(truth), set(), 0
    for label, start, end in runs(found):
        best, place = 0.0, -1
        for number, (other, begin, stop) in enumerate(there):
            mine, yours = set(range(start, end)), set(range(begin, stop))
            if label == other and mine & yours and len(mine & yours) / len(mine | yours) > best:
                best, place = len(mine & yours) / len(mine | yours), number
        if best >= overlap and place not in used:
            used.add(place)
            right += 1
    wrong, missed = len(runs(found)) - right, len(there) - right
    return 100 * 2 * right / (2 * right + wrong + missed)


@given(tracks)
def test_pieces_are_the_runs(two: tuple[np.ndarray, np.ndarray]) -> None:
    assert [(piece.label, piece.start, piece.end) for piece in pieces_of(two[0])] == runs(two[0])


@given(tracks)
def test_the_edit_score_is_levenshteins(two: tuple[np.ndarray, np.ndarray]) -> None:
    found, truth = two
    a, b = ([label for label, _, _ in runs(track)] for track in two)
    assert edit_score(found, truth) == pytest.approx(100 * (1 - naive_edits(a, b) / max(len(a), len(b))))
    assert edit_score(truth, truth) == 100


@given(tracks, st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0]))
def test_f1_against_sets_of_frames(two: tuple[np.ndarray, np.ndarray], overlap: float) -> None:
    assert f1_score(*two, overlap) == pytest.approx(naive_f1(*two, overlap))
    assert f1_score(two[1], two[1], overlap) == 100


def test_a_track_in_tatters_keeps_its_frames_and_loses_its_pieces() -> None:
    truth = np.repeat([0, 1, 2], 20)
    tattered = truth.copy()
    tattered[5::10] = 3
    assert frame_accuracy(tattered, truth) == 90
    assert edit_score(tattered, truth) < 40
    assert f1_score(tattered, truth, 0.5) < 50 < f1_score(tattered, truth, 0.1) + 20


def test_labels_that_do_not_count() -> None:
    truth, found = np.array([0, 1, 1, 0, 2, 2]), np.array([1, 1, 1, 0, 0, 2])
    assert edit_score(found, truth) == 75
    assert edit_score(found, truth, without=[0]) == 100
    assert f1_score(found, truth, 0.5, without=[0]) == 100
    assert f1_score(np.zeros(3, int), np.zeros(3, int), 0.5, without=[0]) == 100


@given(st.integers(0, 10_000))
def test_the_matching_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, truth = rng.integers(0, 4, 30), rng.integers(0, int(rng.integers(1, 5)), 30) + 3
    matched = matched_track(found, truth)
    groups, labels = sorted(set(found.tolist())), sorted(set(truth.tolist()))
    padded = labels + [-9] * max(0, len(groups) - len(labels))
    best = max(
        sum(dict(zip(groups, order, strict=False))[a] == b for a, b in zip(found.tolist(), truth.tolist(), strict=True))
        for order in permutations(padded, len(groups))
    )
    assert (matched == truth).sum() == best
    pairs = set(zip(found.tolist(), matched.tolist(), strict=True))
    assert len(pairs) == len({new for _, new in pairs}) == len(groups), "one to one"


def test_what_cannot_be_compared(unchecked: None) -> None:
    with pytest.raises(ValueError, match="tracks of 2 and 3 frames"):
        frame_accuracy(np.zeros(2, int), np.zeros(3, int))
    with pytest.raises(ValueError, match="an overlap of 0"):
        f1_score(np.zeros(2, int), np.zeros(2, int), 0.0)
