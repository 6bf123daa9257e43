"""Tables of own recordings: how their columns are called, how they are separated, and what is wrong with them."""

import csv
import json
import math
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.formats.damage import check_told, damaged
from tests.peak import PEAK

from kinestream.data.formats import FORMATS, Format, table, table_rows
from kinestream.data.formats.cells import split_cells
from kinestream.data.formats.table_frames import rate_of
from kinestream.data.formats.table_names import find_joints
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import load_layout

JOINTS = ("hip", "left_knee", "right_knee", "head")
RNG = np.random.default_rng(0)


def read(path: Path, columns: str = "", layout: str = "") -> Found:
    known = load_layout(layout) if layout else None
    found = table.read(Source(path=path, name=path.stem, columns=columns, layout=known))
    if isinstance(found, list):
        return found[0]
    return found


def read_text(folder: Path, text: str | bytes, columns: str = "", layout: str = "", suffix: str = ".csv") -> Found:
    path = folder / f"a{suffix}"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path, columns, layout)


def refusal(folder: Path, text: str | bytes, columns: str = "", layout: str = "") -> str:
    with pytest.raises(RecordingError) as caught:
        read_text(folder, text, columns, layout)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    return str(caught.value)


def written(names: Sequence[str], rows: Sequence[Sequence[Any]], delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(map(str, row)) for row in [names, *rows]) + "\n"


def moves(frames: int = 6, joints: int = 4, axes: int = 3) -> np.ndarray:
    return RNG.normal(size=(frames, joints, axes)).round(5)


def wide(form: str, joints: np.ndarray, names: Sequence[str] = JOINTS, upper: bool = False) -> str:
    """A table whose columns are called by `form`, after a frame."""
    axes = "XYZ" if upper else "xyz"
    titles = [form.format(joint=joint, axis=axis) for joint in names for axis in axes[: joints.shape[2]]]
    rows = [[number, *row] for number, row in enumerate(joints.reshape(len(joints), -1).tolist())]
    return written(["frame", *titles], rows)


# --- how columns are called -----------------------------------------------------------------------------------------

FORMS = ["{joint}_{axis}", "{joint}.{axis}", "{joint} {axis}", "{joint}-{axis}", "{joint}:{axis}", "{axis}_{joint}"]
FORMS += [
    "{joint}{axis}",
    "{joint}_pos_{axis}",
    "{joint} ({axis})",
    "{joint}_position_{axis}",
    "{joint}.position.{axis}",
]
FORMS += ["{joint}_{axis}_pos", "pos_{axis}_{joint}", "{joint}/{axis}", "{joint}[{axis}]"]


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_names(tmp_path: Path, form: str, axes: int, upper: bool) -> None:
    if form == "{joint}[{axis}]":
        form = "{joint} [{axis}]"
    joints = moves(axes=axes)
    found = read_text(tmp_path, wide(form, joints, upper=upper))
    assert found.points == JOINTS
    np.testing.assert_array_equal(found.joints[:, 0], joints)
    assert not found.notes


@pytest.mark.parametrize(
    ("form", "units"),
    [
        ("{joint}_{axis} (mm)", "mm"),
        ("{joint} {axis}[m]", "m"),
        ("{joint}_{axis}_cm", "cm"),
        ("{joint}{axis}_px", "px"),
    ],
)
def test_units_of_names(tmp_path: Path, form: str, units: str) -> None:
    found = read_text(tmp_path, wide(form, moves()))
    assert (found.points, found.units) == (JOINTS, units)
    both = wide("{joint}_{axis} (mm)", moves()).replace("hip_x (mm)", "hip_x (m)")
    assert "columns in m and in mm: give all in one unit" in refusal(tmp_path, both)


@pytest.mark.parametrize(
    "form", ["{axis}{joint}", "joint_{joint}_{axis}", "kp{joint}.{axis}", "{joint}{axis}", "{axis}[{joint}]"]
)
@pytest.mark.parametrize("first", [0, 1])
def test_numbered_joints_go_by_their_numbers(tmp_path: Path, form: str, first: int) -> None:
    joints = moves(joints=12)
    names = [str(number) for number in range(first, first + 12)]
    found = read_text(tmp_path, wide(form, joints, names))
    assert found.points == ()
    np.testing.assert_array_equal(found.joints[:, 0], joints)
    shuffled = [10, 2, 0, 1, 11, 3, 9, 4, 8, 5, 7, 6]
    found = read_text(tmp_path, wide(form, joints[:, shuffled], [names[place] for place in shuffled]))
    np.testing.assert_array_equal(found.joints[:, 0], joints)
    assert "and 5 lacks" in refusal(tmp_path, wide(form, joints[:, :11], [*names[: 5 - first], *names[6 - first :]]))


