import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import literal_readers as literal

import kinestream as ks
from kinestream.data.body_size import body_scale, measured
from kinestream.data.clips import clips_as
from kinestream.data.formats import ntu
from kinestream.data.preparation import PREPARATIONS, resize
from kinestream.data.recording import Recording, RecordingError
from kinestream.skeleton.layout import KINECT20, NTU25, SkeletonLayout, load_layout
from kinestream.skeleton.pose import standing

PUBLISHED, TRACKED = PREPARATIONS["published"], PREPARATIONS["tracked"]
PELVIS, ROOT, LEFT, RIGHT = *NTU25.pelvis, NTU25.root, *NTU25.heading
Frames = Mapping[int, np.ndarray]
"""Joints (v, c) of one body by frame."""


def recording_of(
    frames: int, bodies: Sequence[tuple[int, Frames]], orders: np.random.Generator | None = None
) -> Recording:
    """Bodies (number, joints by frame), in this order in each frame, or each time in another one."""
    seen = [[(number, body[t]) for number, body in bodies if t in body] for t in range(frames)]
    if orders is not None:
        seen = [[entries[i] for i in orders.permutation(len(entries))] for entries in seen]
    most = max(1, *(len(entries) for entries in seen))
    joints, numbers = np.zeros((frames, most, 25, 3)), np.zeros((frames, most), dtype=np.int64)
    for t, entries in enumerate(seen):
        for m, (number, body) in enumerate(entries):
            joints[t, m], numbers[t, m] = body, number
    return Recording(joints=joints, bodies=numbers)


def turn(joints: np.ndarray, angle: float) -> np.ndarray:
    """Turned about the vertical, which is y."""
    c, s = math.cos(angle), math.sin(angle)
    return joints @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T


def person(
    frames: int, seed: int = 0, moves: float = 0.02, at: tuple[float, float] = (0.3, 3.0), facing: float = 0.4
) -> Frames:
    """Upright and slender from all sides, walking; `moves` scales how much the limbs move."""
    rng = np.random.default_rng(seed)
    pose = rng.uniform((-0.2, 0.0, -0.15), (0.2, 1.7, 0.15), size=(25, 3))
    pose[[0, 3]] = (0, 0.02, 0), (0, 1.7, 0)
    pose[[ROOT, LEFT, RIGHT]] = (0, 1.4, 0), (-0.19, 1.38, 0), (0.19, 1.42, 0.01)
    limbs = moves * rng.normal(size=(frames, 25, 3))
    path = np.linspace((at[0], -0.9, at[1]), (at[0] + 0.3, -0.9, at[1] - 0.2), frames)
    return dict(enumerate(turn(pose + limbs, facing) + path[:, None]))


def only(body: Frames, frames: Sequence[int]) -> Frames:
    return {t: body[t] for t in frames}


def track(recording: Recording, most_bodies: int = 2, layout: SkeletonLayout = NTU25) -> np.ndarray:
    joints = TRACKED.clean(recording, layout, most_bodies)
    assert joints.shape[1] == most_bodies
    return joints


def publish(recording: Recording, frames: int, most_bodies: int = 2) -> np.ndarray:
    return PUBLISHED.clip(PUBLISHED.clean(recording, NTU25, most_bodies), frames, NTU25)


# --- resize ---------------------------------------------------------------------------------------------------------


@given(length=st.integers(1, 40), frames=st.integers(1, 60))
def test_resize_is_the_loop(length: int, frames: int) -> None:
    joints = np.random.default_rng(length).normal(size=(length, 2, 3, 3))
    np.testing.assert_allclose(resize(joints, frames), literal.resize(joints, frames), rtol=0, atol=1e-12)


@given(length=st.integers(1, 300), frames=st.integers(1, 300))
def test_resize_keeps_time(length: int, frames: int) -> None:
    """A body that moves evenly still does, except at the two ends, which half-pixel centres hold still."""
    clip = resize(np.arange(float(length)).reshape(length, 1, 1, 1), frames).ravel()
    assert (np.diff(clip) >= 0).all()
    np.testing.assert_allclose(clip + clip[::-1], length - 1, atol=1e-9)
    inner = (clip > 0) & (clip < length - 1)
    np.testing.assert_allclose(np.diff(clip[inner]), length / frames, atol=1e-9)
    if length == frames:
        np.testing.assert_array_equal(clip, np.arange(length))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("preparation", PREPARATIONS.values(), ids=PREPARATIONS)
