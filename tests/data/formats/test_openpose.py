import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from tests.estimator_files import form, mutations, openpose_frame, random_points, read_one, refusal, survive, write_json

from kinestream.data.formats.openpose import gather
from kinestream.data.recording import Source


def write_clip(folder: Path, points: np.ndarray, numbers: list[int], name: str = "clip") -> list[Path]:
    """Of `(t, m, v, 3)`."""
    return [
        write_json(folder / f"{name}_{number:012}_keypoints.json", openpose_frame(list(frame)))
        for number, frame in zip(numbers, points, strict=True)
    ]


def test_a_clip_is_gathered_and_gaps_are_frames(tmp_path: Path) -> None:
    points = random_points(8, 25, 3).reshape(4, 2, 25, 3)
    points[..., 2] = points[..., 2] / 400
    points[1, 0, 3] = 0
    paths = write_clip(tmp_path, points, [11, 12, 14, 15])
    [source] = gather(sorted(paths, reverse=True))
    assert source.name == "clip"
    assert source.parts == tuple(paths)
    found = form("openpose").read(source)
    assert found.joints.shape == (5, 2, 25, 2)  # type: ignore[union-attr]
    expected = points[..., :2].copy()
    expected[1, 0, 3] = np.nan
    np.testing.assert_array_equal(found.joints[[0, 1, 3, 4]], expected)  # type: ignore[union-attr]
    assert np.isnan(found.joints[2]).all()  # type: ignore[union-attr]
    np.testing.assert_allclose(found.confidence[[0, 1, 3, 4]], points[..., 2])  # type: ignore[union-attr,index]
    assert (found.layout.name, found.units, found.up) == ("body25", "px", "-y")  # type: ignore[union-attr]
    assert found.bodies is None  # type: ignore[union-attr]
    assert [note for note in found.notes if "missing" in note]  # type: ignore[union-attr]
    assert found.in_any_order  # type: ignore[union-attr]


def test_clips_are_told_apart_by_name_and_folder(tmp_path: Path) -> None:
    points = random_points(2, 25, 3)[:, None]
    for folder, name in itertools.product(("a", "b"), ("walk", "run")):
        (tmp_path / folder).mkdir(exist_ok=True)
        write_clip(tmp_path / folder, points, [0, 1], name)
    write_clip(tmp_path, points, [3, 4], "jump")
    other = write_json(tmp_path / "whole.json", [])
    sources = gather(sorted(tmp_path.rglob("*.json")))
    assert {(source.name, len(source.parts)) for source in sources} == {
        *((f"{folder}_{name}", 2) for folder, name in itertools.product(("a", "b"), ("walk", "run"))),
        ("jump", 2),
        ("whole", 0),
    }
    assert [source.path for source in sources if source.name == "whole"] == [other]


def test_tracked_people_in_one_file(tmp_path: Path) -> None:
    points = random_points(3, 18, 3)
    frames = [{**openpose_frame([frame], person_id=[t + 4]), "frame": 2 * t} for t, frame in enumerate(points)]
    for content in (frames, {"frames": frames, "version": 1}):
        found = read_one("openpose", write_json(tmp_path / "a.json", content))
        assert found.layout is not None
        assert found.layout.name == "openpose18"
        assert found.bodies is not None
        assert found.bodies[:, 0].tolist() == [4, 0, 5, 0, 6]
        np.testing.assert_array_equal(found.joints[::2, 0], points[..., :2])


def test_points_in_space_come_first(tmp_path: Path) -> None:
    flat, solid = random_points(2, 25, 3), random_points(2, 25, 4, seed=1)
    frames = [
        openpose_frame([one], pose_keypoints_3d=other.ravel().tolist(), hand_left_keypoints_2d=[1.0] * 63)
        for one, other in zip(flat, solid, strict=True)
    ]
    path = write_json(tmp_path / "a.json", frames)
    found = read_one("openpose", path)
    np.testing.assert_array_equal(found.joints[:, 0], solid[..., :3])
    assert (found.units, found.up) == (None, None)
    assert "pose_keypoints_2d left out: pose_keypoints_3d was taken" in found.notes
    assert "not read: hand_left_keypoints_2d of 2 bodies" in found.notes
    found = read_one("openpose", path, variable="pose_keypoints_2d")
    np.testing.assert_array_equal(found.joints[:, 0], flat[..., :2])


