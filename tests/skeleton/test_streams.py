import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinestream.augment.transforms import axis_rotation, transform_points
from kinestream.skeleton import STREAMS
from kinestream.skeleton.layout import KINECT20, NTU25, SkeletonLayout
from kinestream.skeleton.streams import (
    bone,
    bone_motion,
    cylindrical_motion,
    displacement,
    distance,
    distance_motion,
    joint,
    lagged_distance,
    make_streams,
    motion,
    stream,
)

# (child, parent) counted from 1, as the reference lists them for NTU; written again on purpose: the test's own source.
NTU_PAIRS = (
    *((1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11), (13, 1)),
    *((14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19), (22, 23), (23, 8), (24, 25), (25, 12)),
)


NAMES = (
    *("joint", "motion", "bone", "bone-motion", "distance", "distance-motion", "lagged-distance"),
    *("displacement", "cylindrical-motion"),
)


def clips(layout: SkeletonLayout, seed: int = 0, frames: int = 7) -> torch.Tensor:
    return torch.randn(2, 3, frames, len(layout.joints), 2, generator=torch.Generator().manual_seed(seed))


def test_bone_is_child_minus_parent_and_zero_at_the_root(device: torch.device) -> None:
    x = clips(NTU25).to(device)
    y = bone(x, NTU25)
    for child, parent in NTU_PAIRS:
        torch.testing.assert_close(y[:, :, :, child - 1], x[:, :, :, child - 1] - x[:, :, :, parent - 1])
    assert not y[:, :, :, 20].any()


def test_motion_is_the_step_to_the_next_frame() -> None:
    x = clips(KINECT20)
    y = motion(x, KINECT20)
    for t in range(6):
        torch.testing.assert_close(y[:, :, t], x[:, :, t + 1] - x[:, :, t])
    assert not y[:, :, 6].any()


def test_bone_motion_is_how_bones_change() -> None:
    x = clips(KINECT20)
    y = bone_motion(x, KINECT20)
    torch.testing.assert_close(y[:, :, :-1], bone(x, KINECT20)[:, :, 1:] - bone(x, KINECT20)[:, :, :-1])
    assert not y[:, :, 6].any()
    drifting = x + torch.linspace(0, 3, 7)[:, None, None]
    torch.testing.assert_close(bone_motion(drifting, KINECT20), y, atol=1e-5, rtol=0)


@pytest.mark.parametrize("layout", [KINECT20, NTU25], ids=lambda layout: layout.name)
def test_distances_are_of_each_pair_of_joints_of_one_body(layout: SkeletonLayout, device: torch.device) -> None:
    x = clips(layout) + torch.tensor([4.0, -2.0, 30.0])[:, None, None, None]  # far from the origin, digits are few
    y = distance(x.to(device), layout).cpu()
    pair = 0
    for first in range(len(layout.joints)):
        for second in range(first + 1, len(layout.joints)):
            expected = np.linalg.norm(x.numpy()[:, :, :, first] - x.numpy()[:, :, :, second], axis=1)
            np.testing.assert_allclose(y[:, 0, :, pair].numpy(), expected, rtol=1e-5)
            pair += 1
    assert y.shape == (2, 1, 7, pair, 2)
    z = distance_motion(x.to(device), layout).cpu()
    torch.testing.assert_close(z[:, :, :-1], y[:, :, 1:] - y[:, :, :-1])
    assert not z[:, :, -1].any()


@given(seed=st.integers(0, 1000), angle=st.floats(-3, 3), axis=st.integers(0, 2), shift=st.floats(-5, 5))
def test_distances_forget_where_the_body_stands_and_how_it_is_turned(
    seed: int, angle: float, axis: int, shift: float
) -> None:
    x = clips(KINECT20, seed)
    turned = transform_points(x, axis_rotation(torch.full((len(x),), angle), axis)) + shift
    mirrored = x * torch.tensor([-1.0, 1.0, 1.0])[:, None, None, None]
    for other in (turned, mirrored):
        torch.testing.assert_close(distance(other, KINECT20), distance(x, KINECT20), atol=1e-4, rtol=0)


