"""Joints that were not seen, filled in."""

import numpy as np
from jaxtyping import Float

from kinestream.data.recording import Recording, RecordingError
from kinestream.skeleton.layout import SkeletonLayout


def fill_gaps(recording: Recording, layout: SkeletonLayout) -> tuple[Float[np.ndarray, "t m v c"], int]:
    """The joints with a position wherever a body is, and how many were filled in.

    A joint that is missing (NaN) in some frames is interpolated over time between those in which it was seen, and held
    before and after them; one that is never seen is put where its parent is. A body that is not there is zero.

    Raises RecordingError where a body has no joint to begin with.
    """
    joints = recording.joints
    missing = np.isnan(joints).any(axis=3)
    if not missing.any():
        return joints, 0
    filled = np.where(missing[..., None], 0.0, joints)
    there = recording.bodies > 0
    for body in range(joints.shape[1]):
        frames = np.flatnonzero(there[:, body])
        if not len(frames):
            continue
        lacking = missing[frames, body]
        for joint in np.flatnonzero(lacking.any(axis=0) & ~lacking.all(axis=0)).tolist():
            seen = frames[~lacking[:, joint]]
            for axis in range(joints.shape[3]):
                filled[frames, body, joint, axis] = np.interp(frames, seen, joints[seen, body, joint, axis])
        _place_unseen(filled, frames, body, set(np.flatnonzero(lacking.all(axis=0)).tolist()), layout)
    filled[~there] = 0.0
    return filled, int((missing & there[:, :, None]).sum())


def _place_unseen(
    filled: Float[np.ndarray, "t m v c"], frames: np.ndarray, body: int, unseen: set[int], layout: SkeletonLayout
) -> None:
    if len(unseen) == len(layout.joints):
        raise RecordingError(f"body {body + 1} has no joint that is seen")
    seen = [joint for joint in range(len(layout.joints)) if joint not in unseen]
    middle = filled[frames, body][:, seen].mean(axis=1)
    for joint in sorted(unseen, key=lambda joint: layout.depths[joint]):
        parent = layout.parents[joint]
        filled[frames, body, joint] = middle if parent == joint else filled[frames, body, parent]
