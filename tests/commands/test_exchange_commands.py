"""prepare of what others made, export-data and import-weights as a user meets them."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.test_published_weights import backbone, linear_evaluation, pretraining

from kinestream.cli import main
from kinestream.data.store import Store
from kinestream.models.encoder_file import load_encoder
from kinestream.skeleton.layout import KINECT20

SMALL = ["--set", "encoder.hidden=2", "--set", "encoder.dim=6"]


@pytest.fixture
def arrays(tmp_path: Path, rng: np.random.Generator) -> Path:
    """The authors' form: 12 clips for training, 6 for validation, of three classes; one clip is empty."""
    folder = tmp_path / "xsub"
    folder.mkdir()
    for part, subjects in (("train", (1, 2, 4, 5)), ("val", (3, 6))):
        names = [f"S001C001P{subject:03}R001A{action:03}.skeleton" for subject in subjects for action in (1, 2, 3)]
        position = rng.normal(0, 0.4, (len(names), 3, 50, 25, 2)).astype(np.float32)
        if part == "train":
            position[4] = 0
        np.save(folder / f"{part}_position.npy", position)
        label = (names, [int(name[17:20]) - 1 for name in names])
        (folder / f"{part}_label.pkl").write_bytes(pickle.dumps(label))
    return folder


def test_imported_clips_and_weights_are_evaluated_at_once(
    arrays: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, run, weights = (str(tmp_path / name) for name in ("store", "run", "weights.pt"))
    assert main(["prepare", "ntu60", str(arrays), store]) == 0
    words = capsys.readouterr().out
    assert "the 3s-CACA authors' 'position' arrays" in words
    assert "'published-clips'" in words
    assert "no body in any of its 50 frames" in words
    assert f"store: {store}" in words
    assert len(Store(Path(store))) == 17

    torch.save({"state_dict": {f"module.{k}": v for k, v in linear_evaluation().items()}, "epoch": 3}, weights)
    assert main(["import-weights", weights, run, "--recipe", "caca-3s-ntu60-xsub", *SMALL]) == 0
    words = capsys.readouterr().out
    assert "left aside: linear layer fc_motion (6 to 60)" in words
    assert "left aside: 'epoch' of the file" in words
    for protocol, more in (("knn", ["--k", "3"]), ("linear", ["--epochs", "2"])):
        assert main(["evaluate", protocol, run, "--data", store, *more]) == 0
        said = capsys.readouterr()
        assert "caca-3s-ntu60-xsub, bone" in said.out
        assert "WARNING" not in said.err
        written = json.loads(next(Path(run).glob(f"evaluation-{protocol}-xsub*.json")).read_text())
        assert (written["train_clips"], written["test_clips"]) == (11, 6)


def test_a_recipe_of_published_learns_from_imported_clips(
    arrays: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, out = str(tmp_path / "store"), str(tmp_path / "run")
    assert main(["prepare", "ntu60", str(arrays), store]) == 0
    shrunk = [
        *SMALL,
        *(f"--set={one}" for one in ("epochs=1", "batch_size=4", "method.hidden=8", "method.embedding=4")),
    ]
    recipe = ["pretrain", "caca-joint-ntu60-xsub", "--data", store]
    assert main([*recipe, "--out", out, *shrunk]) == 0
    assert "resized" not in capsys.readouterr().err
    assert main([*recipe, "--out", f"{out}-20", *shrunk, "--set", "frames=20"]) == 0
    assert "those of 20 frames are resized from them" in " ".join(capsys.readouterr().err.split())
    assert main([*recipe, "--out", f"{out}-x", *shrunk, "--set", "preparation=tracked"]) == 1
    assert "was prepared 'published-clips'" in capsys.readouterr().err


@pytest.mark.parametrize(("form", "out"), [("authors", "again"), ("ctr-gcn", "again.npz")])
def test_a_store_goes_out_and_comes_back(
    form: str, out: str, small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, back = str(tmp_path / out), str(tmp_path / "back")
    assert main(["export-data", str(small_store), there, "--format", form]) == 0
    words = capsys.readouterr().out
    assert "split xview" in words
    assert f"written: {there}" in words
    assert main(["prepare", "nw-ucla", there, back]) == 0
    assert len(Store(Path(back))) == 40
    assert main(["check", back, "--brief"]) == 0
    assert main(["export-data", str(small_store), there, "--format", form]) == 1
    assert "exists already" in capsys.readouterr().err


def one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(words) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1, said
    assert message in said[0]


def test_what_cannot_be_imported_is_one_line(arrays: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    one_line(["prepare", str(tmp_path / "x"), out], "no file or folder", capsys)
    one_line(["prepare", "ntu61", str(arrays), out], "unknown data set 'ntu61'", capsys)
    one_line(["prepare", str(arrays), out, "--preparation", "x"], "unknown preparation 'x'", capsys)
    one_line(["prepare", "nw-ucla", str(arrays), out], "has 20 (kinect20): is it another data set's?", capsys)
    one_line(["export-data", str(arrays), out, "--format", "authors"], "is no store", capsys)
    assert not Path(out).exists()


def test_weights_that_do_not_fit_the_recipe_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, out = tmp_path / "w.pt", str(tmp_path / "out")
    three, single = "caca-3s-ntu60-xsub", "caca-joint-ntu60-xsub"

    def refused(message: str, *more: str) -> None:
        one_line(["import-weights", str(weights), out, *more], message, capsys)
        assert not Path(out).exists()

    refused("no file", "--recipe", three)
    torch.save(pretraining(), weights)
    refused("encoder.hidden of stream joint is 2, the recipe says 16", "--recipe", single)
    refused("encoder.dim of stream joint is 6, the recipe says 512", "--recipe", single, *SMALL[:2])
    refused(
        "encoder.partition of stream joint is one-hop", "--recipe", single, *SMALL, "--set=encoder.partition=distance"
    )
    refused(
        "of one stream, and their keys do not say which: take a recipe of one stream, not of joint, motion, bone",
        "--recipe",
        three,
        *SMALL,
    )
    refused("give --recipe", "--stream", "joint")
    refused("--frames missing", "--layout", "ntu25", "--preparation", "published")
    refused("--stream is what the recipe says", "--recipe", single, "--stream", "bone")
    alone = ["--preparation", "published", "--frames", "50"]
    refused("unknown layout 'x': there are azure32", "--layout", "x", *alone)
    refused("say which, --stream joint", "--layout", "ntu25", *alone)
    for stream in ("displacement", "cylindrical-motion", "lagged-distance"):
        message = f"nobody released weights of stream {stream}: choose from joint, motion, bone"
        refused(message, "--layout", "ntu25", *alone, "--stream", stream)
    refused("w.pt: of another shape: online_backbone.A", "--layout", "kinect20", *alone)
    torch.save(pretraining("joint") | pretraining("bone"), weights)
    refused("the weights have the streams joint, bone, the recipe joint, motion, bone", "--recipe", three, *SMALL)
    refused("the weights have the streams joint, bone, the recipe joint", "--recipe", single, *SMALL)
    refused("leave --stream out", "--layout", "ntu25", *alone, "--stream", "joint")


def test_weights_without_a_recipe_become_encoder_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = backbone("online_backbone", KINECT20)
    state["online_backbone.data_bn.num_batches_tracked"] = torch.tensor(0)
    torch.save(state, tmp_path / "w.pt")
    words = ["--layout", "kinect20", "--preparation", "tracked", "--frames", "32", "--stream", "bone"]
    assert main(["import-weights", str(tmp_path / "w.pt"), str(tmp_path / "out"), *words]) == 0
    assert "these weights look untrained" in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "encoder-bone.json",
        "encoder-bone.safetensors",
    ]
    encoder, card = load_encoder(tmp_path / "out/encoder-bone.safetensors")
    assert (card.layout, card.frames, card.preparation, card.stream) == (KINECT20, 32, "tracked", "bone")
    assert torch.equal(encoder.get_parameter("data_bn.bias"), state["online_backbone.data_bn.bias"])
