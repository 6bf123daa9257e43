"""Recordings of one's own, from arrays to embeddings, evaluations and the report: skeletons that no data set here has,
by the Python API alone."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinestream as ks
from kinestream.cli import main
from kinestream.skeleton.pose import standing

TWO_PEOPLE = """
title: Fifteen joints of each person, as an RGB-D camera of 2012 saw them
joints: [head, neck, torso, left_shoulder, left_elbow, left_hand, right_shoulder, right_elbow, right_hand,
  left_hip, left_knee, left_foot, right_hip, right_knee, right_foot]
chains:
  - [torso, neck, head]
  - [neck, SIDE_shoulder, SIDE_elbow, SIDE_hand]
  - [torso, SIDE_hip, SIDE_knee, SIDE_foot]
heading: [left_shoulder, right_shoulder]
pelvis: [left_hip, right_hip]
"""
MARKERS = """
title: Thirty-nine markers of a motion capture suit
joints: [LFHD, RFHD, LBHD, RBHD, C7, T10, CLAV, STRN, RBAK, LSHO, LUPA, LELB, LFRM, LWRA, LWRB, LFIN, RSHO,
  RUPA, RELB, RFRM, RWRA, RWRB, RFIN, LASI, RASI, LPSI, RPSI, LTHI, LKNE, LTIB, LANK, LHEE, LTOE,
  RTHI, RKNE, RTIB, RANK, RHEE, RTOE]
chains:
  - [C7, CLAV, STRN]
  - [C7, T10, RBAK]
  - [T10, LPSI, LASI]
  - [T10, RPSI, RASI]
  - [C7, LBHD, LFHD]
  - [C7, RBHD, RFHD]
  - [CLAV, LSHO, LUPA, LELB, LFRM, LWRA, LFIN]
  - [LFRM, LWRB]
  - [CLAV, RSHO, RUPA, RELB, RFRM, RWRA, RFIN]
  - [RFRM, RWRB]
  - [LASI, LTHI, LKNE, LTIB, LANK, LHEE, LTOE]
  - [RASI, RTHI, RKNE, RTIB, RANK, RHEE, RTOE]
pairs: auto
heading: [LSHO, RSHO]
pelvis: [LASI, RASI, LPSI, RPSI]
derive:
  head: [LFHD, RFHD, LBHD, RBHD]
  left_wrist: [LWRA, LWRB]
  right_wrist: [RWRA, RWRB]
"""
THIN = (
    *("encoder.hidden=4", "batch_size=8", "frames=12", "method.hidden=16", "method.embedding=8", "monitor.knn_every=0"),
    *("streams=[bone,distance-motion]", "readout.whitening=0.0"),
)
COUNT = 24


def made_up(layout: ks.Layout, people: int, seed: int = 0) -> list[np.ndarray]:
    """Standing bodies whose first or last joint goes up and down, by turns; a second person does the opposite."""
    rng = np.random.default_rng(seed)
    stance = standing(layout)
    moves = []
    for number in range(COUNT):
        frames = int(rng.integers(20, 40))
        joints = np.tile(stance, (frames, people, 1, 1)) + rng.normal(0, 0.01, (frames, people, len(stance), 3))
        wave = 0.2 * np.sin(np.linspace(0, 6 * np.pi, frames))
        for person in range(people):
            joints[:, person, 0 if (number + person) % 2 else -1, 1] += wave
            joints[:, person, :, 0] += person
        moves.append(joints)
    return moves


@pytest.fixture(params=["two people", "mediapipe33", "markers"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ks.Layout, int]:
    """A layout of one's own, or a built-in one that no data set has, and how many people there are."""
    if request.param == "mediapipe33":
        return ks.layouts.load("mediapipe33"), 1
    file = tmp_path / "mine.yaml"
    file.write_text(TWO_PEOPLE if request.param == "two people" else MARKERS)
    return ks.layouts.load(file), 2 if request.param == "two people" else 1


