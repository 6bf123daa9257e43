"""Colours and shapes that tell classes and streams apart, for colour-blind eyes too; figures and report share them."""

from dataclasses import dataclass

CLASS_COLOURS = (
    *("#0170b1", "#f98b06", "#7a0b05", "#00bad1", "#8c6a83"),
    *("#1b0092", "#d0a063", "#d03111", "#a8ad9a", "#45303d"),
)
"""On white. Any two are at least 25 apart (CIELAB) for normal, red-, green- and blue-blind eyes; contrast 2.3 or
more."""

CLASS_COLOURS_ON_DARK = (
    *("#4072cc", "#eb7b1e", "#cd172d", "#70ffdf", "#c57e86"),
    *("#7e3df7", "#ffd500", "#d5f096", "#97c8f0", "#805a89"),
)
"""On `DARK_PAPER`, in the same order; contrast 3.2 or more."""

DARK_PAPER = "#14171c"

SHAPES = ("circle", "square", "up", "diamond", "down", "plus")

LINE_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#b8860b", "#c2417c"),
    *("#7d7d00", "#e0004b", "#888cba", "#f14cea", "#bc1ff6"),
)
"""Of the lines that belong to a stream, in the order of the run; legible on white and on dark."""

TOGETHER_COLOUR = "#8a5ab5"
"""Of the line of all streams together."""


@dataclass(frozen=True, kw_only=True)
class Symbol:
    """How the points of one class look."""

    colour: int
    """Which of `CLASS_COLOURS`."""
    shape: str
    filled: bool


def class_symbol(number: int) -> Symbol:
    """The symbol of a class, counted from 0: 120 classes in a row have different ones, and of ten in a row no two share
    a colour, no two neighbours a shape.

    Example:
        >>> len({class_symbol(number) for number in range(120)})
        120
    """
    ten, colour = divmod(number, len(CLASS_COLOURS))
    return Symbol(
        colour=colour,
        shape=SHAPES[(colour + ten) % len(SHAPES)],
        filled=ten // len(SHAPES) % 2 == 0,
    )
