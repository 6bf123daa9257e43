"""NW-UCLA skeleton files: `aAA_sSS_eEE_vVV.json`, Kinect v1, one body (Wang et al. 2014)."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats import FORMATS, Format
from kinestream.data.recording import Recording, RecordingError, Source, check_coordinates
from kinestream.skeleton.layout import KINECT20
from kinestream.words import shown

LAYOUT = KINECT20
SUFFIX = ".json"
NAME_SCHEME = "aAA_sSS_eEE_vVV"
_NAME = re.compile(r"a(\d{2})_s(\d{2})_e(\d{2})_v(\d{2})", re.ASCII)
ACTIONS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
"""The action numbers of the file names, in the order of the labels 1 to 10."""


def parse_name(path: Path) -> Source:
    """Action, subject, episode (repetition) and view (camera) out of the file name. Raises RecordingError."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise RecordingError(f"the name is not of the scheme {NAME_SCHEME}{SUFFIX}")
    action, subject, episode, view = (int(field) for field in match.groups())
    if action not in ACTIONS:
        raise RecordingError(f"action {action} is none of the data set's: {', '.join(map(str, ACTIONS))}")
    label = ACTIONS.index(action) + 1
    return Source(
        path=path, name=path.stem, action=label, subject=subject, camera=view, setup=1, repetition=episode + 1
    )


def is_named(path: Path) -> bool:
    """Whether a file is called as those of the data set are."""
    return _NAME.fullmatch(path.stem) is not None


def read(source: Source) -> Recording:
    """Reads one file. Raises RecordingError where it is not what the format says."""
    return parse(source.path.read_bytes(), label=source.action)


def parse(text: bytes, label: int) -> Recording:
    """The recording that the bytes of a file hold; its label must be the one that the name tells."""
    content = _load(text)
    if "label" not in content:
        raise RecordingError(f"no label in the file, {label} by its name")
    if (told := content["label"]) != label:
        written = f"'{shown(told, 40)}'" if isinstance(told, str) else shown(told, 40)
        raise RecordingError(f"label {written} in the file, {label} by its name")
    skeletons = content.get("skeletons")
    if not isinstance(skeletons, list):
        raise RecordingError("no list 'skeletons'")
    if not skeletons:
        raise RecordingError("no frames")
    joint_count = len(LAYOUT.joints)
    for number, frame in enumerate(skeletons, start=1):
        if not isinstance(frame, list) or len(frame) != joint_count:
            size = len(frame) if isinstance(frame, list) else "no"
            raise RecordingError(f"frame {number}: {size} joints where {joint_count} belong")
        for joint in frame:
            if not isinstance(joint, list) or len(joint) != 3 or any(type(c) not in (int, float) for c in joint):
                raise RecordingError(f"frame {number}: {shown(joint, 40)} where a joint's three numbers belong")
    try:
        joints = np.asarray(skeletons, dtype=np.float64)
    except OverflowError:
        raise RecordingError("a coordinate of more than 300 digits: not a position") from None
    unusable = np.flatnonzero(check_coordinates(joints).any(axis=1)).tolist()
    if unusable:
        raise RecordingError(f"frame {unusable[0] + 1}: a joint that is no position")
    if not joints.any():
        raise RecordingError(f"no body in any of its {len(joints)} frames")
    present = np.any(joints != 0, axis=(1, 2)).astype(np.int64)
    return Recording(joints=joints[:, None], bodies=present[:, None])


def _load(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecordingError(f"not JSON ({error.msg}): cut off or damaged", error.lineno) from None
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise RecordingError(f"not JSON ({type(error).__name__})") from None
    if not isinstance(content, dict):
        raise RecordingError("not a JSON object")
    return content


FORMATS.add(
    "nw-ucla",
    Format(
        suffixes=(SUFFIX,),
        read=read,
        looks_like="NW-UCLA skeleton JSON",
        recognises=is_named,
        layout=LAYOUT,
        parse_name=parse_name,
        name_scheme=NAME_SCHEME,
    ),
)
