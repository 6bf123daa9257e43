"""Two processes with half a batch each are one process with the whole: losses, weights, queues."""

from typing import Any

import pytest
import torch
from tests.methods import two_processes
from torch import multiprocessing

from kinestream.processes import gather_rows, mean_over_processes


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("two")
    multiprocessing.spawn(two_processes.work, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("name", two_processes.METHODS)
def test_two_processes_are_one(name: str, of_two: list[dict[str, Any]]) -> None:
    losses, state = two_processes.train(name)
    initial = two_processes.METHODS[name]().double().state_dict()
    changed = [key for key, value in state.items() if not torch.equal(value, initial[key])]
    assert len(changed) > 40, "it learns"
    for of_one_rank in of_two:
        found, weights = of_one_rank[name]
        assert found == pytest.approx(losses, rel=1e-9)
        assert set(weights) == set(state)
        for key, value in state.items():
            torch.testing.assert_close(
                weights[key], value, rtol=1e-8, atol=1e-10, msg=lambda text, key=key: f"{key}: {text}"
            )
    if "networks.joint.queue.ring" in state:
        rings = [found[name][1]["networks.joint.queue.ring"] for found in of_two]
        assert torch.equal(*rings)
        assert int(state["networks.joint.queue.pointer"]) == 30 % 10


def test_one_process_gathers_nothing() -> None:
    rows = torch.randn(3, 2, requires_grad=True)
    assert gather_rows(rows) is rows
    assert not mean_over_processes(rows).requires_grad
