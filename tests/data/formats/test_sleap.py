from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.estimator_files import mutations, random_points, read_one, refusal, survive, write_sleap

NODES = ("pelvis", "left_hip", "right_hip", "head")
EDGES = ((0, 1), (0, 2), (0, 3))


def tracks(frames: int, people: int, coordinates: int = 2) -> np.ndarray:
    return random_points(frames * people, 4, coordinates).reshape(frames, people, 4, coordinates)


@pytest.mark.parametrize("coordinates", [2, 3])
def test_tracks_as_matlab_has_them(tmp_path: Path, coordinates: int) -> None:
    points = tracks(9, 2, coordinates)
    points[3, 1, 2] = np.nan
    found = read_one("sleap", write_sleap(tmp_path / "a.h5", points, NODES, EDGES))
    np.testing.assert_array_equal(found.joints, points)
    assert found.bodies is not None
    assert (found.bodies == [1, 2]).all()
    assert found.layout is not None
    assert (found.layout.joints, found.layout.parents) == (NODES, (0, 0, 0, 0))
    assert (found.units, found.up) == (("px", "-y") if coordinates == 2 else (None, None))
    assert found.confidence is not None
    np.testing.assert_array_equal(found.confidence, np.where(np.isnan(points[..., 0]), 0, 0.75))


def test_tracks_that_follow_each_other_share_places(tmp_path: Path) -> None:
    points = np.full((5000, 40, 4, 2), np.nan)
    rng = np.random.default_rng(0)
    for track in range(40):
        start = 125 * track
        points[start : start + 150, track] = rng.uniform(1, 600, (min(150, 5000 - start), 4, 2))
    found = read_one("sleap", write_sleap(tmp_path / "a.h5", points, NODES))
    assert found.joints.shape == (5000, 2, 4, 2)
    assert found.bodies is not None
    for frame in rng.integers(0, 5000, 200):
        there = np.flatnonzero(np.isfinite(points[frame, :, 0, 0]))
        assert [number for number in found.bodies[frame].tolist() if number] == (there + 1).tolist()
        np.testing.assert_array_equal(found.joints[frame, : len(there)], points[frame, there])


def test_edges_that_are_no_tree_leave_names(tmp_path: Path) -> None:
    for edges in ([*EDGES, (3, 1)], [(0, 1), (1, 0), (0, 3)], [], [(0, 1), (0, 2), (0, 9)]):
        found = read_one("sleap", write_sleap(tmp_path / "a.h5", tracks(3, 1), NODES, edges))
        assert found.layout is None
        assert found.points == NODES
    found = read_one("sleap", write_sleap(tmp_path / "a.h5", tracks(3, 1), ("a", "b", "c", "d"), EDGES))
    assert (found.layout, found.points) == (None, ("a", "b", "c", "d"))


def test_points_in_space_of_anipose(tmp_path: Path) -> None:
    points = tracks(6, 2, 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["tracks"] = points
    found = read_one("sleap", tmp_path / "a.h5")
    np.testing.assert_array_equal(found.joints, points)
    assert found.points == ()
    assert "nodes have no names in this file" in found.notes


def changed(path: Path, name: str, value: object) -> Path:
    write_sleap(path, tracks(3, 1), NODES, EDGES)
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value
    return path


REFUSED = {
    "no tracks": ("tracks", None, "no data set 'tracks'"),
    "three axes": ("tracks", np.zeros((2, 4, 3)), "no data set 'tracks' of four axes"),
    "coordinates": ("tracks", np.zeros((1, 4, 4, 3)), "(tracks, 2, nodes, frames) is needed"),
    "nodes": ("tracks", np.zeros((1, 2, 5, 3)), "with 4 nodes and 1 tracks named"),
    "no frames": ("tracks", np.zeros((1, 2, 4, 0)), "empty or too large|no frames"),
    "nobody": ("tracks", np.full((1, 2, 4, 3), np.nan), "no body in any of its 3 frames"),
    "text": ("tracks", np.full((1, 2, 4, 3), b"a"), "where numbers belong"),
    "infinite": ("tracks", np.full((1, 2, 4, 3), 1e30), "frame 0: a point that is no position"),
    "twice": ("node_names", np.array([b"a", b"b", b"a", b"c"]), "two nodes are called 'a'"),
    "numbers as names": ("node_names", np.arange(4), "where text belongs"),
    "scores": ("point_scores", np.zeros((1, 4, 9)), "point_scores (1, 4, 9) do not fit tracks (1, 2, 4, 3)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    name, value, words = REFUSED[case]
    found = refusal("sleap", changed(tmp_path / "a.h5", name, value))
    assert any(word in found for word in words.split("|")), found


def test_absurd_sizes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("tracks", (10_000, 2, 400, 10**9), dtype="f8", chunks=(1, 2, 4, 10))
    assert path.stat().st_size < 100_000
    assert "too large for one recording" in refusal("sleap", path)
    with h5py.File(path, "w") as file:
        file["tracks"] = h5py.SoftLink("/elsewhere")
    assert "is a link" in refusal("sleap", path)


def test_damaged_files(tmp_path: Path) -> None:
    content = write_sleap(tmp_path / "a.h5", tracks(12, 2), NODES, EDGES).read_bytes()
    taken, refused = survive("sleap", tmp_path / "a.h5", mutations(content, 200), 1_000_000)
    assert taken > 10
    assert refused > 30
