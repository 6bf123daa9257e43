"""BVH files: the skeleton, its motion, and what is refused."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.formats.mutations import mutated, refusal_or

from kinestream.data.formats.bvh import LARGEST, rate_of, read
from kinestream.data.recording import Found, RecordingError, Source

BODY = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 0 2 0
    CHANNELS 3 Yrotation Xrotation Zrotation
    JOINT Head
    {
      OFFSET 0 3 0.5
      CHANNELS 3 Xrotation Yrotation Zrotation
      End Site
      {
        OFFSET 0 1 0
      }
    }
  }
  JOINT LeftUpLeg
  {
    OFFSET 1 0 0
    CHANNELS 1 Xrotation
    End Site
    {
      OFFSET 0 -4 0
    }
  }
  JOINT RightUpLeg
  {
    OFFSET -1 0 0
    CHANNELS 3 Zrotation Yrotation Xrotation
  }
}
MOTION
"""
COLUMNS = 6 + 3 + 3 + 1 + 3
JOINTS = ("Hips", "Spine", "Head", "Head_end", "LeftUpLeg", "LeftUpLeg_end", "RightUpLeg")


def motion(rows: np.ndarray, frame_time: str = "0.0333333", said: int | None = None) -> str:
    lines = [" ".join(f"{number:.6f}" for number in row) for row in rows]
    return "\n".join([f"Frames: {len(rows) if said is None else said}", f"Frame Time: {frame_time}", *lines, ""])


def angles(frames: int, columns: int = COLUMNS, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-180, 180, size=(frames, columns)).round(6)


def read_text(folder: Path, text: str | bytes) -> list[Found]:
    path = folder / "a.bvh"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(Source(path=path, name="a"))


def read_one(folder: Path, text: str | bytes) -> Found:
    (found,) = read_text(folder, text)
    return found


# --- a reference that does one frame after the other --------------------------------------------------------------


