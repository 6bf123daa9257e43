import json
from pathlib import Path

import numpy as np
import pytest
from tests.estimator_files import alphapose_list, mutations, random_points, read, read_one, refusal, survive, write_json

from kinestream.data.formats.alphapose import HALPE26


@pytest.mark.parametrize(
    ("count", "kept", "layout"), [(17, 17, "coco17"), (26, 26, None), (133, 17, "coco17"), (136, 26, None)]
)
def test_models_by_their_points(tmp_path: Path, count: int, kept: int, layout: str | None) -> None:
    points = random_points(4, count, 3)
    points[..., 2] /= 400
    found = read_one("alphapose", write_json(tmp_path / "a.json", alphapose_list(points, first=9)))
    np.testing.assert_array_equal(found.joints[:, 0], points[:, :kept, :2])
    assert found.confidence is not None
    np.testing.assert_allclose(found.confidence[:, 0], points[:, :kept, 2])
    assert (found.layout.name if found.layout else None) == layout
    assert found.points == (() if layout else HALPE26)
    assert found.bodies is not None
    assert (found.bodies == 1).all()
    assert any(note.startswith(f"not read: {count - kept} of {count} points") for note in found.notes) == (kept < count)
    assert (found.units, found.up) == ("px", "-y")


def test_two_people_and_a_gap(tmp_path: Path) -> None:
    points = random_points(4, 17, 3).reshape(2, 2, 17, 3)
    points[..., 2] /= 400
    content = [
        {"image_id": f"{4 * t}.jpg", "keypoints": frame[m].ravel().tolist(), "score": 2.0, "idx": float(m)}
        for t, frame in enumerate(points)
        for m in (0, 1)
    ]
    found = read_one("alphapose", write_json(tmp_path / "a.json", content))
    assert found.bodies is not None
    assert found.bodies.tolist() == [[1, 2], [0, 0], [0, 0], [0, 0], [1, 2]]
    np.testing.assert_array_equal(found.joints[[0, 4]], points[..., :2])


@pytest.mark.parametrize(("people", "numbers"), [("bodies", "joints"), ("people", "pose_keypoints_2d")])
def test_the_forms_of_other_tools(tmp_path: Path, people: str, numbers: str) -> None:
    points = random_points(3, 18, 3)
    points[..., 2] /= 400
    content = {
        f"{t}.jpg": {"version": "AlphaPose v0.3", people: [{numbers: frame.ravel().tolist()}]}
        for t, frame in enumerate(points)
    }
    found = read_one("alphapose", write_json(tmp_path / "a.json", content))
    assert found.layout is not None
    assert found.layout.name == "openpose18"
    assert found.bodies is None
    np.testing.assert_array_equal(found.joints[:, 0], points[..., :2])


def test_folders_of_pictures_are_recordings(tmp_path: Path) -> None:
    points = random_points(6, 17, 3)
    content = alphapose_list(points)
    for rank, one in enumerate(content):
        one["image_id"] = f"{'ab'[rank % 2]}/{rank}.png"
    a, b = read("alphapose", write_json(tmp_path / "a.json", content))
    assert (a.name, b.name) == ("a", "b")
    np.testing.assert_array_equal(a.joints[::2, 0], points[::2, :, :2])
    np.testing.assert_array_equal(b.joints[::2, 0], points[1::2, :, :2])


def test_pictures_without_numbers_keep_their_order(tmp_path: Path) -> None:
    points = random_points(3, 17, 3)
    content = [
        {**one, "image_id": name} for name, one in zip(("c.jpg", "a.jpg", "b.jpg"), alphapose_list(points), strict=True)
    ]
    found = read_one("alphapose", write_json(tmp_path / "a.json", content))
    np.testing.assert_array_equal(found.joints[:, 0], points[..., :2])
    assert any("order in the file" in note for note in found.notes)


ONE = alphapose_list(random_points(1, 17, 3))[0]
REFUSED = {
    "nothing": ([], "no pictures"),
    "no picture": ([{**ONE, "image_id": None}], "entry 1: null where the id of an image belongs"),
    "no points": ([{**ONE, "keypoints": None}], "entry 1: no list of three numbers for each point"),
    "two models": ([ONE, {**ONE, "keypoints": [1.0] * 78}], "entry 2: 78 numbers where 51 belong"),
    "text": ([{**ONE, "keypoints": [*ONE["keypoints"][:-1], "x"]}], "entry 1: x where a number belongs"),
    "track": ([{**ONE, "idx": "a"}], "entry 1: a where a tracking number belongs"),
    "a picture of nothing": ({"0.jpg": 3}, "picture 0.jpg: no list 'bodies' or 'people'"),
    "nobody": ({"0.jpg": {"bodies": []}}, "no body in any of its 1 pictures"),
    "far frames": ([ONE, {**ONE, "image_id": "99999999.jpg"}], "pictures, not one video"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    content, words = REFUSED[case]
    assert words in refusal("alphapose", write_json(tmp_path / "a.json", content))


def test_damaged_files(tmp_path: Path) -> None:
    text = json.dumps(alphapose_list(random_points(6, 17, 3)), indent=0).encode()
    taken, refused = survive(
        "alphapose", tmp_path / "a.json", mutations(text, 400, words=(b'"5.jpg"', b'"idx"')), 20_000_000
    )
    assert taken > 20
    assert refused > 100