@pytest.mark.parametrize("layout", [KINECT20, NTU25], ids=lambda layout: layout.name)
def test_lagged_distances_are_from_where_the_joints_were_eight_frames_ago(
    layout: SkeletonLayout, device: torch.device
) -> None:
    x = clips(layout, frames=12)
    y = lagged_distance(x.to(device), layout).cpu().numpy()
    joints = len(layout.joints)
    for t in range(12):
        for now in range(joints):
            for then in range(joints):
                expected = np.linalg.norm(x[:, :, t, now] - x[:, :, max(t - 8, 0), then], axis=1)
                np.testing.assert_allclose(y[:, 0, t, now * joints + then], expected, rtol=1e-5, atol=1e-6)


def test_displacements_are_up_and_along_the_ground_over_each_lag(device: torch.device) -> None:
    x = clips(NTU25, frames=12).to(device)
    y = displacement(x, NTU25)
    assert y.shape == (2, 8, 12, 25, 2)
    for number, lag in enumerate((1, 2, 4, 8)):
        for t in range(12):
            right, up, forward = (x[:, :, t] - x[:, :, max(t - lag, 0)]).unbind(dim=1)
            torch.testing.assert_close(y[:, 2 * number, t], up)
            torch.testing.assert_close(y[:, 2 * number + 1, t], (right**2 + forward**2).sqrt())
    assert not y[:, :, 0].any(), "a body has not moved before the first frame"


@pytest.mark.parametrize("layout", [KINECT20, NTU25], ids=lambda layout: layout.name)
def test_cylindrical_motion_is_of_height_and_distance_from_the_start_and_speed(
    layout: SkeletonLayout, device: torch.device
) -> None:
    x = clips(layout).to(device)
    pelvis = {"kinect20": 0, "ntu25": 0}[layout.name]
    y = torch.zeros_like(x)
    for t in range(7):
        ahead = min(t + 1, 6)
        for v in range(len(layout.joints)):
            away = (x[:, :, t, v] - x[:, :, 0, pelvis])[:, [0, 2]].norm(dim=1)
            speed = (x[:, :, ahead, v] - x[:, :, t, v])[:, [0, 2]].norm(dim=1)
            y[:, :, t, v] = torch.stack((x[:, 1, t, v], away, speed), dim=1)
    torch.testing.assert_close(cylindrical_motion(x, layout), motion(y, layout))


def test_the_pelvis_may_be_the_mean_of_several_joints() -> None:
    hips = dataclasses.replace(KINECT20, pelvis=(12, 16))
    x = clips(KINECT20)
    x[:, :, :, 0] = (x[:, :, :, 12] + x[:, :, :, 16]) / 2
    torch.testing.assert_close(cylindrical_motion(x, hips), cylindrical_motion(x, KINECT20))


@given(seed=st.integers(0, 1000), angle=st.floats(0.3, 6.0), east=st.floats(-5, 5), north=st.floats(-5, 5))
@pytest.mark.parametrize("name", NAMES)
def test_which_streams_are_the_same_from_all_sides(
    name: str, seed: int, angle: float, east: float, north: float
) -> None:
    x = clips(KINECT20, seed)
    turned = transform_points(x, axis_rotation(torch.full((len(x),), angle), 1))
    turned = turned + torch.tensor([east, 0.0, north])[:, None, None, None]
    change = (make_streams(turned, [name], KINECT20)[name] - make_streams(x, [name], KINECT20)[name]).abs().max().item()
    assert change < 1e-4 if STREAMS.get(name).same_from_all_sides else change > 0.1


