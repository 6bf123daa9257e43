"""Standing about, and moving hands and trunk: what every action starts from.

Every function takes a motion and returns a changed one. Places on the body are (outward, up, forward) in arm lengths.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from kinestream.data.synthetic.kinematics import Motion, forward, sideways
from kinestream.data.synthetic.people import LEFT, RIGHT, Person
from kinestream.data.synthetic.timing import Clock, Course, held, sway

Place = tuple[float, float, float]

HANG: Place = (0.16, -0.95, 0.06)
IDLE_HANDS: Sequence[tuple[float, Place, Place]] = (
    (0.66, HANG, HANG),
    (0.10, (-0.28, -0.84, 0.26), (-0.30, -0.85, 0.24)),
    (0.08, (0.02, -0.62, 0.05), HANG),
    (0.08, (-0.22, -0.80, -0.24), (-0.22, -0.82, -0.24)),
    (0.08, (0.05, -0.62, 0.10), (0.05, -0.62, 0.10)),
)
"""Where idle hands are, with their share: hanging, folded in front, one on the hip, behind the back, on both hips."""

FIDGETS: Sequence[Place] = (
    (-0.25, 0.38, 0.25),
    (-0.15, 0.50, -0.02),
    (-0.55, -0.40, 0.30),
    (-0.30, -0.10, 0.28),
    (0.04, -0.60, 0.08),
    (0.02, -0.78, 0.28),
    (-0.15, -0.35, 0.45),
)
"""Where hands stray: face, back of the head, other arm, chest, hip, thigh, in front of the eyes."""


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
    drift = person.restless * sway(rng, clock.seconds, 9, period=2.5)
    facing = np.full(frames, heading)
    ground = np.array([at[0], 0.0, at[1]]) + np.zeros((frames, 3))
    rest = rng.normal(0, 0.35) * person.stance
    place = ground + (rest + 0.015 * drift[:, :1]) * sideways(facing, RIGHT) + 0.008 * drift[:, 1:2] * forward(facing)
    choice = int(rng.choice(len(IDLE_HANDS), p=[share for share, _, _ in IDLE_HANDS])) if hands else 0
    idle = np.array(IDLE_HANDS[choice][1:])[:: rng.choice((-1, 1))] + 0.04 * rng.standard_normal((2, 3))
    loose = 1.0 if choice == 0 else 0.3
    zero = np.zeros(frames)
    feet = np.stack([ground + person.stance * sideways(facing, side) for side in (LEFT, RIGHT)], axis=1)
    feet += (rng.normal(0, 0.06) * np.array([1, -1]))[:, None] * forward(np.array(heading))
    twisted, turned = rng.normal(0, 0.12), rng.normal(0, 0.2)
    return Motion(
        place=place,
        heading=facing + 0.03 * drift[:, 2],
        height=np.full(frames, 1 - abs(rng.normal(0, 0.012))),
        tilt=np.stack((0.015 * drift[:, 3], zero + twisted, 0.015 * drift[:, 0]), axis=1),
        bend=np.stack((person.slouch + 0.03 * drift[:, 4], twisted + 0.06 * drift[:, 5], -0.03 * drift[:, 0]), axis=1),
        nod=np.stack((person.gaze + 0.06 * drift[:, 6], turned + 0.15 * drift[:, 7], 0.04 * drift[:, 8]), axis=1),
        hands=idle + 0.03 * loose * sway(rng, clock.seconds, 2, 3, period=2.0),
        grasp=np.zeros((frames, 2, 3)),
        grip=np.zeros((frames, 2)),
        elbows=np.broadcast_to([0.45 + 0.4 * person.elbow, -0.45, -0.45], (frames, 2, 3)).copy(),
        feet=feet,
        toes=facing[:, None] + person.toes * np.array([1.0, -1.0]),
    )


def fidget(motion: Motion, clock: Clock, rng: np.random.Generator) -> Motion:
    """Now and then a hand strays to the face, the other arm or the hip and comes back."""
    total = float(clock.seconds[-1])
    for side in (LEFT, RIGHT):
        for _ in range(rng.binomial(2, 0.35)):
            start, length = rng.uniform(-0.2, 0.9) * total, rng.uniform(0.5, 1.6)
            share = (clock.seconds - start) / length
            where = np.array(FIDGETS[int(rng.integers(len(FIDGETS)))]) + 0.06 * rng.standard_normal(3)
            motion = hold(motion, side, where, rng.uniform(0.6, 1.0) * held(share, 0.35, rng.uniform(0.4, 0.65)))
    return motion


def hold(motion: Motion, side: int, where: Any, weight: Course, *, elbow: Place | None = None) -> Motion:
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
    angles: Float[np.ndarray, "t 3"] = course[:, None] * np.array([size, 0.0, 0.0])
    return angles


def shift(motion: Motion, ahead: Course, *, feet: bool = False) -> Motion:
    """Moves the pelvis (and the feet) along its heading by `ahead` metres."""
    way = ahead[:, None] * forward(motion.heading)
    moved = replace(motion, place=motion.place + way)
    return replace(moved, feet=moved.feet + way[:, None]) if feet else moved
