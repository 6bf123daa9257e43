"""Standing, walking and reaching: what most actions are made of.

Every function takes a motion and returns a changed one. Places on the body are (outward, up, forward) in arm lengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from kinestream.data.synthetic.kinematics import Motion, forward, sideways
from kinestream.data.synthetic.people import LEFT, RIGHT, Person
from kinestream.data.synthetic.timing import Clock, Course, ease, sway

HANG = (0.16, -0.95, 0.06)
IDLE_HANDS: Sequence[tuple[float, tuple[float, float, float], tuple[float, float, float]]] = (
    (0.66, HANG, HANG),
    (0.10, (-0.28, -0.72, 0.38), (-0.30, -0.74, 0.36)),
    (0.08, (0.02, -0.62, 0.05), HANG),
    (0.08, (-0.15, -0.72, -0.34), (-0.15, -0.74, -0.34)),
    (0.08, (0.05, -0.62, 0.10), (0.05, -0.62, 0.10)),
)
"""Where idle hands are, with their share: hanging, folded in front, one on the hip, behind the back, on both hips."""

STRIDE = 1.5
"""Two steps, in leg lengths."""


def standing(
    person: Person,
    clock: Clock,
    rng: np.random.Generator,
    *,
    at: tuple[float, float] = (0.0, 0.0),
    heading: float = 0.0,
    hands: bool = True,
) -> Motion:
    """Stands and does nothing in particular; `hands` allows the hands to rest elsewhere than at the sides."""
    frames = len(clock.seconds)
    drift = person.restless * sway(rng, clock.seconds, 12, period=2.5)
    facing = np.full(frames, heading)
    spot = np.array([at[0], 0.0, at[1]]) + np.zeros((frames, 3))
    place = spot + 0.012 * drift[:, :1] * sideways(facing, RIGHT) + 0.006 * drift[:, 1:2] * forward(facing)
    choice = int(rng.choice(len(IDLE_HANDS), p=[share for share, _, _ in IDLE_HANDS])) if hands else 0
    idle = np.array(IDLE_HANDS[choice][1:])[:: rng.choice((-1, 1))] + 0.04 * rng.standard_normal((2, 3))
    loose = 1.0 if choice == 0 else 0.3
    zero = np.zeros(frames)
    feet = np.stack([spot + person.stance * sideways(facing, side) for side in (LEFT, RIGHT)], axis=1)
    feet += rng.normal(0, 0.03, 2)[:, None] * forward(np.array(heading))
    return Motion(
        place=place,
        heading=facing + 0.02 * drift[:, 2],
        height=np.full(frames, 1 - abs(rng.normal(0, 0.006))),
        tilt=np.stack((0.01 * drift[:, 3], zero, 0.012 * drift[:, 0]), axis=1),
        bend=np.stack((person.slouch + 0.02 * drift[:, 4], 0.03 * drift[:, 5], -0.02 * drift[:, 0]), axis=1),
        nod=np.stack((person.gaze + 0.05 * drift[:, 6], 0.12 * drift[:, 7], 0.03 * drift[:, 8]), axis=1),
        hands=idle + 0.025 * loose * sway(rng, clock.seconds, 2, 3, period=2.0),
        grasp=np.zeros((frames, 2, 3)),
        grip=np.zeros((frames, 2)),
        elbows=np.broadcast_to([0.45 + 0.4 * person.elbow, -0.45, -0.45], (frames, 2, 3)).copy(),
        feet=feet,
        toes=facing[:, None] + person.toes * np.array([1.0, -1.0]),
    )


def hold(
    motion: Motion, side: int, where: Any, weight: Course, *, elbow: tuple[float, float, float] | None = None
) -> Motion:
    """One hand goes to `where` on the body, (3,) or (t, 3), as far as `weight` says."""
    hands, elbows = motion.hands.copy(), motion.elbows.copy()
    share = weight[:, None]
    hands[:, side] += share * (np.asarray(where, dtype=float) - hands[:, side])
    if elbow is not None:
        elbows[:, side] += share * (np.array(elbow) - elbows[:, side])
    return replace(motion, hands=hands, elbows=elbows)


def grasp(motion: Motion, side: int, where: Float[np.ndarray, "t 3"], weight: Course) -> Motion:
    """One wrist goes to `where` in the world as far as `weight` says."""
    places, grip = motion.grasp.copy(), motion.grip.copy()
    places[:, side], grip[:, side] = where, weight
    return replace(motion, grasp=places, grip=grip)


def lean(motion: Motion, *, tilt: Any = 0.0, bend: Any = 0.0, nod: Any = 0.0) -> Motion:
    """Adds (pitch, yaw, roll) courses (t, 3) to pelvis, spine and head."""
    return replace(motion, tilt=motion.tilt + tilt, bend=motion.bend + bend, nod=motion.nod + nod)


def pitch(course: Course, size: float = 1.0) -> Float[np.ndarray, "t 3"]:
    """A course of pitch angles as (pitch, yaw, roll)."""
    return course[:, None] * np.array([size, 0.0, 0.0])


def shift(motion: Motion, ahead: Course, *, feet: bool = False) -> Motion:
    """Moves the pelvis (and the feet) along its heading by `ahead` metres."""
    way = ahead[:, None] * forward(motion.heading)
    moved = replace(motion, place=motion.place + way)
    return replace(moved, feet=moved.feet + way[:, None]) if feet else moved


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
    ways = step * forward(headings)[:, ::2]
    places = np.cumsum(ways, axis=0)
    places += np.array(at) - places[len(margin) - 1]
    length = step * (np.arange(len(headings)) - len(margin) + 1)
    return Path(length=length, places=places, headings=headings)


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
        print_place, print_heading = way.at((whole - lag + ease(stepping)) * stride)
        feet[:, side] = print_place + 0.8 * person.stance * sideways(print_heading, side)
        feet[:, side, 1] = 0.13 * np.sin(np.pi * stepping) * speed
        toes[:, side] = print_heading + person.toes * (1, -1)[side]
        hands[:, side, 2] -= 0.28 * swing * person.amplitude * speed * np.sin(2 * np.pi * (cycle - 0.05))
    wobble = np.sin(2 * np.pi * (s / stride + 0.05)) * speed
    upper = np.stack((0.05 * speed, 0.12 * swing * wobble, 0.03 * wobble), axis=1)
    moved = motion.place - motion.place[:1] + place
    walking = replace(motion, place=moved, heading=motion.heading - motion.heading[:1] + heading, hands=hands)
    return lean(replace(walking, feet=feet, toes=toes), bend=upper)
