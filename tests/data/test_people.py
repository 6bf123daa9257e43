"""The people of a recording: noise, the scene, and each as a recording of one's own."""

import re

import numpy as np
import pytest
from tests.data.test_tracks import scene, walker

from kinestream.data.gaps import close_gaps
from kinestream.data.people import each_person, find_people
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Recording, RecordingError, Segment
from kinestream.skeleton.layout import NTU25


def recording(*tracks: tuple[int, np.ndarray, range], frames: int = 90, **known: object) -> Recording:
    joints, bodies = scene(*tracks, frames=frames)
    return Recording(joints, NTU25, bodies=bodies, name="talk", fps=30, **known)  # type: ignore[arg-type]


def bench(frames: int) -> np.ndarray:
    """Wider than high."""
    rng = np.random.default_rng(3)
    return np.asarray(
        rng.uniform((-5, 0, 2.7), (-3, 0.6, 3.3), size=(25, 3)) + rng.normal(0, 0.01, size=(frames, 25, 3))
    )


A, B = walker(90, (0, 3), (0.5, 0)), walker(90, (2.0, 3.2), (0, 0.2), seed=1)


def test_people_are_ordered_by_energy_and_noise_is_told() -> None:
    found = find_people(
        recording((3, B, range(90)), (7, A, range(40)), (8, A, range(42, 90)), (2, bench(90), range(90)), frames=90)
    )
    assert [(one.number, len(one.frames)) for one in found.people] == [(7, 88), (3, 90)]
    assert [str(one) for one in found.left_out] == ["body 2, seen in 90 frames: wider than high in 100% of them"]
    brief = find_people(recording((3, B, range(90)), (7, A, range(8))))
    assert [str(one) for one in brief.left_out] == ["body 7, seen in 8 frames: under a tenth of the 90 of another"]


def test_those_who_move_less_are_left_out_and_told() -> None:
    found = find_people(recording((3, B, range(90)), (7, A, range(88)))).most(1)
    assert [one.number for one in found.people] == [7]
    assert [str(one) for one in found.left_out] == ["body 3, seen in 90 frames: 1 others move more"]
    assert len(found.most(5).people) == 1


def test_a_person_whose_parts_are_all_brief_is_no_noise() -> None:
    """Each number is there for under a tenth of the time that the other person is; the person is there throughout."""
    parts = [(10 + k, A, range(8 * k, 8 * k + 8)) for k in range(11)]
    found = find_people(recording((3, B, range(90)), *parts))
    assert [(one.number, len(one.frames)) for one in found.people] == [(10, 88), (3, 90)]
    assert not found.left_out


def test_each_person_is_a_recording() -> None:
    segments = (
        Segment(label=1, start=0, end=15),
        Segment(label=2, start=40, end=70),
        Segment(label=0, start=88, end=90),
    )
    scene_ = recording(
        (7, A, range(10, 40)),
        (3, B, range(20, 86)),
        (8, A, range(44, 90)),
        (5, bench(90), range(90)),
        (6, walker(90, (-4, 5)), range(12, 20)),
        label="talk",
        subject=4,
        segments=segments,
    )
    people, left_out = each_person(scene_)
    assert [(one.name, len(one), one.fps, one.label, one.subject) for one in people] == [
        ("talk-p1", 80, 30, "talk", 4),
        ("talk-p2", 66, 30, "talk", 4),
    ]
    first, second = people
    seen = [*range(30), *range(34, 80)]
    np.testing.assert_array_equal(first.joints[seen, 0], A[10:90][seen])
    assert np.isnan(first.joints[30:34]).all()
    assert np.flatnonzero(first.bodies[:, 0] == 0).tolist() == [30, 31, 32, 33]
    np.testing.assert_array_equal(second.joints[:, 0], B[20:86])
    assert first.segments == (
        Segment(label=1, start=0, end=5),
        Segment(label=2, start=30, end=60),
        Segment(label=0, start=78, end=80),
    )
    assert second.segments == (Segment(label=2, start=20, end=50),)
    assert sorted((one.number, one.frames) for one in left_out) == [(5, 90), (6, 8)]
    closed = close_gaps(first.joints, first.bodies, NTU25, first.fps)
    assert (closed.filled, closed.masked) == (100, 0)
    tracked = PREPARATIONS["tracked"].clean(first.with_joints(closed.joints), NTU25, 1)
    assert tracked.shape == (80, 1, 25, 3)


def test_confidence_goes_with_the_person() -> None:
    rng = np.random.default_rng(0)
    joints, bodies = scene((3, B, range(90)), (7, A, range(20, 70)), frames=90)
    bodies[30], joints[30] = bodies[30, [1, 0, 2]], joints[30, [1, 0, 2]]
    confidence = rng.random(joints.shape[:3])
    first, second = each_person(Recording(joints, NTU25, bodies=bodies, confidence=confidence))[0]
    assert first.confidence is not None
    assert second.confidence is not None
    for t in range(90):
        np.testing.assert_array_equal(first.confidence[t, 0], confidence[t, int(t == 30)])
    for t in range(20, 70):
        np.testing.assert_array_equal(second.confidence[t - 20, 0], confidence[t, int(t != 30)])


def test_a_single_person_is_called_the_same_way() -> None:
    people, left_out = each_person(recording((1, A, range(5, 80))))
    assert [(one.name, len(one)) for one in people] == [("talk-p1", 75)]
    assert not left_out


@pytest.mark.parametrize(
    ("tracks", "least", "message"),
    [
        ([], 10, "no body in any of its 90 frames"),
        ([(4, A, range(9))], 10, "nobody is seen in 10 frames or more: body 4, seen in 9 frames: under 10"),
        ([(4, A, range(60))], 61, "nobody is seen in 61 frames or more: body 4, seen in 60 frames"),
    ],
)
def test_a_recording_of_nobody_is_refused(
    tracks: list[tuple[int, np.ndarray, range]], least: int, message: str
) -> None:
    with pytest.raises(RecordingError, match=re.escape(message)):
        each_person(recording(*tracks), least)
