import dataclasses

import hypothesis.extra.numpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.skeleton.joint_maps import MEANS, joint_map
from kinestream.skeleton.layout import COCO17, KINECT20, NTU25, SkeletonLayout, layout_names, load_layout
from kinestream.skeleton.pose import standing

BODY16 = load_layout("body16")

DECLARED = [(NTU25, KINECT20), (KINECT20, NTU25), (COCO17, KINECT20), (COCO17, NTU25)]


@pytest.mark.parametrize(("source", "target"), DECLARED, ids=lambda layout: layout.name)
def test_every_joint_is_the_mean_of_what_it_is_made_of(source, target, rng: np.random.Generator) -> None:  # type: ignore[no-untyped-def]
    made = joint_map(source, target)
    clips = rng.normal(size=(2, 5, 1, len(source.joints), 3)).astype(np.float32)
    mapped = made(clips)
    assert mapped.shape == (2, 5, 1, len(target.joints), 3)
    for joint, part in enumerate(made.parts):
        expected = sum(clips[..., v, :] for v in part) / len(part)
        np.testing.assert_allclose(mapped[..., joint, :], expected, atol=1e-6)
    assert not made(np.zeros_like(clips)).any(), "an absent body stays absent"


_SHOULDERS, _HIPS = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")
_WRISTS = {f"{side}_{part}": (f"{side}_wrist",) for side in ("left", "right") for part in ("hand", "hand_tip", "thumb")}
_FEET = {f"{side}_foot": (f"{side}_ankle",) for side in ("left", "right")}
MADE_OF = {
    ("ntu25", "kinect20"): {
        "hip_centre": ("spine_base",),
        "spine": ("spine_mid",),
        "shoulder_centre": ("spine_shoulder",),
    },
    ("kinect20", "ntu25"): {
        "spine_base": ("hip_centre",),
        "spine_mid": ("spine",),
        "spine_shoulder": ("shoulder_centre",),
        "neck": ("shoulder_centre", "head"),
        **{f"{side}_{part}": (f"{side}_hand",) for side in ("left", "right") for part in ("hand_tip", "thumb")},
    },
    ("coco17", "kinect20"): {
        "hip_centre": _HIPS,
        "spine": (*_HIPS, *_SHOULDERS),
        "shoulder_centre": _SHOULDERS,
        "head": ("nose",),
        **{joint: part for joint, part in _WRISTS.items() if joint.endswith("hand")},
        **_FEET,
    },
    ("coco17", "ntu25"): {
        "spine_base": _HIPS,
        "spine_mid": (*_HIPS, *_SHOULDERS),
        "spine_shoulder": _SHOULDERS,
        "head": ("nose",),
        "neck": (*_SHOULDERS, "nose"),
        **_WRISTS,
        **_FEET,
    },
}


@pytest.mark.parametrize("names", MADE_OF, ids=" to ".join)
def test_what_each_joint_is_made_of(names: tuple[str, str]) -> None:
    """Written again on purpose: encoders of published runs have been evaluated by these."""
    made = joint_map(*map(load_layout, names))
    for joint, part in zip(made.target.joints, made.parts, strict=True):
        assert tuple(made.source.joints[v] for v in part) == MADE_OF[names].get(joint, (joint,))


@pytest.mark.parametrize(("source", "target"), DECLARED, ids=lambda layout: layout.name)
def test_sides_stay_sides(source, target) -> None:  # type: ignore[no-untyped-def]
    """Mirroring before the map is mirroring after it."""
    made = joint_map(source, target)
    for joint, part in enumerate(made.parts):
        opposite = {source.mirrored[v] for v in part}
        assert opposite == set(made.parts[target.mirrored[joint]])


def test_there_and_back_keeps_what_both_sensors_see(rng: np.random.Generator) -> None:
    clips = rng.normal(size=(3, 20, 3)).astype(np.float32)
    np.testing.assert_array_equal(joint_map(NTU25, KINECT20)(joint_map(KINECT20, NTU25)(clips)), clips)


