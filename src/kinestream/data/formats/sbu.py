"""SBU Kinect interactions: `skeleton_pos.txt` in a folder for each sequence, two bodies of 15 joints (Yun et al. 2012).

A line is a frame: its number, then x, y and z of the joints of the left person and of the right one, separated by
commas and normalised, which the owners' formula undoes: x and y are places in a picture of 1280 by 960, z is depth.
"""

import numpy as np
from jaxtyping import Float64

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.comma_rows import rows
from kinestream.data.recording import Recording, RecordingError, Source, check_coordinates
from kinestream.skeleton.layout import load_layout

SUFFIX = ".txt"
FILE = "skeleton_pos"
LAYOUT = load_layout("sbu15")
BODIES = 2
_POINTS = [f"joint {joint} of person {person}" for person in (1, 2) for joint in range(1, 16)]
_COLUMNS = ("frame", *(f"{axis} of {point}" for point in _POINTS for axis in "xyz"))


def read(source: Source) -> Recording:
    """Reads one file, in metres. Raises RecordingError with the line where it is not what the format says."""
    blocks, lines = [], []
    for block in rows(source.path, skip=0, names=_COLUMNS):
        blocks.append(block.numbers)
        lines += list(block.lines)
    if not blocks:
        raise RecordingError("no frames")
    values = np.concatenate(blocks)
    back = np.flatnonzero(~(np.diff(values[:, 0]) > 0))
    if len(back):
        at = int(back[0]) + 1
        raise RecordingError(f"frame {values[at, 0]:g} after frame {values[at - 1, 0]:g}", int(lines[at]))
    places = values[:, 1:].reshape(len(values), BODIES, len(LAYOUT.joints), 3)
    joints = in_metres(places)
    unusable = check_coordinates(joints)
    if unusable.any():
        frame, body, joint = (int(index) for index in np.argwhere(unusable)[0])
        place = joints[frame, body, joint].round(3).tolist()
        raise RecordingError(f"joint {joint + 1} of person {body + 1} at {place} m: no position", int(lines[frame]))
    unseen = places[..., 2] == 0  # no depth was measured
    if unseen.all():
        raise RecordingError(f"no body in any of its {len(joints)} frames")
    return Recording(np.where(unseen[..., None], np.nan, joints), LAYOUT)


def in_metres(places: Float64[np.ndarray, "t m v 3"]) -> Float64[np.ndarray, "t m v 3"]:
    """The normalisation of the owners undone: what they give is millimetres, y up."""
    x, y, z = np.moveaxis(places, -1, 0)
    return np.stack([1280 - 2560 * x, 960 - 1920 * y, z * (10_000 / 7.8125)], axis=-1) / 1000


FORMATS.add(
    "sbu",
    Format(
        suffixes=(SUFFIX,),
        read=read,
        looks_like="SBU Kinect interactions (skeleton_pos.txt)",
        recognises=lambda path: path.stem == FILE,
        layout=LAYOUT,
    ),
)
