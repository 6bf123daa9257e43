"""Runs judged by training clips alone: what stands against what, and that no test clip is looked at."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks import among_training_clips
from tests.stores import write_small_run

from kinestream.data.datasets import load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Source
from kinestream.data.store import Store, StoreWriter


def store_of_two_persons(path: Path, *, seed: int, hidden: float) -> Path:
    """Each of two persons does each of two actions nine times, three by each of three cameras; the clips of the third,
    which are for testing, have `hidden` in them."""
    path.mkdir()
    dataset, rng = load_dataset("nw-ucla"), np.random.default_rng(seed)
    with StoreWriter(path, dataset.format.layout, dataset.most_bodies) as writer:
        for number in range(36):
            action, person, camera = number % 2 + 1, number // 2 % 2 + 1, number // 4 % 3 + 1
            joints = rng.normal(0, 0.01, (20, 1, 20, 3)) + (hidden if camera == 3 else 0)
            joints[:, 0, 4:8, 1] += np.linspace(0, 1 if action == 1 else -1, 20)[:, None]
            name = f"a{action:02}_s{person:02}_e{number:02}_v{camera:02}"
            source = Source(
                path=Path(name), name=name, action=action, subject=person, camera=camera, setup=1, repetition=number
            )
            writer.add(source, joints.astype(np.float32))
        writer.finish(dataset, PREPARATIONS["tracked"], excluded=0, rejected=0)
    return path


def test_cameras_and_persons_stand_against_each_other() -> None:
    cameras, odd = np.array([1, 1, 2, 2, 2]), np.array([True, False, True, False, False])
    sides = {
        name: [(np.flatnonzero(train).tolist(), np.flatnonzero(test).tolist()) for train, test in pairs]
        for name, pairs in among_training_clips._sides(cameras, odd)
    }
    assert sides == {
        "another camera, the same persons": [([0, 1], [2, 3, 4]), ([2, 3, 4], [0, 1])],
        "another camera, other persons": [([0], [3, 4]), ([1], [2]), ([2], [1]), ([3, 4], [0])],
        "all cameras, other persons": [
            ([0, 2], [1]),
            ([0, 2], [3, 4]),
            ([1, 3, 4], [0]),
            ([1, 3, 4], [2]),
        ],
    }
    for one in ((np.ones(5), odd), (cameras, np.zeros(5, dtype=bool))):
        with pytest.raises(
            ValueError, match="of several cameras, and of persons of odd and of even number, are needed"
        ):
            list(among_training_clips._sides(*one))


def test_no_test_clip_is_looked_at(tmp_path: Path) -> None:
    found = []
    for hidden in (0.0, 5.0):
        store = store_of_two_persons(tmp_path / f"store-{hidden:g}", seed=0, hidden=hidden)
        run = write_small_run(tmp_path / f"run-{hidden:g}", store, "joint", "bone")
        assert len(Store(store).select("xview", "train")) == 24
        found.append(among_training_clips.main(store, [run])[str(run)])
    assert found[0] == found[1]
    for by in ("whitened by clips", "whitened by neighbours"):
        for figures in found[0][by].values():
            assert set(figures) == {"1-NN", "linear", "fused"}
            assert all(50 < value <= 100 for value in figures.values()), "better than by chance"
