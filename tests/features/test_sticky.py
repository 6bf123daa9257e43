"""The cheapest sticky path against all paths, and step by step."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.features.sticky import StickyWalker, sticky_path, with_nobody

seeds = st.integers(0, 10_000)


def total(path: tuple[int, ...] | list[int], costs: np.ndarray, switch: float) -> float:
    changes = sum(a != b for a, b in pairwise(path))
    return sum(costs[step, state] for step, state in enumerate(path)) + switch * changes


@given(seeds, st.sampled_from([0.0, 0.3, 1.0, 50.0]))
def test_no_path_is_cheaper(seed: int, switch: float) -> None:
    rng = np.random.default_rng(seed)
    costs = rng.random((int(rng.integers(1, 7)), 3))
    costs[rng.random(costs.shape) < 0.2] = np.inf
    costs[np.isinf(costs).all(axis=1), 0] = 0.5
    found = sticky_path(costs, switch).tolist()
    best = min(total(path, costs, switch) for path in product(range(3), repeat=len(costs)))
    assert total(found, costs, switch) == pytest.approx(best)


@given(seeds, st.integers(0, 12))
def test_what_was_decided_with_so_many_steps_to_come_is_the_path_of_what_had_come(seed: int, lag: int) -> None:
    rng = np.random.default_rng(seed)
    costs = rng.random((12, 3))
    walker, told = StickyWalker(3, 0.4), []
    for count, row in enumerate(costs, start=1):
        walker.step(row)
        walker.forget(lag)
        if count > lag:
            told.append(walker.state_before(lag))
            assert told[-1] == sticky_path(costs[:count], 0.4)[count - 1 - lag]
    assert len(told) == max(0, 12 - lag)


def test_memory_does_not_grow_with_time() -> None:
    walker = StickyWalker(2, 1.0)
    for _ in range(500):
        walker.step(np.array([0.0, 1.0]))
        walker.forget(4)
    assert len(walker) == 5
    assert walker.state_before(4) == 0


def test_nobody_is_a_state_of_its_own() -> None:
    costs = with_nobody(np.zeros((4, 2)), np.array([True, False, False, True]))
    assert sticky_path(costs, 100.0).tolist() == [0, 2, 2, 0]


@pytest.mark.parametrize(
    ("costs", "switch", "reason"),
    [
        ([[0.0, np.nan]], 1.0, "step 0"),
        ([[0.0, 1.0], [np.inf, np.inf]], 1.0, "step 1"),
        ([[0.0, 1.0]], -1.0, "a change that costs -1"),
        ([[0.0, 1.0]], np.inf, "a change that costs inf"),
    ],
)
def test_what_is_no_problem_to_solve(costs: list[list[float]], switch: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        sticky_path(np.array(costs), switch)


def test_nothing_to_decide() -> None:
    with pytest.raises(ValueError, match="no steps"):
        sticky_path(np.zeros((0, 2)), 1.0)
