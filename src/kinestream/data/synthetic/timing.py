"""Time courses: when an action happens, and smooth ways from one value to the next."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

Course = Float[np.ndarray, " t"]


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Time of a performance: `seconds` from the first frame, `phase` 0 before the action, 1 after it."""

    seconds: Course
    phase: Course
    active: float
    """Seconds that the action takes."""


def draw_clock(
    rng: np.random.Generator, *, active: float, before: float, after: float, rate: float, frames: tuple[int, int]
) -> Clock:
    """A clock of `rate` frames a second, of at least `frames[0]` and at most `frames[1]` frames.

    When the length does not fit into `frames`, time runs faster or slower rather than cutting the action off. The phase
    is bent a little, so that no two performances share their rhythm.
    """
    total = before + active + after
    count = int(np.clip(round(total * rate), *frames))
    seconds = np.linspace(0, total, count)
    even = np.clip((seconds - before) / active, 0, 1)
    bend = rng.uniform(-0.35, 0.35)
    return Clock(seconds=seconds, phase=even + bend * np.sin(2 * np.pi * even) / (2 * np.pi), active=active)


def ease(x: ArrayLike) -> Float[np.ndarray, "*any"]:
    """From 0 to 1 with the least jerk, as hands move: `10 x^3 - 15 x^4 + 6 x^5`, flat outside 0..1.

    Example:
        >>> ease([-1.0, 0.0, 0.5, 1.0, 2.0]).tolist()
        [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    inside = np.clip(np.asarray(x, dtype=float), 0, 1)
    eased: Float[np.ndarray, "*any"] = inside * inside * inside * (10 - 15 * inside + 6 * inside * inside)
    return eased


def keyed(phase: Course, *keys: tuple[float, Any]) -> Float[np.ndarray, "t *any"]:
    """Smooth course through (phase, value) keys, constant before the first and after the last.

    Example:
        >>> keyed(np.array([0.0, 0.5, 1.0]), (0.0, [0.0, 2.0]), (1.0, [1.0, 2.0])).tolist()
        [[0.0, 2.0], [0.5, 2.0], [1.0, 2.0]]
    """
    when = np.array([key for key, _ in keys], dtype=float)
    values = np.array([value for _, value in keys], dtype=float)
    after = np.clip(np.searchsorted(when, phase, side="right"), 1, len(when) - 1)
    share = ease((phase - when[after - 1]) / (when[after] - when[after - 1]))
    share = share.reshape(-1, *(1,) * (values.ndim - 1))
    course: Float[np.ndarray, " t *any"] = values[after - 1] + share * (values[after] - values[after - 1])
    return course


def held(phase: Course, rise: float, fall: float, start: float = 0.0, end: float = 1.0) -> Course:
    """0 to 1 between phases `start` and `rise`, back to 0 between `fall` and `end`."""
    weight: Course = ease((phase - start) / (rise - start)) * (1 - ease((phase - fall) / (end - fall)))
    return weight


def sway(rng: np.random.Generator, seconds: Course, *shape: int, period: float) -> Float[np.ndarray, "t *any"]:
    """Slow wandering of unit size around 0: three sines about `period` seconds long for each number."""
    periods = period * np.exp(rng.uniform(-0.7, 0.7, (3, *shape)))
    start = rng.uniform(0, 2 * np.pi, (3, *shape))
    time = seconds.reshape(-1, 1, *(1,) * len(shape))
    waves: Float[np.ndarray, " t *any"] = 0.8 * np.sin(2 * np.pi * time / periods + start).sum(axis=1)
    return waves
