"""The area under the ROC curve against counting, and movements done correctly or not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.stores import write_small_run

from kinestream import evaluate
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Source
from kinestream.data.split import Split
from kinestream.data.store import StoreWriter
from kinestream.evaluate.movements import auc, find_pairs, movement_auc, nearness
from kinestream.evaluate.settings import CorrectnessSettings
from kinestream.skeleton.layout import KINECT20


def counted(scores: list[float], positive: list[bool]) -> float:
    pairs = [
        (p, n)
        for p, yes in zip(scores, positive, strict=True)
        if yes
        for n, no in zip(scores, positive, strict=True)
        if not no
    ]
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=30))
def test_auc_is_the_share_of_pairs_in_order(drawn: list[tuple[int, bool]]) -> None:
    scores, positive = [float(score) for score, _ in drawn], [yes for _, yes in drawn]
    if len(set(positive)) < 2:
        with pytest.raises(ValueError, match="needs positives and negatives"):
            auc(np.array(scores), np.array(positive))
    else:
        assert auc(np.array(scores), np.array(positive)) == pytest.approx(counted(scores, positive))


@given(seed=st.integers(0, 100), k=st.integers(1, 9))
def test_a_movement_by_loops(seed: int, k: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    train, test = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (12, 10))
    train_labels, test_labels = torch.arange(12) % 3, torch.arange(10) % 3

    def near(query: np.ndarray, label: int) -> float:
        rows = train[train_labels == label].numpy()
        cosines = sorted(
            (float(query @ row / np.linalg.norm(query) / np.linalg.norm(row)) for row in rows), reverse=True
        )
        return float(np.mean(cosines[:k]))

    asked = [i for i in range(10) if test_labels[i] in (0, 2)]
    wrong = [bool(test_labels[i] == 2) for i in asked]
    rows = [test[i].numpy() for i in asked]
    expected = counted([-near(row, 0) for row in rows], wrong)
    both = counted([near(row, 2) - near(row, 0) for row in rows], wrong)
    assert movement_auc(train, train_labels, test, test_labels, (0, 2), k) == pytest.approx((expected, both))
    assert movement_auc(train, train_labels % 2, test, test_labels, (0, 2), k)[1] is None
    assert nearness(test, train, 1).max() <= 1 + 1e-9


@dataclass(frozen=True)
class Exercises:
    """What a store tells of them."""

    name: str = "exercises"
    title: str = "Exercises"
    classes: tuple[str, ...] = ("squat", "lunge", "squat incorrect", "lunge incorrect", "rest")
    splits: Mapping[str, Split] = field(
        default_factory=lambda: {
            "unseen": Split(
                name="unseen", title="by person", field="subject", train=frozenset({1, 2, 3}), published=None
            )
        }
    )


@pytest.fixture
def exercises(tmp_path: Path) -> Path:
    """Two movements by four people; done wrongly, an arm goes another way."""
    path, rng = tmp_path / "store", np.random.default_rng(0)
    path.mkdir()
    postures = rng.normal(0, 0.4, (2, 20, 3))

    with StoreWriter(path, KINECT20, 1) as writer:
        for number in range(48):
            label, person = number % 4, number // 4 % 4 + 1
            joints = postures[label % 2] + rng.normal(0, 0.02, (20, 20, 3)) + rng.normal(0, 0.05, (1, 20, 3))
            joints[:, 4:8, 1] += np.linspace(0, 1.5 if label >= 2 else 0.1, 20)[:, None]
            name = f"r{number:02}"
            source = Source(path=Path(name), name=name, action=label + 1, subject=person, camera=1, repetition=number)
            writer.add(source, joints[:, None].astype(np.float32))
        writer.finish(Exercises(), PREPARATIONS["tracked"], excluded=0, rejected=0)
    return path


def test_what_is_done_wrongly_is_told_from_what_is_done_right(exercises: Path, tmp_path: Path) -> None:
    run = write_small_run(tmp_path / "run", exercises, dataset="exercises", split="unseen")
    result = evaluate.correctness(run, exercises, split="unseen")
    raw = result.rows[-1]
    assert raw.kind == "raw"
    assert raw.top1 == 100
    assert raw.extra["auc_with_incorrect"] == 100
    assert len(raw.hits) == result.settings["movements"] == 2
    shares = raw.accuracy.per_class.tolist()
    assert shares[:2] == [100, 100]
    assert all(share != share for share in shares[2:]), "a movement is named after its correct performances"
    _, predictions, _ = result.save()
    assert predictions.read_text().splitlines()[1].startswith("squat,")
    assert "AUC %" in str(result)


def test_classes_that_are_not_called_so_are_refused(run: Path, small_store: Path) -> None:
    with pytest.raises(
        ValueError, match=r"no class is called as --incorrect '\{\} incorrect' says, .*: there are pick up"
    ):
        evaluate.correctness(run, small_store)
    assert find_pairs(("a", "not a", "b"), "not {}") == [(0, 1)]
    for wrong in ("incorrect", "{}", "{} {}"):
        with pytest.raises(ValueError, match=r"it needs \{\} once"):
            CorrectnessSettings(incorrect=wrong)
    with pytest.raises(ValueError, match="--k 0: 1 or more"):
        CorrectnessSettings(k=0)


def test_people_who_are_never_asked_about_themselves_find_the_same_with_others_alone(
    exercises: Path, tmp_path: Path, run: Path, small_store: Path
) -> None:
    learnt = write_small_run(tmp_path / "learnt", exercises, dataset="exercises", split="unseen")
    options = {"split": "unseen", "k": (3,)}
    plain, others = (evaluate.retrieval(learnt, exercises, **options, other_people=only) for only in (False, True))
    assert [row.top1 for row in others.rows] == [row.top1 for row in plain.rows]
    assert others.settings["gallery"] == "training clips of other people"
    with pytest.raises(ValueError, match=r"k \(10\) must be in 1..0, the training clips of other people"):
        evaluate.retrieval(run, small_store, other_people=True)
