"""Recordings written in every form and read back, by readers of the test's own where another part reads them."""

import csv
import json
import pickle
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinestream as ks
from kinestream.cli import main
from kinestream.data.formats.exporting import export_store
from kinestream.data.formats.importing import import_store
from kinestream.data.formats.writing import FORMAT_NAMES, FormatName, write
from kinestream.data.recording import Recording, Segment
from kinestream.data.store import Store
from kinestream.skeleton.layout import SkeletonLayout, load_layout

PLACES = {"npz": "a.npz", "csv": "a.csv", "authors": "a", "ctr-gcn": "c.npz", "pyskl": "a.pkl", "xarray": "x"}
LAYOUT = SkeletonLayout(
    name="odd",
    joints=("hip", 'left, "hand"', "right hand", "head"),
    parents=(0, 0, 0, 0),
    pairs=((1, 2),),
    heading=(1, 2),
    pelvis=(0,),
)


@pytest.fixture
def moves(rng: np.random.Generator) -> list[Recording]:
    """Three of an own layout, one or two bodies of which one comes late, all else told of some."""
    made = []
    for number, (name, bodies) in enumerate((("walk, slow", 1), ("jump", 2), ("ä b", 1))):
        joints = rng.normal(0, 1, (7 + number, bodies, 4, 3)).astype(np.float32)
        joints[0, -1], joints[-1, -1] = 0, 0
        made.append(
            Recording(
                joints,
                LAYOUT,
                name=name,
                fps=(30, None, 12.5)[number],
                label=("up", "down", "up")[number],
                subject=("ann", "bob", "ann")[number],
                camera=(1, 2, 3)[number],
                session="morning" if number else None,
            )
        )
    return made


def unseen(moves: Sequence[Recording]) -> list[Recording]:
    """With joints that were not seen, and confidence in the first."""
    made = []
    for number, move in enumerate(moves):
        joints = move.joints.copy()
        joints[3, 0, 1 + number] = np.nan
        confidence = None if number else np.full(joints.shape[:3], 0.1)
        told = {key: getattr(move, key) for key in ("fps", "name", "label", "subject", "camera", "session")}
        made.append(Recording(joints, LAYOUT, confidence=confidence, **told))
    return made


def flat(moves: Sequence[Recording]) -> list[Recording]:
    keys = ("fps", "name", "label", "subject", "camera", "session")
    return [Recording(m.joints[..., :2], LAYOUT, **{key: getattr(m, key) for key in keys}) for m in moves]


# --- naive readers --------------------------------------------------------------------------------------------------


def read_npz(path: Path) -> list[Recording]:
    with np.load(path) as file:
        values = dict(file)
    layout = SkeletonLayout.from_dict(json.loads(str(values["layout"])))
    assert (str(values["units"]), str(values["up"]), str(values["kinestream"])) == ("m", "y", version("kinestream"))
    assert values["joints"].dtype == np.float32
    made = []
    for number, (start, end) in enumerate(zip(values["offset"], values["offset"][1:], strict=False)):
        told = {key: str(values[key][number]) or None for key in ("name", "label", "subject", "camera", "session")}
        rate = float(values["fps"][number])
        scores = values["confidence"][start:end] if "confidence" in values else None
        made.append(
            Recording(
                values["joints"][start:end],
                layout,
                fps=None if np.isnan(rate) else rate,
                confidence=None if scores is None or np.isnan(scores).all() else scores,
                **told,  # type: ignore[arg-type]
            )
        )
    return made


def read_csv(path: Path) -> list[Recording]:
    with path.open(encoding="utf-8", newline="") as file:
        mark, word, text = file.readline().split(" ", 2)
        assert (mark, word) == ("#", "kinestream")
        about, rows = json.loads(text), list(csv.DictReader(file))
    layout = SkeletonLayout.from_dict(about["layout"])
    axes = [axis for axis in "xyz" if axis in rows[0]]
    made = []
    for name, frames in about["frames"].items():
        own = [row for row in rows if row["recording"] == name]
        joints = np.zeros((frames, max(int(row["person"]) for row in own), len(layout.joints), len(axes)), np.float32)
        scores = np.full(joints.shape[:3], np.nan)
        fps = about["fps"].get(name)
        for row in own:
            frame = int(row["frame"])
            place = (frame, int(row["person"]) - 1, layout.joints.index(row["joint"]))
            joints[place] = [float(row[axis] or "nan") for axis in axes]
            scores[place] = float(row.get("confidence") or "nan")
            assert row["time"] == ("" if fps is None else f"{frame / fps:.9g}")
        told = {key: about[key].get(name) for key in ("label", "subject", "camera", "session", "fps")}
        made.append(Recording(joints, layout, name=name, confidence=None if np.isnan(scores).all() else scores, **told))
    return made


