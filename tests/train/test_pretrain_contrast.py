"""Training with a queue: what it holds and which stage it is in survive an interruption."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.runs import stopped_is_the_same, train

from kinestream.methods.aimclr import AimCLR, AimCLRSettings
from kinestream.methods.dense import DenseSettings
from kinestream.methods.method import MethodSettings
from kinestream.methods.momentum_contrast import MomentumContrast, MomentumContrastSettings
from kinestream.methods.nt_xent import NTXentSettings
from kinestream.methods.soft_alignment import SoftAlignment
from kinestream.methods.tranclr import TranCLR, TranCLRSettings
from kinestream.methods.vicreg import VICRegSettings
from kinestream.models.stgcn import STGCNSettings
from kinestream.recipes import Recipe
from kinestream.train.run_folder import read_metrics

HEAD = {"hidden": 8, "embedding": 6}
CROSCLR = MomentumContrastSettings(name="crosclr", queue=20, cross_epoch=1, decay=0.9, **HEAD)
AIMCLR = AimCLRSettings(queue=20, mining_epoch=1, decay=0.9, **HEAD)


@pytest.mark.parametrize(
    ("settings", "streams", "learner", "stage_2"),
    [
        (CROSCLR, ("joint", "motion", "bone"), MomentumContrast, "mined/shared"),
        (AIMCLR, ("joint",), AimCLR, "mined/joint"),
    ],
    ids=["crosclr", "aimclr"],
)
def test_resuming_with_a_queue_is_exact_in_both_stages(
    small_recipe: Recipe,
    small_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: MethodSettings,
    streams: Any,
    learner: type[Any],
    stage_2: str,
) -> None:
    """Stopped once in each of three epochs; the queue of 20 keys, batches of 8, wraps in the middle of a batch."""
    recipe = dataclasses.replace(small_recipe, streams=streams, method=settings)
    train(recipe, small_store, tmp_path / "whole")
    epochs = [line for line in read_metrics(tmp_path / "whole" / "metrics.jsonl") if line["kind"] == "epoch"]
    assert [stage_2 in line for line in epochs] == [False, True, True]
    state = torch.load(tmp_path / "whole" / "last.ckpt", weights_only=True)["method"]
    assert state["networks.joint.queue.ring"].shape == (20, 6)
    assert int(state["networks.joint.queue.pointer"]) == 9 * 8 % 20
    stopped_is_the_same(learner, recipe, small_store, tmp_path / "whole", tmp_path / "stopped", monkeypatch)


def test_resuming_with_mixtures_is_exact(
    small_recipe: Recipe, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = TranCLRSettings(bank=20, alignment=SoftAlignment(nearest=5), decay=0.9, **HEAD)
    recipe = dataclasses.replace(small_recipe, method=settings, streams=("joint", "bone"))
    train(recipe, small_store, tmp_path / "whole")
    lines = read_metrics(tmp_path / "whole" / "metrics.jsonl")
    assert {"intra/joint", "inter/bone", "cross/joint", "spread/joint/queries"} <= set(lines[-1])
    stopped_is_the_same(TranCLR, recipe, small_store, tmp_path / "whole", tmp_path / "stopped", monkeypatch)


@pytest.mark.parametrize(
    "settings",
    [NTXentSettings(**HEAD), VICRegSettings(**HEAD), DenseSettings(**HEAD)],
    ids=["nt-xent", "vicreg", "dense"],
)
def test_in_batch_methods_train(
    small_recipe: Recipe, small_store: Path, tmp_path: Path, settings: MethodSettings
) -> None:
    watched = dataclasses.replace(small_recipe.monitor, collapse_spread=1.5, knn_every=1)
    recipe = dataclasses.replace(small_recipe, method=settings, epochs=1, monitor=watched)
    if isinstance(settings, DenseSettings):  # joints are kept apart
        recipe = dataclasses.replace(recipe, encoder=STGCNSettings(hidden=4, dim=8, initialisation="torch"))
    told = train(recipe, small_store, tmp_path / "run")
    line = read_metrics(tmp_path / "run" / "metrics.jsonl")[-1]
    assert line["loss"] == pytest.approx(line["loss/joint"])
    assert 0 <= line["knn/joint"] <= 100
    assert "have collapsed" in told[0]
    assert not any("method.target" in words for words in told), "only self-distillation has targets to whiten"
