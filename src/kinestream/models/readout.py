"""How frozen encoders are read: each clip once, as published, or several times with what they saw put together, and
whether features are whitened."""

from dataclasses import dataclass
from typing import Literal, get_args

WhitenedBy = Literal["clips", "neighbours", "cameras"]


@dataclass(frozen=True, kw_only=True)
class Readout:
    """Several looks at one clip (multi-crop evaluation). The default is a single one, as every published figure has it.

    Features are `(1 + stretches) * dim` long: the whole clip, then each stretch, in the order of time, side by side as
    unit vectors. The looks of each are averaged over the turns, as unit vectors, too. Whitening comes last.
    """

    stretches: int = 0
    """Stretches of half the clip that are read besides the whole, evenly spread from its start to its end, each resized
    to the length of a clip: what happens early and late stays apart, and is seen closer."""
    turns: int = 1
    """Directions about the vertical, evenly spread, from which each is read; more than 1 is for encoders whose views
    were turned by any angle (`augment.rotation`). Streams that are the same from all sides are read from one."""
    whitening: float = 0.0
    """How far the principal components of the features, known from the training clips without labels, are brought to
    one size: each is divided by its deviation to this power. 0 leaves features as they are, 1 makes all alike; between
    them what only few clips tell weighs more, and noise not as much."""
    whitened_by: WhitenedBy = "clips"
    """Whose deviation that is: that of all training clips, or that between training clips which show the same: mutual
    nearest `neighbours`, or one performance by several `cameras`. What changes from one to the other weighs less."""

    def __post_init__(self) -> None:
        if self.stretches < 0 or self.turns < 1:
            raise ValueError(
                f"readout of {self.stretches} stretches and {self.turns} turns: none or more stretches, 1 or more turns"
            )
        if not 0 <= self.whitening <= 1:
            raise ValueError(f"readout with whitening {self.whitening}: it must be in [0, 1], 0 for none")
        if self.whitened_by not in get_args(WhitenedBy):
            known = ", ".join(get_args(WhitenedBy))
            raise ValueError(f"readout whitened by '{self.whitened_by}': choose from {known}")

    @property
    def is_plain(self) -> bool:
        """Whether each clip is read once, whitened or not."""
        return (self.stretches, self.turns) == (0, 1)

    @property
    def places(self) -> tuple[tuple[float, float], ...]:
        """Share of the clip and its start, as shares of the whole, of each stretch; the whole comes first.

        Example:
            >>> Readout(stretches=3).places
            ((1.0, 0.0), (0.5, 0.0), (0.5, 0.25), (0.5, 0.5))
        """
        if self.stretches == 1:
            return ((1.0, 0.0), (0.5, 0.25))
        return ((1.0, 0.0), *((0.5, 0.5 * index / (self.stretches - 1)) for index in range(self.stretches)))

    def __str__(self) -> str:
        return (
            "whole"
            + (f" and {self.stretches} half stretches" if self.stretches else "")
            + (f", from {self.turns} sides" if self.turns > 1 else "")
            + (f", whitened by {self.whitened_by} to the power {self.whitening:g}" if self.whitening else "")
        )