def test_a_pattern_that_the_user_gives(tmp_path: Path) -> None:
    joints = moves()
    text = wide("{axis}({joint})", joints)
    assert "say how they are called with --columns" in refusal(tmp_path, text)
    np.testing.assert_array_equal(read_text(tmp_path, text, "{axis}({joint})").joints[:, 0], joints)
    assert "needs {joint} and {axis} once each" in refusal(tmp_path, text, "{joint}")
    assert "no columns of joints among" in refusal(tmp_path, text, "{joint}!{axis}")


def test_more_than_joints(tmp_path: Path) -> None:
    names = ["time", "hip_x", "hip_y", "hip_z", "hip_conf", "hip_rot_x", "hip_rot_y", "hip_rot_z", "note"]
    names += ["head_x", "head_y", "head_z", "head_conf", "bbox_x", "bbox_y", "hand_x", "hand_y"]
    rows = [[f"{row / 25:.3f}", 1, 2, 3, 0.5, 9, 9, 9, "abc", 4, 5, 6, 1, 0, 0, 7, 7] for row in range(5)]
    found = read_text(tmp_path, written(names, rows))
    assert (found.points, found.fps) == (("hip", "head"), 25.0)
    assert found.joints[2, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found.confidence is not None
    assert found.confidence[2, 0].tolist() == [0.5, 1]
    assert found.notes == (
        "points without z are left out: hand",
        "columns that are not read (8): hip_rot_x, hip_rot_y, hip_rot_z, note, bbox_x, bbox_y and 2 more",
    )


def test_confidence_is_from_0_to_1(tmp_path: Path) -> None:
    text = written(["a_x", "a_y", "a_score", "b_x", "b_y"], [[1, 2, 80, 3, 4], [1, 2, 95, 3, 4]])
    found = read_text(tmp_path, text)
    assert found.confidence is None
    assert found.notes == ("its confidence goes from 80 to 95, not 0 to 1: it is not used",)
    found = read_text(tmp_path, text.replace("80", ".8").replace("95", ""))
    assert found.confidence is not None
    np.testing.assert_array_equal(found.confidence[:, 0], [[0.8, np.nan], [np.nan, np.nan]])


def test_people_side_by_side(tmp_path: Path) -> None:
    joints = moves(joints=8)
    for form in ("person{}_{}", "P{}:{}", "id_{} {}"):
        names = [form.format(person, joint) for person in (1, 2) for joint in JOINTS]
        found = read_text(tmp_path, wide("{joint}_{axis}", joints, names))
        assert found.points == JOINTS
        np.testing.assert_array_equal(found.joints, joints.reshape(6, 2, 4, 3))
    names = [f"p{person}_{joint}" for person, joint in zip("11112222", [*JOINTS, *JOINTS[:3], "hand"], strict=True)]
    assert read_text(tmp_path, wide("{joint}_{axis}", joints, names)).points == tuple(names)


# --- how a table is written -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    ("delimiter", "comma"),
    [(",", False), (";", False), (";", True), ("\t", False), ("\t", True), (" ", False), (", ", False), ("  ", False)],
)
def test_every_way_of_writing(tmp_path: Path, delimiter: str, comma: bool, end: str, mark: bytes, quoted: bool) -> None:
    joints = moves()
    text = wide("{joint}_{axis}", joints)
    if quoted:
        if not delimiter.strip():
            return
        text = "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines())
    text = text.replace(",", "|")
    text = text.replace(".", ",") if comma else text
    text = text.replace("|", delimiter).replace("\n", end)
    found = read_text(tmp_path, mark + text.encode(), suffix=".tsv")
    np.testing.assert_array_equal(found.joints[:, 0], joints)
    assert found.points == JOINTS


