"""Names of joints as programs give them, and the layouts of their trees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.skeleton.layout import layout_names, load_layout
from kinestream.skeleton.naming import CANONICAL, canonical_name, canonical_names
from kinestream.skeleton.tree import layout_of_tree

LIMBS = ["hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist"]
LISTS = {
    # name of the list: the middle (foreign=canonical, - for none), then the left limbs in the order of LIMBS
    "mixamo": (
        "mixamorig:Hips=pelvis mixamorig:Spine=lower_spine mixamorig:Spine1=spine mixamorig:Spine2=chest "
        "mixamorig:Neck=neck mixamorig:Head=head mixamorig:HeadTop_End=head_top",
        "mixamorig:{}UpLeg mixamorig:{}Leg mixamorig:{}Foot mixamorig:{}ToeBase "
        "mixamorig:{}Shoulder mixamorig:{}Arm mixamorig:{}ForeArm mixamorig:{}Hand",
        "mixamorig:{}HandThumb1 mixamorig:{}HandIndex1",
    ),
    "cmu bvh": (
        "Hips=pelvis LowerBack=- Spine=spine Spine1=chest Neck=neck Neck1=upper_neck Head=head Head_end=head_top",
        "{}UpLeg {}Leg {}Foot {}ToeBase {}Shoulder {}Arm {}ForeArm {}Hand",
        "{0}HandIndex1 {1}Thumb {1}HipJoint",
    ),
    "3ds max": (
        "Bip01=- Bip01_Pelvis=pelvis Bip01_Spine=lower_spine Bip01_Spine1=spine Bip01_Spine2=chest Bip01_Neck=neck "
        "Bip01_Head=head Bip01_HeadNub=head_top",
        "Bip01_{1}_Thigh Bip01_{1}_Calf Bip01_{1}_Foot Bip01_{1}_Toe0 "
        "Bip01_{1}_Clavicle Bip01_{1}_UpperArm Bip01_{1}_Forearm Bip01_{1}_Hand",
        "Bip01_{1}_Finger0",
    ),
    "blender": (
        "hips=pelvis spine=spine chest=chest neck=neck head=head",
        "thigh.{1} shin.{1} foot.{1} toe.{1} shoulder.{1} upper_arm.{1} forearm.{1} hand.{1}",
        "heel.02.{1} thumb.01.{1} upper_arm.{1}.001",
    ),
    "xsens": (
        "Pelvis=pelvis L5=lower_spine L3=- T12=spine T8=chest Neck=neck Head=head",
        "{}UpperLeg {}LowerLeg {}Foot {}Toe {}Shoulder {}UpperArm {}Forearm {}Hand",
        "",
    ),
    "rokoko": (
        "Hips=pelvis Spine1=lower_spine Spine2=- Spine3=spine Spine4=chest Neck=neck Head=head",
        "{}Thigh {}Shin {}Foot {}Toe {}Shoulder {}Arm {}ForeArm {}Hand",
        "{}DigitTipPointer",
    ),
    "smpl": (
        "Pelvis=pelvis Spine1=lower_spine Spine2=spine Spine3=chest Neck=neck Head=head",
        "{1}_Hip {1}_Knee {1}_Ankle {1}_Foot {1}_Collar {1}_Shoulder {1}_Elbow {1}_Wrist",
        "",
    ),
    "vrm": (
        "J_Bip_C_Hips=pelvis J_Bip_C_Spine=lower_spine J_Bip_C_Chest=spine J_Bip_C_UpperChest=chest "
        "J_Bip_C_Neck=neck J_Bip_C_Head=head",
        "J_Bip_{1}_UpperLeg J_Bip_{1}_LowerLeg J_Bip_{1}_Foot J_Bip_{1}_ToeBase "
        "J_Bip_{1}_Shoulder J_Bip_{1}_UpperArm J_Bip_{1}_LowerArm J_Bip_{1}_Hand",
        "J_Bip_{1}_Thumb1",
    ),
    "unreal": (
        "root=- pelvis=pelvis spine_01=lower_spine spine_02=spine spine_03=chest neck_01=neck head=head",
        "thigh_{2} calf_{2} foot_{2} ball_{2} clavicle_{2} upperarm_{2} lowerarm_{2} hand_{2}",
        "ik_foot_{2} upperarm_twist_01_{2}",
    ),
    "poser": (
        "hip=pelvis abdomen=spine chest=chest neck=neck head=head",
        "{2}Thigh {2}Shin {2}Foot {2}Toe {2}Collar {2}Shldr {2}ForeArm {2}Hand",
        "{2}Buttock {2}Thumb1",
    ),
    "motion builder": (
        "Character1_Hips=pelvis Character1_Spine=spine Character1_Neck=neck Character1_Head=head",
        "Character1_{}UpLeg Character1_{}Leg Character1_{}Foot Character1_{}ToeBase "
        "Character1_{}Shoulder Character1_{}Arm Character1_{}ForeArm Character1_{}Hand",
        "",
    ),
    "100style": (
        "Hips=pelvis Chest=lower_spine Chest2=- Chest3=spine Chest4=chest Neck=neck Head=head",
        "{}Hip {}Knee {}Ankle {}Toe {}Collar {}Shoulder {}Elbow {}Wrist",
        "",
    ),
}


def sided(words: str, left: bool) -> list[str]:
    side = "Left" if left else "Right"
    return [word.format(side, side[0], side[0].lower()) for word in words.replace("{}", "{0}").split()]


@pytest.mark.parametrize("program", [*LISTS])
def test_the_names_of_a_program(program: str) -> None:
    middle, limbs, others = LISTS[program]
    expected: dict[str, str | None] = {}
    for pair in middle.split():
        name, _, known = pair.partition("=")
        expected[name] = None if known == "-" else known
    for left in (True, False):
        side = "left" if left else "right"
        expected |= dict(zip(sided(limbs, left), [f"{side}_{part}" for part in LIMBS], strict=True))
        expected |= dict.fromkeys(sided(others, left))
    assert dict(zip(expected, canonical_names([*expected]), strict=True)) == expected
    told = {name: canonical_name(name, among=expected) for name in expected}
    assert told == expected


@pytest.mark.parametrize("name", [*layout_names()])
def test_the_built_in_layouts_name_themselves(name: str) -> None:
    """What a canonical name means is the same in both; `far_ends` for the bones of ASF files."""
    layout = load_layout(name)
    told = canonical_names(layout.joints, far_ends=name == "cmu31")
    differing = {
        (joint, mine, known)
        for joint, mine, known in zip(layout.joints, told, layout.canonical, strict=True)
        if mine is not None and mine != known
    }
    assert not differing
    named = sum(one is not None for one in told)
    assert named >= 0.6 * sum(known in CANONICAL for known in layout.canonical)


@pytest.mark.parametrize(
    "name",
    ["left knee", "knee_left", "L_Knee", "leftKnee", "LKnee", "kneeLeft", "lknee", "Knee.L", "LEFT_KNEE", "l-knee"],
)
def test_ways_to_write_a_plain_name(name: str) -> None:
    assert canonical_name(name) == "left_knee"
    assert canonical_name(name.replace("ee", "ees").replace("EE", "EES")) is None


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Armature|mixamorig:Hips", "pelvis"),
        ("mixamorig9:RightFoot", "right_ankle"),
        ("RightFoot", "right_foot"),
        ("mixamorig:LeftLeg", "left_knee"),
        ("Hip", "pelvis"),
        ("SpineBase", "pelvis"),
        ("SpineShoulder", "neck"),
        ("HandTipRight", "right_hand_tip"),
        ("R_Toe_End", None),
        ("nose", "nose"),
        *((unclear, None) for unclear in ("LeftLeg", "LeftArm", "Spine1", "root", "thorax", "L5", "Bip01")),
        *((marker, None) for marker in ("LKNE", "RASI", "C7", "T10", "LTOE", "LHEE", "STRN", "CLAV")),
        *((no_joint, None) for no_joint in ("", ":", "|", "left", "L", "left right knee", "x1", "\u2603", "rear", "7")),
    ],
)
def test_names_by_themselves(name: str, known: str | None) -> None:
    assert canonical_name(name) == known


def test_two_joints_of_one_meaning_are_neither() -> None:
    names = ["Hips", "Pelvis", "LeftUpLeg", "LeftThigh", "LeftKnee"]
    assert canonical_names(names) == (None, None, None, None, "left_knee")


def test_markers_of_plug_in_gait_are_no_joints() -> None:
    markers = [
        "LFHD",
        "RFHD",
        "C7",
        "T10",
        "CLAV",
        "STRN",
        "LSHO",
        "LELB",
        "LWRA",
        "LFIN",
        "LASI",
        "LPSI",
        "LTHI",
        "LKNE",
        "LTIB",
        "LANK",
        "LHEE",
        "LTOE",
        "RKNE",
        "RTOE",
    ]
    assert canonical_names(markers) == (None,) * len(markers)


@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_names_are_canonical_or_none(names: list[str]) -> None:
    told = canonical_names(names)
    assert len(told) == len(names)
    known = [name for name in told if name]
    assert {*known} <= CANONICAL
    assert len({*known}) == len(known)


# --- trees -----------------------------------------------------------------------------------------------------------


def test_a_layout_of_a_tree() -> None:
    joints = ["Root", "Spine", "LeftArm", "LeftForeArm", "RightArm", "RightForeArm", "LeftHip", "RightHip"]
    made = layout_of_tree("mine", joints, [0, 0, 1, 2, 1, 4, 0, 0], title="made", up="z")
    assert (made.name, made.title, made.up, made.root) == ("mine", "made", "z", 0)
    assert made.canonical == (
        *("pelvis", "spine", "left_shoulder", "left_elbow", "right_shoulder", "right_elbow", "left_hip", "right_hip"),
    )
    assert made.pairs == ((2, 4), (3, 5), (6, 7))
    assert (made.heading, made.pelvis) == ((2, 4), (0,))


def test_the_pelvis_is_where_the_legs_meet_or_between_the_hips() -> None:
    joints = ["World", "Body", "LeftUpLeg", "RightUpLeg"]
    assert layout_of_tree("mine", joints, [0, 0, 1, 1]).pelvis == (1,)
    assert layout_of_tree("mine", ["Spine", *joints[2:]], [0, 0, 0]).pelvis == (1, 2)


def test_a_joint_called_like_another_does_not_pass_for_it() -> None:
    """Of many joints of a spine without a neck, which is which stays open."""
    joints = ["spine", "spine.001", "spine.002", "spine.003", "spine.004", "thigh.L", "thigh.R"]
    made = layout_of_tree("rigify", joints, [0, 0, 1, 2, 3, 0, 0])
    assert "spine" not in made.canonical
    assert made.canonical[5] == "left_hip"


@pytest.mark.parametrize(
    ("joints", "keys"),
    [
        (["a", "b", "c"], "'heading' .* and 'pelvis'"),
        (["Hips", "b", "c"], "'heading' "),
        (["neck", "LeftShoulder", "RightShoulder"], "'pelvis' "),
    ],
)
def test_what_a_layout_file_must_say(joints: list[str], keys: str) -> None:
    with pytest.raises(ValueError, match=f"a layout file must give {keys}"):
        layout_of_tree("mine", joints, [0, 0, 0])


def test_no_tree() -> None:
    with pytest.raises(ValueError, match="root"):
        layout_of_tree("mine", ["Hips", "LeftHip", "RightHip"], [1, 2, 0])
