"""Joints that were found in pictures: from pixels to metres, as good as a picture tells."""

import numpy as np
from jaxtyping import Float

PICTURE_METRES = 3.0
"""The height that a picture is taken to show, so that a body in it is of the order of metres."""
BODY_METRES = 1.7
"""The height that bodies are scaled to where nothing says how large the picture is."""
LARGEST_PICTURE = 1_000_000


def size_of(value: object) -> tuple[float, float] | None:
    """Height and width of a picture; None for what is none."""
    sizes = value[:2] if isinstance(value, tuple | list) else ()
    if len(sizes) < 2 or not all(isinstance(n, int | float | np.number) and 1 <= n <= LARGEST_PICTURE for n in sizes):
        return None
    return float(sizes[0]), float(sizes[1])


def from_picture(
    points: Float[np.ndarray, "t m v 2"], size: tuple[float, float] | None
) -> Float[np.ndarray, "t m v 3"]:
    """Metres from the middle of the picture, y up, z = 0. Bodies that are not there stay zero, joints that were not
    found (both coordinates zero, or not a number) become NaN.

    Without a `size` (height, width) the middle is the median of all joints, and the scale gives the boxes around the
    bodies a median height of `BODY_METRES`.

    Example:
        >>> ankle = np.array([[[[960.0, 900.0], [0.0, 0.0]]]])
        >>> from_picture(ankle, (1080.0, 1920.0))[0, 0].tolist()
        [[0.0, -1.0, 0.0], [nan, nan, nan]]
    """
    found = np.isfinite(points).all(axis=3) & np.nan_to_num(points).any(axis=3)
    there = found.any(axis=2)
    wide = points.astype(np.float64)
    if size is None:
        middle, scale = _of_bodies(wide, found)
    else:
        height, width = size
        middle, scale = np.array([width / 2, height / 2]), PICTURE_METRES / height
    x, y = (wide[..., 0] - middle[0]) * scale, (middle[1] - wide[..., 1]) * scale
    made = np.stack((x, y, np.zeros_like(x)), axis=-1)
    return np.where(found[..., None], made, np.where(there[..., None, None], np.nan, 0.0))


def _of_bodies(points: Float[np.ndarray, "t m v 2"], found: np.ndarray) -> tuple[np.ndarray, float]:
    frames, bodies = np.nonzero(found.any(axis=2))
    if not len(frames):
        return np.zeros(2), 1.0
    seen = np.where(found[..., None], points, np.nan)[frames, bodies]
    high = np.nanmax(seen[..., 1], axis=1) - np.nanmin(seen[..., 1], axis=1)
    scale = BODY_METRES / float(np.median(high)) if np.median(high) > 0 else 1.0
    return np.nanmedian(seen.reshape(-1, 2), axis=0), scale
