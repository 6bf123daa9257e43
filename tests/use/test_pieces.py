"""How recordings are cut into what gets a row."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.use.conftest import KINECT, movement

from kinestream.data.recording import Recording, RecordingError
from kinestream.use.pieces import Cutting, Tally, pieces_of


def cut(recording: Recording, **how: Any) -> tuple[list[tuple[int, int, int]], Tally]:
    tally = Tally()
    cutting = Cutting.of(how.get("windows"), how.get("hop"), how.get("people"))
    return [(one.person, one.start, one.stop) for one in pieces_of(recording, cutting, tally)], tally


@given(
    frames=st.integers(2, 400),
    length=st.integers(2, 90),
    hop=st.floats(1, 90),
    fps=st.sampled_from([1.0, 7.0, 24.0, 29.97]),
)
def test_windows_cover_all_frames_and_are_of_one_length(frames: int, length: int, hop: float, fps: float) -> None:
    hop = min(hop, float(length))
    places = Cutting.of(length / fps, hop / fps, None).places(frames, fps)
    assert {stop - start for start, stop in places} == {min(length, frames)}
    assert places[0][0] == 0
    assert places[-1][1] == frames
    starts = [start for start, _ in places]
    assert starts == sorted(set(starts))
    covered = np.zeros(frames, bool)
    for start, stop in places:
        covered[start:stop] = True
    assert covered.all()
    for number, start in enumerate(starts[:-1]):
        assert abs(start - number * hop) <= 0.5 + 1e-6, "no drift where a hop is no whole number of frames"


def test_frames_need_no_rate_and_seconds_do() -> None:
    still = Recording(movement(0, 40), KINECT)
    assert [piece[1:] for piece in cut(still, windows="20f")[0]] == [(0, 20), (10, 30), (20, 40)]
    with pytest.raises(ValueError, match=r"no frame rate is known, and a window of 2s needs one: give fps"):
        cut(still, windows="2s")


def test_people_are_together_in_wholes_and_each_alone_in_windows() -> None:
    pair = Recording(movement(0, 40, 2), KINECT, fps=10)
    assert cut(pair)[0] == [(0, 0, 40)]
    assert cut(pair, people="each")[0] == [(1, 0, 40), (2, 0, 40)]
    assert cut(pair, windows=2, hop=2)[0] == [(1, 0, 20), (1, 20, 40), (2, 0, 20), (2, 20, 40)]
    assert cut(pair, windows=2, hop=2, people="together")[0] == [(0, 0, 20), (0, 20, 40)]


def test_a_person_is_followed_by_number_and_left_out_where_absent() -> None:
    joints = movement(0, 40, 2)
    bodies = np.tile([7, 9], (40, 1))
    joints[20:], bodies[20:] = joints[20:, ::-1], [9, 7]  # they change places in the file
    joints[30:, 0], bodies[30:, 0] = 0, 0  # and one leaves
    pieces = [
        *pieces_of(
            Recording(joints, KINECT, fps=10, bodies=bodies), tally=(tally := Tally()), cutting=Cutting.of(1, 1, None)
        )
    ]
    assert [(one.person, one.start) for one in pieces] == [(7, 0), (7, 10), (7, 20), (7, 30), (9, 0), (9, 10), (9, 20)]
    assert tally.empty == 1
    for one in pieces:
        expected = movement(0, 40, 2)[one.start : one.stop, {7: 0, 9: 1}[one.person]]
        np.testing.assert_array_equal(one.recording.joints[:, 0], expected)


def test_a_passer_by_and_a_short_recording_are_counted() -> None:
    joints = movement(0, 40, 2)
    joints[2:, 1] = 0
    pieces, tally = cut(Recording(joints, KINECT, fps=10), windows="9s")
    assert pieces == [(1, 0, 40)]
    assert (tally.short, tally.passing) == (1, 1)
    said = tally.notes(Cutting.of("9s", None, None))
    assert said[0] == "1 recordings are shorter than a window of 9s: a row of the whole"


def test_what_is_hidden_in_a_window_is_known_from_around_it() -> None:
    joints = movement(0, 40)
    joints[10:14, 0, 6] = np.nan
    piece = list(pieces_of(Recording(joints, KINECT, fps=10), Cutting.of(1, 1, None), Tally()))[1]
    ends = joints[[9, 14], 0, 6]
    np.testing.assert_allclose(piece.recording.joints[0, 0, 6], ends[0] + (ends[1] - ends[0]) / 5)


def test_nobody_is_no_recording() -> None:
    with pytest.raises(RecordingError, match="no body"):
        cut(Recording(np.zeros((10, 20, 3)), KINECT), people="each")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Cutting.of("2m", None, None), "windows '2m': a number of seconds is meant"),
        (lambda: Cutting.of(0, None, None), "windows 0: a number of seconds"),
        (lambda: Cutting.of(float("nan"), None, None), "windows nan"),
        (lambda: Cutting.of("2.5f", None, None), "of frames, '60f'"),
        (lambda: Cutting.of("9" * 400, None, None), "windows '999"),
        (lambda: Cutting.of(None, "1s", None), "hop '1s' without windows"),
        (lambda: Cutting.of("1s", "2s", None), "hop 2s is longer than windows of 1s"),
        (lambda: Cutting.of("1s", None, "one"), "people 'one': 'together' for a row of all"),
        (lambda: Cutting.of("0.01s", None, None).places(100, 30), "windows of 0.01s are 0.3 frames here"),
        (lambda: Cutting.of("1s", "1e-3s", None), "hop '1e-3s'"),
        (lambda: Cutting.of("1s", "0.001s", None).places(100, 30), "hop 0.001s is 0.03 frames here"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_length_is_one_line(wrong: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        wrong()
    assert "\n" not in str(caught.value)
