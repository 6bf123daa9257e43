"""Actions of one whole person. Phase runs from 0 to 1; sides are LEFT or RIGHT; hand places are in arm lengths."""

from dataclasses import replace

import numpy as np

from kinestream.data.synthetic.gait import STEP_TIME, approach, cruise, path, steps_of, stroll, walk
from kinestream.data.synthetic.kinematics import Motion, forward, sideways
from kinestream.data.synthetic.movement import active_side, anywhere, fly, kick_out, over_foot, seat, stoop
from kinestream.data.synthetic.people import LEFT, RIGHT, Person
from kinestream.data.synthetic.stance import fidget, hold, lean, pitch, shift, standing
from kinestream.data.synthetic.timing import Clock, ease, held, keyed


def pick_up(person: Person, clock: Clock, rng: np.random.Generator, *, hands: int = 1) -> Motion:
    """Bends down with one or two hands, takes something and comes up with it."""
    motion = fidget(standing(person, clock, rng), clock, rng)
    motion, start = approach(motion, person, clock, rng, most=2)
    side = active_side(person, rng)
    return stoop(motion, person, (clock.phase - start) / (1 - start), rng, (LEFT, RIGHT) if hands == 2 else (side,))


def sit_down(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Sits down on a chair behind, perhaps after coming to it."""
    motion, start = approach(standing(person, clock, rng), person, clock, rng, most=2)
    return fidget(seat(motion, person, (clock.phase - start) / (1 - start), rng), clock, rng)


def stand_up(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Rises from a chair, perhaps to go on at once."""
    motion = standing(person, clock, rng)
    steps = min(int(rng.integers(0, 3)), int(0.5 * clock.active / STEP_TIME))
    going = steps * STEP_TIME / clock.active
    if steps:
        length = steps_of(person, steps)
        way = path((length, rng.normal(0, 0.5)))
        motion = walk(motion, person, clock, way, length * cruise((clock.phase - 1 + going) / going))
    return fidget(seat(motion, person, 1 - clock.phase / (1 - 0.85 * going), rng), clock, rng)


def kick(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Swings one leg back and kicks forward, after some steps or from where they stand."""
    motion, start = approach(fidget(standing(person, clock, rng), clock, rng), person, clock, rng, most=2)
    return kick_out(motion, person, (clock.phase - start) / (1 - start), active_side(person, rng), rng)


def hop(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Hops on one foot, the other held up behind."""
    motion, side = fidget(standing(person, clock, rng), clock, rng), active_side(person, rng)
    count = max(2, round(clock.active * rng.uniform(1.4, 2.2)))
    weight = held(clock.phase, 0.1, 0.92)
    height = rng.uniform(0.06, 0.14) * person.amplitude
    beat = np.sin(np.pi * count * np.clip((clock.phase - 0.08) / 0.86, 0, 1)) ** 2
    feet = motion.feet.copy()
    lifted = rng.uniform(-0.3, 0.1) * forward(motion.heading) + np.array([0.0, rng.uniform(0.2, 0.4), 0.0])
    feet[:, 1 - side] += weight[:, None] * lifted
    motion = replace(motion, feet=feet, place=motion.place + over_foot(motion, side, 0.8 * weight))
    motion = replace(motion, height=motion.height - 0.07 * weight * (1 - beat))
    high = rng.uniform(-0.75, -0.3)
    for arm in (LEFT, RIGHT):
        motion = hold(motion, arm, (0.45, high + 0.1 * arm, 0.25), rng.uniform(0.3, 0.9) * weight)
    ahead = rng.uniform(-0.05, 0.5) * ease(clock.phase)
    return shift(fly(lean(motion, bend=pitch(weight, 0.15)), height * beat * weight), ahead, feet=True)


def jump_up(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Crouches, jumps with both feet, lands on bent knees; once or twice."""
    motion = fidget(standing(person, clock, rng), clock, rng)
    count = int(rng.integers(1, 3))
    cycle = np.where(clock.phase >= 1, 1.0, (clock.phase * count) % 1.0)
    deep, height = rng.uniform(0.12, 0.3), rng.uniform(0.14, 0.36) * person.amplitude
    crouch = keyed(cycle, (0.0, 0.0), (0.28, 1.0), (0.42, -0.02), (0.68, 0.0), (0.8, 0.7), (1.0, 0.0))
    flight = np.clip((cycle - 0.40) / 0.3, 0, 1)
    motion = replace(motion, height=motion.height - deep * crouch)
    motion = lean(motion, tilt=pitch(crouch, 1.6 * deep), bend=pitch(crouch, 0.3), nod=pitch(crouch, -0.2))
    raised, used = rng.uniform(-0.5, 0.75), rng.uniform(0.4, 1.0)
    swing = keyed(
        cycle,
        (0.0, (0.2, -0.9, 0.1)),
        (0.26, (0.25, -0.8, -0.35)),
        (0.5, (0.2, raised, 0.55)),
        (0.8, (0.3, -0.6, 0.3)),
        (1.0, (0.2, -0.9, 0.1)),
    )
    for side in (LEFT, RIGHT):
        motion = hold(motion, side, swing, used * held(clock.phase, 0.1, 0.9))
    return fly(shift(motion, -0.06 * crouch), height * 4 * flight * (1 - flight))


def bow(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Bows from the hips, head down; or only nods, several times."""
    motion = fidget(standing(person, clock, rng), clock, rng)
    if rng.random() < 0.3:
        count = int(rng.integers(2, 4))
        nods = held(clock.phase, 0.1, 0.9) * np.sin(np.pi * count * clock.phase) ** 2
        return lean(motion, nod=pitch(nods, rng.uniform(0.5, 0.8)), bend=pitch(nods, 0.2))
    weight = held(clock.phase, rng.uniform(0.3, 0.45), rng.uniform(0.5, 0.65))
    deep = rng.uniform(0.3, 0.95) * person.amplitude
    for side in (LEFT, RIGHT):
        motion = hold(motion, side, (0.12, -0.9, 0.15 + 0.2 * deep), 0.8 * weight)
    motion = lean(motion, tilt=pitch(weight, 0.55 * deep), bend=pitch(weight, 0.5 * deep), nod=pitch(weight, 0.4))
    return shift(motion, -0.12 * deep * weight)


def fall(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Loses the ground and falls to the floor, forward, backward or to a side."""
    motion = fidget(standing(person, clock, rng), clock, rng)
    way = float(rng.choice((0.0, np.pi, 0.5 * np.pi, -0.5 * np.pi))) + rng.normal(0, 0.25)
    ahead, left = np.cos(way), np.sin(way)
    toppled = ease(clock.phase / 0.75) ** 1.4
    angle = toppled * (1.48 - 0.13 * abs(left))
    direction = ahead * forward(motion.heading) + left * sideways(motion.heading, LEFT)
    buckle = 1 - rng.uniform(0.12, 0.3) * (1 - 0.5 * max(ahead, 0.0)) * np.sin(
        np.pi * np.clip(clock.phase / 0.75, 0, 1)
    )
    straight = 0.97 + 0.025 * max(ahead, 0.0)
    place = motion.place + (straight * person.leg * np.sin(angle) * buckle)[:, None] * direction
    lowest = (0.13 + 0.06 * abs(left)) / person.standing * 0.95
    height = np.maximum(np.cos(angle) * buckle * motion.height, lowest)
    lying = np.stack((ahead * angle, 0 * angle, left * angle), axis=1)
    limp = pitch(np.sin(np.pi * toppled), 0.5 * ahead)
    motion = lean(
        replace(motion, place=place, height=height), tilt=lying, bend=limp - 0.8 * toppled[:, None] * motion.bend
    )
    brace = ease((clock.phase - 0.1) / 0.3)
    for side in (LEFT, RIGHT):
        under = max(left * (1, -1)[side], 0.0)
        above = max(left * (-1, 1)[side], 0.0)
        out = (
            np.array([0.6, 0.25, 0.4 * ahead])
            + under * np.array([-0.5, 0.6, 0.1])
            + above * np.array([-0.9, -0.4, 0.5])
        )
        motion = hold(motion, side, out + 0.08 * rng.standard_normal(3), brace * rng.uniform(0.85, 1.0))
    return motion


def drop(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Carries something small to a bin, holds it out and lets it fall."""
    motion, side = fidget(standing(person, clock, rng), clock, rng), active_side(person, rng)
    motion, start = approach(motion, person, clock, rng, most=3)
    phase = (clock.phase - start) / (1 - start)
    motion = hold(motion, side, (0.0, -0.6, 0.55), held(clock.phase, 0.06, start + 0.1))
    over = (rng.uniform(0.0, 0.6), rng.uniform(-0.5, -0.15), rng.uniform(0.65, 0.85))
    motion = hold(motion, side, over, held(phase, 0.35, rng.uniform(0.55, 0.75)))
    bent = held(phase, 0.35, 0.65)
    return lean(motion, bend=pitch(bent, rng.uniform(0.1, 0.45)), nod=pitch(bent, 0.3))


def walk_around(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Walks through the room along a bend."""
    return fidget(stroll(standing(person, clock, rng), person, clock, rng), clock, rng)


def carry(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Walks with something held in front in both hands, or something smaller in one."""
    motion = fidget(stroll(standing(person, clock, rng), person, clock, rng, swing=0.3), clock, rng)
    high, near, always = rng.uniform(-0.7, -0.2), rng.uniform(0.4, 0.65), np.ones_like(clock.phase)
    if rng.random() < 0.3:
        return hold(motion, active_side(person, rng), (0.0, 0.5 * high - 0.25, near), always)
    for side in (LEFT, RIGHT):
        motion = hold(motion, side, (rng.uniform(-0.15, 0.05), high, near), always)
    return lean(motion, bend=pitch(always, -0.12))


def don(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Puts on a jacket: one sleeve, round the back, the other sleeve, then the collar."""
    phase, wide = clock.phase, person.amplitude
    motion, side = anywhere(person, clock, rng, chair=False), active_side(person, rng)
    first = keyed(
        phase,
        (0.0, (0.0, -0.5, 0.45)),
        (0.14, (0.3, -0.3, 0.35)),
        (0.3, (0.8 * wide, -0.05, 0.3)),
        (0.45, (0.1, 0.25, 0.3)),
        (0.6, (-0.1, 0.05, 0.3)),
        (0.85, (-0.1, -0.1, 0.3)),
        (1.0, (0.0, -0.6, 0.3)),
    )
    second = keyed(
        phase,
        (0.0, (-0.1, -0.5, 0.45)),
        (0.14, (-0.6, -0.2, 0.4)),
        (0.32, (-0.75, 0.1, 0.25)),
        (0.48, (0.25, -0.6, -0.4)),
        (0.68, (0.8 * wide, -0.1, 0.1)),
        (0.85, (-0.1, -0.1, 0.3)),
        (1.0, (0.0, -0.6, 0.3)),
    )
    motion = hold(motion, side, first + 0.14 * rng.standard_normal(3), held(phase, 0.08, 0.92))
    motion = hold(motion, 1 - side, second + 0.14 * rng.standard_normal(3), held(phase, 0.08, 0.92))
    twist = keyed(phase, (0.0, 0.0), (0.3, 0.25), (0.5, -0.35), (0.7, -0.15), (0.9, 0.0)) * (1, -1)[side]
    bent = keyed(phase, (0.0, 0.0), (0.3, 0.15), (0.5, 0.1), (0.7, -0.1), (1.0, 0.0))
    return lean(motion, bend=np.stack((bent, twist, 0 * twist), axis=1))


def doff(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Takes off a jacket: off the shoulders with both hands, then out of one sleeve after the other behind the back."""
    motion, side = anywhere(person, clock, rng, chair=False), active_side(person, rng)
    both = ((0.0, (0.1, -0.7, 0.3)), (0.18, (-0.15, 0.02, 0.3)), (0.38, (0.5, -0.35, -0.25)))
    first = keyed(clock.phase, *both, (0.55, (0.12, -0.7, -0.4)), (0.75, (0.1, -0.5, 0.4)), (1.0, (0.0, -0.5, 0.5)))
    second = keyed(
        clock.phase, *both, (0.55, (-0.2, -0.65, -0.4)), (0.72, (-0.6, -0.4, 0.35)), (1.0, (-0.1, -0.5, 0.5))
    )
    motion = hold(motion, side, first + 0.14 * rng.standard_normal(3), held(clock.phase, 0.1, 0.9))
    motion = hold(motion, 1 - side, second + 0.14 * rng.standard_normal(3), held(clock.phase, 0.1, 0.9))
    arched = keyed(clock.phase, (0.1, 0.0), (0.4, -0.25), (0.55, -0.15), (0.8, 0.1), (1.0, 0.0))
    twist = keyed(clock.phase, (0.35, 0.0), (0.58, 0.35), (0.8, -0.2), (1.0, 0.0)) * (1, -1)[side]
    return lean(motion, bend=np.stack((arched, twist, 0 * twist), axis=1))
