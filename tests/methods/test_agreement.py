"""Agreement of streams against loops that spell the rules out."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinestream.methods.agreement import (
    StreamSimilarities,
    agreement_loss,
    cosine_similarities,
    stream_label,
    top_marks,
    vote,
    watched,
    watched_by_labels,
)


def similarities(seed: int, batch: int = 7) -> torch.Tensor:
    return torch.rand(batch, batch, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


def naive_top(rows: list[list[float]], k: int) -> list[list[bool]]:
    marks = []
    for i, row in enumerate(rows):
        largest = sorted(range(len(row)), key=lambda j: -row[j])[:k]
        marks.append([j in largest or j == i for j in range(len(row))])
    return marks


@given(seed=st.integers(0, 300), k=st.integers(1, 7))
def test_top_marks_and_label(device: torch.device, seed: int, k: int) -> None:
    first, second = similarities(seed).to(device), similarities(seed + 1000).to(device)
    expected = [naive_top(similarity.tolist(), k) for similarity in (first, second)]
    assert top_marks(first, k).tolist() == expected[0]
    label = stream_label(StreamSimilarities(first=first, second=second), k)
    assert label.tolist() == [[a and b for a, b in zip(*rows, strict=True)] for rows in zip(*expected, strict=True)]
    assert label.diagonal().all()


@given(seed=st.integers(0, 300), streams=st.integers(1, 4))
def test_the_vote_is_a_majority(seed: int, streams: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = [torch.rand(5, 5, generator=generator) < 0.5 for _ in range(streams)]
    found = vote(labels)
    for i in range(5):
        for j in range(5):
            assert bool(found[i, j]) == (sum(bool(label[i, j]) for label in labels) > streams / 2)


@given(seed=st.integers(0, 300))
def test_the_loss(device: torch.device, seed: int) -> None:
    similarity = similarities(seed).to(device)
    positives = torch.rand(7, 7, generator=torch.Generator().manual_seed(seed)) < 0.4
    total = 0.0
    for row, marks in zip(similarity.tolist(), positives.tolist(), strict=True):
        normaliser = math.log(sum(math.exp(value) for value in row))
        total -= sum(value - normaliser for value, mark in zip(row, marks, strict=True) if mark)
    assert agreement_loss(similarity, positives.to(device)).item() == pytest.approx(total / 7)


def test_similarities_are_cosines() -> None:
    generator = torch.Generator().manual_seed(0)
    q, z = torch.randn(4, 3, generator=generator), torch.randn(4, 3, generator=generator)
    found = cosine_similarities(q, z)
    for i in range(4):
        for j in range(4):
            expected = torch.nn.functional.cosine_similarity(q[i], z[j], dim=0)
            assert found[i, j].item() == pytest.approx(expected.item(), abs=1e-6)


def test_what_is_watched() -> None:
    own = torch.eye(3, dtype=torch.bool)
    joint, bone = own.clone(), own.clone()
    joint[0, 1] = joint[0, 2] = True
    bone[0, 1] = True
    positives = vote([joint, bone, own])
    found = watched({"joint": joint, "bone": bone, "motion": own}, positives)
    assert found["positives/beyond"].item() == pytest.approx(1 / 3)
    assert found["outvoted/joint"].item() == pytest.approx(1 / 2)
    assert found["outvoted/bone"].item() == 0
    assert found["outvoted/motion"].item() == 0


def test_what_labels_say_of_the_pseudo_positives_counted_by_hand() -> None:
    classes = torch.tensor([0, 0, 1, 1, 2])
    positives = torch.eye(5, dtype=torch.bool)
    positives[0, 1] = positives[1, 2] = positives[3, 2] = positives[4, 0] = True
    found = watched_by_labels(positives, classes)
    right = sum(
        bool(positives[i, j]) and classes[i] == classes[j] for i in range(5) for j in range(5) if i != j
    )  # 0-1 and 3-2
    assert found["by_labels/right"].item() == pytest.approx(right / 5) == pytest.approx(0.4)
    assert found["by_labels/chance"].item() == pytest.approx(4 / 20)


@pytest.mark.parametrize("k", [0, 8])
def test_refuses_more_marks_than_clips(k: int) -> None:
    with pytest.raises(ValueError, match=rf"k \({k}\) must be in 1..7"):
        top_marks(similarities(0), k)


def test_labels_carry_no_gradient() -> None:
    similarity = similarities(0).requires_grad_()
    label = stream_label(StreamSimilarities(first=similarity, second=similarity), 2)
    assert not label.requires_grad
    agreement_loss(similarity, label).backward()
    assert similarity.grad is not None


def test_rows_of_a_process_are_rows_of_the_batch() -> None:
    whole, classes = similarities(0), torch.tensor([0, 0, 1, 1, 2, 0, 1])
    marks = top_marks(whole, 2)
    parts = [top_marks(whole[rows], 2, rows.start) for rows in (slice(0, 3), slice(3, 7))]
    assert torch.equal(torch.cat(parts), marks)
    found = [watched_by_labels(part, classes, first) for part, first in zip(parts, (0, 3), strict=True)]
    for name, value in watched_by_labels(marks, classes).items():
        assert (3 * found[0][name] + 4 * found[1][name]).item() / 7 == pytest.approx(value.item())


def test_pseudo_labels_are_those_of_single_precision_under_autocast() -> None:
    torch.manual_seed(0)
    q, z = torch.randn(64, 128) + 2, torch.randn(64, 128) + 2
    exact = cosine_similarities(q, z)
    with torch.autocast("cpu", torch.bfloat16):
        found = cosine_similarities(q, z)
        rounded = torch.nn.functional.normalize(q, dim=1) @ torch.nn.functional.normalize(z, dim=1).T
    assert torch.equal(found, exact)
    assert not torch.equal(top_marks(rounded, 2), top_marks(exact, 2)), "else there is nothing to guard against"
