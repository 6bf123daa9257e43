"""NTU RGB+D skeleton files: `SsssCcccPpppRrrrAaaa.skeleton` (Shahroudy et al. 2016, Liu et al. 2019)."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.decimals import Tokens, find_text, parse_decimals, split_words
from kinestream.data.formats.ntu_regular import BODY_WORDS, JOINT_WORDS, MOST_BODIES, parse_regular, tracking_number
from kinestream.data.recording import Recording, RecordingError, Source, check_coordinates
from kinestream.skeleton.layout import NTU25

LAYOUT = NTU25
SUFFIX = ".skeleton"
NAME_SCHEME = "SsssCcccPpppRrrrAaaa"
_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", re.ASCII)


def parse_name(path: Path) -> Source:
    """Setup, camera, subject (performer), repetition and action out of the file name. Raises RecordingError."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise RecordingError(f"the name is not of the scheme {NAME_SCHEME}{SUFFIX}")
    setup, camera, subject, repetition, action = (int(field) for field in match.groups())
    return Source(
        path=path, name=path.stem, action=action, subject=subject, camera=camera, setup=setup, repetition=repetition
    )


def read(source: Source) -> Recording:
    """Reads one file. Raises RecordingError with the line where it is not what the format says."""
    return parse(source.path.read_bytes())


def parse(text: bytes) -> Recording:
    """The recording that the bytes of a `.skeleton` file hold; see `read`."""
    regular = parse_regular(text)
    return parse_line_by_line(text) if regular is None else regular


def parse_line_by_line(text: bytes) -> Recording:
    """The same line by line, for files that are written in another way or damaged."""
    tokens = split_words(text)
    cursor = _Cursor(tokens)
    frames = cursor.count("number of frames")
    if frames == 0:
        raise RecordingError("no frames", cursor.line)
    if frames > len(tokens.numbers):
        raise RecordingError(f"says {frames} frames, but the file has only {len(tokens.numbers)} lines: cut off", 1)
    body_lines, body_frames, body_slots = _walk_frames(cursor, frames)
    cursor.expect_end()
    if not len(body_lines):
        raise RecordingError(f"no body in any of its {frames} frames")
    wrong = find_text(tokens)
    if wrong is not None:
        raise _not_a_number(tokens, wrong)

    joint_count = len(LAYOUT.joints)
    joint_lines = (body_lines[:, None] + 2 + np.arange(joint_count)).ravel()
    words = np.diff(tokens.first)[joint_lines]
    if (words != JOINT_WORDS).any():
        at = int(np.flatnonzero(words != JOINT_WORDS)[0])
        raise RecordingError(
            f"{words[at]} numbers for a joint where {JOINT_WORDS} belong", int(tokens.numbers[joint_lines[at]])
        )
    xyz = tokens.first[joint_lines][:, None] + np.arange(3)
    try:
        points = parse_decimals(tokens, xyz.ravel()).reshape(-1, 3)
    except ValueError as error:
        raise _not_a_number(tokens, int(error.args[0])) from None
    unusable = check_coordinates(points)
    if unusable.any():
        at = int(np.flatnonzero(unusable)[0])
        raise RecordingError(
            f"a joint at {points[at].tolist()} m: not a position", int(tokens.numbers[joint_lines[at]])
        )

    most = int(body_slots.max()) + 1
    joints = np.zeros((frames, most, joint_count, 3))
    bodies = np.zeros((frames, most), dtype=np.int64)
    joints[body_frames, body_slots] = points.reshape(-1, joint_count, 3)
    bodies[body_frames, body_slots] = [_body_number(cursor, line) for line in body_lines.tolist()]
    return Recording(joints=joints, bodies=bodies)


class _Bodies(NamedTuple):
    """Of each body: the line (index among the filled lines) of its header, its frame, and its place in the frame."""

    lines: Int64[np.ndarray, " bodies"]
    frames: Int64[np.ndarray, " bodies"]
    slots: Int64[np.ndarray, " bodies"]


