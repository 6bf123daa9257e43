"""Many embeddings laid out in a plane: some of them, the landmarks, by PCA and t-SNE, the others by where these lie.

What is computed grows with the landmarks squared, and with all rows only in proportion. n rows, d numbers, l landmarks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from kinestream.progress import Progress, silent
from kinestream.viz.projection import Plane, principal_axes, sample, tsne

MOST = 5_000
"""Landmarks; fewer rows are all landmarks, and laid out as the report does it."""
_COMPONENTS = 50
_NEAR = 10
_AT_ONCE = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class Laid:
    """Rows laid out."""

    tsne: Plane
    pca: Plane
    components: Float32[np.ndarray, "n k"]
    """The first principal components of all rows, 50 at most: what groups are found in."""
    landmarks: Int64[np.ndarray, " l"]
    """Which rows these are."""


def lay_out(
    features: Float32[np.ndarray, "n d"], *, most: int = MOST, seed: int = 0, progress: Progress = silent
) -> Laid:
    """Unit rows by t-SNE and PCA, the same each time. With more than `most` rows, landmarks are drawn by the seed; axes
    of the PCA are theirs, and a row lies at the median of the places of the 10 landmarks that are nearest to it by
    their cosine.
    """
    count = len(features)
    landmarks = sample(count, most, seed=seed)
    some = features[landmarks]
    middle, axes = principal_axes(some, _COMPONENTS)
    components = np.empty((count, axes.shape[1]), np.float32)
    for rows in _blocks(count):
        components[rows] = (features[rows].astype(np.float64) - middle) @ axes
    pca = np.zeros((count, 2), np.float32)
    pca[:, : min(2, axes.shape[1])] = components[:, :2]
    progress("t-SNE", "rows", 0, count)
    placed = tsne(some, seed=seed)
    plane = placed if len(landmarks) == count else np.empty((count, 2), np.float32)
    if plane is not placed:
        for rows in _blocks(count):
            near = np.argpartition(-(features[rows] @ some.T), min(_NEAR, len(some)) - 1, axis=1)[:, :_NEAR]
            plane[rows] = np.median(placed[near], axis=1)
        plane[landmarks] = placed
    progress("t-SNE", "rows", count, count)
    return Laid(tsne=plane, pca=pca, components=components, landmarks=landmarks)


def _blocks(count: int) -> Iterator[slice]:
    for start in range(0, count, _AT_ONCE):
        yield slice(start, min(start + _AT_ONCE, count))
