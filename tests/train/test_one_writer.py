"""A run has one writer; it ends well or says why, and what ends it saves it."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.runs import same_run, train

from kinestream.data.store import Store
from kinestream.distributed.launch import stopping_signals
from kinestream.methods.self_distillation import SelfDistillation
from kinestream.models.encoder_file import load_encoder
from kinestream.recipes import Recipe
from kinestream.train.checkpoint import load_checkpoint
from kinestream.train.run_folder import Run, read_metrics

TAKEN = "is being written by process"


@pytest.fixture(scope="module")
def whole(small_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.stores import SMALL

    out = tmp_path_factory.mktemp("runs") / "whole"
    train(Recipe.from_dict(SMALL, "test"), small_store, out)
    return out


def test_a_run_that_is_trained_by_another_process_is_left_alone(
    small_recipe: Recipe, small_store: Path, tmp_path: Path
) -> None:
    train(dataclasses.replace(small_recipe, epochs=3), small_store, tmp_path / "run")
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    with Run(tmp_path / "run").locked():
        with pytest.raises(ValueError, match=f"{TAKEN} {os.getpid()}"):
            train(small_recipe, small_store, tmp_path / "run", resume=True)
        assert Run(tmp_path / "run").epochs_done == 3, "to read it needs no lock"
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


def test_two_that_begin_one_run_at_once(small_recipe: Recipe, small_store: Path, tmp_path: Path) -> None:
    with Run(tmp_path / "run").locked(), pytest.raises(ValueError, match=TAKEN):
        train(small_recipe, small_store, tmp_path / "run")
    assert list(tmp_path.iterdir()) == [], "a folder for nothing but the lock is not left"


def test_a_terminal_that_is_gone_saves_the_run(
    whole: Path, small_recipe: Recipe, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_step = SelfDistillation.after_step

    def hang_up(self: Any, progress: Any) -> None:
        after_step(self, progress)
        if progress.step == 5:
            os.kill(os.getpid(), signal.SIGHUP)

    with monkeypatch.context() as patch:
        patch.setattr(SelfDistillation, "after_step", hang_up)
        with pytest.raises(KeyboardInterrupt):
            train(small_recipe, small_store, tmp_path / "run")
    train(small_recipe, small_store, tmp_path / "run", resume=True)
    same_run(whole, tmp_path / "run")


def test_nohup_is_heeded() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert stopping_signals() == (signal.SIGINT, signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert stopping_signals() == (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("last", [9, 3], ids=["the last step", "the last of an epoch"])
def test_weights_that_blow_up_are_not_saved(
    last: int, small_recipe: Recipe, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of a step was computed before the weights changed."""
    after_step = SelfDistillation.after_step

    def blow_up(self: Any, progress: Any) -> None:
        after_step(self, progress)
        if progress.step == last:
            next(iter(self.parameters())).data.view(-1)[0] = torch.inf

    monkeypatch.setattr(SelfDistillation, "after_step", blow_up)
    with pytest.raises(ValueError, match=rf"weights are not finite after step {last} .* lower optimiser.rate"):
        train(small_recipe, small_store, tmp_path / "run")
    file = tmp_path / "run" / "last.ckpt"
    assert file.exists() == (last == 9)
    if file.exists():
        method = torch.load(file, weights_only=True)["method"]
        assert all(bool(value.isfinite().all()) for value in method.values())


def test_a_run_killed_after_its_last_checkpoint_gets_its_encoders(
    whole: Path, small_recipe: Recipe, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(*given: Any) -> None:
        if given[-1] == 3:
            raise Killed

    from kinestream.train.pretrain import _Training

    with monkeypatch.context() as patch:
        patch.setattr(_Training, "_save_encoders", kill)
        with pytest.raises(Killed):
            train(small_recipe, small_store, tmp_path / "run")
    assert not (tmp_path / "run" / "encoder-joint.safetensors").exists()
    train(small_recipe, small_store, tmp_path / "run", resume=True)
    assert load_encoder(tmp_path / "run" / "encoder-joint.safetensors")[1].epochs_done == 3
    same_run(whole, tmp_path / "run")
    assert len(read_metrics(tmp_path / "run" / "metrics.jsonl")) == len(read_metrics(whole / "metrics.jsonl"))


def test_an_empty_checkpoint_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").touch()
    layer = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"last.ckpt is empty: .*begin the run anew"):
        load_checkpoint(tmp_path / "last.ckpt", layer, torch.optim.SGD(layer.parameters(), 0.1))


COMMANDS = (
    ("pretrain", "nw-ucla", "--data", "store", "--out", "run"),
    ("pretrain", "nw-ucla", "--data", "store", "--out", "run", "--devices", "2"),
    ("features", "run"),
    ("evaluate", "linear", "run"),
    ("evaluate", "finetune", "run"),
    ("embed", "store", "--encoder", "run", "--out", "moves.npz"),
    ("fit", "moves.npz", "--out", "a.model"),
    ("predict", "a.model", "moves.npz", "--out", "p.csv"),
    ("segment", "a.npy", "--encoder", "run", "--out", "s.csv"),
    ("plot", "embedding", "run"),
    ("report", "run"),
    ("reproduce", "nw-ucla", "--data", "store", "--out", "r"),
)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_gpu_is_told_in_a_line_before_anything_is_read(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kinestream.cli import main

    monkeypatch.chdir(tmp_path)
    assert main([*words, "--device", "cuda"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert "torch finds no CUDA device here: leave --device out, or give cpu" in told.err
    assert list(tmp_path.iterdir()) == []


def test_two_trainings_of_one_classifier(small_store: Path, tmp_path: Path) -> None:
    from tests.train import test_classify

    from kinestream.lock import lock

    folder = tmp_path / "trained"
    with (
        lock(tmp_path / ".trained.lock", of=folder),
        pytest.raises(ValueError, match=f"trained {TAKEN} {os.getpid()}"),
    ):
        test_classify.train(Store(small_store), folder)
    assert not folder.exists()


def test_two_processes_that_resume_one_run(small_store: Path, small_recipe: Recipe, tmp_path: Path) -> None:
    """One trains, the other ends with a line; no line of the log is doubled."""
    code = (
        "import sys; from pathlib import Path; from tests.stores import SMALL; from tests.runs import train;"
        "from kinestream.recipes import Recipe;"
        "train(Recipe.from_dict({**SMALL, 'epochs': 12}, 'test'), Path(sys.argv[1]), Path(sys.argv[2]), resume=True)"
    )
    words = [sys.executable, "-c", code, str(small_store), str(tmp_path / "run")]
    both = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes[0] == 0, said
    if codes[1]:  # else one had ended before the other began
        assert any(TAKEN in words for words in said), said
    steps = [line["step"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl") if line["kind"] == "step"]
    assert steps == sorted(set(steps))
