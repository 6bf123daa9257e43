"""MSR Action3D skeletons in metres: `aAA_sSS_eEE_skeleton3D.txt`, one body, 20 joints (Li, Zhang, Liu 2010).

A line is a joint, `x y z confidence`, and 20 lines are a frame; y is up. The files beside them whose names end with
`_skeleton.txt` hold places in the picture and are not read.
"""

import re
from pathlib import Path

import numpy as np

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.decimals import split_words
from kinestream.data.formats.lines import parse_numbers
from kinestream.data.recording import Recording, RecordingError, Source, check_coordinates
from kinestream.skeleton.layout import KINECT20

SUFFIX = ".txt"
JOINTS = (
    *("right_shoulder", "left_shoulder", "shoulder_centre", "spine", "right_hip", "left_hip", "hip_centre"),
    *("right_elbow", "left_elbow", "right_wrist", "left_wrist", "right_hand", "left_hand"),
    *("right_knee", "left_knee", "right_ankle", "left_ankle", "right_foot", "left_foot", "head"),
)
"""In the order of the lines. The tree is that of the owners' page; their page does not say which side is which, and the
sides here are those of the programs that read the files."""
_NAME = re.compile(r"a\d{2}_s\d{2}_e\d{2}_skeleton3D", re.ASCII)
_WORDS = 4
_PLACES = [JOINTS.index(joint) for joint in KINECT20.joints]


def read(source: Source) -> Recording:
    """Reads one file, its joints in the order of the layout. Raises RecordingError with the line where it is not what
    the format says."""
    return parse(source.path.read_bytes())


def parse(text: bytes) -> Recording:
    """The recording that the bytes of a file hold; see `read`."""
    tokens = split_words(text)
    words: np.ndarray = np.diff(tokens.first)
    if not len(tokens.numbers):
        raise RecordingError("no frames")
    if (words != _WORDS).any():
        at = int(np.flatnonzero(words != _WORDS)[0])
        reason = f"{words[at]} numbers where x, y, z and confidence of a joint belong"
        raise RecordingError(reason, int(tokens.numbers[at]))
    frames, rest = divmod(len(words), len(JOINTS))
    if rest:
        reason = f"it ends after {rest} joints of frame {frames + 1}, where {len(JOINTS)} belong: cut off"
        raise RecordingError(reason, int(tokens.numbers[-1]))
    numbers = parse_numbers(tokens, np.arange(_WORDS * len(words)), first=1).reshape(frames, len(JOINTS), _WORDS)
    joints = numbers[..., :3]
    unusable = check_coordinates(joints)
    if unusable.any():
        frame, joint = (int(index) for index in np.argwhere(unusable)[0])
        reason = f"{joints[frame, joint].tolist()} m: not a position"
        raise RecordingError(reason, int(tokens.numbers[frame * len(JOINTS) + joint]))
    if not joints.any():
        raise RecordingError(f"no body in any of its {frames} frames")
    present = np.any(joints != 0, axis=(1, 2)).astype(np.int64)
    return Recording(joints=joints[:, None, _PLACES], layout=KINECT20, bodies=present[:, None])


def is_named(path: Path) -> bool:
    """Whether a file is called as those of the data set are."""
    return _NAME.fullmatch(path.stem) is not None


FORMATS.add(
    "msr-action3d",
    Format(
        suffixes=(SUFFIX,),
        read=read,
        looks_like="MSR Action3D skeletons in metres (*_skeleton3D.txt)",
        recognises=is_named,
        layout=KINECT20,
    ),
)
