from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.evaluate.few_labels import draw_subset

LABELS = st.lists(st.integers(0, 5), min_size=8, max_size=200).map(lambda values: np.array(values, dtype=np.int64))


@given(LABELS, st.integers(0, 50))
def test_smaller_shares_lie_within_larger_ones_of_the_same_seed(labels: np.ndarray, seed: int) -> None:
    shares = [1.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    drawn = [set(draw_subset(labels, share, seed).tolist()) for share in shares]
    for smaller, larger in pairwise(drawn):
        assert smaller <= larger
    assert drawn[-1] == set(range(len(labels)))


@given(LABELS, st.floats(0.5, 100), st.integers(0, 50))
def test_each_class_gives_its_share_and_at_least_one(labels: np.ndarray, percent: float, seed: int) -> None:
    drawn = draw_subset(labels, percent, seed)
    for label in np.unique(labels):
        there = int((labels == label).sum())
        assert int((labels[drawn] == label).sum()) == max(1, round(there * percent / 100))


def test_another_seed_draws_others() -> None:
    labels = np.arange(400) % 4
    assert draw_subset(labels, 10.0, 0).tolist() == draw_subset(labels, 10.0, 0).tolist()
    assert draw_subset(labels, 10.0, 0).tolist() != draw_subset(labels, 10.0, 1).tolist()


@pytest.mark.parametrize("percent", [0.0, -1.0, 100.5, float("nan")])
def test_an_impossible_share_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 and at most 100"):
        draw_subset(np.array([0, 1]), percent, 0)