def test_one_frame_alone_and_a_crowd(tmp_path: Path) -> None:
    crowd = random_points(100, 25, 3)
    found = read_one("openpose", write_json(tmp_path / "a.json", openpose_frame(list(crowd))))
    assert found.joints.shape == (1, 100, 25, 2)


def test_normalised_and_other_models_are_told(tmp_path: Path) -> None:
    frame = openpose_frame([random_points(1, 15, 3, scale=1.0)[0]])
    found = read_one("openpose", write_json(tmp_path / "a.json", [frame]))
    assert found.units is None
    assert found.layout is None
    assert any("fractions of a picture" in note for note in found.notes)
    assert any("15 points are no known model" in note for note in found.notes)


REFUSED = {
    "empty list": ([], "no frames"),
    "no people": ([{"version": 1, "people": []}] * 3, "no body in any of its 3 frames"),
    "only hands": ([openpose_frame([np.zeros((0, 3))])], "no body in any of its 1 frames"),
    "other frame": ([{"version": 1, "people": []}, {"persons": []}], "frame 2: no list 'people'"),
    "people are text": ([{"people": ["a"]}], "frame 1, person 1: a is no person"),
    "odd count": ([{"people": [{"pose_keypoints_2d": [1, 2]}]}], "must be a list of 3 numbers for each point"),
    "two models": (
        [{"people": [{"pose_keypoints_2d": [1] * 75}, {"pose_keypoints_2d": [1] * 54}]}],
        "frame 1, person 2: 54 numbers where 75 belong",
    ),
    "text": ([{"people": [{"pose_keypoints_2d": ["1"] * 75}]}], "frame 1, person 1: 1 where a number belongs"),
    "frame number": ([{"frame": -1, "people": []}], "frame 1: -1 where the number of a frame belongs"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    content, words = REFUSED[case]
    assert words in refusal("openpose", write_json(tmp_path / "a.json", content))


def test_a_damaged_file_of_a_clip_is_named(tmp_path: Path) -> None:
    paths = write_clip(tmp_path, random_points(3, 25, 3)[:, None], [0, 1, 2])
    paths[1].write_text('{"people": [')
    with pytest.raises(ValueError, match=r"clip_000000000001_keypoints.json: line 1: no JSON .*cut off"):
        form("openpose").read(gather(paths)[0])
    other = write_json(tmp_path / "clip_1_keypoints.json", openpose_frame([]))
    write_json(paths[1], openpose_frame([]))
    with pytest.raises(ValueError, match="frame 1 has two files"):
        form("openpose").read(gather([*paths, other])[0])


def test_an_unknown_variable_is_refused(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", [openpose_frame([random_points(1, 25, 3)[0]])])
    assert "there are pose_keypoints_2d and pose_keypoints_3d" in refusal("openpose", path, variable="hands")
    assert "no person has pose_keypoints_3d" in refusal("openpose", path, variable="pose_keypoints_3d")


def test_damaged_files(tmp_path: Path) -> None:
    points = random_points(8, 18, 3).reshape(4, 2, 18, 3)
    frames = [openpose_frame(list(frame)) for frame in points]
    content = json.dumps({"frames": frames}, indent=0).encode()
    taken, refused = survive("openpose", tmp_path / "a.json", mutations(content, 400), 4 * points.size)
    assert taken > 20
    assert refused > 100


def test_source_of_a_single_file_reads_alone(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a_000000000004_keypoints.json", openpose_frame([random_points(1, 25, 3)[0]]))
    assert read_one("openpose", path).joints.shape == (1, 1, 25, 2)
    assert gather([path]) == [Source(path=path, name="a", parts=(path,))]
