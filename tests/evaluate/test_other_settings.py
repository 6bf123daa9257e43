"""Results of other settings stand beside each other; figures that could say nothing are refused or told."""

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from tests.stores import write_small_run, write_small_store

from kinestream import evaluate
from kinestream.cli import main
from kinestream.data.store import Store
from kinestream.evaluate.result import RESULTS, check_results, read_lines
from kinestream.evaluate.run_results import read_evaluations, read_predictions
from kinestream.evaluate.settings import FineTuneSettings, KNNSettings, changed_settings, in_file_name


def saved(run: Path) -> list[str]:
    return sorted(path.name for path in run.glob("evaluation-*.json"))


def test_other_settings_are_another_row_and_another_file(run: Path, small_store: Path) -> None:
    usual = evaluate.knn(run, small_store, baselines=False)
    usual.save()
    before = (run / "evaluation-knn-xview.json").read_bytes()
    other = evaluate.knn(run, small_store, k=3, temperature=0.07, baselines=False)
    other.save()
    evaluate.knn(run, small_store, readout={"turns": 2}, baselines=False).save()
    evaluate.knn(run, small_store, split="xview-tune", k=5, baselines=False, allow_leak=True).save()
    assert saved(run) == [
        "evaluation-knn-xview-k=3-temperature=0.07.json",
        "evaluation-knn-xview-tune-k=5.json",
        "evaluation-knn-xview-turns=2.json",
        "evaluation-knn-xview.json",
    ]
    assert (run / "evaluation-knn-xview.json").read_bytes() == before
    lines = [line for line in read_lines(run / RESULTS) if (line["metric"], line["split"]) == ("top1", "xview")]
    assert {line["settings"] for line in lines} == {"", "k=3 temperature=0.07", "turns=2"}
    assert [float(line["value"]) for line in lines if not line["settings"]] == [row.top1 for row in usual.rows]
    evaluate.knn(run, small_store, baselines=False).save()
    again = [line for line in read_lines(run / RESULTS) if (line["metric"], line["split"]) == ("top1", "xview")]
    assert sorted(map(str, again)) == sorted(map(str, lines)), "the same settings replace their own"
    found = [one.called for one in read_evaluations(run) if one.split == "xview"]
    assert found == ["knn", "knn k=3 temperature=0.07", "knn turns=2"]
    assert list(read_predictions(run, "xview")) == found


def test_another_store_is_another_row(run: Path, small_store: Path, tmp_path: Path) -> None:
    evaluate.knn(run, small_store, baselines=False).save()
    other = Store(write_small_store(tmp_path / "other", seed=1))
    evaluate.knn(run, other, baselines=False, allow_leak=True).save()
    assert saved(run) == [f"evaluation-knn-xview-data={other.fingerprint[:8]}.json", "evaluation-knn-xview.json"]


def test_bare_results_leave_the_baselines_that_are_there(run: Path, small_store: Path) -> None:
    whole = evaluate.knn(run, small_store)
    whole.save()
    lines = read_lines(run / RESULTS)
    evaluate.knn(run, small_store, baselines=False).save()
    (file,) = saved(run)
    assert list(json.loads((run / file).read_text())["results"]) == [row.name for row in whole.rows]
    assert sorted(map(str, read_lines(run / RESULTS))) == sorted(map(str, lines))


def test_trainings_of_other_settings_lie_beside_each_other(run: Path, small_store: Path) -> None:
    for epochs in (1, 2, 1):
        assert main(["evaluate", "finetune", str(run), "--data", str(small_store), "--epochs", str(epochs)]) == 0
    names = sorted(path.name for path in (run / "trained").iterdir())
    assert [name.rpartition("seed0")[2] for name in names] == ["-epochs=1", "-epochs=2"]
    assert saved(run) == ["evaluation-finetune-xview-epochs=1.json", "evaluation-finetune-xview-epochs=2.json"]


