"""Trainings in tests, and what makes two of them the same."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from kinestream.models.encoder_file import load_encoder, weights_hash
from kinestream.recipes import Recipe
from kinestream.train.pretrain import pretrain
from kinestream.train.run_folder import read_metrics


def train(recipe: Recipe, store: Path, out: Path, **options: Any) -> list[str]:
    """Trains on the CPU, and returns what the user was told."""
    told: list[str] = []
    pretrain(store, recipe, out=out, name="small", device="cpu", notice=told.append, **options)
    return told


def stopped_is_the_same(
    learner: type, recipe: Recipe, store: Path, whole: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training, told to stop within each of three epochs and taken up again, ends as the one in `whole` did."""
    after_step = learner.after_step  # type: ignore[attr-defined]

    def stop_in_the_middle(self: Any, progress: Any) -> None:
        after_step(self, progress)
        if progress.step % 3 == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(learner, "after_step", stop_in_the_middle)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            train(recipe, store, out, resume=True)
    train(recipe, store, out, resume=True)
    same_run(whole, out)


def without_times(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def same_run(a: Path, b: Path) -> None:
    """Bit for bit: weights, optimiser, log."""
    first, second = (torch.load(path / "last.ckpt", weights_only=True) for path in (a, b))
    for part in ("method", "optimizer"):
        assert str(first[part]) == str(second[part])
    for name, value in first["method"].items():
        assert torch.equal(value, second["method"][name]), name
    momenta = [state["optimizer"]["state"] for state in (first, second)]
    for key, entries in momenta[0].items():
        for name, value in entries.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(momenta[1][key][name])), (key, name)
    assert without_times(read_metrics(a / "metrics.jsonl")) == without_times(read_metrics(b / "metrics.jsonl"))
    assert weights_hash(load_encoder(a / "encoder-joint.safetensors")[0]) == weights_hash(
        load_encoder(b / "encoder-joint.safetensors")[0]
    )
