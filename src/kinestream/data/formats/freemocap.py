"""FreeMoCap's arrays of MediaPipe's points in space, by the names that it gives its files: millimetres, z up.

https://freemocap.github.io/documentation/data-structure.html
"""

import re
from pathlib import Path

import numpy as np

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.sightings import MOST_NUMBERS, refuse_far
from kinestream.data.npy import map_array
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import load_layout

_BODY = 33
_NAME = re.compile(
    r"mediapipe_body_3d_xyz|mediapipe_skeleton_3d|mediaPipeSkel_3d_(body_hands_face|origin_aligned)"
    r"|mediapipe_?3dData_numFrames_numTrackedPoints_spatialXYZ",
    re.IGNORECASE,
)
_UNALIGNED = ("raw_data",)
"""Folders of what is not yet turned so that the floor is level."""


def read(source: Source) -> Found:
    """The body, which is the first 33 points. Raises RecordingError."""
    try:
        array = map_array(source.path)
    except (ValueError, OSError, EOFError, OverflowError):
        raise RecordingError("no numpy file that can be read: cut off or damaged") from None
    shape = array.shape
    if array.ndim != 3 or shape[1] < _BODY or shape[2] != 3 or array.dtype.kind not in "fiu":
        raise RecordingError(
            f"an array {shape} of {array.dtype}: frames, {_BODY} or more points and 3 coordinates belong"
        )
    if not shape[0]:
        raise RecordingError("no frames")
    if shape[0] * _BODY * 3 > MOST_NUMBERS:
        raise RecordingError(f"{shape[0]:,} frames: too many for one recording")
    points = np.array(array[:, None, :_BODY], dtype=np.float64)
    refuse_far(points)
    points[np.isnan(points).any(axis=-1)] = np.nan
    if not np.isfinite(points).any():
        raise RecordingError(f"no body in any of its {shape[0]} frames")
    notes = []
    if shape[1] > _BODY:
        notes.append(f"not read: {shape[1] - _BODY} of {shape[1]} points, of hands and face")
    level = not any(part in _UNALIGNED for part in source.path.parts)
    if not level:
        notes.append("raw data: not yet turned so that z is up")
    return Found(
        joints=points, layout=load_layout("mediapipe33"), units="mm", up="z" if level else None, notes=tuple(notes)
    )


def recognises(path: Path) -> bool:
    """Whether it is called as FreeMoCap calls its points in space."""
    return _NAME.fullmatch(path.stem) is not None


def parse_name(path: Path) -> Source:
    """A recording is called as its folder: its files have the same names in all of them."""
    folders = [part for part in path.absolute().parts[:-1] if part not in ("output_data", "DataArrays", *_UNALIGNED)]
    return Source(path=path, name=folders[-1] if len(folders) > 1 else path.stem)


FORMATS.add(
    "freemocap",
    Format(
        suffixes=(".npy",),
        read=read,
        looks_like="FreeMoCap's points in space",
        recognises=recognises,
        parse_name=parse_name,
        files_a_task=8,
    ),
)
