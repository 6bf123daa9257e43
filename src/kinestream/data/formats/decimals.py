"""Decimal numbers out of raw text, many at once, exactly as `float` reads them.

Eight digits are one load of 64 bits and a few multiplications (D. Lemire, "Quickly parsing eight digits", 2018). Of at
most 19 digits the integer is exact, and so is the power of ten up to 10**22 that it is divided by. Below 2**53 one
division rounds correctly (Clinger 1990, "How to read floating point numbers accurately"); above, what the division left
over is added (Dekker 1971). Numbers of another form (more digits, large exponents, inf, nan) go through `float`.
"""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8, UInt64

_MOST_DIGITS = 19
_POWERS = 10.0 ** np.arange(23)
_WHOLE_POWERS = 10 ** np.arange(_MOST_DIGITS + 1, dtype=np.uint64)
_EXACT = np.uint64(2**53)
_EXACT_DIGITS = 15
_KEPT = np.array([0] + [2**64 - 2 ** (64 - 8 * digits) for digits in range(1, 9)], dtype=np.uint64)
"""Of eight bytes, those of so many digits at the end."""
_BEFORE = 24
"""Bytes that may be looked at before the end of a number, and so have to be there."""
_LONGEST = 32
"""A word of more bytes is no number of at most 19 digits."""
_SPLIT = 2.0**27 + 1
_NUMERIC_BYTES = b"0123456789+-.eE \t\r\n"
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf(inity)?|nan)", re.IGNORECASE)


@dataclass(frozen=True)
class Tokens:
    """The words of a text: word i is `text[starts[i]:ends[i]]`, words `first[k] .. first[k + 1]` stand in the k-th line
    that has any, which is line `numbers[k]` of the file, counted from 1."""

    text: bytes
    starts: Int64[np.ndarray, " words"]
    ends: Int64[np.ndarray, " words"]
    numbers: Int64[np.ndarray, " lines"]
    first: Int64[np.ndarray, " lines+1"]
    numeric: bool
    """Whether there is no character that a number cannot have."""

    def word(self, index: int) -> bytes:
        return self.text[self.starts[index] : self.ends[index]]

    def line_of(self, word: int) -> int:
        """The number of the line in which a word stands, counted from 1."""
        return int(self.numbers[np.searchsorted(self.first, word, side="right") - 1])


def split_words(text: bytes) -> Tokens:
    """Finds the words (runs of bytes that are no ASCII white space) and the lines of `text`; LF and CRLF alike."""
    codes = np.frombuffer(text, dtype=np.uint8)
    numeric = not text.translate(None, _NUMERIC_BYTES)
    inside = np.zeros(len(codes) + 2, dtype=np.bool_)
    np.greater(codes, 32, out=inside[1:-1])
    if not numeric:
        # White space is bytes 9 to 13 and 32, as for bytes.split. Other control bytes are damage, so part of a word.
        inside[1:-1] |= (codes != 32) & (codes - np.uint8(9) > 13 - 9)
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, ends = edges[::2], edges[1::2]
    line_ends = np.flatnonzero(codes == ord("\n"))
    first = np.concatenate(([0], np.searchsorted(starts, line_ends), [len(starts)]))
    filled = np.flatnonzero(np.diff(first))
    return Tokens(text, starts, ends, filled + 1, np.append(first[filled], len(starts)), numeric)


