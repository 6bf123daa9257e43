"""Numpy files of one and of several recordings."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.formats.damage import check_told, damaged

from kinestream.data.formats import arrays, numpy_files
from kinestream.data.formats.orders import ARRAY_ORDERS, fold, order_of, parse_order
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import load_layout

RNG = np.random.default_rng(0)


def source(path: Path, variable: str = "", layout: str = "") -> Source:
    return Source(path=path, name=path.stem, variable=variable, layout=load_layout(layout) if layout else None)


def saved(folder: Path, array: Any = None, **named: Any) -> Path:
    path = folder / ("a.npz" if array is None else "a.npy")
    np.savez(path, **named) if array is None else np.save(path, array)
    return path


def read_array(folder: Path, array: Any, variable: str = "", layout: str = "") -> list[Found]:
    return arrays.read(source(saved(folder, array), variable, layout))


def refusal(path: Path, variable: str = "", layout: str = "") -> str:
    with pytest.raises(RecordingError) as caught:
        arrays.read(source(path, variable, layout))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- which axis is which --------------------------------------------------------------------------------------------


def naive_fold(array: np.ndarray, word: str) -> np.ndarray:
    """(n, t, m, v, c) by one index after the other, for words without brackets."""
    size = {letter: array.shape[place] for place, letter in enumerate(word)}
    made = np.zeros([size.get(letter, 1) for letter in "ntmvc"])
    for index in np.ndindex(*array.shape):
        place = dict(zip(word, index, strict=True))
        made[tuple(place.get(letter, 0) for letter in "ntmvc")] = array[index]
    return made


@given(word=st.permutations("ntmvc").map("".join), without=st.sampled_from(["", "n", "m", "nm"]))
def test_any_order_is_put_right(word: str, without: str) -> None:
    word = "".join(letter for letter in word if letter not in without)
    size = {"n": 2, "t": 7, "m": 3, "v": 5, "c": 3}
    array = RNG.normal(size=[size[letter] for letter in word])
    order = parse_order(word)
    assert order is not None
    joints, scores = fold(array, order, None)
    assert scores is None
    np.testing.assert_array_equal(joints, naive_fold(array, word))


@pytest.mark.parametrize(
    ("shape", "layout", "word"),
    [
        ((50, 25, 3), "", "tvc"),
        ((50, 25, 2), "ntu25", "tvc"),
        ((50, 2, 25, 3), "", "tmvc"),
        ((50, 1, 25, 3), "ntu25", "tmvc"),
        ((100, 60, 25, 3), "", "ntvc"),
        ((1, 60, 25, 3), "", "ntvc"),
        ((100, 60, 2, 25, 3), "", "ntmvc"),
        ((60, 75), "ntu25", "t(vc)"),
        ((60, 50), "ntu25", "t(vc)"),
        ((1, 25, 3), "ntu25", "tvc"),
    ],
)
def test_orders_that_are_told_by_the_shape(shape: tuple[int, ...], layout: str, word: str) -> None:
    assert str(order_of(shape, load_layout(layout) if layout else None)) == word
    assert word in ARRAY_ORDERS


@pytest.mark.parametrize(
    ("shape", "layout", "words"),
    [
        ((100, 6, 25, 3), "ntu25", "tmvc or ntvc"),
        ((3, 60, 25, 3), "ntu25", "ntvc or mtvc or ctvm"),
        ((3, 60, 25, 2), "", "ntvc or mtvc or ctvm"),
        ((100, 3, 60, 25, 2), "ntu25", "nmtvc or nctvm"),
        ((100, 3, 60, 25, 1), "ntu25", "looks like 'nctvm': if it is, say so with --variable ':nctvm'"),
        ((60, 3, 25), "ntu25", "looks like 'tcv'"),
        ((10, 60, 75), "ntu25", "looks like 'nt(vc)'"),
        ((60, 34, 3), "coco17", "34 joints, where layout coco17 has 17; say it"),
        ((60, 25, 4), "", "an array (60, 25, 4): frames, joints and 2 or 3 coordinates belong"),
        ((60, 102), "coco17", "none of 17 joints"),
        ((60, 75), "", "say the layout"),
        ((60,), "", "an array (60,)"),
        ((1, 1, 1, 1, 1, 1), "", "an array (1, 1, 1, 1, 1, 1)"),
        ((60, 2000, 3), "", "an array (60, 2000, 3)"),
    ],
)
def test_orders_that_are_not_clear_are_asked_for(shape: tuple[int, ...], layout: str, words: str) -> None:
    with pytest.raises(RecordingError, match=re.escape(words)):
        order_of(shape, load_layout(layout) if layout else None)


def test_what_the_user_says_of_the_axes(tmp_path: Path) -> None:
    flat = RNG.normal(size=(60, 34, 3))
    one = read_array(tmp_path, flat, ":t(mv)c", "coco17")[0]
    np.testing.assert_array_equal(one.joints, flat.reshape(60, 2, 17, 3))
    sure = RNG.random(size=(60, 25, 4))
    one = read_array(tmp_path, sure, ": t v s")[0]
    np.testing.assert_array_equal(one.joints[:, 0], sure[..., :3])
    assert one.confidence is not None
    np.testing.assert_array_equal(one.confidence[:, 0], sure[..., 3])
    field = RNG.normal(size=(4, 3, 60, 25, 2))
    found = read_array(tmp_path, field, ":nctvm")
    np.testing.assert_array_equal(found[3].joints, field[3].transpose(1, 3, 2, 0))
    for variable, words in (
        (":xyz", "'xyz' is no order of axes"),
        (":tvc", "has 5 axes"),
        ("poses", "no array 'poses'"),
    ):
        assert words in refusal(tmp_path / "a.npy", variable)


def test_recordings_of_one_array_end_where_nobody_is_left(tmp_path: Path) -> None:
    array = RNG.normal(size=(12, 600, 5, 3))
    array[2, 300:] = 0
    array[3, 255:] = np.nan
    array[5] = 0
    found = read_array(tmp_path, array)
    assert [len(one.joints) for one in found] == [600, 600, 300, 255, *[600] * 7]
    assert "recordings without anybody in them are left out" in found[0].notes
    assert any("at the end of recordings" in note for note in found[0].notes)


# --- which numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "<f2", "<i2", ">i4", "u1", "<i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_kind_of_number(tmp_path: Path, dtype: str, order: str) -> None:
    array = np.asarray(RNG.integers(1, 100, (20, 5, 3)), dtype=dtype, order=order)  # type: ignore[call-overload]
    joints = read_array(tmp_path, array)[0].joints
    assert joints.dtype.isnative
    assert joints.dtype in (np.float32, np.float64)
    np.testing.assert_array_equal(joints[:, 0], array.astype(np.float64))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((20, 5, 3), dtype=complex), "complex numbers"),
        (np.ones((20, 5, 3), dtype=bool), "truth values"),
        (np.zeros((20, 5), dtype=[("x", float)]), "records"),
        (np.full((20, 5, 3), "1"), "of type <U1"),
        (np.zeros((20, 0, 3)), "nothing in it"),
        (np.zeros((20, 5, 3)), "no body in any of its 20 frames"),
        (np.full((20, 5, 3), np.nan), "no body in any of its 20 frames"),
    ],
)
def test_arrays_without_positions(tmp_path: Path, array: np.ndarray, words: str) -> None:
    assert words in refusal(saved(tmp_path, array))


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    np.save(tmp_path / "a.npy", np.array([Trap()] * 60, dtype=object).reshape(4, 5, 3), allow_pickle=True)
    assert "Python objects" in refusal(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", joints=np.array([Trap()] * 60, dtype=object).reshape(4, 5, 3))
    assert refusal(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", joints=np.ones((4, 5, 3)), label=np.array([Trap()], dtype=object))
    assert arrays.read(source(tmp_path / "a.npz"))[0].label is None
    assert not (tmp_path / "ran").exists()


def test_infinite_positions_were_not_seen(tmp_path: Path) -> None:
    array = RNG.normal(size=(9, 5, 3))
    array[4, 2, 1] = np.inf
    joints = read_array(tmp_path, array)[0].joints
    assert np.isnan(joints[4, 0, 2]).all()
    assert np.isnan(joints).sum() == 3


# --- archives -------------------------------------------------------------------------------------------------------


def test_which_array_of_several(tmp_path: Path) -> None:
    joints, more = RNG.normal(size=(20, 5, 3)), RNG.normal(size=(20, 6, 3))
    one = arrays.read(source(saved(tmp_path, poses=joints, other=more, betas=np.ones(10))))[0]
    np.testing.assert_array_equal(one.joints[:, 0], joints)
    assert one.notes == ("arrays that are not read: other, betas",)
    one = arrays.read(source(tmp_path / "a.npz", "other"))[0]
    np.testing.assert_array_equal(one.joints[:, 0], more)
    one = arrays.read(source(saved(tmp_path, arr_0=joints)))[0]
    np.testing.assert_array_equal(one.joints[:, 0], joints)
    one = arrays.read(source(saved(tmp_path, positions_mm=joints, confidence=np.full((20, 5), 0.5))))[0]
    assert one.units == "mm"
    assert one.confidence is not None
    assert (one.confidence == 0.5).all()
    assert "say which holds the joints with --variable NAME" in refusal(saved(tmp_path, a=joints, b=more))
    assert "no array 'c': the file has a, b" in refusal(tmp_path / "a.npz", "c")


def test_facts_of_each_recording(tmp_path: Path) -> None:
    found = arrays.read(
        source(
            saved(
                tmp_path,
                data=RNG.normal(size=(9, 30, 5, 3)),
                labels=np.eye(3)[np.arange(9) % 3],
                class_names=np.array(["sit", "stand", "walk"]),
                subject=np.arange(9, dtype=np.int8),
                name=np.array([f"r{row}" for row in range(9)]),
                fps=np.float32(30),
                length=np.arange(10, 19),
                joint_names=np.array(["a", "b", "c", "d", "e"]),
                camera=np.arange(4),
            )
        )
    )
    assert [(one.name, one.label, one.subject, one.fps, one.camera) for one in found[:4]] == [
        ("r0", "sit", 0, 30.0, None),
        ("r1", "stand", 1, 30.0, None),
        ("r2", "walk", 2, 30.0, None),
        ("r3", "sit", 3, 30.0, None),
    ]
    assert [len(one.joints) for one in found] == list(range(10, 19))
    assert found[0].points == ("a", "b", "c", "d", "e")
    assert "'camera' has 4 values for 9 recordings: it is not read" in found[0].notes


@pytest.mark.parametrize("axes", [np.array(["person", "frame", "joint", "xyz"]), np.array("mtvc")])
def test_axes_that_the_archive_names(tmp_path: Path, axes: np.ndarray) -> None:
    array = RNG.normal(size=(3, 60, 25, 3))
    one = arrays.read(source(saved(tmp_path, joints=array, axes=axes)))[0]
    np.testing.assert_array_equal(one.joints, array.transpose(1, 0, 2, 3))


def own_archive(folder: Path, **changed: Any) -> Path:
    layout = load_layout("ntu25")
    joints = RNG.normal(size=(50, 2, 25, 3)).astype(np.float32)
    joints[:20, 1] = 0
    joints[25, 0, 3] = np.nan
    content: dict[str, Any] = {
        "joints": joints,
        "offset": np.array([0, 20, 50]),
        "name": np.array(["one", "two"]),
        "label": np.array(["wave", ""]),
        "subject": np.array(["", "7"]),
        "camera": np.array(["", ""]),
        "session": np.array(["morning", ""]),
        "fps": np.array([30, np.nan]),
        "layout": np.array(json.dumps(layout.to_dict())),
        "units": np.array("m"),
        "up": np.array("y"),
        "kinestream": np.array("0.1.0"),
    }
    return saved(folder, **(content | changed))


def test_an_archive_of_ours_is_read_back(tmp_path: Path) -> None:
    path = own_archive(tmp_path)
    with np.load(path) as archive:
        joints = archive["joints"]
    one, two = arrays.read(source(path, layout="coco17"))
    np.testing.assert_array_equal(one.joints, joints[:20, :1])
    np.testing.assert_array_equal(two.joints, joints[20:])
    assert (one.name, one.label, one.subject, one.camera, one.session, one.fps) == (
        *("one", "wave", None, None, "morning"),
        30.0,
    )
    assert (two.name, two.label, two.subject, two.fps) == ("two", None, "7", None)
    assert {(one.layout, one.units, one.up, one.notes), (two.layout, two.units, two.up, two.notes)} == {
        (load_layout("ntu25"), "m", "y", ())
    }


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"offset": np.array([0, 20, 51])}, "'offset' must rise from 0 to the 50 frames"),
        ({"offset": np.array([0, 30, 20, 50])}, "'offset' must rise"),
        ({"offset": np.array([0.0, 50.0])}, "'offset' is float64"),
        ({"layout": np.array("{]")}, "its layout cannot be read"),
        ({"layout": np.array('{"name": 1}')}, "its layout cannot be read"),
        ({"joints": np.ones((50, 2, 24, 3))}, "is not 'tmvc' with the 25 joints"),
    ],
)
def test_an_archive_that_does_not_fit_together(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    assert words in refusal(own_archive(tmp_path, **changed))


def test_ui_prmd(real_data: Path) -> None:
    path = real_data / "ui-prmd/ui_prmd_kinect.npz"
    found = arrays.read(source(path))
    with np.load(path) as archive:
        assert [one.name for one in found] == archive["name"].tolist()
        assert [one.label for one in found] == archive["movement"].tolist()
        assert [one.subject for one in found] == archive["subject"].tolist()
        np.testing.assert_array_equal(found[7].joints[:, 0], archive["joints_mm"][slice(*archive["offset"][7:9])])
    assert found[0].units == "mm"
    assert found[0].notes == ("arrays that are not read: episode, correct",)


# --- files ----------------------------------------------------------------------------------------------------------


def test_large_arrays_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = RNG.normal(size=(40, 5, 3))
    monkeypatch.setattr(numpy_files, "_MAPPED", 1000)
    path = saved(tmp_path, first=np.arange(3), joints=np.asfortranarray(array))
    loaded = numpy_files.open_arrays(path).load("joints")
    assert isinstance(loaded, np.memmap)
    np.testing.assert_array_equal(loaded, array)
    content = bytearray(path.read_bytes())
    content[-700] ^= 1
    assert content != path.read_bytes()
    place = bytes(content).index(np.asfortranarray(array).tobytes("F")[:8]) + 40
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="its checksum differs"):
        numpy_files.open_arrays(path).load("joints")


@pytest.mark.parametrize(
    ("shape", "words"),
    [((10**9, 25, 3), "ends before its array"), ((-5, 25, 3), "damaged"), ((2**62, 2**62), "ends before")],
)
def test_absurd_sizes(tmp_path: Path, shape: tuple[int, ...], words: str) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    (tmp_path / "a.npy").write_bytes(header.getvalue() + bytes(800))
    assert words in refusal(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("joints.npy", header.getvalue() + bytes(800))
    assert "damaged" in refusal(tmp_path / "a.npz")


def test_recognised_by_content(tmp_path: Path) -> None:
    array = RNG.normal(size=(20, 33, 3))
    for name, mine in (("walk.npy", True), ("mediapipe_body_3d_xyz.npy", False)):
        np.save(tmp_path / name, array)
        assert arrays.recognises(tmp_path / name) is mine, name
    for number, (named, mine) in enumerate(
        [({"joints": array}, True), ({"x_train": array, "y_train": np.ones(20)}, False), ({"vectors": array}, False)]
    ):
        path = tmp_path / f"{number}.npz"
        np.savez(path, **named)  # type: ignore[arg-type]
        assert arrays.recognises(path) is mine
    for name, content in (("e.npy", b""), ("t.npz", b"PK\x03\x04"), ("j.npy", b"{}")):
        (tmp_path / name).write_bytes(content)
        assert not arrays.recognises(tmp_path / name)
        assert refusal(tmp_path / name)
    assert not arrays.recognises(tmp_path / "absent.npy")


@pytest.mark.parametrize("kind", ["npy", "npz", "packed"])
def test_damaged_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{'npy' if kind == 'npy' else 'npz'}"
    if kind == "npy":
        np.save(path, RNG.normal(size=(8, 3, 3)))
    elif kind == "npz":
        own_archive(tmp_path, joints=RNG.normal(size=(4, 1, 25, 3)).astype("<f4"), offset=np.array([0, 2, 4]))
    else:
        np.savez_compressed(path, joints=RNG.normal(size=(8, 3, 3)), label=np.array("wave"))
    refused = 0
    for content in damaged(path.read_bytes(), 400):
        path.write_bytes(content)
        try:
            found = arrays.read(source(path))
        except RecordingError as error:
            refused += 1
            check_told(error)
            continue
        assert all(one.joints.size <= 4 * 25 * 3 * 2 for one in found)
        assert all(np.nan_to_num(one.joints).any() for one in found)
        arrays.recognises(path)
    assert refused > 50
