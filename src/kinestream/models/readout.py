"""How frozen encoders are read: each clip once, as published, or several times with what they saw put together, and
whether features are whitened."""

from dataclasses import dataclass
from typing import Literal, get_args

WhitenedBy = Literal["clips", "neighbours", "partners"]
MOST_TURNS = 360


@dataclass(frozen=True, kw_only=True)
class Readout:
    """Several looks at one clip (multi-crop evaluation). The default is a single one, as every published figure has it.

    The looks of several turns are averaged as unit vectors, and the mean is made one again. Whitening comes last.
    """

    turns: int = 1
    """Directions about the vertical, evenly spread, from which a clip is read; more than 1 is for encoders whose views
    were turned by any angle (`augment.rotation`). Streams that are the same from all sides are read from one."""
    whitening: float = 0.0
    """How far the principal components of the features, known from the training clips without labels, are brought to
    one size: each is divided by its deviation to this power. 0 leaves features as they are, 1 makes all alike; between
    them what only few clips tell weighs more, and noise not as much."""
    whitened_by: WhitenedBy = "clips"
    """Whose deviation that is: that of all training clips, or that between training clips which show the same: mutual
    nearest `neighbours`, or the `partners` that the training was told of. What changes from one to the other weighs
    less."""

    def __post_init__(self) -> None:
        if not 1 <= self.turns <= MOST_TURNS:
            raise ValueError(f"readout of {self.turns} turns: it must be of 1 to {MOST_TURNS}")
        if not 0 <= self.whitening <= 1:
            raise ValueError(f"readout with whitening {self.whitening}: it must be in [0, 1], 0 for none")
        if self.whitened_by not in get_args(WhitenedBy):
            known = ", ".join(get_args(WhitenedBy))
            raise ValueError(f"readout whitened by '{self.whitened_by}': choose from {known}")

    @property
    def is_plain(self) -> bool:
        """Whether each clip is read once, whitened or not."""
        return self.turns == 1

    def __str__(self) -> str:
        return (
            "whole"
            + (f", from {self.turns} sides" if self.turns > 1 else "")
            + (f", whitened by {self.whitened_by} to the power {self.whitening:g}" if self.whitening else "")
        )