@pytest.mark.parametrize("layout", [KINECT20, NTU25], ids=lambda layout: layout.name)
@pytest.mark.parametrize("name", NAMES)
def test_the_shape_of_a_stream_is_known_beforehand(name: str, layout: SkeletonLayout) -> None:
    made = make_streams(clips(layout), [name], layout)[name]
    channels, joints = STREAMS.get(name).shape(layout)
    assert made.shape == (2, channels, 7, joints, 2)


@pytest.mark.parametrize("name", ["lagged-distance", "displacement"])
def test_a_body_that_comes_late_and_goes_early_is_measured_by_its_own_frames(name: str) -> None:
    alone = clips(KINECT20, frames=10)
    among = torch.zeros(2, 3, 16, 20, 2)
    among[:, :, 3:13] = alone
    made, own = (make_streams(x, [name], KINECT20)[name] for x in (among, alone))
    torch.testing.assert_close(made[:, :, 3:13], own)
    assert not made[:, :, :3].any()
    assert not made[:, :, 13:].any()


def test_a_body_out_of_sight_for_a_moment_is_measured_from_where_it_was_last() -> None:
    still = clips(KINECT20, frames=1).expand(-1, -1, 12, -1, -1).clone()
    still[:, :, 4:7] = 0
    assert not displacement(still, KINECT20).any()
    assert not cylindrical_motion(still, KINECT20)[:, 2].any()


@given(seed=st.integers(0, 1000), shift=st.floats(-5, 5))
def test_bone_and_motion_forget_where_the_body_stands(seed: int, shift: float) -> None:
    x = clips(NTU25, seed)
    for make in (bone, motion):
        torch.testing.assert_close(make(x + shift, NTU25), make(x, NTU25), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_an_absent_body_stays_zero(name: str) -> None:
    x = clips(NTU25)
    x[..., 1] = 0
    assert not make_streams(x, [name], NTU25)[name][..., 1].any()


def test_streams_are_made_by_name() -> None:
    x = clips(NTU25)
    made = make_streams(x, ("bone", "joint"), NTU25)
    assert list(made) == ["bone", "joint"]
    assert np.array_equal(made["joint"], joint(x, NTU25))
    with pytest.raises(ValueError, match="unknown stream 'bones': did you mean bone"):
        make_streams(x, ("bones",), NTU25)


def test_what_is_known_of_the_streams() -> None:
    assert set(NAMES) <= set(STREAMS.names())
    records = [STREAMS.get(name) for name in NAMES]
    assert [record.name for record in records] == list(NAMES)
    assert [record.name for record in records if record.published] == ["joint", "motion", "bone"]
    assert [record.name for record in records if record.of_pairs] == ["distance", "distance-motion", "lagged-distance"]


def test_a_stream_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STREAMS, "_entries", dict(STREAMS._entries))

    @stream("height", shape=lambda layout: (1, len(layout.joints)), same_from_all_sides=True)
    def height(x: torch.Tensor, layout: SkeletonLayout) -> torch.Tensor:
        return x[:, 1:2]

    x = clips(NTU25)
    assert torch.equal(make_streams(x, ["height"], NTU25)["height"], x[:, 1:2])
    assert "height" in STREAMS.names()
    with pytest.raises(ValueError, match="stream 'joint' is registered already"):
        stream("joint")(height)


@pytest.mark.parametrize("name", STREAMS.names())
def test_what_moves_is_taken_for_a_second_where_the_rate_is_known(name: str) -> None:
    """Twice the frames of the same movement: nearly the same values, where a frame would be half as far."""
    x = torch.randn(2, 3, 12, 20, 1, generator=torch.Generator().manual_seed(0))
    plain, timed = (make_streams(x, [name], KINECT20, rate)[name] for rate in (None, 25.0))
    factor = 25.0 if STREAMS.get(name).per_frame else 1.0
    assert torch.equal(timed, plain * factor)
    assert STREAMS.get(name).per_frame == name.endswith("motion")
