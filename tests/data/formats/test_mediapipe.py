import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.estimator_files import (
    MEDIAPIPE,
    landmarks,
    mediapipe_csv,
    mutations,
    read_one,
    refusal,
    survive,
    world_points,
    write_json,
)

from kinestream.data.formats.landmarks import seconds
from kinestream.data.formats.mediapipe import gather, recognises
from kinestream.data.formats.mediapipe_csv import columns_of
from kinestream.data.recording import Found

WORLD = world_points(4)
PICTURE = np.concatenate((np.abs(world_points(4, seed=1)[..., :3]).clip(0, 1), WORLD[..., 3:]), axis=-1)
FORMS: dict[str, list[Any]] = {
    "protobuf": [{"pose_world_landmarks": {"landmark": landmarks(frame)}} for frame in WORLD],
    "one person": [{"frame": t, "pose_world_landmarks": landmarks(frame)} for t, frame in enumerate(WORLD)],
    "tasks": [
        {"pose_world_landmarks": [landmarks(frame)], "pose_landmarks": [landmarks(p)]}
        for frame, p in zip(WORLD, PICTURE, strict=True)
    ],
    "JavaScript": [
        {"poseWorldLandmarks": landmarks(frame), "poseLandmarks": landmarks(p)}
        for frame, p in zip(WORLD, PICTURE, strict=True)
    ],
    "JavaScript tasks": [
        {"worldLandmarks": [landmarks(f)], "landmarks": [landmarks(p)]} for f, p in zip(WORLD, PICTURE, strict=True)
    ],
    "lists of numbers": [{"pose_world_landmarks": frame.tolist()} for frame in WORLD],
    "bare": [landmarks(frame) for frame in WORLD],
    "bare protobuf": [{"landmark": landmarks(frame)} for frame in WORLD],
}


def assert_world(found: Found, points: np.ndarray = WORLD) -> None:
    np.testing.assert_array_equal(found.joints[:, 0], points[..., :3])
    assert found.confidence is not None
    np.testing.assert_allclose(found.confidence[:, 0], points[..., 3])
    assert found.layout is not None
    assert (found.layout.name, found.units, found.up) == ("mediapipe33", "m", "-y")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("top", [None, "frames"])
def test_world_landmarks_of_every_form(tmp_path: Path, form: str, top: str | None) -> None:
    content = FORMS[form] if top is None else {"fps": 30, top: FORMS[form]}
    path = write_json(tmp_path / "a.json", content)
    assert recognises(path)
    found = read_one("mediapipe", path)
    assert_world(found)
    assert found.fps == (None if top is None else 30.0)
    both = form in ("tasks", "JavaScript", "JavaScript tasks")
    assert any("pose_landmarks left out" in note for note in found.notes) == both


def test_landmarks_of_the_picture(tmp_path: Path) -> None:
    frames = [{"pose_landmarks": landmarks(frame)} for frame in PICTURE]
    found = read_one("mediapipe", write_json(tmp_path / "a.json", frames))
    np.testing.assert_array_equal(found.joints[:, 0], PICTURE[..., :2])
    assert (found.units, found.up, found.picture) == (None, "-y", None)
    assert any("fractions of its width and height" in note for note in found.notes)
    sized = {"image_width": 640, "image_height": 480, "frames": frames}
    found = read_one("mediapipe", write_json(tmp_path / "a.json", sized))
    np.testing.assert_allclose(found.joints[:, 0], PICTURE[..., :2] * (640, 480))
    assert (found.units, found.picture) == ("px", (640.0, 480.0))