TWO_LINES = {
    "blanks": "frame,,hip,,,head,,\n,time,x,y,z,x,y,z\n",
    "repeated": "joint,,hip,hip,hip,head,head,head\nframe,time,X,Y,Z,X,Y,Z\n",
    "vicon": "Trajectories\n50\n,,S:hip,,,S:head,,\nFrame,Sub Frame,X,Y,Z,X,Y,Z\n,,mm,mm,mm,mm,mm,mm\n",
    "units": "a title\n\n,,hip,,,head,,\nframe,time,x (mm),y (mm),z (mm),x (mm),y (mm),z (mm)\n",
}


@pytest.mark.parametrize("kind", TWO_LINES)
def test_headers_of_several_lines(tmp_path: Path, kind: str) -> None:
    rows = "1,0.00,1,2,3,4,5,6\n2,0.02,1,2,3,4.5,,\n3,0.04,1,2,3,4,5,7\n"
    found = read_text(tmp_path, TWO_LINES[kind] + rows)
    assert found.points == ("hip", "head")
    np.testing.assert_array_equal(found.joints[:, 0, 1], [[4, 5, 6], [4.5, np.nan, np.nan], [4, 5, 7]])
    assert found.fps == 50
    assert found.units == ("mm" if kind in ("vicon", "units") else None)


def test_qualisys(tmp_path: Path) -> None:
    head = "NO_OF_FRAMES\t2\nNO_OF_MARKERS\t2\nFREQUENCY\t100\nDATA_INCLUDED\t3D\nMARKER_NAMES\thip\thead\n"
    for titles, before in (("", ""), ("Frame\tTime\thip X\thip Y\thip Z\thead X\thead Y\thead Z\n", "1\t0.0\t")):
        found = read_text(
            tmp_path, f"{head}{titles}{before}1\t2\t3\t4\t5\t6\n{before.replace('1', '2')}1\t2\t3\t4\t5\t7\n"
        )
        assert (found.points, found.fps, found.units) == (("hip", "head"), 100, "mm")
        assert found.joints[1, 0].tolist() == [[1, 2, 3], [4, 5, 7]]


def test_numbers_in_both_lines_of_a_header(tmp_path: Path) -> None:
    found = read_text(tmp_path, "0,0,0,1,1,1\nx,y,z,x,y,z\n1,2,3,4,5,6\n7,8,9,1,2,3\n")
    assert found.joints[:, 0].tolist() == [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [1, 2, 3]]]


def test_numbers_alone_need_a_layout(tmp_path: Path) -> None:
    joints = moves(joints=25)
    np.savetxt(tmp_path / "a.csv", joints.reshape(6, 75))
    found = read(tmp_path / "a.csv", layout="ntu25")
    np.testing.assert_array_equal(found.joints[:, 0], joints)
    assert "it has no header" in found.notes[0]
    text = (tmp_path / "a.csv").read_text()
    assert "75 columns without names: say which joints they are with --layout" in refusal(tmp_path, text)
    assert "layout kinect20 has 20 joints, which are 40 or 60 columns" in refusal(tmp_path, text, layout="kinect20")
    np.savetxt(
        tmp_path / "a.csv", joints.reshape(6, 75), header=" ".join(f"{axis}{j}" for j in range(25) for axis in "xyz")
    )
    np.testing.assert_array_equal(read(tmp_path / "a.csv").joints[:, 0], joints)


@pytest.mark.parametrize("word", ["", "nan", "NaN", "NA", "null", "-", "inf", "-Infinity", "1e999"])
def test_cells_without_a_number_were_not_seen(tmp_path: Path, word: str) -> None:
    text = wide("{joint}_{axis}", moves()).splitlines()
    cells = text[3].split(",")
    cells[5] = word
    text[3] = ",".join(cells)
    found = read_text(tmp_path, "\n".join(text))
    assert np.isnan(found.joints[2, 0, 1]).any()
    assert np.isnan(found.joints).any(axis=-1).sum() == 1
    assert bool(found.notes) == ("inf" in word.lower() or "999" in word)


def test_blank_lines_and_comments_are_passed_over(tmp_path: Path) -> None:
    joints = moves()
    lines = wide("{joint}_{axis}", joints).splitlines()
    text = "\n".join(["# made by hand", "", *lines[:3], "", "# a break", *lines[3:], "", ""])
    np.testing.assert_array_equal(read_text(tmp_path, text).joints[:, 0], joints)
    assert refusal(tmp_path, text + "1,2\n").startswith(f"line {text.count(chr(10)) + 1}: 2 cells where 13 belong")