def read_xarray(path: Path) -> list[Recording]:
    import xarray as xr

    made = []
    for file in sorted(path.iterdir()):
        with xr.open_dataset(file, engine="h5netcdf") as opened:
            data = opened.load()
        assert data.position.dims == ("time", "space", "keypoints", "individuals")
        assert data.confidence.dims == ("time", "keypoints", "individuals")
        about = data.attrs
        layout = SkeletonLayout.from_dict(json.loads(about["layout"]))
        assert tuple(data.keypoints.values) == layout.joints
        assert (about["ds_type"], about["units"], list(data.space.values)) == (
            "poses",
            "m",
            list("xyz")[: data.sizes["space"]],
        )
        rate = about.get("fps")
        np.testing.assert_allclose(data.time, np.arange(data.sizes["time"]) / (rate or 1))
        scores = data.confidence.values.transpose(0, 2, 1)
        made.append(
            Recording(
                data.position.values.transpose(0, 3, 2, 1),
                layout,
                name=about["name"],
                fps=None if rate is None else float(rate),
                confidence=None if np.isnan(scores).all() else scores,
                **{key: about.get(key) for key in ("label", "subject", "camera", "session")},
            )
        )
    return made


READERS: dict[str, Callable[[Path], list[Recording]]] = {
    **dict.fromkeys(("authors", "ctr-gcn", "pyskl"), lambda path: ks.read(path)),
    "npz": read_npz,
    "csv": read_csv,
    "xarray": read_xarray,
}


def same(found: Sequence[Recording], moves: Sequence[Recording]) -> None:
    assert sorted(move.name for move in found) == sorted(move.name for move in moves)
    by_name = {move.name: move for move in found}
    for move in moves:
        one = by_name[move.name]
        assert (one.layout, one.fps, one.planar, one.label) == (move.layout, move.fps, move.planar, move.label)
        for key in ("subject", "camera", "session"):
            assert str(getattr(one, key)) == str(getattr(move, key)), key
        np.testing.assert_array_equal(one.bodies[:, : move.joints.shape[1]], move.bodies)
        assert not one.bodies[:, move.joints.shape[1] :].any()
        there = move.bodies > 0
        np.testing.assert_array_equal(one.joints[:, : move.joints.shape[1]][there], move.joints[there])


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_recordings_come_back_equal(form: FormatName, once: bool, moves: list[Recording], tmp_path: Path) -> None:
    path = tmp_path / PLACES[form]
    given: Any = iter(moves) if once else moves
    assert write(given, path, form) == path
    same(READERS[form](path), moves)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name], "nothing else is left"


@pytest.mark.parametrize("form", ["npz", "csv", "pyskl", "xarray"])
def test_joints_that_were_not_seen_come_back_so(form: FormatName, moves: list[Recording], tmp_path: Path) -> None:
    gaps = unseen(moves)
    found = READERS[form](write((move for move in gaps), tmp_path / PLACES[form], form))
    same(found, gaps)
    first = next(move for move in found if move.name == gaps[0].name)
    seen = ~np.isnan(gaps[0].joints).any(axis=3) & (gaps[0].bodies > 0)[..., None]
    assert first.confidence is not None
    np.testing.assert_allclose(first.confidence[:, :1][seen], 0.1, rtol=1e-6)


@pytest.mark.parametrize("form", ["authors", "ctr-gcn"])
def test_a_form_that_cannot_say_so_refuses_them(form: FormatName, moves: list[Recording], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"3 recordings have joints that were not seen \('walk, slow' is the first\)"):
        write(unseen(moves), tmp_path / PLACES[form], form)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_two_coordinates_come_back_as_two(form: FormatName, moves: list[Recording], tmp_path: Path) -> None:
    same(READERS[form](write(flat(moves), tmp_path / PLACES[form], form)), flat(moves))


