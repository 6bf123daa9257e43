"""What the page embeds: does it come back, and within its bound?"""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.viz.page.packing import bodies_of, budget, evenly, in_unit_square, nearest, pack_clips


def test_clips_come_back_to_half_a_unit(rng: np.random.Generator) -> None:
    clips = rng.normal(size=(4, 9, 2, 5, 3)).astype(np.float32)
    bodies = np.array([2, 1, 0, 2])
    packed = pack_clips(iter(clips), bodies, 4, float(np.abs(clips).max()))
    values = np.frombuffer(base64.b64decode(packed.base64), "<i2").astype(float) * packed.unit
    size, start = 4 * 5 * 3, 0
    for clip, count in zip(clips, bodies.tolist(), strict=True):
        part = values[start : start + count * size].reshape(count, 4, 5, 3)
        start += count * size
        np.testing.assert_allclose(part, np.moveaxis(clip[evenly(9, 4), :count], 1, 0), atol=packed.unit)
    assert start == len(values)


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=60),
    st.integers(1, 25),
    st.integers(2, 60),
    st.floats(0, 1e6),
)
def test_the_budget_is_kept_and_used(bodies: list[int], joints: int, frames: int, most: float) -> None:
    array = np.array(bodies)
    found = budget(array, joints, frames=frames, most_bytes=most)
    assert min(8, frames) <= found.frames <= frames

    def size(clips: int, frames: int) -> float:
        return float(array[:clips].sum()) * joints * frames * 3 * 8 / 3

    assert size(found.clips, found.frames) <= most + 1e-6
    if found.clips == len(bodies) and found.frames < frames and array.any():
        assert size(len(bodies), found.frames + 1) > most, "one more frame would not fit"
    if found.clips < len(bodies):
        assert size(found.clips + 1, found.frames) > most, "one more clip would not fit"


def test_nearest_against_sorting_all(rng: np.random.Generator) -> None:
    features = rng.normal(size=(1100, 6)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    found, cosines = nearest(features, 5)
    similarity = features @ features.T
    np.fill_diagonal(similarity, -np.inf)
    np.testing.assert_array_equal(found, np.argsort(-similarity, axis=1, kind="stable")[:, :5])
    np.testing.assert_allclose(cosines, -np.sort(-similarity, axis=1)[:, :5], rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_few_clips_have_few_neighbours(count: int) -> None:
    found, _ = nearest(np.eye(4, dtype=np.float32)[:count], 5)
    assert found.shape == (count, count - 1)
    assert all(row not in found[row] for row in range(count))


def test_bodies_and_places() -> None:
    clip = np.zeros((3, 3, 4, 3), np.float32)
    assert bodies_of(clip) == 0
    clip[1, 1, 2, 0] = 1.0
    assert bodies_of(clip) == 2
    places = in_unit_square(np.array([[0, 0], [4, 2]], np.float32))
    assert places.tolist() == [[0, 49151], [65535, 16384]], "one scale for both axes, y downwards"
    assert in_unit_square(np.zeros((2, 2), np.float32)).tolist() == [[32768, 32768]] * 2
