"""Which device a process takes."""

from pathlib import Path

import pytest
import torch

from kinestream.distributed.launch import device_named
from kinestream.recipes import Recipe
from kinestream.train.pretrain import pretrain


def test_a_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named("auto") == device_named("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="no CUDA device here: leave --device out, or give cpu"):
        device_named("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (device_named("auto").type, device_named("cuda").type, device_named("cpu").type) == ("cuda", "cuda", "cpu")


def test_a_training_that_has_no_gpu_begins_nothing(
    small_recipe: Recipe, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA device here"):
        pretrain(small_store, small_recipe, out=tmp_path / "run", device="cuda")
    assert not (tmp_path / "run").exists()
