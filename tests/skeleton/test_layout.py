import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.skeleton.layout import COCO17, KINECT20, LAYOUTS, NTU25, SkeletonLayout

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
        "pelvis": 0,
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
        "pelvis": draw(st.sampled_from(order)),
    }


@BOTH
def test_bones_are_the_published_ones(layout: SkeletonLayout) -> None:
    expected = {tuple(json.loads(f"[{pair.strip('()')}]")) for pair in PUBLISHED_BONES[layout.name].split()}
    assert {(child + 1, parent + 1) for child, parent in layout.bones} == expected
    assert layout.root + 1 == {"ntu25": 21, "kinect20": 3}[layout.name]
    assert LAYOUTS[layout.name] is layout


@BOTH
def test_sides_of_the_sensors(layout: SkeletonLayout) -> None:
    for v, other in enumerate(layout.mirrored):
        name, mirrored = layout.joints[v], layout.joints[other]
        assert mirrored == name.replace("left_", "right_") or name == mirrored.replace("left_", "right_")
        assert (v == other) == (not name.startswith(("left_", "right_")))
    # Mirroring a body keeps its bones.
    assert {(layout.mirrored[a], layout.mirrored[b]) for a, b in layout.bones} == set(layout.bones)
    assert [joint + 1 for joint in layout.heading] == [5, 9]
    assert layout.joints[layout.pelvis] == {"ntu25": "spine_base", "kinect20": "hip_centre"}[layout.name]


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
        ((0, 0, 0), {"pelvis": 3}, "joint 3 is not in 0..2"),
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
        {"pelvis": [0]},
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
    for field in changes:
        with pytest.raises(ValueError, match=field):
            SkeletonLayout.from_dict({key: value for key, value in plain.items() if key != field})


def test_key_points_of_pictures_hang_on_the_nose() -> None:
    """As PYSKL's graph of COCO: pairs (child, parent), counted from 0, all leading to the nose."""
    pairs = "1,0 3,1 2,0 4,2 5,0 6,0 7,5 9,7 8,6 10,8 11,5 13,11 15,13 12,6 14,12 16,14"
    assert set(COCO17.bones) == {tuple(map(int, pair.split(","))) for pair in pairs.split()}
    assert {(COCO17.mirrored[a], COCO17.mirrored[b]) for a, b in COCO17.bones} == set(COCO17.bones)
    assert [COCO17.joints[v] for v in (COCO17.root, COCO17.pelvis, *COCO17.heading)] == [
        *("nose", "left_hip", "left_shoulder", "right_shoulder")
    ]
    assert LAYOUTS["coco17"] is COCO17
    assert len(COCO17.pairs) == 8
