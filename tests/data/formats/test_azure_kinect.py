import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.estimator_files import azure, mutations, random_points, read_one, refusal, survive, write_json

POINTS = random_points(5, 32, 3, scale=2000.0)


def test_bodies_in_millimetres(tmp_path: Path) -> None:
    found = read_one("azure-kinect", write_json(tmp_path / "a.json", azure(POINTS)))
    np.testing.assert_array_equal(found.joints[:, 0], POINTS)
    assert found.layout is not None
    assert (found.layout.name, found.units, found.up, found.fps) == ("azure32", "mm", "-y", 30.0)
    assert found.bodies is not None
    assert (found.bodies == 7).all()
    assert found.confidence is None


def test_joints_in_another_order_are_put_right(tmp_path: Path) -> None:
    content = azure(POINTS)
    content["joint_names"].reverse()
    for frame in content["frames"]:
        frame["bodies"][0]["joint_positions"].reverse()
    found = read_one("azure-kinect", write_json(tmp_path / "a.json", content))
    np.testing.assert_array_equal(found.joints[:, 0], POINTS)


def test_names_come_after_frames_or_not_at_all(tmp_path: Path) -> None:
    content = azure(POINTS)
    del content["joint_names"]
    found = read_one("azure-kinect", write_json(tmp_path / "a.json", content))
    np.testing.assert_array_equal(found.joints[:, 0], POINTS)
    older = azure(POINTS[:, :26])
    older["joint_names"] = [f"J{v}" for v in range(26)]
    found = read_one("azure-kinect", write_json(tmp_path / "a.json", older))
    assert found.layout is None
    assert found.points[:2] == ("J0", "J1")


def test_levels_of_confidence_gaps_and_two_people(tmp_path: Path) -> None:
    content: dict[str, Any] = azure(POINTS, frames_per_second="K4A_FRAMES_PER_SECOND_15")
    for frame in content["frames"]:
        frame["bodies"][0]["confidence_levels"] = [0, 1, 2, 3] * 8
        frame["frame_id"] *= 2
    content["frames"][1]["bodies"].append({**content["frames"][1]["bodies"][0], "body_id": 9})
    content["frames"][3]["bodies"] = []
    found = read_one("azure-kinect", write_json(tmp_path / "a.json", content))
    assert found.fps == 15.0
    assert found.bodies is not None
    assert found.bodies.tolist() == [[7, 0], [0, 0], [7, 9], [0, 0], [7, 0], [0, 0], [0, 0], [0, 0], [7, 0]]
    assert np.isnan(found.joints[0, 0, ::4]).all()
    np.testing.assert_array_equal(found.joints[0, 0, 1::4], POINTS[0, 1::4])
    assert found.confidence is not None
    assert found.confidence[0, 0, :4].tolist() == [0, 0.5, 1, 1]


def with_body(**body: Any) -> dict[str, Any]:
    content = azure(POINTS)
    content["frames"][2]["bodies"][0].update(body)
    return content


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no frames": ({**azure(POINTS), "frames": []}, "no frames"),
    "nobody": ({**azure(POINTS), "frames": [{"bodies": []}] * 4}, "no body in any of its 4 frames"),
    "bodies": ({**azure(POINTS), "frames": [{"bodies": 3}]}, "frame 1: no list 'bodies'"),
    "positions": (with_body(joint_positions=None), "frame 3, body 1: no list 'joint_positions'"),
    "too few": (with_body(joint_positions=[[1, 2, 3]] * 31), "frame 3, body 1: 124 numbers where 128 belong"),
    "two numbers": (with_body(joint_positions=[[1, 2]] * 32), "where a joint's three numbers belong"),
    "text": (with_body(joint_positions=[["1", 2, 3]] * 32), "frame 3, body 1: 1 where a number belongs"),
    "infinite": (with_body(joint_positions=[[1e99, 2, 3]] * 32), "frame 2: a point that is no position"),
    "levels": (with_body(confidence_levels=[7] * 32), "a confidence that is none of the levels 0 to 3"),
    "few levels": (with_body(confidence_levels=[2]), "1 confidences of 32 joints"),
    "names": ({**azure(POINTS), "joint_names": ["PELVIS"]}, "1 names of joints where there are 32"),
    "names twice": ({**azure(POINTS), "joint_names": ["PELVIS"] * 32}, "'pelvis' names two joints"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    content, words = REFUSED[case]
    assert words in refusal("azure-kinect", write_json(tmp_path / "a.json", content))


def test_damaged_files(tmp_path: Path) -> None:
    content = azure(POINTS)
    for frame in content["frames"]:
        frame["bodies"][0]["confidence_levels"] = [0, 1, 2, 2] * 8
    text = json.dumps(content, indent=0).encode()
    taken, refused = survive(
        "azure-kinect", tmp_path / "a.json", mutations(text, 400, words=(b"PELVIS", b'"frame_id"')), 2_000_000
    )
    assert taken > 20
    assert refused > 80
