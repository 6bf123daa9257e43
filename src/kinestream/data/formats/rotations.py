"""Rotations as they stand in motion capture files: some angles about axes, frame by frame.

A rotation is held as (3, 3, t), so that the numbers of one place in it lie together for all frames.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64

Rotation = Float64[np.ndarray, "3 3 t"]
AXES = "xyz"


def identity(frames: int) -> Rotation:
    """No rotation."""
    return np.repeat(np.eye(3)[:, :, None], frames, axis=2)


def rotated(base: Rotation, angles: Iterable[tuple[str, Float64[np.ndarray, " t"]]]) -> Rotation:
    """`base` times the rotations about axes `x`, `y` or `z` by radians, from left to right.

    Example:
        >>> quarter = np.array([np.pi / 2])
        >>> rotated(identity(1), [("z", quarter), ("x", quarter)])[:, :, 0].round(6) @ [0, 1, 0]
        array([0., 0., 1.])
    """
    made = base
    for axis, radians in angles:
        # Only two columns change, the same two for each axis but for their order.
        one, other = (AXES.index(axis) + 1) % 3, (AXES.index(axis) + 2) % 3
        cosine, sine = np.cos(radians), np.sin(radians)
        made = made.copy()
        made[:, one], made[:, other] = (
            cosine * made[:, one] + sine * made[:, other],
            cosine * made[:, other] - sine * made[:, one],
        )
    return made


def applied(rotation: Rotation, vector: Float64[np.ndarray, "3 #t"]) -> Float64[np.ndarray, "3 t"]:
    """The vector after the rotation."""
    return np.einsum("ijt,jt->it", rotation, np.broadcast_to(vector, (3, rotation.shape[2])))
