"""Joints that were not seen: which they are, and what stands in their place."""

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kinestream.data.gaps import close_gaps, without_gaps
from kinestream.data.recording import Recording, RecordingError
from kinestream.data.unseen import unseen
from kinestream.skeleton.layout import NTU25, SkeletonLayout, load_layout
from kinestream.skeleton.pose import standing

CHAIN = SkeletonLayout(
    name="chain",
    joints=("hip", "neck", "head", "left_hand", "right_hand"),
    parents=(0, 0, 1, 1, 1),
    pairs=((3, 4),),
    heading=(3, 4),
    pelvis=(0,),
)


def moving(frames: int, layout: SkeletonLayout = CHAIN, bodies: int = 1, seed: int = 0) -> np.ndarray:
    """Joints (t, m, v, 3) of bodies that drift; each joint by a way of its own."""
    rng = np.random.default_rng(seed)
    start = rng.normal(size=(1, bodies, len(layout.joints), 3)) + np.arange(bodies)[:, None, None] * 3
    return np.asarray(start + np.cumsum(rng.normal(0, 0.02, (frames, bodies, len(layout.joints), 3)), axis=0))


def numbers(joints: np.ndarray) -> np.ndarray:
    return np.where(np.nan_to_num(joints).any(axis=(2, 3)), np.arange(1, joints.shape[1] + 1), 0)


def literal(body: np.ndarray, layout: SkeletonLayout, longest: int) -> tuple[np.ndarray, int, int]:
    """One body that is there in every frame, joint by joint and frame by frame, where the root is always seen."""
    seen = ~np.isnan(body).any(axis=2)
    out, filled, masked = body.copy(), 0, 0
    held = set()
    for v in range(body.shape[1]):
        for t in range(len(body)):
            if seen[t, v]:
                continue
            before = max((s for s in range(t) if seen[s, v]), default=None)
            after = min((s for s in range(t + 1, len(body)) if seen[s, v]), default=None)
            first = -1 if before is None else before
            last = len(body) if after is None else after
            if last - first - 1 > longest or (before is None and after is None):
                continue
            if before is not None and after is not None:
                share = (t - before) / (after - before)
                out[t, v] = (1 - share) * body[before, v] + share * body[after, v]
            else:
                held.add((t, v, after if before is None else before))
            filled += 1
    for v in sorted(range(body.shape[1]), key=lambda v: layout.depths[v]):
        parent = layout.parents[v]
        for t in range(len(body)):
            at = [s for (u, w, s) in held if (u, w) == (t, v)]
            if at:
                out[t, v] = out[t, parent] + out[at[0], v] - out[at[0], parent]
            elif np.isnan(out[t, v]).any():
                out[t, v] = out[t, parent]
                masked += 1
    return out, filled, masked


@given(
    frames=st.integers(2, 40),
    share=st.floats(0, 0.6),
    fps=st.sampled_from([None, 4, 8.0, 30, 60]),
    seed=st.integers(0, 10_000),
)
def test_gaps_are_closed_as_joint_by_joint(frames: int, share: float, fps: float | None, seed: int) -> None:
    joints = moving(frames, seed=seed)
    rng = np.random.default_rng(seed)
    for joint in range(1, 5):
        for _ in range(2):
            start = int(rng.integers(0, frames))
            joints[start : start + int(rng.integers(0, int(share * frames) + 2)), 0, joint] = np.nan
    assume((~np.isnan(joints)).mean() >= 0.3)
    closed = close_gaps(joints, numbers(joints), CHAIN, fps)
    expected, filled, masked = literal(joints[:, 0], CHAIN, 15 if fps is None else int(fps / 2))
    np.testing.assert_allclose(closed.joints[:, 0], expected, atol=1e-12)
    assert (closed.filled, closed.masked) == (filled, masked)
    assert closed.filled + closed.masked == np.isnan(joints).any(axis=3).sum()


