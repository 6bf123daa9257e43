"""Commands that think along: what a run knows is not asked again, and what would be made is said before."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from tests.stores import SMALL, write_small_store

from kinestream.cli import main
from kinestream.data.store import Store
from kinestream.evaluate.overview import overview, runs_in
from kinestream.evaluate.run_results import read_evaluations
from kinestream.sweep import sweep, varied
from kinestream.train.logs import LOGS
from kinestream.train.pretrain import pretrain
from kinestream.train.run_folder import Run, RunConfig, read_metrics

Said = pytest.CaptureFixture[str]


def ends(words: list[str], status: int, capsys: Said) -> tuple[str, str]:
    """What a command writes on standard output and on standard error; it ends with this status."""
    capsys.readouterr()
    assert main(words) == status, capsys.readouterr().err
    said = capsys.readouterr()
    return said.out, said.err


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "epochs": 2}))
    return path


@pytest.fixture(scope="module")
def trained(small_store: Path, recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(["pretrain", str(recipe_file), "--data", str(small_store), "--out", str(out)]) == 0
    return out


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


# --- going on ---------------------------------------------------------------------------------------------------------


def test_a_run_goes_on_and_further_without_being_told_again(run: Path, capsys: Said) -> None:
    assert "is done: all 2 epochs" in ends(["pretrain", "--out", str(run), "--resume"], 0, capsys)[1]
    _, told = ends(["pretrain", "--out", str(run), "--resume", "--epochs", "3"], 0, capsys)
    assert "goes on to 3 epochs instead of 2" in told
    assert Run(run).epochs_done == Run(run).config().recipe.epochs == 3
    assert [line["epoch"] for line in read_metrics(run / "metrics.jsonl") if line["kind"] == "epoch"] == [1, 2, 3]
    _, told = ends(["pretrain", "--out", str(run), "--resume", "--epochs", "1"], 1, capsys)
    assert "has 3 epochs already: --epochs 1 is less" in told
    assert Run(run).config().recipe.epochs == 3


def test_a_run_that_is_told_the_same_again_may_go_further_too(
    run: Path, recipe_file: Path, small_store: Path, capsys: Said
) -> None:
    again = ["pretrain", str(recipe_file), "--data", str(small_store), "--out", str(run), "--resume"]
    _, told = ends([*again, "--set", "epochs=3"], 1, capsys)
    assert "epochs was 2, now 3): resume with those, to train further, --epochs 3" in told
    ends([*again, "--epochs", "3"], 0, capsys)
    assert Run(run).epochs_done == 3


def test_resuming_what_is_not_there_begins_it_and_says_so(
    recipe_file: Path, small_store: Path, tmp_path: Path, capsys: Said
) -> None:
    out = tmp_path / "new"
    _, told = ends(["pretrain", "--out", str(out), "--resume"], 1, capsys)
    assert "new holds no run to go on with: to begin one, give a recipe and a store (--data)" in told
    assert not out.exists()
    words = ["pretrain", str(recipe_file), "--data", str(small_store), "--out", str(out), "--epochs", "1", "--resume"]
    assert "no run in" in ends([*words, "--precision", "64-true"], 0, capsys)[1]
    ends(["pretrain", "--out", str(out), "--resume", "--epochs", "2"], 0, capsys)
    assert Run(out).config().precision == "64-true", "that of the run, though it was not said again"


# --- the store of a run -----------------------------------------------------------------------------------------------


def test_a_project_that_moves_as_a_whole_is_found_and_a_store_that_is_gone_named(
    trained: Path, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    project = tmp_path / "project"
    shutil.copytree(trained, project / "runs" / "one")
    shutil.copytree(small_store, project / "store")
    config = project / "runs" / "one" / "config.yaml"
    config.write_text(config.read_text().replace(str(small_store), "store"))
    project = project.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    ends(["evaluate", "knn", "moved/runs/one", "--bare"], 0, capsys)
    assert (project / "runs" / "one" / "evaluation-knn-xview.json").is_file()
    shutil.rmtree(project / "store")
    _, told = ends(["evaluate", "knn", "moved/runs/one", "--bare"], 1, capsys)
    assert told.count("\n") == 1
    assert "learnt from store, which is not there any more: say with --data where it is now" in told


def test_another_store_in_its_place_is_not_taken_for_it(run: Path, tmp_path: Path, capsys: Said) -> None:
    other = write_small_store(tmp_path / "other", seed=1)
    config = run / "config.yaml"
    config.write_text(re.sub("(?m)^data: .*$", f"data: {other}", config.read_text()))
    assert "is not what" in ends(["evaluate", "knn", str(run), "--bare"], 1, capsys)[1]


# --- several evaluations ----------------------------------------------------------------------------------------------


def test_a_run_alone_is_evaluated_in_the_usual_ways(run: Path, capsys: Said) -> None:
    out, _ = ends(["evaluate", str(run), "--bare"], 0, capsys)
    assert "each run, all its streams together, and its baselines" in out
    made = read_evaluations(run)
    assert [one.protocol for one in made] == ["linear", "knn"]
    assert made[1].command == ("kinestream", "evaluate", "knn", str(run), "--bare"), "what makes this one again"


def test_several_evaluations_are_named_and_one_that_fails_stops_no_other(run: Path, capsys: Said) -> None:
    _, told = ends(["evaluate", "detection", "cluster,knn", str(run), "--bare"], 1, capsys)
    assert "1 of 3 evaluations failed; the first: detection of" in told.splitlines()[-1]
    assert {path.name for path in run.glob("evaluation-*")} == {
        "evaluation-knn-xview.json",
        "evaluation-cluster-xview.json",
    }


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["knnn", "RUN"], 1, "unknown evaluation 'knnn': did you mean knn?"),
        (["linear,knnn", "RUN"], 1, "unknown evaluation 'knnn': did you mean knn?"),
        (["linear", "knn", "cluster"], 2, "no run: name the folder of one after the evaluations"),
        (["knnn"], 2, "did you mean knn?"),
    ],
)
def test_a_wrong_name_of_an_evaluation_is_one_line(
    words: list[str], status: int, message: str, run: Path, capsys: Said
) -> None:
    _, told = ends(["evaluate", *(word.replace("RUN", str(run)) for word in words)], status, capsys)
    assert told.count("\n") == 1
    assert message in told


# --- runs -------------------------------------------------------------------------------------------------------------


def test_runs_are_listed_with_their_state_and_their_figures(
    run: Path, recipe_file: Path, small_store: Path, tmp_path: Path, capsys: Said
) -> None:
    ends(["evaluate", "knn", str(run)], 0, capsys)
    damaged = tmp_path / "deep" / "damaged"
    damaged.mkdir(parents=True)
    (damaged / "config.yaml").write_text("[")
    found = {one.path.name: one for one in runs_in(tmp_path)}
    assert {name: one.state for name, one in found.items()} == {"damaged": "damaged", "run": "done"}
    (figure,) = found["run"].reached
    own = read_evaluations(run)[0].headline()
    assert own is not None
    assert (figure.top1, figure.protocol, figure.split) == (own.top1, "1-NN", "xview")
    assert figure.untrained is not None
    out, told = ends(["runs", str(tmp_path), "--sort", "knn"], 0, capsys)
    assert "2/2" in out
    assert "config.yaml" in told
    assert "no run has such an evaluation" in ends(["runs", str(tmp_path), "--sort", "linear"], 1, capsys)[1]


def test_a_run_that_stopped_is_told_from_one_that_learns(run: Path) -> None:
    config = Run(run).config()
    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("epochs: 2", "epochs: 9"))
    assert overview(run).state == "learning", "its log has grown a moment ago"
    os.utime(run / "metrics.jsonl", (1e9, 1e9))
    assert (overview(run).state, overview(run).epochs_done, config.recipe.epochs) == ("stopped", 2, 2)


def test_a_folder_without_runs_is_told(tmp_path: Path, capsys: Said) -> None:
    assert "no run in" in ends(["runs", str(tmp_path)], 1, capsys)[1]
    assert "no folder" in ends(["runs", str(tmp_path / "x")], 1, capsys)[1]


# --- features ---------------------------------------------------------------------------------------------------------


def test_features_are_written_with_names_and_labels(run: Path, small_store: Path, tmp_path: Path, capsys: Said) -> None:
    assert "is not .npz" in ends(["features", str(run), "--out", str(tmp_path / "x.csv")], 1, capsys)[1]
    ends(["features", str(run), "--bare", "--out", str(tmp_path / "x.npz")], 0, capsys)
    store = Store(small_store)
    with np.load(tmp_path / "x.npz") as found:  # no pickle
        assert found["name"].tolist() == list(store.table.name)
        assert found["label"].tolist() == [store.info.classes[label] for label in store.labels.tolist()]
        assert np.flatnonzero(found["part"] == "test").tolist() == store.select("xview", "test").tolist()
        assert found["features"].shape == (40, 8)
        kept = np.load(next((run / "features").glob("joint-*.npy")))
        assert np.allclose(found["features"], kept / np.linalg.norm(kept, axis=1, keepdims=True), atol=1e-6)


# --- logs -------------------------------------------------------------------------------------------------------------


class Mine:
    """Keeps what it is told; some of its kind break."""

    kept: list[Mapping[str, Any]]
    closed = 0
    breaks_at = 10**9

    def __init__(self, run: Run, config: RunConfig) -> None:
        assert run.path.is_dir()
        type(self).kept, self.config = [], config

    def append(self, entry: Mapping[str, Any]) -> None:
        if len(self.kept) >= self.breaks_at:
            raise RuntimeError("the network\nis gone")
        self.kept.append(entry)

    def close(self) -> None:
        type(self).closed += 1


class Breaks(Mine):
    breaks_at = 2


def test_a_log_of_ones_own_sees_every_line_and_one_that_breaks_harms_nothing(
    small_store: Path, recipe_file: Path, trained: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    pretrain(small_store, recipe_file, out=tmp_path / "run", logs=[Mine, Breaks], notice=told.append)
    lines = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert Mine.kept == lines
    assert Mine.closed == 1
    assert [text for text in told if "Breaks failed and is left out" in text and "\n" not in text]
    alone = read_metrics(trained / "metrics.jsonl")
    assert [line["loss"] for line in lines] == [line["loss"] for line in alone]


def test_weights_and_biases_gets_every_number_under_one_name_when_a_run_goes_on(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[str, Any]] = []
    logged: list[dict[str, float]] = []
    theirs = SimpleNamespace(define_metric=lambda *_, **__: None, log=logged.append, finish=lambda: None)
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **told: begun.append(told) or theirs))
    config = Run(trained).config()
    for _ in range(2):
        log = LOGS.get("wandb")(Run(tmp_path), config)
        log.append({"kind": "epoch", "epoch": 3, "loss": 0.5, "knn/joint": 80.0, "word": "x"})
        log.close()
    assert begun[0]["id"] == begun[1]["id"]
    assert begun[0]["config"]["epochs"] == 2
    assert logged[0] == {"epoch": 3, "epoch/loss": 0.5, "epoch/knn/joint": 80.0}


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_log_that_is_not_installed_is_one_line(
    name: str, small_store: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    words = ["pretrain", str(recipe_file), "--data", str(small_store), "--out", str(tmp_path / "run"), "--log", name]
    _, told = ends(words, 1, capsys)
    assert f"pip install {name}" in told.splitlines()[-1]
    assert not (tmp_path / "run").exists(), "said before anything is made"
    assert "unknown log 'tensorbord': did you mean tensorboard" in ends([*words[:-1], "tensorbord"], 1, capsys)[1]
    assert {"tensorboard", "wandb"} <= set(LOGS.names())


# --- sweeps -----------------------------------------------------------------------------------------------------------


def test_a_sweep_gives_means_over_seeds_and_goes_on(
    small_store: Path, recipe_file: Path, tmp_path: Path, capsys: Said
) -> None:
    out = tmp_path / "sweep"
    words = ["sweep", str(recipe_file), "--data", str(small_store), "--out", str(out), "--epochs", "1"]
    shown, _ = ends([*words, "--set", "seed=0,1", "--set", "learning_rate=0.01,0.02", "--bare"], 0, capsys)
    assert "settings chosen by them are chosen on the test clips" in shown
    with (out / "sweep.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["seed"], line["learning_rate"]) for line in lines] == [
        (seed, rate) for seed in "01" for rate in ("0.01", "0.02")
    ]
    summary = json.loads((out / "sweep.json").read_text())["summaries"]
    for one in summary:
        values = [float(line["top1"]) for line in lines if line["learning_rate"] == one["settings"]["learning_rate"]]
        assert one["mean"] == pytest.approx(statistics.fmean(values))
        assert one["deviation"] == pytest.approx(statistics.stdev(values))
    folder = out / "seed=1+learning_rate=0.02"
    assert Run(folder).config().recipe.optimiser.rate == 0.02
    before = (folder / "last.ckpt").stat().st_mtime_ns
    made = sweep(
        small_store,
        str(recipe_file),
        out,
        vary={"seed": ["0", "1"], "learning_rate": ["0.01", "0.02"]},
        settings=["epochs=1"],
        baselines=False,
    )
    assert (folder / "last.ckpt").stat().st_mtime_ns == before, "what is done is not done again"
    assert len(made.summaries()) == 2


def test_what_varies_is_told_by_commas_outside_of_brackets() -> None:
    assert varied(["streams=[joint,bone]", "augment.rotation=[0, 20.0, 0],[0, 30, 0]", "epochs=3"]) == (
        {"augment.rotation": ["[0, 20.0, 0]", "[0, 30, 0]"]},
        ["streams=[joint,bone]", "epochs=3"],
    )
    with pytest.raises(ValueError, match="seed stands twice"):
        varied(["seed=0,1", "seed=2,3"])


def test_a_sweep_over_nothing_or_over_what_is_no_setting_trains_nothing(
    small_store: Path, recipe_file: Path, tmp_path: Path
) -> None:
    for vary, words in (({}, "several values"), ({"seed": ["0", "0"]}, "twice"), ({"sed": ["0", "1"]}, "mean seed")):
        with pytest.raises(ValueError, match=words):
            sweep(small_store, str(recipe_file), tmp_path / "sweep", vary=vary)
    assert not (tmp_path / "sweep").exists()


# --- dry runs ---------------------------------------------------------------------------------------------------------


def test_dry_runs_of_training_features_and_embedding_make_nothing(
    run: Path, recipe_file: Path, small_store: Path, tmp_path: Path, capsys: Said
) -> None:
    steps = sum(line["kind"] == "step" for line in read_metrics(run / "metrics.jsonl"))
    for words, expected in (
        (["pretrain", str(recipe_file), "--data", str(small_store), "--out", str(tmp_path / "x")], f"= {steps:,} "),
        (["features", str(run)], "│ 40 "),
        (["embed", str(small_store), "--encoder", str(run), "--out", str(tmp_path / "x")], "about 40 of 8 numbers"),
    ):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        out, _ = ends([*words, "--dry-run"], 0, capsys)
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
        assert expected in out or expected.strip("│= ") in out
        assert all(word in out for word in ("time", "memory", "disk", "estimated from"))


def test_a_dry_run_of_a_preparation_comes_near_to_what_is_made(tmp_path: Path, capsys: Said) -> None:
    raw, store = tmp_path / "raw", tmp_path / "store"
    ends(["generate", "nw-ucla", str(raw), "--clips", "30"], 0, capsys)
    words = ["prepare", "nw-ucla", str(raw), str(store), "--processes", "1"]
    out, _ = ends([*words, "--dry-run"], 0, capsys)
    assert not store.exists()
    recordings = int(re.search(r"recordings +│ +about ([0-9,]+)", out)[1])  # type: ignore[index]
    ends(words, 0, capsys)
    assert 20 <= recordings <= 40
    assert len(Store(store)) == 30
    _, told = ends([*words, "--dry-run"], 1, capsys)
    assert "exists already" in told


def test_a_dry_run_of_own_recordings_says_what_they_are(tmp_path: Path, capsys: Said) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "own").mkdir()
    for number in range(14):
        body = rng.normal(0, 0.3, (25, 3)) + np.linspace(0, 0.3, 40)[:, None, None]
        np.save(tmp_path / "own" / f"{number}.npy", body)
    words = ["prepare", str(tmp_path / "own"), str(tmp_path / "store"), "--layout", "ntu25", "--fps", "30", "--trust"]
    out, _ = ends([*words, "--units", "m", "--up", "y", "--dry-run"], 0, capsys)
    assert not (tmp_path / "store").exists()
    assert "about 14" in out
    assert "ntu25" in out


# --- a look at one video, completion ----------------------------------------------------------------------------------


def test_one_video_of_pku_mmd_needs_no_official_lists(tmp_path: Path, capsys: Said) -> None:
    ends(["generate", "pku2", str(tmp_path / "raw"), "--clips", "24"], 0, capsys)
    (videos,) = {path.parent for path in (tmp_path / "raw").rglob("*.txt") if "skeleton" in path.parent.name.lower()}
    for folder in {path.parent for path in (tmp_path / "raw").rglob("*.txt")}:
        for file in sorted(folder.iterdir())[1 if folder in (videos, videos.with_name("label")) else 0 :]:
            file.unlink()
    words = ["prepare", "pku2", str(tmp_path / "raw"), str(tmp_path / "store"), "--continuous", "--processes", "1"]
    _, told = ends(words, 1, capsys)
    assert "or go without: --splits none" in told
    ends([*words, "--splits", "none"], 0, capsys)
    store = Store(tmp_path / "store")
    assert not store.info.splits
    assert store.continuous
    assert len(store) == len(store.select(None, "train")) == 1


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("pretrain caca-joint-ntu60-x", {"caca-joint-ntu60-xsub", "caca-joint-ntu60-xview"}),
        ("pretrain laptop --resu", {"--resume"}),
        ("prepare nw", {"nw-ucla"}),
        ("evaluate knn --split xs", {"xset", "xsub"}),
        ("recipes --name laptop", {"laptop", "laptop-nw-ucla"}),
        ("embed --layout mediapipe", {"mediapipe33"}),
        ("plot cur", {"curves"}),
        ("run", {"runs"}),
    ],
)
def test_shells_complete_names(line: str, wanted: set[str], completer: dict[str, Any]) -> None:
    words = ["kinestream", *line.split()]
    found = completer["get_completions"](words, len(words) - 1, completer["COMPLETION_SPEC"])
    assert {one.partition("\t")[0] for one in found} >= wanted
    assert all(one.startswith(words[-1]) for one in found)


@pytest.fixture(scope="module")
def completer() -> dict[str, Any]:
    """The Python that the script of bash runs."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["completion", "bash"]) == 0
    program = said.getvalue().partition("<< 'PYTHON_EOF' || true\n")[2].partition("\nPYTHON_EOF")[0]
    names: dict[str, Any] = {"__name__": "completion"}
    exec(program, names)
    return names
