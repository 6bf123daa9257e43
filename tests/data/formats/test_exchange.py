"""Files of others into stores and back, on generated files in the true forms."""

import csv
import pickle
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.data.clips import Clips, caution
from kinestream.data.datasets import load_dataset
from kinestream.data.formats.exporting import export_store
from kinestream.data.formats.importing import Imported, import_store
from kinestream.data.formats.picture import PICTURE_METRES
from kinestream.data.formats.writing import FormatName
from kinestream.data.preparation import PREPARATIONS, clip_as_published
from kinestream.data.recording import Recording, Source
from kinestream.data.store import Store, StoreWriter
from kinestream.skeleton.layout import COCO17, NTU25

NTU60 = load_dataset("ntu60")
TRAIN, TEST = (1, 2, 4), (3, 6)
"""Subjects of NTU-60 xsub, some of each part."""


def ntu_name(action: int, subject: int, camera: int = 1) -> str:
    return f"S001C{camera:03}P{subject:03}R001A{action:03}"


def people(rng: np.random.Generator, frames: int, bodies: int = 2, joints: int = 25) -> np.ndarray:
    """Joints (t, m, v, 3) without a zero among them."""
    return (rng.normal(0, 0.3, (frames, bodies, joints, 3)) + np.array([0, 0, 3])).astype(np.float32)


def part_of(subjects: Sequence[int], actions: Sequence[int] = (1, 2)) -> tuple[list[str], list[int]]:
    names = [ntu_name(action, subject) for subject in subjects for action in actions]
    return [f"{name}.skeleton" for name in names], [int(name[-3:]) - 1 for name in names]


def write_arrays(folder: Path, part: str, kind: str, array: np.ndarray, label: Any) -> None:
    folder.mkdir(exist_ok=True)
    np.save(folder / f"{part}_{kind}.npy", array)
    (folder / f"{part}_label.pkl").write_bytes(pickle.dumps(label))


@pytest.fixture
def authors(tmp_path: Path, rng: np.random.Generator) -> Path:
    """`position` arrays of 6 and 4 clips, the first of them with one body."""
    folder = tmp_path / "xsub"
    for part, subjects in (("train", TRAIN), ("val", TEST)):
        label = part_of(subjects)
        array = rng.normal(0, 0.5, (len(label[0]), 3, 50, 25, 2)).astype(np.float32)
        array[0, ..., 1] = 0
        write_arrays(folder, part, "position", array, label)
    return folder


def load(source: Path, out: Path, dataset: str | None = None, **options: Any) -> Imported:
    return import_store(source, out, dataset=None if dataset is None else load_dataset(dataset), **options)


def clips_of(store: Store, frames: int = 50) -> np.ndarray:
    return Clips(store, frames).batch(np.arange(len(store)))


def rejected(store: Path) -> list[list[str]]:
    with (store / "rejected.csv").open(newline="") as file:
        return list(csv.reader(file))[1:]


def refused(source: Path, out: Path, message: str, dataset: str | None = None, **options: Any) -> None:
    """The import ends with this one line and leaves nothing behind."""
    before = sorted(path.name for path in out.parent.iterdir())
    with pytest.raises(ValueError, match=message) as caught:
        load(source, out, dataset, **options)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in out.parent.iterdir()) == before


# --- the authors' arrays --------------------------------------------------------------------------------------------


def test_position_arrays_give_the_same_clips(authors: Path, tmp_path: Path) -> None:
    done = load(authors, tmp_path / "store", "ntu60")
    store = Store(tmp_path / "store")
    array = np.concatenate([np.load(authors / f"{part}_position.npy") for part in ("train", "val")])
    np.testing.assert_array_equal(clips_of(store), array.transpose(0, 2, 4, 3, 1))
    assert (done.info.recordings, done.info.preparation, done.rejected) == (10, "published-clips", ())
    assert store.info.splits == NTU60.splits
    assert store.select("xsub", "train").tolist() == list(range(6))
    assert store.table.name[6] == ntu_name(1, 3)
    assert store.table.subject.tolist() == [1, 1, 2, 2, 4, 4, 3, 3, 6, 6]
    assert store.table.label.tolist() == [0, 1] * 5


def test_a_store_of_published_clips_is_taken_for_published_at_their_length(authors: Path, tmp_path: Path) -> None:
    load(authors, tmp_path / "store", "ntu60")
    store = Store(tmp_path / "store")
    assert store.preparation.gives("published")
    assert not store.preparation.gives("tracked")
    assert caution(store, 50) is None
    assert "holds clips of 50 frames that were made elsewhere: those of 64 frames" in (caution(store, 64) or "")
    assert clips_of(store, 64).shape == (10, 64, 2, 25, 3)