@pytest.mark.parametrize("form", ["npz", "csv", "ctr-gcn", "pyskl", "xarray"])
def test_recordings_of_which_nothing_is_known(form: FormatName, rng: np.random.Generator, tmp_path: Path) -> None:
    bare = [Recording(rng.normal(0, 1, (5, 25, 3)), "ntu25") for _ in range(2)]
    found = READERS[form](write(bare, tmp_path / PLACES[form], form))
    assert [(move.name, move.label, move.fps) for move in sorted(found, key=lambda m: m.name)] == [
        ("0", None, None),
        ("1", None, None),
    ]
    np.testing.assert_array_equal(sorted(found, key=lambda m: m.name)[1].joints, bare[1].joints.astype(np.float32))


def test_the_pickle_is_one_that_anybody_reads(moves: list[Recording], tmp_path: Path) -> None:
    write(unseen(moves), tmp_path / "a.pkl")
    plain = pickle.loads((tmp_path / "a.pkl").read_bytes())  # noqa: S301  our own
    assert plain["split"] == {"train": [move.name for move in moves]}
    assert plain["label_name"] == ["up", "down"]
    first = plain["annotations"][1]
    assert (first["frame_dir"], first["label"], first["total_frames"], first["keypoint"].shape) == (
        "jump",
        1,
        8,
        (2, 8, 4, 3),
    )
    assert (first["keypoint"].dtype, first["keypoint_score"][0, 3, 2]) == (np.float32, 0)
    assert b"numpy._core" not in (tmp_path / "a.pkl").read_bytes(), "numpy 1 has no such module"


def test_whole_numbers_as_labels_stay(rng: np.random.Generator, tmp_path: Path) -> None:
    some = [
        Recording(rng.normal(0, 1, (5, 25, 3)), "ntu25", name=str(n), label=label) for n, label in enumerate((0, 3))
    ]
    for form in ("authors", "ctr-gcn", "pyskl"):
        assert [move.label for move in ks.read(write(some, tmp_path / PLACES[form], form))] == [0, 3]


