"""Generated recordings: do the people move like people, does the sensor see them, are the files of the true formats?"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.data.formats import ntu, nw_ucla
from kinestream.data.synthetic import (
    generate_ntu,
    generate_nw_ucla,
    kinect20_from_ntu25,
    ntu_actions,
    nw_ucla_actions,
    perform_ntu,
    perform_nw_ucla,
)
from kinestream.data.synthetic.formats import COLOUR, DEPTH, ntu_bytes, nw_ucla_bytes
from kinestream.data.synthetic.generate import NTU_TEST, NTU_TRAIN, ntu_take, nw_ucla_take
from kinestream.data.synthetic.numerals import numerals
from kinestream.data.synthetic.sensor import draw_camera, record
from kinestream.skeleton.layout import KINECT20, NTU25

TWO = (50, 52, 55, 58, 59, 60)
LEAVES_FLOOR = (22, 26, 27)
SEEDS = range(6)


def of(joints: np.ndarray, name: str, body: int = 0) -> np.ndarray:
    """Places (t, 3) of one joint."""
    return joints[:, body, NTU25.joints.index(name)]


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a - b, axis=-1)


def bones(joints: np.ndarray) -> np.ndarray:
    children, parents = (list(ends) for ends in zip(*NTU25.bones, strict=True))
    return distance(joints[..., children, :], joints[..., parents, :])


def inner_angle(a: np.ndarray, middle: np.ndarray, b: np.ndarray) -> np.ndarray:
    u, w = a - middle, b - middle
    cosine = (u * w).sum(-1) / np.linalg.norm(u, axis=-1) / np.linalg.norm(w, axis=-1)
    return np.arccos(np.clip(cosine, -1, 1))


@pytest.fixture(params=sorted(ntu_actions()))
def action(request: pytest.FixtureRequest) -> int:
    return int(request.param)


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_bones_keep_their_length(action: int, seed: int) -> None:
    lengths = bones(perform_ntu(action, 3, seed, partner=4))
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[:1], lengths.shape), atol=1e-9)
    assert lengths.min() > 0.02


def test_a_subject_has_one_body_in_all_actions() -> None:
    first = bones(perform_ntu(6, 3, 0))[0, 0]
    np.testing.assert_allclose(bones(perform_ntu(58, 3, 0, partner=9, number=7))[0, 0], first, atol=1e-9)
    np.testing.assert_allclose(bones(perform_nw_ucla(4, 3, 0))[0, 0], first, atol=1e-9)
    assert np.abs(bones(perform_ntu(6, 4, 0))[0, 0] - first).max() > 0.005
    assert np.abs(bones(perform_ntu(6, 3, 1))[0, 0] - first).max() > 0.005


@pytest.mark.parametrize("seed", range(3))
def test_elbows_and_knees_bend_as_they_can(action: int, seed: int) -> None:
    joints = perform_ntu(action, 5, seed, partner=6)
    for body in range(joints.shape[1]):
        for side in ("left", "right"):
            arm = [of(joints, f"{side}_{joint}", body) for joint in ("shoulder", "elbow", "wrist")]
            leg = [of(joints, f"{side}_{joint}", body) for joint in ("hip", "knee", "ankle")]
            assert inner_angle(*arm).min() > np.radians(28)
            assert inner_angle(*leg).min() > np.radians(28)


@pytest.mark.parametrize("action", [6, 8, 9, 26, 27, 50, 59])
@pytest.mark.parametrize("seed", range(3))
def test_knees_bend_forward(action: int, seed: int) -> None:
    joints = perform_ntu(action, 5, seed, partner=6)
    across = of(joints, "right_hip") - of(joints, "left_hip")
    ahead = np.cross([0.0, 1.0, 0.0], across)
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    for side in ("left", "right"):
        hip, knee, ankle = (of(joints, f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
        share = ((knee - hip) * (ankle - hip)).sum(-1, keepdims=True) / ((ankle - hip) ** 2).sum(-1, keepdims=True)
        off = ((knee - hip - share * (ankle - hip)) * ahead).sum(-1)
        assert off.min() > -0.03


def test_people_are_of_human_size_and_stand_on_the_floor(action: int) -> None:
    for seed in SEEDS:
        joints = perform_ntu(action, 5, seed, partner=6)
        heights = joints[..., 1]
        assert heights.min() > (-0.15 if action == 43 else -0.02)
        assert heights.max() < 2.9
        tall = bones(joints)[0, 0].sum()
        assert 3.5 < tall < 6.5
        if action not in LEAVES_FLOOR:
            assert heights.min(axis=2).max() < 0.1


def test_motion_is_smooth(action: int) -> None:
    joints = perform_ntu(action, 5, 0, partner=6)
    moved = distance(joints[1:], joints[:-1])
    assert 0.01 < moved.max() < 0.75, "metres a frame"


@pytest.mark.parametrize("seed", SEEDS)
def test_walking_feet_stay_where_they_are_put_down(seed: int) -> None:
    joints = perform_nw_ucla(4, 2, seed, frames=(80, 80))
    ankles = np.stack([of(joints, f"{side}_ankle") for side in ("left", "right")], axis=1)
    slides = distance(ankles[1:], ankles[:-1]).min(axis=1)
    hips = distance(of(joints, "spine_base")[1:], of(joints, "spine_base")[:-1])
    assert hips.sum() > 0.8
    assert np.median(slides) < 0.1 * hips.max()


# --- actions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_jump_leaves_the_floor_and_comes_back(seed: int) -> None:
    lowest = perform_ntu(27, 2, seed)[..., 0, :, 1].min(axis=1)
    assert lowest.max() > lowest[0] + 0.08
    assert lowest[-1] == pytest.approx(lowest[0], abs=0.03)


@pytest.mark.parametrize("seed", SEEDS)
def test_hopping_leaves_the_floor_more_than_once_and_on_one_foot(seed: int) -> None:
    joints = perform_ntu(26, 2, seed)
    ankles = np.stack([of(joints, f"{side}_ankle")[:, 1] for side in ("left", "right")], axis=1)
    lowest = ankles.min(axis=1) - ankles.min()
    assert np.count_nonzero(np.diff((lowest > 0.03).astype(int)) == 1) >= 2
    assert np.ptp(ankles, axis=1).max() > 0.15


@pytest.mark.parametrize("seed", SEEDS)
def test_sitting_down_lowers_the_hips_and_standing_up_raises_them(seed: int) -> None:
    for action, sign in ((8, -1), (9, 1)):
        hips = of(perform_ntu(action, 2, seed), "spine_base")[:, 1]
        assert sign * (hips[-1] - hips[0]) > 0.25
    for action, sign in ((5, -1), (6, 1)):
        hips = of(perform_nw_ucla(action, 2, seed), "spine_base")[:, 1]
        assert sign * (hips[-1] - hips[0]) > 0.25


@pytest.mark.parametrize("seed", SEEDS)
def test_shaken_hands_meet(seed: int) -> None:
    joints = perform_ntu(58, 2, seed, partner=7)
    apart = distance(of(joints, "right_hand", 0), of(joints, "right_hand", 1))
    assert apart.min() < 0.1
    assert np.count_nonzero(apart < 0.12) >= len(apart) / 5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hug_brings_hands_behind_the_other(seed: int) -> None:
    joints = perform_ntu(55, 2, seed, partner=7)
    apart = distance(of(joints, "spine_mid", 0), of(joints, "spine_mid", 1))
    assert apart.min() < 0.5 < apart.max()
    closest = int(apart.argmin())
    for body in (0, 1):
        own, other = (of(joints, "spine_mid", b)[closest] for b in (body, 1 - body))
        reach = [(of(joints, f"{side}_hand", body)[closest] - own) @ (other - own) for side in ("left", "right")]
        assert max(reach) > (other - own) @ (other - own)


@pytest.mark.parametrize("seed", SEEDS)
def test_fist_and_palms_reach_the_other(seed: int) -> None:
    for action, hands in ((50, 1), (52, 2)):
        joints = perform_ntu(action, 2, seed, partner=7)
        trunk = [of(joints, name, 1) for name in ("head", "spine_shoulder", "left_shoulder", "right_shoulder")]
        gaps = [
            min(distance(of(joints, f"{side}_hand_tip"), part).min() for part in trunk) for side in ("left", "right")
        ]
        assert sorted(gaps)[hands - 1] < 0.25


@pytest.mark.parametrize("seed", SEEDS)
def test_walking_towards_and_apart(seed: int) -> None:
    for action, sign in ((59, -1), (60, 1)):
        joints = perform_ntu(action, 2, seed, partner=7)
        apart = distance(of(joints, "spine_base", 0), of(joints, "spine_base", 1))
        assert sign * (apart[-1] - apart[0]) > 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_hands_find_head_floor_and_each_other(seed: int) -> None:
    def nearest(action: int, part: str) -> float:
        joints = perform_ntu(action, 2, seed)
        return min(float(distance(of(joints, f"{side}_hand"), of(joints, part)).min()) for side in ("left", "right"))

    for action in (1, 28, 38):
        assert nearest(action, "head") < 0.28
    for action in (10, 34):
        joints = perform_ntu(action, 2, seed)
        assert distance(of(joints, "left_hand"), of(joints, "right_hand")).min() < 0.12
    picked = perform_ntu(6, 2, seed)
    assert min(of(picked, f"{side}_hand")[:, 1].min() for side in ("left", "right")) < 0.68
    cheered = perform_ntu(22, 2, seed)
    assert max((of(cheered, f"{side}_hand") - of(cheered, "head"))[:, 1].max() for side in ("left", "right")) > 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_who_falls_lies(seed: int) -> None:
    joints = perform_ntu(43, 2, seed)
    assert of(joints, "head")[0, 1] > 1.2
    assert of(joints, "head")[-1, 1] < 0.6
    assert of(joints, "spine_base")[-1, 1] < 0.4


@pytest.mark.parametrize("seed", SEEDS)
def test_two_hands_pick_up_together(seed: int) -> None:
    joints = perform_nw_ucla(2, 2, seed)
    lowest = [of(joints, f"{side}_wrist")[:, 1].min() for side in ("left", "right")]
    assert lowest[0] == pytest.approx(lowest[1], abs=0.25)
    assert max(lowest) < 0.75


def test_two_person_actions_have_two_people_and_others_mostly_one() -> None:
    for action in ntu_actions():
        counts = [perform_ntu(action, 2, seed, partner=7, frames=(4, 4)).shape[1] for seed in range(20)]
        assert (min(counts) == 2) == (action in TWO)
        if action not in TWO:
            assert np.mean(counts) < 1.4


def test_performances_differ_in_length_heading_and_side() -> None:
    several = [perform_ntu(23, 2, 0, number=number) for number in range(30)]
    assert len({len(joints) for joints in several}) > 15
    across = np.array([(of(joints, "right_shoulder") - of(joints, "left_shoulder"))[0] for joints in several])
    assert np.ptp(np.arctan2(across[:, 2], across[:, 0])) > 0.8
    raised = [of(joints, "left_wrist")[:, 1].max() > of(joints, "right_wrist")[:, 1].max() for joints in several]
    assert 0 < sum(raised) < len(raised)


def test_performance_depends_on_its_arguments_only() -> None:
    once, again = (perform_ntu(7, 2, 5, number=3) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once[:40], perform_ntu(7, 2, 5, number=4)[:40])
    assert not np.array_equal(once[:40], perform_ntu(7, 2, 6, number=3)[:40])


@given(frames=st.integers(2, 12), action=st.sampled_from(sorted(ntu_actions())), seed=st.integers(0, 1000))
def test_any_length_works(frames: int, action: int, seed: int) -> None:
    joints = perform_ntu(action, 2, seed, frames=(frames, frames))
    assert joints.shape[0] == frames
    assert np.isfinite(joints).all()


def test_unknown_action_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"action 2 is not generated.*\b6\b"):
        perform_ntu(2, 1, 0)


def test_kinect_v1_joints_are_taken_by_name() -> None:
    joints = perform_nw_ucla(12, 2, 0)
    mapped = kinect20_from_ntu25(joints)
    for v, name in enumerate(KINECT20.joints):
        if name in NTU25.joints:
            np.testing.assert_array_equal(mapped[:, 0, v], of(joints, name))
    np.testing.assert_array_equal(mapped[:, 0, KINECT20.joints.index("hip_centre")], of(joints, "spine_base"))


# --- sensor -----------------------------------------------------------------------------------------------------------


def test_cameras_see_one_performance_up_to_a_rigid_motion(rng: np.random.Generator) -> None:
    joints = perform_ntu(58, 2, 0, partner=7)
    views = [record(joints, draw_camera(number, 5), rng, noise=0.0).joints for number in (1, 2, 3)]
    points = [view.reshape(-1, 3)[::7] for view in views]
    for view in points[1:]:
        np.testing.assert_allclose(distance(view[:, None], view), distance(points[0][:, None], points[0]), atol=1e-9)
        a, b = (p - p.mean(axis=0) for p in (points[0], view))
        u, _, w = np.linalg.svd(a.T @ b)
        turned = u @ w
        assert np.linalg.det(turned) == pytest.approx(1.0)
        np.testing.assert_allclose(a @ turned, b, atol=1e-9)
        assert 0.5 < np.arccos((np.trace(turned) - 1) / 2) < 1.1


@pytest.mark.parametrize("setup", range(1, 33))
def test_people_are_before_the_camera(setup: int) -> None:
    strolling = perform_nw_ucla(4, 2, setup)
    for joints in (perform_ntu(59, 2, setup, partner=7), perform_ntu(60, 2, setup, partner=7), strolling):
        for number in (1, 2, 3):
            seen = draw_camera(number, setup).see(joints)
            assert seen[..., 2].min() > 0.3
            assert seen[..., 2].max() < 8
            upright = seen[:, 0, NTU25.joints.index("head"), 1] - seen[:, 0, NTU25.joints.index("spine_base"), 1]
            assert upright.mean() > 0.4


def test_noise_is_larger_at_the_hands_and_stays_small() -> None:
    joints = perform_ntu(38, 2, 0, frames=(100, 100))
    camera = draw_camera(1, 1)
    exact = camera.see(joints)
    off = []
    for seed in range(30):
        seen = record(joints, camera, np.random.default_rng(seed))
        if seen.joints.shape == exact.shape and (seen.bodies == 0).all():
            off.append(distance(seen.joints, exact)[:, 0])
    errors = np.median(np.concatenate(off), axis=0)
    assert errors.max() < 0.12
    tips = [NTU25.joints.index(f"{side}_hand_tip") for side in ("left", "right")]
    assert errors[tips].min() > 1.5 * errors[NTU25.joints.index("spine_mid")]


def test_noise_wanders_rather_than_flickers() -> None:
    joints = np.repeat(perform_ntu(38, 2, 0, frames=(100, 100))[:1], 100, axis=0)
    seen = record(joints, draw_camera(1, 1), np.random.default_rng(3)).joints[:, 0, NTU25.joints.index("spine_mid")]
    wander, flicker = seen.std(axis=0), np.diff(seen, axis=0).std(axis=0) / np.sqrt(2)
    assert (flicker < 0.8 * wander).all()


def test_sensor_loses_bodies_frames_and_joints_now_and_then() -> None:
    joints = perform_ntu(58, 2, 0, partner=7, frames=(100, 100))
    camera = draw_camera(1, 1)
    sightings = [record(joints, camera, np.random.default_rng(seed)) for seed in range(80)]
    shares = {
        "frames": np.mean([len(s.joints) < 100 for s in sightings]),
        "clutter": np.mean([s.bodies.shape[1] == 3 for s in sightings]),
        "order": np.mean([len(np.unique(s.bodies[:, 0])) > 1 for s in sightings]),
        "lost": np.mean([(s.bodies[:, :2] < 0).any() for s in sightings]),
        "guessed": np.mean([(s.states[s.bodies >= 0] == 1).any() for s in sightings]),
    }
    assert all(share > 0 for share in shares.values()), shares
    assert max(shares["frames"], shares["clutter"], shares["order"], shares["lost"]) < 0.6, shares
    for sighting in sightings:
        absent = sighting.bodies < 0
        assert not sighting.joints[absent].any()
        assert sighting.joints[~absent].any(axis=(1, 2)).all()


# --- formats ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-9999.9, 9999.9, allow_subnormal=False), min_size=1, max_size=40))
def test_numerals_say_what_seven_digits_say(values: list[float]) -> None:
    characters, keep = numerals(np.array(values))
    written = characters[keep].tobytes().decode().split(" ")[:-1]
    assert len(written) == len(values)
    for text, value in zip(written, values, strict=True):
        assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", text), text
        assert text != "-0"
        assert float(text) == pytest.approx(value, rel=5.1e-7, abs=5.1e-8)
        if abs(value) >= 1:
            assert float(text) == float(f"{value:.7g}")


def test_skeleton_file_line_by_line(rng: np.random.Generator) -> None:
    sighting = record(perform_ntu(58, 2, 0, partner=7, frames=(30, 30)), draw_camera(2, 3), rng)
    lines = iter(ntu_bytes(sighting, rng).decode("ascii").split("\n"))
    assert int(next(lines)) == len(sighting.joints)
    seen = set()
    for frame, numbers in enumerate(sighting.bodies):
        places = np.flatnonzero(numbers >= 0)
        assert int(next(lines)) == len(places)
        for place in places:
            head = next(lines).split(" ")
            assert len(head) == 10
            assert 10**16 < int(head[0]) < 2**63
            assert set(head[1:7]) <= {"0", "1", "2"}
            assert all(abs(float(lean)) < 1 for lean in head[7:9])
            assert head[9] in {"0", "1", "2"}
            seen.add((int(head[0]), int(numbers[place])))
            assert next(lines) == "25"
            rows = [next(lines).split(" ") for _ in range(25)]
            assert all(len(row) == 12 for row in rows)
            values = np.array(rows, dtype=float)
            np.testing.assert_allclose(values[:, :3], sighting.joints[frame, place], atol=1e-6)
            for columns, (focal, across, down) in ((slice(3, 5), DEPTH), (slice(5, 7), COLOUR)):
                x, y, z = sighting.joints[frame, place].T
                pixels = np.stack((across + focal * x / z, down - focal * y / z), axis=-1)
                np.testing.assert_allclose(values[:, columns], pixels, rtol=1e-6)
            np.testing.assert_array_equal(values[:, 11], sighting.states[frame, place])
    assert list(lines) == [""]
    assert len(seen) == len({number for number, _ in seen}) == len({body for _, body in seen})


def test_json_file(rng: np.random.Generator) -> None:
    joints = rng.standard_normal((7, 20, 3))
    content = json.loads(nw_ucla_bytes(joints, "a01_s02_e03_v01", 1))
    assert list(content) == ["file_name", "skeletons", "label"]
    assert content["file_name"] == "a01_s02_e03_v01"
    np.testing.assert_allclose(content["skeletons"], joints, rtol=1e-5)


# --- folders ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ntu_folder(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    clips = 2 * 3 * len(ntu_actions())
    return generate_ntu(tmp_path_factory.mktemp("made") / "ntu", clips, seed=1, frames=(20, 30))


@pytest.fixture(scope="module")
def nw_ucla_folder(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return generate_nw_ucla(tmp_path_factory.mktemp("made") / "nw-ucla", 90, seed=1, frames=(15, 20))


def test_ntu_names_cover_classes_cameras_and_both_sides_of_the_split(ntu_folder: list[Path]) -> None:
    assert sorted(ntu_folder) == sorted(ntu_folder[0].parent.iterdir())
    sources = [ntu.parse_name(path) for path in ntu_folder]
    for action in ntu_actions():
        own = [source for source in sources if source.action == action]
        assert len(own) == 6
        assert [source.camera for source in own] == [1, 2, 3, 1, 2, 3]
        assert {source.subject in NTU_TRAIN for source in own} == {True, False}
    assert {source.subject in NTU_TRAIN or source.subject in NTU_TEST for source in sources} == {True}
    assert len({source.setup for source in sources}) > 8
    assert {source.repetition for source in sources} == {1, 2}


def test_ntu_files_are_read_by_the_reader(ntu_folder: list[Path]) -> None:
    endings = set()
    for path in ntu_folder:
        content = path.read_bytes()
        assert b"\r\r" not in content
        assert content.count(b"\r\n") in (0, content.count(b"\n"))
        endings.add(b"\r\n" in content)
        recording = ntu.read(ntu.parse_name(path))
        assert 12 <= len(recording.joints) <= 30
        assert 1 <= recording.joints.shape[1] <= 3
    assert endings == {True, False}


def test_nw_ucla_files_are_read_by_the_reader(nw_ucla_folder: list[Path]) -> None:
    labels = {action: label for label, action in enumerate(nw_ucla_actions(), start=1)}
    sources = [nw_ucla.parse_name(path) for path in nw_ucla_folder]
    for path, source in zip(nw_ucla_folder, sources, strict=True):
        action = int(path.name[1:3])
        content = json.loads(path.read_text())
        assert (content["file_name"], content["label"]) == (path.stem, labels[action])
        recording = nw_ucla.read(source)
        assert recording.joints.shape[1:] == (1, 20, 3)
        assert recording.joints.any(axis=(1, 2, 3)).all()
    assert {source.camera for source in sources} == {1, 2, 3}
    assert {source.subject for source in sources} == set(range(1, 11))


@pytest.mark.parametrize("generate", [generate_ntu, generate_nw_ucla])
def test_a_longer_run_begins_with_the_shorter_one(generate, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    short = generate(tmp_path / "short", 7, seed=4, frames=(15, 20))
    long = generate(tmp_path / "long", 12, seed=4, frames=(15, 20))
    assert [path.name for path in short] == [path.name for path in long[:7]]
    for a, b in zip(short, long[:7], strict=True):
        assert a.read_bytes() == b.read_bytes()
    other = generate(tmp_path / "other", 7, seed=5, frames=(15, 20))
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(short, other, strict=True))


def test_every_possible_name_is_another() -> None:
    actions = (8, 58)
    takes = [ntu_take(number, actions) for number in range(len(actions) * 3 * len(NTU_TRAIN) * 32)]
    assert len({(t.setup, t.subject, t.repetition, t.action) for t in takes}) == len(takes)
    assert {t.setup for t in takes[:2000]} == set(range(1, 18))
    assert all(t.subject != t.partner for t in takes)
    assert np.mean([t.subject in NTU_TRAIN for t in takes]) == pytest.approx(2 / 3, abs=0.01)
    takes = [nw_ucla_take(number, (1, 2, 3)) for number in range(3 * 10 * 100)]
    assert len({(t.subject, t.repetition, t.action) for t in takes}) == len(takes)


def test_classes_are_balanced_and_spread(tmp_path: Path) -> None:
    paths = generate_ntu(tmp_path / "few", 24, seed=0, frames=(4, 6), classes=4)
    actions = [ntu.parse_name(path).action for path in paths]
    assert {actions.count(action) for action in set(actions)} == {6}
    assert min(actions) == min(ntu_actions())
    assert max(actions) == max(ntu_actions())


def test_progress_counts_files(tmp_path: Path) -> None:
    counts: list[int] = []
    generate_nw_ucla(tmp_path / "out", 5, seed=0, frames=(4, 6), progress=counts.append)
    assert counts == [1, 2, 3, 4, 5]


def test_a_filled_folder_is_refused_and_an_empty_one_used(tmp_path: Path) -> None:
    generate_nw_ucla(tmp_path, 2, seed=0, frames=(4, 6))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="is not an empty folder: name another folder or remove it"):
        generate_nw_ucla(tmp_path, 2, seed=1, frames=(4, 6))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(ValueError, match="is not an empty folder"):
        generate_ntu(next(iter(before)), 2, seed=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"clips": 0}, "clips=0: there are names for 1 to"),
        ({"clips": 10**9}, "clips=1000000000: there are names for 1 to"),
        ({"seed": -1}, "seed=-1: give a number from 0 on"),
        ({"classes": 1}, "classes=1: choose 2 to"),
        ({"frames": (30, 20)}, r"frames=\(30, 20\): give the least"),
    ],
)
def test_numbers_that_do_not_fit_are_named(wrong: dict[str, object], message: str, tmp_path: Path) -> None:
    arguments: dict[str, object] = {"clips": 3, "seed": 0} | wrong
    with pytest.raises(ValueError, match=message):
        generate_ntu(tmp_path / "out", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    class Stopped(Exception):  # noqa: N818
        pass

    def stop(count: int) -> None:
        if count == 3:
            raise Stopped

    with pytest.raises(Stopped):
        generate_nw_ucla(tmp_path / "out", 6, seed=0, frames=(4, 6), progress=stop)
    assert not list(tmp_path.iterdir())
