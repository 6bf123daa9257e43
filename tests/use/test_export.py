"""Exported models compute what the model computes: in onnxruntime, by torch.export, and in the example that knows
nothing of kinestream."""

import builtins
import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from tests.stores import write_small_run
from tests.use.models import gru, small_model, st_gcn

from kinestream.cli import main
from kinestream.data.recording import Recording
from kinestream.features.whitening import Whitening, fit_whitening
from kinestream.models import encoder as encoders
from kinestream.models import stgcn
from kinestream.models.encoder import Encoder
from kinestream.models.encoder_file import weights_hash
from kinestream.models.readout import Readout
from kinestream.skeleton import STREAMS
from kinestream.skeleton.layout import load_layout
from kinestream.skeleton.pose import standing
from kinestream.use.classifier import Classifier
from kinestream.use.export import writing
from kinestream.use.export.cases import batch, recordings
from kinestream.use.export.graph import Graph, LinearHead
from kinestream.use.model import Model, load

EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_embed.py"
EVERY_STREAM = (
    *("bone", "bone-motion", "cylindrical-motion", "displacement", "distance", "distance-motion", "joint"),
    *("lagged-distance", "motion"),
)


def moves(layout: str, count: int, seed: int = 5) -> list[Recording]:
    return recordings(load_layout(layout), frames=9, people=2, seed=seed)[:count]


