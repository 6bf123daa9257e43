"""Bodies put together into arrays, against a slow and plain way of doing it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.data.formats.sightings import Sightings, of_picture, rate, scored
from kinestream.data.recording import RecordingError

BODIES = st.lists(
    st.tuples(st.integers(3, 12), st.lists(st.floats(-5, 5), min_size=4, max_size=4), st.none() | st.integers(0, 4)),
    min_size=1,
    max_size=25,
)


def gathered(bodies: list[tuple[int, list[float], int | None]], more: tuple[int, ...] = ()) -> Sightings:
    seen = Sightings(points=2, numbers=2)
    for rank, (frame, values, track) in enumerate(bodies):
        seen.add(frame, values, f"body {rank}", track)
    for frame in more:
        seen.add_frame(frame)
    return seen


def plainly(
    bodies: list[tuple[int, list[float], int | None]],
) -> tuple[dict[int, list[list[float]]], dict[int, list[int]]]:
    """Of each frame its bodies and their tracking numbers, a number that stands twice in a frame left out."""
    values: dict[int, list[list[float]]] = {}
    tracks: dict[int, list[int]] = {}
    for frame, body, track in bodies:
        if track is not None and track in tracks.get(frame, []):
            continue
        values.setdefault(frame, []).append(body)
        tracks.setdefault(frame, []).append(-1 if track is None else track)
    return values, tracks


@given(bodies=BODIES)
def test_bodies_come_out_by_frame_in_the_order_they_came(bodies: list[tuple[int, list[float], int | None]]) -> None:
    found = gathered(bodies).assemble()
    values, tracks = plainly(bodies)
    assert found.frames.tolist() == list(range(min(values), max(values) + 1))
    assert found.points.shape[1] == max(map(len, values.values()))
    for t, frame in enumerate(found.frames.tolist()):
        for m in range(found.points.shape[1]):
            there = values.get(frame, [])[m : m + 1]
            expected = there[0] if there else [math.nan] * 4
            np.testing.assert_array_equal(found.points[t, m].ravel(), expected)
    every = [track for some in tracks.values() for track in some]
    if -1 in every:
        assert found.bodies is None
    else:
        assert found.bodies is not None
        shift = 1 if 0 in [track for _, _, track in bodies] else 0
        for t, frame in enumerate(found.frames.tolist()):
            numbers = [track + shift for track in tracks.get(frame, [])]
            assert found.bodies[t].tolist() == numbers + [0] * (found.points.shape[1] - len(numbers))
    if len(every) < len(bodies):
        assert any("stands twice in a frame" in note for note in found.notes)


@given(bodies=BODIES, groups=st.lists(st.sampled_from("abc"), min_size=13, max_size=13))
def test_split_bodies_are_those_of_each_group(
    bodies: list[tuple[int, list[float], int | None]], groups: list[str]
) -> None:
    parts = gathered(bodies).split([frame * 2 for frame in range(13)], groups)
    assert set(parts) == {groups[frame] for frame, _, _ in bodies}
    for group, part in parts.items():
        own = [(frame * 2, values, track) for frame, values, track in bodies if groups[frame] == group]
        expected, found = gathered(own).assemble(), part.assemble()
        np.testing.assert_array_equal(found.points, expected.points)
        np.testing.assert_array_equal(found.frames, expected.frames)


def test_frames_without_anybody_are_kept() -> None:
    found = gathered([(5, [1, 2, 3, 4], 9)], more=(3, 4, 5, 7)).assemble()
    assert found.frames.tolist() == [3, 4, 5, 6, 7]
    assert found.bodies is not None
    assert found.bodies[:, 0].tolist() == [0, 0, 9, 0, 0]
    assert found.notes == ("1 of 5 frames are missing: nobody is seen in them",)


@pytest.mark.parametrize(
    ("values", "track", "words"),
    [
        ([1, 2, 3], None, "body: 3 numbers where 4 belong"),
        ("1234", None, "body: 1234 where 4 belong"),
        (None, None, "body: null where 4 belong"),
        ([1, 2, 3, "4"], None, "body: 4 where a number belongs"),
        ([1, 2, 3, True], None, "body: true where a number belongs"),
        ([1, 2, 3, [4]], None, r"body: \[4\] where a number belongs"),
        ([1, 2, 3, 10**400], None, "body: a number of more than 300 digits"),
        ([1, 2, 3, 4], "a", "body: a where a tracking number belongs"),
        ([1, 2, 3, 4], 1.5, "body: 1.5 where a tracking number belongs"),
        ([1, 2, 3, 4], 2**60, "where a tracking number belongs"),
        ([1, 2, 3, 4], [1, 2], "where a tracking number belongs"),
    ],
)
def test_what_is_no_body_is_refused(values: object, track: object, words: str) -> None:
    with pytest.raises(RecordingError, match=words):
        Sightings(2, 2).add(0, values, "body", track)


def test_what_is_no_video_is_refused() -> None:
    with pytest.raises(RecordingError, match=r"^no frames$"):
        gathered([]).assemble()
    with pytest.raises(RecordingError, match="no body in any of its 2 frames"):
        gathered([], more=(1, 2)).assemble()
    with pytest.raises(RecordingError, match="frames 7 to 1000000000, but only 2 are there: pictures"):
        gathered([(7, [1, 2, 3, 4], None), (10**9, [1, 2, 3, 4], None)]).assemble()


def test_too_many_people_are_refused_before_memory_is_taken() -> None:
    seen = Sightings(points=1000, numbers=2)
    crowd = np.zeros((500, 2000))
    seen.add_rows(np.zeros(500, dtype=np.int64), crowd, None)
    for frame in range(1000):
        seen.add_frame(frame)
    with pytest.raises(RecordingError, match="1,000 frames with up to 500 bodies of 1000 points: too many"):
        seen.assemble()


def test_scores_that_are_flags_or_have_no_end_are_no_confidence() -> None:
    points = np.array([[[[10, 20, 2], [0, 0, 0]], [[5, 6, 0], [7, 8, 1]]]], dtype=np.float64)
    joints, confidence, notes = scored(points)
    np.testing.assert_array_equal(joints[0], [[[10, 20], [np.nan] * 2], [[np.nan] * 2, [7, 8]]])
    assert confidence is None
    assert not notes
    points[..., 2] = [[[0.5, 0], [0, 1.25]]]
    joints, confidence, notes = scored(points)
    np.testing.assert_array_equal(joints[0], [[[10, 20], [np.nan] * 2], [[5, 6], [7, 8]]])
    assert confidence is not None
    np.testing.assert_array_equal(confidence[0], [[0.5, 0], [0, 1]])
    points[..., 2] = [[[0.5, 0], [0, 31]]]
    _, confidence, notes = scored(points)
    assert confidence is None
    assert notes == ("scores from 0 to 31 are no confidence from 0 to 1: not used",)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e12])
def test_what_is_no_position_is_refused_with_its_frame(bad: float) -> None:
    points = np.ones((9, 1, 2, 3))
    points[5, 0, 1, 0] = bad
    with pytest.raises(RecordingError, match="frame 15: a point that is no position"):
        scored(points, first=10)


def test_fractions_of_a_picture_are_no_pixels() -> None:
    assert of_picture(np.full((1, 1, 1, 2), 30.0)) == ("px", ())
    units, notes = of_picture(np.full((1, 1, 1, 2), 0.5))
    assert units is None
    assert "fractions" in notes[0]


def test_rates_of_times() -> None:
    frames = np.arange(300)
    assert rate(np.round(frames / 30, 3), frames) == (30.0, ())
    assert rate(frames / 59.94, frames)[0] == 59.94
    gap = np.delete(frames, slice(40, 60))
    assert rate(gap / 25, gap) == (25.0, ())
    steps = np.where(frames % 5 == 0, 0.2, 0.04)
    fps, notes = rate(np.cumsum(steps), frames)
    assert fps == 25.0
    assert "do not follow at 25 a second" in notes[0]
    assert rate(-frames / 30, frames)[0] is None
    assert rate(np.zeros(300), frames)[0] is None
    assert rate(frames[:1] / 30, frames[:1]) == (None, ())
