"""Actions of one person. Phase runs from 0 to 1; sides are LEFT or RIGHT; hand places are in arm lengths."""

from dataclasses import replace

import numpy as np

from kinestream.data.synthetic.kinematics import Motion, forward, sideways
from kinestream.data.synthetic.people import LEFT, RIGHT, Person
from kinestream.data.synthetic.stance import grasp, hold, lean, path, pitch, shift, standing, walk
from kinestream.data.synthetic.timing import Clock, Course, ease, held, keyed

RAISED_ELBOW = (1.0, 0.1, -0.2)
STRIDE_STEPS = 0.75
"""One step, in leg lengths."""


def pick_up(person: Person, clock: Clock, rng: np.random.Generator, *, hands: int = 1) -> Motion:
    """Bends down with one or two hands, takes something from the floor and comes up with it."""
    motion = standing(person, clock, rng)
    motion, start = approach(motion, person, clock, rng, most=2 if hands else 0)
    side = active_side(person, rng)
    return stoop(motion, person, (clock.phase - start) / (1 - start), rng, (LEFT, RIGHT) if hands == 2 else (side,))


def throw(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Winds up behind the shoulder and throws overarm."""
    motion, side, wide = standing(person, clock, rng), active_side(person, rng), person.amplitude
    back = rng.uniform(0.25, 0.5)
    places = keyed(
        clock.phase,
        (0.0, (0.2, -0.7, 0.2)),
        (0.18, (0.45, -0.35, -0.1)),
        (0.42, (0.45, 0.35, -back * wide)),
        (0.56, (0.1, 0.45, 0.8)),
        (0.70, (-0.45, -0.45, 0.55)),
        (1.0, (0.1, -0.9, 0.2)),
    )
    motion = hold(motion, side, places, held(clock.phase, 0.16, 0.75), elbow=(0.9, 0.1, -0.5))
    other = (0.25, -0.15, 0.6) if rng.random() < 0.5 else (0.3, -0.7, 0.3)
    motion = hold(motion, 1 - side, other, held(clock.phase, 0.35, 0.45, end=0.75))
    turned = keyed(clock.phase, (0.0, 0.0), (0.4, -0.55), (0.66, 0.5), (1.0, 0.0)) * wide * (1, -1)[1 - side]
    bowed = keyed(clock.phase, (0.0, 0.0), (0.4, -0.15), (0.68, 0.4), (1.0, 0.0))
    motion = lean(motion, bend=np.stack((bowed, turned, 0 * turned), axis=1), tilt=0.3 * pitch(bowed))
    if rng.random() < 0.6:
        motion = step_out(motion, 1 - side, clock.phase, (0.3, 0.52), (0.8, 1.0), rng.uniform(0.25, 0.45))
    return motion


def sit_down(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Sits down on a chair behind."""
    return seat(standing(person, clock, rng), person, clock.phase, rng)


def stand_up(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Rises from a chair."""
    return seat(standing(person, clock, rng), person, 1 - clock.phase, rng)


def clap(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Claps in front of the chest."""
    motion = standing(person, clock, rng)
    weight = held(clock.phase, 0.12, 0.9)
    high, near, wide = rng.uniform(-0.35, 0.1), rng.uniform(0.45, 0.65), rng.uniform(0.10, 0.22) * person.amplitude
    count = max(2, round(clock.active * 0.8 * rng.uniform(1.6, 3.2)))
    apart = 0.5 - 0.5 * np.cos(2 * np.pi * count * np.clip((clock.phase - 0.08) / 0.84, 0, 1))
    middle = -person.shoulder / person.arm + 0.05
    for side in (LEFT, RIGHT):
        out = middle + wide * apart
        places = np.stack((out, high + 0.03 * apart * (1, -1)[side], near - 0.05 * apart), axis=1)
        motion = hold(motion, side, places, weight)
    return motion


def cheer_up(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Throws both arms up and shakes the fists in joy."""
    motion = standing(person, clock, rng)
    weight = held(clock.phase, rng.uniform(0.15, 0.28), rng.uniform(0.75, 0.85))
    count, deep = int(rng.integers(2, 5)), rng.uniform(0.12, 0.35)
    pump = 0.5 - 0.5 * np.cos(2 * np.pi * count * np.clip((clock.phase - 0.2) / 0.6, 0, 1))
    spread = rng.uniform(0.15, 0.45)
    for side in (LEFT, RIGHT):
        places = np.stack((spread + 0.3 * deep * pump, 0.92 - deep * pump, 0.1 + 0 * pump), axis=1)
        motion = hold(motion, side, places, weight, elbow=(1.0, 0.0, 0.3))
    motion = lean(motion, nod=pitch(weight, -0.25), bend=pitch(weight, -0.1))
    return fly(motion, 0.12 * pump * weight) if rng.random() < 0.25 else motion


def wave(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Waves one raised hand from side to side."""
    motion, side = standing(person, clock, rng), active_side(person, rng)
    high, wide = rng.uniform(0.2, 0.75), rng.uniform(0.16, 0.3) * person.amplitude
    count = max(2, round(clock.active * rng.uniform(1.0, 2.0)))
    swing = np.sin(2 * np.pi * count * clock.phase)
    places = np.stack((0.3 + wide * swing, high - 0.12 * np.abs(swing), 0.3 + 0 * swing), axis=1)
    return hold(motion, side, places, held(clock.phase, 0.18, 0.85), elbow=(0.9, -0.7, 0.0))


def kick(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Swings one leg back and kicks forward."""
    side = active_side(person, rng)
    return kick_out(standing(person, clock, rng), person, clock.phase, side, rng)


def hop(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Hops on one foot, the other held up behind."""
    motion, side = standing(person, clock, rng), active_side(person, rng)
    count = max(2, round(clock.active * rng.uniform(1.4, 2.2)))
    weight = held(clock.phase, 0.1, 0.92)
    height = rng.uniform(0.06, 0.14) * person.amplitude
    beat = np.sin(np.pi * count * np.clip((clock.phase - 0.08) / 0.86, 0, 1)) ** 2
    feet = motion.feet.copy()
    lifted = rng.uniform(0.18, 0.32) * forward(motion.heading) * -1 + np.array([0.0, rng.uniform(0.25, 0.4), 0.0])
    feet[:, 1 - side] += weight[:, None] * lifted
    motion = replace(motion, feet=feet, place=motion.place + _over(motion, side, 0.8 * weight))
    motion = replace(motion, height=motion.height - 0.07 * weight * (1 - beat))
    for arm in (LEFT, RIGHT):
        motion = hold(motion, arm, (0.45, -0.55 + 0.12 * arm, 0.25), 0.8 * weight)
    ahead = rng.uniform(-0.05, 0.5) * ease(clock.phase)
    return shift(fly(lean(motion, bend=pitch(weight, 0.15)), height * beat * weight), ahead, feet=True)


def jump_up(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Crouches, jumps with both feet, lands on bent knees."""
    motion = standing(person, clock, rng)
    count = int(rng.integers(1, 3))
    cycle = np.where(clock.phase >= 1, 1.0, (clock.phase * count) % 1.0)
    deep, height = rng.uniform(0.15, 0.3), rng.uniform(0.18, 0.38) * person.amplitude
    crouch = keyed(cycle, (0.0, 0.0), (0.28, 1.0), (0.42, -0.02), (0.68, 0.0), (0.8, 0.7), (1.0, 0.0))
    flight = np.clip((cycle - 0.40) / 0.3, 0, 1)
    motion = replace(motion, height=motion.height - deep * crouch)
    motion = lean(motion, tilt=pitch(crouch, 0.9 * deep / 0.3), bend=pitch(crouch, 0.35))
    raised = rng.uniform(-0.3, 0.7)
    swing = keyed(cycle, (0.0, (0.2, -0.9, 0.1)), (0.26, (0.25, -0.75, -0.5)), (0.5, (0.2, raised, 0.55)),
                  (0.8, (0.3, -0.6, 0.3)), (1.0, (0.2, -0.9, 0.1)))  # fmt: skip
    for side in (LEFT, RIGHT):
        motion = hold(motion, side, swing, held(clock.phase, 0.1, 0.9))
    return fly(shift(motion, -0.06 * crouch), height * 4 * flight * (1 - flight))


def point(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Stretches one arm out to point at something, and looks there."""
    motion, side = standing(person, clock, rng), active_side(person, rng)
    aside, up = rng.uniform(-0.4, 1.3), rng.uniform(-0.25, 0.35)
    goal = np.array([np.sin(aside) * np.cos(up), np.sin(up), np.cos(aside) * np.cos(up)])
    weight = held(clock.phase, rng.uniform(0.2, 0.4), rng.uniform(0.65, 0.85))
    via = 0.97 * goal + (1 - weight)[:, None] * np.array([0.0, 0.0, -0.25])
    look = weight[:, None] * np.array([-0.6 * up, 0.45 * aside * (1, -1)[side], 0.0])
    return lean(hold(motion, side, via, weight), nod=look, bend=0.3 * look)


def bow(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Bows from the hips, head down, arms at the sides."""
    motion = standing(person, clock, rng, hands=rng.random() < 0.3)
    weight = held(clock.phase, rng.uniform(0.3, 0.45), rng.uniform(0.5, 0.65))
    deep = rng.uniform(0.35, 0.95) * person.amplitude
    for side in (LEFT, RIGHT):
        motion = hold(motion, side, (0.12, -0.9, 0.15 + 0.2 * deep), 0.8 * weight)
    motion = lean(motion, tilt=pitch(weight, 0.55 * deep), bend=pitch(weight, 0.5 * deep), nod=pitch(weight, 0.4))
    return shift(motion, -0.12 * deep * weight)


def salute(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Brings one hand to the brow, elbow out, and holds it there."""
    motion, side = standing(person, clock, rng, hands=rng.random() < 0.3), active_side(person, rng)
    weight = held(clock.phase, rng.uniform(0.18, 0.35), rng.uniform(0.7, 0.85))
    brow = np.array([0.1, 0.42, 0.3]) + 0.04 * rng.standard_normal(3)
    motion = hold(motion, side, brow, weight, elbow=RAISED_ELBOW)
    still = 0.7 * weight[:, None] * np.array([-person.slouch, 0, 0])
    return lean(motion, bend=still)


def cross_hands(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Crosses both forearms in front of the chest to say stop."""
    motion = standing(person, clock, rng)
    weight = held(clock.phase, rng.uniform(0.2, 0.35), rng.uniform(0.65, 0.85))
    high, near = rng.uniform(-0.1, 0.35), rng.uniform(0.45, 0.65)
    for side in (LEFT, RIGHT):
        over = -person.shoulder / person.arm - rng.uniform(0.12, 0.24)
        motion = hold(motion, side, (over, high, near + 0.06 * side), weight, elbow=(0.9, -0.8, 0.1))
    return motion


def fall(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Loses the ground and falls to the floor, forward, backward or to a side."""
    motion = standing(person, clock, rng)
    way = float(rng.choice((0.0, np.pi, 0.5 * np.pi, -0.5 * np.pi))) + rng.normal(0, 0.25)
    toppled = ease(clock.phase / 0.75) ** 1.4
    angle = toppled * rng.uniform(1.42, 1.5)
    direction = np.cos(way) * forward(motion.heading) + np.sin(way) * sideways(motion.heading, LEFT)
    buckle = 1 - rng.uniform(0.12, 0.3) * np.sin(np.pi * np.clip(clock.phase / 0.75, 0, 1))
    place = motion.place + (0.97 * person.leg * np.sin(angle) * buckle)[:, None] * direction
    height = np.maximum(np.cos(angle) * buckle * motion.height, 0.13)
    lying = np.stack((np.cos(way) * angle, 0 * angle, np.sin(way) * angle), axis=1)
    limp = np.sin(np.pi * toppled)
    motion = lean(replace(motion, place=place, height=height), tilt=lying, bend=pitch(limp, 0.5 * np.cos(way)))
    brace = ease((clock.phase - 0.1) / 0.3)
    for side in (LEFT, RIGHT):
        out = np.array([0.75, 0.1, 0.35 if np.cos(way) > -0.5 else -0.1]) + 0.2 * rng.standard_normal(3)
        motion = hold(motion, side, out, brace * rng.uniform(0.7, 1.0))
    return motion


def drop(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Carries something small to a bin, holds it out and lets it fall."""
    motion, side = standing(person, clock, rng), active_side(person, rng)
    motion, start = approach(motion, person, clock, rng, most=3)
    phase = (clock.phase - start) / (1 - start)
    carried = 1 - 0.7 * ease(clock.phase / 0.05) * 0
    motion = hold(motion, side, (0.0, -0.6, 0.55), held(clock.phase, 0.06, start + 0.1) * carried)
    over = (rng.uniform(0.0, 0.5), rng.uniform(-0.4, -0.15), rng.uniform(0.7, 0.85))
    motion = hold(motion, side, over, held(phase, 0.35, rng.uniform(0.6, 0.75)))
    return lean(motion, bend=pitch(held(phase, 0.35, 0.65), rng.uniform(0.1, 0.35)), nod=pitch(held(phase, 0.3, 0.7), 0.3))


def walk_around(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Walks through the room along a bend."""
    return _stroll(standing(person, clock, rng, hands=False), person, clock, rng)


def carry(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Walks with a box held in front in both hands."""
    motion = _stroll(standing(person, clock, rng, hands=False), person, clock, rng, swing=0.12)
    high, near = rng.uniform(-0.5, -0.2), rng.uniform(0.5, 0.65)
    for side in (LEFT, RIGHT):
        motion = hold(motion, side, (-0.05, high, near), np.ones_like(clock.phase))
    return lean(motion, bend=pitch(np.ones_like(clock.phase), -0.12))


def don(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Puts on a jacket: one sleeve, round the back, the other sleeve, then the collar."""
    return _jacket(standing(person, clock, rng, hands=False), clock.phase, active_side(person, rng), rng, person.amplitude)


def doff(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    """Takes off a jacket: off the shoulders with both hands, then pulls one sleeve after the other behind the back."""
    motion, side = standing(person, clock, rng, hands=False), active_side(person, rng)
    first = keyed(clock.phase, (0.0, (0.1, -0.7, 0.3)), (0.18, (-0.15, 0.02, 0.3)), (0.38, (0.5, -0.35, -0.25)),
                  (0.55, (0.12, -0.7, -0.4)), (0.75, (0.1, -0.5, 0.4)), (1.0, (0.0, -0.5, 0.5)))  # fmt: skip
    second = keyed(clock.phase, (0.0, (0.1, -0.7, 0.3)), (0.18, (-0.15, 0.02, 0.3)), (0.38, (0.5, -0.35, -0.25)),
                   (0.55, (-0.2, -0.65, -0.4)), (0.72, (-0.6, -0.4, 0.35)), (1.0, (-0.1, -0.5, 0.5)))  # fmt: skip
    motion = hold(motion, side, first + 0.05 * rng.standard_normal(3), held(clock.phase, 0.1, 0.9))
    motion = hold(motion, 1 - side, second + 0.05 * rng.standard_normal(3), held(clock.phase, 0.1, 0.9))
    arched = keyed(clock.phase, (0.1, 0.0), (0.4, -0.25), (0.55, -0.15), (0.8, 0.1), (1.0, 0.0))
    twist = keyed(clock.phase, (0.35, 0.0), (0.58, 0.35), (0.8, -0.2), (1.0, 0.0)) * (1, -1)[side]
    return lean(motion, bend=np.stack((arched, twist, 0 * twist), axis=1))


def active_side(person: Person, rng: np.random.Generator) -> int:
    """Mostly the preferred side."""
    return person.side if rng.random() < 0.85 else 1 - person.side


def approach(motion: Motion, person: Person, clock: Clock, rng: np.random.Generator, *, most: int) -> tuple[Motion, float]:
    """Up to `most` steps before the action proper; also returns the phase at which it then begins."""
    steps = int(rng.integers(0, most + 1))
    if not steps:
        return motion, 0.0
    start = 0.15 + 0.12 * steps
    way = path((steps * STRIDE_STEPS * person.leg, rng.normal(0, 0.3)))
    return walk(motion, person, clock, way, steps * STRIDE_STEPS * person.leg * _cruise(clock.phase / start)), start - 0.06


def stoop(motion: Motion, person: Person, phase: Course, rng: np.random.Generator, sides: tuple[int, ...]) -> Motion:
    """Bends down to the floor with these hands and comes up holding something."""
    down = keyed(phase, (0.0, 0.0), (0.42, 1.0), (0.55, 1.0), (1.0, 0.0))
    squat = rng.uniform(0.25, 0.55)
    motion = replace(motion, height=motion.height - squat * down)
    motion = lean(motion, tilt=pitch(down, 1.05 - 0.7 * squat), bend=pitch(down, 0.75), nod=pitch(down, -0.3))
    motion = shift(motion, -0.30 * (0.75 - squat) * down - 0.05 * down)
    aside = rng.uniform(-0.1, 0.25) if len(sides) == 1 else 0.0
    ahead = rng.uniform(0.22, 0.4)
    for side in sides:
        out = aside if len(sides) == 1 else rng.uniform(0.08, 0.2)
        spot = motion.feet.mean(axis=1) + ahead * forward(motion.heading) + out * sideways(motion.heading, side)
        spot = spot + np.array([0.0, rng.uniform(0.12, 0.22), 0.0])
        motion = hold(motion, side, (0.0 if len(sides) == 1 else -0.08, -0.5, 0.6), held(phase, 0.4, 1.0, 0.0, 1.15))
        motion = grasp(motion, side, spot, held(phase, 0.4, 0.6, 0.05, 0.9))
    for side in {LEFT, RIGHT} - set(sides):
        rest = (0.2, -0.75, 0.35) if rng.random() < 0.5 else (0.0, -0.55, 0.35)
        motion = hold(motion, side, rest, 0.7 * down)
    return motion


def seat(motion: Motion, person: Person, phase: Course, rng: np.random.Generator) -> Motion:
    """Standing at phase 0, sitting at phase 1."""
    low = ease(phase / 0.85)
    height = rng.uniform(0.5, 0.58)
    motion = replace(motion, height=motion.height - (1 - height) * low)
    motion = shift(motion, -0.85 * person.thigh[0] * keyed(phase, (0.0, 0.0), (0.75, 1.0), (1.0, 1.03)))
    bent = keyed(phase, (0.0, 0.0), (0.45, 1.0), (1.0, rng.uniform(-0.1, 0.25)))
    motion = lean(motion, tilt=pitch(bent, rng.uniform(0.4, 0.65)), bend=pitch(bent, 0.35), nod=pitch(bent, -0.2))
    propped = rng.random() < 0.5
    for side in (LEFT, RIGHT):
        knee = (-0.02, -0.62, 0.5) if propped else (-0.15, -0.68, 0.42)
        motion = hold(motion, side, np.array(knee) + 0.05 * rng.standard_normal(3), ease((phase - 0.15) / 0.7))
    return motion


def kick_out(motion: Motion, person: Person, phase: Course, side: int, rng: np.random.Generator) -> Motion:
    """Swings a leg back, kicks forward, sets it down again; arms and trunk keep the balance."""
    reach, high = rng.uniform(0.55, 0.75) * person.leg, rng.uniform(0.2, 0.55) * person.amplitude
    swing = keyed(phase, (0.0, (0.0, 0.0)), (0.3, (0.32, -0.35)), (0.55, (high, reach)), (0.72, (0.25, 0.15)),
                  (0.95, (0.0, 0.0)))  # fmt: skip
    feet = motion.feet.copy()
    feet[:, side] += swing[:, 1:] * forward(motion.heading) + swing[:, :1] * np.array([0.0, 1.0, 0.0])
    weight = held(phase, 0.22, 0.8)
    motion = replace(motion, feet=feet, place=motion.place + _over(motion, 1 - side, 0.8 * weight))
    motion = replace(motion, height=motion.height - 0.03 * weight)
    back = keyed(phase, (0.0, 0.0), (0.28, 0.2), (0.55, -0.28), (0.9, 0.0))
    for arm in (LEFT, RIGHT):
        counter = 0.35 * np.sign(arm == side) * swing[:, 1] - 0.3 * np.sign(arm != side) * swing[:, 1]
        places = np.stack((0.4 + 0 * counter, -0.65 + 0 * counter, 0.1 - counter), axis=1)
        motion = hold(motion, arm, places, 0.85 * weight)
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


def _over(motion: Motion, side: int, weight: Course) -> np.ndarray:
    """From the pelvis to a place over one foot."""
    gap = (motion.feet[:, side] - motion.place) * np.array([1.0, 0.0, 1.0])
    return weight[:, None] * gap


def _cruise(share: Course) -> Course:
    """From 0 to 1 at an even pace with soft ends."""
    x = np.clip(share, 0, 1)
    return 0.35 * ease(x) + 0.65 * x * x * (3 - 2 * x)


def _stroll(motion: Motion, person: Person, clock: Clock, rng: np.random.Generator, swing: float = 1.0) -> Motion:
    steps = max(2, round(clock.active * rng.uniform(1.5, 2.0)))
    length = steps * STRIDE_STEPS * person.leg
    angles = rng.normal(0, 0.9, 2)
    way = path((length / 2, angles[0]), (length / 2, angles[1]))
    return walk(motion, person, clock, way, length * _cruise(clock.phase), swing=swing)


def _jacket(motion: Motion, phase: Course, side: int, rng: np.random.Generator, wide: float) -> Motion:
    first = keyed(phase, (0.0, (0.0, -0.5, 0.45)), (0.14, (0.3, -0.3, 0.35)), (0.3, (0.8 * wide, -0.05, 0.3)),
                  (0.45, (0.1, 0.25, 0.3)), (0.6, (-0.1, 0.05, 0.3)), (0.85, (-0.1, -0.1, 0.3)),
                  (1.0, (0.0, -0.6, 0.3)))  # fmt: skip
    second = keyed(phase, (0.0, (-0.1, -0.5, 0.45)), (0.14, (-0.6, -0.2, 0.4)), (0.32, (-0.75, 0.1, 0.25)),
                   (0.48, (0.25, -0.6, -0.4)), (0.68, (0.8 * wide, -0.1, 0.1)), (0.85, (-0.1, -0.1, 0.3)),
                   (1.0, (0.0, -0.6, 0.3)))  # fmt: skip
    motion = hold(motion, side, first + 0.05 * rng.standard_normal(3), held(phase, 0.08, 0.92))
    motion = hold(motion, 1 - side, second + 0.05 * rng.standard_normal(3), held(phase, 0.08, 0.92))
    twist = keyed(phase, (0.0, 0.0), (0.3, 0.25), (0.5, -0.35), (0.7, -0.15), (0.9, 0.0)) * (1, -1)[side]
    bent = keyed(phase, (0.0, 0.0), (0.3, 0.15), (0.5, 0.1), (0.7, -0.1), (1.0, 0.0))
    return lean(motion, bend=np.stack((bent, twist, 0 * twist), axis=1))
