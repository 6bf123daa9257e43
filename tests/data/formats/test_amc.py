"""AMC files and the ASF files beside them."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.data.formats.mutations import mutated, refusal_or

from kinestream.data.formats.amc import LARGEST, find_skeleton, read
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import load_layout

ASF = """# a comment
:version 1.10
:name TEST
:units
  mass 1.0
  length 0.5
  angle deg
:documentation
  made for a test: end begin
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name lfemur
    direction 0.6 -0.8 0
    length 4
    axis 0 10 20 XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
    id 2
    name ltibia
    direction 0 -1 0
    length 3
    axis 30 0 -5 XYZ
    dof rx
  end
  begin
    id 3
    name rfemur
    direction -0.6 -0.8 0
    length 4
    axis 5 0 0 ZYX
    dof rz rx
  end
  begin
    id 4
    name lhipjoint
    direction 1 0 0
    length 1
    axis 0 0 0 XYZ
  end
  begin
    id 5
    name rhipjoint
    direction -1 0 0
    length 1
    axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root lhipjoint rhipjoint
    lhipjoint lfemur
    rhipjoint rfemur
    lfemur ltibia
  end
"""
MOVING = {"root": 6, "lfemur": 3, "ltibia": 1, "rfemur": 2}
HEADER = "#!OML:ASF a.ASF\n:FULLY-SPECIFIED\n:DEGREES\n"


def numbers(frames: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(-180, 180, size=(frames, count)).round(5) for name, count in MOVING.items()}


def amc(values: dict[str, np.ndarray], header: str = HEADER, first: int = 1) -> str:
    frames = []
    for frame in range(len(values["root"])):
        lines = [f"{name} {' '.join(f'{value:g}' for value in rows[frame])}" for name, rows in values.items()]
        frames.append("\n".join([str(frame + first), *lines]))
    return header + "\n".join(frames) + "\n"


def read_text(folder: Path, text: str | bytes, skeleton: str | bytes = ASF) -> Found:
    (folder / "01.asf").write_bytes(skeleton.encode() if isinstance(skeleton, str) else skeleton)
    path = folder / "01_01.amc"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(Source(path=path, name="01_01"))


# --- a reference that does one frame after the other ----------------------------------------------------------------


def about(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrices = {"x": [[1, 0, 0], [0, c, -s], [0, s, c]], "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]]}
    return np.array(matrices.get(axis, [[c, -s, 0], [s, c, 0], [0, 0, 1]]))


def literal(asf: str, motion: str) -> dict[str, np.ndarray]:
    """Far ends of the bones by name, in inches."""
    bones: dict[str, dict[str, list[str]]] = {}
    for block in asf.split(":bonedata")[1].split(":hierarchy")[0].split("begin")[1:]:
        lines = [line.split() for line in block.splitlines() if line.strip()]
        told = {line[0]: line[1:] for line in lines}
        bones[told["name"][0]] = told
    scale = float(re.findall(r"length (\S+)", asf.split(":root")[0])[0])
    parents = {}
    for line in asf.split(":hierarchy")[1].splitlines():
        words = line.split()
        parents |= dict.fromkeys(words[1:], "".join(words[:1]))
    made: dict[str, list[np.ndarray]] = {}
    for frame in re.split(r"\n(?=\d+\s*\n)", motion)[1:]:
        values = {line.split()[0]: [float(word) for word in line.split()[1:]] for line in frame.splitlines()[1:]}
        root = values["root"]
        turns = {"root": about("z", root[5]) @ about("y", root[4]) @ about("x", root[3])}
        places = {"root": np.array(root[:3])}
        waiting = [*bones]
        while waiting:
            name = next(name for name in waiting if parents[name] in places)
            waiting.remove(name)
            told = bones[name]
            order = told["axis"][3].lower()
            axes = np.eye(3)
            for axis in order:
                axes = about(axis, float(told["axis"]["xyz".index(axis)])) @ axes
            own = np.eye(3)
            given = dict(zip(told.get("dof", []), values.get(name, []), strict=True))
            for axis in order:
                own = about(axis, given.get(f"r{axis}", 0)) @ own
            turns[name] = turns[parents[name]] @ axes @ own @ np.linalg.inv(axes)
            way = np.array([float(word) for word in told["direction"]]) * float(told["length"][0])
            places[name] = places[parents[name]] + turns[name] @ way
        for name, place in places.items():
            made.setdefault(name, []).append(place / scale)
    return {name: np.array(rows) for name, rows in made.items()}


# --- what is read ----------------------------------------------------------------------------------------------------


def test_every_bone_is_where_the_rotations_put_it(tmp_path: Path) -> None:
    text = amc(numbers(30))
    found = read_text(tmp_path, text)
    assert found.layout is not None
    expected = literal(ASF, text)
    assert {*found.layout.joints} == {*expected}
    for v, name in enumerate(found.layout.joints):
        np.testing.assert_allclose(found.joints[:, 0, v], expected[name], atol=1e-9, err_msg=name)
    assert (found.units, found.up, found.fps, found.notes) == ("in", None, None, ())


def test_bones_are_named_by_their_far_ends(tmp_path: Path) -> None:
    layout = read_text(tmp_path, amc(numbers(2))).layout
    assert layout is not None
    names = dict(zip(layout.joints, layout.canonical, strict=True))
    assert names["lfemur"] == "left_knee"
    assert names["ltibia"] == "left_ankle"
    assert names["rhipjoint"] == "right_hip"
    assert names["root"] == "pelvis", "the legs meet there"


def test_the_order_of_lines_is_free_but_the_same_in_all_frames(tmp_path: Path) -> None:
    values = numbers(3)
    turned = dict(reversed(values.items()))
    np.testing.assert_array_equal(read_text(tmp_path, amc(turned)).joints, read_text(tmp_path, amc(values)).joints)


@pytest.mark.parametrize("change", ["crlf", "mark", "blank lines", "tabs", "from frame 7"])
def test_other_ways_to_write_the_same(tmp_path: Path, change: str) -> None:
    text = amc(numbers(5))
    expected = read_text(tmp_path, text).joints
    written = {
        "crlf": text.replace("\n", "\r\n").encode(),
        "mark": b"\xef\xbb\xbf" + text.encode(),
        "blank lines": text.replace("\n", "\n\n").encode(),
        "tabs": text.replace(" ", " \t").encode(),
        "from frame 7": amc(numbers(5), first=7).encode(),
    }[change]
    np.testing.assert_array_equal(read_text(tmp_path, written).joints, expected)


def test_radians_and_rate_where_the_file_says_them(tmp_path: Path) -> None:
    values = numbers(4)
    expected = read_text(tmp_path, amc(values)).joints
    radians = {name: np.radians(rows) for name, rows in values.items()}
    radians["root"] = np.concatenate((values["root"][:, :3], radians["root"][:, 3:]), axis=1)
    found = read_text(tmp_path, amc(radians, ":RADIANS\n:SAMPLES-PER-SECOND 120\n"))
    np.testing.assert_allclose(found.joints, expected, atol=1e-3)
    assert found.fps == 120


@pytest.mark.parametrize("length", ["length 1.0", ""])
def test_without_a_length_units_are_not_said(tmp_path: Path, length: str) -> None:
    text = amc(numbers(2))
    found = read_text(tmp_path, text, ASF.replace("length 0.5", length))
    assert found.units is None
    np.testing.assert_allclose(found.joints, read_text(tmp_path, text).joints / 2)


@pytest.mark.parametrize("frames", [1, 2])
def test_the_last_line_may_have_no_end(tmp_path: Path, frames: int) -> None:
    text = amc(numbers(frames))
    np.testing.assert_array_equal(read_text(tmp_path, text.rstrip()).joints, read_text(tmp_path, text).joints)


@pytest.mark.parametrize("size", [50, 700])
def test_blocks_make_no_difference(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = amc(numbers(40))
    expected = read_text(tmp_path, text).joints
    monkeypatch.setattr("kinestream.data.formats.lines._BLOCK", size)
    np.testing.assert_allclose(read_text(tmp_path, text).joints, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("motion", "skeletons", "found"),
    [
        ("a/01_02.amc", ["a/01.asf", "a/02.asf"], "a/01.asf"),
        ("a/walk.AMC", ["a/walk.ASF", "a/w.asf"], "a/walk.ASF"),
        ("a/walk_fast_2.amc", ["a/walk.asf", "a/walk_fast.asf"], "a/walk_fast.asf"),
        ("a/x.amc", ["a/only.asf"], "a/only.asf"),
        ("a/01_02.amc", ["01.asf", "02.asf"], "01.asf"),
        ("a/x.amc", ["only.asf"], "only.asf"),
        ("a/011.amc", ["a/01.asf", "a/02.asf"], None),
        ("a/x.amc", [], None),
    ],
)
def test_which_skeleton_belongs_to_a_motion(
    tmp_path: Path, motion: str, skeletons: list[str], found: str | None
) -> None:
    (tmp_path / "a").mkdir()
    for name in (motion, *skeletons):
        (tmp_path / name).write_text("")
    if found is None:
        with pytest.raises(RecordingError, match=r"no \.asf file beside it or in the folder above that has its name"):
            find_skeleton(tmp_path / motion)
    else:
        assert find_skeleton(tmp_path / motion) == tmp_path / found


# --- the real recordings ---------------------------------------------------------------------------------------------


def test_motions_of_cmu(real_data: Path) -> None:
    paths = sorted((real_data / "cmu-mocap").rglob("*.amc"))[::3]
    assert len(paths) == 10
    layout = load_layout("cmu31")
    feet = [layout.joints.index(name) for name in ("lfoot", "ltoes", "rfoot", "rtoes")]
    for path in paths:
        found = read(Source(path=path, name=path.stem))
        assert found.layout == layout
        assert (found.units, found.fps, found.notes) == ("in", None, ())
        joints = found.joints[:, 0] * 0.0254
        lengths = np.stack([np.linalg.norm(joints[:, v] - joints[:, parent], axis=-1) for v, parent in layout.bones])
        assert np.ptp(lengths, axis=1).max() < 1e-9
        lowest = joints[:, feet, 1].min(axis=1)
        assert -0.15 < lowest.min() < 0.2, path.name
        assert np.abs(joints).max() < 6, path.name
        if path.stem.startswith("02"):  # walks and other things on the floor
            assert 0.02 < np.median(lowest) < 0.1, path.name
            assert 1.4 < np.median(joints[:, layout.joints.index("head"), 1]) < 1.7, path.name


def test_a_real_motion_as_the_reference_has_it(real_data: Path) -> None:
    path = real_data / "cmu-mocap/02/02_03.amc"
    found = read(Source(path=path, name="02_03"))
    assert found.layout is not None
    expected = literal((real_data / "cmu-mocap/02/02.asf").read_text(), path.read_text())
    for v, name in enumerate(found.layout.joints):
        np.testing.assert_allclose(found.joints[:, 0, v], expected[name], atol=1e-4, err_msg=name)


# --- what is refused ------------------------------------------------------------------------------------------------

TWO = amc(numbers(2))


def changed(line: int, text: str) -> str:
    lines = TWO.splitlines()
    lines[line - 1] = text
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", None, "no frames"),
        (HEADER, 3, "no frames"),
        ("a,b\n1,2\n", 1, "'a,b' where the number of a frame belongs"),
        (changed(4, "one"), 4, "'one' where the number of a frame belongs"),
        (changed(9, "7"), 9, "frame 7 where 2 belongs"),
        (changed(6, "lfemur 1 2"), 6, "3 words where 'lfemur' and 3 numbers belong"),
        (changed(11, "lfemur 1 2 3 4"), 11, "5 words where 'lfemur' and 3 numbers belong"),
        (changed(11, "lfemur 1 x 3"), 11, "'x' where a number belongs"),
        (changed(11, "lfemur 1 nan 3"), 11, "not finite"),
        (changed(10, "root 1e9 0 0 0 0 0"), None, "beyond 1,000,000"),
        (changed(6, "tail 1 2 3"), 6, "'tail' is no bone of the skeleton that moves"),
        (changed(6, "root 1 2 3 4 5 6"), 6, "'root' stands twice"),
        (changed(11, "rtibia 1 2 3"), 11, "'rtibia' where the first frame has 'lfemur'"),
        ("\n".join(TWO.splitlines()[:-1]), 12, "the last frame has fewer"),
        ("\n".join(TWO.splitlines()[:6]), 4, "the first frame has no 'rfemur'"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, line: int | None, reason: str) -> None:
    with pytest.raises(RecordingError, match=reason) as caught:
        read_text(tmp_path, text)
    assert line is None or caught.value.line == line
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (ASF, "", "no bones"),
        (ASF, "HIERARCHY\n", "before any section"),
        ("name ltibia", "name lfemur", "'lfemur': a new name"),
        ("name ltibia", "name", "a bone without name"),
        ("direction 0 -1 0", "direction 0 0 0", "a length and no direction"),
        ("direction 0 -1 0", "direction 0 -1", "3 numbers belong"),
        ("length 3", "length nan", "length 'nan': a number belongs"),
        ("length 3", "length 1e99", "length '1e99': a number belongs"),
        ("axis 30 0 -5 XYZ", "axis 30 0 -5 XXZ", "an order such as XYZ"),
        ("dof rx ry rz", "dof rx ry rz l", "bones that change their length"),
        ("dof rx ry rz", "dof rx rz ry", "differ in the order of rotations"),
        ("    lfemur ltibia\n", "", "'ltibia' hangs on nothing"),
        ("    lfemur ltibia\n", "    lfemur ltibia\n    rfemur ltibia\n", "'ltibia' hangs on two bones"),
        ("    lfemur ltibia\n", "    lfemur tail\n", "there is no bone 'tail'"),
        ("lhipjoint lfemur\n", "ltibia lfemur\n", "in a ring"),
        ("  order TX TY TZ RX RY RZ\n", "", "no order of the numbers of the root"),
        ("angle deg", "angle gon", "angle 'gon': deg or rad"),
        ("length 0.5", "length 0", "inches are coordinates divided"),
        ("  end\n:hierarchy", ":hierarchy", "a bone without its end"),
        ("id 2", "idea 2", "'idea' is no key"),
    ],
)
def test_skeletons_that_are_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in ASF
    with pytest.raises(RecordingError, match=f"its skeleton 01.asf: .*{reason}"):
        read_text(tmp_path, TWO, ASF.replace(old, new, 1))


@pytest.mark.parametrize("what", ["motion", "skeleton"])
def test_any_damage_is_refused_or_read(tmp_path: Path, what: str) -> None:
    content = (amc(numbers(4)) if what == "motion" else ASF).encode()
    refused = 0
    for text in mutated(content, 400):
        files = (text,) if what == "motion" else (TWO, text)
        found = refusal_or(partial(read_text, tmp_path, *files))
        if isinstance(found, RecordingError):
            refused += 1
            continue
        assert 1 <= len(found.joints) <= max(text.count(b"\n"), 2)
        assert np.isfinite(found.joints).all()
        assert (np.abs(found.joints) <= LARGEST / 1e-6).all()
    assert refused > 200