def parse_decimals(tokens: Tokens, words: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """The numbers that the given words spell. Raises ValueError(word index) at the first that is none.

    Example:
        >>> tokens = split_words(b"0.25 -3 1e-3")
        >>> parse_decimals(tokens, np.arange(3)).tolist()
        [0.25, -3.0, 0.001]
    """
    if not len(words):
        return np.empty(0)
    codes = np.frombuffer(tokens.text, dtype=np.uint8)
    starts, ends = tokens.starts[words], tokens.ends[words]
    values, known = decimal_values(codes, starts, ends)
    for position in np.flatnonzero(~known):
        value = as_number(tokens.word(int(words[position])))
        if value is None:
            raise ValueError(int(words[position]))
        values[position] = value
    return values


def as_number(word: bytes) -> float | None:
    """The number that a word spells, which may be inf or nan; None where it is none."""
    return float(word) if _NUMBER.fullmatch(word) else None


def decimal_values(
    codes: UInt8[np.ndarray, " bytes"],
    starts: Int64[np.ndarray, " n"],
    ends: Int64[np.ndarray, " n"],
    points: Int64[np.ndarray, " n"] | None = None,
) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The numbers that the words `starts` to `ends` spell, and which of them are known: others are spelled in another
    way, or are none. `points` is where each word has its decimal point, or its end, where the caller knows it."""
    if not len(starts):
        return np.empty(0), np.empty(0, dtype=np.bool_)
    if int(starts.min()) < _BEFORE:
        codes = np.concatenate((np.zeros(_BEFORE, dtype=np.uint8), codes))
        starts, ends, points = starts + _BEFORE, ends + _BEFORE, None if points is None else points + _BEFORE
    windows = np.ndarray((len(codes) - 7,), dtype="<u8", buffer=codes, strides=(1,))
    tails = windows[ends - 8]
    if points is None:
        points = _points(windows, tails, starts, ends)
    negative = codes.take(starts, mode="clip") == ord("-")
    starts = starts + negative
    values, known = _plain(windows, tails, starts, ends, points, None)
    if not known.all():
        rest = np.flatnonzero(~known)
        exponents, spelled = _exponents(codes, ends[rest])
        rest, exponents = rest[spelled], exponents[spelled]
        if len(rest):
            starts, ends, points = starts[rest], ends[rest] - 4, points[rest]
            points = np.minimum(points, ends)
            values[rest], known[rest] = _plain(windows, windows[ends - 8], starts, ends, points, exponents)
    return np.where(negative, -values, values), known


def _points(
    windows: UInt64[np.ndarray, " bytes"],
    tails: UInt64[np.ndarray, " n"],
    starts: Int64[np.ndarray, " n"],
    ends: Int64[np.ndarray, " n"],
) -> Int64[np.ndarray, " n"]:
    """Where each word has its last point, or its end: looked for in eight bytes at once, from the end (`tails`)."""
    word = tails ^ np.uint64(0x2E2E2E2E2E2E2E2E)
    found = word - np.uint64(0x0101010101010101)
    np.invert(word, out=word)
    found &= word
    found &= np.uint64(0x8080808080808080)
    length = ends - starts
    found &= _KEPT.take(length, mode="clip")
    # The highest bit that is set stands in the exponent of a float64: -1023 where there is none.
    byte = found.astype(np.float64).view(np.int64)
    byte >>= 52
    byte -= 1023
    byte >>= 3
    byte -= 8
    without = byte < -8
    byte += ends
    if without.any():
        byte[without] = ends[without]
        longer = np.flatnonzero(without & (length > 8) & (length <= _LONGEST))
        if len(longer):
            before = ends[longer] - 8
            points = _points(windows, windows[before - 8], starts[longer], before)
            byte[longer] = np.where(points == before, ends[longer], points)
    return byte


def _plain(
    windows: UInt64[np.ndarray, " bytes"],
    tails: UInt64[np.ndarray, " n"],
    starts: Int64[np.ndarray, " n"],
    ends: Int64[np.ndarray, " n"],
    points: Int64[np.ndarray, " n"],
    exponents: Int64[np.ndarray, " n"] | None,
) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Of words that are digits with at most one point, without sign: their values, and which are so."""
    before = points - starts
    after = ends - points
    after -= 1
    np.maximum(after, 0, out=after)
    count = before + after
    known = (count >= 1) & (count <= _MOST_DIGITS)
    whole, wrong = _digits(windows, windows[points - 8], points, before)
    if int(after.max(initial=0)):
        fraction, also_wrong = _digits(windows, tails, ends, after)
        whole *= _WHOLE_POWERS.take(after, mode="clip")
        whole += fraction
        wrong |= also_wrong
    known &= wrong == 0
    scale = after if exponents is None else after - exponents
    if exponents is not None:
        known &= (scale >= 0) & (scale < len(_POWERS))
    below = _POWERS.take(scale, mode="clip")
    values = whole.astype(np.float64)
    large = np.flatnonzero((whole > _EXACT) & known) if int(count.max(initial=0)) > _EXACT_DIGITS else known[:0]
    if len(large):
        precise = _divide(whole[large], values[large], below[large])
    values /= below
    if len(large):
        values[large] = precise
    return values, known


def _digits(
    windows: UInt64[np.ndarray, " bytes"],
    tails: UInt64[np.ndarray, " n"],
    ends: Int64[np.ndarray, " n"],
    count: Int64[np.ndarray, " n"],
) -> tuple[UInt64[np.ndarray, " n"], UInt64[np.ndarray, " n"]]:
    """The integers that `count` digits before `ends` spell, and a number other than 0 where they are no digits. `tails`
    are the last eight bytes."""
    found, wrong = _eight(tails, count)
    most = int(count.max(initial=0))
    if most > 8:
        higher, also_wrong = _eight(windows[ends - 16], count - 8)
        higher *= _WHOLE_POWERS[8]
        found += higher
        wrong |= also_wrong
    if most > 16:
        few = np.flatnonzero(count > 16)
        higher, also_wrong = _eight(windows[ends[few] - 24], count[few] - 16)
        found[few] += higher * _WHOLE_POWERS[16]
        wrong[few] |= also_wrong
    return found, wrong


def _eight(
    word: UInt64[np.ndarray, " n"], count: Int64[np.ndarray, " n"]
) -> tuple[UInt64[np.ndarray, " n"], UInt64[np.ndarray, " n"]]:
    """The last `count` of eight bytes: pairs, then fours, then all eight digits are put together."""
    word = word ^ np.uint64(0x3030303030303030)
    word &= _KEPT.take(count, mode="clip")
    wrong = word + np.uint64(0x7676767676767676)
    wrong |= word
    wrong &= np.uint64(0x8080808080808080)
    pairs = word * np.uint64(10)
    word >>= np.uint64(8)
    pairs += word
    odd = pairs >> np.uint64(16)
    odd &= np.uint64(0x000000FF000000FF)
    odd *= np.uint64(1 + (10_000 << 32))
    pairs &= np.uint64(0x000000FF000000FF)
    pairs *= np.uint64(100 + (1_000_000 << 32))
    pairs += odd
    pairs >>= np.uint64(32)
    return pairs, wrong


def _divide(
    whole: UInt64[np.ndarray, " n"], near: Float64[np.ndarray, " n"], below: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """`whole / below`, where `near` is `whole` rounded to a float64: the quotient, and what it leaves over."""
    lost = (whole - near.astype(np.uint64)).astype(np.int64).astype(np.float64)
    quotient = near / below
    high = _SPLIT * quotient - (_SPLIT * quotient - quotient)
    low = quotient - high
    below_high = _SPLIT * below - (_SPLIT * below - below)
    below_low = below - below_high
    product = quotient * below
    error = ((high * below_high - product) + high * below_low + low * below_high) + low * below_low
    return quotient + (((near - product) - error) + lost) / below


def _exponents(
    codes: UInt8[np.ndarray, " bytes"], ends: Int64[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Of words that end in `e-05` or the like: the exponent, and which do."""
    letter, sign, tens, ones = (codes.take(ends - place, mode="clip") for place in (4, 3, 2, 1))
    tens, ones = tens - np.uint8(ord("0")), ones - np.uint8(ord("0"))
    spelled = ((letter | 0x20) == ord("e")) & ((sign == ord("-")) | (sign == ord("+"))) & (tens < 10) & (ones < 10)
    size = tens.astype(np.int64) * 10 + ones
    return np.where(sign == ord("-"), -size, size), spelled


def find_text(tokens: Tokens) -> int | None:
    """The first word that cannot be a number, or None."""
    if tokens.numeric:
        return None
    for index in range(len(tokens.starts)):
        if not _NUMBER.fullmatch(tokens.word(index)):
            return index
    return None