def test_clips_keep_the_type(dtype: type, preparation: object) -> None:
    joints = np.random.default_rng(0).normal(size=(7, 2, 25, 3)).astype(dtype)
    for prepared in PREPARATIONS.values():
        assert prepared.clip(joints, 50, NTU25).dtype == dtype


# --- published ------------------------------------------------------------------------------------------------------


def test_published_golden(real_data: Path, golden: Path) -> None:
    with np.load(golden / "ntu_prepared.npz") as values:
        names = values["names"].tolist()
        assert len(names) == 7
        for index, name in enumerate(names):
            path = real_data / f"ntu/nturgb+d_skeletons/{name}.skeleton"
            recording = ntu.read(ntu.parse_name(path))
            raw = recording.joints.transpose(3, 0, 2, 1)
            np.testing.assert_array_equal(values[f"raw.{name}"][..., : raw.shape[3]], raw.astype(np.float32), name)
            assert not values[f"raw.{name}"][..., raw.shape[3] :].any()
            full = PUBLISHED.clean(recording, NTU25, 2)
            for dtype in (np.float64, np.float32):  # as computed, and as the store keeps it
                clip = PUBLISHED.clip(full.astype(dtype), 50, NTU25).transpose(3, 0, 2, 1)
                np.testing.assert_allclose(clip, values["position"][index], rtol=0, atol=2e-6, err_msg=name)


