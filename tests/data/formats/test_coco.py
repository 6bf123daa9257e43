import json
from pathlib import Path

import numpy as np
import pytest
from tests.estimator_files import (
    COCO,
    coco_dataset,
    coco_results,
    mutations,
    random_points,
    read,
    read_one,
    refusal,
    survive,
    write_json,
)

from kinestream.data.formats.coco_json import folder_of, frame_of


def flagged(frames: int, points: int = 17, seed: int = 0) -> np.ndarray:
    """Points with the flags of annotators, some not labelled."""
    made = random_points(frames, points, 3, seed)
    made[..., 2] = np.random.default_rng(seed).integers(0, 3, (frames, points))
    made[made[..., 2] == 0] = 0
    return made


def test_a_data_set_is_a_video(tmp_path: Path) -> None:
    points = flagged(4)
    content = coco_dataset(points)
    del content["images"][2], content["annotations"][2]
    found = read_one("coco", write_json(tmp_path / "a.json", content))
    expected = np.where(points[..., 2:] == 0, np.nan, points[..., :2])
    expected[2] = np.nan
    np.testing.assert_array_equal(found.joints[:, 0], expected)
    assert found.layout is not None
    assert found.layout.name == "coco17"
    assert (found.units, found.up, found.picture, found.name) == ("px", "-y", (640.0, 480.0), "walk")
    assert found.confidence is None
    assert found.bodies is None


def test_annotations_may_come_first_and_images_without_anybody_are_frames(tmp_path: Path) -> None:
    points = flagged(5)
    content = coco_dataset(points)
    del content["annotations"][0], content["annotations"][3]
    content["annotations"].reverse()
    turned = {key: content[key] for key in ("annotations", "categories", "images")}
    found = read_one("coco", write_json(tmp_path / "a.json", turned))
    assert len(found.joints) == 5
    assert np.isnan(found.joints[[0, 4]]).all()
    np.testing.assert_array_equal(np.isfinite(found.joints[1:4, 0, :, 0]), points[1:4, :, 2] > 0)


def test_results_with_scores_and_tracks(tmp_path: Path) -> None:
    points = random_points(6, 17, 3).reshape(3, 2, 17, 3)
    points[..., 2] /= 400
    content = [{**one, "track_id": m} for m in (1, 0) for one in coco_results(points[:, m], first=20)]
    found = read_one("coco", write_json(tmp_path / "a.json", content))
    assert found.bodies is not None
    assert found.bodies.tolist() == [[2, 1]] * 3
    np.testing.assert_array_equal(found.joints, points[:, ::-1, :, :2])
    assert found.confidence is not None
    np.testing.assert_allclose(found.confidence, points[:, ::-1, :, 2])


def test_names_of_other_points_are_given(tmp_path: Path) -> None:
    names = ("nose", "tail", "paw")
    found = read_one("coco", write_json(tmp_path / "a.json", coco_dataset(flagged(3, 3), names)))
    assert found.layout is None
    assert found.points == names


def test_videos_are_told_apart(tmp_path: Path) -> None:
    points = flagged(6)
    content = coco_dataset(points)
    for image in content["images"][::2]:
        image["file_name"] = image["file_name"].replace("walk", "a\\run")
    walk, run = sorted(read("coco", write_json(tmp_path / "a.json", content)), key=lambda found: -len(found.name))
    assert (walk.name, run.name) == ("a/run", "walk")
    assert (len(walk.joints), len(run.joints)) == (5, 5)
    np.testing.assert_array_equal(np.isfinite(walk.joints[::2, 0, :, 0]), points[::2, :, 2] > 0)
    for image in content["images"]:
        image["video_id"] = 1
        image["frame_id"] = image["id"] - 100
    one = read_one("coco", write_json(tmp_path / "a.json", content))
    assert (len(one.joints), one.name) == (6, "1")


def test_whole_bodies_and_other_categories(tmp_path: Path) -> None:
    points = random_points(3, 133, 3)
    points[..., 2] /= 400
    content = coco_results(points)
    content.append({**content[0], "category_id": 2, "keypoints": [1.0] * 6})
    content.append({"image_id": 0, "category_id": 1, "bbox": [0, 0, 1, 1]})
    found = read_one("coco", write_json(tmp_path / "a.json", content))
    np.testing.assert_array_equal(found.joints[:, 0], points[:, :17, :2])
    assert "not read: 1 bodies of category 2" in found.notes
    assert "left out 1 annotations without key points" in found.notes
    assert any(note.startswith("not read: 116 of 133 points") for note in found.notes)


def test_numbers_of_pictures() -> None:
    assert frame_of("a/b/img012.png") == 12
    assert frame_of(r"a\b\7.jpg") == 7
    assert frame_of("a/start.png") is None
    assert frame_of("a/" + "9" * 400 + ".png") == int("9" * 12)
    assert (folder_of(r"a\b\7.jpg"), folder_of("7.jpg")) == ("a/b", "")


def test_images_without_numbers_keep_their_order(tmp_path: Path) -> None:
    content = coco_dataset(flagged(3))
    for image, name in zip(content["images"], "cab", strict=True):
        image["file_name"] = f"{name}.png"
    found = read_one("coco", write_json(tmp_path / "a.json", content))
    assert len(found.joints) == 3
    assert any("order in the file" in note for note in found.notes)


def changed(**more: object) -> dict[str, object]:
    return {**coco_dataset(flagged(3)), **more}


REFUSED = {
    "pictures of no video": (
        [*coco_results(flagged(2)), *coco_results(flagged(1), first=581929)],
        "pictures, not one video",
    ),
    "unknown image": (changed(images=[]), "annotations of image 100, which is not in the list of images"),
    "second image": (changed(images=[{"id": 1}, {"id": 1}]), "images 2: a second image has the id 1"),
    "no bodies": (changed(annotations=[]), "no body with key points among 0 annotations"),
    "odd numbers": ([{"image_id": 1, "keypoints": [1, 2, 3, 4]}], "entry 1: 4 numbers, where each point has three"),
    "other count": ([*coco_results(flagged(1)), *coco_results(flagged(1, 16))], "entry 2: 48 numbers where 51 belong"),
    "text": ([{"image_id": 1, "keypoints": ["1", "2", "3"]}], "entry 1: 1 where a number belongs"),
    "image is a list": ([{"image_id": [1], "keypoints": [1, 2, 3]}], "where the id of an image belongs"),
    "names twice": (changed(categories=[{"id": 1, "keypoints": ["a", "a"]}]), "categories 1: 'a' names two points"),
    "names too few": (changed(categories=[{"id": 1, "keypoints": ["a"]}]), "17 points where the category names 1"),
    "numbers": ([1, 2], "entry 1: 1 is no annotation"),
    "infinite": ([{"image_id": 1, "keypoints": [1e99, 1, 1]}], "frame 1: a point that is no position"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    content, words = REFUSED[case]
    assert words in refusal("coco", write_json(tmp_path / "a.json", content))


@pytest.mark.parametrize("content", [coco_dataset(flagged(5)), coco_results(random_points(5, 17, 3))])
def test_damaged_files(tmp_path: Path, content: object) -> None:
    text = json.dumps(content, indent=0).encode()
    words = (b'"image_id"', b'"keypoints"', b'"id": 1', COCO[0].encode())
    taken, refused = survive("coco", tmp_path / "a.json", mutations(text, 300, words=words), 20_000_000)
    assert taken > 20
    assert refused > 80
