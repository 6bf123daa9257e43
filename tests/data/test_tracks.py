"""Who is who: tracking numbers that are joined, and bodies without numbers that are followed."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.data.formats import ntu
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Recording
from kinestream.data.tracks import (
    LONGEST_ABSENCE,
    assign,
    body_size,
    join_tracks,
    link_cost,
    places,
    track_by_place,
)
from kinestream.skeleton.layout import NTU25
from kinestream.skeleton.pose import standing

FPS = 30


def walker(
    frames: int, start: tuple[float, float], speed: tuple[float, float] = (0.0, 0.0), seed: int = 0
) -> np.ndarray:
    """Joints (t, v, 3) of someone who walks; speed in metres a second."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / FPS
    path = np.array([start]) + time * np.array([speed])
    body = standing(NTU25) + 0.03 * np.sin(6 * time[..., None] + rng.uniform(0, 6, (1, 25, 1)))
    return np.asarray(body + np.stack((path[:, 0], 0 * path[:, 0], path[:, 1]), axis=1)[:, None])


def scene(*tracks: tuple[int, np.ndarray, range], frames: int, slots: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Tracks (number, the person's joints over all frames, when) in the first free place of each frame."""
    joints, bodies = np.zeros((frames, slots, 25, 3)), np.zeros((frames, slots), dtype=np.int64)
    for number, person, when in tracks:
        for t in when:
            slot = int(np.flatnonzero(bodies[t] == 0)[0])
            joints[t, slot], bodies[t, slot] = person[t], number
    return joints, bodies


def people(bodies: np.ndarray) -> list[tuple[int, list[int]]]:
    return [(one.number, one.frames.tolist()) for one in places(bodies)]


# --- numbers that change --------------------------------------------------------------------------------------------


def test_one_person_under_three_numbers() -> None:
    a = walker(90, (0, 3), (0.5, 0))
    joints, bodies = scene((7, a, range(30)), (9, a, range(33, 60)), (4, a, range(58, 90)), frames=90)
    joined = join_tracks(joints, bodies, FPS)
    seen = [*range(30), *range(33, 90)]
    assert people(joined) == [(7, seen)]
    for t in (58, 59):  # where two numbers were there at once, one stands
        assert sorted(joined[t].tolist()) == [0, 0, 7]
    (one,) = places(joined)
    np.testing.assert_array_equal(joints[one.frames, one.slots], a[seen])


def test_two_people_under_three_numbers() -> None:
    a, b = walker(90, (0, 3), (0.3, 0)), walker(90, (1.5, 3.2), (0, 0.2), seed=1)
    joints, bodies = scene((1, a, range(40)), (2, b, range(90)), (3, a, range(45, 90)), frames=90)
    joined = join_tracks(joints, bodies, FPS)
    assert people(joined) == [(1, [*range(40), *range(45, 90)]), (2, list(range(90)))]


def test_two_people_whose_numbers_change_at_once_are_not_mixed_up() -> None:
    a, b = walker(80, (0, 3), (0.4, 0)), walker(80, (0.7, 3.0), (0.4, 0), seed=1)
    joints, bodies = scene(
        (1, a, range(40)), (2, b, range(40)), (3, b, range(44, 80)), (4, a, range(44, 80)), frames=80
    )
    joined = join_tracks(joints, bodies, FPS)
    for person in places(joined):
        truth = a if person.number == 1 else b
        np.testing.assert_array_equal(joints[person.frames, person.slots], truth[person.frames])
    assert {person.number for person in places(joined)} == {1, 2}


@pytest.mark.parametrize(
    ("start", "again", "gap"),
    [
        ((0, 3), (2.5, 3), 3),  # too far to be there so soon
        ((0, 3), (0, 3), FPS + 2),  # too late
        ((0, 3), (-1.5, 3), 1),
    ],
)
def test_someone_else_stays_someone_else(start: tuple[float, float], again: tuple[float, float], gap: int) -> None:
    a, b = walker(120, start), walker(120, again, seed=1)
    joints, bodies = scene((1, a, range(40)), (2, b, range(40 + gap, 120)), frames=120)
    assert join_tracks(joints, bodies, FPS) is bodies


def test_two_at_the_same_time_stay_two() -> None:
    a, b = walker(60, (0, 3)), walker(60, (0.4, 3), seed=1)
    joints, bodies = scene((1, a, range(60)), (2, b, range(60)), frames=60)
    assert join_tracks(joints, bodies, FPS) is bodies


def test_two_who_walk_through_each_other_stay_two() -> None:
    a, b = walker(90, (-1.5, 3), (1.0, 0)), walker(90, (1.5, 3), (-1.0, 0))
    joints, bodies = scene((1, a, range(90)), (2, b, range(90)), frames=90)
    assert join_tracks(joints, bodies, FPS) is bodies


def test_one_body_seen_twice_at_once_is_one() -> None:
    a = walker(60, (0, 3), (0.5, 0))
    b = a + np.random.default_rng(0).normal(0, 0.02, a.shape)
    joints, bodies = scene((5, b, range(10, 40)), (6, a, range(60)), frames=60)
    joined = join_tracks(joints, bodies, FPS)
    assert people(joined) == [(6, list(range(60)))]
    (one,) = places(joined)
    np.testing.assert_array_equal(joints[one.frames, one.slots], a)


def test_a_rate_that_is_not_known_is_thirty() -> None:
    a = walker(120, (0, 3))
    joints, bodies = scene((1, a, range(40)), (2, a, range(65, 120)), frames=120)
    assert people(join_tracks(joints, bodies)) == people(join_tracks(joints, bodies, 30))
    assert len(places(join_tracks(joints, bodies, 15))) == 2, "25 frames are more than a second"


def test_joints_that_were_not_seen_do_not_matter() -> None:
    a = walker(60, (0, 3))
    joints, bodies = scene((1, a, range(30)), (2, a, range(32, 60)), frames=60)
    joints[np.random.default_rng(0).random(joints.shape[:3]) < 0.5] = np.nan
    assert len(places(join_tracks(joints, bodies, FPS))) == 1
    joints[...] = np.nan
    assert join_tracks(joints, bodies, FPS) is bodies


@given(scale=st.sampled_from([1e-3, 1.0, 100.0, 1000.0]), shift=st.floats(-20, 20), seed=st.integers(0, 100))
def test_units_and_places_do_not_matter(scale: float, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cuts = sorted(rng.integers(5, 75, 3).tolist())
    a, b = walker(80, (0, 3), (0.4, 0), seed), walker(80, (1.2, 3.0), (0.1, 0), seed + 1)
    joints, bodies = scene(
        (1, a, range(cuts[0])), (2, b, range(cuts[1])), (3, a, range(cuts[0] + 2, 80)), (4, b, range(cuts[1] + 1, 80)),
        frames=80,
    )  # fmt: skip
    expected = join_tracks(joints, bodies, FPS)
    np.testing.assert_array_equal(
        join_tracks(scale * (joints + shift * (bodies > 0)[..., None, None]), bodies, FPS), expected
    )
    assert people(expected) == [
        (1, [*range(cuts[0]), *range(cuts[0] + 2, 80)]),
        (2, [*range(cuts[1]), *range(cuts[1] + 1, 80)]),
    ]


@given(rows=st.integers(0, 4), columns=st.integers(0, 4), seed=st.integers(0, 10_000))
def test_the_assignment_is_the_cheapest_of_all(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cost = np.where(rng.random((rows, columns)) < 0.3, 1.0, rng.random((rows, columns)))
    pairs = list(zip(*assign(cost), strict=True))
    total = sum(cost[pair] for pair in pairs) + min(rows, columns) - len(pairs)
    best = min(
        sum(min(cost[pair], 1.0) for pair in zip(chosen, order, strict=True))
        for size in [min(rows, columns)]
        for chosen in itertools.combinations(range(rows), size)
        for order in itertools.permutations(range(columns), size)
    )
    assert total == pytest.approx(best)
    assert all(cost[pair] < 1 for pair in pairs)


@pytest.mark.parametrize("seed", range(30))
def test_links_are_the_cheapest_of_all(seed: int) -> None:
    """Several people lose their number at about the same time: the cheapest way to go on, of all that there are."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 4))
    crowd = [walker(60, tuple(rng.uniform(0, 1.2, 2)), tuple(rng.normal(0, 0.5, 2)), seed + k) for k in range(count)]
    ends, begins = rng.integers(20, 28, count), rng.integers(29, 40, count)
    tracks = [(k + 1, crowd[k], range(ends[k])) for k in range(count)]
    tracks += [(k + 11, crowd[k], range(begins[k], 60)) for k in range(count)]
    joints, bodies = scene(*tracks, frames=60, slots=2 * count)
    if len({tuple(np.round(one[0, 0], 1)) for one in crowd}) < count:
        return
    size = body_size(joints, bodies > 0)
    cost = np.array(
        [
            [
                link_cost(
                    np.median(one[end - 3 : end], axis=0), np.median(other[begin : begin + 3], axis=0),
                    float(begin - end + 1) / FPS, size,
                )
                for other, begin in zip(crowd, begins, strict=True)
            ]
            for one, end in zip(crowd, ends, strict=True)
        ]
    )  # fmt: skip
    best = min(itertools.permutations(range(count)), key=lambda order: sum(cost[k, order[k]] for k in range(count)))
    links = {k + 1: best[k] + 11 for k in range(count) if cost[k, best[k]] < 1}
    joined = join_tracks(joints, bodies, FPS)
    for number, following in links.items():
        assert (joined[bodies == following] == number).all()
    for k in range(count):
        if k + 11 not in links.values():
            assert (joined[bodies == k + 11] == k + 11).all()


def test_many_tracks_take_little_memory() -> None:
    """A table of all against all would have half a million costs."""
    frames = 3_000
    joints = np.tile(np.array([[0.0, 0, 0], [0, 1, 0], [0.5, 1.5, 0]]), (frames, 1, 1, 1))
    bodies = np.arange(frames)[:, None] // 4 + 1
    assert len(np.unique(join_tracks(joints, bodies, FPS))) == 1


# --- the preparation that follows people ----------------------------------------------------------------------------


def test_a_change_of_numbers_is_no_change_of_the_prepared_recording() -> None:
    a, b = walker(90, (0, 3), (0.3, 0)), walker(90, (1.5, 3.2), (0, 0.2), seed=1)
    joints, bodies = scene((1, a, range(90)), (2, b, range(90)), frames=90)
    whole = Recording(joints, NTU25, bodies=bodies)
    joints, bodies = scene(
        (1, a, range(40)), (2, b, range(90)), (3, a, range(40, 44)), (8, a, range(44, 90)), frames=90
    )
    tracked = PREPARATIONS["tracked"]
    split = tracked.clean(Recording(joints, NTU25, bodies=bodies), NTU25, 2)
    np.testing.assert_array_equal(split, tracked.clean(whole, NTU25, 2))


def test_the_real_two_person_files_have_two_people(real_data: Path) -> None:
    for path in sorted(real_data.glob("ntu/nturgb+d_skeletons/*.skeleton")):
        recording = ntu.read(ntu.parse_name(path))
        assert join_tracks(recording.joints, recording.bodies) is recording.bodies, path.stem


# --- bodies without numbers -----------------------------------------------------------------------------------------


def literal_cost(before: np.ndarray, after: np.ndarray, seconds: float, size: float) -> float:
    moved = [math.dist(one, other) for one, other in zip(before, after, strict=True)]
    seen = [distance for distance in moved if not math.isnan(distance)]
    return min(1.0, sum(seen) / len(seen) / (size * (0.15 + 0.8 * seconds))) if seen else 1.0


def literal_tracks(joints: np.ndarray, size: float, rate: float) -> np.ndarray:
    """As `track_by_place`, with all assignments tried."""
    numbers = np.zeros(joints.shape[:2], dtype=int)
    known: dict[int, tuple[int, np.ndarray]] = {}
    count = 0
    for t in range(len(joints)):
        slots = [m for m in range(joints.shape[1]) if np.nan_to_num(joints[t, m]).any()]
        alive = [k for k, (when, _) in known.items() if t - when <= LONGEST_ABSENCE * rate]
        cost = {
            (m, k): literal_cost(known[k][1], joints[t, m], (t - known[k][0]) / rate, size)
            for m in slots
            for k in alive
        }
        options = alive + [-1 - i for i in range(len(slots))]
        best = min(
            itertools.permutations(options, len(slots)),
            key=lambda chosen: sum(cost[m, k] if k >= 0 else 1.0 for m, k in zip(slots, chosen, strict=True)),
        )
        for m, k in zip(slots, best, strict=True):
            if k < 0 or cost[m, k] >= 1:
                continue
            numbers[t, m], known[k] = k, (t, joints[t, m])
        for m in slots:
            if not numbers[t, m]:
                count += 1
                numbers[t, m], known[count] = count, (t, joints[t, m])
    return numbers


@given(seed=st.integers(0, 10_000), crowd=st.integers(1, 3))
def test_bodies_in_any_order_are_followed(seed: int, crowd: int) -> None:
    rng = np.random.default_rng(seed)
    frames = 25
    walkers = [walker(frames, (1.2 * k, 3), (rng.normal(0, 0.3), rng.normal(0, 0.3)), seed + k) for k in range(crowd)]
    joints, truth = np.full((frames, 3, 25, 3), np.nan), np.zeros((frames, 3), dtype=int)
    for t in range(frames):
        seen = [k for k in range(crowd) if rng.random() < 0.9]
        for slot, k in zip(rng.permutation(3).tolist(), seen, strict=False):
            joints[t, slot], truth[t, slot] = walkers[k][t], k + 1
    numbers = track_by_place(joints, FPS)
    assert ((numbers > 0) == (truth > 0)).all()
    for k in range(crowd):
        assert len(np.unique(numbers[truth == k + 1])) <= 1
    assert len(np.unique(numbers[numbers > 0])) == len(np.unique(truth[truth > 0]))


@pytest.mark.parametrize("seed", range(40))
def test_bodies_are_followed_as_with_all_assignments_tried(seed: int) -> None:
    """In wild recordings, and in calm ones where most frames are like the one before."""
    rng = np.random.default_rng(seed)
    wild = seed % 2 == 0
    joints = np.cumsum(rng.normal(0, 0.1 if wild else 0.01, (30, 3, 5, 3)), axis=0) + rng.normal(0, 0.5, (1, 3, 5, 3))
    joints[rng.random((30, 3)) < (0.3 if wild else 0.04)] = np.nan
    joints[rng.random((30, 3, 5)) < 0.1] = np.nan
    joints[10:13] = np.nan
    for frame in np.flatnonzero(rng.random(30) < 0.2).tolist():
        joints[frame:] = joints[frame:, rng.permutation(3)]
    size = body_size(joints, np.nan_to_num(joints).any(axis=(2, 3)))
    np.testing.assert_array_equal(track_by_place(joints, 8), literal_tracks(joints, size, 8))


def test_who_comes_back_after_a_second_is_new() -> None:
    a = walker(90, (0, 3))
    for gap, count in ((28, 1), (31, 2)):
        joints, _ = scene((1, a, range(30)), (1, a, range(30 + gap, 90)), frames=90)
        assert track_by_place(joints, FPS).max() == count


def test_a_single_place_is_one_person() -> None:
    joints, _ = scene((1, walker(40, (0, 3)), range(3, 30)), frames=40, slots=1)
    assert np.flatnonzero(track_by_place(joints)[:, 0] == 1).tolist() == list(range(3, 30))
