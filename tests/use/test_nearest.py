"""The nearest vectors against a plain sort of all cosines: ties, numbers that are none, few that are allowed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Bool, Float32

from kinestream.use import nearest as module
from kinestream.use import vectors as stored
from kinestream.use.nearest import Found, nearest
from kinestream.use.vectors import Held


def naive(
    vectors: Float32[np.ndarray, "n d"],
    queries: Float32[np.ndarray, "q d"],
    k: int,
    allowed: Bool[np.ndarray, " n"] | None,
    together: bool,
) -> Found:
    cosines = queries @ vectors.T
    if together:
        cosines = cosines.max(axis=0, keepdims=True)
    may = np.isfinite(cosines) if allowed is None else np.isfinite(cosines) & allowed
    cosines = np.where(may, cosines, -np.inf)
    places = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(cosines, places, 1)
    return values, np.where(np.isfinite(values), places, -1)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 900),
    k=st.integers(1, 30),
    few=st.integers(1, 300),
    share=st.sampled_from([None, 0.01, 0.5]),
    together=st.booleans(),
)
def test_it_is_a_sort_of_all(seed: int, count: int, k: int, few: int, share: float | None, together: bool) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-3, 4, (count, 2)).astype(np.float32)  # many are equal
    vectors[rng.random(count) < 0.02] = np.nan
    vectors[rng.random(count) < 0.02, 0] = np.inf
    queries = rng.integers(-3, 4, (5, 2)).astype(np.float32)
    allowed = None if share is None else rng.random(count) < share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW", few)
        patch.setattr(stored, "_CHUNK_BYTES", 4 * 2 * 200)
        found = nearest(Held(vectors), queries, k, allowed=allowed, together=together)
    for one, other in zip(found, naive(vectors, queries, k, allowed, together), strict=True):
        np.testing.assert_array_equal(one, other)


def test_pages_that_were_given_back_are_read_again(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    np.save(tmp_path / "some.npy", vectors)
    mapped = Held(np.load(tmp_path / "some.npy", mmap_mode="r"))
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate([part for _, part in stored.once(mapped, 7)]), vectors)
    Held(vectors).release()  # nothing to give back