@settings(max_examples=60)
@given(
    counts=st.lists(st.integers(0, 4), min_size=1, max_size=14).filter(any),
    frames=st.integers(2, 12),
    seed=st.integers(0, 1000),
)
def test_published_is_the_loops(counts: list[int], frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    joints = rng.normal(size=(len(counts), max(counts), 25, 3))
    joints *= (np.arange(max(counts)) < np.array(counts)[:, None])[..., None, None]
    recording = Recording(joints=joints, bodies=joints.any(axis=(2, 3)).astype(np.int64))
    expected = literal.prepare_as_published(joints, frames)
    np.testing.assert_allclose(publish(recording, frames), expected, rtol=0, atol=1e-9)


def test_published_keeps_as_many_frames_as_are_valid_from_the_start() -> None:
    """Not the valid ones: zeros in the middle stay, and the end is lost instead."""
    walk = person(10)
    seen = [0, 1, 2, 5, 6, 7, 8, 9]
    joints = PUBLISHED.clean(recording_of(10, [(1, only(walk, seen))]), NTU25, 2)
    assert len(joints) == 8
    assert not joints[[3, 4]].any()
    for t in (0, 1, 2, 5, 6, 7):
        np.testing.assert_array_equal(joints[t, 0], walk[t] - walk[t][ROOT])
    assert not joints[:, 1].any()


def test_published_looks_at_the_first_joint_of_the_first_body_only() -> None:
    walk = person(4)
    partly = {t: joints.copy() for t, joints in walk.items()}
    partly[2][0] = 0
    joints = PUBLISHED.clean(recording_of(4, [(1, partly)]), NTU25, 2)
    assert len(joints) == 3
    np.testing.assert_array_equal(joints[2, 0], partly[2] - partly[2][ROOT])


def test_published_drops_third_bodies() -> None:
    three = [(number, person(5, seed=number)) for number in (9, 3, 5)]
    np.testing.assert_array_equal(publish(recording_of(5, three), 8), publish(recording_of(5, three[:2]), 8))
    one = PUBLISHED.clean(recording_of(5, three), NTU25, 1)
    np.testing.assert_array_equal(one, PUBLISHED.clean(recording_of(5, three[:1]), NTU25, 1))


def test_published_does_not_track() -> None:
    """Body m is the m-th of each frame: when the first leaves, the second becomes the first."""
    a, b = person(6, seed=1), person(6, seed=2, at=(-1.0, 2.5))
    joints = PUBLISHED.clean(recording_of(6, [(1, only(a, [0, 1, 2])), (2, b)]), NTU25, 2)
    np.testing.assert_array_equal(joints[4, 0], b[4] - b[4][ROOT])
    assert not joints[4, 1].any()


@pytest.mark.parametrize("frames", [1, 5])
def test_no_valid_frame(frames: int) -> None:
    body = {0: person(1)[0].copy()}
    body[0][0] = 0
    recording = recording_of(frames, [(1, body)])
    with pytest.raises(ZeroDivisionError):
        literal.prepare_as_published(recording.joints)
    with pytest.raises(RecordingError, match=f"no valid frame: .* is zero in all {frames}"):
        PUBLISHED.clean(recording, NTU25, 2)


def test_published_turns_shoulders_along_x() -> None:
    """Up to the 1e-4 in the formula; from the side that the body shows most."""
    for facing in (-1.2, -0.3, 0.3, 1.2):
        clip = publish(recording_of(9, [(1, person(9, moves=0.0, facing=facing))]), 20)
        across = clip[:, 0, RIGHT] - clip[:, 0, LEFT]
        assert (across[:, 0] > 0.3).all()
        assert np.abs(across[:, 2]).max() < 0.02
        assert not clip[:, 0, ROOT].any()


# --- tracked --------------------------------------------------------------------------------------------------------


def two_people(frames: int = 20) -> list[tuple[int, Frames]]:
    """The first moves more."""
    return [(7, person(frames, seed=1, moves=0.05)), (3, person(frames, seed=2, at=(-0.8, 2.2), facing=-2.0))]


@given(seed=st.integers(0, 1000))
def test_swapped_bodies_are_followed(seed: int) -> None:
    straight = track(recording_of(20, two_people()))
    swapped = recording_of(20, two_people(), np.random.default_rng(seed))
    np.testing.assert_array_equal(track(swapped), straight)


def test_the_most_energetic_first() -> None:
    people = two_people()
    np.testing.assert_array_equal(track(recording_of(20, people)), track(recording_of(20, people[::-1])))
    calm_first = track(recording_of(20, [(1, person(20, seed=2)), (2, person(20, seed=1, moves=0.05))]))
    np.testing.assert_allclose(calm_first[:, 0], track(recording_of(20, [(2, person(20, seed=1, moves=0.05))]))[:, 0])


def test_a_third_person_is_left_out_by_energy_not_by_number() -> None:
    people = two_people()
    calm = (1, person(20, seed=3, moves=0.001, at=(1.5, 3.5)))
    for order in ([calm, *people], [*people, calm]):
        np.testing.assert_array_equal(track(recording_of(20, order)), track(recording_of(20, people)))


def test_without_movement_the_first_in_the_file_comes_first() -> None:
    """A single frame has no energy: the order of the file decides, not the tracking number."""
    a, b = person(1, seed=1), person(1, seed=2, at=(-1.0, 2.0))
    joints = track(recording_of(1, [(9, a), (2, b)]))
    np.testing.assert_array_equal(joints, track(recording_of(1, [(2, a), (9, b)])))
    np.testing.assert_array_equal(joints[:, 0], track(recording_of(1, [(1, a)]))[:, 0])


@pytest.mark.parametrize(("seen", "kept"), [(1, False), (2, False), (3, True), (29, True)])
def test_short_bodies_are_noise(seen: int, kept: bool) -> None:
    """In under a tenth of 30 frames, however wild."""
    wild = only(person(30, seed=5, moves=0.3, at=(-1.5, 2.0)), range(30 - seen, 30))
    for body in wild.values():
        body[:, 1] *= 3  # in shape
    calm = (1, person(30, seed=1, moves=0.001))
    joints = track(recording_of(30, [calm, (2, wild)]))
    assert joints[:, 1].any() == kept
    if not kept:
        np.testing.assert_array_equal(joints, track(recording_of(30, [calm])))


def wide(frames: int, moves: float) -> Frames:
    """A bench."""
    rng = np.random.default_rng(8)
    pose = rng.uniform((-1.0, 0.0, 2.7), (1.0, 0.6, 3.3), size=(25, 3))
    return dict(enumerate(pose + moves * rng.normal(size=(frames, 25, 3))))


def test_wide_bodies_are_noise_beside_a_person() -> None:
    calm = (2, person(20, moves=0.001))
    recording = recording_of(20, [(1, wide(20, moves=0.2)), calm])
    np.testing.assert_array_equal(track(recording), track(recording_of(20, [calm])))


def test_a_wide_body_alone_stays() -> None:
    calm, wild = (1, wide(20, moves=0.01)), (2, wide(20, moves=0.1))
    joints = track(recording_of(20, [calm, wild]))
    np.testing.assert_array_equal(joints, track(recording_of(20, [wild])))
    assert joints[:, 0].any()


def test_a_person_who_lies_for_some_time_stays() -> None:
    body = {t: joints if t < 8 else joints[:, [1, 0, 2]] for t, joints in person(20, moves=0.05).items()}
    joints = track(recording_of(20, [(1, body), (2, person(20, seed=2, moves=0.001, at=(-2, 3)))]))
    np.testing.assert_allclose(joints[:, 0], track(recording_of(20, [(1, body)]))[:, 0], atol=1e-12)


def test_gaps_are_interpolated() -> None:
    frames = 12
    pose = person(1, seed=1)[0]
    speed = np.random.default_rng(0).normal(scale=0.01, size=(25, 3))
    even = {t: pose + t * speed for t in range(frames)}
    whole = track(recording_of(frames, [(1, even)]))
    for seen in ([0, 1, 5, 11], [0, 11], [0, 2, 4, 6, 8, 10, 11]):
        np.testing.assert_allclose(track(recording_of(frames, [(1, only(even, seen))])), whole, atol=1e-12)


def test_gaps_of_the_second_body_and_nothing_around_it() -> None:
    first, (number, second) = two_people()
    seen = [5, 6, 9, 12]
    joints = track(recording_of(20, [first, (number, only(second, seen))]))
    whole = track(recording_of(20, [first, (number, second)]))
    np.testing.assert_array_equal(joints[:, 0], whole[:, 0])
    np.testing.assert_allclose(joints[seen, 1], whole[seen, 1], atol=1e-12)
    np.testing.assert_allclose(joints[7, 1], (2 * whole[6, 1] + whole[9, 1]) / 3, atol=1e-12)
    assert not joints[:5, 1].any()
    assert not joints[13:, 1].any()


def test_frames_before_and_after_all_bodies_are_cut_off() -> None:
    walk = person(20)
    joints = track(recording_of(20, [(1, only(walk, range(3, 15)))]))
    np.testing.assert_array_equal(joints, track(recording_of(12, [(1, {t - 3: walk[t] for t in range(3, 15)})])))
    assert len(joints) == 12
    assert not joints[:, 1].any()


def test_when_the_second_body_begins_first() -> None:
    """The time begins with it, the origin is still where the first body begins."""
    (number, first), second = two_people()
    joints = track(recording_of(20, [(number, only(first, range(4, 20))), second]))
    assert not joints[:4, 0].any()
    assert joints[:4, 1].any(axis=(1, 2)).all()
    np.testing.assert_allclose(joints[4, 0, PELVIS], 0, atol=1e-12)


def test_a_number_twice_in_a_frame() -> None:
    a, b = person(6, seed=1), person(6, seed=2)
    joints = track(recording_of(6, [(4, a), (4, b)]), 1)
    np.testing.assert_array_equal(joints, track(recording_of(6, [(4, a)]), 1))


def test_facing_straight_up_is_no_heading() -> None:
    walk = person(5)
    for body in walk.values():
        body[[LEFT, RIGHT]] = body[ROOT] + [(0, -0.2, 0), (0, 0.2, 0)]
    joints = track(recording_of(5, [(1, walk)]))
    np.testing.assert_allclose(joints[0, 0], walk[0] - walk[0][PELVIS], atol=1e-12)


@pytest.mark.parametrize("most_bodies", [1, 2])
def test_the_first_body_begins_at_the_origin_with_its_shoulders_along_x(most_bodies: int) -> None:
    joints = track(recording_of(20, two_people()), most_bodies)
    start = joints[0, 0]
    np.testing.assert_allclose(start[PELVIS], 0, atol=1e-12)
    across = start[RIGHT] - start[LEFT]
    assert across[0] > 0.3
    assert abs(across[2]) < 1e-12


def test_the_scene_is_moved_as_a_whole() -> None:
    people = two_people()
    joints = track(recording_of(20, people))
    raw = np.stack([np.stack([body[t] for _, body in people]) for t in range(20)])
    # One motion for all joints, bodies and frames: found from the first frame, it explains everything.
    moved, still = joints.reshape(-1, 3), raw.reshape(-1, 3)
    np.testing.assert_allclose(np.diff(moved[:, 1]), np.diff(still[:, 1]), atol=1e-12)
    distances = [np.linalg.norm(points[:, None] - points[None, ::7], axis=-1) for points in (moved, still)]
    np.testing.assert_allclose(*distances, atol=1e-12)
    # Turned, not mirrored: what is to the left stays there.
    sides = [_sides(points[:, 0] + 1j * points[:, 2]) for points in (moved, still)]
    np.testing.assert_allclose(*sides, atol=1e-12)
    # The path through the room is kept.
    length = np.linalg.norm(joints[-1, 0, PELVIS] - joints[0, 0, PELVIS])
    assert length == pytest.approx(np.linalg.norm(raw[-1, 0, PELVIS] - raw[0, 0, PELVIS]))
    assert length > 0.3


def _sides(ground: np.ndarray) -> np.ndarray:
    """Twice the signed areas of triangles on the ground, whose points are complex numbers."""
    return (np.conj(ground[1:-1] - ground[0]) * (ground[2:] - ground[0])).imag


@given(
    angle=st.floats(-math.pi, math.pi),
    shift=st.tuples(*[st.floats(-20, 20)] * 3),
    seed=st.integers(0, 100),
)
def test_where_the_camera_stands_does_not_matter(angle: float, shift: tuple[float, ...], seed: int) -> None:
    people = [
        (5, person(12, seed=seed, moves=0.05)),
        (2, only(person(12, seed=seed + 1, at=(-1.0, 2.0), facing=2.0), [2, 3, 4, 7, 8])),
    ]
    seen_from_elsewhere = [
        (number, {t: turn(joints, angle) + shift for t, joints in body.items()}) for number, body in people
    ]
    expected = track(recording_of(12, people))
    np.testing.assert_allclose(track(recording_of(12, seen_from_elsewhere)), expected, atol=1e-10)


def test_no_body_at_all() -> None:
    with pytest.raises(RecordingError, match="no body in any of its 4 frames"):
        track(recording_of(4, []))


@given(
    counts=st.lists(st.integers(0, 6), min_size=1, max_size=10).filter(any),
    seed=st.integers(0, 1000),
    frames=st.integers(2, 60),
    most_bodies=st.integers(1, 3),
    layout=st.sampled_from([NTU25, KINECT20]),
)
def test_any_recording_gives_a_clip_or_a_reason(
    counts: list[int], seed: int, frames: int, most_bodies: int, layout: SkeletonLayout
) -> None:
    rng = np.random.default_rng(seed)
    shape = (len(counts), max(counts), len(layout.joints), 3)
    present = np.arange(max(counts)) < np.array(counts)[:, None]
    numbers = rng.integers(1, 4, size=shape[:2]) * present
    joints = rng.choice([0.0, 1.0, -2.0, 100.0, 1e-9, 0.3], size=shape) * present[..., None, None]
    for preparation in PREPARATIONS.values():
        try:
            full = preparation.clean(Recording(joints=joints, bodies=numbers), layout, most_bodies)
        except RecordingError:
            continue
        assert full.shape[1:] == (most_bodies, *shape[2:])
        assert 1 <= len(full) <= len(counts)
        clip = preparation.clip(full.astype(np.float32), frames, layout)
        assert clip.shape == (frames, *full.shape[1:])
        assert np.isfinite(clip).all()


# --- scaled ---------------------------------------------------------------------------------------------------------


def upright(layout: SkeletonLayout, frames: int, seed: int) -> np.ndarray:
    """A body that stands and trembles, `(t, v, c)`."""
    rng = np.random.default_rng(seed)
    joints: np.ndarray = standing(layout) + 0.01 * rng.standard_normal((frames, len(layout.joints), 3))
    return joints


def scaled(recording: Recording, layout: SkeletonLayout) -> np.ndarray:
    chosen = PREPARATIONS["scaled"]
    return chosen.clip(chosen.clean(recording, layout, 2), 16, layout)


@pytest.mark.parametrize("name", ["ntu25", "coco17", "body16", "smpl24"])
@given(size=st.floats(0.01, 1000), seed=st.integers(0, 100))
def test_units_and_height_do_not_matter(name: str, size: float, seed: int) -> None:
    layout = load_layout(name)
    joints = upright(layout, 20, seed)[:, None]
    grown = scaled(Recording(joints=joints), layout)
    np.testing.assert_allclose(scaled(Recording(joints=size * joints), layout), grown, rtol=1e-4, atol=1e-6)


def test_a_grown_body_keeps_its_metres_and_a_child_gets_its_size() -> None:
    joints = upright(NTU25, 20, 0)[:, None]
    own = TRACKED.clip(TRACKED.clean(Recording(joints=joints), NTU25, 2), 16, NTU25)
    np.testing.assert_allclose(scaled(Recording(joints=0.6 * joints), NTU25), own, rtol=0.03, atol=1e-3)


def test_bones_that_are_hidden_all_the_time_do_not_count_for_the_size() -> None:
    joints = upright(NTU25, 20, 0)
    hidden = joints.copy()
    for side in ("left", "right"):
        for joint, parent in (("knee", "hip"), ("ankle", "hip")):
            hidden[:, NTU25.joints.index(f"{side}_{joint}")] = joints[:, NTU25.joints.index(f"{side}_{parent}")]
    assert body_scale(hidden, NTU25) == pytest.approx(body_scale(joints, NTU25), rel=0.02)


@pytest.mark.parametrize("name", ["ntu25", "kinect20", "coco17", "mediapipe33", "body16"])
@pytest.mark.parametrize("frames", [1, 8, 9])
def test_the_size_is_that_of_the_formula_bone_by_bone(name: str, frames: int) -> None:
    layout = load_layout(name)
    body = standing(layout) + np.random.default_rng(frames).normal(0, 0.05, (frames, len(layout.joints), 3))
    wanted = found = 0.0
    for start, end, weight, length in measured(layout):
        bones = sum(body[:, v] for v in start) / len(start) - sum(body[:, v] for v in end) / len(end)
        wanted += length
        found += weight * statistics.median(math.hypot(*bone) for bone in bones.tolist())
    assert body_scale(body, layout) == pytest.approx(wanted / found, rel=1e-12)


def test_jumps_of_a_joint_do_not_change_the_size() -> None:
    joints = upright(NTU25, 20, 0)
    jumping = joints.copy()
    jumping[::5, NTU25.joints.index("left_knee")] += 2.0
    assert body_scale(jumping, NTU25) == pytest.approx(body_scale(joints, NTU25), rel=0.01)


def test_a_scene_of_two_is_scaled_by_the_first() -> None:
    people = two_people()
    recording = recording_of(20, people)
    whole, alone = scaled(recording, NTU25), scaled(recording_of(20, people[:1]), NTU25)
    np.testing.assert_allclose(whole[:, 0], alone[:, 0])
    apart = TRACKED.clip(TRACKED.clean(recording, NTU25, 2), 16, NTU25)
    np.testing.assert_allclose(whole[:, 1] / whole[0, 0, LEFT, 0], apart[:, 1] / apart[0, 0, LEFT, 0], rtol=1e-5)


def test_a_tracked_store_gives_scaled_clips_and_the_other_way_round(tmp_path: Path) -> None:
    joints = [0.5 * upright(NTU25, 20 + seed, seed)[:, None] for seed in range(3)]
    stores = [ks.prepare(joints, tmp_path / name, layout="ntu25", preparation=name) for name in ("tracked", "scaled")]
    for wanted in ("tracked", "scaled"):
        clips = [clips_as(store, 16, NTU25, preparation=wanted).batch(np.arange(3)) for store in stores]
        np.testing.assert_array_equal(*clips)
    assert not np.allclose(clips[0], clips_as(stores[1], 16, NTU25, preparation="tracked").batch(np.arange(3)))
    with pytest.raises(ValueError, match=r"was prepared 'tracked', which gives no clips of 'published'"):
        clips_as(stores[0], 16, NTU25, preparation="published")
