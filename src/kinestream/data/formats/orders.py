"""Which axis of an array is which: n recording, t frame, m person, v joint, c coordinate; s coordinates and a score.

An order is a word of these letters, those that share an axis in brackets: `tvc`, `ntmvc`, `t(vc)`. One that the user
does not say is taken only where no other one fits.
"""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

from kinestream.data.recording import RecordingError
from kinestream.skeleton.layout import MOST_JOINTS, SkeletonLayout
from kinestream.words import shown

MOST_PEOPLE = 8
"""An axis that is longer is not taken for people unless the user says so."""
FEWEST_FRAMES = 5
"""Of each recording where one axis counts recordings, unless the user says it does."""
ARRAY_ORDERS = ("tvc", "tmvc", "ntvc", "ntmvc", "t(vc)")
"""In which numpy arrays are read without being told."""
MATRIX_ORDERS = ("vct", "tvc", "tcv", "cvt", "vtc", "ctv", "t(vc)", "(vc)t")
"""In which those of MATLAB are."""
_ALSO_SEEN = ("mtvc", "nmtvc", "ctvm", "nctvm", "nctv", "tcv", "nt(vc)", "tm(vc)")
"""Others that arrays of the field have: where one of them fits as well, nothing is taken without being told."""
_FEWEST_JOINTS = 5
"""Of orders that are only taken when said: a shape of fewer joints does not make another order unclear."""
_LETTERS = "ntmvcs"
_WORD = re.compile(rf"(?:[{_LETTERS}]|\([{_LETTERS}]+\))+")
_HELP = (
    "say it with --variable ':WORD', a letter for each axis: n recordings, t frames, m people, v joints, c coordinates "
    "(s: coordinates and then a score), as in ':ntvc' or ':t(vc)'"
)


@dataclass(frozen=True)
class Order:
    """The letters of each axis of an array."""

    groups: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(group if len(group) == 1 else f"({group})" for group in self.groups)

    @property
    def letters(self) -> str:
        return "".join(self.groups)

    def sizes(self, shape: tuple[int, ...], layout: SkeletonLayout | None) -> dict[str, int] | None:
        """How large each letter is; None where the shape has no such axes. A share of an axis that nothing else tells
        is taken to have three coordinates where that fits, else two."""
        for coordinates in (3, 2):
            found: dict[str, int] = {"c": coordinates, "s": coordinates + 1}
            if layout is not None:
                found["v"] = len(layout.joints)
            if all(_share(group, size, found) for group, size in zip(self.groups, shape, strict=True)):
                return found
        return None


def parse_order(word: str) -> Order | None:
    """The order that a word says; None for another kind of word.

    Example:
        >>> parse_order("t (v c)").groups, parse_order("joints")
        (('t', 'vc'), None)
    """
    word = re.sub(r"[\s,]+", "", word.lower())
    letters = [letter for letter in word if letter not in "()"]
    if not _WORD.fullmatch(word) or len(set(letters)) != len(letters):
        return None
    if not {"t", "v"} <= set(letters) or ("c" in letters) == ("s" in letters):
        return None
    return Order(tuple(group.strip("()") for group in re.findall(r"\([a-z]+\)|[a-z]", word)))


def split_variable(text: str) -> tuple[str, Order | None]:
    """What the user says of a variable: its name and its order, `NAME`, `NAME:WORD` or `:WORD`. Raises RecordingError
    for `:` and a word that is no order.

    Example:
        >>> name, order = split_variable("poses:ntvc")
        >>> name, str(order)
        ('poses', 'ntvc')
    """
    name, colon, word = text.rpartition(":")
    if not colon:
        return text.strip(), None
    order = parse_order(word)
    if order is None:
        raise RecordingError(f"'{shown(word)}' is no order of axes: t, v and c (or s) are needed, each once; {_HELP}")
    return name.strip(), order


def order_of(shape: Sequence[int], layout: SkeletonLayout | None, taken: Sequence[str] = ARRAY_ORDERS) -> Order:
    """The only order of `taken` that an array of this shape can have. Raises RecordingError where there is none, or
    several fit."""
    shape = tuple(shape)
    orders = [order for word in dict.fromkeys((*taken, *_ALSO_SEEN)) if (order := parse_order(word)) is not None]
    fitting = [str(order) for order in orders if _fits(order, shape, layout)]
    if shape[:1] == (1,):  # one recording, or one person in it: the same
        fitting = [word for word in fitting if word not in ("mtvc", "nmtvc")] if "ntvc" in fitting else fitting
    if len(fitting) == 1 and fitting[0] in taken:
        made = parse_order(fitting[0])
        assert made is not None
        return made
    raise RecordingError(_refusal(shape, fitting, layout))