def test_the_user_may_choose_those_of_the_picture(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", FORMS["tasks"])
    for word in ("picture", "pose_landmarks", "poseLandmarks"):
        np.testing.assert_array_equal(read_one("mediapipe", path, variable=word).joints[:, 0], PICTURE[..., :2])
    assert_world(read_one("mediapipe", path, variable="world"))
    assert "there are pose_world_landmarks and pose_landmarks" in refusal("mediapipe", path, variable="hands")
    only = write_json(tmp_path / "b.json", FORMS["protobuf"])
    assert "no frame has pose_landmarks" in refusal("mediapipe", only, variable="picture")


def test_gaps_nobody_and_times(tmp_path: Path) -> None:
    frames = [
        {"frame": 3, "timestamp_ms": 120, "pose_world_landmarks": landmarks(WORLD[0])},
        {"frame": 4, "timestamp_ms": 160, "pose_world_landmarks": None},
        {"frame": 6, "timestamp_ms": 240, "pose_world_landmarks": landmarks(WORLD[1]), "face_landmarks": [1]},
    ]
    found = read_one("mediapipe", write_json(tmp_path / "a.json", frames))
    assert found.fps == 25.0
    np.testing.assert_array_equal(found.joints[[0, 3], 0], WORLD[:2, :, :3])
    assert np.isnan(found.joints[1:3]).all()
    assert "not read: face_landmarks of 1 frames" in found.notes


def test_several_people(tmp_path: Path) -> None:
    frames = [{"pose_world_landmarks": [landmarks(a), landmarks(b)]} for a, b in zip(WORLD, WORLD[::-1], strict=True)]
    found = read_one("mediapipe", write_json(tmp_path / "a.json", frames))
    np.testing.assert_array_equal(found.joints, np.stack((WORLD, WORLD[::-1]), axis=1)[..., :3])


def test_a_file_a_frame(tmp_path: Path) -> None:
    paths = [
        write_json(tmp_path / f"walk_{t}.json", {"pose_world_landmarks": landmarks(WORLD[t - 8])})
        for t in (8, 9, 11, 10)
    ]
    alone = [write_json(tmp_path / f"take_{t}.json", FORMS["tasks"]) for t in (1, 2)]
    sources = gather(sorted([*paths, *alone]))
    assert sorted((source.name, len(source.parts)) for source in sources) == [("take_1", 0), ("take_2", 0), ("walk", 4)]
    [clip] = [source for source in sources if source.parts]
    assert_world(read_one("mediapipe", clip.path, parts=clip.parts))
    assert_world(read_one("mediapipe", paths[0]), WORLD[:1])
    paths[1].write_text("{")
    assert "walk_9.json: line 1: no JSON" in refusal("mediapipe", clip.path, parts=clip.parts)


SHORT = landmarks(WORLD[0])[:32]
REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": ([], "no frames with landmarks"),
    "nobody": ([{"pose_landmarks": None}] * 2, "no body in any of its 2 frames"),
    "too few": ([{"pose_landmarks": SHORT}], "frame 1, person 1: 32 landmarks where 33 belong"),
    "no z": ([{"pose_landmarks": [{"x": 1, "y": 2}] * 33}], "a landmark without 'z'"),
    "text": ([{"pose_landmarks": [{"x": "1", "y": 2, "z": 3}] * 33}], "1 where a number belongs"),
    "words": ([{"pose_landmarks": "none"}], "none where landmarks belong"),
    "a number": ([3], "frame 1: 3 where landmarks belong"),
    "one frame as a list": (landmarks(WORLD[0]), "frame 1: one landmark, where all of a frame belong"),
    "frames as people": ({"pose_landmarks": [landmarks(WORLD[0])] * 200}, "more than 100 bodies in one frame"),
    "infinite": ([{"pose_landmarks": [{"x": 1e99, "y": 2, "z": 3}] * 33}], "frame 0: a point that is no position"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    content, words = REFUSED[case]
    assert words in refusal("mediapipe", write_json(tmp_path / "a.json", content))


@pytest.mark.parametrize("form", ["tasks", "protobuf", "lists of numbers"])
def test_damaged_files(tmp_path: Path, form: str) -> None:
    text = json.dumps(FORMS[form], indent=0).encode()
    taken, refused = survive("mediapipe", tmp_path / "a.json", mutations(text, 240), 2_000_000)
    assert taken > 5
    assert refused > 40


@pytest.mark.parametrize(
    ("name", "times", "expected"),
    [
        ("timestamp_ms", (0, 40), (0, 0.04)),
        ("timestampMs", (0, 40), (0, 0.04)),
        ("timestamp_us", (0, 40000), (0, 0.04)),
        ("time_s", (0, 2), (0, 2)),
        ("timestamp", (0, 40), (0, 0.04)),
        ("timestamp", (0, 0.04), (0, 0.04)),
        ("timestamp", (0, 40000), (0, 0.04)),
        ("time", (0, 1e9), (np.nan, np.nan)),
    ],
)
def test_times_by_their_name_or_their_steps(
    name: str, times: tuple[float, float], expected: tuple[float, float]
) -> None:
    np.testing.assert_allclose(seconds(np.array(times, dtype=np.float64), name)[0], expected)


# --- CSV ------------------------------------------------------------------------------------------------------------

PATTERNS = (
    "{axis}{index}",
    "{axis}_{index}",
    "{joint}_{axis}",
    "{joint}.{axis}",
    "landmark_{index}_{axis}",
    "pose_{joint}_{axis}",
    "{index}_{axis}",
    "{axis}_{joint}",
)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_csv_of_every_form(tmp_path: Path, pattern: str, ending: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + mediapipe_csv(WORLD, pattern).replace("\n", ending).encode())
    found = read_one("mediapipe-csv", path)
    assert_world(found)
    assert any("by their numbers: world landmarks" in note for note in found.notes)


def with_columns(text: str, **columns: list[Any]) -> str:
    lines = text.splitlines()
    made = [",".join([*columns, lines[0]])]
    made += [",".join([*[str(values[row]) for values in columns.values()], line]) for row, line in enumerate(lines[1:])]
    return "\n".join(made) + "\n"


def test_csv_tells_more(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = with_columns(
        mediapipe_csv(PICTURE),
        **{"class": ["wave"] * 4, "frame": [0, 1, 2, 4], "time": [0, 0.04, 0.08, 0.16], "Mood": [1, 2, 3, 4]},
    )
    path.write_text(text)
    found = read_one("mediapipe-csv", path)
    np.testing.assert_array_equal(found.joints[[0, 1, 2, 4], 0], PICTURE[..., :2])
    assert (found.label, found.fps, found.units) == ("wave", 25.0, None)
    assert "not read: 1 columns, such as 'mood'" in found.notes
    path.write_text(text.replace("wave", "sit", 1))
    found = read_one("mediapipe-csv", path)
    assert found.label is None
    assert "not read: 2 columns, such as 'class'" in found.notes


def test_csv_with_people_empty_fields_and_whole_bodies(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(with_columns(mediapipe_csv(WORLD), frame=[0, 0, 1, 1], person=[0, 1, 1, 0]))
    found = read_one("mediapipe-csv", path)
    assert found.bodies is not None
    assert found.bodies.tolist() == [[1, 2], [2, 1]]
    lines = mediapipe_csv(WORLD).splitlines()
    lines[2] = "," * (33 * 4 - 1)
    lines[3] = ",".join(["0"] * 33 * 4)
    path.write_text("\n".join(lines))
    found = read_one("mediapipe-csv", path)
    assert np.isnan(found.joints[1:3]).all()
    np.testing.assert_array_equal(found.joints[[0, 3], 0], WORLD[[0, 3], :, :3])
    names = [f"{axis}{i}" for i in range(1, 502) for axis in "xyzv"]
    path.write_text(",".join(names) + "\n" + ",".join(["0.5"] * len(names)) + "\n")
    found = read_one("mediapipe-csv", path)
    assert found.joints.shape == (1, 1, 33, 2)
    assert any(note.startswith("not read: 1872 columns") for note in found.notes)


def test_world_columns_come_first() -> None:
    names = [f"{kind}landmark_{i}_{axis}" for kind in ("", "world_") for i in range(33) for axis in "xyz"]
    columns = columns_of(names)
    assert columns is not None
    assert columns.kind == "pose_world_landmarks"
    assert columns.places[1] == (102, 103, 104, -1)


@pytest.mark.parametrize(
    "names",
    [
        [f"{axis}{i}" for i in range(33) for axis in "xyz"],
        [f"{axis}{i}" for i in range(25) for axis in "xyzv"],
        [f"{axis}{i}" for i in range(2, 35) for axis in "xyzv"],
        [f"{joint}_{axis}" for joint in MEDIAPIPE[1:] for axis in "xyz"],
        [f"{joint}_{axis}" for joint in MEDIAPIPE for axis in "xy"],
        [f"{axis}{i}" for i in range(33) for axis in "xyzvx"],
        ["frame", "person", "joint", "x", "y", "z"],
        [],
    ],
)
def test_other_columns_are_not_taken(names: list[str]) -> None:
    assert columns_of(names) is None


HEAD, *ROWS = mediapipe_csv(WORLD).splitlines()
REFUSED_CSV = {
    "": "empty",
    HEAD: "no frames",
    "a,b\n1,2": "line 1: no columns x, y and z of 33 landmarks",
    f"{HEAD}\n{ROWS[0]}\n{ROWS[1]},1": "line 3: 133 cells where 132 belong",
    f"{HEAD}\n{ROWS[0]}\n{ROWS[1][:-3]}": "",
    f"{HEAD}\n{ROWS[0]}\n{ROWS[1].replace('.', '.x', 1)}": "line 3: ",
    f"{HEAD}\n{ROWS[0]}\n1e999,{ROWS[1].partition(',')[2]}": "line 3: a number without end",
    f"{HEAD}\n{ROWS[0]}\ninf,{ROWS[1].partition(',')[2]}": "line 3: a number without end",
    f"frame,{HEAD}\n-1,{ROWS[0]}": "line 2: -1.0 where the number of a frame belongs",
    f"frame,{HEAD}\n0.5,{ROWS[0]}": "line 2: 0.5 where the number of a frame belongs",
}


@pytest.mark.parametrize("text", REFUSED_CSV)
def test_csv_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    if REFUSED_CSV[text]:
        assert REFUSED_CSV[text] in refusal("mediapipe-csv", path)


def test_csv_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"näme,{HEAD}\n1,{ROWS[0]}".encode("latin-1"))
    assert "line 1: not UTF-8 text" in refusal("mediapipe-csv", path)


def test_damaged_csv(tmp_path: Path) -> None:
    text = with_columns(mediapipe_csv(WORLD), frame=[0, 1, 2, 3]).encode()
    taken, refused = survive("mediapipe-csv", tmp_path / "a.csv", mutations(text, 300), 2_000_000)
    assert taken > 20
    assert refused > 80