# --- time and frames ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "unit", "fps", "note"),
    [
        (np.arange(90) / 30, None, 30.0, ""),
        ((np.arange(90) / 30).round(3), None, 30.0, ""),
        (np.arange(300) / 29.97, 1.0, 29.97, ""),
        ((np.arange(90) * 1000 / 60).round(), None, 60.0, "milliseconds"),
        (np.arange(90) * 1000 / 60, 1e-3, 60.0, ""),
        (1.7e15 + np.arange(90) * 1e4, None, 100.0, "microseconds"),
        (1.7e18 + np.arange(90) * 1e7, None, 100.0, "nanoseconds"),
        (np.cumsum(np.r_[0, np.tile([0.02, 0.06], 40), 0.04, 0.04]), None, 1 / 0.06, "not uniform"),
        (np.arange(9)[::-1] / 30, None, None, "do not rise"),
        (np.zeros(9), None, None, "do not rise"),
        (np.arange(9) * 1e12, None, None, "no rate in any unit"),
        (np.array([0.0]), None, None, ""),
        (np.array([0, np.nan, 2, 3]) / 30, None, None, ""),
    ],
)
def test_rates(times: np.ndarray, unit: float | None, fps: float | None, note: str) -> None:
    found, said = rate_of(times.astype(np.float64), unit)
    assert note in said
    if not np.isnan(times).any() and "uniform" not in note:
        assert found == fps


def test_frames_that_lack_and_rows_that_stand_twice(tmp_path: Path) -> None:
    head = "frame,a_x,a_y,b_x,b_y\n"
    found = read_text(tmp_path, head + "3,1,2,3,4\n4,5,6,7,8\n6,9,1,2,3\n")
    assert found.joints[:, 0, 0, 0].tolist()[:2] == [1, 5]
    assert np.isnan(found.joints[2]).all()
    assert found.joints[3, 0, 1].tolist() == [2, 3]
    assert found.notes == ("missing frames: 1",)
    assert len(read_text(tmp_path, head + "0,1,2,3,4\n10,5,6,7,8\n20,9,1,2,3\n").joints) == 3
    assert len(read_text(tmp_path, head + "0,1,2,3,4\n1,5,6,7,8\n999999999,9,1,2,3\n").joints) == 3
    assert "a frame stands in two rows" in refusal(tmp_path, head + "3,1,2,3,4\n3,5,6,7,8\n")
    assert "1.5 is no number of a frame (row 2)" in refusal(tmp_path, head + "1,1,2,3,4\n1.5,5,6,7,8\n3,1,1,1,1\n")


def test_rows_of_several_people(tmp_path: Path) -> None:
    head = "frame,track_id,a_x,a_y,b_x,b_y\n"
    found = read_text(tmp_path, head + "3,7,1,2,3,4\n3,2,5,6,7,8\n4,2,9,1,2,3\n")
    assert found.joints.shape == (2, 2, 2, 2)
    assert found.joints[0].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert np.isnan(found.joints[1, 0]).all()
    assert found.joints[1, 1].tolist() == [[9, 1], [2, 3]]
    assert "a frame of one person stands in two rows" in refusal(
        tmp_path, head + "3,7,1,2,3,4\n3,7,5,6,7,8\n3,1,1,1,1,1\n"
    )
    crowd = "".join(f"0,{person},1,2,3,4\n" for person in range(150))
    assert "150 people: at most 100 are read" in refusal(tmp_path, head + crowd)