def fold(
    array: np.ndarray, order: Order, layout: SkeletonLayout | None
) -> tuple[Num[np.ndarray, "n t m v c"], Num[np.ndarray, "n t m v"] | None]:
    """Joints, and scores where the order has them, as views where that is possible. Raises RecordingError where the
    array has no such axes."""
    if array.ndim != len(order.groups):
        raise RecordingError(f"an array {array.shape} has {array.ndim} axes, '{order}' has {len(order.groups)}")
    sizes = order.sizes(array.shape, layout)
    if sizes is None:
        joints = "" if layout is None else f" with the {len(layout.joints)} joints of layout {layout.name}"
        raise RecordingError(f"an array {array.shape} is not '{order}'{joints}")
    letters = order.letters.replace("s", "c")
    spread = array.reshape([sizes[letter] for letter in order.letters])
    for letter in "nm":
        if letter not in letters:
            spread, letters = spread[None], letter + letters
    spread = spread.transpose([letters.index(letter) for letter in "ntmvc"])
    if "s" in order.letters:
        return spread[..., :-1], spread[..., -1]
    return spread, None


def _share(group: str, size: int, found: dict[str, int]) -> bool:
    """Whether an axis can be of these letters; adds the one whose size was not known."""
    new = [letter for letter in group if letter not in found]
    known = math.prod(found[letter] for letter in group if letter in found)
    if len(new) > 1 or (not new and size != known) or size < 1 or size % known:
        return False
    if new:
        found[new[0]] = size // known
    return True


def _fits(order: Order, shape: tuple[int, ...], layout: SkeletonLayout | None) -> bool:
    if len(order.groups) != len(shape) or (layout is None and any(len(group) > 1 for group in order.groups)):
        return False
    sizes = order.sizes(shape, layout)
    if sizes is None or sizes.get("m", 1) > MOST_PEOPLE or sizes["v"] > MOST_JOINTS:
        return False
    if sizes["v"] < _FEWEST_JOINTS and str(order) not in ARRAY_ORDERS:
        return False
    if order.groups[0] in ("m", "c") and sizes["t"] < FEWEST_FRAMES:
        return False
    return "n" not in sizes or sizes["t"] >= FEWEST_FRAMES


def _refusal(shape: tuple[int, ...], fitting: Sequence[str], layout: SkeletonLayout | None) -> str:
    if len(fitting) > 1:
        return f"an array {shape} can be {' or '.join(fitting)}: {_HELP}"
    if fitting:
        return f"an array {shape} looks like '{fitting[0]}': if it is, say so with --variable ':{fitting[0]}'"
    if layout is not None:
        without = any(_fits(order, shape, None) for order in map(parse_order, ARRAY_ORDERS) if order is not None)
        if without:
            return f"{shape[-2]} joints, where layout {layout.name} has {len(layout.joints)}; {_HELP}"
        return f"an array {shape} is none of {len(layout.joints)} joints (layout {layout.name}); {_HELP}"
    flat = "; of one flat row a frame, say the layout" if len(shape) == 2 else ""
    return f"an array {shape}: frames, joints and 2 or 3 coordinates belong{flat}; {_HELP}"


def usable(array_type: "np.dtype[np.generic]") -> str:
    """Why an array of this type has no positions; empty where it can."""
    if array_type.kind in "iuf":
        return ""
    kinds = {"O": "of Python objects", "V": "of records", "c": "of complex numbers", "b": "of truth values"}
    return f"an array {kinds.get(array_type.kind, f'of type {array_type}')}: numbers belong"


def as_floats(array: np.ndarray) -> Float[np.ndarray, "..."]:
    """float32 and float64 as they are; others as the smaller of the two that holds them."""
    if array.dtype in (np.float32, np.float64):
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    return array.astype(np.float32 if array.dtype.itemsize <= 2 else np.float64)


def without_padding(joints: Num[np.ndarray, "t m v c"]) -> Num[np.ndarray, "s m v c"]:
    """Without the frames at the end in which nobody is: recordings of one array are filled up to one length."""
    blocks = range(len(joints), 0, -256)
    for end in blocks:
        there = np.nan_to_num(joints[max(end - 256, 0) : end]).any(axis=(1, 2, 3))
        if there.any():
            return joints[: max(end - 256, 0) + int(np.flatnonzero(there)[-1]) + 1]
    return joints[:0]


def chained(parts: Sequence[str], most: int = 6) -> str:
    """Some of the names, and how many more there are."""
    some = ", ".join(shown(part, 30) for part in itertools.islice(parts, most))
    return some if len(parts) <= most else f"{some} and {len(parts) - most} more"
