"""Files of many recordings: nothing in them is taken for what it is not, and what they say is kept."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.cli import main
from kinestream.data.datasets import load_dataset
from kinestream.data.formats.ctr_gcn import parse_axes
from kinestream.data.formats.importing import Imported, import_store
from kinestream.data.formats.numbering import read_class_names
from kinestream.data.formats.picture import BODY_METRES
from kinestream.data.prepare import prepare
from kinestream.data.reading import read
from kinestream.data.rejected import Rejected, stop_if_most
from kinestream.data.store import Store
from kinestream.skeleton.layout import load_layout


def joints(rng: np.random.Generator, frames: int, points: int, bodies: int = 1, coordinates: int = 3) -> np.ndarray:
    """(m, t, v, c), as PYSKL has them, without a zero."""
    return (rng.normal(0, 0.3, (bodies, frames, points, coordinates)) + 2).astype(np.float32)


def annotation(name: str, keypoint: np.ndarray, label: Any = 0, **more: Any) -> dict[str, Any]:
    made = {"frame_dir": name, "keypoint": keypoint, "total_frames": keypoint.shape[1], "label": label}
    return {key: value for key, value in (made | more).items() if value is not None}


def pyskl(path: Path, annotations: Sequence[dict[str, Any]], **more: Any) -> Path:
    path.write_bytes(pickle.dumps({"annotations": list(annotations)} | more, 4))
    return path


def npz(path: Path, rng: np.random.Generator, width: int, labels: Any = (0, 1, 2), **more: Any) -> Path:
    """Three clips for training and one for testing."""
    arrays = {"x_train": rng.normal(1, 0.1, (3, 8, width)), "y_train": labels, "x_test": np.ones((1, 8, width))}
    np.savez(path, **{key: np.asarray(value) for key, value in (arrays | {"y_test": [0]} | more).items()})
    return path


def load(source: Path, out: Path, dataset: str | None = None, **options: Any) -> Imported:
    return import_store(source, out, dataset=None if dataset is None else load_dataset(dataset), **options)


def refused(source: Path, message: str, dataset: str | None = None, **options: Any) -> None:
    out = source.parent / "no store"
    with pytest.raises(ValueError, match=message) as caught:
        load(source, out, dataset, **options)
    assert "\n" not in str(caught.value)
    assert not out.exists()


# --- which joints there are -----------------------------------------------------------------------------------------


def test_17_joints_in_3d_are_not_taken_for_coco(tmp_path: Path, rng: np.random.Generator) -> None:
    path = pyskl(tmp_path / "h36m.pkl", [annotation(f"S{n}", joints(rng, 9, 17)) for n in range(2)])
    refused(path, r"h36m\.pkl: 17 joints: give --layout, e\.g\. coco17, h36m17")
    done = load(path, tmp_path / "store", layout="h36m17")
    assert done.info.layout == load_layout("h36m17")
    assert (Store(tmp_path / "store").info.splits, len(Store(tmp_path / "store").select(None, "train"))) == ({}, 2)


def test_25_joints_are_not_taken_for_those_of_a_kinect(tmp_path: Path, rng: np.random.Generator) -> None:
    path = pyskl(tmp_path / "a.pkl", [annotation(f"video {n}", joints(rng, 9, 25)) for n in range(2)])
    refused(path, "25 joints: give --layout, e.g. body25, ntu25")
    assert load(path, tmp_path / "store", layout="body25").info.layout.name == "body25"
    with pytest.raises(ValueError, match="25 joints: give --layout"):
        read(path)
    assert read(path, layout="body25")[0].layout == load_layout("body25")
    flat = [annotation(f"S001C001P001R001A00{n + 1}", joints(rng, 9, 25, 1, 2), n, img_shape=(9, 9)) for n in range(2)]
    pyskl(path, flat)  # an estimator's joints of NTU's videos are not those of its sensor
    refused(path, "25 joints in 2D: give --layout")
    refused(path, "25 joints in 2D: give --layout", "ntu60")
    assert load(path, tmp_path / "flat", "ntu60", layout="body25").info.layout.name == "body25"


def test_names_of_the_ntu_scheme_say_the_layout_and_it_is_told(tmp_path: Path, rng: np.random.Generator) -> None:
    made = [annotation(f"S001C001P001R001A00{n + 1}", joints(rng, 9, 25), n) for n in range(3)]
    done = load(pyskl(tmp_path / "a.pkl", made), tmp_path / "store")
    assert done.notes[0] == "layout ntu25, as the names of the recordings say (SsssCcccPpppRrrrAaaa)"
    made[0]["frame_dir"] = "S1"
    refused(pyskl(tmp_path / "a.pkl", made), "25 joints: give --layout")


def test_34_joints_are_not_taken_for_two_people_of_17(tmp_path: Path, rng: np.random.Generator) -> None:
    path = npz(tmp_path / "a.npz", rng, 34 * 3)
    refused(path, r"frames of 102 numbers: give --layout, e\.g\. coco17 \(2 bodies\), h36m17 \(2 bodies\)")
    done = load(path, tmp_path / "store", layout="h36m17")
    assert done.notes == ("frames of 102 numbers are 2 bodies of 17 joints in 3D",)
    refused(path, r"frames of 102 numbers are not one or more bodies of 25 joints .* another data set's", "ntu60")
    path = npz(tmp_path / "b.npz", rng, 17 * 2)
    done = load(path, tmp_path / "flat", layout="coco17")
    assert done.notes == ("frames of 34 numbers are 1 body of 17 joints in 2D",)
    assert not Store(tmp_path / "flat").joints(0)[..., 2].any()


def test_scores_in_2d_are_cocos_by_pyskl_and_it_is_told(tmp_path: Path, rng: np.random.Generator) -> None:
    score = rng.uniform(0, 1.2, (1, 9, 17)).astype(np.float16)
    pixels = rng.uniform(1, 90, (1, 9, 17, 2)).astype(np.float16)
    made = [annotation("a", pixels, keypoint_score=score, img_shape=(100, 200))]
    path = pyskl(tmp_path / "a.pkl", made)
    done = load(path, tmp_path / "store")
    assert done.info.layout.name == "coco17"
    assert "layout coco17, as PYSKL defines 17 joints in 2D with scores" in done.notes[0]
    assert "1 annotations have scores above 1, which are taken for 1" in done.notes
    move = read(path)[0]
    assert move.planar
    np.testing.assert_allclose(move.confidence, score.astype(np.float32).clip(0, 1).swapaxes(0, 1), rtol=1e-6)
    assert load(path, tmp_path / "other", layout="h36m17").info.layout.name == "h36m17"


def test_without_the_size_of_a_picture_bodies_are_scaled(tmp_path: Path, rng: np.random.Generator) -> None:
    """Twice as large in the picture is the same size in the store, and what is below in a picture is below."""
    pixels = rng.uniform(100, 400, (1, 30, 17, 2)).astype(np.float32)
    pixels[0, 3, 5] = 0
    made = [annotation("a", pixels), annotation("b", pixels * 2)]
    path = pyskl(tmp_path / "a.pkl", made)
    done = load(path, tmp_path / "store", layout="coco17")
    assert any("no size of the picture (img_shape)" in note for note in done.notes)
    first, second = read(path, layout="coco17")
    np.testing.assert_allclose(first.joints, second.joints, atol=1e-5)
    assert np.isnan(first.joints[3, 0, 5]).all()
    high = np.nanmax(first.joints[:, 0, :, 1], axis=1) - np.nanmin(first.joints[:, 0, :, 1], axis=1)
    assert np.median(high) == pytest.approx(BODY_METRES, rel=1e-6)
    lowest = pixels[0, 0, :, 1].argmax()
    assert first.joints[0, 0, :, 1].argmin() == lowest
    assert "1 joints that were not seen are filled in" in done.notes[-1] or "2 joints" in done.notes[-1]


# --- labels ---------------------------------------------------------------------------------------------------------


def test_labels_in_a_column_are_not_one_hot(tmp_path: Path, rng: np.random.Generator) -> None:
    path = npz(tmp_path / "a.npz", rng, 75, np.array([[0], [1], [2]]), y_test=[[1]])
    done = load(path, tmp_path / "store", layout="ntu25")
    assert Store(tmp_path / "store").table.label.tolist() == [0, 1, 2, 1]
    assert "y_train (3, 1) is read as a column of numbers, it is not one-hot" in done.notes


def test_labels_that_begin_at_1_are_asked_about(tmp_path: Path, rng: np.random.Generator) -> None:
    path = npz(tmp_path / "a.npz", rng, 75, [1, 2, 4], y_test=[3])
    refused(path, "labels run from 1 to 4, none is 0: are they counted from 1. Say --first-label 1", layout="ntu25")
    for first, labels in ((1, [0, 1, 3, 2]), (0, [1, 2, 4, 3])):
        load(path, tmp_path / f"from {first}", layout="ntu25", first_label=first)
        store = Store(tmp_path / f"from {first}")
        assert (store.table.label.tolist(), len(store.info.classes)) == (labels, 5 - first)
    refused(path, "the first label is 0 or 1, not 2", layout="ntu25", first_label=2)
    one_hot = npz(tmp_path / "b.npz", rng, 75, np.eye(5)[[1, 2, 4]], y_test=np.eye(5)[[3]])
    refused(one_hot, "labels run from 1 to 4, none is 0", layout="ntu25")


def test_labels_that_begin_at_1_are_told_where_the_classes_show_it(tmp_path: Path, rng: np.random.Generator) -> None:
    path = npz(tmp_path / "a.npz", rng, 75, [1, 2, 3], y_test=[1], class_names=["sit", "stand", "wave"])
    done = load(path, tmp_path / "store", layout="ntu25")
    assert any("labels run from 1 to 3, and there are 3 classes: they are counted from 1" in n for n in done.notes)
    assert done.info.classes == ("sit", "stand", "wave")
    assert [move.label for move in read(path, layout="ntu25")] == ["sit", "stand", "wave", "sit"]


def named(actions: Sequence[int], labels: Sequence[int], rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        annotation(f"S001C001P{n + 1:03}R001A{action:03}", joints(rng, 5, 25), label)
        for n, (action, label) in enumerate(zip(actions, labels, strict=True))
    ]


def test_labels_and_names_that_agree_from_1_are_told(tmp_path: Path, rng: np.random.Generator) -> None:
    path = pyskl(tmp_path / "a.pkl", named((23, 24, 1), (23, 24, 1), rng))
    done = load(path, tmp_path / "store", "ntu60")
    assert any("labels run from 1 to 24 and are the actions of the names" in note for note in done.notes)
    assert Store(tmp_path / "store").table.label.tolist() == [22, 23, 0]


def test_labels_that_contradict_names_are_refused_or_told(tmp_path: Path, rng: np.random.Generator) -> None:
    path = pyskl(tmp_path / "a.pkl", named((23, 23, 24, 24, 5), (0, 5, 5, 3, 4), rng))
    refused(path, r"4 of 5 recordings cannot be used, all because, .*: label 0 in the file, 22 by its name")
    path = pyskl(tmp_path / "b.pkl", named((23, 24, 25), (22, 23, 7), rng))
    done = load(path, tmp_path / "one wrong")
    assert [entry.reason for entry in done.rejected] == ["label 7 in the file, 24 by its name"]
    path = pyskl(tmp_path / "c.pkl", named((23, 23, 50, 7), (0, 0, 1, 2), rng))
    done = load(path, tmp_path / "anew")
    assert "labels number the actions of the names anew: A007 is 2, A023 is 0, A050 is 1" in done.notes
    assert Store(tmp_path / "anew").table.label.tolist() == [0, 0, 1, 2]
    refused(path, "4 of 4 recordings cannot be used, all because, .* by its name", "ntu60")


def test_recordings_without_labels(tmp_path: Path, rng: np.random.Generator) -> None:
    path = pyskl(tmp_path / "a.pkl", [annotation(name, joints(rng, 9, 17), None) for name in "ab"])
    done = load(path, tmp_path / "store", layout="h36m17")
    assert (done.info.classes, done.notes) == ((), ("no recording has a label",))
    assert Store(tmp_path / "store").table.label.tolist() == [-1, -1]
    arrays = dict(np.load(npz(tmp_path / "a.npz", rng, 75)))
    np.savez(tmp_path / "a.npz", x_train=arrays["x_train"])
    done = load(tmp_path / "a.npz", tmp_path / "arrays", layout="ntu25")
    assert "x_train has no labels (y_train)" in done.notes


# --- what a file says, and what is not read -------------------------------------------------------------------------


def test_classes_people_cameras_and_rates_are_kept(tmp_path: Path, rng: np.random.Generator) -> None:
    made = [
        annotation("a", joints(rng, 9, 17), 1, person_id=7, camera="door", fps=25),
        annotation("b", joints(rng, 9, 17), 0, person_id=8, camera="window", fps=25, bbox=3),
    ]
    path = pyskl(tmp_path / "a.pkl", made, label_name=["sit", "wave"], meta={"by": "somebody"})
    done = load(path, tmp_path / "store", layout="h36m17", splits="subject:7")
    store = Store(tmp_path / "store")
    assert (store.info.classes, store.info.fps, store.table.subject.tolist()) == (("sit", "wave"), 25, [7, 8])
    assert store.table.camera.tolist() == [1, 2]
    assert store.info.cameras == ("door", "window")
    assert [store.select("default", part).tolist() for part in ("train", "test")] == [[0], [1]]
    assert [note for note in done.notes if note.startswith("not read")] == [
        "not read: meta",
        "not read: bbox of 1 annotations",
    ]
    moves = read(path, layout="h36m17")
    assert [(move.label, move.subject, move.camera, move.fps) for move in moves] == [
        ("wave", 7, "door", 25),
        ("sit", 8, "window", 25),
    ]


def test_arrays_of_an_npz_beside_are_taken_or_named(tmp_path: Path, rng: np.random.Generator) -> None:
    more = {
        "subject_train": [4, 5, 6],
        "subject_test": [7],
        "x_val": np.zeros(3),
        "extra": [1],
        "fps_train": [30.0] * 3,
    }
    path = npz(tmp_path / "a.npz", rng, 75, class_names=["x", "y", "z"], **more)
    done = load(path, tmp_path / "store", layout="ntu25", fps=30)
    assert Store(tmp_path / "store").table.subject.tolist() == [4, 5, 6, 7]
    assert (done.info.classes, done.info.fps) == (("x", "y", "z"), 30)
    assert "not read: extra, x_val" in done.notes


def test_files_beside_the_authors_arrays_are_named(tmp_path: Path, rng: np.random.Generator) -> None:
    folder = tmp_path / "xsub"
    folder.mkdir()
    np.save(folder / "train_position.npy", rng.normal(0, 1, (2, 3, 50, 25, 1)).astype(np.float32))
    (folder / "train_label.pkl").write_bytes(pickle.dumps((["a", "b"], [0, 1])))
    for name in ("test_position.npy", "train_data.npy"):
        (folder / name).touch()
    done = load(folder, tmp_path / "store", layout="ntu25")
    assert done.notes == ("only the part 'train' is there", "not read: test_position.npy, train_data.npy")
    refused(folder, "axes 'n t v m c' are for x_train arrays", layout="ntu25", axes="n t v m c")


def test_lists_of_a_split_without_counterpart_are_named(tmp_path: Path, rng: np.random.Generator) -> None:
    made = [annotation(name, joints(rng, 9, 17)) for name in "ab"]
    path = pyskl(tmp_path / "a.pkl", made, split={"xsub_train": ["a"]})
    done = load(path, tmp_path / "store", layout="h36m17")
    assert "lists of 'xsub_train' are not read: understood are pairs such as xsub_train and xsub_val" in done.notes
    assert (done.info.splits, done.info.recordings) == ({}, 2)
    refused(path, "there is no split 'xsub' in the file, it has none: draw one", layout="h36m17", splits="xsub")


# --- splits, axes, units --------------------------------------------------------------------------------------------


def test_a_file_without_splits_gets_one(tmp_path: Path, rng: np.random.Generator) -> None:
    made = [annotation(f"clip/{n}", joints(rng, 9, 17), n % 2) for n in range(10)]
    path = pyskl(tmp_path / "a.pkl", made)
    store = prepare(path, tmp_path / "store", layout="h36m17", splits={"drawn": "random:20%", "two": "file:clip_1"})
    assert [len(store.select("drawn", part)) for part in ("train", "test")] == [8, 2]
    assert [len(store.select("two", part)) for part in ("train", "test")] == [1, 9]
    refused(path, "split 'default': no recording has subject 9", layout="h36m17", splits="subject:9")
    arrays = npz(tmp_path / "a.npz", rng, 75)
    assert main(
        ["prepare", str(arrays), str(tmp_path / "cli"), "--layout", "ntu25", "--split", "random:50%"]
    ) == 0  # fmt: skip
    assert [len(Store(tmp_path / "cli").select("default", part)) for part in ("train", "test")] == [2, 2]


@pytest.mark.parametrize(
    ("axes", "order"),
    [
        ("n c t v m", (0, 4, 1, 3, 2)),
        ("n t v m c", (0, 1, 3, 2, 4)),
        ("nmtvc", (0, 2, 1, 3, 4)),
        ("n t v (c m)", (0, 1, 3, 4, 2)),
        ("n t (v m c)", (0, 1, 3, 2, 4)),
    ],
)
def test_other_orders_of_axes_are_read_when_said(
    axes: str, order: tuple[int, ...], tmp_path: Path, rng: np.random.Generator
) -> None:
    scenes = rng.normal(1, 0.1, (4, 8, 2, 17, 3)).astype(np.float32)  # n t m v c
    array = scenes.transpose(order)
    bracket = {"n t v (c m)": (4, 8, 17, 6), "n t (v m c)": (4, 8, 102)}.get(axes)
    array = array if bracket is None else array.reshape(bracket)
    np.savez(tmp_path / "a.npz", x_train=np.ascontiguousarray(array), y_train=[0, 1, 0, 1])
    if bracket is None or len(bracket) == 4:
        refused(tmp_path / "a.npz", r"floats \(n, t, m \* v \* 3\) were expected; --axes", layout="h36m17")
    load(tmp_path / "a.npz", tmp_path / "store", layout="h36m17", axes=axes)
    for index, scene in enumerate(scenes):
        np.testing.assert_array_equal(Store(tmp_path / "store").joints(index), scene)
    refused(tmp_path / "a.npz", "give --layout", axes=axes)


@pytest.mark.parametrize("axes", ["n t", "n t v c x", "t n v c", "n n t v c", "n t (v c", "", "ntvvc", "(n t) v c"])
def test_axes_that_are_none(axes: str) -> None:
    with pytest.raises(ValueError, match="axes"):
        parse_axes(axes)


def test_units_and_up_are_taken_as_said(tmp_path: Path, rng: np.random.Generator) -> None:
    standing = rng.normal(0, 0.1, (1, 9, 17, 3)) + np.linspace(0, 1.7, 17)[:, None] * [0, 1, 0]
    z_up = 1000 * np.stack((standing[..., 0], -standing[..., 2], standing[..., 1]), axis=-1)
    made = [annotation("a", z_up.astype(np.float32))]
    refused(pyskl(tmp_path / "a.pkl", made), "a joint that is no position", layout="h36m17")
    load(tmp_path / "a.pkl", tmp_path / "store", layout="h36m17", units="mm", up="z")
    load(pyskl(tmp_path / "b.pkl", [annotation("a", standing.astype(np.float32))]), tmp_path / "m", layout="h36m17")
    np.testing.assert_allclose(Store(tmp_path / "store").joints(0), Store(tmp_path / "m").joints(0), atol=1e-5)


def test_names_of_classes_from_a_file(tmp_path: Path, rng: np.random.Generator) -> None:
    names = tmp_path / "classes.txt"
    names.write_text("\ufeffsit\r\nstand up \n\nwave\n", "utf-8")
    path = npz(tmp_path / "a.npz", rng, 75)
    words = ["prepare", str(path), str(tmp_path / "store"), "--layout", "ntu25", "--class-names", str(names)]
    assert main(words) == 0
    assert Store(tmp_path / "store").info.classes == ("sit", "stand up", "wave")
    for content, message in (("a\na\n", "has 'a' twice"), ("\n", "is empty")):
        names.write_text(content)
        with pytest.raises(ValueError, match=message):
            read_class_names(names)
    refused(path, "ntu60 says its classes itself", "ntu60", class_names=["a"])


# --- most of it refused ---------------------------------------------------------------------------------------------


def test_most_of_a_source_refused_stops_with_the_commonest_reason(tmp_path: Path, rng: np.random.Generator) -> None:
    empty = [annotation(f"empty {n}", np.zeros((1, 5 + n, 17, 3), np.float32)) for n in range(3)]
    odd = [annotation("odd", joints(rng, 9, 17), total_frames=4)]
    path = pyskl(tmp_path / "a.pkl", [annotation("fine", joints(rng, 9, 17)), *odd, *empty])
    message = (
        r"4 of 5 recordings cannot be used, most because, as in a\.pkl:3: empty 0: no body in any of its 5 frames: "
        "nothing was written; --keep-going takes the rest"
    )
    refused(path, message, layout="h36m17")
    assert main(["prepare", str(path), str(tmp_path / "x"), "--layout", "h36m17"]) == 1
    assert main(["prepare", str(path), str(tmp_path / "x"), "--layout", "h36m17", "--keep-going"]) == 0
    assert Store(tmp_path / "x").table.name == ("fine",)
    half = pyskl(tmp_path / "b.pkl", [annotation("fine", joints(rng, 9, 17)), empty[0]])
    assert load(half, tmp_path / "half", layout="h36m17").info.rejected == 1


def test_all_refused_stops_whatever_is_said() -> None:
    gone = [Rejected(path=Path("a.csv"), reason=f"line {n}: text '12.5' for a number") for n in range(3)]
    for keep_going in (False, True):
        with pytest.raises(ValueError, match=r"3 of 3 recordings cannot be used, all because, as in a.csv: line 0"):
            stop_if_most(gone, 3, keep_going=keep_going)
    stop_if_most(gone, 6)
    stop_if_most(gone, 4, keep_going=True)


# --- damage ---------------------------------------------------------------------------------------------------------


@given(data=st.data())
@settings(max_examples=60)
def test_changed_annotations_give_one_line_or_a_sound_store(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    rng = np.random.default_rng(0)
    made = [annotation(f"a{n}", joints(rng, 6, 17, 1 + n % 2), n % 2, camera=1) for n in range(4)]
    odd = st.sampled_from(
        [
            *(None, -1, 10**9, "x", 1.5, float("nan"), True, b"\xff", [], {}, [[1]], (3, 4)),
            *(np.zeros((0, 0, 0, 0), np.float32), np.full((1, 6, 17, 3), np.nan, np.float32), np.zeros((2, 6, 17, 3))),
            *(np.full((1, 6, 17, 3), 1e30), np.ones((1, 6, 17, 2), np.float32), np.ones((1, 6, 17), np.float32)),
        ]
    )
    keys = ("frame_dir", "keypoint", "label", "total_frames", "keypoint_score", "img_shape", "camera", "subject", "fps")
    for _ in range(data.draw(st.integers(1, 3))):
        made[data.draw(st.integers(0, 3))][data.draw(st.sampled_from(keys))] = data.draw(odd)
    more = data.draw(st.dictionaries(st.sampled_from(["split", "label_name", "kinestream", "x"]), odd, max_size=2))
    path = pyskl(folder / "a.pkl", made, **more)
    said = ""
    try:
        load(path, folder / "store", layout="h36m17")
    except ValueError as error:
        said = str(error)
    assert "\n" not in said
    assert (folder / "store").exists() == (not said)
    if said:
        return
    store = Store(folder / "store")
    assert len(store) + store.info.rejected == 4
    assert all(np.isfinite(store.joints(index)).all() for index in range(len(store)))
