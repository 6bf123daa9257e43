"""Many numbers to text at once: seven digits each, several times as fast as formatting one by one."""

import numpy as np
from jaxtyping import Bool, Float, UInt8

DIGITS = 7
WHOLE = 4
"""Numbers have at most this many digits before the point."""

_PATTERN = b"-0.0.0.0.0.000 "
"""Sign, a leading zero, and seven digits with a point wherever one may stand; a blank ends the number."""
_SIGN, _LEAD, _POINTS, _FIGURES, _BLANK = 0, 1, (2, 4, 6, 8, 10), (3, 5, 7, 9, 11, 12, 13), 14
_TENS = 10.0 ** np.arange(DIGITS + 1)


def numerals(values: Float[np.ndarray, " k"]) -> tuple[UInt8[np.ndarray, "k 15"], Bool[np.ndarray, "k 15"]]:
    """For each number 15 ASCII characters, a blank at the end, and which of them to keep.

    Seven digits are kept, or seven after the point below 1; trailing zeros are left out. The numbers must lie between
    -9999.999 and 9999.999.

    Example:
        >>> characters, keep = numerals(np.array([0.25, -3.785547, 1036.2331, 0.0]))
        >>> characters[keep].tobytes()
        b'0.25 -3.785547 1036.233 0 '
    """
    size = np.abs(values)
    whole = (size >= _TENS[:WHOLE, None]).sum(axis=0, dtype=np.int8)
    number = np.rint(size * _TENS[DIGITS - whole]).astype(np.int32)
    grown = number >= 10**DIGITS
    whole, number = whole + grown, np.where(grown, number // 10, number)
    characters = np.empty((len(_PATTERN), len(values)), dtype=np.uint8)
    characters[:] = np.frombuffer(_PATTERN, dtype=np.uint8)[:, None]
    keep = np.empty(characters.shape, dtype=bool)
    keep[_SIGN] = (values < 0) & (number > 0)
    keep[_LEAD] = whole == 0
    keep[_BLANK] = True
    needed = np.zeros(len(values), dtype=bool)
    for place in range(DIGITS - 1, -1, -1):
        number, figure = np.divmod(number, np.int32(10))
        characters[_FIGURES[place]] += figure.astype(np.uint8)
        needed |= figure > 0
        keep[_FIGURES[place]] = needed | (whole > place)
        if place <= WHOLE:
            keep[_POINTS[place]] = needed & (whole == place)
    return characters.T, keep.T
