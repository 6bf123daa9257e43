"""The protocols as a user meets them, on a store of 40 small recordings and encoders that were not trained."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.stores import SMALL, write_small_run

from kinestream.cli import main
from kinestream.data.store import Store
from kinestream.evaluate import grid
from kinestream.evaluate.result import RESULT_COLUMNS
from kinestream.evaluate.session import Session, open_session
from kinestream.features.whitening import mutual_neighbours, whiten
from kinestream.train.run_folder import read_metrics

EVALUATIONS_TRIED: dict[str, list[str]] = {
    "linear": ["--epochs", "2"],
    "knn": ["--k", "3"],
    "probe-grid": ["--epochs", "2", "--learning-rate", "0.1", "--learning-rate", "1", "--weight-decay", "0"],
    "retrieval": ["--k", "2", "--queries", "2"],
    "cluster": ["--seeds", "2"],
    "robustness": ["--corruption", "noise"],
    "finetune": ["--epochs", "1", "--seeds", "2"],
    "semi": ["--epochs", "1", "--percent", "20", "--percent", "50"],
    "supervised": ["--epochs", "1"],
    "transfer": ["--k", "3", "--probe-epochs", "2"],
}
WITHOUT_PROBABILITIES = ("knn", "retrieval", "cluster", "robustness")


def evaluate(protocol: str, run: Path, store: Path, *more: str) -> int:
    return main(["evaluate", protocol, str(run), "--data", str(store), *more])


def written(run: Path, protocol: str) -> dict[str, Any]:
    """The last evaluation of that protocol, whatever its settings."""
    file = max(files_of(run, "evaluation", protocol, ".json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(file.read_text())


def files_of(run: Path, what: str, protocol: str, suffix: str) -> list[Path]:
    """With the usual settings, or with others: these are in the name."""
    stem = f"{what}-{protocol}-xview"
    return [path for path in run.glob(f"{stem}*{suffix}") if path.stem == stem or "=" in path.stem]


def number(word: str) -> str:
    return str(float(word)) if word[0].isdigit() else word


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("protocol", EVALUATIONS_TRIED)
def test_every_evaluation_writes_what_others_read(
    protocol: str, run: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(protocol, run, small_store, *EVALUATIONS_TRIED[protocol]) == 0
    said = capsys.readouterr()
    assert str(run) in said.out, "it says where its output lies"
    called = "transfer-nw-ucla" if protocol == "transfer" else protocol
    found = written(run, called)
    assert (found["protocol"], found["split"], found["leak"]) == (called, "xview", None)
    assert (found["train_clips"], found["test_clips"]) == (27, 13)
    words = ["kinestream", "evaluate", protocol, str(run), "--data", str(small_store)]
    assert found["command"][:6] == words
    assert sorted(number(word) for word in found["command"][6:]) == sorted(map(number, EVALUATIONS_TRIED[protocol]))
    for result in found["results"].values():
        assert 0 <= result["top1_low"] <= result["top1"] <= result["top1_high"] <= 100
        assert {"features", "how", "streams", "top5", "mean_class", "per_class", "top1_without_copies"} <= set(result)
        if protocol in WITHOUT_PROBABILITIES:
            assert result["ece"] is None
        elif protocol != "transfer":
            assert 0 <= result["ece"] <= 100

    store = Store(small_store)
    rows = table(files_of(run, "predictions", called, ".csv")[0])
    test = store.select("xview", "test")
    assert [row["file"] for row in rows] == [store.table.name[index] for index in test], "in the order of the store"
    assert [row["label"] for row in rows] == [store.info.classes[store.table.label[index]] for index in test]
    own = next(
        result
        for result in found["results"].values()
        if result["features"] in ("run", "supervised") and result["how"] == "together"
    )
    if "seeds" not in own or len(own["seeds"]) == 1:
        right = np.mean([row["label"] == row["predicted"] for row in rows])
        assert own["top1"] == pytest.approx(100 * right)
    confidences = [row["confidence"] for row in rows]
    if protocol in WITHOUT_PROBABILITIES:
        assert set(confidences) == {""}
    else:
        assert all(0 < float(value) <= 1 for value in confidences)

    results = table(run / "results.csv")
    assert tuple(results[0]) == RESULT_COLUMNS
    keys = [(row["protocol"], row["split"], row["features"], row["metric"]) for row in results]
    assert len(set(keys)) == len(keys), "one row for each figure"
    for row in results:
        if row["metric"] == "top1":
            result = found["results"][row["features"]]
            assert float(row["value"]) == result["top1"]
            assert (float(row["low"]), float(row["high"])) == (result["top1_low"], result["top1_high"])
    line = read_metrics(run / "metrics.jsonl")[-1]
    assert (line["kind"], line["protocol"], line["top1"]) == ("evaluation", called, own["top1"])


def test_rows_of_other_protocols_stay_and_those_of_the_same_are_replaced(run: Path, small_store: Path) -> None:
    assert evaluate("knn", run, small_store, "--k", "3") == 0
    assert evaluate("cluster", run, small_store, "--bare") == 0
    before = (run / "results.csv").read_bytes()
    assert evaluate("knn", run, small_store, "--k", "3") == 0
    rows = table(run / "results.csv")
    assert {row["protocol"] for row in rows} == {"knn", "cluster"}
    assert sorted(before.splitlines()) == sorted((run / "results.csv").read_bytes().splitlines())
    assert evaluate("knn", run, small_store, "--k", "3", "--bare") == 0
    assert sorted(before.splitlines()) == sorted((run / "results.csv").read_bytes().splitlines()), "baselines stay"
    assert evaluate("knn", run, small_store, "--k", "4", "--bare") == 0
    other = [row for row in table(run / "results.csv") if (row["protocol"], row["settings"]) == ("knn", "k=4")]
    assert {row["kind"] for row in other} == {"run"}


def test_several_seeds_give_mean_and_deviation(
    run: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--epochs", "2", "--seeds", "3", "--batch-size", "8"]
    assert evaluate("finetune", run, small_store, *words) == 0
    assert "±" in capsys.readouterr().out
    result = written(run, "finetune")["results"]["small, streams together"]
    assert result["seeds"] == [0, 1, 2]
    assert result["top1"] == pytest.approx(np.mean(result["top1_by_seed"]))
    assert result["top1_deviation"] == pytest.approx(np.std(result["top1_by_seed"], ddof=1))
    row = next(row for row in table(run / "results.csv") if row["metric"] == "top1_deviation")
    assert row["seed"] == "0 1 2"
    assert float(row["value"]) == pytest.approx(result["top1_deviation"])


def test_what_is_trained_is_not_trained_again_unless_something_else_is_asked_for(run: Path, small_store: Path) -> None:
    assert evaluate("finetune", run, small_store, "--epochs", "1") == 0
    (checkpoint,) = (run / "trained").glob("*/last.ckpt")
    first, made = written(run, "finetune"), checkpoint.stat().st_mtime_ns
    assert evaluate("finetune", run, small_store, "--epochs", "1") == 0
    assert checkpoint.stat().st_mtime_ns == made
    assert written(run, "finetune") == first
    assert evaluate("finetune", run, small_store, "--epochs", "1", "--learning-rate", "0.01") == 0
    assert checkpoint.stat().st_mtime_ns == made
    assert len(list((run / "trained").glob("*/last.ckpt"))) == 2, "other settings lie beside it"
    assert len(files_of(run, "evaluation", "finetune", ".json")) == 2


@pytest.mark.parametrize("protocol", ["finetune", "supervised", "semi"])
def test_the_published_form_lies_beside_the_usual_one(protocol: str, run: Path, small_store: Path) -> None:
    words = ["--epochs", "1", *(["--percent", "50"] if protocol == "semi" else [])]
    assert evaluate(protocol, run, small_store, *words) == 0
    usual = written(run, protocol)
    assert evaluate(protocol, run, small_store, *words, "--form", "published") == 0
    assert written(run, protocol) == usual
    published = written(run, f"{protocol}-published")
    assert (usual["settings"]["frozen_statistics"], published["settings"]["frozen_statistics"]) == (False, True)
    rows = {row["protocol"] for row in table(run / "results.csv")}
    assert {protocol, f"{protocol}-published"} <= rows


def test_streams_are_fused_by_their_scores_when_asked_for(run: Path, small_store: Path) -> None:
    words = ["--epochs", "1", "--fusion", "both", "--weights", "joint=0.6,bone=0.4"]
    assert evaluate("finetune", run, small_store, *words) == 0
    found = written(run, "finetune")
    names = ["joint", "bone", "streams together", "scores fused"]
    assert list(found["results"]) == [f"small, {name}" for name in names]
    assert found["settings"]["weights"] == {"joint": 0.6, "bone": 0.4}


def test_subsets_are_written_nested_and_used_again(run: Path, small_store: Path) -> None:
    words = ["--epochs", "1", "--percent", "20", "--percent", "50", "--seeds", "2"]
    assert evaluate("semi", run, small_store, *words) == 0
    store = Store(small_store)
    training = {store.table.name[index] for index in store.select("xview", "train")}

    def subset(percent: int, seed: int) -> list[str]:
        return [row["file"] for row in table(run / "subsets" / f"semi-nw-ucla-xview-{percent}-seed{seed}.csv")]

    for seed in (0, 1):
        assert set(subset(20, seed)) < set(subset(50, seed)) < training
    assert subset(20, 0) != subset(20, 1)
    names = list(written(run, "semi")["results"])
    assert names == [f"small, streams together, {percent} % of the labels" for percent in (50, 20)]

    file = run / "subsets" / "semi-nw-ucla-xview-20-seed0.csv"
    file.write_text("file,label\na01_s01_e02_v03,pick up with one hand\n")
    assert evaluate("semi", run, small_store, "--epochs", "1", "--percent", "20") == 1, "a test clip"


def test_the_grid_chooses_the_same_whatever_the_test_labels_are(
    run: Path, small_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--epochs", "3", "--learning-rate", "0.1", "--learning-rate", "1", "--learning-rate", "10", "--bare"]
    assert evaluate("probe-grid", run, small_store, *words) == 0
    honest = written(run, "probe-grid")["results"]
    labels = open_session(run, small_store, device="cpu").test_labels
    monkeypatch.setattr(Session, "test_labels", property(lambda self: 1 - labels))
    seen: list[int] = []
    trained = grid.train_grid

    def watched(train: dict[str, torch.Tensor], *rest: Any, **options: Any) -> Any:
        if len(rest[1]) > 1:  # points to choose from
            seen.extend(len(rows) for rows in train.values())
        return trained(train, *rest, **options)

    monkeypatch.setattr(grid, "train_grid", watched)
    assert evaluate("probe-grid", run, small_store, *words) == 0
    lying = written(run, "probe-grid")["results"]
    for features, result in honest.items():
        for key in ("learning_rate", "weight_decay", "grid", "held_out_top1"):
            assert lying[features][key] == result[key]
    assert max(seen) < 27, "what the choice trains on leaves some training clips out"


def test_the_retrieval_sheet_is_a_picture(run: Path, small_store: Path) -> None:
    from PIL import Image

    assert evaluate("retrieval", run, small_store, "--k", "2", "--queries", "3", "--bare") == 0
    with Image.open(next(run.glob("retrieval-xview*.png"))) as picture:
        assert picture.width > 1500
        assert picture.height > 500
        assert len(picture.getcolors(1 << 24) or []) > 10


def test_an_encoder_file_is_evaluated_into_a_folder_of_its_name(run: Path, small_store: Path) -> None:
    assert evaluate("knn", run / "encoder-bone.safetensors", small_store, "--k", "3") == 0
    found = json.loads((run / "encoder-bone" / "evaluation-knn-xview-k=3.json").read_text())
    assert "encoder-bone, bone" in found["results"]
    assert evaluate("knn", run, small_store, "--k", "3", "--bare") == 0
    own = written(run, "knn")["results"]["small, bone"]
    assert found["results"]["encoder-bone, bone"]["top1"] == own["top1"]


def test_clips_are_read_as_the_card_says_unless_something_else_is_asked_for(run: Path, small_store: Path) -> None:
    for stream in ("joint", "bone"):
        path = run / f"encoder-{stream}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "readout": {"turns": 3}}))
    plain = {"turns": 1, "whitening": 0.0, "whitened_by": "clips"}
    assert evaluate("linear", run, small_store, "--epochs", "2", "--bare") == 0
    assert written(run, "linear")["settings"]["readout"] == {**plain, "turns": 3}
    first = {path.name for path in (run / "features").iterdir()}
    assert evaluate("linear", run, small_store, "--epochs", "2", "--bare", "--turns", "1") == 0
    assert written(run, "linear")["settings"]["readout"] == plain
    assert "--turns 1" in " ".join(written(run, "linear")["command"])
    assert len({path.name for path in (run / "features").iterdir()} - first) == 2
    assert evaluate("knn", run, small_store, "--k", "3", "--turns", "2") == 0
    assert written(run, "knn")["settings"]["readout"] == {**plain, "turns": 2}


def features_of(run: Path, stream: str = "bone") -> np.ndarray:
    """Of all clips as unit vectors."""
    features = np.load(next((run / "features").glob(f"{stream}-*"))).astype(np.float64)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def test_features_are_whitened_by_the_training_clips(run: Path, small_store: Path) -> None:
    assert evaluate("knn", run, small_store, "--k", "3", "--bare") == 0
    files = {path.name for path in (run / "features").iterdir()}
    for stream in ("joint", "bone"):
        path = run / f"encoder-{stream}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "readout": {"whitening": 0.5}}))
    assert evaluate("knn", run, small_store, "--k", "3", "--bare") == 0
    assert {path.name for path in (run / "features").iterdir()} == files, "what is kept is not whitened"
    assert written(run, "knn")["settings"]["readout"] == {
        "turns": 1,
        "whitening": 0.5,
        "whitened_by": "clips",
    }

    store = Store(small_store)
    train, test = store.select("xview", "train"), store.select("xview", "test")
    features = features_of(run)
    features -= features[train].mean(axis=0)
    _, sizes, directions = np.linalg.svd(features[train], full_matrices=False)
    kept = sizes > 1e-4 * sizes[0]
    features = features @ directions[kept].T / sizes[kept] ** 0.5
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    nearest = (features[test] @ features[train].T).argmax(axis=1)
    expected = 100 * float((store.labels[train][nearest] == store.labels[test]).mean())
    assert written(run, "knn")["results"]["small, bone"]["top1"] == pytest.approx(expected, abs=1e-3)

    plain = features_of(run)[test] @ features_of(run)[train].T
    unwhitened = 100 * float((store.labels[train][plain.argmax(axis=1)] == store.labels[test]).mean())
    assert unwhitened != pytest.approx(expected, abs=1)
    assert evaluate("knn", run, small_store, "--k", "3", "--bare", "--whitening", "0") == 0
    assert written(run, "knn")["settings"]["readout"]["whitening"] == 0
    assert written(run, "knn")["results"]["small, bone"]["top1"] == pytest.approx(unwhitened, abs=1e-3)


def test_features_are_whitened_by_pairs_of_neighbours(run: Path, small_store: Path) -> None:
    words = ("--k", "3", "--bare", "--whitening", "0.5", "--whitened-by", "neighbours")
    assert evaluate("knn", run, small_store, *words) == 0
    assert written(run, "knn")["settings"]["readout"]["whitened_by"] == "neighbours"
    store = Store(small_store)
    train, test = store.select("xview", "train"), store.select("xview", "test")
    features = {stream: torch.from_numpy(features_of(run, stream)) for stream in ("joint", "bone")}
    pairs = mutual_neighbours({stream: values[train] for stream, values in features.items()})
    readout = {"whitening": 0.5, "whitened_by": "neighbours"}
    found = next(open_session(run, small_store, baselines=False, readout=readout).features())
    for stream, values in features.items():
        gallery, queries = whiten(values[train], values[test], 0.5, pairs=pairs)
        torch.testing.assert_close(found.train[stream] @ found.train[stream].T, gallery @ gallery.T, atol=1e-4, rtol=0)
        torch.testing.assert_close(found.test[stream] @ found.train[stream].T, queries @ gallery.T, atol=1e-4, rtol=0)
        nearest = (queries @ gallery.T).argmax(dim=1).numpy()
        expected = 100 * float((store.labels[train][nearest] == store.labels[test]).mean())
        assert written(run, "knn")["results"][f"small, {stream}"]["top1"] == pytest.approx(expected, abs=1e-3)


def test_a_few_training_clips_are_too_few_to_whiten_by(
    small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_small_run(tmp_path / "run", small_store, encoder={**SMALL["encoder"], "hidden": 8})
    few = "training clips tell little of how"
    assert evaluate("knn", run, small_store, "--k", "3", "--bare", "--whitening", "0.5") == 0
    assert few in " ".join(capsys.readouterr().err.split())
    assert evaluate("knn", run, small_store, "--k", "3", "--bare", "--whitening", "0") == 0
    assert few not in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("protocol", ["linear", "knn", "finetune", "supervised"])
def test_streams_of_pairs_of_joints_are_evaluated_beside_those_of_joints(
    protocol: str, small_store: Path, tmp_path: Path
) -> None:
    encoder = {"name": "bigru", "hidden": 4, "layers": 1}
    run = write_small_run(tmp_path / "run", small_store, "joint", "distance", "distance-motion", encoder=encoder)
    assert evaluate(protocol, run, small_store, *EVALUATIONS_TRIED[protocol]) == 0
    found = set(written(run, protocol)["results"])
    assert any(name.endswith("streams together") for name in found), found
    if protocol == "knn":  # the references, too
        assert {"untrained encoder, distance", "raw coordinates, distance-motion"} <= found, found


def test_supervised_does_not_use_the_weights_of_the_run(run: Path, small_store: Path, tmp_path: Path) -> None:
    assert evaluate("supervised", run, small_store, "--epochs", "1") == 0
    first = (run / "predictions-supervised-xview-epochs=1.csv").read_bytes()
    other = Path(shutil.copytree(run, tmp_path / "other", ignore=shutil.ignore_patterns("trained", "evaluation*")))
    shutil.copy(other / "encoder-joint.safetensors", other / "encoder-bone.safetensors")
    assert evaluate("supervised", other, small_store, "--epochs", "1") == 0
    assert (other / "predictions-supervised-xview-epochs=1.csv").read_bytes() == first


def test_transfer_between_layouts_shows_its_joints_and_fine_tunes(
    small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.evaluate.test_guard import write_ntu_store

    ntu = write_ntu_store(tmp_path / "ntu")
    run = write_small_run(tmp_path / "run", ntu, dataset="ntu60", preparation="tracked", split="xsub")
    words = ["--k", "3", "--probe-epochs", "2", "--finetune", "--epochs", "1"]
    assert evaluate("transfer", run, small_store, *words) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "from ntu60 xsub to nw-ucla xview" in said
    assert "joints of kinect20 are mapped to ntu25, the encoder's" in said
    assert "neck = shoulder_centre + head" in said
    found = written(run, "transfer-nw-ucla")
    assert found["settings"]["joint_map"]["filled"]["left_thumb"] == ["left_hand"]
    kinds = [name.rsplit(", ", 1)[-1] for name in found["results"] if name.startswith("small")]
    assert kinds == ["fine-tuned", "linear", "1-NN"]
    assert evaluate("knn", run, small_store) == 0
    assert "joints of kinect20 are mapped to ntu25" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["finetune", "--seeds", "0"], "--seeds 0: at least one training is needed"),
        (["finetune", "--layer-decay", "1.5"], "the layer decay (1.5) must be above 0 and at most 1"),
        (["finetune", "--weights", "joint=1"], "but the run's streams are joint, bone"),
        (["semi", "--percent", "0"], "0 % of the labels: must be above 0 and at most 100"),
        (["retrieval", "--k", "28"], "k (28) must be in 1..27"),
        (["probe-grid", "--held-out", "0"], "0 % held out: must be above 0 and below 100"),
        (["cluster", "--seeds", "-1"], "at least one training is needed"),
        (["transfer", "--split", "xsub"], "has no split 'xsub'"),
        (["knn", "--turns", "0"], "readout of 0 turns: it must be of 1 to 360"),
        (["knn", "--whitened-by", "neighbours"], "has no effect without --whitening above 0: 1 is wholly"),
        (["knn", "--whitening", "2"], "readout with whitening 2.0: it must be in [0, 1], 0 for none"),
    ],
)
def test_a_mistake_is_said_in_one_line(
    words: list[str], message: str, run: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(words[0], run, small_store, *words[1:]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1]