def test_from_arrays_to_embeddings_evaluations_and_the_report(
    own: tuple[ks.Layout, int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    layout, people = own
    moves = made_up(layout, people)
    labels = ["first" if number % 2 else "last" for number in range(COUNT)]
    store = ks.prepare(
        moves, tmp_path / "store", layout=layout, labels=labels, subjects=[n // 4 for n in range(COUNT)],
        splits="subject:0,1,2,3",
    )  # fmt: skip
    assert (store.layout, len(store), store.info.classes) == (layout, COUNT, ("last", "first"))
    assert store.info.most_bodies >= people
    run = ks.pretrain(store, "laptop", out=tmp_path / "run", epochs=3, settings=THIN, device="cpu")
    assert run.epochs_done == 3
    model = ks.load(run)
    z = model.embed(moves, layout=layout)
    assert z.shape == (COUNT, model.dim)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(z, model.embed(store), atol=1e-4)
    result = ks.evaluate.knn(run, store, k=3, device="cpu")
    assert {"run", "untrained", "raw"} <= {row.kind for row in result.rows}
    assert 0 <= result.interval[0] <= result.top1 <= result.interval[1] <= 100
    report = ks.report(run, store, out=tmp_path / "report.html", device="cpu")
    assert report.path.stat().st_size > 10_000
    assert not (tmp_path / "run" / "results.csv").exists(), "nothing is written unasked"
    result.save()
    assert (tmp_path / "run" / "results.csv").exists()
    said = capfd.readouterr()
    assert said.out == said.err == "", "the library says nothing on its own"


def test_a_store_without_labels_or_splits_is_learnt_from_and_shown(tmp_path: Path) -> None:
    layout = ks.layouts.load("mediapipe33")
    moves = made_up(layout, 1)
    store = ks.prepare(moves, tmp_path / "store", layout=layout)
    assert (store.info.classes, dict(store.info.splits)) == ((), {})
    assert store.select(None, "train").tolist() == list(range(COUNT))
    run = ks.pretrain(store, "laptop", out=tmp_path / "run", epochs=2, settings=THIN, device="cpu")
    assert ks.load(run).embed(moves, layout="mediapipe33").shape[0] == COUNT
    with pytest.raises(ValueError, match="no labels"):
        ks.evaluate.knn(run, store)
    assert ks.report(run, store, device="cpu").path.is_file()


def test_a_folder_of_arrays_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    layout = ks.layouts.load("mediapipe33")
    Path("recordings").mkdir()
    for number, joints in enumerate(made_up(layout, 1)):
        np.save(f"recordings/move-{number:02}.npy", joints[:, 0])
    Path("recordings/broken.npy").write_bytes(b"\x93NUMPY")
    assert main(["prepare", "recordings", "store", "--layout", "mediapipe33"]) == 0
    assert "1 recordings cannot be used" in capsys.readouterr().err
    assert "broken.npy" in Path("store/rejected.csv").read_text()
    assert main(["check", "store"]) == 0
    assert main(["show", "store", "move-03"]) == 0
    assert Path("move-03.png").is_file()
    settings = [word for setting in (*THIN, "epochs=2") for word in ("--set", setting)]
    assert main(["pretrain", "laptop", "--data", "store", "--out", "run", "--device", "cpu", *settings]) == 0
    assert main(["report", "run", "--device", "cpu"]) == 0
    assert Path("run/report.html").is_file()
    capsys.readouterr()
    assert main(["prepare", "recordings", "other"]) == 1
    assert "give --layout" in capsys.readouterr().err
    assert not Path("other").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": ["a"]}, "1 labels for 24 recordings"),
        ({"layout": "ntu25"}, "layout ntu25 has 25 joints, these are 33"),
        ({"layout": None}, "has no layout"),
        ({"layout": "mediapipe34"}, "unknown layout 'mediapipe34': did you mean mediapipe33"),
        ({"splits": "subject:7"}, "no recording has subject 7; there are none"),
        ({"splits": "people:7"}, "split 'people:7': subject:1,3,5"),
        ({"splits": "random:100%"}, "above 0 and below 100"),
        ({"preparation": "trackd"}, "unknown preparation 'trackd': did you mean tracked"),
        ({"people": 0}, "people .0. must be at least 1"),
        ({"names": ["same"] * COUNT, "expected": 1}, None),
    ],
)
def test_what_does_not_go_together_is_one_line_and_no_store(
    tmp_path: Path, given: Mapping[str, Any], message: str | None
) -> None:
    moves = made_up(ks.layouts.load("mediapipe33"), 1)
    options = {"layout": "mediapipe33", **{key: value for key, value in given.items() if key != "expected"}}
    if message is None:  # of recordings of one name the first is taken, the others are listed
        with pytest.raises(ValueError, match=r"23 of 24 recordings cannot be used, all because, as in .* name 'same'"):
            ks.prepare(moves, tmp_path / "store", **options)
        store = ks.prepare(moves, tmp_path / "store", **options, keep_going=True)
        assert (len(store), store.info.rejected) == (1, COUNT - 1)
        return
    with pytest.raises(ValueError, match=message) as caught:
        ks.prepare(moves, tmp_path / "store", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "store").exists()


def test_units_axes_and_gaps() -> None:
    joints = np.full((4, 33, 3), np.array([0.1, 0.2, 1.5]))
    turned = ks.Recording(100 * joints, "mediapipe33", units="cm", up="z")
    np.testing.assert_allclose(turned.joints[0, 0, 0], [0.1, 1.5, -0.2])
    with pytest.raises(ValueError, match="infinite"):
        ks.Recording(np.full((4, 33, 3), np.inf), "mediapipe33")
    missing = joints.copy()
    missing[1, 5] = np.nan
    missing[:, 7] = np.nan
    with tempfile.TemporaryDirectory() as folder:
        store = ks.prepare([ks.Recording(missing, "mediapipe33", name="a", fps=30)], Path(folder) / "store")
        assert store.info.fps == 30
        assert "1 joints that were not seen for a moment are interpolated" in store.info.notes
        assert any(note.startswith("4 joints were not seen for longer, in 1 recordings") for note in store.info.notes)
        assert (store.table.filled.tolist(), store.table.masked.tolist()) == ([1], [4])
        assert np.isfinite(store.joints(0)).all()


def test_a_data_set_of_ones_own_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    layout = ks.layouts.load("mediapipe33")
    for number, joints in enumerate(made_up(layout, 1)):
        what = "first up" if number % 2 else "last up"
        np.save(tmp_path / "raw" / f"s{number // 4}_{what}_{number}.npy", joints)
    file = tmp_path / "mine.yaml"
    file.write_text(
        "title: Ups and downs\nformat: arrays\nlayout: mediapipe33\nnames: s{subject}_{label}_{repetition}\n"
        "classes: [last up, first up]\nsplits:\n  people: {field: subject, train: [0, 1, 2]}\n  drawn: {random: 25}\n"
    )
    store = ks.prepare(str(file), tmp_path / "raw", tmp_path / "store", processes=2)
    assert store.info.classes == ("last up", "first up")
    assert (len(store.select("people", "train")), len(store.select("people", "test"))) == (12, 12)
    assert len(store.select("drawn", "test")) == 6
    assert store.table.label.tolist() == [int("first" in name) for name in store.table.name]
    file.write_text(file.read_text().replace("classes:", "clases:"))
    with pytest.raises(ValueError, match=r"mine\.yaml: unknown key 'clases': did you mean classes"):
        ks.prepare(str(file), tmp_path / "raw", tmp_path / "other")


def test_importing_the_package_is_quick_and_brings_no_torch() -> None:
    code = (
        "import sys, kinestream as ks; ks.Recording; ks.layouts.names();"
        "print([m for m in ('torch', 'lightning_fabric', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_a_wrong_one_is_told() -> None:
    for name in ks.__all__:
        assert getattr(ks, name) is not None, name
    assert set(ks.__all__) <= set(dir(ks))
    with pytest.raises(AttributeError, match="it has Classifier, Embeddings, Layout, Model"):
        ks.embeddings  # noqa: B018


def test_a_result_is_plain_data(tmp_path: Path) -> None:
    layout = ks.layouts.load("body16")
    labels = [n % 2 for n in range(COUNT)]
    store = ks.prepare(made_up(layout, 1), tmp_path / "s", layout=layout, labels=labels, splits="random:25%")
    run = ks.pretrain(store, "laptop", out=tmp_path / "r", epochs=2, settings=THIN, device="cpu")
    result = ks.evaluate.linear(run, store, epochs=5, device="cpu")
    assert json.loads(json.dumps(result.to_dict()))["protocol"] == "linear"
    assert store.info.title.strip()
    assert f"linear: {store.info.title} {result.split}," in str(result)
