import itertools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from tests.estimator_files import movement_data, mutations, random_points, read_one, refusal, survive

from kinestream import Recording
from kinestream import write as write_recordings

POINTS = random_points(10, 6, 2).reshape(5, 2, 6, 2)


def write(path: Path, data: Any, engine: str = "h5netcdf") -> Path:
    data.to_netcdf(path, engine=engine)
    return path


@pytest.mark.parametrize("coordinates", [2, 3])
@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_poses(tmp_path: Path, coordinates: int, engine: str) -> None:
    points = random_points(10, 6, coordinates).reshape(5, 2, 6, coordinates)
    points[2, 1, 3, 0] = np.nan
    found = read_one("movement", write(tmp_path / "a.nc", movement_data(points), engine))
    expected = points.copy()
    expected[2, 1, 3] = np.nan
    np.testing.assert_array_equal(found.joints, expected)
    assert found.points == tuple(f"part{v}" for v in range(6))
    assert found.fps == 25.0
    assert (found.units, found.up) == (("px", "-y") if coordinates == 2 else (None, None))
    assert found.confidence is not None
    assert (found.confidence == np.where(np.isnan(expected[..., 0]), 0, 0.5)).all()
    assert "individuals, in their order: id_0, id_1" in found.notes


def test_axes_in_other_orders(tmp_path: Path) -> None:
    for order in [*itertools.permutations(("time", "space", "keypoints", "individuals"))][::5]:
        data = movement_data(POINTS).transpose(*order)
        np.testing.assert_array_equal(read_one("movement", write(tmp_path / "a.nc", data)).joints, POINTS)


def test_names_of_later_versions_and_one_animal(tmp_path: Path) -> None:
    data = movement_data(POINTS).rename(keypoints="keypoint", individuals="individual")
    np.testing.assert_array_equal(read_one("movement", write(tmp_path / "a.nc", data)).joints, POINTS)
    alone = movement_data(POINTS).isel(individuals=0, drop=True)
    np.testing.assert_array_equal(read_one("movement", write(tmp_path / "a.nc", alone)).joints, POINTS[:, :1])


def test_rates_by_time(tmp_path: Path) -> None:
    data = movement_data(POINTS)
    del data.attrs["fps"]
    assert read_one("movement", write(tmp_path / "a.nc", data)).fps == 25.0
    data.attrs["time_unit"] = "frames"
    assert read_one("movement", write(tmp_path / "a.nc", data)).fps is None


@pytest.mark.parametrize("planar", [False, True])
def test_what_we_wrote_comes_back(tmp_path: Path, rng: np.random.Generator, planar: bool) -> None:
    joints = rng.normal(0, 0.5, (9, 2, 17, 2 if planar else 3)).astype(np.float32)
    joints[3, 0, 5] = np.nan
    confidence = np.ones((9, 2, 17))
    move = Recording(joints, "coco17", fps=25, confidence=confidence, name="a", label="wave", subject="p1", camera="c2")
    write_recordings([move], tmp_path / "a.nc", "xarray")
    found = read_one("movement", tmp_path / "a.nc")
    np.testing.assert_array_equal(found.joints, joints)
    assert (found.layout, found.units, found.up, found.fps, found.name) == (move.layout, "m", "y", 25.0, "a")
    assert (found.label, found.subject, found.camera, found.session) == ("wave", "p1", "c2", None)
    assert found.confidence is not None
    np.testing.assert_array_equal(found.confidence, np.where(np.isnan(joints[..., 0]), 0, 1))


def test_damaged_facts_of_ours_are_refused(tmp_path: Path) -> None:
    for attributes, words in (
        ({"layout": "{"}, "its layout cannot be read"),
        ({"layout": "[1]"}, "its layout cannot be read"),
        ({"layout": '{"name": "a"}'}, "its layout cannot be read"),
        ({"units": "miles"}, "its units 'miles' or its up axis 'y' are unknown"),
    ):
        data = movement_data(POINTS, **{"source_software": "kinestream 0.1", **attributes})
        assert words in refusal("movement", write(tmp_path / "a.nc", data))


REFUSED = {
    "no position": (lambda data: data.drop_vars("position"), "no variable 'position'"),
    "boxes": (lambda data: data.isel(keypoints=0, drop=True), "bounding boxes are no bodies"),
    "no frames": (lambda data: data.isel(time=slice(0, 0)), "no frames"),
    "one coordinate": (lambda data: data.isel(space=slice(0, 1)), "1 coordinates, where 2 or 3 belong"),
    "polar": (lambda data: data.assign_coords(space=["rho", "phi"]), "where x, y and perhaps z belong"),
    "same names": (lambda data: data.assign_coords(keypoints=["a"] * 6), "two key points are called 'a'"),
    "nobody": (lambda data: data * np.nan, "no body in any of its 5 frames"),
    "far": (lambda data: data * 1e20, "frame 0: a point that is no position"),
    "more axes": (lambda data: data.expand_dims(camera=2), "the axes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    change, words = REFUSED[case]
    assert words in refusal("movement", write(tmp_path / "a.nc", change(movement_data(POINTS))))


def test_what_is_no_netcdf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    for content in (b"", b"CDF\x01", b"CDF\x01" + b"\xff" * 100, b"\x89HDF\r\n\x1a\n", b"text"):
        path.write_bytes(content)
        assert refusal("movement", path)
    with h5py.File(path, "w") as file:
        file.create_dataset("position", (10**6, 10**6), dtype="f8", chunks=(10, 10))
        file["space"] = np.zeros(2)
    assert "too large for one recording" in refusal("movement", path)


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_damaged_files(tmp_path: Path, engine: str) -> None:
    content = write(tmp_path / "a.nc", movement_data(POINTS), engine).read_bytes()
    taken, refused = survive("movement", tmp_path / "a.nc", mutations(content, 200), 1_000_000)
    assert taken > 5
    assert refused > 30
