"""Which device a process takes."""

from pathlib import Path

import pytest
import torch

from kinestream.distributed.devices import make_fabric, set_tf32
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


@pytest.mark.parametrize("way", ["one device", "a command's processes"])
def test_convolutions_on_a_gpu_are_exact_unless_a_training_says_otherwise(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)  # torch's own default
    if way == "one device":
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        device_named("auto")
    else:
        make_fabric("cpu")
    assert not torch.backends.cudnn.allow_tf32
    set_tf32(allowed=True)
    assert torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "high"
    set_tf32(allowed=False)
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_training_that_has_no_gpu_begins_nothing(
    small_recipe: Recipe, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA device here"):
        pretrain(small_store, small_recipe, out=tmp_path / "run", device="cuda")
    assert not (tmp_path / "run").exists()
