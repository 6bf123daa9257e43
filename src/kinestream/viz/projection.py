"""Features laid out in a plane: PCA and t-SNE, the same each time."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int64

Method = Literal["tsne", "pca"]
Plane = Float32[np.ndarray, "n 2"]

_PERPLEXITY = 30.0
_WIDE = 4096
"""Numbers of a row up to which the covariance of its columns is small enough."""


def unit(features: Float[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
    """Rows of length 1, so that distances are those of the cosine; rows of zeros stay."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return (features / np.where(length > 0, length, 1.0)).astype(np.float32)


def pca(features: Float[np.ndarray, "n d"]) -> Plane:
    """The first two principal components of the unit rows; the component of largest size is positive in each axis."""
    rows = unit(features)
    middle, axes = principal_axes(rows, 2)
    plane = np.zeros((len(features), 2), np.float32)
    plane[:, : axes.shape[1]] = (rows.astype(np.float64) - middle) @ axes
    return plane


def principal_axes(
    rows: Float[np.ndarray, "n d"], count: int
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d k"]]:
    """The mean, and the directions of largest variance, at most `count`; the component of largest size is positive."""
    centred = rows.astype(np.float64)
    middle = centred.mean(axis=0)
    centred -= middle
    few, many = centred.shape
    if many <= max(few, _WIDE):
        _, axes = np.linalg.eigh(centred.T @ centred)
        axes = axes[:, ::-1][:, :count]
    else:  # of the smaller of the two products, which has the same eigenvalues
        values, sides = np.linalg.eigh(centred @ centred.T)
        kept = values[::-1][:count] > 1e-9 * max(float(values[-1]), 1e-300)
        axes = centred.T @ sides[:, ::-1][:, :count][:, kept]
        axes /= np.linalg.norm(axes, axis=0)
    return middle, axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])


def tsne(features: Float[np.ndarray, "n d"], *, seed: int = 0) -> Plane:
    """t-SNE of the unit rows, begun from their PCA.

    Perplexity 30, or what few points allow; 1 000 steps, or 500 above 2 000 points. On one thread, because sums of
    several threads come in any order, and the picture with them. Fewer than 4 points are laid out by PCA.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if len(features) < 4:
        return pca(features)
    start = pca(features)
    deviation = float(start[:, 0].std())
    model = TSNE(
        init=start / deviation * 1e-4 if deviation > 0 else "random",
        perplexity=min(_PERPLEXITY, (len(features) - 1) / 3),
        max_iter=1000 if len(features) <= 2000 else 500,
        random_state=seed,
    )
    with threadpool_limits(limits=1):
        return np.asarray(model.fit_transform(unit(features)), dtype=np.float32)


def sample(count: int, most: int, *, seed: int = 0) -> Int64[np.ndarray, " n"]:
    """Ascending numbers below `count`: all, or `most` of them drawn by the seed.

    Example:
        >>> sample(3, 5).tolist(), len(sample(1000, 5))
        ([0, 1, 2], 5)
    """
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
