"""A run whose features are whitened, and recordings to use it on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.stores import write_small_run

import kinestream as ks
from kinestream.use.model import Model

KINECT = ks.layouts.load("kinect20")


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, small_store: Path) -> Path:
    """Two streams, read from two sides and whitened."""
    readout = {"turns": 2, "whitening": 0.5, "whitened_by": "clips"}
    return write_small_run(tmp_path_factory.mktemp("use") / "run", small_store, "joint", "bone", readout=readout)


@pytest.fixture(scope="session")
def model(run: Path, device: torch.device) -> Model:
    return ks.load(run, device="cuda" if device.type == "cuda" else "cpu")


def movement(seed: int, frames: int = 40, people: int = 1) -> np.ndarray:
    """Bodies `(t, m, v, c)` that stand in a row, each with an arm that goes up and down at its own pace."""
    rng = np.random.default_rng(seed)
    stance = rng.normal(0, 0.05, (20, 3)) + np.stack([np.zeros(20), np.linspace(0, 1.7, 20), np.zeros(20)], 1)
    joints = np.tile(stance, (frames, people, 1, 1))
    for person in range(people):
        joints[:, person, :, 0] += person
        joints[:, person, 4:8, 1] += 0.4 * np.sin(np.linspace(0, rng.uniform(4, 20), frames))[:, None]
        joints[:, person, 4:8, 0] -= 0.3
    return joints


@pytest.fixture
def moves() -> list[ks.Recording]:
    """Twelve, of 30 to 52 frames at 10 a second; every third has two people."""
    return [
        ks.Recording(
            movement(seed, 30 + 2 * seed, 1 + (seed % 3 == 2)),
            KINECT,
            fps=10,
            name=f"move-{seed:02}",
            subject=seed % 4,
            label=seed % 2,
        )
        for seed in range(12)
    ]


@pytest.fixture
def files(tmp_path: Path, moves: list[ks.Recording]) -> Path:
    """The same as `.npy` files."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for one in moves:
        np.save(folder / f"{one.name}.npy", one.joints)
    return folder