# --- a row a joint --------------------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 1000),
    people=st.integers(1, 3),
    shuffle=st.booleans(),
    without=st.integers(0, 5),
    numbered=st.booleans(),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_long_against_a_loop(
    tmp_path: Path, seed: int, people: int, shuffle: bool, without: int, numbered: bool
) -> None:
    rng = np.random.default_rng(seed)
    joints = rng.normal(size=(5, people, 4, 3)).round(4)
    rows = []
    for frame, person, joint in np.ndindex(5, people, 4):
        name = joint if numbered else JOINTS[joint]
        rows.append([frame + 10, person + 1, name, *joints[frame, person, joint].tolist()])
    if shuffle:
        tail = rows[people * 4 :]
        rng.shuffle(tail)
        rows[people * 4 :] = tail
    for _ in range(without):
        frame, person, joint = (int(rng.integers(1, size - (size == 5))) if size > 1 else 0 for size in (5, people, 4))
        name = joint if numbered else JOINTS[joint]
        rows = [row for row in rows if row[:3] != [frame + 10, person + 1, name]]
        joints[frame, person, joint] = np.nan
    found = read_text(tmp_path, written(["Frame", "person_id", "Joint", "x", "y", "z"], rows))
    assert found.points == (() if numbered else JOINTS)
    np.testing.assert_array_equal(found.joints, joints)


def test_long_with_more_columns(tmp_path: Path) -> None:
    head = "time_ms,keypoint,x (mm),y (mm),score,color\n"
    rows = [
        f"{40 * frame},{joint},{frame},{place},0.25,red\n" for frame in range(6) for place, joint in enumerate(JOINTS)
    ]
    found = read_text(tmp_path, head + "".join(rows))
    assert (found.joints.shape, found.units, found.fps) == ((6, 1, 4, 2), "mm", 25.0)
    assert found.confidence is not None
    assert (found.confidence == 0.25).all()
    assert found.notes == ("columns that are not read (1): color",)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("0,hip,1,2\n0,hip,1,2\n", "a joint of one person and frame stands in two rows"),
        ("0,hip,1,2\n0,,1,2\n", "a row without a joint"),
        ("0,1,1,2\n0,01,1,2\n", "is spelled in two ways"),
        ("0,5,1,2\n0,6,1,2\n", "joints are numbered 5 to 6, and some lack"),
        ("0,hip,nan,2\n0,head,,2\n", "no joint is seen"),
        ("0,hip,1,2\n0,hi\xff,1,2\n", "no UTF-8 text"),
        ("0,hip,1,2\n0,head,1,two\n", "line 3: 'two' where a number belongs, column 'y'"),
        ("x,hip,1,2\n0,head,1,2\n", ""),
        ("0,hip,1,2\n,head,1,2\n", "nan is no number of a frame (row 2)"),
        ("0," + "h" * 300 + ",1,2\n0,head,1,2\n", "a word of 300 characters"),
    ],
)
def test_long_rows_that_are_refused(tmp_path: Path, rows: str, words: str) -> None:
    assert words in refusal(tmp_path, ("frame,joint,x,y\n" + rows).encode("latin-1"))


def own_table(**changed: Any) -> str:
    about = {
        "kinestream": "0.1.0",
        "layout": load_layout("ntu25").to_dict(),
        "units": "m",
        "up": "y",
        "frames": {'one, "1"': 4, "two": 3},
        "fps": {"two": 30},
        "label": {'one, "1"': "wave"},
        "subject": {"two": 5},
        "camera": {},
        "session": {},
    }
    rows = [["recording", "frame", "time", "person", "joint", "x", "y", "z"]]
    for name, frames, people in (('one, "1"', 3, 2), ("two", 3, 1)):
        for frame, person in np.ndindex(frames, people):
            time = f"{frame / 30:.9g}" if name == "two" else ""
            for place, joint in enumerate(load_layout("ntu25").joints):
                rows.append([name, frame, time, person + 1, joint, place, frame, person])  # type: ignore[list-item]
    lines: list[str] = []

    class Lines:
        def write(self, text: str) -> None:
            lines.append(text)

    csv.writer(Lines(), lineterminator="\n").writerows(rows)
    return f"# kinestream {json.dumps(about | changed)}\n{''.join(lines)}"


