"""What looks like a body and what does not: real recordings, and the errors that people make."""

import itertools
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks import plausibility as benchmark
from hypothesis import given
from hypothesis import strategies as st

from kinestream.data.anatomy import bone_lengths, skeletal_height, swing_of, unevenness
from kinestream.data.plausibility import examine, units_of
from kinestream.skeleton.layout import NTU25, SkeletonLayout, layout_names, load_layout
from kinestream.skeleton.pose import standing

STICK = SkeletonLayout(
    name="stick", joints=("a", "b", "c", "d", "e"), parents=(0, 0, 1, 0, 3), pairs=(), heading=(2, 4), pelvis=(0,)
)


def person(layout: SkeletonLayout = NTU25, frames: int = 40, noise: float = 0.01, seed: int = 0) -> np.ndarray:
    """Joints (t, 1, v, 3) of a body that stands and trembles, turned anyhow."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * math.pi)
    turn = np.array([[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]])
    joints = standing(layout) + rng.normal(0, noise, (frames, len(layout.joints), 3))
    return np.asarray(joints @ turn.T + rng.normal(0, 2, 3))[:, None]


@pytest.mark.parametrize("name", layout_names())
def test_a_body_of_every_layout_is_one(name: str) -> None:
    layout = load_layout(name)
    found = examine(person(layout), layout)
    assert found.plausible, found.problems
    assert found.frames == 40
    if found.height is not None:
        assert 1.3 < found.height < 1.9
        assert found.units == "m"
    for error, told in ((100.0, "cm"), (1000.0, "mm")):
        far = examine(error * person(layout), layout)
        assert (far.units, far.up) == (told, found.up)
        assert f"are its units {told}?" in far.problems[0]
    flipped = examine(person(layout) * [-1, 1, 1], layout)
    assert (found.facing is None) == (flipped.facing is None)
    if found.facing is not None:
        assert flipped.facing == pytest.approx(-found.facing)
        assert "are left and right exchanged" in flipped.problems[0]


@pytest.mark.parametrize("axis", ["x", "y", "z", "-x", "-y", "-z"])
def test_the_axis_that_points_up_is_found(axis: str) -> None:
    x, y, z = np.moveaxis(person(), -1, 0)
    turned = {"y": (x, y, z), "z": (x, -z, y), "x": (y, -x, z)}[axis[-1]]
    joints = np.stack(turned, axis=-1) * (-1 if axis.startswith("-") else 1)
    found = examine(joints, NTU25, up=None, units=None)
    assert (found.up, found.up_share) == (axis, 1.0)
    told = examine(joints, NTU25, up="y").problems
    assert [text for text in told if "is said to be up" in text] == ([] if axis == "y" else [told[0]])
    assert not [text for text in examine(joints, NTU25, up=axis).problems if "is said to be up" in text]


def test_a_body_that_turns_over_has_no_axis_up() -> None:
    joints = person(frames=40)
    joints[20:] = joints[20:][..., [1, 0, 2]]
    found = examine(joints, NTU25)
    assert (found.up, found.up_share) == (None, 0.5)


def test_a_lying_body_is_told_but_its_joints_are_in_order() -> None:
    lying = person()[..., [1, 0, 2]] * [1, -1, 1]
    found = examine(lying, NTU25)
    assert (found.up, len(found.problems)) == ("x", 1)
    assert "or does the body lie?" in found.problems[0]
    assert found.order is not None
    assert found.order > 0.99


@pytest.mark.parametrize("error", benchmark.ERRORS)
@pytest.mark.parametrize("layout", ["ntu25", "kinect20", "uiprmd22", "cmu31"])
def test_errors_are_caught(error: str, layout: str) -> None:
    for seed in range(8):
        real = benchmark.Real(name="made up", joints=person(load_layout(layout), seed=seed), layout=load_layout(layout))
        wrong = benchmark.ERRORS[error](real, np.random.default_rng(seed))
        assert wrong is not None
        found = examine(wrong.joints, wrong.layout)
        assert found.problems, (error, layout, seed, found)
        assert all("\n" not in text and len(text) < 250 for text in found.problems)


def test_real_recordings_are_bodies_and_errors_in_them_are_caught(real_data: Path) -> None:
    """Every data set in small; `python -m benchmarks.plausibility` counts in the whole of them."""
    for name, read in benchmark.DATA.items():
        some = list(read(real_data, STEPS[name]))
        alarms = {one.name: found.problems for one in some if not (found := examine(one.joints, one.layout)).plausible}
        assert some, name
        assert not alarms
        for error, make in benchmark.ERRORS.items():
            made = [make(one, np.random.default_rng(row)) for row, one in enumerate(some)]
            missed = sum(examine(one.joints, one.layout).plausible for one in made if one is not None)
            assert missed <= max(1, 0.1 * len(made)), (name, error)


STEPS = {"ntu": 2, "nw-ucla": 130, "pku-mmd": 2, "ui-prmd": 170, "cmu": 10}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda joints: joints * 0.01, "the body is 0.0"),
        (lambda joints: joints * 7, "m high from ankles to head: a person's is 0.5 to 2.5 m"),
        (
            lambda joints: joints * (1 + 1.2 * (np.arange(40) % 2))[:, None, None, None],
            "its bones change their lengths",
        ),
        (lambda joints: joints[:, :, np.random.default_rng(1).permutation(25)], "is the layout ntu25?"),
        (lambda joints: joints[:, :, list(NTU25.mirrored)], "feet, face or knees point backwards"),
        (lambda joints: joints * 0, "no body in any frame"),
        (lambda joints: joints * np.nan, "no body in any frame"),
    ],
)
def test_what_is_wrong_is_said(change: Callable[[np.ndarray], np.ndarray], message: str) -> None:
    joints = person(noise=0.001)
    found = examine(change(joints - joints.mean(axis=(0, 1, 2))), NTU25)
    assert any(re.search(re.escape(message), text) for text in found.problems), found.problems
    assert not found.plausible


def test_what_is_open_is_no_problem() -> None:
    assert examine(1000 * person(), NTU25, units=None).plausible
    assert examine(1000 * person(), NTU25, units="mm").plausible
    with pytest.raises(ValueError, match="units px: m, cm, mm can be examined"):
        examine(person(), NTU25, units="px")


def test_in_pictures_depth_and_lengths_are_not_judged() -> None:
    flat = person()[..., :2] * [-1, 1]
    found = examine(flat, NTU25)
    assert found.plausible
    assert (found.swing, found.unevenness, found.facing) == (None, None, None)
    assert found.order is not None
    assert examine(flat[:, :, np.random.default_rng(0).permutation(25)], NTU25).problems


def test_the_body_seen_longest_is_looked_at() -> None:
    scene = np.concatenate((100 * person(seed=1), person(seed=2)), axis=1)
    scene[30:, 0] = 0
    assert examine(scene, NTU25).plausible
    swapped, bodies = scene.copy(), np.tile([8, 5], (40, 1))
    bodies[30:, 0] = 0
    swapped[::2], bodies[::2] = swapped[::2, ::-1], bodies[::2, ::-1]
    assert examine(swapped, NTU25, bodies=bodies).plausible
    assert not examine(swapped, NTU25).plausible


@given(share=st.floats(0, 0.95), seed=st.integers(0, 1000), name=st.sampled_from(layout_names()))
def test_joints_that_were_not_seen_lead_to_no_error(share: float, seed: int, name: str) -> None:
    layout = load_layout(name)
    joints = person(layout, frames=12, seed=seed)
    joints[np.random.default_rng(seed).random(joints.shape[:3]) < share] = np.nan
    for shown in (joints, joints[..., :2]):
        found = examine(shown, layout)
        assert not [text for text in found.problems if "layout" in text or "high" in text or "backwards" in text]


@given(seed=st.integers(0, 1000), name=st.sampled_from(layout_names()), kind=st.integers(0, 3))
def test_anything_is_told_without_an_error(seed: int, name: str, kind: int) -> None:
    rng = np.random.default_rng(seed)
    layout = load_layout(name)
    shape = (int(rng.integers(1, 6)), int(rng.integers(1, 3)), len(layout.joints), 3)
    joints = [
        rng.normal(size=shape),
        np.full(shape, 0.4),
        rng.choice([0.0, np.nan, 1e-9, 90], size=shape),
        np.zeros(shape),
    ]
    found = examine(joints[kind], layout)
    assert all(np.isfinite(value) for value in vars(found).values() if isinstance(value, float))


# --- numbers --------------------------------------------------------------------------------------------------------


def test_height_of_a_tree_without_known_joints_is_a_share_of_its_longest_way() -> None:
    joints = np.zeros((3, 1, 5, 3))
    joints[:, 0, 1:] = [[0, 1, 0], [0, 1, 0.5], [0.25, 0, 0], [0.25, 0.75, 0]]
    joints += 1
    found = examine(joints, STICK)
    assert found.height == pytest.approx(0.8 * 2.5)
    assert (found.up, found.up_share, found.order, found.facing) == (None, 0.0, None, None)


def test_height_is_along_the_bones_however_the_body_bends() -> None:
    layout = load_layout("body16")
    body = standing(layout)
    bent = body.copy()
    knee, ankle = (layout.joints.index(f"left_{name}") for name in ("knee", "ankle"))
    bent[ankle] = bent[knee] + [0, 0, np.linalg.norm(body[knee] - body[ankle])]
    heights = [skeletal_height(bone_lengths(one[None], layout), layout) for one in (body, bent)]
    assert heights[0] == pytest.approx(heights[1])
    way = ["left_ankle", "left_knee", "left_hip", "pelvis", "spine", "neck", "head"]
    points = [body[layout.joints.index(name)] for name in way]
    assert heights[0] == pytest.approx(sum(math.dist(a, b) for a, b in itertools.pairwise(points)))


@given(scale=st.floats(1e-4, 1e4), seed=st.integers(0, 100))
def test_only_height_depends_on_units(scale: float, seed: int) -> None:
    body = person(seed=seed)[:, 0]
    lengths, scaled = bone_lengths(body, NTU25), bone_lengths(scale * body, NTU25)
    assert swing_of(scaled) == pytest.approx(swing_of(lengths))
    assert unevenness(scaled, NTU25) == pytest.approx(unevenness(lengths, NTU25))
    assert skeletal_height(scaled, NTU25) == pytest.approx(scale * (skeletal_height(lengths, NTU25) or 0))


@given(height=st.floats(1e-3, 1e5))
def test_units_are_those_of_a_person_and_of_no_other(height: float) -> None:
    fitting = [name for name, metres in (("m", 1), ("cm", 0.01), ("mm", 0.001)) if 0.5 <= height * metres <= 2.5]
    inches = 0.5 <= height * 0.0254 <= 2.5
    assert units_of(height) == (fitting[0] if fitting and not inches else None)