def test_without_a_data_set_the_parts_of_the_files_are_the_split(authors: Path, tmp_path: Path) -> None:
    done = load(authors, tmp_path / "store")
    store = Store(tmp_path / "store")
    assert list(store.info.splits) == ["given"]
    assert store.select("given", "test").tolist() == [6, 7, 8, 9]
    assert store.info.classes == ("class 0", "class 1")
    assert (store.info.dataset, done.form) == ("imported", "the 3s-CACA authors' 'position' arrays")


@pytest.mark.usefixtures("authors")
def test_data_arrays_are_prepared_like_raw_files(tmp_path: Path, rng: np.random.Generator) -> None:
    folder = tmp_path / "raw"
    recordings = [people(rng, 5 + 3 * number) for number in range(6)]
    recordings[2][:, 1] = 0
    padded = np.zeros((6, 3, 300, 25, 2), dtype=np.float32)
    for row, joints in zip(padded, recordings, strict=True):
        row[:, : len(joints)] = joints.transpose(3, 0, 2, 1)
    write_arrays(folder, "train", "data", padded, part_of(TRAIN))
    done = load(folder, tmp_path / "store", "ntu60")
    store = Store(tmp_path / "store")
    assert (done.info.preparation, done.notes) == ("published", ("only the part 'train' is there",))
    assert store.table.length.tolist() == [len(joints) for joints in recordings]
    for index, joints in enumerate(recordings):
        raw = Recording(joints=joints, bodies=np.tile([1, 2], (len(joints), 1)))
        expected = PREPARATIONS["published"].clean(raw, NTU25, 2)
        np.testing.assert_array_equal(store.joints(index), expected.astype(np.float32))
    load(folder, tmp_path / "tracked", "ntu60", preparation="tracked")
    assert Store(tmp_path / "tracked").info.preparation == "tracked"


def test_the_published_numbers_come_out_of_both_forms(golden: Path, tmp_path: Path) -> None:
    values = np.load(golden / "ntu_prepared.npz")
    names = [str(name) for name in values["names"]]
    raw = np.zeros((len(names), 3, 300, 25, 2), dtype=np.float32)
    for row, name in zip(raw, names, strict=True):
        row[:, : values[f"raw.{name}"].shape[1]] = values[f"raw.{name}"]
    stems = [name.removesuffix(".skeleton") for name in names]
    label = ([f"{stem}.skeleton" for stem in stems], [int(stem[-3:]) - 1 for stem in stems])
    write_arrays(tmp_path / "a", "train", "data", raw, label)
    write_arrays(tmp_path / "b", "train", "position", values["position"], label)
    for form, tolerance in (("a", 2e-5), ("b", 0.0)):
        load(tmp_path / form, tmp_path / f"store-{form}")
        clips = clips_of(Store(tmp_path / f"store-{form}"))
        np.testing.assert_allclose(clips, values["position"].transpose(0, 2, 4, 3, 1), rtol=0, atol=tolerance)