def turn(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array(
        {
            "X": [[1, 0, 0], [0, c, -s], [0, s, c]],
            "Y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "Z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }[axis]
    )


def literal(text: str) -> dict[str, np.ndarray]:
    """Positions by name, with positions of channels instead of offsets."""
    head, _, tail = text.partition("MOTION")
    words = head.replace("End Site", "End Site_").split()[1:]
    rows = [[float(word) for word in line.split()] for line in tail.splitlines()[3:] if line.strip()]
    made: dict[str, list[np.ndarray]] = {}
    for row in rows:
        numbers, at, stack = iter(row), 0, [(np.zeros(3), np.eye(3), "")]
        while at < len(words):
            word = words[at]
            if word in ("ROOT", "JOINT", "End"):
                name = words[at + 1] if word != "End" else f"{stack[-1][2]}_end"
                at += 3
                offset = np.array([float(value) for value in words[at + 1 : at + 4]])
                at += 4
                place, base, _ = stack[-1]
                own = np.eye(3)
                if at < len(words) and words[at] == "CHANNELS":
                    count = int(words[at + 1])
                    for channel in words[at + 2 : at + 2 + count]:
                        value = next(numbers)
                        if channel.endswith("position"):
                            offset["XYZ".index(channel[0])] = value
                        else:
                            own = own @ turn(channel[0], value)
                    at += 2 + count
                here = place + base @ offset
                made.setdefault(name, []).append(here)
                stack.append((here, base @ own, name))
            elif word == "}":
                stack.pop()
                at += 1
            else:
                raise AssertionError(word)
        assert next(numbers, None) is None
    return {name: np.array(places) for name, places in made.items()}


def same_as_literal(found: Found, text: str) -> None:
    names = found.layout.joints if found.layout else found.points
    expected = literal(text)
    assert [*expected] == [*names]
    for v, name in enumerate(names):
        np.testing.assert_allclose(found.joints[:, 0, v], expected[name], atol=1e-9, err_msg=name)


# --- what is read ----------------------------------------------------------------------------------------------------


def test_every_joint_is_where_the_rotations_put_it(tmp_path: Path) -> None:
    text = BODY + motion(angles(40))
    found = read_one(tmp_path, text)
    assert found.joints.shape == (40, 1, 7, 3)
    same_as_literal(found, text)
    assert found.layout is not None
    assert found.layout.joints == JOINTS
    assert found.layout.canonical == ("pelvis", "spine", "head", "head_top", "left_hip", "left_knee", "right_hip")
    assert (found.fps, found.units, found.up, found.notes) == (30.0, None, None, ())
    assert found.layout.pairs == ((4, 6),)


@settings(max_examples=40)
@given(data=st.data())
def test_any_tree_with_any_channels(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The order of rotations, the number of channels and the shape of the tree are free."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    columns = 0

    def joint(name: str, depth: int) -> str:
        nonlocal columns
        kinds = [f"{axis}rotation" for axis in rng.permutation(list("XYZ"))[: rng.integers(0, 4)]]
        if depth == 0:
            kinds = [f"{axis}position" for axis in "ZXY"] + kinds
        columns += len(kinds)
        offset = " ".join(f"{value:.3f}" for value in rng.normal(size=3))
        channels = f"CHANNELS {len(kinds)} {' '.join(kinds)}\n" if kinds else ""
        children = [joint(f"{name}{number}", depth + 1) for number in range(rng.integers(0, 3))] if depth < 4 else []
        end = "" if children else "End Site\n{\nOFFSET 0 1 2\n}\n"
        return f"{'JOINT' if depth else 'ROOT'} {name}\n{{\nOFFSET {offset}\n{channels}{''.join(children)}{end}}}\n"

    tree = joint("j", 0)
    text = f"HIERARCHY\n{tree}MOTION\n{motion(angles(3, columns, seed=int(rng.integers(1000))))}"
    found = read_one(tmp_path_factory.mktemp("bvh"), text)
    same_as_literal(found, text)
    assert found.layout is None, "nothing tells which joints are left and right"
    assert "a layout file must give 'heading'" in found.notes[0]


@pytest.mark.parametrize("change", ["crlf", "mark", "tabs", "one line", "lower case", "blank lines"])
def test_other_ways_to_write_the_same(tmp_path: Path, change: str) -> None:
    text = BODY + motion(angles(5))
    expected = read_one(tmp_path, text).joints
    written = {
        "crlf": text.replace("\n", "\r\n").encode(),
        "mark": b"\xef\xbb\xbf" + text.encode(),
        "tabs": text.replace(" ", "\t").encode(),
        "one line": re.sub(r"\n *\{", " {", text).encode(),
        "lower case": text.replace("position", "POSITION").replace("JOINT", "joint").encode(),
        "blank lines": text.replace("\n", "\n\n").encode(),
    }[change]
    np.testing.assert_array_equal(read_one(tmp_path, written).joints, expected)


@pytest.mark.parametrize("adds", [False, True])
def test_positions_of_other_joints_stand_instead_of_offsets_or_are_added(tmp_path: Path, adds: bool) -> None:
    """Which of the two, their size tells; the bones keep their length either way."""
    text = BODY.replace("CHANNELS 3 Yrotation", "CHANNELS 6 Xposition Yposition Zposition Yrotation")
    rows = angles(20, COLUMNS + 3)
    rows[:, 6:9] = np.random.default_rng(1).normal(scale=0.01, size=(20, 3)).round(6)
    rows[:, 6:9] += (0, 0, 0) if adds else (0, 2, 0)
    found = read_one(tmp_path, text + motion(rows))
    spine = np.linalg.norm(found.joints[:, 0, 1] - found.joints[:, 0, 0], axis=-1)
    np.testing.assert_allclose(spine, 2, atol=0.1)
    assert f"1 joints beside the root have positions, {'added to' if adds else 'taken instead of'}" in found.notes[0]


def test_frames_with_nan_are_not_seen(tmp_path: Path) -> None:
    text = BODY + motion(angles(4))
    lines = text.splitlines()
    lines[-2] = lines[-2].replace(lines[-2].split()[9], "nan", 1)
    found = read_one(tmp_path, "\n".join(lines))
    assert np.isnan(found.joints[2, 0, 3]).all()
    assert np.isfinite(found.joints[2, 0, :3]).all()
    assert np.isfinite(found.joints[[0, 1, 3]]).all()
    assert found.notes == ("1 frames have joints without a number (nan)",)


def test_skeletons_of_one_kind_are_the_bodies_of_a_recording(tmp_path: Path) -> None:
    one = BODY.removeprefix("HIERARCHY\n").removesuffix("MOTION\n")
    two = "HIERARCHY\n" + "".join(re.sub(r"(ROOT|JOINT) ", rf"\1 P{number}:", one) for number in (1, 2)) + "MOTION\n"
    rows = angles(6, 2 * COLUMNS)
    found = read_one(tmp_path, two + motion(rows))
    assert found.joints.shape == (6, 2, 7, 3)
    assert found.layout is not None
    assert found.layout.joints == JOINTS
    for number in (0, 1):
        alone = read_one(tmp_path, BODY + motion(rows[:, number * COLUMNS : (number + 1) * COLUMNS]))
        np.testing.assert_array_equal(found.joints[:, number], alone.joints[:, 0])


def test_another_skeleton_is_another_recording(tmp_path: Path) -> None:
    sword = "ROOT Sword\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n}\nMOTION\n"
    found = read_text(tmp_path, BODY.replace("MOTION\n", sword) + motion(angles(3, COLUMNS + 3)))
    assert [(one.name, one.joints.shape) for one in found] == [("Hips", (3, 1, 7, 3)), ("Sword", (3, 1, 1, 3))]
    assert found[1].points == ("Sword",)


def test_a_count_that_is_wrong_is_told(tmp_path: Path) -> None:
    found = read_one(tmp_path, BODY + motion(angles(3), said=9))
    assert len(found.joints) == 3
    assert found.notes == ("the file says 9 frames and has 3",)


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        (".0083333", 120),
        ("0.033333", 30),
        ("0.016667", 60),
        ("0.0333", 30),
        ("0.04", 25),
        ("0.041708", 23.9762),
        ("0.03", 33.33),
    ],
)
def test_rates_are_what_their_rounded_frame_times_mean(written: str, rate: float) -> None:
    assert rate_of(written) == pytest.approx(rate, rel=1e-3)
    assert (rate_of(written) == rate) == (rate == int(rate))


