"""Training and features on two processes are those of one, whatever happens to the processes in between.

In double precision, where the order of sums does not show; without dropout, which is each process's own.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tests.runs import without_times
from tests.stores import SMALL, write_pairs

from kinestream.cli import main
from kinestream.data.store import Store
from kinestream.train.run_folder import read_metrics

EPOCHS = 4


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory, small_store: Path) -> list[str]:
    # A small rate: a large one makes much of the last digit, step by step.
    changed = {"epochs": EPOCHS, "optimiser": {"name": "sgd", "rate": 0.005}, "monitor": {"knn_every": 1}}
    recipe = {**SMALL, **changed, "encoder": {**SMALL["encoder"], "dropout": 0.0}, "partner": 0.5}
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(yaml.safe_dump(recipe))
    store, pairs = Store(small_store), path.with_name("pairs.csv")
    names = [store.table.name[index] for index in store.select("xview", "train")]
    write_pairs(pairs, [(first, second) for first in names[:12] for second in names[12:]])
    words = ["pretrain", str(path), "--data", str(small_store), "--pairs", str(pairs)]
    return [*words, "--device", "cpu", "--precision", "64-true"]


@pytest.fixture(scope="module")
def one(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    out = tmp_path_factory.mktemp("one") / "run"
    assert main([*words, "--out", str(out)]) == 0
    return out


def same_training(a: Path, b: Path) -> None:
    lines = [without_times(read_metrics(run / "metrics.jsonl")) for run in (a, b)]
    assert len(lines[0]) == len(lines[1]) == 4 * EPOCHS
    for first, second in zip(*lines, strict=True):
        assert first.pop("kind") == second.pop("kind")
        assert first == pytest.approx(second, rel=1e-6, abs=1e-9)
    states = [torch.load(run / "last.ckpt", weights_only=True) for run in (a, b)]
    assert states[0]["method"].keys() == states[1]["method"].keys()
    for name, value in states[0]["method"].items():
        torch.testing.assert_close(value, states[1]["method"][name], rtol=1e-6, atol=1e-9, msg=name)


def begin(words: list[str], out: Path) -> tuple["subprocess.Popen[str]", list[int]]:
    """A training on two processes that has saved since, and the processes."""
    saved = (out / "last.ckpt").stat().st_mtime_ns if (out / "last.ckpt").exists() else 0
    command = [sys.executable, "-m", "kinestream", *words, "--out", str(out), "--devices", "2"]
    launcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while launcher.poll() is None:
        if (out / "last.ckpt").exists() and (out / "last.ckpt").stat().st_mtime_ns > saved:
            break
        time.sleep(0.01)
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    return launcher, [int(child) for child in children]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the processes in /proc")
def test_two_processes_killed_then_stopped_then_one_make_the_run_of_one(
    one: Path, words: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    launcher, workers = begin(words, out)
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    _, errors = launcher.communicate()
    assert launcher.returncode == 1
    assert errors.count("process 1 of 2 was ended by SIGKILL, and the others with it; what was written is whole") == 1
    assert "Traceback" not in errors
    assert 0 < torch.load(out / "last.ckpt", weights_only=True)["position"]["epoch"] < EPOCHS

    launcher, workers = begin([*words, "--resume"], out)
    os.kill(workers[1], signal.SIGTERM)  # one of the two is told, both stop and the first one saves
    _, errors = launcher.communicate()
    assert launcher.returncode == 130, errors
    assert "stopped and saved; go on with the same command and --resume" in errors
    assert "Traceback" not in errors
    assert 1 < torch.load(out / "last.ckpt", weights_only=True)["position"]["epoch"] < EPOCHS

    assert main([*words, "--out", str(out), "--resume"]) == 0
    same_training(one, out)
    assert {path.name for path in out.iterdir()} == {path.name for path in one.iterdir()}


def test_features_of_two_processes_are_those_of_one_to_the_bit(one: Path, small_store: Path) -> None:
    words = ["features", str(one), "--data", str(small_store), "--device", "cpu"]
    made = []
    for processes in ("2", "1"):
        assert main([*words, "--devices", processes]) == 0
        made.append({path.name: np.load(path) for path in (one / "features").iterdir()})
        for path in (one / "features").iterdir():
            path.unlink()
    assert len(made[0]) == 2, "of the run and of the untrained encoder"
    assert made[0].keys() == made[1].keys()
    for name, features in made[0].items():
        assert len(features) == 40
        assert np.array_equal(features, made[1][name])
        assert np.ptp(features, axis=0).max() > 0