def test_the_roots_meet_so_that_centred_clips_stay_centred() -> None:
    for source, target in ((NTU25, KINECT20), (KINECT20, NTU25)):
        assert joint_map(source, target).parts[target.root] == (source.root,)
        assert joint_map(source, target).parts[target.pelvis[0]] == source.pelvis


def test_what_has_no_joint_of_its_own_is_named() -> None:
    made = joint_map(KINECT20, NTU25)
    assert set(made.filled) == {"neck", "left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb"}
    back = joint_map(NTU25, KINECT20)
    assert not back.filled
    assert set(back.unused) == {"neck", "left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb"}


@pytest.mark.parametrize("name", layout_names())
def test_every_layout_goes_into_body16(name: str) -> None:
    source = load_layout(name)
    made = joint_map(source, BODY16)
    for joint, part in enumerate(made.parts):
        assert {source.mirrored[v] for v in part} == set(made.parts[BODY16.mirrored[joint]])
    body = dict(zip(BODY16.joints, made(standing(source).astype(np.float32)), strict=True))
    expected = dict(zip(BODY16.joints, standing(BODY16), strict=True))
    for joint, point in body.items():
        assert np.linalg.norm(point[:2] - expected[joint][:2]) < 0.1, joint
    used = {v for part in made.parts for v in part}
    assert {source.joints.index(joint) for joint in made.unused} | used == set(range(len(source.joints)))


@given(pose=hypothesis.extra.numpy.arrays(np.float32, (16, 3), elements=st.floats(-3, 3, width=32)))
def test_body16_maps_onto_itself(pose: np.ndarray) -> None:
    made = joint_map(BODY16, BODY16)
    assert not made.filled
    assert not made.unused
    np.testing.assert_array_equal(made(pose), pose)


@pytest.mark.parametrize("name", layout_names())
def test_what_a_layout_shares_with_body16_survives_the_way_back(name: str) -> None:
    """Where a map back exists, joints that both have are where they were."""
    there = joint_map(load_layout(name), BODY16)
    try:
        back = joint_map(BODY16, load_layout(name))
    except ValueError as error:
        assert "cannot be made" in str(error)  # noqa: PT017
        return
    pose = standing(BODY16).astype(np.float32)
    again = dict(zip(BODY16.joints, there(back(pose)), strict=True))
    for joint, point in zip(BODY16.joints, pose, strict=True):
        if joint not in there.filled:
            np.testing.assert_array_equal(again[joint], point)


def test_what_cannot_be_made_is_named() -> None:
    with pytest.raises(ValueError, match="no joint map from layout ntu25 to coco17: nose, left_eye, right_eye"):
        joint_map(NTU25, COCO17)
    hand = SkeletonLayout(
        name="hand", joints=("wrist", "thumb", "index"), parents=(0, 0, 0), pairs=(), heading=(1, 2), pelvis=(0,)
    )
    with pytest.raises(ValueError, match=r"hand to body16: pelvis, spine, .* cannot be made; 'aliases' or 'derive'"):
        joint_map(hand, BODY16)


def test_layouts_of_ones_own_are_mapped_by_their_names_and_means() -> None:
    renamed = dataclasses.replace(
        KINECT20,
        joints=tuple(f"J{v}" for v in range(20)),
        aliases={f"J{v}": name for v, name in enumerate(KINECT20.canonical) if name != "spine"},
        derive={"spine": ("J0", "J2")},
    )
    assert joint_map(KINECT20, dataclasses.replace(KINECT20, pelvis=(1,))).parts == tuple((v,) for v in range(20))
    made = joint_map(renamed, KINECT20)
    assert made.filled == {"spine": ("J0", "J2")}
    assert made.unused == ("J1",)


def test_the_means_lead_to_joints_in_the_end() -> None:
    """No joint is made of itself by way of others."""

    def below(name: str, above: tuple[str, ...] = ()) -> None:
        assert name not in above, above
        for choice in MEANS.get(name, ()):
            for one in choice:
                below(one, (*above, name))

    for name in MEANS:
        below(name)


# --- parts of a body --------------------------------------------------------------------------------------------------