def test_words_of_settings() -> None:
    assert changed_settings(KNNSettings()) == ()
    assert changed_settings(FineTuneSettings(form="published", learning_rate=1e-5)) == ("learning_rate=1e-05",)
    assert in_file_name(()) == ()
    (long,) = in_file_name(["weights=" + ",".join(f"stream{number}=0.5" for number in range(50))])
    (other,) = in_file_name(["weights=" + ",".join(f"stream{number}=0.5" for number in range(51))])
    assert len(long) < 120
    assert long != other
    (odd,) = in_file_name(["name=../../etc"])
    assert "/" not in odd


def test_settings_without_a_default_are_told() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Needed:
        power: float
        names: tuple[str, ...] = ()

    assert changed_settings(Needed(power=2.0, names=("a", "b"))) == ("power=2", "names=a+b")


SAVE = """
import sys
from kinestream import evaluate
result = evaluate.knn(sys.argv[1], sys.argv[2], k=int(sys.argv[3]), baselines=False, device="cpu")
sys.stdin.readline()
for _ in range(10):
    result.save()
"""


def test_several_save_at_once(run: Path, small_store: Path) -> None:
    every = [
        subprocess.Popen([sys.executable, "-c", SAVE, str(run), str(small_store), str(k)], stdin=subprocess.PIPE)
        for k in (2, 3)
    ]
    for process in every:
        process.communicate(b"\n")
    assert [process.returncode for process in every] == [0, 0]
    found = {(line["settings"], line["features"], line["metric"]) for line in read_lines(run / RESULTS)}
    assert len(found) == len(read_lines(run / RESULTS))
    assert {settings for settings, _, _ in found} == {"k=2", "k=3"}
    assert not list(run.glob(".*"))


