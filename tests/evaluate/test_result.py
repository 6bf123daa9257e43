"""Evaluations as functions: what they return, and that they print and write nothing unasked."""

import csv
import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from tests.stores import write_small_run, write_small_store

from kinestream import evaluate
from kinestream.cli import main
from kinestream.commands.evaluate import command
from kinestream.data.store import Store
from kinestream.evaluate import EVALUATIONS
from kinestream.evaluate.result import RESULT_COLUMNS, Result, Row
from kinestream.evaluate.run_results import read_evaluations
from kinestream.evaluate.session import Session
from kinestream.train.run_folder import Run

CALLS: dict[str, dict[str, Any]] = {
    "linear": {"epochs": 2},
    "knn": {"k": 3},
    "probe_grid": {"epochs": 2, "learning_rate": (0.1,), "weight_decay": (0.0,)},
    "retrieval": {"k": (2,)},
    "cluster": {},
    "one_shot": {"ways": 2, "episodes": 5},
    "robustness": {"corruption": ("limbs", "rate")},
    "finetune": {"epochs": 1},
    "semi": {"epochs": 1, "percent": (50.0,)},
    "supervised": {"epochs": 1},
    "transfer": {"k": 3, "probe_epochs": 2},
}


@pytest.mark.parametrize("name", CALLS)
def test_an_evaluation_returns_its_result_and_says_nothing(
    name: str, run: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[str, int, int]] = []
    result = getattr(evaluate, name)(
        run,
        small_store,
        device="cpu",
        progress=lambda what, unit, done, total, note="": told.append((what, done, total)),
        **CALLS[name],
    )
    assert isinstance(result, Result)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")
    left = {path.name for path in run.iterdir()} - {path.name for path in small_store.iterdir()}
    assert not [name for name in left if name.startswith(("evaluation", "predictions", "results", "metrics"))]
    assert told, "progress is told to who asks for it"
    assert all(0 <= done <= total for _, done, total in told)
    assert 0 <= result.interval[0] <= result.top1 <= result.interval[1] <= 100


def test_a_result_shows_itself(run: Path, small_store: Path) -> None:
    result = evaluate.knn(Run(run), Store(small_store), k=3)
    text = str(result)
    assert text.startswith("knn: nw-ucla xview, 27 training clips, 13 test clips\n")
    assert "streams together" in text
    assert f"{result.top1:.2f}" in text
    assert "3-NN %" in text
    assert "ECE" not in text, "votes are no probabilities"
    page = result._repr_html_()
    assert page.count("<tr>") == 1 + len(result.rows)
    assert "small, joint" in page
    assert "Result(protocol='knn'" in repr(result)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.protocol = "linear"  # type: ignore[misc]


def test_a_result_holds_its_baselines(run: Path, small_store: Path) -> None:
    result = evaluate.linear(run, small_store, epochs=2)
    assert (result.headline.kind, result.headline.how) == ("run", "together")
    assert (result.baselines["untrained"].kind, result.baselines["untrained"].how) == ("untrained", "together")
    raw = [row for row in result.rows if row.kind == "raw"]
    assert result.baselines["raw"].top1 == max(row.top1 for row in raw)
    bare = evaluate.linear(run, small_store, epochs=2, baselines=False)
    assert not bare.baselines
    assert bare.top1 == result.top1


def test_a_result_is_saved_where_asked_and_as_plain_values(run: Path, small_store: Path, tmp_path: Path) -> None:
    result = evaluate.knn(run, small_store, k=3)
    written, predictions, figures = result.save(tmp_path / "elsewhere")
    assert json.loads(written.read_text()) == json.loads(json.dumps(result.to_dict()))
    assert result.to_dict()["results"]["small, joint"]["top1"] == result.rows[0].top1
    with figures.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["features"] for line in lines if line["metric"] == "top1"] == [row.name for row in result.rows]
    assert len(predictions.read_text().splitlines()) == 1 + len(result.test)
    assert not (run / "results.csv").exists()
    assert result.save()[0] == run / "evaluation-knn-xview-k=3.json"
    assert json.loads((run / "metrics.jsonl").read_text())["top1"] == result.top1


def test_a_result_is_a_table_of_pandas_where_there_is_one(
    run: Path, small_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = evaluate.knn(run, small_store, k=3, baselines=False)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r"^to_pandas\(\) needs pandas: pip install pandas$"):
        result.to_pandas()
    monkeypatch.undo()
    pytest.importorskip("pandas")
    table = result.to_pandas()
    assert tuple(table.columns) == RESULT_COLUMNS
    assert table[table.metric == "top1"].value.tolist() == [row.top1 for row in result.rows]


def test_notes_are_kept_and_told_at_once(tmp_path: Path) -> None:
    store = write_small_store(tmp_path / "store", copied=5)
    run = write_small_run(tmp_path / "run", store)
    told: list[str] = []
    result = evaluate.knn(run, store, k=3, notice=told.append)
    assert result.notes == tuple(told)
    assert "5 of the 13 test clips of split 'xview' are copies" in result.notes[0]
    assert (result.copies, result.leak) == (5, None)


