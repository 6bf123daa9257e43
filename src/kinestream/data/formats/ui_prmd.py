"""UI-PRMD, Kinect v2: one exercise repeated by one person, 22 joints (Vakanski et al. 2018).

A recording is two text files without a header, a line a frame and 66 numbers separated by commas:
`m01_s01_e01_positions.txt` with where each joint is as seen from the one before (cm), and
`m01_s01_e01_angles.txt` with how it is turned (degrees), in the folder `Angles` beside `Positions`. Repetitions that
were done wrongly end with `_inc`. All of them also come as one `.npz` with an array `joints_mm`, where the places of the
joints are worked out already, and their names as `m01_s01_e01_correct`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from kinestream.data.formats import FORMATS, Format, arrays
from kinestream.data.formats.comma_rows import rows
from kinestream.data.formats.rotations import Rotation, applied, identity, rotated
from kinestream.data.recording import Found, Recording, RecordingError, Source, check_coordinates
from kinestream.skeleton.layout import load_layout

SUFFIX, PACKED = ".txt", ".npz"
NAME_SCHEME = "mMM_sSS_eEE_positions"
LAYOUT = load_layout("uiprmd22")
MOVEMENTS = 10
FPS = 30
_NAME = re.compile(r"(m(\d{2})_s(\d{2})_e(\d{2}))_(positions|positions_inc|correct|incorrect)", re.ASCII)
_WRONG = ("positions_inc", "incorrect")
_CHEST = 2
_COLLARS = (6, 10)
_POINTS = [f"{axis} of {joint}" for joint in LAYOUT.joints for axis in "xyz"]


def parse_name(path: Path, *, correctness: bool = False) -> Source:
    """Movement (the action), subject and repetition out of the name of a file or of a recording.

    Args:
        correctness: movements that were done wrongly are actions of their own, 11 to 20.

    Raises RecordingError.
    """
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise RecordingError(f"the name is not of the scheme {NAME_SCHEME}{SUFFIX}, or with _positions_inc")
    movement, subject, episode = (int(number) for number in match.groups()[1:4])
    wrong = match[5] in _WRONG
    action = movement + MOVEMENTS if correctness and wrong and 1 <= movement <= MOVEMENTS else movement
    name = f"{match[1]}_{'incorrect' if wrong else 'correct'}"
    return Source(path=path, name=name, action=action, subject=subject, repetition=episode)


def sources(path: Path, *, correctness: bool = False) -> Sequence[Source]:
    """The recording of a text file, or those of an archive by their names there. Raises RecordingError."""
    if path.suffix.lower() != PACKED:
        return [parse_name(path, correctness=correctness)]
    named = (parse_name(Path(name), correctness=correctness) for name in _packed(path))
    return [replace(source, path=path) for source in named]


def read(source: Source) -> Recording | list[Found]:
    """One recording in metres, y up; all of an archive where `source` is none of them. Raises RecordingError."""
    if source.path.suffix.lower() == PACKED:
        packed = _packed(source.path)
        if source.name not in packed:
            return list(packed.values())
        return _checked(packed[source.name].joints[:, 0].astype(np.float64) / 1000)
    positions, angles = _numbers(source.path), _numbers(_angles_of(source.path))
    if len(positions) != len(angles):
        raise RecordingError(f"{len(positions)} frames of positions and {len(angles)} of angles")
    return _checked(place_joints(positions, angles) / 100)


def place_joints(
    positions: Float64[np.ndarray, "t 22 3"], angles: Float64[np.ndarray, "t 22 3"]
) -> Float64[np.ndarray, "t 22 3"]:
    """Where the joints are, from places as seen from the joint before, and turns in degrees about z, y and x.

    The collars hang on the turn of the chest alone, without those below it: so do the programs of the owners.
    """
    frames = len(positions)
    radians = np.radians(angles)
    placed = np.empty((len(LAYOUT.joints), 3, frames))
    still = identity(frames)
    own = [
        rotated(still, [(axis, radians[:, v, "xyz".index(axis)]) for axis in "zyx"]) for v in range(len(LAYOUT.joints))
    ]
    turns: list[Rotation] = []
    for v, parent in enumerate(LAYOUT.parents):  # a joint comes after the one it hangs on
        base = own[_CHEST] if v in _COLLARS else turns[parent] if parent != v else still
        turns.append(np.einsum("ijt,jkt->ikt", base, own[v]))
        way = positions[:, v].T
        placed[v] = way if parent == v else placed[parent] + applied(base, way)
    return placed.transpose(2, 0, 1)


def _checked(joints: Float64[np.ndarray, "t 22 3"]) -> Recording:
    unusable = check_coordinates(joints)
    if unusable.any():
        frame, joint = (int(index) for index in np.argwhere(unusable)[0])
        place = joints[frame, joint].round(3).tolist()
        raise RecordingError(f"{LAYOUT.joints[joint]} at {place} m: not a position", frame + 1)
    return Recording(joints, LAYOUT, fps=FPS)


def _numbers(path: Path) -> Float64[np.ndarray, "t 22 3"]:
    try:
        blocks = [block.numbers for block in rows(path, skip=0, names=_POINTS)]
        values = np.concatenate(blocks) if blocks else np.empty((0, len(_POINTS)))
        if not len(values):
            raise RecordingError("no frames")
        if np.isnan(values).any():
            frame, column = (int(index) for index in np.argwhere(np.isnan(values))[0])
            raise RecordingError(f"no number for {_POINTS[column]}", frame + 1)
    except RecordingError as error:
        raise RecordingError(f"{path.name}: {error.reason}", error.line) from None
    return values.reshape(len(values), len(LAYOUT.joints), 3)


def _angles_of(path: Path) -> Path:
    name = path.name.replace("_positions", "_angles")
    for folder in (path.parent.parent / "Angles", path.parent):
        if (folder / name).is_file():
            return folder / name
    raise RecordingError(f"no {name} in the folder Angles beside its own: the joints cannot be placed without")


def _packed(path: Path) -> Mapping[str, Found]:
    return _packed_as_of(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _packed_as_of(path: Path, when: int) -> Mapping[str, Found]:
    """The recordings of an archive by name: it is read once, and its recordings are asked for one by one."""
    found = arrays.read(Source(path=path, name=path.stem, layout=LAYOUT, variable="joints_mm:tvc"))
    return {one.name: one for one in found}


def _is_named(path: Path) -> bool:
    return path.suffix.lower() == SUFFIX and _NAME.fullmatch(path.stem) is not None


for _name, _correctness in (("ui-prmd", False), ("ui-prmd-correctness", True)):
    FORMATS.add(
        _name,
        Format(
            suffixes=(SUFFIX, PACKED),
            read=read,
            looks_like=f"UI-PRMD positions and angles{', with its faults as classes' if _correctness else ''}",
            # Two formats that know the same files would leave it open which they are of.
            recognises=(lambda path: False) if _correctness else _is_named,
            layout=LAYOUT,
            parse_name=partial(parse_name, correctness=_correctness),
            sources=partial(sources, correctness=_correctness),
            name_scheme=NAME_SCHEME,
        ),
    )
