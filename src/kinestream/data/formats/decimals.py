"""Decimal numbers out of raw text, many at once, exactly as `float` reads them.

A decimal of at most 15 characters is an integer below 2**53 divided by a power of ten up to 10**22; both are exact in
float64, so the one division rounds correctly (Clinger 1990, "How to read floating point numbers accurately").
Numbers of another form (exponents, more characters, inf, nan) take the slow way through `float`.
"""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

_EXACT_PLACES = 15
_POWERS = 10.0 ** np.arange(_EXACT_PLACES + 1)
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
    negative = codes[starts] == ord("-")
    starts = starts + negative
    plain, mantissa, scale = _plain_decimals(codes, starts, ends)
    values = mantissa / _POWERS[scale]
    np.negative(values, out=values, where=negative)
    for position in np.flatnonzero(~plain):
        word = tokens.word(int(words[position]))
        if not _NUMBER.fullmatch(word):
            raise ValueError(int(words[position]))
        values[position] = float(word)
    return values


def _plain_decimals(
    codes: UInt8[np.ndarray, " bytes"], starts: Int64[np.ndarray, " n"], ends: Int64[np.ndarray, " n"]
) -> tuple[Bool[np.ndarray, " n"], Float64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """Which words are digits with at most one point, their digits as one integer, and how many follow the point."""
    lengths = ends - starts
    # One row for each character place, counted from the end of the word: place 0 is the last character.
    places = np.arange(min(int(lengths.max()), _EXACT_PLACES), dtype=np.int64)[:, None]
    text = codes.take(ends - 1 - places, mode="clip")
    inside = places < lengths
    digit = text - np.uint8(ord("0"))
    is_digit = (digit < 10) & inside
    is_point = (text == ord(".")) & inside
    digits = is_digit.sum(axis=0, dtype=np.uint8)
    points = is_point.sum(axis=0, dtype=np.uint8)
    plain = (digits + points == lengths) & (points <= 1) & (digits >= 1)
    scale = (is_point * places.astype(np.uint8)).sum(axis=0, dtype=np.uint8).astype(np.int64)
    scale[~plain] = 0

    # All digits as one integer, the point taken for a zero; then that zero is taken out again. Each step is exact, and
    # no quotient lies just below an integer, where it might be rounded up: the digit that follows is that zero.
    digit *= is_digit
    combined = _POWERS[: len(places)] @ digit.astype(np.float64)
    below = _POWERS[scale]
    whole = np.floor(combined / (10 * below))
    return plain, np.where(points == 1, combined - 9 * below * whole, combined), scale


def find_text(tokens: Tokens) -> int | None:
    """The first word that cannot be a number, or None."""
    if tokens.numeric:
        return None
    for index in range(len(tokens.starts)):
        if not _NUMBER.fullmatch(tokens.word(index)):
            return index
    return None