def test_a_table_of_ours_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(own_table())
    found = table.read(Source(path=tmp_path / "a.csv", name="a"))
    assert isinstance(found, list)
    one, two = found
    assert (one.name, one.label, one.subject, one.fps, one.units, one.up) == ('one, "1"', "wave", None, None, "m", "y")
    assert (two.name, two.label, two.subject, two.fps) == ("two", None, 5, 30.0)
    assert one.layout == two.layout == load_layout("ntu25")
    assert one.joints.shape == (4, 2, 25, 3)
    assert np.isnan(one.joints[3]).all()
    for frame, person, joint in np.ndindex(3, 2, 25):
        assert one.joints[frame, person, joint].tolist() == [joint, frame, person]
    assert two.joints.shape == (3, 1, 25, 3)
    assert table.recognises(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (own_table(layout={"name": 1}), "line 1: its layout cannot be read"),
        (own_table(layout=load_layout("coco17").to_dict()), "is no joint of its layout"),
        (own_table(frames={'one, "1"': 2}), "a frame that is not one of the 2"),
        (own_table(label=[1]), "line 1: 'label' of its first line"),
        (own_table().replace("# kinestream {", "# kinestream {{"), "not followed by JSON"),
        (own_table().replace("recording,frame", "recording,fame").replace("time,person", "tame,person"), "damaged"),
    ],
)
def test_tables_of_ours_that_are_damaged(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, text)


# --- Parquet --------------------------------------------------------------------------------------------------------


