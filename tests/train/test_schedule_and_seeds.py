import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.train.schedule import make_schedule
from kinestream.train.seeds import derive_seed


def test_constant_is_constant() -> None:
    schedule = make_schedule("constant", epochs=10)
    assert {schedule(done) for done in (0.0, 3.5, 9.99)} == {1.0}


def test_step_falls_after_each_milestone() -> None:
    schedule = make_schedule("step", epochs=300, milestones=[100, 250], factor=0.5)
    assert [schedule(done) for done in (0.0, 99.9, 100.0, 249.9, 250.0, 299.0)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


@given(epochs=st.integers(3, 400), warmup=st.floats(0.1, 2.9))
def test_cosine_rises_evenly_then_falls_to_nothing(epochs: int, warmup: float) -> None:
    schedule = make_schedule("cosine", epochs=epochs, warmup_epochs=warmup)
    assert schedule(0.0) == 0
    assert schedule(warmup / 2) == pytest.approx(0.5)
    assert schedule(warmup) == pytest.approx(1.0)
    assert schedule((warmup + epochs) / 2) == pytest.approx(0.5)
    assert schedule(float(epochs)) == pytest.approx(0.0, abs=1e-12)
    middle = warmup + 0.25 * (epochs - warmup)
    assert schedule(middle) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))


@pytest.mark.parametrize("warmup", [-1.0, 10.0])
def test_refuses_a_warm_up_that_does_not_fit(warmup: float) -> None:
    with pytest.raises(ValueError, match=r"must be in \[0, epochs\), epochs is 10"):
        make_schedule("cosine", epochs=10, warmup_epochs=warmup)


def test_seeds_of_different_places_differ_and_of_the_same_do_not() -> None:
    places = [(seed, what, step) for seed in range(20) for what in ("order", "step") for step in range(200)]
    seeds = [derive_seed(seed, what, step) for seed, what, step in places]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [derive_seed(seed, what, step) for seed, what, step in places]
    assert all(0 <= seed < 2**63 for seed in seeds)
    # "1" and "2/3" must not meet "1/2" and "3".
    assert derive_seed(0, 1, 23) != derive_seed(0, 12, 3)
