"""Clips of recordings that are held in memory."""

import numpy as np
from jaxtyping import Float32, Int64

from kinestream.data.gaps import without_gaps
from kinestream.data.preparation import Preparation, preparation_of
from kinestream.data.recording import Recording, RecordingError
from kinestream.skeleton.joint_maps import joint_map
from kinestream.skeleton.layout import SkeletonLayout


class HeldClips:
    """Recordings as clips of `frames` frames with the joints of `layout`, prepared as a store would be, one by one when
    they are asked for.

    Raises ValueError, naming the recording, where its joints cannot be mapped or it cannot be prepared.
    """

    def __init__(
        self, recordings: list[Recording], *, frames: int, layout: SkeletonLayout, preparation: str, people: int = 2
    ) -> None:
        self._recordings = recordings
        self._preparation = preparation_of(preparation)
        self._people = people
        self.frames = frames
        self._layout = layout

    @property
    def layout(self) -> SkeletonLayout:
        return self._layout

    def __len__(self) -> int:
        return len(self._recordings)

    def batch(self, indices: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n t m v c"]:
        return np.stack([self._clip(index) for index in indices.tolist()])

    def _clip(self, index: int) -> Float32[np.ndarray, "t m v c"]:
        recording = self._recordings[index]
        try:
            return clip_of(recording, self.frames, self.layout, self._preparation, self._people)
        except (RecordingError, ValueError) as error:
            raise ValueError(f"recording {recording.name or index}: {error}") from None


def clip_of(
    recording: Recording,
    frames: int,
    layout: SkeletonLayout,
    preparation: Preparation,
    people: int = 2,
    *,
    cleaned: bool = False,
) -> Float32[np.ndarray, "t m v c"]:
    """One recording as a clip, of `people` bodies. `cleaned` tells that the preparation has cleaned it already.

    Raises RecordingError where it cannot be prepared, and ValueError where its joints cannot be mapped.
    """
    own = recording.layout
    assert own is not None, "as_recordings gives each a layout"
    mapped = None if own == layout else joint_map(own, layout)
    whole = without_gaps(recording, own)
    joints = (whole.joints if cleaned else preparation.clean(whole, own, people)).astype(np.float32, copy=False)
    clip = preparation.clip(joints, frames, own).astype(np.float32)
    return clip if mapped is None else mapped(clip)
