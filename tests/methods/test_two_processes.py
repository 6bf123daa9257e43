"""Two processes with half a batch each are one process with the whole: losses, weights, queues, pseudo-positives."""

from typing import Any

import pytest
import torch
from tests.methods import two_processes
from torch import multiprocessing

from kinestream.distributed.collectives import gather_rows, mean_over_processes

EXACT = (
    "loss",
    "agreement",
    "distribution",
    "spread",
    "intra",
    "inter",
    "cross",
    "mixture",
    "instance",
    "time",
    "joints",
)


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("two")
    multiprocessing.spawn(two_processes.work, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("name", two_processes.METHODS)
def test_two_processes_are_one(name: str, of_two: list[dict[str, Any]]) -> None:
    """Batch normalisation in training mode, no dropout."""
    numbers, positives, state = two_processes.train(name)
    initial = two_processes.METHODS[name]().double().state_dict()
    changed = [key for key, value in state.items() if not torch.equal(value, initial[key])]
    assert len(changed) > 40, "it learns"
    for of_one_rank in of_two:
        found, _, weights = of_one_rank[name]
        for step, terms in enumerate(numbers):
            for term, value in terms.items():
                # Shares that are counted for the log are in single precision.
                close = 1e-8 if term.startswith(EXACT) else 1e-6
                assert found[step][term] == pytest.approx(value, rel=close, abs=1e-12), (step, term)
        assert set(weights) == set(state)
        for key, value in state.items():
            torch.testing.assert_close(
                weights[key], value, rtol=1e-8, atol=1e-10, msg=lambda text, key=key: f"{key}: {text}"
            )
    for step, expected in enumerate(positives):
        rows = [of_one_rank[name][1][step] for of_one_rank in of_two]
        if expected is None:
            assert rows == [None, None]
        else:
            assert torch.equal(torch.cat(rows), expected)
    if "networks.joint.queue.ring" in state:
        rings = [found[name][2]["networks.joint.queue.ring"] for found in of_two]
        assert torch.equal(*rings)
        assert int(state["networks.joint.queue.pointer"]) == 18 % 10


def test_stage_2_finds_positives_beyond_the_diagonal() -> None:
    numbers, positives, _ = two_processes.train("caca, then 3s-caca")
    assert [found is None for found in positives] == [True, False, False]
    assert any(0 < terms["positives/beyond"] < 5 for terms in numbers[1:])
    assert any(terms["outvoted/joint"] > 0 for terms in numbers[1:])


def test_batch_normalisation_of_two_processes_is_that_of_one(of_two: list[dict[str, Any]]) -> None:
    expected = two_processes.normalise()
    halves = [found["normalise"] for found in of_two]
    for name, value in expected.items():
        if name.endswith((" y", " gradient")):
            found = torch.cat([half[name] for half in halves], dim=4)
            torch.testing.assert_close(found, value, rtol=1e-11, atol=1e-12)
        else:
            for half in halves:
                torch.testing.assert_close(half[name], value, rtol=1e-11, atol=1e-12)


def test_one_process_gathers_nothing() -> None:
    rows = torch.randn(3, 2, requires_grad=True)
    assert gather_rows(rows) is rows
    assert not mean_over_processes(rows).requires_grad
