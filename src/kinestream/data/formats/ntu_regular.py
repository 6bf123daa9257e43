"""NTU RGB+D files that are written as the published ones are, read in a few passes over the whole text.

Single spaces, lines that all end alike, every body and joint where it belongs: most files are so, and then no line has
to be looked at alone. One bit for each byte tells where words end: counting bits counts the words of a line and finds
its first three. Any other file is left to `ntu.parse`, which goes through it line by line and says what is wrong.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, UInt8, UInt64

from kinestream.data.formats.metres import parse_metres
from kinestream.data.recording import LARGEST_COORDINATE, Recording
from kinestream.skeleton.layout import NTU25

MOST_BODIES = 6
BODY_WORDS = 10
JOINT_WORDS = 12
_JOINTS = len(NTU25.joints)
_SPELLED = np.frombuffer(b"%d" % _JOINTS, dtype=np.uint8)
_BODY_LINES = 2 + _JOINTS
_BLOCK = 1 << 16
"""Bytes that are looked at together, a multiple of 8: what is made of them stays in the cache."""
_MANY = 4096
"""Joints that are read together, for the same reason."""
_REACH = 57
"""Bytes from the start of a line in which its first three words are looked for: with at most 7 before, 64 bits."""
_LONGEST_NUMBER = 19


def parse_regular(text: bytes) -> Recording | None:
    """The recording that the bytes of a `.skeleton` file hold; None where they are not regular, or damaged."""
    lines = _split_lines(text)
    bodies = None if lines is None else _find_bodies(lines)
    if lines is None or bodies is None:
        return None
    numbers = _tracking_numbers(lines, bodies.headers)
    points = _positions(lines, bodies.joints.ravel())
    if numbers is None or points is None:
        return None
    most = int(bodies.slots.max()) + 1
    joints = np.zeros((bodies.frames, most, _JOINTS, 3))
    tracked = np.zeros((bodies.frames, most), dtype=np.int64)
    joints[bodies.of_frame, bodies.slots] = points
    tracked[bodies.of_frame, bodies.slots] = numbers
    return Recording(joints=joints, bodies=tracked)


def tracking_number(word: bytes) -> int | None:
    """The tracking number of a body that a word spells; None where it spells none."""
    number = int(word) if word.isdigit() and len(word) <= _LONGEST_NUMBER else 0
    return number if 0 < number < 2**63 else None


class _Lines(NamedTuple):
    """A text of bytes that numbers have, its words between single spaces and ends of lines."""

    codes: UInt8[np.ndarray, " bytes"]
    starts: Int64[np.ndarray, " lines"]
    ends: Int64[np.ndarray, " lines"]
    words: Int64[np.ndarray, " lines"]
    """How many stand in each line."""
    gaps: UInt64[np.ndarray, " blocks"]
    """One bit for each byte, the lowest first, and at least 64 more: whether it stands between words."""


def _split_lines(text: bytes) -> _Lines | None:
    if not text.endswith(b"\n") or b"/" in text:
        return None
    codes = np.frombuffer(text, dtype=np.uint8)
    marked = _mark_gaps(codes)
    if marked is None:
        return None
    gaps, controls = marked
    length = 2 if text.endswith(b"\r\n") else 1  # of what ends a line
    newlines = _set_bits(controls if length == 1 else _following(controls))
    ends = newlines + (1 - length)
    # All control characters are those of ends of lines, and only in these is a gap longer than one.
    if np.bitwise_count(controls).sum() != length * len(ends) or (codes[newlines] != ord("\n")).any():
        return None
    if length == 2 and (codes[ends] != ord("\r")).any():
        return None
    if np.bitwise_count(_following(gaps)).sum() != (length - 1) * len(ends):
        return None
    starts = np.zeros_like(ends)
    np.add(newlines[:-1], 1, out=starts[1:])
    before = _count_bits(gaps, ends)
    words = before + 1
    words[1:] -= before[:-1] + length
    return _Lines(codes, starts, ends, words, gaps)


def _mark_gaps(codes: UInt8[np.ndarray, " bytes"]) -> UInt64[np.ndarray, "2 blocks"] | None:
    """One bit for each byte: whether it is a space or a control character, and whether it is a control character. None
    where there is what neither they nor numbers are; a slash may pass."""
    marked = np.zeros((2, len(codes) // 64 + 2), dtype="<u8")
    eighths = marked.view(np.uint8)
    work = np.empty((2, min(_BLOCK, len(codes))), dtype=np.uint8)
    for at in range(0, len(codes), _BLOCK):
        block = codes[at : at + _BLOCK]
        shifted, flags = work[0, : len(block)], work[1, : len(block)].view(np.bool_)
        here = slice(at // 8, (at + len(block) + 7) // 8)
        eighths[1, here] = np.packbits(np.less(block, ord(" "), out=flags), bitorder="little")
        eighths[0, here] = np.packbits(np.less_equal(block, ord(" "), out=flags), bitorder="little")
        # Counted from the minus, modulo 256, point and digits are 1 to 12, controls 211 to 242 and the space 243: above
        # are only the bytes between space and minus.
        np.subtract(block, ord("-"), out=shifted)
        if block.max() > ord("9") or shifted.max() > 256 + ord(" ") - ord("-"):
            others = block[(shifted > ord("9") - ord("-")) & ~flags]
            if others.tobytes().strip(b"eE+"):
                return None
    return marked


def _following(blocks: UInt64[np.ndarray, " blocks"]) -> UInt64[np.ndarray, " blocks"]:
    """The bits that are set and follow one that is."""
    found = blocks << np.uint64(1)
    found[1:] |= blocks[:-1] >> np.uint64(63)
    found &= blocks
    return found


def _set_bits(blocks: UInt64[np.ndarray, " blocks"]) -> Int64[np.ndarray, " n"]:
    """The places of the bits that are set: of the lowest in each byte, then of the next."""
    eighths = blocks.view(np.uint8)
    byte = np.flatnonzero(eighths != 0)
    left = eighths[byte]
    places = []
    while len(left):
        rest = left - np.uint8(1)
        places.append((byte << 3) + np.bitwise_count(rest & ~left))
        left &= rest
        more = np.flatnonzero(left != 0)
        byte, left = byte[more], left[more]
    return np.sort(np.concatenate(places), kind="stable")


def _count_bits(blocks: UInt64[np.ndarray, " blocks"], ends: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """How many bits before each place are set."""
    before = np.zeros(len(blocks), dtype=np.int64)
    np.cumsum(np.bitwise_count(blocks[:-1]), out=before[1:])
    block = ends >> 6
    below = np.uint64(1) << (ends & 63).view(np.uint64)
    below -= np.uint64(1)
    below &= blocks[block]
    counts = before[block]
    counts += np.bitwise_count(below)
    return counts


class _Bodies(NamedTuple):
    """Of each body: the lines of its header and its joints, its frame, and its place in the frame."""

    frames: int
    headers: Int64[np.ndarray, " bodies"]
    joints: Int64[np.ndarray, "bodies v"]
    of_frame: Int64[np.ndarray, " bodies"]
    slots: Int64[np.ndarray, " bodies"]


def _find_bodies(lines: _Lines) -> _Bodies | None:
    """The bodies, if each line is what belongs there: the number of frames; for each frame the number of bodies; for
    each body a header, the number of joints, and the joints."""
    codes, starts, words = lines.codes, lines.starts, lines.words
    lengths = lines.ends - starts
    headers = np.flatnonzero(words == BODY_WORDS)
    first = codes[: lengths[0]].tobytes()
    if not len(headers) or not first.isdigit() or len(first) > 9:
        return None
    frames = int(first)
    # Before the header of body i are the number of frames, i bodies, and one number of bodies a frame so far.
    of_frame = headers - np.arange(2, 2 + _BODY_LINES * len(headers), _BODY_LINES)
    if len(words) != 1 + frames + _BODY_LINES * len(headers) or of_frame[0] < 0 or of_frame[-1] >= frames:
        return None
    if (of_frame[1:] < of_frame[:-1]).any():
        return None
    bodies = np.bincount(of_frame, minlength=frames)
    before = np.cumsum(bodies) - bodies
    counts = np.arange(1, 1 + frames) + _BODY_LINES * before
    if (lengths[counts] != 1).any() or (codes[starts[counts]] != bodies + ord("0")).any() or bodies.max() > MOST_BODIES:
        return None
    sizes = headers + 1
    if (lengths[sizes] != len(_SPELLED)).any():
        return None
    if (codes[starts[sizes][:, None] + np.arange(len(_SPELLED))] != _SPELLED).any():
        return None
    joints = headers[:, None] + np.arange(2, _BODY_LINES)
    if (words[joints] != JOINT_WORDS).any():
        return None
    return _Bodies(frames, headers, joints, of_frame, np.arange(len(headers)) - before[of_frame])


def _tracking_numbers(lines: _Lines, headers: Int64[np.ndarray, " bodies"]) -> list[int] | None:
    """The first word of each header, which as a number is the same in most frames."""
    size = _LONGEST_NUMBER + 1
    windows = np.ndarray((len(lines.codes) - size + 1,), dtype=f"S{size}", buffer=lines.codes, strides=(1,))
    heads = windows[lines.starts[headers]].tolist()
    known: dict[bytes, int] = {}
    for head in set(heads):
        number = tracking_number(head.split(b" ", 1)[0])
        if number is None:
            return None
        known[head] = number
    return [known[head] for head in heads]


def _positions(lines: _Lines, joints: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "bodies v c"] | None:
    """The first three numbers of the given lines."""
    points = np.empty((len(joints), 3))
    for at in range(0, len(joints), _MANY):
        bounds = _first_words(lines.gaps, lines.starts[joints[at : at + _MANY]])
        if bounds is None:
            return None
        try:
            numbers = parse_metres(lines.codes, bounds[:-1].ravel(), bounds[1:].ravel() - 1)
        except ValueError:
            return None
        points[at : at + _MANY] = numbers.reshape(3, -1).T
    usable = points.max() <= LARGEST_COORDINATE and points.min() >= -LARGEST_COORDINATE  # False for nan too
    return points.reshape(-1, _JOINTS, 3) if usable else None


def _first_words(
    gaps: UInt64[np.ndarray, " blocks"], starts: Int64[np.ndarray, " n"]
) -> Int64[np.ndarray, "4 n"] | None:
    """Where the first four words of lines start. The lowest bit that is set is the next gap."""
    windows = np.ndarray((8 * len(gaps) - 7,), dtype="<u8", buffer=gaps, strides=(1,))
    left = windows[starts >> 3]
    left >>= (starts & 7).view(np.uint64)
    bounds = np.empty((4, len(starts)), dtype=np.int64)
    bounds[0] = starts
    length = np.zeros(len(starts), dtype=np.uint8)
    for column in range(1, 4):
        rest = left - np.uint64(1)
        length = np.bitwise_count(left ^ rest)
        np.add(starts, length, out=bounds[column])
        left &= rest
    return None if length.max() > _REACH else bounds
