import math
from collections import Counter
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinestream.evaluate.clusters import find_clusters, match_clusters
from kinestream.features.metrics import accuracy, ranked


@given(st.integers(0, 400))
def test_the_matching_is_the_best_of_all_one_to_one_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assignment, labels = rng.integers(0, 3, 20), np.concatenate([np.arange(4), rng.integers(0, 4, 16)])
    clusters = sorted(set(assignment.tolist()))

    def right(matched: dict[int, int]) -> int:
        return sum(matched[a] == b for a, b in zip(assignment.tolist(), labels.tolist(), strict=True))

    best = max(right(dict(zip(clusters, order, strict=False))) for order in permutations(range(4)))
    found = match_clusters(assignment, labels)
    assert right(found) == best
    assert len(set(found.values())) == len(clusters)


def test_more_clusters_than_classes_cannot_be_matched() -> None:
    with pytest.raises(ValueError, match="2 clusters cannot be matched one to one with 1 classes"):
        match_clusters(np.array([0, 1]), np.array([3, 3]))


def naive_nmi(a: list[int], b: list[int]) -> float:
    n = len(a)

    def entropy(values: list[int]) -> float:
        return -sum(c / n * math.log(c / n) for c in Counter(values).values())

    ca, cb = Counter(a), Counter(b)
    mutual = sum(c / n * math.log(n * c / (ca[x] * cb[y])) for (x, y), c in Counter(zip(a, b, strict=True)).items())
    return mutual / ((entropy(a) + entropy(b)) / 2)


def naive_ari(a: list[int], b: list[int]) -> float:
    """From the pairs of clips: together in both, in one, by chance."""
    pairs = list(combinations(range(len(a)), 2))
    in_a, in_b = ([values[i] == values[j] for i, j in pairs] for values in (a, b))
    both = sum(x and y for x, y in zip(in_a, in_b, strict=True))
    chance = sum(in_a) * sum(in_b) / len(pairs)
    return (both - chance) / ((sum(in_a) + sum(in_b)) / 2 - chance)


def test_measures_against_their_definitions() -> None:
    generator = torch.Generator().manual_seed(3)
    labels = np.arange(24) % 3
    features = torch.randn(24, 4, generator=generator) + 1.2 * torch.eye(4)[labels]
    found = find_clusters(features, labels, classes=5, seed=0)
    matched = ranked(found.class_scores)[:, 0].tolist()  # a class for each cluster: the clusters under other names
    assert found.nmi == pytest.approx(100 * naive_nmi(matched, labels.tolist()))
    assert found.ari == pytest.approx(100 * naive_ari(matched, labels.tolist()))
    assert 0 < found.ari < 100, "a case that tells something"


def test_separate_classes_are_found_whatever_their_numbers() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = np.array([6, 2, 4] * 10)
    features = torch.eye(8)[labels] + 0.01 * torch.randn(30, 8, generator=generator)
    found = find_clusters(features, labels, classes=9, seed=1)
    assert accuracy(ranked(found.class_scores), torch.from_numpy(labels)).top1 == 100
    assert (found.nmi, found.ari) == (pytest.approx(100), pytest.approx(100))
