import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinestream.evaluate.search import average_precision, retrieve
from kinestream.features.metrics import accuracy, ranked
from kinestream.features.neighbours import knn_ranking


def naive_ranking(gallery: list[list[float]], query: list[float]) -> list[int]:
    def cosine(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))

    return sorted(range(len(gallery)), key=lambda i: -cosine(gallery[i], query))


def naive_average_precision(right: list[bool]) -> float:
    precisions = [sum(right[: place + 1]) / (place + 1) for place, good in enumerate(right) if good]
    return sum(precisions) / len(precisions)


@given(seed=st.integers(0, 300))
def test_against_loops(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    gallery = torch.randn(14, 3, dtype=torch.float64, generator=generator)
    queries = torch.randn(6, 3, dtype=torch.float64, generator=generator)
    labels = torch.arange(14) % 3
    wanted = torch.randint(3, (6,), generator=generator)
    found = retrieve(gallery, labels, queries, wanted, classes=4, ks=(1, 5))
    precision, average = {1: 0.0, 5: 0.0}, 0.0
    for row in range(6):
        order = naive_ranking(gallery.tolist(), queries[row].tolist())
        assert found.nearest[row].tolist() == order[:5]
        right = [int(labels[i]) == int(wanted[row]) for i in order]
        for k in precision:
            precision[k] += 100 * sum(right[:k]) / k / 6
        average += 100 * naive_average_precision(right) / 6
    assert found.precision == pytest.approx(precision)
    assert found.mean_average_precision == pytest.approx(average)


def test_the_class_of_the_best_answer_is_that_of_the_nearest_neighbour() -> None:
    generator = torch.Generator().manual_seed(0)
    gallery, queries = torch.randn(300, 6, generator=generator), torch.randn(600, 6, generator=generator)
    labels, wanted = torch.arange(300) % 7, torch.arange(600) % 7
    found = retrieve(gallery, labels, queries, wanted, classes=8, ks=(1,))
    top1 = accuracy(ranked(found.class_scores), wanted).top1
    assert top1 == accuracy(knn_ranking(gallery, labels, queries, classes=8, k=1), wanted).top1
    assert top1 == pytest.approx(found.precision[1])


def test_average_precision_is_one_when_all_that_is_right_comes_first_and_nan_when_nothing_is() -> None:
    right = torch.tensor([[True, True, False, False], [False] * 4, [False, False, False, True]])
    found = average_precision(right)
    assert found[0] == 1
    assert found[1].isnan()
    assert found[2] == 0.25


def test_queries_of_a_class_that_nobody_has_do_not_count_for_the_mean() -> None:
    found = retrieve(torch.eye(2), torch.tensor([0, 1]), torch.eye(2), torch.tensor([0, 5]), classes=6, ks=(1,))
    assert found.mean_average_precision == 100
    assert found.precision[1] == 50


@pytest.mark.parametrize("k", [0, 3])
def test_more_answers_than_there_are_clips_are_refused(k: int) -> None:
    with pytest.raises(ValueError, match=rf"k \({k}\) must be in 1..2"):
        retrieve(torch.eye(2), torch.tensor([0, 1]), torch.eye(2), torch.tensor([0, 1]), classes=2, ks=(k,))


@given(seed=st.integers(0, 300))
def test_clips_of_the_same_person_are_left_out(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    gallery = torch.randn(14, 3, dtype=torch.float64, generator=generator)
    queries = torch.randn(6, 3, dtype=torch.float64, generator=generator)
    labels, wanted = torch.arange(14) % 3, torch.randint(3, (6,), generator=generator)
    people, asking = torch.arange(14) % 4, torch.arange(6) % 5
    found = retrieve(gallery, labels, queries, wanted, classes=4, ks=(1, 5), people=(people, asking))
    precision, average = {1: 0.0, 5: 0.0}, 0.0
    for row in range(6):
        others = [i for i in range(14) if int(people[i]) != int(asking[row])]
        order = [others[i] for i in naive_ranking(gallery[others].tolist(), queries[row].tolist())]
        assert found.nearest[row].tolist() == order[:5]
        right = [int(labels[i]) == int(wanted[row]) for i in order]
        for k in precision:
            precision[k] += 100 * sum(right[:k]) / k / 6
        average += 100 * naive_average_precision(right) / 6
    assert found.precision == pytest.approx(precision)
    assert found.mean_average_precision == pytest.approx(average)
    top1 = accuracy(ranked(found.class_scores), wanted).top1
    assert top1 == pytest.approx(found.precision[1])


def test_too_few_clips_of_other_people_are_refused() -> None:
    people = (torch.tensor([1, 1, 2]), torch.tensor([1]))
    with pytest.raises(ValueError, match=r"k \(2\) must be in 1..1, the training clips of other people"):
        retrieve(torch.eye(3), torch.arange(3), torch.eye(3)[:1], torch.tensor([0]), classes=3, ks=(2,), people=people)
