"""Plot, report and compare as a user meets them."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from kinestream.cli import main
from kinestream.data.store import Store
from kinestream.evaluate.run_results import read_evaluations, read_predictions

pytest.importorskip("matplotlib")

from kinestream.viz.report import report


@pytest.fixture(scope="module")
def trained(small_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three streams and two stages, with an evaluation."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = {
        "title": "a </script><b> title",
        "dataset": "nw-ucla",
        "preparation": "tracked",
        "split": "xview",
        "streams": ["joint", "motion", "bone"],
        "epochs": 3,
        "batch_size": 8,
        "frames": 10,
        "encoder": {"name": "bigru", "hidden": 4},
        "method": {"name": "caca", "hidden": 16, "embedding": 8, "cross_epoch": 1},
        "monitor": {"knn_every": 1},
        "published": {
            "accuracy": 60.0,
            "what": "a figure made up for this test",
            "streams": ["joint", "motion", "bone"],
        },
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(recipe))
    out = folder / "run"
    assert main(["pretrain", str(folder / "small.yaml"), "--data", str(small_store), "--out", str(out)]) == 0
    assert main(["evaluate", "linear", str(out), "--data", str(small_store), "--epochs", "2"]) == 0
    return out


@pytest.mark.parametrize(
    ("words", "suffix"),
    [
        (["embedding"], ".png"),
        (["embedding", "--method", "pca", "--points", "9", "--classes", "1", "--bare"], ".pdf"),
        (["confusion"], ".png"),
        (["curves"], ".pdf"),
        (["classes", "--protocol", "linear"], ".png"),
        (["agreement", "--dark"], ".png"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_every_plot_is_the_same_each_time(
    words: list[str],
    suffix: str,
    trained: Path,
    small_store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = ["--data", str(small_store)] if words == ["confusion"] else []
    outs = [tmp_path / f"{number}{suffix}" for number in range(2)]
    for out in outs:
        assert main(["plot", words[0], str(trained), *words[1:], *data, "--out", str(out)]) == 0
        assert str(out) in capsys.readouterr().out
    assert outs[0].read_bytes() == outs[1].read_bytes()
    caption = outs[0].with_suffix(".txt").read_text("utf-8")
    assert caption == outs[1].with_suffix(".txt").read_text("utf-8")
    assert caption.count("\n") == 1
    assert len(caption) > 40


def test_a_plot_goes_into_the_run_unless_said_otherwise(trained: Path) -> None:
    assert main(["plot", "curves", str(trained)]) == 0
    assert (trained / "figures" / "curves.png").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plot", "curves", "RUN", "--out", "x.jpg"], "the suffix '.jpg' is not one of .png, .svg"),
        (["plot", "classes", "RUN", "--protocol", "knn"], "make one with 'kinestream evaluate knn'"),
        (["plot", "curves", "missing"], "missing is no run folder"),
        (["plot", "embedding", "RUN", "--data", "DATA", "--points", "0"], "at least one of each is needed"),
        (["plot", "curves", "RUN", "--data", "DATA"], "--data is for embedding, confusion, not for curves"),
        (["report", "RUN", "--data", "DATA", "--out", "x.pdf"], "the suffix '.pdf' is not one of .html"),
        (["report", "RUN", "--data", "DATA", "--points", "0"], "at least 1 point"),
        (["compare", "RUN"], "has nothing to be compared with"),
        (["compare", "RUN", "missing"], "missing is no run folder"),
        (["compare", "RUN", "RUN"], "a run stands twice"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str],
    message: str,
    trained: Path,
    small_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"RUN": str(trained), "DATA": str(small_store)}
    assert main([places.get(word, word) for word in words]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert message in said[0]
    assert not list(tmp_path.iterdir())


def embedded(page: Path) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found
    plain = json.loads(found[1])
    assert isinstance(plain, dict)
    return plain


def test_the_report_holds_results_figures_commands_and_every_test_clip(
    trained: Path, small_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    assert main(["report", str(trained), "--data", str(small_store), "--out", str(out)]) == 0
    words = out.read_text("utf-8")
    assert "a &lt;/script&gt;&lt;b&gt; title" in words
    assert "a </script><b> title" not in words
    assert words.count("<figure>") == 6
    assert words.count("</script>") == 4
    evaluation = json.loads((trained / "evaluation-linear-xview-epochs=2.json").read_text())
    top1 = evaluation["results"]["small, streams together"]["top1"]
    assert f"{top1:.2f} (" in words
    assert "60.00" in words
    assert f"{top1 - 60:+.2f}" in words
    assert words.count(">60.00<") == 2, "in the headline, and beside the row of its kind alone"
    assert "% of 13 test clips are recognised (linear probe epochs=2, small, streams together)" in words
    assert words.index("are recognised") < words.index("map-title") < words.index("results-title"), "the headline opens"
    assert words.count("<details class=") == 1, "an evaluation, folded"
    assert "untrained encoder" in words.partition("map-title")[0]
    assert f"kinestream evaluate linear {trained} --data {small_store} --epochs 2" in words
    assert "cross_epoch: 1" in words
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", words), "nothing is loaded from elsewhere"
    store = Store(small_store)
    assert embedded(out)["names"] == [store.table.name[index] for index in store.select("xview", "test")]


def test_the_report_keeps_its_bounds(
    trained: Path, small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    more = ["--points", "7", "--megabytes", "0.02", "--bare"]
    assert main(["report", str(trained), "--data", str(small_store), "--out", str(out), *more]) == 0
    assert "report: " in capsys.readouterr().out
    words = out.read_text("utf-8")
    assert "7 test clips of 13, drawn by lot" in words
    skeletons = re.search(r'id="skeletons">(.*?)</script>', words)
    assert skeletons
    assert 0 < len(skeletons[1]) <= 20_000
    data = embedded(out)
    assert isinstance(data["names"], list)
    assert len(data["names"]) == 7


def test_recordings_without_labels_or_splits_have_a_page(
    trained: Path, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(small_store)
    store.info = replace(store.info, splits={}, classes=())
    store.table = replace(store.table, label=np.full(len(store), -1))
    monkeypatch.setattr(Store, "continuous", False)
    told: list[str] = []
    done = report(
        trained, store, out=tmp_path / "r.html", baselines=False, progress=lambda what, *more: told.append(what)
    )
    assert done.figures == ("embedding-tsne", "embedding-pca", "curves", "agreement")
    assert not done.left_out, "what takes labels is not lacking where there are none"
    data = embedded(tmp_path / "r.html")
    assert data["names"] == list(store.table.name), "all of them"
    assert data["predicted"] is None
    assert "no label" in str(data["colourings"][0]["classes"])
    assert len(data["colourings"][0]["classes"]) == 1
    words = done.path.read_text("utf-8")
    assert "40 recordings; skeletons" in words
    assert "needs" in words
    assert 'aria-label="Which predictions are shown" hidden' in words
    assert "skeletons" in told


def test_predictions_of_an_evaluation_take_the_place_of_the_nearest_clip(
    trained: Path, small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(small_store)
    test, classes = store.select("xview", "test"), store.info.classes
    file = trained / "predictions-linear-xview-epochs=2.csv"
    before = file.read_bytes()
    with file.open("w", newline="") as part:
        writer = csv.writer(part)
        writer.writerow(["file", "label", "predicted", "confidence"])
        for index in reversed(test.tolist()):
            writer.writerow([store.table.name[index], classes[store.labels[index]], classes[5], 0.25])
    try:
        assert (
            main(["plot", "confusion", str(trained), "--data", str(small_store), "--out", str(tmp_path / "c.png")]) == 0
        )
        said = capsys.readouterr().out
        assert "What the linear layer (epochs=2) takes the clips" in said
        assert f"{classes[0]} taken for {classes[5]}" in said
        file.write_text("file,label,predicted,confidence\nnobody,a,b,0.5\n")
        assert (
            main(["plot", "confusion", str(trained), "--data", str(small_store), "--out", str(tmp_path / "c.png")]) == 0
        )
        said = capsys.readouterr().out
        assert "What the nearest training clip takes the clips" in said, "predictions of other clips are not taken"
    finally:
        file.write_bytes(before)


def test_compare_says_what_differs_and_what_was_reached(
    trained: Path, small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    words = ["pretrain", str(trained.parent / "small.yaml"), "--data", str(small_store), "--out", str(other)]
    assert main([*words, "--set", "optimiser.rate=0.01", "--set", "epochs=1"]) == 0
    capsys.readouterr()
    out = tmp_path / "both.svg"
    assert main(["compare", str(trained), str(other), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"optimiser\.rate\s+│\s+0\.1\s+│\s+0\.01", said)
    assert "encoder.dim" not in said, "what is the same is not said"
    assert re.search(r"linear xview epochs=2\s+│\s+[\d.]+ \([\d.]+ to [\d.]+\)\s+│\s+-", said)
    assert "other has no evaluation" in said
    assert out.stat().st_size > 3000


def test_report_and_compare_tell_the_pairs_of_a_run(
    trained: Path, small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands of the report make the run again, with the pairs that it keeps."""
    store, runs = Store(small_store), []
    names = [store.table.name[index] for index in store.select("xview", "train")]
    for number in (1, 2):
        (tmp_path / "pairs.csv").write_text(f"recording,partner\n{names[0]},{names[number]}\n")
        runs.append(tmp_path / f"run-{number}")
        words = ["pretrain", str(trained.parent / "small.yaml"), "--data", str(small_store), "--out", str(runs[-1])]
        more = ["--set", "partner=0.5", "--set", "epochs=1", "--pairs", str(tmp_path / "pairs.csv")]
        assert main([*words, *more]) == 0
    out = tmp_path / "report.html"
    assert main(["report", str(runs[0]), "--data", str(small_store), "--out", str(out), "--bare"]) == 0
    assert f"--out {runs[0]} --pairs {runs[0] / 'pairs.csv'}" in out.read_text("utf-8")
    capsys.readouterr()
    assert main(["compare", *map(str, runs), "--out", str(tmp_path / "both.svg")]) == 0
    said = capsys.readouterr().out
    assert re.search(r"pairs\s+│\s+[0-9a-f]{8}\s+│\s+[0-9a-f]{8}", said)
    assert "no setting differs" not in said