def test_names_and_parts_must_agree_with_the_data_set(authors: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    refused(
        authors,
        out,
        r"not split as ntu60: '\w+A001' is for training in the file, for testing in xview",
        "ntu60",
        splits="xview",
    )
    refused(authors, out, "ntu60 has no split 'xset': choose from xsub, xview", "ntu60", splits="xset")
    names, labels = part_of(TEST)
    (authors / "val_label.pkl").write_bytes(pickle.dumps(([*names[:-1], part_of((9,))[0][0]], labels)))
    refused(authors, out, "'S001C001P009R001A001' is for testing in the file, for training in xsub", "ntu60")
    (authors / "val_label.pkl").write_bytes(pickle.dumps(([*names[:-1], "clip 1"], labels)))
    refused(authors, out, "'clip 1' is no name of ntu60 .* leave --dataset out", "ntu60")
    refused(authors, out, "25 joints: give --layout, e.g. body25, ntu25")
    load(authors, out, layout="ntu25")
    assert Store(out).table.name[-1] == "clip 1"
    assert (Store(out).table.subject[-1], Store(out).table.subject[0]) == (0, 1)


def test_bad_recordings_are_listed(authors: Path, tmp_path: Path) -> None:
    array = np.load(authors / "train_position.npy")
    array[1] = 0
    array[2, 0, 7, 3, 0] = np.nan
    array[3, 1, 0, 3, 0] = 1e6
    names, labels = part_of(TRAIN)
    write_arrays(authors, "train", "position", array, (names, [*labels[:4], 5, "x"]))
    load(authors, tmp_path / "store", "ntu60")
    rows = rejected(tmp_path / "store")
    assert [row[:2] for row in rows] == [["train_position.npy", str(number)] for number in (2, 3, 4, 5, 6)]
    for row, name, reason in zip(
        rows,
        names[1:],
        (
            "no body in any of its 50 frames",
            "frame 8: a joint that is no position",
            "frame 1: a joint that is no position",
            "label 5 in the file, 0 by its name",
            "its label is none of the 60 classes (counted from 0)",
        ),
        strict=True,
    ):
        assert row[2] == f"{name.removesuffix('.skeleton')}: {reason}"
    assert Store(tmp_path / "store").info.rejected == 5
    assert len(Store(tmp_path / "store")) == 5


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (lambda names, labels: (names[:-1], labels), "has 5 names and 6 labels, train_position.npy has 6 clips"),
        (lambda names, labels: (names, labels[:-1]), "has 6 names and 5 labels"),
        (lambda names, labels: names, r"holds list: a pair \(names, labels\) was expected"),
        (lambda names, labels: (dict.fromkeys(names), labels), "names and labels are no lists"),
        (lambda names, labels: ([*names[:-1], 7], labels), "7 where a name belongs"),
        (lambda names, labels: ([*names[:-1], names[0]], labels), "the name 'S001C001P001R001A001' stands there twice"),
        (lambda names, labels: (np.array(names, dtype=object), labels), "refused an array of type 'O8'"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    label: Callable[[list[str], list[int]], object], message: str, authors: Path, tmp_path: Path
) -> None:
    (authors / "train_label.pkl").write_bytes(pickle.dumps(label(*part_of(TRAIN))))
    refused(authors, tmp_path / "store", message)


def test_a_name_in_both_parts_is_refused(authors: Path, tmp_path: Path) -> None:
    names, labels = part_of(TEST)
    (authors / "val_label.pkl").write_bytes(pickle.dumps(([part_of(TRAIN)[0][0], *names[1:]], labels)))
    refused(authors, tmp_path / "store", "the name 'S001C001P001R001A001' stands there twice")


def test_arrays_that_do_not_fit_are_refused(authors: Path, tmp_path: Path) -> None:
    out, file = tmp_path / "store", authors / "train_position.npy"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    refused(authors, out, r"train_position\.npy is no whole array")
    file.write_bytes(b"")
    refused(authors, out, r"train_position\.npy is no whole array")
    np.save(file, np.zeros((6, 50, 25, 3), dtype=np.float32))
    refused(authors, out, r"holds float32 \(6, 50, 25, 3\): floats \(n, 3, t, v, m\) were expected")
    np.save(file, np.zeros((6, 3, 50, 25, 2), dtype=np.int64))
    refused(authors, out, "holds int64")
    np.save(file, np.zeros((6, 3, 50, 18, 2), dtype=np.float32))
    refused(authors, out, "differ in joints and bodies")
    (authors / "val_position.npy").unlink()
    refused(authors, out, "has 18 joints, layout ntu25 has 25")
    np.save(file, np.array([None] * 6, dtype=object))
    refused(authors, out, r"train_position\.npy is no whole array")
    file.write_bytes(whole)
    (authors / "train_label.pkl").unlink()
    refused(authors, out, "no .*train_label.pkl beside train_position.npy")


def test_an_existing_folder_is_refused(authors: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    refused(authors, tmp_path / "store", "exists already")


# --- PYSKL ----------------------------------------------------------------------------------------------------------


def annotation(name: str, joints: np.ndarray, label: int, **more: object) -> dict[str, object]:
    """`joints` is (t, m, v, c)."""
    keypoint = np.ascontiguousarray(joints.swapaxes(0, 1))
    return {"frame_dir": name, "label": label, "keypoint": keypoint, "total_frames": len(joints)} | more


def write_pyskl(path: Path, annotations: Sequence[dict[str, Any]], split: dict[str, object]) -> Path:
    path.write_bytes(pickle.dumps({"split": split, "annotations": list(annotations)}, 4))
    return path


@pytest.fixture
def skeletons(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Ten annotations of NTU names, the third with one body in memory, all of different length."""
    names = [name for name, _ in ((n.removesuffix(".skeleton"), 0) for n in part_of((*TRAIN, *TEST))[0])]
    made = []
    for number, name in enumerate(names):
        joints = people(rng, 9 + number, bodies=1 if number == 2 else 2)
        made.append(annotation(name, joints, int(name[-3:]) - 1))
    return made


def names_for(subjects: Sequence[int]) -> list[str]:
    return [name.removesuffix(".skeleton") for name in part_of(subjects)[0]]


def test_pyskl_skeletons_go_through_a_preparation(skeletons: list[dict[str, Any]], tmp_path: Path) -> None:
    split = {"xsub_train": names_for(TRAIN), "xsub_val": names_for(TEST)}
    path = write_pyskl(tmp_path / "ntu60_3danno.pkl", skeletons, split)
    done = load(path, tmp_path / "store", "ntu60")
    store = Store(tmp_path / "store")
    assert (done.form, done.info.preparation, store.layout) == ("PYSKL annotations in 3D", "published", NTU25)
    assert store.info.splits == NTU60.splits
    for index, made in enumerate(skeletons):
        joints = made["keypoint"].swapaxes(0, 1)
        expected = np.zeros((len(joints), 2, 25, 3), dtype=np.float32)
        expected[:, : joints.shape[1]] = joints - joints[:, :, NTU25.root, None]
        np.testing.assert_array_equal(store.joints(index), expected)
    np.testing.assert_array_equal(clips_of(store)[3], clip_as_published(store.joints(3), 50, NTU25))


def test_pyskl_splits_become_splits_by_file(skeletons: list[dict[str, Any]], tmp_path: Path) -> None:
    for made in skeletons:
        made["frame_dir"] = f"videos/{made['frame_dir']}.v1"
    names = [made["frame_dir"] for made in skeletons]
    split: dict[str, object] = {
        "xsub_train": names[:6],
        "xsub_val": names[6:],
        "train1": tuple(names[::2]),
        "test1": np.array(names[1::2]),
        "train": names[:2],
        "val": names[2:4],
        "odd_train": names[:6],
        "odd_test": names[5:],
    }
    done = load(write_pyskl(tmp_path / "a.pkl", skeletons, split), tmp_path / "store", layout="ntu25")
    store = Store(tmp_path / "store")
    assert list(store.info.splits) == ["xsub", "1"]
    assert store.select("xsub", "train").tolist() == list(range(6))
    assert store.select("1", "train").tolist() == [0, 2, 4, 6, 8]
    assert store.table.file[0] == store.table.name[0] == names[0].replace("/", "_")
    assert "split 'given' is left out: 6 recordings of other splits are in none of its parts" in done.notes[0]
    assert f"split 'odd' is left out: '{names[5].replace('/', '_')}' is in both parts" in done.notes[1]

    alone = load(tmp_path / "a.pkl", tmp_path / "alone", splits="given", layout="ntu25")
    assert (alone.info.recordings, alone.other_splits, alone.notes) == (4, 6, ())
    assert Store(tmp_path / "alone").select("given", "test").tolist() == [2, 3]
    refused(tmp_path / "a.pkl", tmp_path / "other", "'odd' is left out", splits="odd", layout="ntu25")
    message = "no split 'x' in the file: choose from xsub, 1, given"
    refused(tmp_path / "a.pkl", tmp_path / "other", message, splits="x", layout="ntu25")


def test_pyskl_splits_must_agree_with_the_data_set(skeletons: list[dict[str, Any]], tmp_path: Path) -> None:
    split = {"xsub_train": names_for((*TRAIN, 3)), "xsub_val": names_for((6,))}
    path = write_pyskl(tmp_path / "a.pkl", skeletons, split)
    refused(path, tmp_path / "out", "'S001C001P003R001A001' is for training in the file, for testing in xsub", "ntu60")
    load(path, tmp_path / "out")
    assert len(Store(tmp_path / "out").select("xsub", "train")) == 8


def test_pyskl_annotations_that_cannot_be_used_are_listed(skeletons: list[dict[str, Any]], tmp_path: Path) -> None:
    skeletons[0]["keypoint"] = skeletons[0]["keypoint"][:, :0]
    skeletons[1]["keypoint"] = skeletons[1]["keypoint"][..., :17, :]
    skeletons[2]["keypoint"] = None
    skeletons[3]["total_frames"] = 99
    skeletons[4]["keypoint"][0, 3, 2, 1] = np.inf
    skeletons[5]["label"] = -1
    del skeletons[6]["label"]
    skeletons[7]["keypoint"] = skeletons[7]["keypoint"].astype(np.float16)
    split = {"train": names_for(TRAIN), "val": names_for(TEST)}
    path = write_pyskl(tmp_path / "a.pkl", skeletons, split)
    refused(
        path, tmp_path / "store", "7 of 10 recordings cannot be used, most because, as in a.pkl:6: .* label", "ntu60"
    )
    load(path, tmp_path / "store", "ntu60", keep_going=True)
    reasons = [row[2].partition(": ")[2] for row in rejected(tmp_path / "store")]
    assert reasons == [
        "its keypoint (2, 0, 25, 3) is empty",
        "its keypoint is (2, 10, 17, 3), not floats (m, t, 25, 3)",
        "its keypoint is NoneType, not floats (m, t, 25, 3)",
        "total_frames says 99, its keypoint has 12 frames",
        "frame 4: a joint that is no position",
        "its label is none of the 60 classes (counted from 0)",
        "its label is none of the 60 classes (counted from 0)",
    ]
    assert len(Store(tmp_path / "store")) == 3


def test_more_bodies_than_two_are_left_out_with_a_word(tmp_path: Path, rng: np.random.Generator) -> None:
    crowd = [annotation(name, people(rng, 8, bodies=4), 0) for name in ("a", "b")]
    path = write_pyskl(tmp_path / "a.pkl", crowd, {"train": ["a"], "test": ["b"]})
    done = load(path, tmp_path / "store", layout="ntu25")
    assert done.notes == ("some recordings have up to 4 bodies: 2 are kept",)
    assert Store(tmp_path / "store").info.most_bodies == 2
    done = load(path, tmp_path / "all", layout="ntu25", people=4)
    assert (done.notes, Store(tmp_path / "all").joints(0).any(axis=(0, 2, 3)).all()) == ((), True)


def test_picture_joints_become_metres(tmp_path: Path, rng: np.random.Generator) -> None:
    """One body in a picture of 1080 x 1920; frame 2 is empty, the left ankle is not found in frame 4, no nose ever."""
    pixels = rng.uniform(100, 900, (7, 1, 17, 2)).round().astype(np.float16)
    pixels[2] = 0
    pixels[4, 0, 15] = 0
    pixels[:, 0, 0] = 0
    more = {"keypoint_score": np.ones((1, 7, 17), dtype=np.float16), "img_shape": (1080, 1920)}
    made = [annotation("a", pixels, 0, **more), annotation("b", pixels[:, :, ::-1], 1, **more)]
    done = load(write_pyskl(tmp_path / "a.pkl", made, {"train": ["a"], "val": ["b"]}), tmp_path / "store")
    store = Store(tmp_path / "store")
    assert (done.info.preparation, store.layout, store.info.most_bodies) == ("planar", COCO17, 1)
    joints = store.joints(0)[:, 0]
    wide = pixels[:, 0].astype(np.float64)
    wide[4, 15] = (wide[3, 15] + wide[5, 15]) / 2
    wide[:, 0] = wide[:, [1, 2, 5, 6]].mean(axis=1)  # the root, which is never seen, lies amid those next to it
    scale = PICTURE_METRES / 1080
    expected = np.stack((wide[..., 0] * scale, -wide[..., 1] * scale, np.zeros((7, 17))), axis=-1)
    expected -= expected[0, list(COCO17.pelvis)].mean(axis=0)
    expected[2] = 0
    np.testing.assert_allclose(joints, expected, atol=1e-6)
    np.testing.assert_allclose(store.joints(0)[0, 0, list(COCO17.pelvis)].mean(axis=0), 0, atol=1e-6)
    assert np.ptp(joints[0, :, 1]) < PICTURE_METRES
    np.testing.assert_array_equal(clips_of(store, 7)[0, :, 0], joints)


def test_picture_joints_need_the_size_of_the_picture(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.uniform(1, 9, (5, 1, 17, 2)).astype(np.float32)
    made = [
        annotation("a", pixels, 0, img_shape=(0, 10)),
        annotation("b", pixels, 0),
        annotation("n", np.where(np.arange(17)[:, None] == 3, np.inf, pixels), 0, img_shape=(10, 20)),
        annotation("t", pixels, 0, img_shape=(10, 20), total_frames=np.array([5, 5])),
        annotation("c", pixels, 0, img_shape=(10, 20)),
    ]
    path = write_pyskl(tmp_path / "a.pkl", made, {"train": ["a", "b", "n", "t"], "test": ["c"]})
    refused(path, tmp_path / "store", "joints in 2D: preparation 'published' needs 3D", preparation="published")
    refused(path, tmp_path / "store", "17 joints in 2D: give --layout, e.g. coco17, h36m17")
    load(path, tmp_path / "store", layout="coco17", keep_going=True)
    assert [row[2] for row in rejected(tmp_path / "store")] == [
        "a: its img_shape is [0, 10], not (height, width)",
        "b: it has no img_shape (height, width)",
        "n: a joint that is no position",
        't: total_frames says "array([5, 5])", its keypoint has 5 frames',
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "annotation 1 is no dict with a name 'frame_dir'"),
        ([], "holds list: understood is a dict with 'annotations'"),
        ({"x": 1, "y": 2}, "holds a dict with 'x', 'y': understood is"),
        ({"split": {}, "annotations": []}, "understood is a dict"),
        ({"split": {}, "annotations": [3]}, "annotation 1 is no dict with a name 'frame_dir'"),
        ({"split": {}, "annotations": [{"frame_dir": "a", "keypoint": 3}]}, "no annotation has a 'keypoint'"),
        (
            {"split": {"train": ["a"], "val": ["b"]}, "annotations": [annotation("a", np.ones((3, 1, 9, 3)), 0)]},
            "9 joints",
        ),
        (
            {"split": {"train": ["a"], "val": ["b"]}, "annotations": [annotation("a", np.ones((3, 1, 9, 2)), 0)]},
            "has 9 joints, layout ntu25 has 25",
        ),
        ({"split": {"train": 3}, "annotations": [annotation("a", np.ones((3, 1, 25, 3)), 0)]}, "no list of clip names"),
        (
            {"split": {"train": [3]}, "annotations": [annotation("a", np.ones((3, 1, 25, 3)), 0)]},
            "else than clip names",
        ),
        (
            {"split": {"train": ["a"], "val": []}, "annotations": [annotation("a", np.ones((3, 1, 25, 3)), 0)] * 2},
            "the name 'a' stands there twice",
        ),
        (
            {"split": {"train": ["a"], "val": []}, "annotations": [annotation("a", np.zeros((3, 1, 25, 3)), 0)]},
            "1 of 1 recordings cannot be used, a.pkl:1: a: no body in any of its 3 frames: nothing was written",
        ),
    ],
)
def test_other_pickles_are_refused(content: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(content))
    refused(path, tmp_path / "store", message, layout="ntu25")


def test_names_that_a_table_cannot_hold_are_changed_or_listed(tmp_path: Path, rng: np.random.Generator) -> None:
    names = ["a,b \"c\" ü", "a\nb", "x\u2028y", " ", "z\u200bw", "..", "d"]  # fmt: skip
    made = [annotation(name, people(rng, 4), 0) for name in names]
    path = write_pyskl(tmp_path / "a.pkl", made, {"train": names[:6], "test": names[6:]})
    load(path, tmp_path / "store", layout="ntu25", keep_going=True)
    assert Store(tmp_path / "store").table.name == (names[0], "a_b", "x_y", "d")
    assert [row[2] for row in rejected(tmp_path / "store")] == [
        " : no usable name",
        "z?w: no usable name",
        "no usable name",
    ]


# --- npz ------------------------------------------------------------------------------------------------------------


def write_npz(path: Path, rng: np.random.Generator, frames: int = 30, **changed: Any) -> tuple[Path, list[np.ndarray]]:
    """Five clips for training and three for testing, as CTR-GCN saves them; gives their joints, too."""
    arrays: dict[str, Any] = {}
    recordings = []
    for part, count in (("train", 5), ("test", 3)):
        x = np.zeros((count, frames, 150), dtype=np.float32)
        for number, row in enumerate(x):
            joints = people(rng, 10 + number)
            if number == 1:
                joints[:, 1] = 0
            row[: len(joints)] = joints.reshape(len(joints), 150)
            recordings.append(joints)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = x, np.eye(60)[np.arange(count)]
    arrays |= changed
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path, recordings


@pytest.mark.parametrize("compressed", [False, True])
def test_npz_arrays_are_kept_as_they_are(compressed: bool, tmp_path: Path, rng: np.random.Generator) -> None:
    path, recordings = write_npz(tmp_path / "CS.npz", rng)
    if compressed:
        np.savez_compressed(path, **dict(np.load(path)))
    done = load(path, tmp_path / "store", "ntu60", splits="xsub")
    store = Store(tmp_path / "store")
    for index, joints in enumerate(recordings):
        np.testing.assert_array_equal(store.joints(index), joints)
    assert (done.form, done.info.preparation) == ("npz arrays of training and test", "imported")
    assert store.table.name[::5] == ("train-000001", "test-000001")
    assert store.table.label.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert (store.select("xsub", "train").tolist(), store.info.splits["xsub"].field) == ([0, 1, 2, 3, 4], "file")
    assert store.info.splits["xsub"].published == {"train": 40091, "test": 16487}


def test_npz_splits_by_hand_and_whole_labels(tmp_path: Path, rng: np.random.Generator) -> None:
    path, _ = write_npz(tmp_path / "a.npz", rng, y_train=np.arange(5.0), y_test=np.array([1, 2, 6]))
    refused(path, tmp_path / "store", "does not name its recordings: say which .* --split xsub, xview", "ntu60")
    load(path, tmp_path / "store", splits="mine", layout="ntu25")
    store = Store(tmp_path / "store")
    assert store.select("mine", "test").tolist() == [5, 6, 7]
    assert len(store.info.classes) == 7
    assert store.table.label.tolist() == [0, 1, 2, 3, 4, 1, 2, 6]
    load(path, tmp_path / "published", preparation="published", layout="ntu25")
    assert Store(tmp_path / "published").info.preparation == "published"
    assert not Store(tmp_path / "published").joints(0)[:, :, NTU25.root].any()


def test_npz_rows_that_cannot_be_used_are_listed(tmp_path: Path, rng: np.random.Generator) -> None:
    path, _ = write_npz(tmp_path / "a.npz", rng)
    arrays = dict(np.load(path))
    arrays["x_train"][0] = 0
    arrays["x_train"][1, 4, 17] = np.nan
    arrays["y_train"][2] = 0
    arrays["y_train"][3, 7] = 1
    np.savez(path, **arrays)
    load(path, tmp_path / "store", layout="ntu25")
    assert [row[1:] for row in rejected(tmp_path / "store")] == [
        ["1", "train-000001: no body in any of its 0 frames"],
        ["2", "train-000002: frame 5: a joint that is no position"],
        ["3", "train-000003: its label is none of the 5 classes (counted from 0)"],
        ["4", "train-000004: its label is none of the 5 classes (counted from 0)"],
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": None}, "is an archive of x_test, y_test, y_train: understood is one of x_train"),
        ({"y_test": None}, "has x_test but no y_test"),
        ({"x_train": np.zeros((5, 30), dtype=np.float32)}, r"x_train is float32 \(5, 30\)"),
        ({"x_train": np.zeros((5, 30, 150), dtype=np.int32)}, "x_train is int32"),
        ({"x_train": np.array([[[None]]], dtype=object)}, "x_train is object"),
        ({"x_train": np.zeros((5, 30, 149), dtype=np.float32)}, "of different width"),
        (
            {"x_train": np.zeros((5, 30, 7)), "x_test": np.zeros((3, 30, 7))},
            r"frames of 7 numbers are not one or more bodies of 25 joints \(layout ntu25\)",
        ),
        ({"x_train": np.asfortranarray(np.ones((5, 30, 150)))}, "Fortran order"),
        ({"y_train": np.eye(4)}, r"y_train is float64 \(4, 4\) for the 5 clips"),
        ({"y_train": np.array(list("abcde"))}, "y_train is <U1"),
        ({"y_train": np.array([None] * 5, dtype=object)}, "no whole npz"),
        ({"name_train": np.array(["a"])}, "name_train does not fit the 5 clips"),
    ],
)
def test_npz_arrays_that_do_not_fit_are_refused(
    changed: dict[str, Any], message: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    path, _ = write_npz(tmp_path / "a.npz", rng, **changed)
    refused(path, tmp_path / "store", message, layout="ntu25")


@given(data=st.data())
@settings(max_examples=40)
def test_a_damaged_npz_is_refused_or_read_in_part_but_never_crashes(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path, _ = write_npz(folder / "a.npz", np.random.default_rng(0))
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        refused(path, folder / "store", "a.npz", layout="ntu25")
        return
    for at in data.draw(st.lists(st.integers(0, 400) | st.integers(len(content) - 1500, len(content) - 1), max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    said = ""
    try:
        load(path, folder / "store", layout="ntu25")
    except ValueError as error:
        said = str(error)
    assert (folder / "store").exists() == (not said)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"\x93NUMPY\x01\x00", "is none of the known collections: understood is a folder"),
        ("a.bin", b"hello", "is none of the known collections: understood is a folder"),
        ("a.bin", b"", "is none of the known collections"),
        ("a.npz", b"PK\x03\x04 cut", "is none of the known collections"),
        ("a.pkl", b"(lp0", "is no whole pickle"),
    ],
)
def test_other_files_are_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, tmp_path / "store", message)


def test_other_folders_and_archives_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "x", tmp_path / "store", "no file or folder")
    (tmp_path / "raw").mkdir()
    refused(tmp_path / "raw", tmp_path / "store", "is none of the known collections")
    (tmp_path / "raw/a.skeleton").touch()
    refused(tmp_path / "raw", tmp_path / "store", "is none of the known collections")
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr("w/data.pkl", b"")
        archive.writestr("w/data/0", b"")
    refused(tmp_path / "w.pt", tmp_path / "store", "weights go to 'kinestream import-weights'")


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.fixture(params=["published", "tracked"])
def prepared(request: pytest.FixtureRequest, tmp_path: Path, rng: np.random.Generator) -> Store:
    """A store of NTU names; the second body comes and goes, and the last frames of one recording are empty."""
    path = tmp_path / "prepared"
    path.mkdir()
    with StoreWriter(path, NTU25, 2) as writer:
        for number, subject in enumerate((*TRAIN, *TEST)):
            joints = people(rng, 12 + 40 * number)
            joints[: 3 * number, 1] = 0
            if number == 1:
                joints[-4:] = 0
            name = ntu_name(number % 3 + 1, subject, camera=number % 3 + 1)
            source = NTU60.format.parse_name(Path(f"{name}.skeleton"))
            writer.add(source, joints)
        writer.finish(NTU60, PREPARATIONS[request.param], excluded=0, rejected=0)
    return Store(path)


def order(store: Store, like: Store) -> list[int]:
    """Where the recordings of `like` stand in a store."""
    return [store.index_of(name) for name in like.table.name]


@pytest.mark.parametrize("form", ["authors", "ctr-gcn"])
@pytest.mark.parametrize("frames", [50, 20])
def test_exported_clips_come_back_to_the_bit(form: FormatName, frames: int, prepared: Store, tmp_path: Path) -> None:
    out = tmp_path / ("out.npz" if form == "ctr-gcn" else "out")
    assert export_store(prepared, out, format=form, split="xsub", frames=frames) == {"train": 3, "test": 2}
    load(out, tmp_path / "back", "ntu60")
    back = Store(tmp_path / "back")
    rows = order(back, prepared)
    np.testing.assert_array_equal(clips_of(back, frames)[rows], clips_of(prepared, frames))
    assert back.info.splits == prepared.info.splits
    assert back.table.label[rows].tolist() == prepared.table.label.tolist()
    assert back.preparation.gives(prepared.info.preparation)
    assert caution(back, frames) is None


def test_exported_recordings_of_full_length_come_back_to_the_bit(prepared: Store, tmp_path: Path) -> None:
    export_store(prepared, tmp_path / "out.npz", format="ctr-gcn", split="xview")
    load(tmp_path / "out.npz", tmp_path / "back", "ntu60")
    back = Store(tmp_path / "back")
    rows = order(back, prepared)
    for index, row in enumerate(rows):
        np.testing.assert_array_equal(back.joints(row), prepared.joints(index))
    np.testing.assert_array_equal(clips_of(back)[rows], clips_of(prepared))
    assert back.info.preparation == prepared.info.preparation


def test_what_other_readers_see_in_an_export(prepared: Store, tmp_path: Path) -> None:
    """Read as CTR-GCN and the authors' loader read theirs."""
    export_store(prepared, tmp_path / "out.npz", format="ctr-gcn", split="xsub")
    values = np.load(tmp_path / "out.npz")
    assert (values["x_train"].shape, values["x_train"].dtype) == ((3, 300, 150), np.float32)
    x = values["x_train"].reshape(3, 300, 2, 25, 3).transpose(0, 4, 1, 3, 2)  # n c t v m
    first = int(prepared.select("xsub", "train")[0])
    joints = prepared.joints(first)
    np.testing.assert_array_equal(x[0, :, : len(joints)], joints.transpose(3, 0, 2, 1))
    assert not x[0, :, len(joints) :].any()
    assert values["y_test"].shape == (2, 60)
    assert np.where(values["y_test"] > 0)[1].tolist() == prepared.table.label[3:].tolist()

    export_store(prepared, tmp_path / "out", format="authors", split="xsub")
    position = np.load(tmp_path / "out/val_position.npy", mmap_mode="r")
    names, labels = pickle.loads((tmp_path / "out/val_label.pkl").read_bytes())  # noqa: S301  our own
    assert (position.shape, position.dtype) == ((2, 3, 50, 25, 2), np.float32)
    assert names == [f"{name}.skeleton" for name in prepared.table.name[3:]]
    assert labels == prepared.table.label[3:].tolist()


def test_an_import_can_be_exported_again(authors: Path, tmp_path: Path) -> None:
    load(authors, tmp_path / "store", "ntu60")
    export_store(Store(tmp_path / "store"), tmp_path / "again", format="authors", split="xsub")
    for part in ("train", "val"):
        again = np.load(tmp_path / f"again/{part}_position.npy")
        np.testing.assert_array_equal(again, np.load(authors / f"{part}_position.npy"))
    load(tmp_path / "again", tmp_path / "back", "ntu60")
    assert Store(tmp_path / "back").info.preparation == "published-clips"


def test_a_store_of_other_joints_and_names_goes_there_and_back(small_store: Path, tmp_path: Path) -> None:
    store = Store(small_store)
    export_store(store, tmp_path / "out", format="authors", split="xview", frames=16)
    load(tmp_path / "out", tmp_path / "back", "nw-ucla")
    back = Store(tmp_path / "back")
    assert (back.layout.name, back.info.preparation) == ("kinect20", "tracked-clips")
    np.testing.assert_array_equal(clips_of(back, 16)[order(back, store)], clips_of(store, 16))
    refused(tmp_path / "out", tmp_path / "x", r"has 20 joints|20 joints \(kinect20\), ntu60 has 25", "ntu60")


def test_an_export_refuses_what_it_cannot_write(prepared: Store, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    with pytest.raises(ValueError, match="has no split 'x': choose from xsub, xview"):
        export_store(prepared, out, format="ctr-gcn", split="x")
    with pytest.raises(ValueError, match=r"does not end in \.npz"):
        export_store(prepared, tmp_path / "out", format="ctr-gcn", split="xsub")
    with pytest.raises(ValueError, match="at least 2 frames, not 1"):
        export_store(prepared, out, format="ctr-gcn", split="xsub", frames=1)
    assert not out.exists()
    out.write_bytes(b"mine")
    with pytest.raises(ValueError, match="exists already"):
        export_store(prepared, out, format="ctr-gcn", split="xsub")
    assert out.read_bytes() == b"mine"
    content = bytearray((prepared.path / "joints.npy").read_bytes())
    content[-5] ^= 1
    (prepared.path / "joints.npy").write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        export_store(Store(prepared.path), tmp_path / "new", format="authors", split="xsub")
    assert not (tmp_path / "new").exists()


def test_a_split_without_test_recordings_cannot_be_exported(tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "store").mkdir()
    with StoreWriter(tmp_path / "store", NTU25, 2) as writer:
        source = Source(path=Path("a.skeleton"), name="a", action=1, subject=1, camera=1, setup=1, repetition=1)
        writer.add(source, people(rng, 5))
        writer.finish(NTU60, PREPARATIONS["published"], excluded=0, rejected=0)
    with pytest.raises(ValueError, match="no recording for part 'test' of split 'xsub'"):
        export_store(Store(tmp_path / "store"), tmp_path / "out", format="authors", split="xsub")
