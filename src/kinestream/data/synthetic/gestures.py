"""Actions of the arms, done standing, seated or walking. Phase runs from 0 to 1; hand places are in arm lengths."""

import numpy as np

from kinestream.data.synthetic.kinematics import Motion
from kinestream.data.synthetic.movement import active_side, anywhere, fly
from kinestream.data.synthetic.people import LEFT, RIGHT, Person
from kinestream.data.synthetic.stance import hold, lean, pitch
from kinestream.data.synthetic.timing import Clock, held, keyed


def throw(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Winds up behind the body and throws: overarm, from the side, or from below."""
    motion, side, wide = anywhere(person, clock, rng), active_side(person, rng), person.amplitude
    back = rng.uniform(0.25, 0.5)
    style = rng.choice(3, p=(0.6, 0.2, 0.2))
    behind = ((0.45, 0.35, -back * wide), (0.75, -0.05, -back * wide), (0.25, -0.75, -0.5 * wide))[style]
    release = ((0.1, 0.45, 0.8), (0.15, 0.0, 0.9), (0.05, -0.1, 0.9))[style]
    through = ((-0.45, -0.45, 0.55), (-0.7, -0.1, 0.5), (-0.2, 0.35, 0.7))[style]
    places = keyed(
        clock.phase,
        (0.0, (0.1, -0.6, 0.4)),
        (0.18, (0.3, -0.45, 0.1)),
        (0.42, behind),
        (0.56, release),
        (0.70, through),
        (1.0, (0.1, -0.9, 0.2)),
    )
    motion = hold(motion, side, places, held(clock.phase, 0.16, 0.75), elbow=(0.9, -0.2, -0.5))
    other = (0.25, -0.15, 0.6) if rng.random() < 0.5 else (0.3, -0.7, 0.3)
    motion = hold(motion, 1 - side, other, held(clock.phase, 0.35, 0.45, end=0.75))
    turned = keyed(clock.phase, (0.0, 0.0), (0.4, -0.5), (0.66, 0.5), (1.0, 0.0)) * wide * (-1, 1)[side]
    bowed = keyed(clock.phase, (0.0, 0.0), (0.4, -0.15), (0.68, rng.uniform(0.1, 0.5)), (1.0, 0.0))
    return lean(motion, bend=np.stack((bowed, turned, 0 * turned), axis=1), tilt=0.3 * pitch(bowed))


def clap(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Claps in front of the chest."""
    motion = anywhere(person, clock, rng)
    weight = held(clock.phase, rng.uniform(0.1, 0.2), rng.uniform(0.8, 0.9))
    high, near, wide = rng.uniform(-0.45, 0.2), rng.uniform(0.4, 0.65), rng.uniform(0.10, 0.25) * person.amplitude
    count = max(2, round(clock.active * 0.8 * rng.uniform(1.6, 3.2)))
    apart = 0.5 - 0.5 * np.cos(2 * np.pi * count * np.clip((clock.phase - 0.08) / 0.84, 0, 1))
    middle = -person.shoulder / person.arm + 0.05
    for side in (LEFT, RIGHT):
        out = middle + wide * apart
        places = np.stack((out, high + 0.03 * apart * (1, -1)[side], near - 0.05 * apart), axis=1)
        motion = hold(motion, side, places, weight)
    return motion


def rub_hands(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Rubs both palms against each other, to and fro."""
    motion = anywhere(person, clock, rng)
    weight = held(clock.phase, rng.uniform(0.1, 0.2), rng.uniform(0.8, 0.9))
    high, near, wide = rng.uniform(-0.5, 0.0), rng.uniform(0.4, 0.6), rng.uniform(0.06, 0.12) * person.amplitude
    rub = wide * np.sin(2 * np.pi * max(2, round(clock.active * rng.uniform(1.6, 3.2))) * clock.phase)
    upright = rng.random() < 0.5
    for side in (LEFT, RIGHT):
        along = rub * (1, -1)[side]
        out = -person.shoulder / person.arm + 0.06 + 0 * rub
        places = np.stack(
            (out, high + (along if upright else 0 * along), near + (0 * along if upright else along)), axis=1
        )
        motion = hold(motion, side, places, weight)
    return motion


def drink(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Lifts a cup to the mouth, tips head and cup back, puts it down again."""
    motion, side = anywhere(person, clock, rng), active_side(person, rng)
    weight = held(clock.phase, rng.uniform(0.2, 0.35), rng.uniform(0.65, 0.8))
    mouth = np.array([-0.15, 0.22, 0.38]) + 0.05 * rng.standard_normal(3)
    tip = held(clock.phase, 0.5, 0.6, start=0.25, end=0.85)
    places = mouth + tip[:, None] * np.array([-0.02, 0.1, -0.03])
    motion = hold(motion, side, (0.0, -0.55, 0.5), held(clock.phase, 0.12, 0.92))
    motion = hold(motion, side, places, weight, elbow=(0.8, rng.uniform(-0.8, -0.1), 0.2))
    return lean(motion, nod=pitch(tip, -rng.uniform(0.25, 0.5)), bend=pitch(tip, -0.1))


def phone(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Takes a telephone to the ear and keeps it there, the head tilted towards it."""
    motion, side = anywhere(person, clock, rng), active_side(person, rng)
    weight = held(clock.phase, rng.uniform(0.2, 0.3), rng.uniform(0.85, 0.95), end=rng.uniform(1.0, 1.6))
    ear = np.array([-0.08, 0.25, 0.12]) + 0.04 * rng.standard_normal(3)
    motion = hold(motion, side, ear, weight, elbow=(0.7, -0.9, rng.uniform(-0.2, 0.4)))
    tilted = rng.uniform(0.1, 0.25) * (1, -1)[side]
    return lean(motion, nod=weight[:, None] * np.array([0.1, 0.0, tilted]))


def cheer_up(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Throws up both arms, sometimes one, and shakes the fists in joy."""
    motion, side = anywhere(person, clock, rng), active_side(person, rng)
    weight = held(clock.phase, rng.uniform(0.15, 0.28), rng.uniform(0.72, 0.85))
    count, deep = int(rng.integers(2, 5)), rng.uniform(0.15, 0.45) * person.amplitude
    pump = 0.5 - 0.5 * np.cos(2 * np.pi * count * np.clip((clock.phase - 0.2) / 0.6, 0, 1))
    spread, ahead = rng.uniform(0.1, 0.5), rng.uniform(0.0, 0.3)
    for arm in (LEFT, RIGHT) if rng.random() < 0.75 else (side,):
        places = np.stack((spread + 0.3 * deep * pump, 0.92 - deep * pump, ahead + 0 * pump), axis=1)
        motion = hold(motion, arm, places, weight, elbow=(1.0, 0.0, 0.3))
    motion = lean(motion, nod=pitch(weight, -0.25), bend=pitch(weight, -0.1))
    return fly(motion, 0.12 * pump * weight) if rng.random() < 0.2 else motion


def wave(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Waves one raised hand from side to side."""
    motion, side = anywhere(person, clock, rng), active_side(person, rng)
    high, wide = rng.uniform(0.05, 0.85), rng.uniform(0.16, 0.3) * person.amplitude
    out, ahead = rng.uniform(0.1, 0.5), rng.uniform(0.15, 0.45)
    count = max(2, round(clock.active * rng.uniform(1.0, 2.2)))
    swing = np.sin(2 * np.pi * count * clock.phase)
    places = np.stack((out + wide * swing, high - 0.12 * np.abs(swing), ahead + 0 * swing), axis=1)
    return hold(motion, side, places, held(clock.phase, 0.18, 0.85), elbow=(0.9, -0.7, 0.0))


def point(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Stretches one arm out to point at something, and looks there."""
    motion, side = anywhere(person, clock, rng), active_side(person, rng)
    aside, up = rng.uniform(-0.5, 1.5), rng.uniform(-0.5, 0.7)
    goal = np.array([np.sin(aside) * np.cos(up), np.sin(up), np.cos(aside) * np.cos(up)])
    weight = held(clock.phase, rng.uniform(0.2, 0.4), rng.uniform(0.55, 0.85))
    via = 0.98 * goal + (1 - weight)[:, None] * np.array([0.0, 0.0, -0.25])
    look = weight[:, None] * np.array([-0.6 * up, 0.45 * aside * (1, -1)[side], 0.0])
    return lean(hold(motion, side, via, weight), nod=look, bend=0.3 * look)


def salute(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Brings one hand to the brow, elbow out, and holds it there."""
    motion, side = anywhere(person, clock, rng), active_side(person, rng)
    weight = held(clock.phase, rng.uniform(0.18, 0.4), rng.uniform(0.6, 0.85))
    brow = np.array([0.1, 0.42, 0.3]) + 0.05 * rng.standard_normal(3)
    motion = hold(motion, side, brow, weight, elbow=(1.0, rng.uniform(-0.4, 0.2), -0.2))
    return lean(motion, bend=pitch(weight, -0.7 * person.slouch))


def cross_hands(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Crosses both forearms in front of the chest to say stop."""
    motion = anywhere(person, clock, rng)
    weight = held(clock.phase, rng.uniform(0.2, 0.4), rng.uniform(0.6, 0.85))
    high, near = rng.uniform(-0.2, 0.4), rng.uniform(0.45, 0.65)
    for side in (LEFT, RIGHT):
        over = -person.shoulder / person.arm - rng.uniform(0.12, 0.24)
        motion = hold(motion, side, (over, high, near + 0.06 * side), weight, elbow=(0.9, -0.8, 0.1))
    return motion