def test_results_of_before_are_kept_and_damaged_ones_refused_before_the_work(
    run: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.knn(run, small_store, k=2, baselines=False).save()
    with (run / RESULTS).open(newline="") as file:
        rows = list(csv.reader(file))
    with (run / RESULTS).open("w", newline="") as file:
        csv.writer(file).writerows(row[:-1] for row in rows)
    evaluate.knn(run, small_store, k=3, baselines=False).save()
    assert [line["settings"] for line in read_lines(run / RESULTS)].count("") == len(rows) - 1
    for damaged in (b"a,b\n1,2\n", b"\xff\xfe\x00", b"protocol,split\nknn,xview\n", b"x" * 200_000 + b"\n1\n"):
        (run / RESULTS).write_bytes(damaged)
        with pytest.raises(ValueError, match=r"results.csv .*move it away"):
            check_results(run)
    shutil.rmtree(run / "features")
    assert main(["evaluate", "knn", str(run), "--data", str(small_store)]) == 1
    assert not (run / "features").exists()
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("protocol", ["knn", "linear", "retrieval", "cluster", "probe-grid"])
def test_features_that_are_not_finite_are_refused(protocol: str, small_store: Path, tmp_path: Path) -> None:
    run = write_small_run(tmp_path / "run", small_store)
    weights = load_file(run / "encoder-joint.safetensors")
    name = next(name for name, value in weights.items() if value.is_floating_point() and value.numel() > 1)
    weights[name].fill_(3e38)  # finite, and what comes of it is not
    save_file(weights, run / "encoder-joint.safetensors")
    with pytest.raises(ValueError, match=r"features of .* clips are not finite \(stream joint\): the encoder"):
        evaluate.EVALUATIONS.get(protocol)(run, small_store, device="cpu")
    assert not list(run.glob("features/*")), "what is not finite is not kept"


@pytest.mark.parametrize("how", ["nan", "random", "cut", "swapped"])
def test_kept_features_that_were_changed_are_computed_again_and_told(
    how: str, small_store: Path, tmp_path: Path
) -> None:
    run = write_small_run(tmp_path / "run", small_store)
    right = evaluate.knn(run, small_store, baselines=False).top1
    (file,) = (run / "features").iterdir()
    content, values = file.read_bytes(), np.load(file)
    if how == "cut":
        file.write_bytes(content[:-100])
    elif how == "swapped":
        np.save(file, values[::-1])
    else:
        begin = content.index(values.tobytes())
        wrong = np.full_like(values, np.nan) if how == "nan" else np.random.default_rng(0).normal(size=values.shape)
        raw = wrong.astype(np.float32).tobytes()
        file.write_bytes(content[:begin] + raw + content[begin + len(raw) :])
    told: list[str] = []
    assert evaluate.knn(run, small_store, baselines=False, notice=told.append).top1 == right
    assert [text for text in told if "computed again" in text and file.name in text]
    assert file.read_bytes() == content
    told.clear()
    evaluate.knn(run, small_store, baselines=False, notice=told.append)
    assert not told


def relabelled(path: Path, labels: dict[str, list[int]]) -> Store:
    """A store whose training and test clips have these labels in turn."""
    store = Store(write_small_store(path))
    label = store.table.label.copy()
    for part, numbers in labels.items():
        places = store.select("xview", "train" if part == "train" else "test")
        label[places] = np.resize(numbers, len(places))
    store.table = replace(store.table, label=label)
    return store


@pytest.mark.parametrize(
    ("train", "test", "told"),
    [
        ([0], [0, 1], "all training clips in split 'xview' .* are of one class"),
        ([0, 1], [2, 3], "no test clip in split 'xview' .* is of a class that training clips have"),
        ([0], [1], "all training clips"),
    ],
)
def test_splits_by_which_nothing_can_be_told_are_refused(
    train: list[int], test: list[int], told: str, small_store: Path, tmp_path: Path
) -> None:
    run = write_small_run(tmp_path / "run", small_store)
    store = relabelled(tmp_path / "store", {"train": train, "test": test})
    for protocol in ("knn", "linear"):
        with pytest.raises(ValueError, match=told):
            evaluate.EVALUATIONS.get(protocol)(run, store, allow_leak=True)
    assert not (run / "features").exists()


def test_classes_that_nobody_taught_are_told(small_store: Path, tmp_path: Path) -> None:
    run = write_small_run(tmp_path / "run", small_store)
    store = relabelled(tmp_path / "store", {"train": [0, 1], "test": [0, 2, 2]})
    found = evaluate.knn(run, store, baselines=False, allow_leak=True)
    assert any("test clips are of classes without a training clip (" in note for note in found.notes)
    store = relabelled(tmp_path / "other", {"train": [0, 1], "test": [1]})
    found = evaluate.knn(run, store, baselines=False, allow_leak=True)
    assert any(note.startswith("all test clips are of one class") for note in found.notes)
    with pytest.raises(ValueError, match=r"all test clips .* of one class"):
        evaluate.cluster(run, store, allow_leak=True)
    store = relabelled(tmp_path / "third", {"train": [0], "test": [1, 2]})
    assert evaluate.cluster(run, store, baselines=False, allow_leak=True).rows, "clusters need no training labels"


def test_what_cannot_be_written_is_told_before_the_features(
    run: Path, small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for words in (
        ["report", str(run), "--data", str(small_store), "--out", str(tmp_path / "file" / "a.html")],
        ["plot", "embedding", str(run), "--data", str(small_store), "--out", str(tmp_path / "file" / "a.png")],
    ):
        assert main(words) == 1
        assert "cannot be written" in capsys.readouterr().err
    (run / RESULTS).mkdir()
    assert main(["evaluate", "knn", str(run), "--data", str(small_store)]) == 1
    assert "results.csv cannot be written" in capsys.readouterr().err
    assert not (run / "features").exists()


def test_features_are_not_kept_where_that_cannot_be(run: Path, small_store: Path) -> None:
    (run / "features").touch()
    told: list[str] = []
    assert evaluate.knn(run, small_store, baselines=False, notice=told.append).rows
    assert any("features are not kept" in text for text in told)
