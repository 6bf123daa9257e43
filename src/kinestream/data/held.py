"""A recording that is held in memory as a clip."""

import numpy as np
from jaxtyping import Float32

from kinestream.data.gaps import without_gaps
from kinestream.data.preparation import Preparation, timed
from kinestream.data.recording import Recording
from kinestream.skeleton.joint_maps import joint_map
from kinestream.skeleton.layout import SkeletonLayout


def clip_of(
    recording: Recording,
    frames: int,
    layout: SkeletonLayout,
    preparation: Preparation,
    people: int = 2,
    *,
    seconds: float | int | None = None,
    cleaned: bool = False,
    partly: bool = False,
) -> Float32[np.ndarray, "t m v c"]:
    """One recording as a clip, of `people` bodies. `cleaned` tells that the preparation has cleaned it already,
    `partly` that a part of a body is enough (see `joint_map`).

    Raises RecordingError where it cannot be prepared, and ValueError where its joints cannot be mapped.
    """
    own = recording.layout
    assert own is not None, "as_recordings gives each a layout"
    mapped = None if own == layout else joint_map(own, layout, partly=partly)
    whole = without_gaps(recording, own)
    joints = (whole.joints if cleaned else preparation.clean(whole, own, people)).astype(np.float32, copy=False)
    clip = preparation.clip(timed(joints, seconds, recording.fps), frames, own).astype(np.float32)
    return clip if mapped is None else mapped(clip)
