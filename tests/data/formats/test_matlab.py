"""MATLAB files of one recording each, as MATLAB (scipy, HDF5) writes them."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat, whosmat
from tests.data.formats.damage import check_told, damaged

from kinestream.data.formats import mat5, matlab
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import load_layout

RNG = np.random.default_rng(0)
SKELETON = RNG.normal(size=(20, 3, 55))


def read(path: Path, variable: str = "", layout: str = "kinect20") -> Found:
    known = load_layout(layout) if layout else None
    return matlab.read(Source(path=path, name=path.stem, variable=variable, layout=known))


def saved(folder: Path, content: dict[str, Any], *, hdf5: bool = False, **options: Any) -> Path:
    path = folder / "a.mat"
    if not hdf5:
        savemat(path, content, **options)
        return path
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in content.items():
            if isinstance(value, dict):
                for inside, array in value.items():
                    file.create_dataset(f"{name}/{inside}", data=np.asarray(array).T)
            else:
                made = file.create_dataset(name, data=np.asarray(value).T)
                made.attrs["MATLAB_class"] = np.bytes_("double")
    return path


def refusal(path: Path, variable: str = "", layout: str = "kinect20") -> str:
    with pytest.raises(RecordingError) as caught:
        read(path, variable, layout)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("hdf5", [False, True])
@pytest.mark.parametrize("order", ["vct", "tvc", "tcv", "cvt", "vtc", "ctv"])
def test_every_order_that_the_layout_tells(tmp_path: Path, order: str, hdf5: bool) -> None:
    array = SKELETON.transpose(["vct".index(letter) for letter in order])
    found = read(saved(tmp_path, {"d_skel": array, "rate": 30.0}, hdf5=hdf5))
    np.testing.assert_array_equal(found.joints[:, 0], SKELETON.transpose(2, 0, 1))
    assert found.notes == ("variables that are not read: rate", f"'d_skel' {array.shape} is read as '{order}'")


@pytest.mark.parametrize("options", [{"do_compression": True}, {"oned_as": "row"}])
def test_flat_rows_and_columns(tmp_path: Path, options: dict[str, Any]) -> None:
    flat = SKELETON.transpose(2, 0, 1).reshape(55, 60)
    for array in (flat, flat.T):
        found = read(saved(tmp_path, {"x": array.astype(np.float32), "note": "me"}, **options))
        np.testing.assert_array_equal(found.joints[:, 0], SKELETON.astype(np.float32).transpose(2, 0, 1))


@pytest.mark.parametrize("hdf5", [False, True])
def test_structs_are_looked_into(tmp_path: Path, hdf5: bool) -> None:
    path = saved(tmp_path, {"S": {"skel": SKELETON, "rate": 30.0, "n": np.ones((1, 2))}}, hdf5=hdf5)
    for variable in ("", "S", "S.skel", "S.skel:vct"):
        np.testing.assert_array_equal(read(path, variable).joints[:, 0], SKELETON.transpose(2, 0, 1))
    assert "has no field 'pose' of numbers" in refusal(path, "S.pose")
    path = saved(tmp_path, {"S": {"a": SKELETON, "b": SKELETON}}, hdf5=hdf5)
    assert "say which holds the joints, --variable S.FIELD" in refusal(path)


@pytest.mark.parametrize(
    ("content", "layout", "variable", "words"),
    [
        ({"x": SKELETON[..., :20]}, "kinect20", "", "(20, 3, 20) can be vct or tcv"),
        ({"x": SKELETON}, "", "", "(20, 3, 55) can be vct or tcv"),
        ({"x": SKELETON}, "ntu25", "", "none of 25 joints (layout ntu25)"),
        ({"x": SKELETON, "y": SKELETON}, "kinect20", "", "x (20, 3, 55), y (20, 3, 55): say which"),
        ({"x": SKELETON}, "kinect20", "z", "no variable 'z': the file has x"),
        ({"x": SKELETON}, "kinect20", "x:xyz", "'xyz' is no order of axes"),
        ({"x": "text"}, "kinect20", "", "no array of numbers: the file has x (char)"),
        ({"x": "text"}, "kinect20", "x", "'x' is a char"),
        ({"x": SKELETON + 1j}, "kinect20", "", "complex numbers"),
        ({"x": SKELETON * 0}, "kinect20", "", "no body in any of its 55 frames"),
        ({}, "kinect20", "", "no array of numbers: the file has nothing"),
    ],
)
def test_what_is_not_clear_is_asked_for(
    tmp_path: Path, content: dict[str, Any], layout: str, variable: str, words: str
) -> None:
    assert re.search(re.escape(words), refusal(saved(tmp_path, content), variable, layout))


def test_an_order_that_is_said_where_two_fit(tmp_path: Path) -> None:
    path = saved(tmp_path, {"x": SKELETON[..., :20]})
    np.testing.assert_array_equal(read(path, ":vct").joints[:, 0], SKELETON[..., :20].transpose(2, 0, 1))
    np.testing.assert_array_equal(read(path, "x:tcv").joints[:, 0], SKELETON[..., :20].transpose(0, 2, 1))


def test_arrays_larger_than_the_file_are_not_made(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file.create_dataset("x", shape=(10**8, 3, 20), chunks=(100, 3, 20), dtype="f8")
        file["linked"] = h5py.ExternalLink("/etc/other.h5", "x")
    assert "larger than the file can hold" in refusal(tmp_path / "a.mat")
    assert "no variable 'linked'" in refusal(tmp_path / "a.mat", "linked")


def test_recognised_by_content(tmp_path: Path) -> None:
    for hdf5 in (False, True):
        assert matlab.recognises(saved(tmp_path, {"x": SKELETON}, hdf5=hdf5))
    for content in (b"", b"MATLAB 4", b"PK\x03\x04", b"a,b\n1,2\n"):
        (tmp_path / "b.mat").write_bytes(content)
        assert not matlab.recognises(tmp_path / "b.mat")
        assert "no MATLAB file of version 5 or later" in refusal(tmp_path / "b.mat")
    assert not matlab.recognises(tmp_path / "absent.mat")


@pytest.mark.parametrize("kind", ["plain", "packed", "struct"])
def test_damaged_files(tmp_path: Path, kind: str) -> None:
    small = SKELETON[..., :4]
    content: dict[str, Any] = {"S": {"skel": small, "n": 3}} if kind == "struct" else {"d_skel": small, "n": 3}
    path = saved(tmp_path, content, do_compression=kind == "packed")
    refused = 0
    for changed in damaged(path.read_bytes(), 300):
        path.write_bytes(changed)
        try:
            found = read(path)
        except RecordingError as error:
            refused += 1
            check_told(error)
            continue
        assert found.joints.shape[2:] == (20, 3)
        assert found.joints.size <= small.size
        matlab.recognises(path)
    assert refused > 30


def test_damaged_files_of_version_7_3(tmp_path: Path) -> None:
    path = saved(tmp_path, {"d_skel": SKELETON[..., :4]}, hdf5=True)
    refused = 0
    for changed in damaged(path.read_bytes(), 150):
        path.write_bytes(changed)
        try:
            found = read(path)
        except RecordingError as error:
            refused += 1
            check_told(error)
            continue
        assert found.joints.shape[2:] == (20, 3)
    assert refused > 15


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "c16"])
def test_variables_are_those_that_scipy_reads(dtype: str, compressed: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 100, (3, 4, 5)).astype(dtype)
    nested = {"joints": array, "rate": 30.0, "name": "walk", "empty": np.zeros((0, 3)), "one": np.int8([[7]])}
    path = tmp_path / "a.mat"
    savemat(path, {"x": array, "s": nested, "c": np.array([1, "b"], dtype=object)}, do_compression=compressed)
    there = {one.name: one for one in mat5.list_variables(path)}
    assert [(name, one.shape, one.kind) for name, one in there.items()] == whosmat(path)
    (read,) = mat5.load_variable(path, there["x"], 10**6).values()
    np.testing.assert_array_equal(read, array)
    fields = mat5.load_variable(path, there["s"], 10**6)
    wanted = loadmat(path)["s"][0, 0]
    assert tuple(fields) == wanted.dtype.names
    for name in ("joints", "rate", "empty", "one"):
        np.testing.assert_array_equal(fields[name], wanted[name])
    assert fields["name"].dtype == object, "text, which is not read"


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (193, 4, "type 1033 where numbers belong"),  # ends the process in scipy 1.18, as the next one does
        (145, 8, "it ends within an element"),
        (160, 5, "bytes of numbers for shape"),
        (128, 13, "nothing"),
        (144, 200, "class 200"),
        (180, 200, "an element is longer than the file|ends within|type"),
    ],
)
def test_types_and_lengths_are_looked_at(at: int, value: int, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"joints": np.ones((4, 20, 3))})
    content = bytearray(path.read_bytes())
    content[at] = value
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=said):
        read(path)


def test_a_packed_variable_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"x": np.zeros((1000, 20, 3))}, do_compression=True)
    (variable,) = mat5.list_variables(path)
    with pytest.raises(mat5.DamagedError, match="does not end after 1,000 bytes"):
        mat5.load_variable(path, variable, 1000)