@given(
    frames=st.integers(2, 30),
    bodies=st.integers(1, 3),
    share=st.floats(0, 0.5),
    seed=st.integers(0, 10_000),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_whatever_is_missing_everything_has_a_place(
    frames: int, bodies: int, share: float, seed: int, dtype: type
) -> None:
    rng = np.random.default_rng(seed)
    joints = moving(frames, NTU25, bodies, seed).astype(dtype)
    joints[rng.random(joints.shape[:3]) < share] = np.nan
    joints[rng.random(joints.shape[:2]) < share / 2] = np.nan
    try:
        closed = close_gaps(joints, numbers(joints), NTU25)
    except RecordingError:
        assert share > 0
        return
    assert closed.joints.dtype == dtype
    assert np.isfinite(closed.joints).all()
    seen = ~np.isnan(joints)
    np.testing.assert_array_equal(closed.joints[seen], joints[seen])
    there = closed.bodies > 0
    assert there[numbers(joints) > 0].all()
    assert not closed.joints[~there].any()
    assert closed.filled + closed.masked == int((~seen.all(axis=3) & there[..., None]).sum())


@given(shift=st.tuples(*[st.floats(-50, 50)] * 3), seed=st.integers(0, 1000))
def test_where_the_body_stands_does_not_matter(shift: tuple[float, ...], seed: int) -> None:
    joints = moving(25, seed=seed)
    joints[np.random.default_rng(seed).random(joints.shape[:3]) < 0.4] = np.nan
    closed = close_gaps(joints, np.ones((25, 1), dtype=int), CHAIN, 8)
    moved = close_gaps(joints + shift, np.ones((25, 1), dtype=int), CHAIN, 8)
    there = closed.bodies > 0
    np.testing.assert_allclose(moved.joints[there], closed.joints[there] + shift, atol=1e-9)
    assert (moved.filled, moved.masked) == (closed.filled, closed.masked)


def test_what_has_no_gap_comes_back_the_same() -> None:
    joints = moving(10, bodies=2)
    joints[3:, 1] = 0
    bodies = numbers(joints)
    closed = close_gaps(joints, bodies, CHAIN)
    assert closed.joints is joints
    assert closed.bodies is bodies
    assert (closed.filled, closed.masked) == (0, 0)


@pytest.mark.parametrize(("fps", "longest"), [(None, 15), (10, 5), (60, 30), (1, 0)])
def test_half_a_second_is_interpolated_and_a_frame_more_is_masked(fps: float | None, longest: int) -> None:
    for length in (longest, longest + 1):
        joints = moving(60)
        joints[10 : 10 + length, 0, 4] = np.nan
        closed = close_gaps(joints, numbers(joints), CHAIN, fps)
        counts = (length, 0) if length == longest else (0, length)
        assert (closed.filled, closed.masked) == counts
        masked = (closed.joints[10 : 10 + length, 0, 4] == closed.joints[10 : 10 + length, 0, 1]).all()
        assert masked == (length > longest or length == 0)


def test_ends_follow_the_body_for_half_a_second_and_no_longer() -> None:
    walk = np.arange(40.0)[:, None, None, None] * [0.05, 0, 0] + moving(1)
    for length, counts in ((5, (5, 0)), (6, (0, 6))):
        joints = walk.copy()
        joints[:length, 0, 3] = np.nan
        closed = close_gaps(joints, numbers(joints), CHAIN, 10)
        assert (closed.filled, closed.masked) == counts
        if length == 5:
            np.testing.assert_allclose(closed.joints, walk, atol=1e-12)


def test_a_joint_that_is_never_seen_and_all_that_hang_on_it_have_no_length() -> None:
    joints = moving(8)
    joints[:, 0, [1, 2]] = np.nan
    closed = close_gaps(joints, numbers(joints), CHAIN)
    np.testing.assert_array_equal(closed.joints[:, 0, 1], joints[:, 0, 0])
    np.testing.assert_array_equal(closed.joints[:, 0, 2], joints[:, 0, 0])
    np.testing.assert_array_equal(closed.joints[:, 0, 3], joints[:, 0, 3])


def test_a_root_that_is_never_seen_is_amid_the_nearest_joints() -> None:
    layout = load_layout("coco17")
    joints = np.tile(standing(layout), (12, 1, 1, 1))
    face = [layout.joints.index(name) for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
    joints[:, 0, face] = np.nan
    closed = close_gaps(joints, numbers(joints), layout)
    shoulders = joints[0, 0, [layout.joints.index(f"{side}_shoulder") for side in ("left", "right")]].mean(axis=0)
    np.testing.assert_allclose(closed.joints[:, 0, face], np.broadcast_to(shoulders, (12, 5, 3)), atol=1e-12)


def test_a_body_that_is_not_seen_for_a_moment_is_there_all_the_same() -> None:
    joints = moving(30)
    whole = joints.copy()
    whole[8:12] = joints[7] + (joints[12] - joints[7]) * (np.arange(1, 5) / 5)[:, None, None, None]
    joints[8:12] = np.nan
    closed = close_gaps(joints, numbers(joints), CHAIN, 10)
    np.testing.assert_allclose(closed.joints, whole, atol=1e-12)
    assert closed.bodies.all()
    assert (closed.filled, closed.masked) == (20, 0)
    longer = moving(30)
    longer[8:14] = np.nan
    closed = close_gaps(longer, numbers(longer), CHAIN, 10)
    assert not closed.joints[8:14].any()
    assert np.flatnonzero(closed.bodies == 0).tolist() == [8, 9, 10, 11, 12, 13]


def test_bodies_are_followed_by_their_number_not_their_place() -> None:
    joints = moving(20, bodies=2)
    straight = joints.copy()
    straight[5:9, 0, 3] = np.nan
    swapped = straight.copy()
    swapped[10:] = swapped[10:, ::-1]
    swapped[6] = swapped[6, ::-1]
    bodies = np.tile([4, 9], (20, 1))
    other = bodies.copy()
    other[10:], other[6] = other[10:, ::-1], other[6, ::-1]
    expected = close_gaps(straight, bodies, CHAIN).joints
    found = close_gaps(swapped, other, CHAIN).joints
    found[10:], found[6] = found[10:, ::-1].copy(), found[6, ::-1].copy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("frames", "joints", "message"),
    [
        (slice(1, None), slice(None), "joints are seen in 1 of its 10 frames: 2 are needed"),
        (slice(None), slice(None), "joints are seen in 0 of its 10 frames: 2 are needed"),
        (slice(None), slice(1, None), "only 20% of the joints are seen: 30% are needed"),
    ],
)
def test_a_recording_with_too_little_is_refused(frames: slice, joints: slice, message: str) -> None:
    body = moving(10)
    body[frames, 0, joints] = np.nan
    with pytest.raises(RecordingError, match=re.escape(message)):
        close_gaps(body, numbers(body), CHAIN)


def test_one_body_that_is_seen_well_is_enough() -> None:
    joints = moving(10, bodies=2)
    joints[:, 1, 1:] = np.nan
    closed = close_gaps(joints, numbers(joints), CHAIN)
    np.testing.assert_array_equal(closed.joints[:, 0], joints[:, 0])
    assert closed.masked == 40
    joints[:, 0, 1:] = np.nan
    with pytest.raises(RecordingError, match="only 20% of the joints of the body seen best"):
        close_gaps(joints, numbers(joints), CHAIN)


def test_a_recording_is_filled() -> None:
    joints = moving(20)
    joints[4, 0, 2] = np.nan
    joints[:, 0, 3] = np.nan
    assert np.isfinite(without_gaps(Recording(joints, CHAIN, fps=30), CHAIN).joints).all()
    whole = Recording(moving(20), CHAIN, fps=30)
    assert without_gaps(whole, CHAIN) is whole


# --- what was not seen ----------------------------------------------------------------------------------------------


def test_nan_zero_and_unsure_joints_are_unseen() -> None:
    joints = moving(6) + np.array([4, 0, 0])
    joints[1, 0, 2] = np.nan
    joints[2, 0, 3, 1] = np.nan
    joints[3, 0, 4] = 0
    joints[4, 0, 1, 0] = 0  # one coordinate is no matter
    confidence = np.ones((6, 1, 5))
    confidence[5, 0, 0] = 0.2
    confidence[5, 0, 1] = np.nan
    expected = {(1, 0, 2), (2, 0, 3), (3, 0, 4)}
    assert set(map(tuple, np.argwhere(unseen(joints)).tolist())) == expected
    expected |= {(5, 0, 0), (5, 0, 1)}
    assert set(map(tuple, np.argwhere(unseen(joints, confidence, 0.3)).tolist())) == expected


def test_a_body_that_is_not_there_is_not_unseen() -> None:
    joints = moving(6, bodies=2) + 5
    joints[:4, 1] = 0
    assert not unseen(joints).any()


def test_zero_is_a_position_of_bodies_round_the_origin() -> None:
    rng = np.random.default_rng(0)
    pose = standing(NTU25) + rng.normal(0, 0.02, (20, 25, 3))
    centred = (pose - pose[:, :1])[:, None]
    assert not centred[:, 0, 0].any()
    assert not unseen(centred).any()
    once = (pose - pose[:1, :1])[:, None]  # as prepared recordings are: the pelvis begins at the origin
    assert not once[0, 0, 0].any()
    assert not unseen(once).any()
    hands = centred.copy()
    hands[4:8, 0, 7] = 0  # from far away
    assert np.argwhere(unseen(hands)).tolist() == [[t, 0, 7] for t in range(4, 8)]
    never = centred + np.array([0, 0, 3.0])
    never[:, 0, 7] = 0
    assert np.argwhere(unseen(never)).tolist() == [[t, 0, 7] for t in range(20)]