def _walk_frames(cursor: "_Cursor", frames: int) -> _Bodies:
    """The bodies, frame by frame. Raises RecordingError at the first line that is not what belongs there."""
    joint_count = len(LAYOUT.joints)
    lines: list[int] = []
    of_frame: list[int] = []
    slots: list[int] = []
    for frame in range(frames):
        cursor.frame = frame + 1
        count = cursor.count("number of bodies")
        if count > MOST_BODIES:
            raise RecordingError(f"{count} bodies in a frame where at most {MOST_BODIES} can be", cursor.line)
        for slot in range(count):
            lines.append(cursor.position)
            of_frame.append(frame)
            slots.append(slot)
            cursor.skip(1, BODY_WORDS, "header of a body")
            joints = cursor.count("number of joints")
            if joints != joint_count:
                raise RecordingError(f"{joints} joints where {joint_count} belong", cursor.line)
            cursor.skip(joint_count, None, "joints of a body")
    return _Bodies(*(np.array(values, dtype=np.int64) for values in (lines, of_frame, slots)))


class _Cursor:
    """Goes down the lines of a file.

    `position` is the next line, as an index among the lines that hold words; `frame`, from 1, is named in errors.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        # Few of the many numbers are looked at, one by one: views give them as plain integers, and quickly.
        self._first = tokens.first.data
        self._starts, self._ends = tokens.starts.data, tokens.ends.data
        self.position = 0
        self.frame = 0

    @property
    def line(self) -> int:
        """Number of the line read last, counted from 1."""
        return self.number_of(self.position - 1)

    def number_of(self, line: int) -> int:
        """Number in the file, counted from 1, of a line that holds words."""
        return int(self._tokens.numbers[line])

    def count(self, what: str) -> int:
        """The next line as one whole number."""
        self.skip(1, 1, what)
        word = self.head(self.position - 1)
        if not word.isdigit() or len(word) > 9:
            raise RecordingError(f"'{_shown(word)}' where the {what}{self._where} belongs", self.line)
        return int(word)

    def head(self, line: int) -> bytes:
        """The first word of a line."""
        word = self._first[line]
        return self._tokens.text[self._starts[word] : self._ends[word]]

    def skip(self, lines: int, words: int | None, what: str) -> None:
        """Passes over lines, of which the last has as many words as said."""
        if self.position + lines > len(self._first) - 1:
            raise RecordingError(f"the file ends before the {what}{self._where}: cut off", self._last_line)
        self.position += lines
        found = self._first[self.position] - self._first[self.position - 1]
        if words is not None and found != words:
            raise RecordingError(f"{found} words where {words} belong: the {what}{self._where}", self.line)

    @property
    def _where(self) -> str:
        return f" in frame {self.frame}" if self.frame else ""

    def expect_end(self) -> None:
        left = len(self._first) - 1 - self.position
        if left:
            self.position += 1
            raise RecordingError(f"{left} more lines after the last frame", self.line)

    @property
    def _last_line(self) -> int:
        return int(self._tokens.numbers[-1]) if len(self._tokens.numbers) else 1


def _body_number(cursor: "_Cursor", line: int) -> int:
    """The tracking number of the body whose header stands in a line."""
    word = cursor.head(line)
    number = tracking_number(word)
    if number is None:
        raise RecordingError(f"'{_shown(word)}' where a body's tracking number belongs", cursor.number_of(line))
    return number


def _not_a_number(tokens: Tokens, word: int) -> RecordingError:
    return RecordingError(f"'{_shown(tokens.word(word))}' where a number belongs", tokens.line_of(word))


def _shown(word: bytes) -> str:
    text = repr(word[:24])[2:-1]  # whatever the bytes are, nothing that could upset a terminal
    return text + ("..." if len(word) > 24 else "")


FORMATS.add(
    "ntu",
    Format(
        suffixes=(SUFFIX,),
        read=read,
        looks_like="NTU RGB+D .skeleton text",
        layout=LAYOUT,
        parse_name=parse_name,
        name_scheme=NAME_SCHEME,
    ),
)
