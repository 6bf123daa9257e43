"""SLEAP's analysis files (HDF5), and the points in space of sleap-anipose.

https://sleap.ai/develop/notebooks/Analysis_examples.html, "tracks": (tracks, 2, nodes, frames), as MATLAB counts axes;
sleap-anipose writes (frames, tracks, nodes, 3).
"""

from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats import FORMATS, Format, hdf5
from kinestream.data.formats.edges import layout_of
from kinestream.data.formats.sightings import MOST_NUMBERS, scored
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.words import shown

_MATLAB = (3, 0, 2, 1)
"""Axes of (tracks, coordinates, nodes, frames) in the order of a recording."""
_PLAIN = (0, 1, 2, 3)
_FRAMES_AT_ONCE = 2048
_MOST_TRACKS = 5000


def read(source: Source) -> Found:
    """A tracking number for each track; of tracks that follow each other as many places as there are at once.

    Raises RecordingError."""
    with hdf5.opened(source.path) as file:
        tracks = hdf5.dataset(file, "tracks")
        if tracks is None or tracks.ndim != 4:
            raise RecordingError("no data set 'tracks' of four axes")
        names = _names(file, "node_names")
        axes = _axes(tracks.shape, len(names), len(_names(file, "track_names")))
        frames, people, nodes, coordinates = (tracks.shape[axis] for axis in axes)
        if not frames or not people or not nodes:
            raise RecordingError("no frames" if not frames else "no body")
        if people > _MOST_TRACKS:
            raise RecordingError(f"{people:,} tracks: more than {_MOST_TRACKS:,}")
        scores = hdf5.dataset(file, "point_scores")
        if scores is not None and scores.shape != tuple(
            size for axis, size in enumerate(tracks.shape) if axis != axes[3]
        ):
            raise RecordingError(f"point_scores {scores.shape} do not fit tracks {tracks.shape}")
        there = np.concatenate([np.isfinite(part).all(axis=-1).any(axis=-1) for part in _parts(tracks, axes, frames)])
        most = int(there.sum(axis=1).max())
        if not most:
            raise RecordingError(f"no body in any of its {frames} frames")
        if frames * most * nodes * (coordinates + 1) > MOST_NUMBERS:
            raise RecordingError(f"{frames:,} frames with up to {most} bodies: too many for one recording")
        points = np.full((frames, most, nodes, coordinates + 1), np.nan)
        bodies = np.zeros((frames, most), dtype=np.int64)
        start = 0
        for part in _parts(tracks, axes, frames):
            stop = start + len(part)
            frame, track = np.nonzero(there[start:stop])
            place = (there[start:stop].cumsum(axis=1) - 1)[frame, track]
            points[start + frame, place, :, :-1] = part[frame, track]
            if scores is not None:
                given = _slice(scores, [axis - (axis > axes[3]) for axis in axes[:3]], start, stop)
                points[start + frame, place, :, -1] = given[frame, track]
            bodies[start + frame, place] = track + 1
            start = stop
        edges = _edges(file)
        videos = hdf5.dataset(file, "video_path")
    joints, confidence, notes = scored(points)
    layout = layout_of(names, edges, "sleap") if names and edges else None
    flat = coordinates == 2
    if not names:
        notes = (*notes, "nodes have no names in this file")
    if videos is not None and videos.size > 1:
        notes = (*notes, "several videos in one file: read as one")
    return Found(
        joints=joints,
        layout=layout,
        points=() if layout else names,
        confidence=confidence,
        bodies=bodies,
        units="px" if flat else None,
        up="-y" if flat else None,
        notes=notes,
    )


def recognises(path: Path) -> bool:
    """Whether it has tracks of four axes; without h5py its words tell."""
    if not hdf5.is_hdf5(path):
        return False
    try:
        with hdf5.opened(path) as file:
            tracks = hdf5.dataset(file, "tracks")
            return tracks is not None and tracks.ndim == 4
    except (RecordingError, OSError):
        with path.open("rb") as raw:
            head = raw.read(2**16)
        return b"tracks" in head and b"pandas_type" not in head and b"space" not in head


def _axes(shape: tuple[int, ...], nodes: int, people: int) -> tuple[int, int, int, int]:
    """Where frames, tracks, nodes and coordinates are, by the counts of the names."""
    matlab = shape[1] in (2, 3) and (not people or shape[0] == people)
    plain = shape[3] in (2, 3) and (not people or shape[1] == people)
    if (nodes and shape[2] != nodes) or not (matlab or plain):
        raise RecordingError(
            f"tracks {shape} with {nodes} nodes and {people} tracks named: (tracks, 2, nodes, frames) is needed, or "
            "(frames, tracks, nodes, 3)"
        )
    if matlab and plain:
        return _MATLAB if nodes else _PLAIN
    return _MATLAB if matlab else _PLAIN


def _parts(tracks: Any, axes: tuple[int, ...], frames: int) -> Any:
    """Some frames after others, with axes in the order of a recording."""
    for start in range(0, frames, _FRAMES_AT_ONCE):
        yield _slice(tracks, axes, start, start + _FRAMES_AT_ONCE)


def _slice(held: Any, axes: Any, start: int, stop: int) -> np.ndarray:
    part = tuple(slice(start, stop) if axis == axes[0] else slice(None) for axis in range(held.ndim))
    return hdf5.numbers(held, part).transpose(axes)


def _names(file: Any, key: str) -> tuple[str, ...]:
    found = hdf5.dataset(file, key)
    if found is None or not found.size:
        return ()
    names = tuple(hdf5.texts(found).ravel().tolist())
    if key == "node_names" and len(set(names)) != len(names):
        raise RecordingError(f"two nodes are called '{shown(next(name for name in names if names.count(name) > 1))}'")
    return names


def _edges(file: Any) -> list[tuple[int, int]]:
    """Pairs of nodes; none where they cannot be told from the transposed ones."""
    found = hdf5.dataset(file, "edge_inds")
    if found is None or found.ndim != 2 or 2 not in found.shape or found.shape == (2, 2) or found.size > 10_000:
        return []
    pairs = hdf5.numbers(found)
    return [(int(a), int(b)) for a, b in (pairs.T if len(pairs) == 2 else pairs) if a == a and b == b]


FORMATS.add(
    "sleap",
    Format(
        suffixes=(".h5", ".hdf5"),
        read=read,
        looks_like="SLEAP's analysis HDF5",
        recognises=recognises,
        files_a_task=2,
    ),
)
