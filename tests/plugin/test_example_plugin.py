"""The example plug-in, as its users meet it: named by file, or installed."""

import dataclasses
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.runs import same_run, train

from kinestream import plugins
from kinestream.methods import METHODS
from kinestream.methods.method import Method
from kinestream.models import ENCODERS
from kinestream.models.encoder_file import load_encoder
from kinestream.recipes import Recipe
from kinestream.train.run_folder import Run, read_metrics

HERE = Path(__file__).parent
FILES = [HERE / "kinestream_example" / name for name in ("simsiam.py", "transformer.py")]


@pytest.fixture(scope="module", autouse=True)
def loaded() -> Iterator[None]:
    """Both files, for these tests alone: what others test knows nothing of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(plugins.VARIABLE, "")
        patch.setattr(plugins, "_loaded", set(plugins._loaded))
        for registry in (METHODS, ENCODERS):
            registry.values()  # what is built in is registered on import, once for all tests
            patch.setattr(registry, "_entries", dict(registry._entries))
        for file in FILES:
            plugins.add_plugin(str(file))
        yield


@pytest.fixture
def recipe(small_recipe: Recipe) -> Recipe:
    changes = {
        "streams": ["joint", "bone"],
        "method": {"name": "simsiam", "hidden": 16, "embedding": 8},
        "encoder": {"name": "tiny-transformer", "dim": 16, "heads": 2},
    }
    return Recipe.from_dict({**small_recipe.to_dict(), **changes}, "test")


def python(code: str, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != plugins.VARIABLE}
    return subprocess.run(
        [sys.executable, "-c", code, *words], env={**environment, **variables}, capture_output=True, text=True
    )


def test_it_trains_and_is_read_back(recipe: Recipe, small_store: Path, tmp_path: Path) -> None:
    train(recipe, small_store, tmp_path / "run")
    run = Run(tmp_path / "run")
    assert run.config().recipe == recipe
    losses = [line["loss"] for line in read_metrics(run.metrics) if line["kind"] == "epoch"]
    assert losses[-1] < losses[0] < 2
    for stream in recipe.streams:
        encoder, card = load_encoder(run.encoder(stream))
        assert (type(encoder).__name__, card.encoder) == ("TinyTransformer", recipe.encoder)
        clips = torch.randn(3, 3, 10, 20, 2)
        assert encoder(clips).shape == (3, 16)
        absent = torch.cat((clips[..., :1], torch.zeros_like(clips[..., :1])), dim=4)
        torch.testing.assert_close(encoder(absent), encoder(clips[..., :1]))


def test_resuming_is_exact(recipe: Recipe, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(recipe, small_store, tmp_path / "whole")
    learner: Any = sys.modules["kinestream_plugin_simsiam"].SimSiam

    def stop_in_the_middle(self: Any, progress: Any) -> None:
        if progress.step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(learner, "after_step", stop_in_the_middle)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, small_store, tmp_path / "stopped")
    train(recipe, small_store, tmp_path / "stopped", resume=True)
    same_run(tmp_path / "whole", tmp_path / "stopped")


def test_the_method_takes_every_encoder_and_the_encoder_every_method(recipe: Recipe, small_recipe: Recipe) -> None:
    from kinestream.skeleton.layout import KINECT20

    for one in (
        dataclasses.replace(small_recipe, method=recipe.method),
        dataclasses.replace(small_recipe, encoder=recipe.encoder),
    ):
        method = one.method.build(one.networks(KINECT20))
        assert isinstance(method, Method)
        method([{"joint": torch.randn(4, 3, 10, 20, 1)} for _ in range(2)])["loss"].backward()
        (encoder,) = method.encoders().values()
        assert all(parameter.grad is not None for parameter in encoder.parameters() if parameter.requires_grad)


def test_levels_hold_every_parameter_once(recipe: Recipe) -> None:
    from kinestream.skeleton.layout import KINECT20

    encoder = recipe.networks(KINECT20).encoder("joint")
    listed = [id(parameter) for level in encoder.levels() for parameter in level]
    assert sorted(listed) == sorted(id(parameter) for parameter in encoder.parameters())


def test_without_the_plug_in_a_card_and_a_run_name_what_is_missing(
    recipe: Recipe, small_store: Path, tmp_path: Path
) -> None:
    train(dataclasses.replace(recipe, epochs=1), small_store, tmp_path / "run")
    read = "import sys, pathlib\nfrom kinestream.models.encoder_file import read_card\n"
    read += "try: print(read_card(pathlib.Path(sys.argv[1])).encoder)\nexcept ValueError as error: print(error)"
    card = str(tmp_path / "run" / "encoder-joint.safetensors")
    (line,) = python(read, card).stdout.splitlines()
    assert "encoder-joint.json" in line
    assert "unknown encoder 'tiny-transformer': there are bigru, st-gcn; a plug-in that brings it is named by" in line
    assert "--plugin or KINESTREAM_PLUGINS" in line
    assert python(read, card, KINESTREAM_PLUGINS=str(FILES[1])).stdout.startswith("TinyTransformerSettings(")


def test_the_installed_package_is_found_by_its_entry_points(tmp_path: Path) -> None:
    declared = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]
    info = tmp_path / "kinestream_example_plugin-0.1.0.dist-info"  # what an installer writes
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: 0.1.0\n")
    ((group, points),) = declared["entry-points"].items()
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *(f"{a} = {b}" for a, b in points.items())]))
    search = os.pathsep.join([str(tmp_path), str(HERE), *filter(None, sys.path)])
    told = python("from kinestream import methods, models\nprint(*methods.names(), *models.names())", PYTHONPATH=search)
    assert not told.stderr
    assert {"simsiam", "tiny-transformer", "caca", "bigru"} <= set(told.stdout.split())
