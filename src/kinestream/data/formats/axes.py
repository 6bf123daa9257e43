"""Arrays whose axes stand in another order than a form has them, as the user says: `n c t v m`, `n t (v c)`."""

import math
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from kinestream.data.formats.incoming import MOST_BODIES, ExchangeError
from kinestream.words import shown

_LETTERS = "ntmvc"
_GROUP = re.compile(r"\(([^()]*)\)|(\S+)")


@dataclass(frozen=True)
class Axes:
    """Which letters each axis of an array is made of: n recording, t frame, m body, v joint, c coordinate."""

    groups: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(f"({' '.join(group)})" if len(group) > 1 else group for group in self.groups)

    @property
    def rank(self) -> int:
        """Number of axes of the array."""
        return len(self.groups)

    @property
    def width(self) -> int | None:
        """Which axis is `(m v c)`, in some order, alone; None where bodies and joints have axes of their own."""
        return next((place for place, group in enumerate(self.groups) if {"v", "c"} <= set(group)), None)

    def sizes(self, shape: tuple[int, ...], joints: int, coordinates: int) -> dict[str, int]:
        """The size of each letter. Raises ExchangeError for a shape that has no such axes."""
        found = {"v": joints, "c": coordinates}
        for group, size in zip(self.groups, shape, strict=True):
            open_letters = [letter for letter in group if letter not in found]
            known = math.prod(found[letter] for letter in group if letter in found)
            if len(open_letters) == 1 and known and not size % known:
                found[open_letters[0]] = size // known
            elif open_letters or size != known:
                raise ExchangeError(
                    f"an array {shape} is not '{self}' with {joints} joints of {coordinates} coordinates"
                )
        found.setdefault("m", 1)
        if not 1 <= found["m"] <= MOST_BODIES:
            raise ExchangeError(f"an array {shape} of axes '{self}' would have {found['m']} bodies")
        return found

    def scene(self, row: np.ndarray, sizes: dict[str, int]) -> Float[np.ndarray, "t m v c"]:
        """One recording of the array, `row` without the axis n."""
        letters = "".join(self.groups[1:])
        spread = row.reshape([sizes[letter] for letter in letters])
        if "m" not in letters:
            spread, letters = spread[..., None], f"{letters}m"
        return np.ascontiguousarray(spread.transpose([letters.index(letter) for letter in "tmvc"]))


def parse_axes(text: str) -> Axes:
    """The axes that a text names: letters in the order of the axes, those that are one axis together in brackets.

    Raises ExchangeError for other letters, for one that is missing or there twice (`m` may be missing), and where n is
    not first: rows are read one after the other.

    Example:
        >>> parse_axes("n t (m v c)").groups, parse_axes("nctvm").rank
        (('n', 't', 'mvc'), 5)
    """
    groups: list[str] = []
    for inside, word in _GROUP.findall(text):
        if word:
            groups += list(word)
        elif inside.strip():
            groups.append("".join(inside.split()))
    letters = "".join(groups)
    if set(letters) - set(_LETTERS) or len(set(letters)) != len(letters) or set("ntvc") - set(letters):
        raise ExchangeError(f"axes '{shown(text)}': n, t, m, v and c are needed, each once (m may be missing)")
    if groups[0] != "n" or _GROUP.sub("", text).strip():
        raise ExchangeError(f"axes '{shown(text)}': n is the first axis, and brackets are closed, as in n t (m v c)")
    return Axes(tuple(groups))


USUAL = parse_axes("n t (m v c)")