def session(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported")


def test_every_built_in_stream_is_tried() -> None:
    assert set(EVERY_STREAM) == set(STREAMS._builtin)


class Extremes(Encoder):
    """The largest and the mean of each number over time: hardly more than the stream itself, so quickly exported."""

    def __init__(self, stream: str) -> None:
        channels, joints = STREAMS.get(stream).shape(load_layout("kinect20"))
        super().__init__(2 * 2 * channels * joints)
        self.scale = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * torch.cat((x.amax(dim=2), x.mean(dim=2)), dim=1).flatten(1)


def test_every_stream(folder: Path) -> None:
    model = small_model(gru(hidden=2), *EVERY_STREAM)
    model.encoders |= {stream: Extremes(stream).eval() for stream in EVERY_STREAM}
    made = model.export(folder / "every.onnx")
    assert 0 < made.difference < 1e-5
    run = session(made.path)
    assert run.get_modelmeta().custom_metadata_map == dict(made.metadata)
    for count in (1, 2, 5):
        some = moves("kinect20", count)
        rows = run.run(["embedding"], {"joints": batch(some)})[0]
        np.testing.assert_allclose(rows, model.embed(some), atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_st_gcn_with_joints_of_another_layout(folder: Path) -> None:
    both = Readout(turns=2)  # read from two sides
    model = small_model(st_gcn(absent="skip", pool=2), "joint", preparation="published", readout=both)
    made = model.export(folder / "mapped.onnx", layout="ntu25")
    run = session(made.path)
    some = moves("ntu25", 3)
    np.testing.assert_allclose(run.run(None, {"joints": batch(some)})[0], model.embed(some), atol=1e-4)
    assert json.loads(made.metadata["layout"])["name"] == "ntu25"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """On embeddings that are whitened."""
    plain = small_model(gru(pool=2), "bone", preparation="planar")
    whitening = {"bone": fit_whitening(torch.randn(40, 12, generator=torch.Generator().manual_seed(0)), 0.5)}
    model = Model("small", plain.encoders, plain.cards, whitening=whitening, device="cpu")
    rows = np.random.default_rng(0).normal(size=(40, model.dim))
    return Classifier(model).fit(rows, ["abcd"[number] for number in rows[:, :4].argmax(axis=1)])


@pytest.fixture(scope="module")
def labelled(folder: Path, classifier: Classifier) -> Path:
    """Saved, and exported by the command."""
    classifier.save(folder / "gestures.model")
    assert main(["export", str(folder / "gestures.model"), str(folder / "gestures.onnx")]) == 0
    return folder / "gestures.onnx"


def test_whitened_embeddings_and_probabilities_of_a_classifier(labelled: Path, classifier: Classifier) -> None:
    some = moves("kinect20", 4)
    rows, probability = session(labelled).run(["embedding", "probability"], {"joints": batch(some)})
    np.testing.assert_allclose(rows, embed(classifier, some), atol=1e-5)
    np.testing.assert_allclose(probability, classifier.predict_proba(some), atol=1e-5)
    assert np.ptp(probability, axis=0).max() > 0.01, "they are told apart"


def embed(classifier: Classifier, some: list[Recording]) -> np.ndarray:
    assert classifier.model is not None
    return classifier.model.embed(some)


def test_a_classifier_without_an_encoder_is_not_exported(classifier: Classifier, tmp_path: Path) -> None:
    rows = np.eye(4)
    with pytest.raises(ValueError, match="knows no encoder to export"):
        Classifier().fit(rows, list("abab")).export(tmp_path / "x.onnx")
    with pytest.raises(NotFittedError):
        Classifier(classifier.model).export(tmp_path / "x.onnx")


def test_what_the_file_says_of_itself(labelled: Path, classifier: Classifier) -> None:
    import onnx

    model = classifier.model
    assert model is not None
    run = session(labelled)
    told = run.get_modelmeta().custom_metadata_map
    assert json.loads(told["layout"]) == model.layout.to_dict()
    assert json.loads(told["weights"]) == {"bone": weights_hash(model.encoders["bone"])}
    assert json.loads(told["classes"]) == list("abcd")
    assert (told["frames"], told["streams"], told["units"], told["up"]) == ("12", "bone", "m", "y")
    assert (told["preparation"], told["whitened"], told["bodies"]) == ("planar, inside", "yes", "2")
    assert told["kinestream"].count(".") >= 1
    assert run.get_inputs()[0].shape == ["n", "t", "m", 20, 3]
    proto = onnx.load(labelled)
    assert str(Path(writing.__file__).parents[2]).encode() not in proto.SerializeToString(), "no path of this machine"


def test_clips_without_anybody_are_nan_and_alone_so(labelled: Path) -> None:
    joints = batch(moves("kinect20", 3))
    joints[1] = 0
    rows = session(labelled).run(["embedding"], {"joints": joints})[0]
    assert np.isnan(rows[1]).all()
    assert np.isfinite(rows[[0, 2]]).all()


def test_joints_that_were_not_seen_are_filled_in(labelled: Path, classifier: Classifier) -> None:
    move = moves("kinect20", 1)[0]
    joints = move.joints.copy()
    joints[2:5, 0, 7] = np.nan
    joints[:, 0, 11] = np.nan
    rows = session(labelled).run(["embedding"], {"joints": joints[None].astype(np.float32)})[0]
    assert classifier.model is not None
    np.testing.assert_allclose(rows, classifier.model.embed(joints, layout="kinect20"), atol=1e-5)


def test_prepared_clips_are_only_resized(tmp_path: Path) -> None:
    model = small_model(gru(hidden=2), "joint", preparation="tracked")
    model.encoders["joint"] = Extremes("joint").eval()
    made = model.export(tmp_path / "prepared.pt2", prepared=True)
    moved = np.tile(standing(load_layout("kinect20")) + np.array([3.0, 0.0, 1.0]), (1, 7, 1, 1, 1)).astype(np.float32)
    program = torch.export.load(made.path).module()
    with torch.no_grad():
        rows = program(torch.from_numpy(moved)).numpy()
    there = small_model(gru(hidden=2), "joint", preparation="imported")
    there.encoders["joint"] = model.encoders["joint"]
    np.testing.assert_allclose(rows, there.embed(moved[0], layout="kinect20"), atol=1e-5)
    assert np.abs(rows - model.embed(moved[0], layout="kinect20")).max() > 1e-3
    assert made.metadata["preparation"] == "tracked, done before"


@pytest.fixture
def exporting(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Encoders as torch.export sees them, without tracing."""
    with monkeypatch.context() as patch:
        for module in (encoders, stgcn):
            patch.setattr(module, "is_exporting", lambda: True)
        yield patch


@pytest.mark.parametrize("absent", ["published", "once", "skip"])
@pytest.mark.parametrize("changed", [{}, {"pool": 3}, {"partition": "distance", "hidden": 9}], ids=str)
@pytest.mark.parametrize("stream", [name for name in EVERY_STREAM if "distance" not in name])
def test_st_gcn_is_the_same_in_the_form_that_is_exported(
    stream: str, changed: dict[str, Any], absent: str, exporting: pytest.MonkeyPatch
) -> None:
    same_when_exported(small_model(st_gcn(absent=absent, **changed), stream).encoders[stream], exporting)


@pytest.mark.parametrize("absent", ["published", "once", "skip"])
@pytest.mark.parametrize("changed", [{}, {"pool": 2}, {"layers": 1}, {"layers": 3}], ids=str)
def test_bigru_is_the_same_in_the_form_that_is_exported(
    changed: dict[str, Any], absent: str, exporting: pytest.MonkeyPatch
) -> None:
    same_when_exported(small_model(gru(absent=absent, **changed), "joint").encoders["joint"], exporting)


def same_when_exported(encoder: Encoder, exporting: pytest.MonkeyPatch) -> None:
    channels: int = encoder.in_channels  # type: ignore[assignment]
    x = torch.randn(5, channels, 11, 20, 2, generator=torch.Generator().manual_seed(0))
    x[1:4, ..., 1] = 0  # several absent bodies, so that they share a row otherwise
    x[3] = 0
    with torch.no_grad():
        exported = encoder(x)
        exporting.undo()
        usual = encoder(x)
    torch.testing.assert_close(exported, usual, atol=1e-5, rtol=1e-4)
    assert usual.std() > 1e-3


def test_the_example_needs_no_kinestream(
    folder: Path,
    tmp_path: Path,
    labelled: Path,
    classifier: Classifier,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert len(EXAMPLE.read_text("utf-8").splitlines()) <= 15
    some = moves("kinect20", 3)
    files = [tmp_path / f"{move.name}.npy" for move in some]
    for file, move in zip(files, some, strict=True):
        np.save(file, move.joints[:, :1] if not move.joints[:, 1].any() else move.joints)
    real = builtins.__import__

    def without(name: str, *more: Any, **options: Any) -> Any:
        assert name.partition(".")[0] not in ("kinestream", "torch"), name
        return real(name, *more, **options)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", [str(EXAMPLE), str(labelled), str(tmp_path / "z.npy"), *map(str, files)])
        patch.setattr(builtins, "__import__", without)
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "joints (n, t, m, v, 3)" in capsys.readouterr().out
    np.testing.assert_allclose(np.load(tmp_path / "z.npy"), embed(classifier, some), atol=1e-5)


def test_a_run_as_a_file_of_torch_export(tmp_path: Path, small_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_small_run(tmp_path / "run", small_store, "bone-motion")
    out = tmp_path / "new" / "st-gcn.pt2"
    assert main(["export", str(run), str(out)]) == 0
    said = capsys.readouterr().out
    assert f"written: {out}: at most" in said
    assert "layout kinect20, metres, y up; embeddings of 8\n" in said
    extra = {writing.METADATA: ""}
    program = torch.export.load(out, extra_files=extra)
    told = json.loads(extra[writing.METADATA])
    assert (told["streams"], told["whitened"], told["frames"]) == ("bone-motion", "no", "10")
    some = moves("kinect20", 3)
    with torch.no_grad():
        rows = program.module()(torch.from_numpy(batch(some))).numpy()
    np.testing.assert_allclose(rows, load(run).embed(some), atol=1e-5)


# --- what cannot be exported ----------------------------------------------------------------------------------------


class Moody(Encoder):
    """Decides by a value, which cannot be traced."""

    def __init__(self) -> None:
        super().__init__(3)
        self.scale = torch.nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(dim=(2, 3, 4))
        return mean * self.scale if mean.sum() > 0 else -mean * self.scale


def test_an_encoder_that_cannot_be_traced_is_told_with_the_reason(tmp_path: Path) -> None:
    model = small_model(gru(), "joint")
    model.encoders["joint"] = Moody().eval()
    out = tmp_path / "moody.onnx"
    with pytest.raises(
        ValueError, match=r"encoder bigru with streams joint cannot be exported: torch\.export says: "
    ) as told:
        model.export(out)
    assert len(str(told.value)) < 500
    assert "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())


def test_a_file_that_differs_from_the_model_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "encoder.pt2"
    out.write_bytes(b"before")
    graphs: list[Graph] = []

    def run(joints: np.ndarray) -> list[np.ndarray]:
        with torch.no_grad():
            return [graphs[0](torch.from_numpy(joints)).numpy() + np.float32(0.01)]

    monkeypatch.setattr(
        writing, "_traced", lambda graph, _: graphs.append(graph)
    )  # the file is not what is asked about
    monkeypatch.setattr(writing, "_write_pt2", lambda _, part, metadata: part.write_bytes(b"after"))
    monkeypatch.setattr(writing, "_load_pt2", lambda part: run)
    with pytest.raises(ValueError, match=r"is not written: its outputs would differ by 1\.0e-02 from the model's"):
        small_model(gru(hidden=2), "joint").export(out)
    assert out.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [out]


def test_an_encoder_that_has_diverged_is_refused(tmp_path: Path) -> None:
    model = small_model(gru(), "joint")
    next(model.encoders["joint"].parameters()).data.fill_(torch.nan)
    with pytest.raises(ValueError, match="some features of small are not finite"):
        model.export(tmp_path / "x.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_extra_is_named(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf'x\.onnx needs {package}: pip install "kinestream\[onnx\]"'):
        small_model(gru(), "joint").export(tmp_path / "x.onnx")


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    model = small_model(gru(), "joint")
    (tmp_path / "file").touch()
    (tmp_path / "folder.onnx").mkdir()
    for out, said in (
        ("x.txt", "name a file that ends in .onnx, or in .pt2"),
        ("folder.onnx", "is a folder: name a file"),
        ("file/x.onnx", "cannot be written"),
    ):
        with pytest.raises(ValueError, match=said):
            model.export(tmp_path / out)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"people": 0}, r"people \(0\) must be at least 1"),
        ({"layout": "kinect21"}, "unknown layout 'kinect21'"),
        (
            {"whitening": {}, "head": LinearHead(weights=np.zeros((2, 5)), bias=np.zeros(2))},
            r"needs \(k, 12\) and \(k,\)",
        ),
        ({"head": LinearHead(weights=np.full((2, 12), np.nan), bias=np.zeros(2))}, "not finite"),
        ({"head": LinearHead(weights=np.zeros((2, 12)), bias=np.zeros(2), temperature=0.0)}, "temperature"),
        (
            {"head": LinearHead(weights=np.zeros((2, 12)), bias=np.zeros(2), classes=("a",))},
            "1 names for the 2 classes",
        ),
        ({"head": LinearHead(weights="many", bias=np.zeros(2))}, "must be arrays of numbers"),
        (
            {"whitening": {"bone": Whitening(torch.zeros(12).double(), torch.eye(12).double())}},
            "whitening of bone, but the streams are joint",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_does_not_fit_is_said_before_any_work(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        small_model(gru(), "joint").export(tmp_path / "x.onnx", **changed)
