import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kinestream.skeleton.layout import COCO17, KINECT20, LAYOUTS, NTU25, SkeletonLayout, layout_names, load_layout
from kinestream.skeleton.pose import standing

# Section 5 of the reference, (child, parent) counted from 1.
PUBLISHED_BONES = {
    "ntu25": """(1,2) (2,21) (3,21) (4,3) (5,21) (6,5) (7,6) (8,7) (9,21) (10,9) (11,10) (12,11) (13,1) (14,13) (15,14)
        (16,15) (17,1) (18,17) (19,18) (20,19) (22,23) (23,8) (24,25) (25,12)""",
    "kinect20": """(1,2) (2,3) (4,3) (5,3) (6,5) (7,6) (8,7) (9,3) (10,9) (11,10) (12,11) (13,1) (14,13) (15,14)
        (16,15) (17,1) (18,17) (19,18) (20,19)""",
}
BOTH = pytest.mark.parametrize("layout", [NTU25, KINECT20], ids=lambda layout: layout.name)


def layout_of(parents: tuple[int, ...], **changes: Any) -> SkeletonLayout:
    fields = {
        "name": "made-up",
        "joints": tuple(f"joint_{v}" for v in range(len(parents))),
        "parents": parents,
        "pairs": (),
        "heading": (0, len(parents) - 1),
        "pelvis": (0,),
    }
    return SkeletonLayout(**(fields | changes))


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """Fields of any layout: each joint hangs on an earlier one of a shuffled order, the first is the root."""
    order = draw(st.permutations(range(draw(st.integers(2, 12)))))
    parents = {order[0]: order[0]}
    for position, joint in enumerate(order[1:], start=1):
        parents[joint] = order[draw(st.integers(0, position - 1))]
    shuffled = draw(st.permutations(order))
    paired = draw(st.integers(0, len(order) // 2))
    return {
        "parents": tuple(parents[v] for v in range(len(order))),
        "joints": tuple(draw(st.lists(st.text(), min_size=len(order), max_size=len(order), unique=True))),
        "pairs": tuple(zip(shuffled[:paired], shuffled[paired : 2 * paired], strict=True)),
        "heading": (order[0], order[-1]),
        "pelvis": tuple(draw(st.lists(st.sampled_from(order), min_size=1, max_size=3, unique=True))),
    }


@BOTH
def test_bones_are_the_published_ones(layout: SkeletonLayout) -> None:
    expected = {tuple(json.loads(f"[{pair.strip('()')}]")) for pair in PUBLISHED_BONES[layout.name].split()}
    assert {(child + 1, parent + 1) for child, parent in layout.bones} == expected
    assert layout.root + 1 == {"ntu25": 21, "kinect20": 3}[layout.name]
    assert load_layout(layout.name) is layout


@BOTH
def test_sides_of_the_sensors(layout: SkeletonLayout) -> None:
    for v, other in enumerate(layout.mirrored):
        name, mirrored = layout.joints[v], layout.joints[other]
        assert mirrored == name.replace("left_", "right_") or name == mirrored.replace("left_", "right_")
        assert (v == other) == (not name.startswith(("left_", "right_")))
    # Mirroring a body keeps its bones.
    assert {(layout.mirrored[a], layout.mirrored[b]) for a, b in layout.bones} == set(layout.bones)
    assert [joint + 1 for joint in layout.heading] == [5, 9]
    pelvis = {"ntu25": "spine_base", "kinect20": "hip_centre"}[layout.name]
    assert [layout.joints[v] for v in layout.pelvis] == [pelvis]


@given(tree=trees())
def test_mirroring_twice_changes_nothing(tree: dict[str, Any]) -> None:
    layout = layout_of(**tree)
    order = layout.mirrored
    assert [order[v] for v in order] == list(range(len(order)))
    assert {tuple(sorted((v, w))) for v, w in enumerate(order) if v != w} == {
        tuple(sorted(pair)) for pair in layout.pairs
    }


@given(tree=trees())
def test_tree(tree: dict[str, Any]) -> None:
    layout = layout_of(**tree)
    assert len(layout.bones) == len(layout.joints) - 1
    assert layout.depths[layout.root] == 0
    assert all(layout.depths[child] == layout.depths[parent] + 1 for child, parent in layout.bones)


@given(tree=trees())
def test_round_trip_through_json(tree: dict[str, Any]) -> None:
    layout = layout_of(**tree)
    assert SkeletonLayout.from_dict(json.loads(json.dumps(layout.to_dict()))) == layout


@pytest.mark.parametrize(
    ("parents", "changes", "reason"),
    [
        ((0, 1, 0), {}, "needs one root .* has 2"),
        ((1, 2, 0), {}, "needs one root .* has 0"),
        ((0, 2, 3, 1), {}, "joint 1 hangs in a ring"),
        ((0, 3, 0), {}, "joint 3 is not in 0..2"),
        ((0, -1, 0), {}, "joint -1 is not in 0..2"),
        ((0, 0, 0), {"heading": (0, 3)}, "joint 3 is not in 0..2"),
        ((0, 0, 0), {"heading": (2, 2)}, "heading"),
        ((0, 0, 0), {"pelvis": (3,)}, "joint 3 is not in 0..2"),
        ((0, 0, 0), {"pairs": ((1, 5),)}, "joint 5 is not in 0..2"),
        ((0, 0, 0, 0), {"pairs": ((1, 2), (2, 3))}, "two left-right pairs"),
        ((0, 0), {"pairs": ((1, 1),)}, "two left-right pairs"),
        ((0, 0), {"joints": ("hip",)}, "2 parents for 1 joints"),
        ((0, 0), {"joints": ("hip", "hip")}, "a joint name stands twice"),
        ((), {"heading": (0, 0)}, "joint 0 is not in"),
    ],
)
def test_refused(parents: tuple[int, ...], changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        layout_of(parents, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"parents": None},
        {"parents": ["x", 0, 0]},
        {"parents": [0, 0]},
        {"parents": [float("inf"), 0, 0]},
        {"heading": [0, 1, 2]},
        {"heading": 7},
        {"pelvis": None},
        {"pelvis": []},
        {"pelvis": [1, 1]},
        {"pelvis": 0},
        {"derive": {"neck": ["nobody"]}},
        {"derive": {"neck": []}},
        {"derive": {"joint_1": ["joint_2"]}},
        {"aliases": {"nobody": "neck"}},
        {"aliases": {"joint_1": "joint_2"}},
        {"aliases": 3},
        {"units": "furlong"},
        {"up": "w"},
        {"pelvis": 17},
        {"pairs": [[1]]},
        {"pairs": [[0, 9]]},
        {"joints": 5},
    ],
    ids=str,
)
def test_from_dict_refuses(changes: dict[str, Any]) -> None:
    plain = layout_of((0, 0, 0)).to_dict()
    with pytest.raises(ValueError, match=r"."):
        SkeletonLayout.from_dict(plain | changes)
    for field in changes.keys() & plain.keys():
        with pytest.raises(ValueError, match=field):
            SkeletonLayout.from_dict({key: value for key, value in plain.items() if key != field})


def test_key_points_of_pictures_hang_on_the_nose() -> None:
    """As PYSKL's graph of COCO: pairs (child, parent), counted from 0, all leading to the nose."""
    pairs = "1,0 3,1 2,0 4,2 5,0 6,0 7,5 9,7 8,6 10,8 11,5 13,11 15,13 12,6 14,12 16,14"
    assert set(COCO17.bones) == {tuple(map(int, pair.split(","))) for pair in pairs.split()}
    assert {(COCO17.mirrored[a], COCO17.mirrored[b]) for a, b in COCO17.bones} == set(COCO17.bones)
    assert [COCO17.joints[v] for v in (COCO17.root, *COCO17.pelvis, *COCO17.heading)] == [
        *("nose", "left_hip", "right_hip", "left_shoulder", "right_shoulder")
    ]
    assert load_layout("coco17") is COCO17
    assert len(COCO17.pairs) == 8


BUILT_IN = {
    "azure32": 32,
    "body16": 16,
    "body25": 25,
    "cmu31": 31,
    "coco17": 17,
    "h36m17": 17,
    "kinect20": 20,
    "mediapipe33": 33,
    "ntu25": 25,
    "openpose18": 18,
    "smpl24": 24,
}
EVERY = pytest.mark.parametrize("name", BUILT_IN)


@EVERY
def test_built_in_layouts_are_sound(name: str) -> None:
    layout = load_layout(name)
    assert (layout.name, len(layout.joints)) == (name, BUILT_IN[name])
    assert layout.title
    assert layout.source
    mirrored = layout.mirrored
    assert {(mirrored[a], mirrored[b]) for a, b in layout.bones} == set(layout.bones), "both halves hang alike"
    assert {mirrored[v] for v in layout.pelvis} == set(layout.pelvis)
    assert mirrored[layout.heading[0]] == layout.heading[1]
    for v, other in enumerate(mirrored):
        joint, opposite = layout.canonical[v], layout.canonical[other]
        sides = [side for side in ("left", "right") if side in joint]
        assert (v == other) == (not sides)
        assert not sides or opposite == joint.replace(sides[0], {"left": "right", "right": "left"}[sides[0]])
    assert all(layout.joints[left].startswith(("left", "l", "mouth_left")) for left, _ in layout.pairs)


@pytest.mark.parametrize(
    ("name", "parents"),
    [
        # VideoPose3D, SMPL (-1 of the root replaced by itself), Azure Kinect's table of parents, OpenPose's pairs.
        ("h36m17", "0 0 1 2 0 4 5 0 7 8 9 8 11 12 8 14 15"),
        ("smpl24", "0 0 0 0 1 2 3 4 5 6 7 8 9 9 9 12 13 14 16 17 18 19 20 21"),
        ("azure32", "0 0 1 2 2 4 5 6 7 8 7 2 11 12 13 14 15 14 0 18 19 20 0 22 23 24 3 26 26 26 26 26"),
        ("openpose18", "1 1 1 2 3 1 5 6 1 8 9 1 11 12 0 0 14 15"),
        ("body25", "1 1 1 2 3 1 5 6 1 8 9 10 8 12 13 0 0 15 16 14 19 14 11 22 11"),
        ("body16", "0 0 1 2 2 4 5 2 7 8 0 10 11 0 13 14"),
    ],
)
def test_trees_are_those_of_their_definitions(name: str, parents: str) -> None:
    assert load_layout(name).parents == tuple(map(int, parents.split()))


def test_motion_capture_of_cmu_hangs_as_its_files_say(real_data: Path) -> None:
    layout = load_layout("cmu31")
    text = (real_data / "cmu-mocap/01/01.asf").read_text("latin-1")
    rows = [line.split() for line in text.partition(":hierarchy")[2].splitlines()]
    bones = {(child, row[0]) for row in rows for child in row[1:]}
    assert {(layout.joints[child], layout.joints[parent]) for child, parent in layout.bones} == bones
    order = [line.split()[1] for line in text.splitlines() if line.split()[:1] == ["name"]]
    assert list(layout.joints) == ["root", *order]


STICK = """
joints: [hip, knee, left_a, right_a, toe]
bones: [[knee, hip], [left_a, hip], [right_a, hip], [toe, knee]]
heading: left_a right_a
pelvis: [left_a, right_a]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "stick.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_layout_of_ones_own(tmp_path: Path) -> None:
    layout = load_layout(
        written(
            tmp_path, STICK + "aliases: {hip: pelvis}\nderive: {neck: left_a right_a}\nunits: mm\nup: -y\ntitle: T\n"
        )
    )
    assert (layout.name, layout.root, layout.parents) == ("stick", 0, (0, 0, 0, 0, 1))
    assert (layout.pairs, layout.heading, layout.pelvis) == (((2, 3),), (2, 3), (2, 3))
    assert layout.canonical == ("pelvis", "knee", "left_a", "right_a", "toe")
    assert (layout.derive, layout.units, layout.up, layout.title) == ({"neck": ("left_a", "right_a")}, "mm", "-y", "T")
    plain = json.loads(json.dumps(layout.to_dict()))
    assert SkeletonLayout.from_dict(plain) == layout
    assert SkeletonLayout.from_dict(plain).to_dict() == layout.to_dict()
    assert load_layout(layout) is layout
    assert hash(layout) == hash(SkeletonLayout.from_dict(plain))


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        ("left_a right_a b", ["left_a right_a"]),
        ("LFHD RFHD LBHD RBHD CLAV", ["LFHD RFHD", "LBHD RBHD"]),
        ("LeftArm RightArm Leg", ["LeftArm RightArm"]),
        ("lfoot rfoot lower", ["lfoot rfoot"]),
        ("hand.L hand.R L", ["hand.L hand.R"]),
        ("hand_l_1 hand_r_1 tail", ["hand_l_1 hand_r_1"]),
        ("ASISl ASISr tail", ["ASISl ASISr"]),
        ("left_only b c", []),
    ],
)
def test_pairs_are_found_by_names(names: str, pairs: list[str], tmp_path: Path) -> None:
    first, *others = names.split()
    bones = "".join(f"\n  - {one} {first}" for one in others)
    text = f"joints: {names}\nbones: {bones}\nheading: {first} {others[0]}\npelvis: {first}\n"
    layout = load_layout(written(tmp_path, text))
    assert [f"{layout.joints[left]} {layout.joints[right]}" for left, right in layout.pairs] == pairs


@given(tree=trees())
def test_round_trip_through_yaml(tree: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    layout = layout_of(**{**tree, "joints": tuple(f"joint {v}" for v in range(len(tree["parents"])))})
    name = layout.joints.__getitem__
    plain = {
        "joints": list(layout.joints),
        "bones": [[name(child), name(parent)] for child, parent in layout.bones],
        "pairs": [[name(left), name(right)] for left, right in layout.pairs],
        "heading": [name(v) for v in layout.heading],
        "pelvis": [name(v) for v in layout.pelvis],
    }
    path = tmp_path_factory.mktemp("layout") / "made-up.yaml"
    path.write_text(yaml.safe_dump(plain), "utf-8")
    assert load_layout(path) == layout


def changed(**changes: Any) -> str:
    """The stick with other keys; None takes one away."""
    plain = yaml.safe_load(STICK) | changes
    return yaml.safe_dump({key: value for key, value in plain.items() if value is not None})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (changed(bonez=[]), "unknown key 'bonez': did you mean bones"),
        (STICK + "1: 2", "unknown key '1'"),
        (changed(joints=None), "'joints' is missing"),
        (changed(joints=5), "'joints' must be a list of joints, it is 5"),
        (changed(joints=["hip", True]), "'joints': true is no name of a joint"),
        (changed(joints=["hip", "a\nb"]), "'joints': .* is no name of a joint"),
        (changed(joints="hip knee hip left_a right_a toe"), "a joint name stands twice"),
        (changed(joints="hip knee left_a right_a"), "'bones': unknown joint 'toe'"),
        (changed(joints="hip knee left_a right_a toe tail"), "'bones': only the root may hang on nothing.* hip, tail"),
        (changed(root="hip", joints="hip knee left_a right_a toe tail"), "but so do tail"),
        (changed(bones=[["knee", "hop"]]), "'bones': unknown joint 'hop': did you mean hip"),
        (changed(bones=[["knee", "hip", "toe"]]), "'bones': 'knee hip toe' must be 2 joints"),
        (changed(bones=[["knee", "hip"], ["knee", "toe"]]), "'bones': knee hangs on toe, and on another joint"),
        (changed(bones=[["knee", "knee"]]), "'bones': knee hangs on knee"),
        (changed(bones=["knee toe", "toe knee", "left_a hip", "right_a hip"]), "joint 1 hangs in a ring"),
        (changed(bones=["hip toe", "toe knee", "knee hip", "left_a hip", "right_a hip"]), "they hang in a ring"),
        (changed(bones={}), "'bones' must be a list of lists"),
        (changed(bones=None), "must have one of 'bones' and 'chains'"),
        (changed(chains=[]), "must have one of 'bones' and 'chains'"),
        (changed(bones=None, chains=["hip knee toe", "hip SIDE_b"]), "'chains': unknown joint 'left_b'"),
        (changed(root="knee"), "'root': knee hangs on hip"),
        (changed(root=["hip"]), "'root' must be the name of a joint"),
        (changed(pairs="none"), "'pairs' must be a list of lists"),
        (changed(pairs=["left_a"]), "'pairs': 'left_a' must be 2 joints"),
        (changed(pairs=["left_a toe", "right_a toe"]), "two left-right pairs"),
        (changed(heading="left_a"), "'heading' must be two joints"),
        (changed(heading=None), "'heading' is missing"),
        (changed(heading="hip hip"), "heading: it needs two joints, has hip twice"),
        (changed(pelvis="nobody"), "'pelvis': unknown joint 'nobody'"),
        (changed(pelvis=[]), "pelvis: it needs one joint"),
        (changed(pelvis=None), "'pelvis' is missing"),
        (changed(aliases={"nobody": "neck"}), "aliases: there is no joint 'nobody'"),
        (changed(aliases={"hip": "knee"}), "aliases: two joints are called 'knee'"),
        (changed(aliases={"hip": 3}), "'aliases': hip: 3 is no name"),
        (changed(aliases=["hip"]), "'aliases' must be a mapping"),
        (changed(derive={"neck": ["nobody"]}), "derive: neck: there is no joint 'nobody'"),
        (changed(derive={"neck": []}), "derive: neck: it is made of no joint"),
        (changed(derive={"knee": ["hip"]}), "derive: 'knee' is a joint already"),
        (changed(derive={"neck": 3}), "'derive: neck' must be a list of joints"),
        (changed(units="furlong"), "units: 'furlong' is not one of m, cm"),
        (changed(units=1), "'units' must be text, it is 1"),
        (changed(up="w"), "up: 'w' is not one of x"),
        (changed(title=["a"]), "'title' must be text"),
        ("- joints", "it is not a mapping"),
        ("joints: [", "it is not YAML"),
        ("joints: !!python/object/apply:os.getcwd []", "it is not YAML"),
        ("[" * 5000, "it is not YAML"),
        ("joints: [" + ", ".join(f"j{v}" for v in range(1001)) + "]\nchains: []\n", "."),
        (
            "joints: &a [" + ", ".join(f"j{v}" for v in range(1001)) + "]\nchains: [*a]\nheading: j0 j1\npelvis: j0\n",
            "there are 1001, at most 1000",
        ),
        ("a: &a [1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a]\njoints: [*b,*b,*b,*b,*b,*b]", "unknown key 'a'"),
        ("# " + "x" * 1_000_000, "more than 262,144 characters"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(text: str, reason: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=reason) as caught:
        load_layout(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    assert len(said) < len(str(path)) + 400


def test_unknown_layouts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown layout 'ntu26': did you mean ntu25.* or give the path of a \.yaml"):
        load_layout("ntu26")
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ValueError, match="no such file"):
            load_layout(path)


def test_layouts_of_plug_ins_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LAYOUTS, "_entries", dict(LAYOUTS._entries))
    LAYOUTS.add("mine", written(tmp_path, STICK))
    LAYOUTS.add("made", layout_of((0, 0)))
    assert {"mine", "made", *BUILT_IN} <= set(layout_names())
    assert load_layout("mine").name == "mine"
    assert load_layout("made") == layout_of((0, 0))
    with pytest.raises(ValueError, match="layout 'ntu25' is registered already"):
        LAYOUTS.add("ntu25", written(tmp_path, STICK))
    with pytest.raises(ValueError, match="must be a SkeletonLayout or the Path"):
        LAYOUTS.add("wrong", "mine.yaml")  # type: ignore[arg-type]


def test_importing_layouts_reads_no_file() -> None:
    code = (
        "import sys, kinestream.skeleton.layout as l; assert not {'yaml', 'numpy', 'torch'} & set(sys.modules); l.NTU25"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@EVERY
def test_the_standing_body_is_upright_with_its_right_at_the_right(name: str) -> None:
    layout = load_layout(name)
    points = standing(layout)
    assert points.shape == (len(layout.joints), 3)
    flipped = points[list(layout.mirrored)] * (-1, 1, 1)
    np.testing.assert_allclose(flipped, points, atol=1e-9)
    assert all(points[right, 0] > points[left, 0] for left, right in layout.pairs)
    body = dict(zip(layout.canonical, points[:, 1], strict=True))
    assert body["left_shoulder"] > body["left_hip"] > body["left_knee"] > body["left_ankle"]


@given(tree=trees())
def test_any_layout_can_stand(tree: dict[str, Any]) -> None:
    layout = layout_of(**tree)
    points = standing(layout)
    assert np.isfinite(points).all()
    assert len(np.unique(points.round(9), axis=0)) > len(layout.joints) // 2
