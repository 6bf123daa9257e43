"""What the page holds, as little text as it can be: base64 of small integers."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, Shaped

FEWEST_FRAMES = 8
"""A clip of fewer shows no movement; where even these are too many, some clips go without a skeleton."""

_AT_ONCE = 512
_COORDINATE_TEXT = 8 / 3  # bytes of base64 for a 2-byte integer


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What is embedded of the skeletons."""

    frames: int
    """Of each clip, evenly spaced."""
    clips: int
    """The first so many of the clips, in the order in which they were drawn by lot."""


@dataclass(frozen=True, kw_only=True)
class PackedClips:
    """Skeletons of clips, end to end: `(body, frame, joint, coordinate)` of each, int16 in `unit` metres."""

    base64: str
    bodies: Int64[np.ndarray, " n"]
    """Bodies of each clip that are there at all; 0 for a clip without a skeleton in the page."""
    frames: int
    unit: float


def text_of(values: Shaped[np.ndarray, "..."], dtype: str) -> str:
    """Base64 of the values as little-endian `dtype`.

    Example:
        >>> text_of(np.array([1, 258]), "<u2")
        'AQACAQ=='
    """
    return base64.b64encode(np.ascontiguousarray(values).astype(dtype).tobytes()).decode("ascii")


def budget(
    bodies: Int64[np.ndarray, " n"], joints: int | Int64[np.ndarray, " n"], *, frames: int, most_bytes: float
) -> Budget:
    """Bodies of each clip, and joints of each of these. As many frames, at most `frames`, as `most_bytes` of text allow
    for all clips; if that is fewer than `FEWEST_FRAMES`, these for the first clips, as many as fit.

    Example:
        >>> budget(np.array([1, 1]), 25, frames=24, most_bytes=4000.0)
        Budget(frames=10, clips=2)
    """
    a_frame = np.cumsum(bodies * joints) * 3 * _COORDINATE_TEXT
    if not len(bodies) or a_frame[-1] == 0:
        return Budget(frames=frames, clips=len(bodies))
    fits = int(most_bytes / a_frame[-1])
    if fits >= min(frames, FEWEST_FRAMES):
        return Budget(frames=min(frames, fits), clips=len(bodies))
    least = min(frames, FEWEST_FRAMES)
    return Budget(frames=least, clips=int(np.searchsorted(a_frame * least, most_bytes, side="right")))


def bodies_of(clip: Float[np.ndarray, "t m v c"]) -> int:
    """Number of bodies that are there in any frame; bodies beyond the first absent one are behind it by their order."""
    there = np.flatnonzero(clip.any(axis=(0, 2, 3)))
    return int(there[-1]) + 1 if len(there) else 0


def evenly(frames: int, wanted: int) -> Int64[np.ndarray, " t"]:
    """Numbers of `wanted` frames, the first and the last included.

    Example:
        >>> evenly(32, 4).tolist()
        [0, 10, 21, 31]
    """
    return np.linspace(0, frames - 1, min(frames, wanted)).round().astype(np.int64)


def pack_clips(
    clips: Iterator[Float32[np.ndarray, "_ _ _ 3"]], bodies: Int64[np.ndarray, " n"], frames: int, reach: float
) -> PackedClips:
    """The clips with their first `bodies`; `reach` is the largest coordinate, in metres, that need be told apart."""
    unit = max(reach, 1e-6) / 32767
    parts = []
    for clip, count in zip(clips, bodies.tolist(), strict=True):
        chosen = np.moveaxis(clip[evenly(len(clip), frames), :count], 1, 0)
        parts.append(np.clip(np.round(chosen / unit), -32767, 32767).astype("<i2").tobytes())
    return PackedClips(
        base64=base64.b64encode(b"".join(parts)).decode("ascii"), bodies=bodies, frames=frames, unit=unit
    )


def nearest(
    features: Float32[np.ndarray, "n d"],
    count: int,
    *,
    apart: Callable[[Int64[np.ndarray, " r"]], Bool[np.ndarray, "r n"]] | None = None,
) -> tuple[Int64[np.ndarray, "n k"], Float32[np.ndarray, "n k"]]:
    """For each row of unit features the `count` others of largest cosine (fewer where there are no more), and the
    cosines; of equal ones the earlier first.

    `apart` marks, for some rows, which others are no neighbours of theirs. A row that has too few is its own neighbour
    for the rest.
    """
    count = min(count, len(features) - 1)
    found = np.empty((len(features), count), np.int64)
    cosines = np.empty((len(features), count), np.float32)
    for start in range(0, len(features), _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, len(features)))
        similarity = features[rows] @ features.T
        if apart is not None:
            similarity[apart(rows)] = -np.inf
        similarity[np.arange(len(rows)), rows] = -np.inf
        best = np.sort(np.argpartition(-similarity, min(count, len(features) - 1), axis=1)[:, :count], axis=1)
        values = np.take_along_axis(similarity, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        best, values = np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)
        none = np.isneginf(values)
        found[rows] = np.where(none, rows[:, None], best)
        cosines[rows] = np.where(none, 1.0, values)
    return found, cosines


def in_unit_square(points: Float32[np.ndarray, "n 2"]) -> Int64[np.ndarray, "n 2"]:
    """Points as whole numbers of 0..65535, the same scale in both directions, centred, y downwards as on a screen."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = max(float((high - low).max()), 1e-12)
    unit = (points - (low + high) / 2) / size * np.array([1, -1]) + 0.5
    return np.round(np.clip(unit, 0, 1) * 65535).astype(np.int64)
