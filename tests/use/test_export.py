"""Exported models compute what the model computes: in onnxruntime, by torch.export, and in the example that knows
nothing of kinestream."""

import builtins
import json
import runpy
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
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
from kinestream.use.export import writing
from kinestream.use.export.cases import batch, recordings
from kinestream.use.export.graph import LinearHead
from kinestream.use.model import load

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


def test_a_recurrent_encoder_of_every_stream(folder: Path) -> None:
    model = small_model(gru(hidden=4, pool=2), *EVERY_STREAM)
    made = model.export(folder / "every.onnx")
    assert 0 < made.difference < 1e-5
    run = session(made.path)
    for count in (1, 2, 5):
        some = moves("kinect20", count)
        rows = run.run(["embedding"], {"joints": batch(some)})[0]
        np.testing.assert_allclose(rows, model.embed(some), atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_st_gcn_with_joints_of_another_layout(folder: Path) -> None:
    both = Readout(turns=2)  # read from two sides
    model = small_model(st_gcn(absent="skip", pool=2), "joint", "displacement", preparation="published", readout=both)
    made = model.export(folder / "mapped.onnx", layout="ntu25")
    run = session(made.path)
    some = moves("ntu25", 3)
    np.testing.assert_allclose(run.run(None, {"joints": batch(some)})[0], model.embed(some), atol=1e-4)
    assert json.loads(made.metadata["layout"])["name"] == "ntu25"


@pytest.fixture(scope="module")
def labelled(folder: Path) -> tuple[writing.Exported, Any, Mapping[str, Whitening], LinearHead]:
    """A model that whitens, with a classifier on it."""
    model = small_model(gru(), "bone", preparation="planar")
    whitening = {"bone": fit_whitening(torch.randn(40, 12, generator=torch.Generator().manual_seed(0)), 0.5)}
    rng = np.random.default_rng(0)
    head = LinearHead(
        weights=rng.normal(0, 3, (4, 12)), bias=rng.normal(0, 1, 4), temperature=1.7, classes=tuple("abcd")
    )
    return model.export(folder / "labelled.onnx", whitening=whitening, head=head), model, whitening, head


def test_whitened_embeddings_and_probabilities_of_a_classifier(
    labelled: tuple[writing.Exported, Any, Mapping[str, Whitening], LinearHead],
) -> None:
    made, model, whitening, head = labelled
    some = moves("kinect20", 4)
    rows, probability = session(made.path).run(["embedding", "probability"], {"joints": batch(some)})
    expected = whitening["bone"](torch.from_numpy(model.embed(some)).double()).numpy()
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    logits = (expected @ head.weights.T + head.bias) / head.temperature
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probability, softmax, atol=1e-5)


def test_what_the_file_says_of_itself(
    labelled: tuple[writing.Exported, Any, Mapping[str, Whitening], LinearHead],
) -> None:
    import onnx

    made, model, _, _ = labelled
    run = session(made.path)
    told = run.get_modelmeta().custom_metadata_map
    assert told == dict(made.metadata)
    assert json.loads(told["layout"]) == model.layout.to_dict()
    assert json.loads(told["weights"]) == {"bone": weights_hash(model.encoders["bone"])}
    assert json.loads(told["classes"]) == list("abcd")
    assert (told["frames"], told["streams"], told["units"], told["up"]) == ("12", "bone", "m", "y")
    assert (told["preparation"], told["whitened"], told["bodies"]) == ("planar, inside", "yes", "2")
    assert told["kinestream"].count(".") >= 1
    assert run.get_inputs()[0].shape == ["n", "t", "m", 20, 3]
    proto = onnx.load(made.path)
    assert str(Path(writing.__file__).parents[2]).encode() not in proto.SerializeToString(), "no path of this machine"


def test_clips_without_anybody_are_nan_and_alone_so(
    labelled: tuple[writing.Exported, Any, Mapping[str, Whitening], LinearHead],
) -> None:
    made, _, _, _ = labelled
    joints = batch(moves("kinect20", 3))
    joints[1] = 0
    rows = session(made.path).run(["embedding"], {"joints": joints})[0]
    assert np.isnan(rows[1]).all()
    assert np.isfinite(rows[[0, 2]]).all()


def test_joints_that_were_not_seen_are_filled_in(
    labelled: tuple[writing.Exported, Any, Mapping[str, Whitening], LinearHead],
) -> None:
    made, model, whitening, _ = labelled
    move = moves("kinect20", 1)[0]
    joints = move.joints.copy()
    joints[2:5, 0, 7] = np.nan
    joints[:, 0, 11] = np.nan
    rows = session(made.path).run(["embedding"], {"joints": joints[None].astype(np.float32)})[0]
    expected = whitening["bone"](torch.from_numpy(model.embed(joints, layout="kinect20")).double()).numpy()
    np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_a_file_of_torch_export(tmp_path: Path) -> None:
    model = small_model(st_gcn(), "bone-motion")
    made = model.export(tmp_path / "st-gcn.pt2")
    extra = {writing.METADATA: ""}
    program = torch.export.load(made.path, extra_files=extra)
    assert json.loads(extra[writing.METADATA]) == dict(made.metadata)
    some = moves("kinect20", 3)
    with torch.no_grad():
        rows = program.module()(torch.from_numpy(batch(some))).numpy()
    np.testing.assert_allclose(rows, model.embed(some), atol=1e-5)


def test_prepared_clips_are_only_resized(tmp_path: Path) -> None:
    model = small_model(gru(), "joint", preparation="tracked")
    made = model.export(tmp_path / "prepared.pt2", prepared=True)
    moved = np.tile(standing(load_layout("kinect20")) + np.array([3.0, 0.0, 1.0]), (1, 7, 1, 1, 1)).astype(np.float32)
    program = torch.export.load(made.path).module()
    with torch.no_grad():
        rows = program(torch.from_numpy(moved)).numpy()
    there = small_model(gru(), "joint", preparation="imported").embed(moved[0], layout="kinect20")
    np.testing.assert_allclose(rows, there, atol=1e-5)
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
    labelled: tuple[writing.Exported, Any, Mapping[str, Whitening], LinearHead],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made, model, whitening, _ = labelled
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
        patch.setattr(sys, "argv", [str(EXAMPLE), str(made.path), str(tmp_path / "z.npy"), *map(str, files)])
        patch.setattr(builtins, "__import__", without)
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "joints (n, t, m, v, 3)" in capsys.readouterr().out
    expected = whitening["bone"](torch.from_numpy(model.embed(some)).double()).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "z.npy"), expected, atol=1e-5)


def test_the_command(tmp_path: Path, small_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_small_run(tmp_path / "run", small_store, "bone", encoder={"name": "bigru", "hidden": 4})
    out = tmp_path / "new" / "encoder.pt2"
    assert main(["export", str(run), str(out)]) == 0
    said = capsys.readouterr().out
    assert f"written: {out}: at most" in said
    assert "layout kinect20" in said
    some = moves("kinect20", 2)
    with torch.no_grad():
        rows = torch.export.load(out).module()(torch.from_numpy(batch(some))).numpy()
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
    real = writing.expected
    monkeypatch.setattr(writing, "expected", lambda *a, **k: real(*a, **k) + np.float32(0.01))
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
