import pytest

from kinestream.skeleton.layout import LAYOUTS, SkeletonLayout, load_layout
from kinestream.skeleton.parts import body_parts

FIVE = ["trunk", "left arm", "right arm", "left leg", "right leg"]


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_every_layout_has_five_parts_that_mirror_each_other(name: str) -> None:
    layout = load_layout(name)
    parts = body_parts(layout)
    assert list(parts) == FIVE
    assert sorted(joint for joints in parts.values() for joint in joints) == list(range(len(layout.joints)))
    for limb in ("arm", "leg"):
        assert {layout.mirrored[joint] for joint in parts[f"left {limb}"]} == set(parts[f"right {limb}"])
    assert {layout.mirrored[joint] for joint in parts["trunk"]} == set(parts["trunk"])


def test_the_parts_of_kinect_by_hand() -> None:
    layout = load_layout("kinect20")
    named = {part: [layout.canonical[joint] for joint in joints] for part, joints in body_parts(layout).items()}
    assert named["trunk"] == ["pelvis", "spine", "neck", "head"]
    assert named["left arm"] == ["left_shoulder", "left_elbow", "left_wrist", "left_hand"]
    assert named["right leg"] == ["right_hip", "right_knee", "right_ankle", "right_foot"]


def test_unknown_joints_belong_to_what_they_hang_on_or_begin_a_part() -> None:
    joints = ("hips", "left_wrist", "right_wrist", "left_claw", "right_claw", "left_wing", "right_wing", "left_tip")
    layout = SkeletonLayout(
        name="griffin",
        joints=(*joints, "right_tip"),
        parents=(0, 0, 0, 1, 2, 0, 0, 5, 6),
        pairs=((1, 2), (3, 4), (5, 6), (7, 8)),
        heading=(1, 2),
        pelvis=(0,),
    )
    assert body_parts(layout) == {
        "trunk": (0,),
        "left arm": (1, 3),
        "right arm": (2, 4),
        "left_wing": (5, 7),
        "right_wing": (6, 8),
    }


def test_a_layout_without_sides_is_all_trunk() -> None:
    layout = SkeletonLayout(name="snake", joints=("a", "b"), parents=(0, 0), pairs=(), heading=(0, 1), pelvis=(0,))
    assert body_parts(layout) == {"trunk": (0, 1)}