@pytest.mark.parametrize("frame_time", ["0", "-1", "nan", "inf", "1e-300"])
def test_no_rate_where_the_frame_time_is_none(tmp_path: Path, frame_time: str) -> None:
    assert read_one(tmp_path, BODY + motion(angles(2), frame_time)).fps is None


def test_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = BODY + motion(angles(30))
    expected = read_one(tmp_path, text).joints
    monkeypatch.setattr("kinestream.data.formats.lines._BLOCK", 100)
    np.testing.assert_array_equal(read_one(tmp_path, text).joints, expected)


# --- real files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "fps", "up"),
    [
        ("bvh_example", (75, 29), 30, 2),
        ("bvh_test2", (61, 28), 120, 1),
        ("cmu_12_01_walk", (524, 38), 120, 1),
    ],
)
def test_real_files(real_data: Path, name: str, shape: tuple[int, int], fps: int, up: int) -> None:
    path = real_data / f"formats/bvh/{name}.bvh"
    (found,) = read(Source(path=path, name=name))
    assert found.joints.shape == (shape[0], 1, shape[1], 3)
    assert (found.fps, found.units, found.up, found.notes) == (fps, None, None, ())
    same_as_literal(found, path.read_text())
    layout = found.layout
    assert layout is not None
    joints = found.joints[:, 0]
    lengths = np.stack([np.linalg.norm(joints[:, v] - joints[:, parent], axis=-1) for v, parent in layout.bones])
    assert np.ptp(lengths, axis=1).max() < 1e-9
    wanted = ["pelvis", "spine", "neck", "head", "head_top"]
    wanted += [
        f"{side}_{part}"
        for side in ("left", "right")
        for part in ["hip", "knee", "ankle", "foot", "toes", "shoulder", "elbow", "wrist"]
    ]
    places = {known: joints[:, v] for v, known in enumerate(layout.canonical)}
    assert {*wanted} <= {*places}
    heights = [
        np.median(places[known][:, up])
        for known in ["left_ankle", "left_knee", "left_hip", "spine", "neck", "head", "head_top"]
    ]
    assert heights == sorted(heights)
    assert layout.canonical[layout.heading[0]] == "left_shoulder"
    assert [layout.canonical[v] for v in layout.pelvis] == ["pelvis"]


# --- what is refused ------------------------------------------------------------------------------------------------

