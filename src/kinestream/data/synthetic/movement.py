"""Movements of the whole body that actions are made of: sitting, stooping, stepping, kicking, leaving the floor."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from kinestream.data.synthetic.gait import stroll
from kinestream.data.synthetic.kinematics import Motion, forward, sideways
from kinestream.data.synthetic.people import LEFT, RIGHT, Person
from kinestream.data.synthetic.stance import fidget, grasp, hold, lean, pitch, shift, standing
from kinestream.data.synthetic.timing import Clock, Course, ease, held, keyed


def anywhere(person: Person, clock: Clock, rng: np.random.Generator, *, chair: bool = True) -> Motion:
    """Where an action of the arms may be seen: most people stand, some sit (given a chair), some walk meanwhile."""
    manner = rng.random()
    motion = standing(person, clock, rng, hands=manner < 0.6)
    if manner > 0.8:
        motion = stroll(motion, person, clock, rng)
    elif manner > 0.6 and chair:
        motion = seat(motion, person, np.ones_like(clock.phase), rng)
    return fidget(motion, clock, rng)


def active_side(person: Person, rng: np.random.Generator) -> int:
    """Mostly the preferred side."""
    return person.side if rng.random() < 0.8 else 1 - person.side


def seat(motion: Motion, person: Person, phase: Course, rng: np.random.Generator) -> Motion:
    """Standing at phase 0, sitting at phase 1."""
    low = ease(phase / 0.85)
    height = rng.uniform(0.48, 0.62)
    motion = replace(motion, height=motion.height - (1 - height) * low)
    deep = -rng.uniform(0.75, 0.9) * person.thigh[0]
    motion = shift(motion, deep * keyed(phase, (0.0, 0.0), (0.75, 1.0), (1.0, 1.03)))
    bent = keyed(phase, (0.0, 0.0), (0.45, 1.0), (1.0, rng.uniform(-0.2, 0.3)))
    motion = lean(motion, tilt=pitch(bent, rng.uniform(0.35, 0.65)), bend=pitch(bent, 0.35), nod=pitch(bent, -0.2))
    propped = rng.random() < 0.5
    for side in (LEFT, RIGHT):
        knee = (-0.02, -0.62, 0.5) if propped else (-0.15, -0.68, 0.42)
        motion = hold(motion, side, np.array(knee) + 0.06 * rng.standard_normal(3), ease((phase - 0.15) / 0.7))
    return motion


def stoop(motion: Motion, person: Person, phase: Course, rng: np.random.Generator, sides: tuple[int, ...]) -> Motion:
    """Bends down, to the floor or to something low, with these hands and comes up holding something."""
    down = keyed(phase, (0.0, 0.0), (0.42, 1.0), (rng.uniform(0.48, 0.62), 1.0), (1.0, 0.0))
    table = rng.uniform(0.12, 0.6)
    shallow = (table - 0.12) / 0.75
    squat = rng.uniform(0.1, 0.55) * (1 - shallow)
    motion = replace(motion, height=motion.height - squat * down)
    bow = pitch(down, (1.15 - 0.85 * squat) * (1 - 0.6 * shallow))
    motion = lean(motion, tilt=bow, bend=pitch(down, 0.75), nod=pitch(down, -0.3))
    motion = shift(motion, -0.30 * (0.75 - squat) * down - 0.05 * down)
    aside = rng.uniform(-0.15, 0.3) if len(sides) == 1 else 0.0
    ahead = rng.uniform(0.22, 0.42)
    for side in sides:
        out = aside if len(sides) == 1 else rng.uniform(0.08, 0.2)
        spot = motion.feet.mean(axis=1) + ahead * forward(motion.heading) + out * sideways(motion.heading, side)
        spot = spot + np.array([0.0, table, 0.0])
        carried = (0.05, -0.55, 0.55) if len(sides) == 1 else (-0.08, -0.5, 0.6)
        motion = hold(motion, side, carried, held(phase, 0.4, 1.0, 0.0, 1.15))
        motion = grasp(motion, side, spot, held(phase, 0.4, 0.6, 0.05, 0.9))
    for side in {LEFT, RIGHT} - set(sides):
        rest = (0.2, -0.75, 0.35) if rng.random() < 0.5 else (0.0, -0.55, 0.35)
        motion = hold(motion, side, rest, 0.7 * down)
    return motion


def kick_out(motion: Motion, person: Person, phase: Course, side: int, rng: np.random.Generator) -> Motion:
    """Swings a leg back, kicks forward with the knee almost straight; arms and trunk keep the balance."""
    angle = rng.uniform(0.55, 1.15) * min(person.amplitude, 1.15)
    high, reach = person.leg * (1 - 0.96 * np.cos(angle)), 0.96 * person.leg * np.sin(angle)
    swing = keyed(
        phase, (0.0, (0.0, 0.0)), (0.3, (0.3, -0.35)), (0.55, (high, reach)), (0.74, (0.25, 0.15)), (0.95, (0.0, 0.0))
    )
    feet = motion.feet.copy()
    feet[:, side] += swing[:, 1:] * forward(motion.heading) + swing[:, :1] * np.array([0.0, 1.0, 0.0])
    weight = held(phase, 0.22, 0.8)
    motion = replace(motion, feet=feet, place=motion.place + over_foot(motion, 1 - side, 0.8 * weight))
    motion = replace(motion, height=motion.height - 0.03 * weight)
    back = keyed(phase, (0.0, 0.0), (0.28, 0.2), (0.55, -0.28), (0.9, 0.0))
    for arm in (LEFT, RIGHT):
        counter = (0.35 if arm == side else -0.3) * swing[:, 1]
        places = np.stack((0.4 + 0 * counter, -0.65 + 0 * counter, 0.1 - counter), axis=1)
        motion = hold(motion, arm, places, rng.uniform(0.4, 0.9) * weight)
    return lean(motion, tilt=pitch(back), bend=pitch(back, 0.5))


def step_out(
    motion: Motion, side: int, phase: Course, out: tuple[float, float], back: tuple[float, float], ahead: float
) -> Motion:
    """One foot steps `ahead` metres between the phases `out` and returns between the phases `back`."""
    going = ease((phase - out[0]) / (out[1] - out[0])) * (1 - ease((phase - back[0]) / (back[1] - back[0])))
    feet = motion.feet.copy()
    feet[:, side] += ahead * going[:, None] * forward(motion.heading)
    feet[:, side, 1] += 0.35 * going * (1 - going)
    return shift(replace(motion, feet=feet), 0.5 * ahead * going)


def fly(motion: Motion, lift: Course) -> Motion:
    """Lifts the whole body, feet too, by `lift` metres."""
    up = lift[:, None] * np.array([0.0, 1.0, 0.0])
    return replace(motion, place=motion.place + up, feet=motion.feet + up[:, None])


def over_foot(motion: Motion, side: int, weight: Course) -> Float[np.ndarray, "t 3"]:
    """From the pelvis to a place over one foot, as far as `weight` says."""
    way: Float[np.ndarray, "t 3"] = weight[:, None] * (motion.feet[:, side] - motion.place) * np.array([1.0, 0.0, 1.0])
    return way
