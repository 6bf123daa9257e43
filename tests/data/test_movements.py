"""Made-up movements: is a movement the same whoever performs it, do bodies stay bodies, do pairs name what is there?"""

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kinestream as ks
from kinestream.data.body_size import body_scale
from kinestream.data.partners import parse_pairs
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Recording
from kinestream.data.store import Store
from kinestream.data.synthetic.forms import BODY16, any_form
from kinestream.data.synthetic.improvise import improvise, seconds_of
from kinestream.data.synthetic.kinematics import joints_of
from kinestream.data.synthetic.movements import PAIRS, generate_movements, perform_movement
from kinestream.data.synthetic.people import Person, draw_anybody
from kinestream.data.synthetic.timing import draw_clock
from kinestream.skeleton.layout import NTU25, load_layout

LAYOUT = load_layout("body16")
SEEDS = st.integers(0, 100_000)


def performed(number: int, performance: int) -> tuple[Person, np.ndarray]:
    """Without a sensor: the person and the joints `(t, 25, 3)`."""
    what, how = np.random.default_rng((1, number)), np.random.default_rng((2, number, performance))
    person = draw_anybody(how)
    clock = draw_clock(how, active=seconds_of(what), before=0.2, after=0.2, rate=30.0, frames=(20, 150))
    return person, joints_of(person, improvise(person, clock, what, how))


def of(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[..., NTU25.joints.index(name), :]


def test_bones_keep_their_length_and_nothing_leaps() -> None:
    steps = []
    for number in range(150):
        _, joints = performed(number, 0)
        assert np.isfinite(joints).all()
        for start, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
            for side in ("left", "right"):
                length = np.linalg.norm(of(joints, f"{side}_{start}") - of(joints, f"{side}_{end}"), axis=-1)
                assert np.ptp(length) < 1e-3 * length.max() + 1e-6
        steps.append(np.linalg.norm(np.diff(joints, axis=0), axis=-1).max())
    # Metres in a thirtieth of a second: a hand that is flung. One movement in a thousand passes 1.0.
    assert np.quantile(steps, 0.98) < 1.0
    assert max(steps) < 1.3


def test_nobody_sinks_into_the_floor() -> None:
    """A hand on a straight arm may, when the body lies on its side: one movement in a thousand, by 12 to 18 cm."""
    lowest = []
    for number in range(300, 450):
        person, joints = performed(number, 0)
        lowest.append(joints[..., 1].min())
        assert of(joints, "head")[:, 1].max() < 1.6 * person.standing + 1.2
    assert np.quantile(lowest, 0.02) > -0.1
    assert min(lowest) > -0.25


def test_a_movement_is_the_same_whoever_performs_it() -> None:
    """The nearest of forty performances by raw poses is the same movement far more often than by chance."""
    clips = []
    for number in range(20):
        for performance in range(2):
            moved = perform_movement(number, performance, seed=3)
            scaled = PREPARATIONS["scaled"]
            recording = Recording(joints=moved, layout=LAYOUT, fps=30.0)
            clips.append(scaled.clip(scaled.clean(recording, LAYOUT, 1), 24, LAYOUT).ravel())
    rows = np.array(clips)
    distance = np.linalg.norm(rows[:, None] - rows[None], axis=-1) + 1e9 * np.eye(40)
    found = distance.argmin(axis=1) // 2 == np.arange(40) // 2
    assert found.mean() > 0.4  # chance is 1 in 39


def test_performances_differ_in_body_pace_and_place() -> None:
    pairs = [[perform_movement(number, one, seed=0) for one in range(2)] for number in range(12)]
    assert any(len(first) != len(second) for first, second in pairs)
    sizes = [body_scale(moved[:, 0], LAYOUT) for pair in pairs for moved in pair]
    assert max(sizes) / min(sizes) > 1.25  # children and tall people
    np.testing.assert_array_equal(pairs[5][1], perform_movement(5, 1, seed=0))
    assert not np.array_equal(pairs[5][1][:20], perform_movement(5, 1, seed=1)[:20])


@given(seed=SEEDS)
def test_every_form_has_the_joints_where_they_may_be(seed: int) -> None:
    joints = joints_of(*_standing(seed))
    formed = any_form(joints, np.random.default_rng(seed))
    assert formed.shape == (len(joints), len(LAYOUT.joints), 3)
    assert LAYOUT.joints == BODY16
    assert formed[..., BODY16.index("left_wrist"), :] == pytest.approx(of(joints, "left_wrist"), abs=0.06)
    for above, below in pairwise(("head", "neck", "spine", "pelvis")):
        assert (formed[:, BODY16.index(above), 1] > formed[:, BODY16.index(below), 1]).all()


def _standing(seed: int) -> tuple[Person, object]:
    from kinestream.data.synthetic.stance import standing

    rng = np.random.default_rng(seed)
    person = draw_anybody(rng)
    clock = draw_clock(rng, active=1.0, before=0.1, after=0.1, rate=30.0, frames=(10, 40))
    return person, standing(person, clock, rng, hands=False)


def test_a_longer_run_begins_with_a_shorter_one_and_pairs_name_its_recordings(tmp_path: Path) -> None:
    short, long = (generate_movements(tmp_path / str(clips), clips, seed=2) for clips in (6, 10))
    assert [path.name for path in short] == ["movements-0000000.npz", PAIRS]
    stores = [
        ks.prepare(path.parent, tmp_path / f"store-{number}", preparation="scaled", trust=True)
        for number, (path, *_) in enumerate((short, long))
    ]
    for row in range(6):
        np.testing.assert_array_equal(stores[0].joints(row), stores[1].joints(row))
    content = long[-1].read_bytes()
    pairs = parse_pairs(content, PAIRS, [(stores[1], np.arange(10))], None)
    assert pairs.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert len(list(csv.reader(content.decode().splitlines()))) == 6
    assert isinstance(stores[1], Store)
    assert stores[1].layout == LAYOUT


@pytest.mark.parametrize(("clips", "said"), [(7, "give an even number"), (0, "there are names for 1 to")])
def test_numbers_that_do_not_fit(tmp_path: Path, clips: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        generate_movements(tmp_path / "raw", clips, seed=0)
    assert not (tmp_path / "raw").exists()
