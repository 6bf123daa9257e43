"""Walking: ways over the floor and feet that stay where they are put down."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from kinestream.data.synthetic.kinematics import Motion, forward, sideways
from kinestream.data.synthetic.people import LEFT, RIGHT, Person
from kinestream.data.synthetic.stance import lean
from kinestream.data.synthetic.timing import Clock, Course

STRIDE = 1.4
"""Two steps, in leg lengths."""

STEP_TIME = 0.5
"""Seconds that a step takes at least."""


@dataclass(frozen=True, kw_only=True)
class Path:
    """A way over the floor, sampled along its length."""

    length: Float[np.ndarray, " p"]
    places: Float[np.ndarray, "p 2"]
    headings: Float[np.ndarray, " p"]

    def at(self, s: Course) -> tuple[Float[np.ndarray, "t 3"], Course]:
        """Place on the floor and heading after `s` metres."""
        x, z = (np.interp(s, self.length, self.places[:, axis]) for axis in (0, 1))
        return np.stack((x, np.zeros_like(s), z), axis=-1), np.interp(s, self.length, self.headings)


def path(*pieces: tuple[float, float], at: tuple[float, float] = (0.0, 0.0), heading: float = 0.0) -> Path:
    """A path of (metres, radians turned to the left) pieces, straight on for 2 m before and after them."""
    step = 0.02
    counts = [max(1, round(metres / step)) for metres, _ in pieces]
    turning = np.concatenate([np.full(count, angle / count) for count, (_, angle) in zip(counts, pieces, strict=True)])
    margin = np.zeros(round(2 / step))
    headings = heading + np.cumsum(np.concatenate((margin, turning, margin)))
    places = np.cumsum(step * forward(headings)[:, ::2], axis=0)
    places += np.array(at) - places[len(margin) - 1]
    length = step * (np.arange(len(headings)) - len(margin) + 1)
    return Path(length=length, places=places, headings=headings)


def steps_of(person: Person, count: int) -> float:
    """The metres that so many steps make."""
    return 0.5 * STRIDE * person.leg * count


def walk(motion: Motion, person: Person, clock: Clock, way: Path, s: Course, *, swing: float = 1.0) -> Motion:
    """Walks along `way`; `s` is how far, in metres. Feet stay where they are put down until their next step."""
    speed = np.clip(np.abs(np.gradient(s, clock.seconds)) / 0.5, 0, 1)
    place, heading = way.at(s)
    stride = STRIDE * person.leg
    feet, toes, hands = motion.feet.copy(), motion.toes.copy(), motion.hands.copy()
    for side in (LEFT, RIGHT):
        lag = 0.5 * side
        cycle = s / stride + 0.3 + lag
        whole = np.floor(cycle)
        stepping = np.clip((cycle - whole - 0.6) / 0.4, 0, 1)
        gone = stepping * stepping * (3 - 2 * stepping)
        print_place, print_heading = way.at((whole - lag + gone) * stride)
        feet[:, side] = print_place + 0.8 * person.stance * sideways(print_heading, side)
        feet[:, side, 1] = 0.13 * np.sin(np.pi * stepping) * speed
        toes[:, side] = print_heading + person.toes * (1, -1)[side]
        hands[:, side, 2] -= 0.28 * swing * person.amplitude * speed * np.sin(2 * np.pi * (cycle - 0.05))
    wobble = np.sin(2 * np.pi * (s / stride + 0.05)) * speed
    upper = np.stack((0.05 * speed, 0.12 * swing * wobble, 0.03 * wobble), axis=1)
    moved = motion.place - motion.place[:1] + place
    walking = replace(motion, place=moved, heading=motion.heading - motion.heading[:1] + heading, hands=hands)
    return lean(replace(walking, feet=feet, toes=toes), bend=upper)


def approach(
    motion: Motion, person: Person, clock: Clock, rng: np.random.Generator, *, most: int
) -> tuple[Motion, float]:
    """Up to `most` steps before the action proper; also returns the phase at which it then begins."""
    steps = min(int(rng.integers(0, most + 1)), int(0.5 * clock.active / STEP_TIME))
    if not steps:
        return motion, 0.0
    start = steps * STEP_TIME / clock.active
    length = steps_of(person, steps)
    way = path((length, rng.normal(0, 0.4)))
    return walk(motion, person, clock, way, length * cruise(clock.phase / start)), 0.85 * start


def stroll(motion: Motion, person: Person, clock: Clock, rng: np.random.Generator, *, swing: float = 1.0) -> Motion:
    """Walks through the room for as long as the action lasts, along a bend."""
    length = steps_of(person, int(np.clip(round(clock.active * rng.uniform(1.3, 1.0 / STEP_TIME)), 2, 7)))
    angles = rng.normal(0, 0.9, 2)
    way = path((length / 2, angles[0]), (length / 2, angles[1]))
    return walk(motion, person, clock, way, length * cruise(clock.phase), swing=swing)


def cruise(share: Course) -> Course:
    """From 0 to 1 at an even pace, with the first and the last fifth of the time to speed up and slow down."""
    ramp = 0.2
    x = np.clip(share, 0, 1)
    early, late = np.minimum(x, ramp), np.maximum(x - 1 + ramp, 0)
    gone: Course = (early**2 / (2 * ramp) + np.maximum(x - ramp, 0) - late**2 / (2 * ramp)) / (1 - ramp)
    return gone