def test_evaluations_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    plain = {
        "protocol": "linear",
        "split": "xview",
        "test_clips": 100,
        "leak": "subjects are shared",
        "results": {
            "a": {
                "features": "run",
                "how": "alone",
                "streams": ["joint"],
                "top1": 50.0,
                "top1_low": 40.4,
                "top1_high": 59.6,
            },
            "b": {"features": "run", "how": "together", "top1": 60.0, "top1_low": 55.0, "top1_high": 64.0, "ece": 0.1},
            "c": {"nmi": 0.5},
        },
    }
    (tmp_path / "evaluation-linear-xview-epochs=2.json").write_text(json.dumps(plain))
    (tmp_path / "evaluation-cluster-xview.json").write_text(json.dumps({"protocol": "cluster"}))
    (tmp_path / "evaluation-broken-xview.json").write_text("{")
    (tmp_path / "predictions-odd-xview.csv").write_text("a,b\n1,2\n")
    (one,) = read_evaluations(tmp_path)
    assert one.leak == "subjects are shared"
    assert [row.name for row in one.rows] == ["a", "b"]
    first, second = one.rows
    assert (first.low, first.high) == (40.4, 59.6)
    assert (second.low, second.high) == (55.0, 64.0)
    assert one.headline() is second
    assert one.headline("raw") is None
    assert read_predictions(tmp_path, "xview") == {}