def test_the_store_of_the_run_is_the_usual_one(run: Path) -> None:
    assert evaluate.knn(run, k=3).dataset == "nw-ucla"
    with pytest.raises(ValueError, match="is one encoder, which does not say where its data is: give a store, --data"):
        evaluate.knn(run / "encoder-joint.safetensors", k=3)


def test_only_what_differs_of_the_readout_need_be_said(run: Path, small_store: Path) -> None:
    result = evaluate.knn(run, small_store, k=3, baselines=False, readout={"turns": 2})
    assert result.settings["readout"] == {"turns": 2, "whitening": 0.0, "whitened_by": "clips"}


def test_a_wrong_setting_is_named(run: Path, small_store: Path) -> None:
    with pytest.raises(ValueError, match="evaluation knn has no setting 'kk': it has k, temperature"):
        evaluate.knn(run, small_store, kk=3)
    with pytest.raises(AttributeError, match="unknown evaluation 'knm': did you mean knn"):
        _ = evaluate.knm  # type: ignore[attr-defined]


def changed_store(store: Path, path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a store that says something else of itself."""
    shutil.copytree(store, path)
    info = json.loads((path / "store.json").read_text())
    change(info)
    (path / "store.json").write_text(json.dumps(info))
    return path


def test_a_store_without_splits_says_what_to_give(run: Path, small_store: Path, tmp_path: Path) -> None:
    store = changed_store(small_store, tmp_path / "store", lambda info: info.update(splits={}))
    with pytest.raises(ValueError, match=r"has no split into training and test clips: prepare it with --split"):
        evaluate.knn(run, store, k=3)


def test_a_store_without_labels_says_how_to_give_them(run: Path, small_store: Path) -> None:
    store = Store(small_store)
    store.info = dataclasses.replace(store.info, classes=())
    with pytest.raises(
        ValueError, match="has no labels, which evaluations compare with: prepare its recordings with labels"
    ):
        evaluate.knn(run, store, k=3)


def test_clips_without_a_label_are_left_out(run: Path, small_store: Path) -> None:
    store = Store(small_store)
    labels = store.table.label.copy()
    labels[store.select("xview", "test")[:3]] = -1
    store.table = dataclasses.replace(store.table, label=labels)
    assert len(evaluate.knn(run, store, k=3, baselines=False).test) == 10


@dataclass(frozen=True, kw_only=True)
class MeanSettings:
    """Accuracy of the nearest class mean.

    Examples:
      kinestream evaluate class-means runs/mine --data store/
    """

    power: float = 1.0
    """Of the similarity."""


def class_means(session: Session, settings: MeanSettings) -> Iterator[Row]:
    for features in session.features():
        for streams, how in features.choices():
            train, test = features.joined(streams)
            of = torch.nn.functional.one_hot(session.train_labels, session.classes).to(train.dtype)
            scores = (test @ (of.T @ train).T) ** settings.power
            yield session.row(features.kind, streams, how, scores.argsort(dim=1, descending=True))


def test_an_evaluation_of_ones_own_is_a_command_and_a_function(
    run: Path, small_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(EVALUATIONS, "_entries", dict(EVALUATIONS._entries))
    evaluate.register("class-means")(class_means)
    assert evaluate.class_means(run, small_store, power=1.0).protocol == "class-means"  # type: ignore[attr-defined]
    assert main(["evaluate", "class-means", str(run), "--data", str(small_store), "--power", "3"]) == 0
    assert "class-means: nw-ucla xview" in capsys.readouterr().out
    assert json.loads((run / "evaluation-class-means-xview-power=3.json").read_text())["settings"]["power"] == 3.0
    assert main(["evaluate", "--help"]) == 0
    assert "evaluate class-means Accuracy of the nearest class mean" in " ".join(capsys.readouterr().out.split())
    assert main(["evaluate", "class-means", "--help"]) == 0
    assert "Of the similarity." in capsys.readouterr().out
    with pytest.raises(ValueError, match="its function takes a session and settings, annotated with a dataclass"):
        evaluate.register("odd")(lambda session: [])  # type: ignore[arg-type,misc]


def test_the_package_is_imported_without_torch() -> None:
    code = (
        "import sys, kinestream.evaluate as e; assert 'torch' not in sys.modules; e.knn; assert 'torch' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_stands_for_a_run_is_the_same_found_and_saved(run: Path, small_store: Path) -> None:
    found = evaluate.finetune(run, small_store, device="cpu", epochs=1, fusion="fused")
    found.save()
    (saved,) = read_evaluations(run)
    kept = saved.headline()
    assert kept is not None
    assert (kept.name, kept.how) == (found.headline.name, found.headline.how)
    assert kept.how == "fused"


def test_any_search_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What decides is what the settings say, not the name of the evaluation."""

    @dataclass(frozen=True, kw_only=True)
    class Finding:
        """Another search."""

        is_search: ClassVar[bool] = True

    def find(session: Session, settings: Finding) -> Iterator[Row]:
        yield from ()

    find.__annotations__["settings"] = Finding
    monkeypatch.setattr(EVALUATIONS, "_entries", dict(EVALUATIONS._entries))
    evaluate.register("own-search")(find)
    options = {
        name: {field.name for field in dataclasses.fields(command(name).Config)} for name in ("own-search", "knn")
    }
    assert "queries" in options["own-search"]
    assert "queries" not in options["knn"]
