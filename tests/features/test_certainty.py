import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinestream.features.metrics import bootstrap_interval, calibration_error


def naive_calibration_error(probabilities: list[list[float]], labels: list[int], bins: int) -> float:
    """Clip by clip: bin `i` holds the confidences in (i / bins, (i + 1) / bins]."""
    total = 0.0
    for i in range(bins):
        sure, right = [], []
        for row, label in zip(probabilities, labels, strict=True):
            confidence = max(row)
            if i / bins < confidence <= (i + 1) / bins:
                sure.append(confidence)
                right.append(row.index(confidence) == label)
        if sure:
            total += len(sure) / len(labels) * abs(sum(sure) / len(sure) - sum(right) / len(right))
    return 100 * total


@given(seed=st.integers(0, 500), bins=st.sampled_from([1, 5, 15]), scale=st.sampled_from([0.1, 1.0, 8.0]))
def test_calibration_error_against_loops(seed: int, bins: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    probabilities = (scale * torch.randn(30, 4, dtype=torch.float64, generator=generator)).softmax(dim=1)
    labels = torch.randint(4, (30,), generator=generator)
    expected = naive_calibration_error(probabilities.tolist(), labels.tolist(), bins)
    assert calibration_error(probabilities, labels, bins=bins) == pytest.approx(expected, abs=1e-3)


def test_who_is_as_sure_as_right_has_no_calibration_error_and_who_is_always_sure_has_the_share_of_errors() -> None:
    sure = torch.tensor([[0.75, 0.25]]).repeat(4, 1)
    assert calibration_error(sure, torch.tensor([0, 0, 0, 1])) == pytest.approx(0.0, abs=1e-3)
    certain = torch.tensor([[1.0, 0.0]]).repeat(10, 1)
    assert calibration_error(certain, torch.tensor([0] * 7 + [1] * 3)) == pytest.approx(30.0)


def test_the_bootstrap_interval_is_that_of_the_binomial_distribution() -> None:
    """Drawing n clips with replacement, of which a share p is right, is a binomial draw."""
    hits = np.array([1.0] * 160 + [0.0] * 40)
    low, high = bootstrap_interval(hits, seed=0, resamples=4000)
    draws = np.random.default_rng(1).binomial(200, 0.8, size=200_000) / 2
    assert low == pytest.approx(np.quantile(draws, 0.025), abs=0.75)
    assert high == pytest.approx(np.quantile(draws, 0.975), abs=0.75)


def test_the_bootstrap_interval_against_a_loop_over_clips() -> None:
    hits = np.array([1.0, 0.0, 0.5, 1.0, 0.0])
    rng, means = np.random.default_rng(7), []
    for _ in range(100):
        drawn = rng.integers(5, size=5)
        means.append(sum(hits[i] for i in drawn) / 5)
    expected = np.quantile(means, [0.025, 0.975]) * 100
    assert bootstrap_interval(hits, seed=7, resamples=100) == pytest.approx(tuple(expected))


def test_no_clips_no_interval() -> None:
    with pytest.raises(ValueError, match="no test clips"):
        bootstrap_interval(np.zeros(0), seed=0)