UPPER = SkeletonLayout(
    name="upper",
    joints=("nose", *(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist") for side in ("left", "right"))),
    parents=(0, 0, 0, 1, 2, 3, 4),
    pairs=((1, 2), (3, 4), (5, 6)),
    heading=(1, 2),
    pelvis=(1, 2),
)


def test_joints_that_a_part_of_a_body_lacks_are_where_the_next_one_is() -> None:
    body16 = load_layout("body16")
    with pytest.raises(ValueError, match=r"pelvis, spine, left_hip, .* cannot be made"):
        joint_map(UPPER, body16)
    made = joint_map(UPPER, body16, partly=True)
    assert made.lacking == ("pelvis", "spine", *(name for name in body16.joints[10:]))
    own = joint_map(UPPER, body16, partly=True)
    pose = np.random.default_rng(0).standard_normal((5, 7, 3)).astype(np.float32)
    mapped = own(pose)
    at = {name: mapped[:, v] for v, name in enumerate(body16.joints)}
    np.testing.assert_allclose(at["neck"], pose[:, 1:3].mean(axis=1), atol=1e-6)
    for name in made.lacking:  # all hang on the neck: nothing is known towards the root
        np.testing.assert_array_equal(at[name], at["neck"])
    for v, name in enumerate(UPPER.joints[1:], start=1):
        np.testing.assert_array_equal(at[name], pose[:, v])
    assert not set(made.lacking) & set(made.filled)


def test_a_limb_that_lacks_its_end_ends_at_the_last_joint_it_has() -> None:
    names = tuple(name for name in COCO17.joints if not name.endswith(("ankle", "wrist")))
    short = SkeletonLayout(
        name="short",
        joints=names,
        parents=tuple(names.index(COCO17.joints[COCO17.parents[COCO17.joints.index(name)]]) for name in names),
        pairs=tuple(
            (names.index(f"left_{name}"), names.index(f"right_{name}"))
            for name in ("eye", "ear", "shoulder", "elbow", "hip", "knee")
        ),
        heading=(names.index("left_shoulder"), names.index("right_shoulder")),
        pelvis=(names.index("left_hip"), names.index("right_hip")),
    )
    made = joint_map(short, NTU25, partly=True)
    assert {"left_ankle", "left_foot", "right_wrist", "right_hand_tip"} <= set(made.lacking)
    for name, joint in (("left_foot", "left_knee"), ("right_hand_tip", "right_elbow")):
        assert made.parts[NTU25.joints.index(name)] == (names.index(joint),)


def test_too_small_a_part_is_refused() -> None:
    hand = SkeletonLayout(
        name="arm",
        joints=("left_shoulder", "right_shoulder", "right_elbow", "right_wrist"),
        parents=(0, 0, 1, 2),
        pairs=((0, 1),),
        heading=(0, 1),
        pelvis=(0,),
    )
    with pytest.raises(ValueError, match="no joint map from layout arm to ntu25"):
        joint_map(hand, NTU25, partly=True)


def test_a_whole_body_is_mapped_alike_partly_or_not() -> None:
    for source in map(load_layout, layout_names()):
        assert joint_map(source, load_layout("body16"), partly=True) == joint_map(source, load_layout("body16"))


def test_layouts_of_equal_joints_are_mapped_as_each_says_itself() -> None:
    """Equal layouts may differ in what their joints are called elsewhere: a map is not taken for that of another."""
    plain = dataclasses.replace(NTU25, aliases={}, derive={})
    aliases = dict(NTU25.aliases)
    left, right = (NTU25.joints.index(f"{side}_knee") for side in ("left", "right"))
    crossed = dataclasses.replace(plain, aliases=aliases | {"left_knee": "right_knee", "right_knee": "left_knee"})
    assert crossed == NTU25
    knee = BODY16.joints.index("left_knee")
    assert joint_map(NTU25, BODY16).parts[knee] == (left,)
    assert joint_map(crossed, BODY16).parts[knee] == (right,)
    assert joint_map(NTU25, BODY16).parts[knee] == (left,)
