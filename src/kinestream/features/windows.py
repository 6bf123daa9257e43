"""Sliding windows over long recordings: their clips, their features, and from windows back to frames.

w windows, t frames of a recording or of a clip, m bodies, v joints, c coordinates.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import nn

from kinestream.data.clips import FixedClips
from kinestream.data.gaps import without_gaps
from kinestream.data.preparation import preparation_of, timed
from kinestream.data.recording import Recording, RecordingError
from kinestream.data.store import batches
from kinestream.features.extract import compute_features
from kinestream.models.encoder_file import EncoderCard
from kinestream.models.readout import Readout
from kinestream.skeleton.joint_maps import joint_map
from kinestream.skeleton.layout import SkeletonLayout

_AT_ONCE = 128
Starts = Int64[np.ndarray, " w"]


@dataclass(frozen=True, kw_only=True)
class ClipForm:
    """How windows become clips: what the encoders learnt from."""

    frames: int
    layout: SkeletonLayout
    preparation: str
    people: int = 2
    seconds: float | int | None = None
    """What of a window is looked at, from its middle; None for all of it."""

    partly: bool = False
    """A part of a body is enough."""

    @classmethod
    def of(cls, card: EncoderCard) -> "ClipForm":
        return cls(
            frames=card.frames,
            layout=card.layout,
            preparation=card.preparation,
            seconds=card.seconds,
            partly=card.partly,
        )

    @property
    def rate(self) -> float | None:
        return None if self.seconds is None else self.frames / self.seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedClips:
    """Clips that are in memory."""

    clips: Float32[np.ndarray, "n t m v c"]
    layout: SkeletonLayout
    rate: float | None = None

    @property
    def frames(self) -> int:
        return self.clips.shape[1]

    def __len__(self) -> int:
        return len(self.clips)

    def batch(self, indices: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n t m v c"]:
        return self.clips[indices]


def window_starts(frames: int, size: int, hop: int) -> Starts:
    """First frames of the windows that lie wholly in a recording; the one window of a recording that is shorter has all
    of it. Raises ValueError for a size or a hop below 1.

    Example:
        >>> window_starts(10, 4, 2).tolist(), window_starts(3, 4, 2).tolist()
        ([0, 2, 4, 6], [0])
    """
    if size < 1 or hop < 1:
        raise ValueError(f"windows of {size} frames every {hop}: both must be 1 or more")
    return np.arange(0, max(frames - size, 0) + 1, hop, dtype=np.int64)


def windows_of_frames(starts: Starts, size: int, frames: int) -> Int64[np.ndarray, " t"]:
    """For each frame the place of the window whose middle is nearest; of two the earlier.

    Example:
        >>> windows_of_frames(np.array([0, 4]), 4, 9).tolist()
        [0, 0, 0, 0, 1, 1, 1, 1, 1]
    """
    middles = starts + (size - 1) / 2
    between = (middles[1:] + middles[:-1]) / 2
    return np.searchsorted(between, np.arange(frames), side="left").astype(np.int64)


def window_clips(
    recording: Recording, starts: Starts, size: int, form: ClipForm
) -> tuple[Float32[np.ndarray, "n t m v c"], Bool[np.ndarray, " w"]]:
    """The clips of the windows that can be prepared, and which those are: the others have no body. Each is prepared
    as a recording of its own. The recording has no gaps. Raises ValueError where its joints cannot be mapped."""
    made, usable = [], np.zeros(len(starts), dtype=np.bool_)
    preparation, own = preparation_of(form.preparation), recording.layout
    assert own is not None, "as_recordings gives each a layout"
    mapped = None if own == form.layout else joint_map(own, form.layout, partly=form.partly)
    for place, start in enumerate(starts.tolist()):
        try:
            part = recording.cut(slice(start, start + size))
            cleaned = preparation.clean(part, own, form.people).astype(np.float32)
        except RecordingError:
            continue
        clip = preparation.clip(timed(cleaned, form.seconds, recording.fps), form.frames, own).astype(np.float32)
        made.append(clip if mapped is None else mapped(clip))
        usable[place] = True
    empty = np.zeros((0, form.frames, form.people, len(form.layout.joints), 3), dtype=np.float32)
    return np.stack(made) if made else empty, usable


def with_gaps_filled(recording: Recording) -> Recording:
    """Joints that were not seen are filled in over all of it, so that a window knows what was seen before and after it.
    Raises ValueError, naming the recording, where a body has no joint."""
    assert recording.layout is not None, "as_recordings gives each a layout"
    try:
        return without_gaps(recording, recording.layout)
    except ValueError as error:
        raise ValueError(f"recording {recording.name}: {error}") from None


def window_features(
    encoders: Mapping[str, nn.Module],
    recording: Recording,
    starts: Starts,
    size: int,
    form: ClipForm,
    *,
    readout: Readout,
    device: torch.device | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[dict[str, Float32[np.ndarray, "w _"]], Bool[np.ndarray, " w"]]:
    """By stream the features of each window, and which windows have a body; the features of the others are zero. Some
    windows at a time are clips in memory."""
    filled = with_gaps_filled(recording)

    def of(clips: FixedClips) -> Mapping[str, Float32[np.ndarray, "n _"]]:
        return compute_features(encoders, clips, readout=readout, device=device)

    return per_window(of, filled, starts, size, form, streams=tuple(encoders), progress=progress)


def per_window(
    features: Callable[[FixedClips], Mapping[str, Float32[np.ndarray, "n _"]]],
    recording: Recording,
    starts: Starts,
    size: int,
    form: ClipForm,
    *,
    streams: Sequence[str],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[dict[str, Float32[np.ndarray, "w _"]], Bool[np.ndarray, " w"]]:
    """As `window_features`, by any function from clips to features. The recording has no gaps."""
    usable = np.zeros(len(starts), dtype=np.bool_)
    parts: dict[str, list[np.ndarray]] = {stream: [] for stream in streams}
    progress(0, len(starts))
    for rows in batches(len(starts), _AT_ONCE):
        clips, there = window_clips(recording, starts[rows], size, form)
        usable[rows] = there
        if len(clips):
            made = features(PreparedClips(clips=clips, layout=form.layout, rate=form.rate))
            for stream in streams:
                parts[stream].append(made[stream])
        progress(rows.stop, len(starts))
    whole = {}
    for stream, some in parts.items():
        width = some[0].shape[1] if some else 0
        whole[stream] = np.zeros((len(starts), width), dtype=np.float32)
        if some:
            whole[stream][usable] = np.concatenate(some)
    return whole, usable
