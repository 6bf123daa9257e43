"""Which joints of a recording were not seen, whatever stands in their place. Metres where lengths matter."""

import numpy as np
from jaxtyping import Bool, Float

FASTEST_LIMB = 12.0
"""Metres a second that a joint does not go out and back within `LONGEST_SPIKE`."""
LONGEST_SPIKE = 0.15
"""Seconds."""
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


def spikes(joints: Float[np.ndarray, "t m v c"], fps: int | float) -> Bool[np.ndarray, "t m v"]:
    """Marks the joints that jump away and back faster than a limb can: out and back at 12 m/s or more, within 0.15 s,
    to within half of the shorter jump of where they came from.

    Place m must be one person (see `kinestream.data.tracks`); joints that are NaN and bodies that are all zero are
    passed over, and time goes on.

    Example:
        >>> hand = np.zeros((9, 1, 1, 3)) + 1
        >>> hand[4] += 1.5
        >>> np.flatnonzero(spikes(hand, fps=30)).tolist()
        [4]
    """
    marked = np.zeros(joints.shape[:3], dtype=np.bool_)
    there = ~np.isnan(joints).any(axis=3) & np.asarray(joints.any(axis=(2, 3)))[..., None]
    for slot in range(joints.shape[1]):
        patterns: dict[bytes, list[int]] = {}
        for joint in range(joints.shape[2]):
            patterns.setdefault(there[:, slot, joint].tobytes(), []).append(joint)
        for which in patterns.values():
            frames = np.flatnonzero(there[:, slot, which[0]])
            found = _jumps(joints[frames[:, None], slot, np.array(which)], frames, float(fps))
            marked[frames[:, None], slot, np.array(which)] = found
    return marked


def _jumps(path: Float[np.ndarray, "s v c"], frames: np.ndarray, fps: float) -> Bool[np.ndarray, "s v"]:
    marked = np.zeros(path.shape[:2], dtype=np.bool_)
    seconds = frames / fps
    step = np.linalg.norm(np.diff(path, axis=0), axis=-1)
    fast = step > FASTEST_LIMB * np.diff(seconds)[:, None]
    for length in range(1, max(1, round(LONGEST_SPIKE * fps)) + 1):
        if len(path) < length + 2:
            break
        out, back = step[:-length], step[length:]
        both = fast[:-length] & fast[length:]
        in_time = (seconds[length + 1 :] - seconds[: -length - 1] <= LONGEST_SPIKE + 2 / fps)[:, None]
        between = np.linalg.norm(path[length + 1 :] - path[: -length - 1], axis=-1)
        found = both & in_time & (between <= np.minimum(out, back) / 2)
        for offset in range(1, length + 1):
            marked[offset : offset + len(found)] |= found
    return marked
