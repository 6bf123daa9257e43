"""PKU-MMD skeleton and label files (Liu et al. 2017): long videos of many actions, at most two bodies, no tracking.

A skeleton file has a line for each frame: 2 bodies x 25 joints x (x, y, z), an absent body all zero. The label file of
the same name has lines `class,start,end,confidence`: frames counted from 1, both ends included.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.decimals import Tokens, parse_decimals, split_words
from kinestream.data.recording import LabelTrack, Recording, RecordingError, Segment, Source, check_coordinates
from kinestream.skeleton.layout import NTU25

LAYOUT = NTU25
SUFFIX = ".txt"
BODIES = 2
NAME_SCHEMES: Mapping[int, str] = MappingProxyType({1: "NNNN-V", 2: "AaaNnn-V"})
"""By the phase of the data set; V is L, M or R."""
_NAMES = {
    1: re.compile(r"(?P<setup>\d{4})-(?P<view>[LMR])", re.ASCII),
    2: re.compile(r"A(?P<setup>\d{2})N(?P<subject>\d{2})-(?P<view>[LMR])", re.ASCII),
}
_VIEWS = "LMR"
_ROW = re.compile(rb"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*")
_WORDS = BODIES * len(LAYOUT.joints) * 3
_FRAMES_AT_ONCE = 512
"""Frames turned into numbers at a time: a whole video at once would take half a gigabyte."""


def parse_name_1(path: Path) -> Source:
    """Video number (`setup`) and view (cameras 1 to 3 are L, M, R) out of a name of phase I; it does not tell the
    subject, which is 0. Raises RecordingError."""
    return _parse_name(path, phase=1)


def parse_name_2(path: Path) -> Source:
    """Sequence A (`setup`), subject N (1 to 13, as many as took part) and view out of a name of phase II. Raises
    RecordingError."""
    return _parse_name(path, phase=2)


def is_named(path: Path, phase: int) -> bool:
    """Whether a file is called as those of a phase are."""
    return _NAMES[phase].fullmatch(path.stem) is not None


def _parse_name(path: Path, phase: int) -> Source:
    match = _NAMES[phase].fullmatch(path.stem)
    if match is None:
        raise RecordingError(f"the name is not of the scheme {NAME_SCHEMES[phase]}{SUFFIX}")
    fields = match.groupdict()
    return Source(
        path=path,
        name=path.stem,
        action=0,
        subject=int(fields.get("subject", 0)),
        camera=1 + _VIEWS.index(fields["view"]),
        setup=int(fields["setup"]),
        repetition=0,
    )


def read(source: Source) -> Recording:
    """Reads a whole video. Raises RecordingError with the line where it is not what the format says."""
    return parse(source.path.read_bytes())


def parse(text: bytes) -> Recording:
    """The video that the bytes of a skeleton file hold; see `read`. A body's number is its place."""
    tokens = split_words(text)
    frames = len(tokens.numbers)
    if not frames:
        raise RecordingError("no frames")
    if int(tokens.numbers[-1]) != frames:
        gap = int(np.flatnonzero(tokens.numbers != np.arange(1, frames + 1))[0])
        raise RecordingError("an empty line where a frame belongs", gap + 1)
    words = np.diff(tokens.first)
    if (words != _WORDS).any():
        at = int(np.flatnonzero(words != _WORDS)[0])
        raise RecordingError(
            f"{words[at]} numbers where {_WORDS} belong: {BODIES} bodies of {_WORDS // BODIES}", at + 1
        )
    joints = np.empty((frames, BODIES, len(LAYOUT.joints), 3))
    for start in range(0, frames, _FRAMES_AT_ONCE):
        end = min(start + _FRAMES_AT_ONCE, frames)
        joints[start:end] = _numbers(tokens, start * _WORDS, end * _WORDS).reshape(-1, *joints.shape[1:])
    unusable = check_coordinates(joints)
    if unusable.any():
        frame, body, joint = (int(index) for index in np.argwhere(unusable)[0])
        place = joints[frame, body, joint].tolist()
        raise RecordingError(f"joint {joint + 1} of body {body + 1} at {place} m: not a position", frame + 1)
    present = joints.any(axis=(2, 3))
    if not present.any():
        raise RecordingError(f"no body in any of its {frames} frames")
    return Recording(joints=joints, bodies=present * np.arange(1, BODIES + 1))


def _numbers(tokens: Tokens, start: int, end: int) -> Float64[np.ndarray, " n"]:
    try:
        return parse_decimals(tokens, np.arange(start, end))
    except ValueError as error:
        word = int(error.args[0])
        raise RecordingError(f"'{_shown(tokens.word(word))}' where a number belongs", tokens.line_of(word)) from None


def parse_labels(text: bytes, frames: int, classes: int) -> LabelTrack:
    """The label track of a video of that many frames.

    A row that is malformed, of an unknown class, reversed, out of the video, or that shares a frame with an earlier
    good one is refused with its line; the others stand. Empty lines are passed over.

    Example:
        >>> track = parse_labels(b"3,1,40,2\\n4,90,80,2", frames=100, classes=51)
        >>> dict(track.segments), [str(error) for error in track.refused]
        ({1: Segment(label=2, start=0, end=40)}, ['line 2: begins with frame 90 and ends with 80: reversed'])
    """
    segments: dict[int, Segment] = {}
    refused: list[RecordingError] = []
    for line, row in enumerate(text.split(b"\n"), start=1):
        if not row.strip():
            continue
        try:
            segment = _parse_row(row, frames, classes)
            for earlier, other in segments.items():
                if segment.start < other.end and other.start < segment.end:
                    raise RecordingError(f"overlaps the row of line {earlier}")
        except RecordingError as error:
            refused.append(RecordingError(error.reason, line))
            continue
        segments[line] = segment
    return LabelTrack(segments=MappingProxyType(segments), refused=tuple(refused))


def _parse_row(row: bytes, frames: int, classes: int) -> Segment:
    match = _ROW.fullmatch(row)
    if match is None:
        raise RecordingError(f"'{_shown(row.strip())}' where class,start,end,confidence belong")
    number, start, end, _ = (int(field) for field in match.groups())
    if not 1 <= number <= classes:
        raise RecordingError(f"class {number}: there are classes 1 to {classes}")
    if start > end:
        raise RecordingError(f"begins with frame {start} and ends with {end}: reversed")
    if start < 1 or end > frames:
        raise RecordingError(f"frames {start} to {end} of a video with frames 1 to {frames}: out of range")
    return Segment(label=number - 1, start=start - 1, end=end)


def _shown(word: bytes) -> str:
    text = repr(word[:24])[2:-1]  # whatever the bytes are, nothing that could upset a terminal
    return text + ("..." if len(word) > 24 else "")


for _phase, _parse in ((1, parse_name_1), (2, parse_name_2)):
    FORMATS.add(
        f"pku-mmd-{_phase}",
        Format(
            suffixes=(SUFFIX,),
            read=read,
            looks_like=f"PKU-MMD text, phase {'I' * _phase}",
            recognises=partial(is_named, phase=_phase),
            layout=LAYOUT,
            parse_name=_parse,
            name_scheme=NAME_SCHEMES[_phase],
            parse_labels=parse_labels,
            files_a_task=1,
        ),
    )
