"""Learning rate over the training, as a factor on the rate of the recipe."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

Schedule = Callable[[float], float]
"""From the epochs done (a fraction: 2.5 is the middle of the third) to the factor on the learning rate."""


def make_schedule(
    name: Literal["constant", "step", "cosine"],
    *,
    epochs: int,
    warmup_epochs: float = 0.0,
    milestones: Sequence[int] = (),
    factor: float = 0.1,
) -> Schedule:
    """Constant; times `factor` after each milestone; or half a cosine down to 0. All after a linear warm-up from 0.

    Example:
        >>> step = make_schedule("step", epochs=300, milestones=[250])
        >>> step(249.9), step(250.0)
        (1.0, 0.1)
    """
    if not 0 <= warmup_epochs < epochs:
        raise ValueError(f"warmup_epochs ({warmup_epochs}) must be in [0, epochs), epochs is {epochs}")

    def after_warmup(done: float) -> float:
        if name == "step":
            return float(factor ** sum(done >= milestone for milestone in milestones))
        if name == "cosine":
            return 0.5 * (1 + math.cos(math.pi * (done - warmup_epochs) / (epochs - warmup_epochs)))
        return 1.0

    def schedule(done: float) -> float:
        return done / warmup_epochs if done < warmup_epochs else after_warmup(done)

    return schedule
