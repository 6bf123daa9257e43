import dataclasses

import numpy as np
import pytest

from kinestream.skeleton.joint_maps import joint_map
from kinestream.skeleton.layout import COCO17, KINECT20, NTU25

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
        assert joint_map(source, target).parts[target.pelvis] == (source.pelvis,)


def test_what_has_no_joint_of_its_own_is_named() -> None:
    made = joint_map(KINECT20, NTU25)
    assert set(made.filled) == {"neck", "left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb"}
    back = joint_map(NTU25, KINECT20)
    assert not back.filled
    assert set(back.unused) == {"neck", "left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb"}


def test_a_map_that_nobody_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="no joint map from layout ntu25 to coco17 is declared"):
        joint_map(NTU25, COCO17)
    with pytest.raises(ValueError, match="no joint map from layout kinect20 to ntu25"):
        joint_map(dataclasses.replace(KINECT20, pelvis=1), NTU25)
