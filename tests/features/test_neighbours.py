import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinestream.features.metrics import accuracy
from kinestream.features.neighbours import knn_ranking


def naive_ranking(
    bank: list[list[float]], labels: list[int], query: list[float], classes: int, k: int, temperature: float
) -> list[int]:
    def unit(row: list[float]) -> list[float]:
        length = math.sqrt(sum(x * x for x in row))
        return [x / length for x in row]

    similarities = [
        (sum(a * b for a, b in zip(unit(row), unit(query), strict=True)), label)
        for row, label in zip(bank, labels, strict=True)
    ]
    similarities.sort(key=lambda pair: -pair[0])
    votes = [0.0] * classes
    for similarity, label in similarities[:k]:
        votes[label] += math.exp(similarity / temperature)
    return sorted(range(classes), key=lambda c: (-votes[c], c))


@given(seed=st.integers(0, 200), k=st.integers(1, 12), temperature=st.sampled_from([0.07, 0.1, 1.0]))
def test_against_loops(device: torch.device, seed: int, k: int, temperature: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    bank = torch.randn(12, 3, dtype=torch.float64, generator=generator)
    query = torch.randn(5, 3, dtype=torch.float64, generator=generator)
    labels = torch.randint(4, (12,), generator=generator)
    on_device = (one.to(device) for one in (bank, labels, query))
    found = knn_ranking(*on_device, classes=4, k=k, temperature=temperature)
    for row, one in zip(found.tolist(), query.tolist(), strict=True):
        assert row == naive_ranking(bank.tolist(), labels.tolist(), one, 4, k, temperature)


def test_many_queries_are_the_same_as_few(device: torch.device) -> None:
    generator = torch.Generator().manual_seed(0)
    bank, query = (torch.randn(count, 4, generator=generator).to(device) for count in (50, 1500))
    labels = torch.randint(3, (50,), generator=generator).to(device)
    at_once = knn_ranking(bank, labels, query, classes=3, k=7)
    one_by_one = torch.cat([knn_ranking(bank, labels, row, classes=3, k=7) for row in query.split(100)])
    assert torch.equal(at_once, one_by_one)


def test_the_nearest_of_a_clip_in_the_bank_is_itself() -> None:
    bank = torch.randn(30, 6, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(30) % 5
    assert accuracy(knn_ranking(bank, labels, 3 * bank, classes=5, k=1), labels).top1 == 100


@pytest.mark.parametrize("k", [0, 31])
def test_refuses_more_neighbours_than_there_are(k: int) -> None:
    with pytest.raises(ValueError, match=rf"k \({k}\) must be in 1..30"):
        knn_ranking(torch.randn(30, 6), torch.zeros(30, dtype=torch.long), torch.randn(2, 6), classes=2, k=k)


def test_accuracy_of_known_rankings() -> None:
    ranking = torch.tensor([[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 0, 1, 3, 4, 5], [1, 0, 2, 3, 4, 5]])
    found = accuracy(ranking, torch.tensor([0, 0, 2, 2]))
    assert found.top1 == 50.0
    assert found.top5 == 75.0
    assert found.per_class[0] == 50.0
    assert found.per_class[2] == 50.0
    assert found.per_class[1].isnan()
    assert found.mean_class == 50.0


def test_accuracy_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no test clips"):
        accuracy(torch.zeros(0, 3, dtype=torch.long), torch.zeros(0, dtype=torch.long))
