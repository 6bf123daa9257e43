"""The encoder that comes with the package: does it take what it says it takes?"""

from pathlib import Path

import numpy as np
import pytest
import torch

import kinestream as ks
from kinestream.cli import main
from kinestream.models.encoder_file import load_encoder
from kinestream.shipped import DEFAULT, shipped_folder, shipped_names
from kinestream.skeleton.layout import layout_names, load_layout
from kinestream.skeleton.pose import standing


@pytest.fixture(scope="module")
def anybody() -> ks.Model:
    return ks.load(device="cpu")


def waving(layout_name: str, frames: int = 30, seed: int = 0) -> np.ndarray:
    """Stands, trembles a little and moves the right arm up and down, `(t, v, 3)`."""
    layout = load_layout(layout_name)
    rng = np.random.default_rng(seed)
    joints = np.tile(standing(layout), (frames, 1, 1)) + 0.002 * rng.standard_normal((frames, len(layout.joints), 3))
    beat = 0.5 * np.abs(np.sin(np.linspace(0, 5, frames)))
    ends = [v for v, name in enumerate(layout.joints) if "wrist" in name.lower() and name.lower().startswith("r")]
    joints[:, ends, 1] += beat[:, None]
    return joints


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum(axis=1).mean())


def test_it_is_what_is_taken_where_nobody_names_another(anybody: ks.Model) -> None:
    assert DEFAULT in shipped_names()
    assert anybody.name == "anybody"
    assert anybody.fingerprint == ks.load("anybody").fingerprint
    assert (anybody.layout.name, anybody.preparation, anybody.bodies) == ("body16", "scaled", 2)
    assert anybody.whitening.keys() == set(anybody.streams), "the whitening comes along"
    folder = shipped_folder(DEFAULT)
    assert folder is not None
    assert sum(path.stat().st_size for path in folder.iterdir()) < 20_000_000


def test_a_run_of_that_name_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped_folder("anybody") is not None
    Path("anybody").mkdir()
    assert shipped_folder("anybody") is not None, "a folder of results is no run"
    Path("anybody/config.yaml").touch()
    assert shipped_folder("anybody") is None
    assert shipped_folder("nobody") is None


@pytest.mark.parametrize("name", layout_names())
def test_every_layout_goes_in(name: str, anybody: ks.Model) -> None:
    rows = anybody.embed([waving(name), waving(name, seed=1)], layout=name)
    assert rows.shape == (2, anybody.dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


def test_units_side_and_place_do_not_matter_and_rate_hardly(anybody: ks.Model) -> None:
    joints = waving("kinect20", frames=60)
    own = anybody.embed([joints], layout="kinect20")
    x, y, z = joints[..., 0], joints[..., 1], joints[..., 2]
    turned = np.stack((z + 2.0, y, -x - 1.0), axis=-1)
    for other in (100 * joints, turned):
        np.testing.assert_allclose(anybody.embed([other], layout="kinect20"), own, atol=2e-3)
    assert cosine(anybody.embed([joints[::2]], layout="kinect20"), own) > 0.9
    still = np.tile(standing(load_layout("kinect20")), (60, 1, 1))
    assert cosine(anybody.embed([still], layout="kinect20"), own) < 0.7


def test_a_part_of_a_body_is_taken_and_said(anybody: ks.Model) -> None:
    said: list[str] = []
    coco = load_layout("coco17")
    upper = [v for v, name in enumerate(coco.joints) if not name.endswith(("hip", "knee", "ankle"))]
    layout = ks.Layout(
        name="upper",
        joints=tuple(coco.joints[v] for v in upper),
        parents=tuple(upper.index(coco.parents[v]) for v in upper),
        pairs=tuple((upper.index(a), upper.index(b)) for a, b in coco.pairs if a in upper),
        heading=coco.heading,
        pelvis=coco.heading,
    )
    anybody.embedded([ks.Recording(waving("coco17")[:, None, upper], layout)], notice=said.append)
    assert any("not recorded, and put where the next joint is: pelvis, spine, left_hip" in text for text in said)
    hidden = waving("coco17")
    hidden[:, [v for v in range(17) if v not in upper]] = np.nan
    assert np.isfinite(anybody.embed([hidden], layout="coco17")).all()


def test_a_training_goes_on_from_it(small_store: Path, tmp_path: Path) -> None:
    """With no step worth the name the weights stay, and recordings of Kinect are mapped to its joints."""
    run = ks.pretrain(
        small_store,
        "laptop",
        out=tmp_path / "run",
        start="anybody",
        settings=[
            "epochs=1",
            "batch_size=8",
            "frames=16",
            "streams=[bone]",
            "optimiser.rate=1e-12",
            "readout.whitening=0",
        ],
    )
    encoder, card = load_encoder(run.encoder("bone"))
    folder = shipped_folder("anybody")
    assert folder is not None
    begun, _ = load_encoder(folder / "encoder-bone.safetensors")
    assert (card.layout.name, card.preparation) == ("body16", "scaled")
    for name, value in begun.state_dict().items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(encoder.state_dict()[name], value, atol=1e-6, rtol=0)
    assert run.config().start is not None
    with pytest.raises(ValueError, match="was begun from other weights: resume as it was begun, --from anybody"):
        ks.pretrain(small_store, run.config().recipe, out=tmp_path / "run", resume=True)
    with pytest.raises(ValueError, match="has other encoders"):
        ks.pretrain(small_store, "laptop", out=tmp_path / "other", start="anybody", settings=["encoder.hidden=8"])


def test_evaluations_take_it_by_name(
    small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "knn", "anybody", "--data", str(small_store), "--k", "3"]) == 0
    said = capsys.readouterr()
    assert "anybody, streams together" in said.out
    assert "are mapped to body16" in " ".join(said.err.split())
    assert Path("anybody/results.csv").is_file()