def parquet(folder: Path, columns: dict[str, Any]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as files

    files.write_table(pyarrow.table(columns), folder / "a.parquet", row_group_size=3)
    return folder / "a.parquet"


def test_parquet_wide_and_long(tmp_path: Path) -> None:
    joints = moves(frames=7)
    names = [f"{joint}_{axis}" for joint in JOINTS for axis in "xyz"]
    columns = dict(zip(names, joints.reshape(7, 12).T.astype(np.float32), strict=True))
    path = parquet(tmp_path, {"time": np.arange(7) / 50, **columns, "note": list("abcdefg")})
    assert table.recognises(path)
    found = read(path)
    assert (found.points, found.fps, found.notes) == (JOINTS, 50.0, ("columns that are not read (1): note",))
    np.testing.assert_array_equal(found.joints[:, 0], joints.astype(np.float32))
    rows = [(frame, JOINTS[joint], *joints[frame, joint]) for frame, joint in np.ndindex(7, 4)]
    path = parquet(
        tmp_path, dict(zip(("frame", "joint", "x", "y", "z"), map(list, zip(*rows, strict=True)), strict=True))
    )
    np.testing.assert_array_equal(read(path).joints[:, 0], joints)
    assert not table.recognises(parquet(tmp_path, {"name": ["a"], "vector": [[1.0, 2.0]]}))


def test_damaged_parquet(tmp_path: Path) -> None:
    names = [f"{joint}_{axis}" for joint in JOINTS for axis in "xyz"]
    path = parquet(tmp_path, dict(zip(names, moves().reshape(6, 12).T, strict=True)))
    for content in damaged(path.read_bytes(), 150):
        path.write_bytes(content)
        table.recognises(path)
        try:
            found = read(path)
        except RecordingError as error:
            check_told(error)
            continue
        assert found.joints.size <= 6 * 12
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(RecordingError, match="no Parquet file"):
        read(path)


# --- what is no table of positions ----------------------------------------------------------------------------------

FOREIGN = {
    "deeplabcut": "scorer,s,s,s,s\nbodyparts,a,a,b,b\ncoords,x,y,x,y\nimg0.png,1,2,3,4\n",
    "deeplabcut-3d": "scorer,s,s,s,s,s,s\nbodyparts,a,a,a,b,b,b\ncoords,x,y,z,x,y,z\n0,1,2,3,4,5,6\n1,1,2,3,4,5,6\n",
    "trc": "PathFileType,4,(X/Y/Z),trial.trc\nDataRate,CameraRate\n100,100\n"
    "Frame#,Time,a,,,b,,\n,,X1,Y1,Z1,X2,Y2,Z2\n\n1,0,1,2,3,4,5,6\n",
    "list": "file,label,subject,camera\na.npy,wave,1,2\nb.npy,nod,2,2\n",
    "numbers": "acc_x,acc_y,acc_z,gyro_x,gyro_y\n1,2,3,4,5\n1,2,3,4,5\n",
    "text": "by the window\n",
    "html": "<html><body>1,2,3,4\n",
    "binary": "\0\1\2\3",
    "utf-16": "\ufeffa_x,a_y,b_x,b_y\n1,2,3,4\n",
    "empty": "",
    "header": "a_x,a_y,b_x,b_y\n",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_files_of_another_kind(tmp_path: Path, kind: str) -> None:
    content = FOREIGN[kind].encode("utf-16" if kind == "utf-16" else "utf-8")
    (tmp_path / "a.csv").write_bytes(content)
    assert not table.recognises(tmp_path / "a.csv")
    if kind != "numbers":
        assert refusal(tmp_path, content)


def test_tables_that_other_formats_read(tmp_path: Path, real_data: Path) -> None:
    assert not table.recognises(real_data / "formats/deeplabcut/labelled.csv")
    landmarks, numbers = load_layout("mediapipe33").joints, [str(number) for number in range(33)]
    sure = [f"{axis}{number}" for number in numbers for axis in "xyzv"]
    joints = moves(joints=33)
    for mine, text in (
        (False, wide("{joint}_{axis}", joints, [joint.upper() for joint in landmarks])),
        (False, wide("landmark_{joint}_{axis}", joints, numbers)),
        (False, written(sure, [[0.5] * 132] * 2)),
        (True, wide("{axis}{joint}", joints, numbers)),
        (True, wide("{joint}_{axis}", moves())),
        (True, own_table()),
        (False, (real_data / "formats/deeplabcut/labelled.csv").read_text()),
        (False, FOREIGN["deeplabcut-3d"]),
    ):
        (tmp_path / "a.csv").write_text(text)
        knowing = [name for name in FORMATS if is_known_to(name, tmp_path / "a.csv")]
        assert (knowing == ["table"]) is mine
        assert len(knowing) == 1, text[:40]
        assert read(tmp_path / "a.csv").joints.size if "scorer" not in text else refusal(tmp_path, text)
    good = wide("{joint}_{axis}", moves())
    for name, mine in (("walk.CSV", True), ("walk.txt", True), ("recordings.csv", False), ("labels.csv", False)):
        (tmp_path / name).write_text(good)
        assert table.recognises(tmp_path / name) is mine
    (tmp_path / "n.txt").write_text("1 2 3 4 5 6\n" * 4)
    assert not table.recognises(tmp_path / "n.txt")
    assert not table.recognises(tmp_path / "absent.csv")


def is_known_to(name: str, path: Path) -> bool:
    form = FORMATS.get(name)
    return isinstance(form, Format) and path.suffix in form.suffixes and bool(form.recognises and form.recognises(path))


REFUSED = {
    "text": (lambda text: text.replace("\n2,", "\n2,oops"), "line 4: 'oops"),
    "cut": (lambda text: text[:-20], "line 7: "),
    "too many": (lambda text: text.replace("\n2,", "\n2,1,"), "line 4: 14 cells where 13 belong"),
    "twice": (lambda text: text.replace("head_x", "hip_x"), "x of 'hip' stands in 2 columns"),
    "escapes": (lambda text: text.replace("\n2,", "\n2,\x1b[31m"), "line 4: '"),
    "hex": (lambda text: text.replace("\n2,", "\n2,0x10"), "line 4: '0x10"),
    "no body": (lambda text: re.sub(r"-?\d+\.\d+", "", text), "no joint is seen in any of its 6 frames"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_with_line_and_reason(tmp_path: Path, kind: str) -> None:
    change, words = REFUSED[kind]
    assert words in refusal(tmp_path, change(wide("{joint}_{axis}", np.maximum(moves(), 0.125))))


def test_one_frame(tmp_path: Path) -> None:
    assert read_text(tmp_path, wide("{joint}_{axis}", moves(frames=1))).joints.shape == (1, 1, 4, 3)


def test_what_is_known_of_a_header_does_not_hold_for_a_file_written_otherwise(tmp_path: Path) -> None:
    """Of two files with the first line in common, the second has a line of units and commas for points."""
    table_rows._known.clear()
    text = "hip_x;hip_y;head_x;head_y\n{}1{}5;2;3;4\n1{}5;2;3;4\n"
    assert read_text(tmp_path, text.format("", ".", ".")).joints[0, 0, 0].tolist() == [1.5, 2]
    assert table_rows._known
    assert read_text(tmp_path, text.format("", ",", ",")).joints[0, 0, 0].tolist() == [1.5, 2]
    assert read_text(tmp_path, text.format("mm;mm;mm;mm\n", ".", ".")).joints[0, 0, 0].tolist() == [1.5, 2]


# --- cells ----------------------------------------------------------------------------------------------------------

CELLS = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers(-(10**12), 10**12).map(str),
    st.sampled_from(["", "nan", "1.", ".5", "-0", "1e5", "+3", "  7 ", "1.25e-07", "00012.50"]),
)


@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_cells_against_float(rows: list[list[str]], delimiter: str) -> None:
    text = "".join(delimiter.join(row) + "\n" for row in rows)
    expected = [[float(cell) if cell.strip() else math.nan for cell in row] for row in rows]
    cells = split_cells(text.encode(), delimiter.encode(), 3)
    np.testing.assert_array_equal(cells.numbers(), expected)
    np.testing.assert_array_equal(cells.numbers([2, 0]), np.array(expected)[:, [2, 0]])


@given(words=st.lists(st.text("abcdefgh", max_size=20), min_size=1, max_size=50))
def test_words_get_numbers_in_the_order_in_which_they_come(words: list[str]) -> None:
    text = "".join(f"{number},{word}\n" for number, word in enumerate(words)).encode()
    known: dict[str, int] = {}
    codes = split_cells(text, b",", 2).codes(1, known)
    assert [list(known)[code] for code in codes.tolist()] == words
    assert list(known) == list(dict.fromkeys(words))


def test_names_of_columns_may_be_anything() -> None:
    for names in ([], [""], ["x"], ["x", "y", "z"], ["_x", "_y"], ["x_y", "y_x"], ["\x1fx", "\x1fy"], ["(x)", "(y)"]):
        found = find_joints(names)
        assert found is None or len(found.columns) == 1


# --- damage and size ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wide", "long", "ours", "two lines"])
def test_damaged_tables(tmp_path: Path, kind: str) -> None:
    makers: dict[str, Callable[[], str]] = {
        "wide": lambda: wide("{joint}_{axis}", moves()),
        "long": lambda: written(
            ["frame", "joint", "x", "y", "z"], [[f, j, 1.5, 2.25, f] for f in range(5) for j in JOINTS]
        ),
        "ours": own_table,
        "two lines": lambda: TWO_LINES["vicon"] + "1,0,1,2,3,4,5,6\n2,0,1,2,3,4,5,6\n3,0,1,2,3,4,5,6\n",
    }
    refused = 0
    path = tmp_path / "a.csv"
    for content in damaged(makers[kind]().encode(), 100 if kind == "ours" else 300):
        path.write_bytes(content)
        table.recognises(path)
        try:
            made = table.read(Source(path=path, name="a"))
        except RecordingError as error:
            refused += 1
            check_told(error)
            continue
        for found in made if isinstance(made, list) else [made]:
            assert found.joints.size <= 100 * len(content)
            assert not np.isinf(found.joints).any()
            assert np.isfinite(found.joints).all(axis=-1).any()
            assert found.fps is None or 0 < found.fps < 1e5
    assert refused > 20


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_long_recording_in_little_memory(tmp_path: Path) -> None:
    """Text of more than is held at once, read by a process of its own that may not become large."""
    path = tmp_path / "a.csv"
    joints = moves(frames=1000, joints=25)
    names = [str(number) for number in range(25)]
    text = wide("{axis}{joint}", joints, names)
    head, rows = text.split("\n", 1)
    rows = re.sub(r"(?m)^\d+,", "", rows)
    head = head.removeprefix("frame,")
    times = 40
    with path.open("w") as file:
        file.write(head + "\n")
        for _ in range(times):
            file.write(rows)
    program = f"""
        from pathlib import Path
        import numpy as np
        from kinestream.data.formats import table
        from kinestream.data.recording import Source
        before = peak()
        found = table.read(Source(path=Path({str(path)!r}), name="a"))
        assert found.joints.shape == ({1000 * times}, 1, 25, 3)
        print(peak() - before, float(found.joints[-1, 0, -1, -1]))
    """
    ran = subprocess.run(
        [sys.executable, "-c", PEAK + textwrap.dedent(program)], capture_output=True, text=True, check=True, timeout=300
    )
    grown, last = ran.stdout.split()
    assert float(last) == joints[-1, -1, -1]
    numbers = 1000 * times * 75 * 8
    assert int(grown) < numbers + 60e6, "the numbers once, and a few blocks of text"