def test_names_that_are_no_file_names(rng: np.random.Generator, tmp_path: Path) -> None:
    names = ["a/b", "a:b", "A_b", "..", "...", "a\nb", "x" * 300]
    some = [Recording(rng.normal(0, 1, (5, 25, 3)), "ntu25", name=name) for name in names]
    found = read_xarray(write(some, tmp_path / "x", "xarray"))
    read = {"..": "3", "a\nb": "a_b"}
    assert sorted(move.name for move in found) == sorted(read.get(name, name) for name in names)
    write(some[0], tmp_path / "one.nc")
    with pytest.raises(ValueError, match=r"one file for 7 recordings: give the name of a folder"):
        write(some, tmp_path / "two.nc")


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_written_is_one_line(moves: list[Recording], tmp_path: Path) -> None:
    def refused(message: str, recordings: Any, name: str = "a.npz", form: str | None = None) -> None:
        with pytest.raises(ValueError, match=message) as caught:
            write(recordings, tmp_path / name, form)
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.iterdir())

    joints = np.ones((5, 25, 3))
    refused("no recordings to write", [])
    refused("no recordings to write", iter(()))
    refused("ndarray where a Recording belongs", [joints])
    refused("two recordings are called 'jump'", [moves[1], moves[1]])
    refused("'0' has no layout", Recording(joints))
    refused("'1' has layout ntu25, the first has odd", [moves[0], Recording(joints, "ntu25")])
    refused("'jump' has 2 coordinates, the first does not", [moves[0], flat(moves)[1]])
    refused("its name cannot be printed", Recording(joints, "ntu25", name="a\u200bb"))
    refused("has 1 labelled parts", Recording(joints, "ntu25", segments=[Segment(label=0, start=0, end=2)]))
    refused("its ending tells no format: say which, one of npz, csv", moves, "a")
    refused("unknown format to write 'npy'", moves, "a", "npy")
    refused(r"a\.npy does not end in \.npz", moves, "a.npy", "npz")
    refused("1 recordings have no label", [*moves, Recording(moves[0].joints, LAYOUT, name="x")], "a", "authors")

    def breaks() -> Iterator[Recording]:
        yield moves[0]
        raise ValueError("the disk is gone")

    refused("the disk is gone", breaks())
    (tmp_path / "a.npz").write_bytes(b"mine")
    with pytest.raises(ValueError, match="exists already"):
        write(moves, tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == b"mine"


class Changing:
    """Recordings that are others every time."""

    def __init__(self, moves: Sequence[Recording]) -> None:
        self.left = list(moves)

    def __iter__(self) -> Iterator[Recording]:
        yield from self.left
        self.left.pop()


def test_recordings_that_change_meanwhile_are_refused(moves: list[Recording], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 recordings where there were 3 before"):
        write(Changing(moves), tmp_path / "a.csv")
    assert not list(tmp_path.iterdir())


# --- stores ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_a_store_is_written_in_every_form(
    form: FormatName, small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, path = Store(small_store), tmp_path / PLACES[form]
    more = [] if form in ("npz", "csv") else ["--format", form]
    more += ["--frames", "60"] if form in ("authors", "ctr-gcn") else []
    assert main(["export-data", str(small_store), str(path), *more]) == 0
    assert f"written: {path}" in capsys.readouterr().out
    found = {move.name: move for move in READERS[form](path)}
    assert len(found) == 40
    for index, move in enumerate(store.recordings()):
        one = found[move.name]
        assert (one.label, str(one.subject), str(one.camera)) == (move.label, str(move.subject), str(move.camera))
        expected = move.joints
        if form in ("authors", "ctr-gcn"):
            expected = store.preparation.clip(store.joints(index), 60, store.layout)
        np.testing.assert_array_equal(one.joints, expected)


def test_a_store_comes_back_from_a_pickle_with_its_splits(small_store: Path, tmp_path: Path) -> None:
    store = Store(small_store)
    ks.write(store, tmp_path / "all.pkl")
    import_store(tmp_path / "all.pkl", tmp_path / "back")
    back = Store(tmp_path / "back")
    assert (back.info.classes, back.info.preparation, back.layout) == (
        store.info.classes,
        store.info.preparation,
        load_layout("kinect20"),
    )
    for split in store.info.splits:
        if split in back.info.splits:
            assert back.select(split, "test").tolist() == store.select(split, "test").tolist()
    assert "xview" in back.info.splits
    for index in range(len(store)):
        np.testing.assert_array_equal(back.joints(index), store.joints(index))
    export_store(store, tmp_path / "one.pkl", split="xview")
    assert list(pickle.loads((tmp_path / "one.pkl").read_bytes())["split"]) == ["xview_train", "xview_val"]  # noqa: S301


def test_a_store_is_refused_what_a_form_has_no_place_for(small_store: Path, tmp_path: Path) -> None:
    store = Store(small_store)
    with pytest.raises(ValueError, match="format csv has no place for splits: leave out split xview"):
        export_store(store, tmp_path / "a.csv", split="xview")
    with pytest.raises(ValueError, match="format npz holds recordings of full length"):
        export_store(store, tmp_path / "a.npz", frames=20)
    with pytest.raises(ValueError, match="no split 'x'"):
        export_store(store, tmp_path / "a.pkl", split="x")
    assert not list(tmp_path.iterdir())


def test_stores_without_labels_or_splits(tmp_path: Path, rng: np.random.Generator) -> None:
    bare = ks.prepare(list(rng.normal(0, 0.3, (3, 9, 25, 3))), tmp_path / "bare", layout="ntu25")
    for form in ("npz", "csv", "pyskl", "xarray"):
        assert len(READERS[form](ks.write(bare, tmp_path / PLACES[form], form))) == 3
    with pytest.raises(ValueError, match="has no label for each recording, which format authors needs"):
        ks.write(bare, tmp_path / "au", "authors")
    labelled = ks.prepare(list(rng.normal(0, 0.3, (3, 9, 25, 3))), tmp_path / "l", layout="ntu25", labels=list("aba"))
    assert [move.label for move in ks.read(ks.write(labelled, tmp_path / "au", "authors"))] == list("aba")


def test_what_others_prepared_is_read_out_of_an_archive(tmp_path: Path) -> None:
    """Also after the function that unpacked it has returned."""
    layout = load_layout("body16")
    moves = [Recording(np.full((9, 16, 3), 0.5) + n / 10, layout, name=f"m{n}", label="ab"[n % 2]) for n in range(4)]
    write(moves, tmp_path / "moves.pkl")
    with zipfile.ZipFile(tmp_path / "moves.zip", "w") as archive:
        archive.write(tmp_path / "moves.pkl", "moves.pkl")
    plain, packed = (ks.prepare(tmp_path / f"moves.{kind}", tmp_path / kind) for kind in ("pkl", "zip"))
    assert packed.info.classes == ("a", "b")
    assert plain.fingerprint == packed.fingerprint
    assert [one.name for one in ks.read(tmp_path / "moves.zip")] == ["m0", "m1", "m2", "m3"]
