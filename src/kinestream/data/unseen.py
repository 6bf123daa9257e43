"""Which joints of a recording were not seen, whatever stands in their place."""

import numpy as np
from jaxtyping import Bool, Float

_NEAR = 0.1
"""In body sizes: a joint that passes the origin comes and goes from within this distance of it."""


def unseen(
    joints: Float[np.ndarray, "t m v c"], confidence: Float[np.ndarray, "t m v"] | None = None, least: float = 0.0
) -> Bool[np.ndarray, "t m v"]:
    """Marks the joints that were not seen: NaN, a confidence below `least`, or exactly zero in all coordinates.

    Zero is a position all the same where a body stands round the origin: of a joint that is always there, as the root
    of centred recordings is, and of one that passes through it. A body that is all zero is not there, and nothing of it
    is marked.

    Example:
        >>> body = np.array([[[2.0, 0, 3], [2, 1, 3], [0, 0, 0]]])
        >>> unseen(body[:, None]).tolist()
        [[[False, False, True]]]
    """
    marked = np.isnan(joints).any(axis=3)
    if confidence is not None:
        marked |= ~(confidence >= least)
    zero = (joints == 0).all(axis=3)
    zero &= ~zero.all(axis=2, keepdims=True)
    for slot, joint in np.argwhere(zero.any(axis=0)).tolist():
        marked[:, slot, joint] |= zero[:, slot, joint] & ~_is_position(joints[:, slot], zero[:, slot], joint)
    return marked


def _is_position(body: Float[np.ndarray, "t v c"], zero: Bool[np.ndarray, "t v"], joint: int) -> Bool[np.ndarray, " t"]:
    """In which of its frames at zero a joint can be meant to be there."""
    frames = np.flatnonzero(~np.isnan(body).all(axis=(1, 2)) & body.any(axis=(1, 2)))
    gone = np.isnan(body[frames]) | zero[frames][..., None]
    low = np.where(gone, np.inf, body[frames]).min(axis=1)
    high = np.where(gone, -np.inf, body[frames]).max(axis=1)
    size = float(np.median(np.linalg.norm(high - low, axis=-1)))
    at_zero = zero[frames, joint]
    meant = np.zeros(len(body), dtype=np.bool_)
    if at_zero.all():
        around = ((low <= _NEAR * size) & (high >= -_NEAR * size)).all(axis=-1)
        meant[:] = around.mean() > 0.5
        return meant
    away = np.flatnonzero(~at_zero & ~np.isnan(body[frames, joint]).any(axis=-1))
    if not len(away):
        return meant
    distance = np.linalg.norm(body[frames[away], joint], axis=-1)
    after = np.searchsorted(away, np.arange(len(frames)))
    before, later = np.maximum(after - 1, 0), np.minimum(after, len(away) - 1)
    farthest = np.maximum(np.where(after > 0, distance[before], 0), np.where(after < len(away), distance[later], 0))
    meant[frames] = farthest <= _NEAR * size
    return meant