ONE = BODY + motion(angles(2))


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", None, "no line MOTION"),
        ("\n\n", 2, "no line MOTION"),
        ("time,x,y\n1,2,3\n", 1, "'time,x,y' where HIERARCHY belongs"),
        ("HIERARCHY\nMOTION\n", 2, "no joints before MOTION"),
        (BODY, 35, "no frames"),
        (BODY + "Frames: 0\nFrame Time: 0.1\n", None, "no frames"),
        (BODY + "Frames: two\nFrame Time: 0.1\n", 37, "'two' frames of '0.1' seconds: numbers"),
        (BODY + "1 2 3\n", 36, "'1 2 3' where 'Frames:' belongs"),
        (ONE.rsplit(" ", 1)[0], 39, "15 numbers where the skeleton has 16 channels"),
        (ONE.rstrip() + " 1\n", 39, "17 numbers where the skeleton has 16 channels"),
        (re.sub(r"(\n\S+ )\S+", r"\1abc", ONE[-300:]).join([ONE[:-300], ""]), None, "where a number belongs"),
        (ONE.rstrip().rsplit(" ", 1)[0] + " inf\n", 39, "a number beyond 1,000,000"),
        (ONE.rstrip() + "e300\n", 39, "a number beyond 1,000,000: neither an angle"),
        (BODY.replace("Xrotation", "Wrotation", 1), 5, "channel 'wrotation'"),
        (BODY.replace("CHANNELS 6", "CHANNELS 7", 1), 5, "a number and as many different names"),
        (BODY.replace("Yposition", "Xposition", 1), 5, "a number and as many different names"),
        (BODY.replace("OFFSET 0 2 0", "OFFSET 0 2"), 8, "OFFSET '0 2': three numbers"),
        (BODY.replace("OFFSET 0 2 0", "OFFSET 0 nan 0"), 8, "no length of a bone"),
        (BODY.replace("OFFSET 0 2 0", "OFFSET 0 1e30 0"), 8, "no length of a bone"),
        (BODY.replace("    OFFSET 0 2 0\n", ""), 18, "Spine has no OFFSET"),
        (BODY.replace("JOINT LeftUpLeg", "JOINT Spine"), 20, "a second joint Spine"),
        (BODY.replace("JOINT LeftUpLeg", "JOINT \x1b[31m"), 20, r"'\?\[31m' is no name"),
        (BODY.replace("JOINT LeftUpLeg", "JOINT"), 20, "'' is no name"),
        (BODY.replace("}\nMOTION", "MOTION"), 34, "MOTION before the } of Hips"),
        (BODY.replace("}\nMOTION", "}\n}\nMOTION"), 35, "} without its {"),
        (BODY.replace("  JOINT Spine\n  {", "  JOINT Spine\n  JOINT"), 7, "'JOINT' where the { of Spine belongs"),
        (BODY.replace("HIERARCHY\n", "HIERARCHY\nJOINT a\n{\n"), 2, "JOINT outside of a joint"),
        (BODY.replace("  JOINT Spine", "  ROOT Spine"), 6, "ROOT within a joint"),
        (BODY.replace("  JOINT Spine", "  LIMB Spine"), 6, "'LIMB' is no word"),
        (re.sub("CHANNELS.*", "", BODY), 35, "no CHANNELS"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, line: int | None, reason: str) -> None:
    with pytest.raises(RecordingError, match=reason) as caught:
        read_text(tmp_path, text)
    assert line is None or caught.value.line == line
    assert "\n" not in str(caught.value)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="line 1: not UTF-8 text"):
        read_text(tmp_path, ONE.encode("utf-16"))


def test_too_many_joints_and_endless_headers(tmp_path: Path) -> None:
    many = "JOINT a{}\n{{\nOFFSET 0 0 0\n"
    with pytest.raises(RecordingError, match="over 1000 joints"):
        read_text(tmp_path, BODY.split("  JOINT")[0] + "".join(many.format(number) for number in range(1001)))
    with pytest.raises(RecordingError, match="no MOTION in its first 20,000 lines"):
        read_text(tmp_path, "HIERARCHY\n" + "\n" * 30_000)
    with pytest.raises(RecordingError, match="a line of over 16 MB"):
        read_text(tmp_path, BODY + "Frames: 1\nFrame Time: 1\n" + "1 " * 9_000_000)


def test_the_said_frames_allocate_nothing(tmp_path: Path) -> None:
    found = read_one(tmp_path, BODY + motion(angles(2), said=10**15))
    assert len(found.joints) == 2


@pytest.mark.parametrize("seed", range(4))
def test_any_damage_is_refused_or_read(tmp_path: Path, seed: int) -> None:
    content = (BODY + motion(angles(4))).encode()
    refused = 0
    for text in mutated(content, 150, seed=seed):
        found = refusal_or(partial(read_text, tmp_path, text))
        if isinstance(found, RecordingError):
            refused += 1
            assert found.line is None or 1 <= found.line <= text.count(b"\n") + 1, found
            continue
        for one in found:
            assert 1 <= len(one.joints) <= text.count(b"\n") + 1
            assert not (np.abs(one.joints) > LARGEST).any()
            assert one.fps is None or 0 < one.fps < 100_001
    assert refused > 60
