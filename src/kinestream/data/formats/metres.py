"""Positions in metres as sensors write them: one digit, a point and one to eight digits, as in `-0.2181153`.

Each is a whole number divided by 10**8, both exact, so that one division rounds correctly, as `float` does. What is
spelled in another way is read by `decimals`.
"""

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from kinestream.data.formats.decimals import as_number, decimal_values

AFTER = 10
"""Bytes that may be looked at after the end of a word."""
_FRACTION = 8
_KEPT = np.array([2 ** (8 * max(length - 2, 0)) - 1 for length in range(_FRACTION + 3)], dtype=np.uint64)
"""Of the eight bytes after the point, those that belong to a word of such a length from its first digit on."""
_FEW = 200
"""So many words are read sooner one by one than all at once."""


def parse_metres(
    codes: UInt8[np.ndarray, " bytes"], starts: Int64[np.ndarray, " n"], ends: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """The numbers that the words `starts` to `ends` of a text spell, where `AFTER` more bytes follow the last word.
    Raises ValueError where one is none.

    Example:
        >>> text = b"-0.25 3 1e-3" + bytes(AFTER)
        >>> parse_metres(np.frombuffer(text, np.uint8), np.array([0, 6, 8]), np.array([5, 7, 12])).tolist()
        [-0.25, 3.0, 0.001]
    """
    values, known = _short(codes, starts, ends)
    if not known.all():
        other = np.flatnonzero(~known)
        values[other] = _others(codes, starts[other], ends[other])
    return values


def _short(
    codes: UInt8[np.ndarray, " bytes"], starts: Int64[np.ndarray, " n"], ends: Int64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The numbers, and which are spelled in the short way. Eight digits in eight bytes become pairs, fours, then one
    number (D. Lemire, "Quickly parsing eight digits", 2018)."""
    negative = codes[starts] == ord("-")
    at = starts + negative
    digit = codes[at]
    digit -= np.uint8(ord("0"))
    known = digit < 10
    known &= codes[1:][at] == ord(".")
    word = np.ndarray((len(codes) - 9,), dtype="<u8", buffer=codes, offset=2, strides=(1,))[at]
    word ^= np.uint64(0x3030303030303030)
    length = np.subtract(ends, at, out=at)
    spare = _KEPT.take(length, mode="clip")  # memory that is used again and again from here on
    word &= spare
    length -= 3
    known &= length.view(np.uint64) < _FRACTION
    np.add(word, np.uint64(0x7676767676767676), out=spare)
    spare |= word
    spare &= np.uint64(0x8080808080808080)
    known &= spare == 0
    word *= np.uint64(1 + (10 << 8))
    word >>= np.uint64(8)
    word &= np.uint64(0x00FF00FF00FF00FF)
    word *= np.uint64(1 + (100 << 16))
    word >>= np.uint64(16)
    word &= np.uint64(0x0000FFFF0000FFFF)
    word *= np.uint64(1 + (10_000 << 32))
    word >>= np.uint64(32)
    word += np.multiply(digit, np.uint64(10**_FRACTION), out=spare)
    values = spare.view(np.float64)
    values[:] = word.view(np.int64)
    values /= 10.0**_FRACTION
    np.negative(values, out=values, where=negative)
    return values, known


def _others(
    codes: UInt8[np.ndarray, " bytes"], starts: Int64[np.ndarray, " n"], ends: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    values, known = np.empty(len(starts)), np.zeros(len(starts), dtype=np.bool_)
    if len(starts) > _FEW:
        values, known = decimal_values(codes, starts, ends)
    for place in np.flatnonzero(~known).tolist():
        word = codes[starts[place] : ends[place]].tobytes()
        value = as_number(word)
        if value is None:
            raise ValueError(f"{word[:24]!r} is no number")
        values[place] = value
    return values
