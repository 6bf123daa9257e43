"""Movements that have no name: made up of what the body does as a whole, of ways of the arms, of bends and nods.

A movement is drawn once and may then be performed by anybody: `what` is drawn from for the movement, in the same order
whoever performs it, `how` for the performance. No draw from `what` depends on one from `how`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from kinestream.data.synthetic.anchors import somewhere
from kinestream.data.synthetic.gait import STEP_TIME, cruise, path, steps_of, walk
from kinestream.data.synthetic.kinematics import Motion, forward, sideways
from kinestream.data.synthetic.movement import fly, over_foot, seat, step_out, stoop
from kinestream.data.synthetic.people import LEFT, RIGHT, Person
from kinestream.data.synthetic.stance import fidget, hold, lean, pitch, shift, standing
from kinestream.data.synthetic.timing import Clock, Course, ease, held, keyed

Generator = np.random.Generator
Whole = Callable[[Motion, Person, Clock, Generator, Generator], Motion]


def seconds_of(what: Generator) -> float:
    """How long a movement takes at an ordinary pace."""
    return float(np.exp(what.uniform(np.log(0.8), np.log(4.5))))


def improvise(person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """A performance of the movement that `what` draws."""
    motion = standing(person, clock, how)
    if how.random() < 0.4:
        motion = fidget(motion, clock, how)
    whole = _draw(WHOLES, what)
    motion = whole(motion, person, clock, what, how)
    busy = whole not in (stand, seated)
    motion = _arms(motion, person, clock, what, how, share=0.55 if busy else 0.95)
    return _upper_body(motion, clock, what, how, share=0.25 if busy else 0.4)


# --- the body as a whole ----------------------------------------------------------------------------------------------


def stand(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    return motion


def go(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """Walks or runs along a way with bends: forwards, backwards or sideways."""
    pace, manner = float(what.uniform(0.5, 1.0)), float(what.random())
    bends = what.normal(0, 1.1, 2) * (what.random() < 0.7)
    running, high, swing = what.random() < 0.25, float(what.uniform(0.03, 0.1)), float(what.uniform(0.2, 1.2))
    bowed = float(what.normal(0, 0.12))
    steps = int(np.clip(round(clock.active * pace / STEP_TIME * (1.5 if running else 1.0)), 1, 12))
    length = steps_of(person, steps) * (0.6 if manner > 0.75 else 1.0)
    way = path((length / 2, bends[0] + how.normal(0, 0.15)), (length / 2, bends[1] + how.normal(0, 0.15)))
    gone = cruise(clock.phase)
    motion = walk(motion, person, clock, way, length * (1 - gone if manner > 0.85 else gone), swing=swing)
    if running:
        aloft = np.abs(np.sin(np.pi * steps * gone)) * held(clock.phase, 0.1, 0.9)
        motion = fly(motion, high * aloft)
    if 0.75 < manner <= 0.85:
        aside = np.full(len(clock.phase), (0.5 if manner > 0.8 else -0.5) * np.pi)
        motion = replace(motion, heading=motion.heading + aside, toes=motion.toes + aside[:, None])
    return lean(motion, bend=pitch(np.full(len(clock.phase), bowed)))


def turn_round(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """Turns on the spot, with small steps."""
    angle = float(what.choice((-1, 1)) * what.uniform(0.7, 3.5))
    way = path((0.7, angle + how.normal(0, 0.15)))
    return walk(motion, person, clock, way, 0.7 * cruise(clock.phase), swing=0.4)


def in_place(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """Steps, marches or jogs in place; heels behind, knees before, or feet to the sides."""
    rate, high = float(what.uniform(0.8, 2.6)), float(what.uniform(0.08, 0.5))
    ahead, aside = float(what.uniform(-0.35, 0.35)), float(max(what.uniform(-0.5, 0.35), 0))
    aloft, swing, sides = float(max(what.uniform(-0.1, 0.1), 0)), float(what.uniform(0, 0.4)), int(what.integers(3))
    cycles = max(1, round(clock.active * rate / 2 * np.exp(0.15 * how.standard_normal())))
    beat, weight = np.sin(2 * np.pi * cycles * clock.phase), held(clock.phase, 0.1, 0.9)
    high *= person.amplitude * person.leg / 0.8
    for side in (LEFT, RIGHT):
        up = np.maximum(beat * (1, -1)[side], 0) * weight * (sides != 2 - side)
        motion = _lift(motion, person, side, up, high, ahead, aside)
        counter = swing * beat * (-1, 1)[side] * weight
        hands = motion.hands.copy()
        hands[:, side, 2] += counter
        motion = replace(motion, hands=hands)
    return fly(motion, aloft * np.abs(beat) * weight)


def jump(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """Jumps: once or often, on the spot or away, with feet together or apart, from a crouch or from the ankles."""
    count = int(what.integers(1, 1 + max(1, min(5, 4))))
    deep, high = float(what.uniform(0.04, 0.35)), float(what.uniform(0.05, 0.4))
    apart, ahead = float(max(what.uniform(-0.6, 0.6), 0)), float(what.choice((0, 0, 1, -1)) * what.uniform(0.1, 0.5))
    spin, swing, raised = float((what.random() < 0.2) * what.normal(0, 1.5)), what.random() < 0.6, what.uniform(-0.5, 1)
    count = min(count, max(1, int(clock.active / 0.5)))
    deep, high = (value * np.exp(0.15 * how.standard_normal()) for value in (deep, high * person.leg / 0.8))
    cycle = np.where(clock.phase >= 1, 1.0, (clock.phase * count) % 1.0)
    done = np.minimum(np.floor(clock.phase * count), count - 1)
    crouch = keyed(cycle, (0.0, 0.0), (0.28, 1.0), (0.42, -0.02), (0.68, 0.0), (0.8, 0.7), (1.0, 0.0))
    flight = np.clip((cycle - 0.40) / 0.3, 0, 1)
    wide = apart * np.where(done % 2 == 0, ease(flight), 1 - ease(flight)) * person.leg * 0.6
    feet = motion.feet.copy()
    for side in (LEFT, RIGHT):
        feet[:, side] += wide[:, None] * sideways(motion.heading, side)
    motion = replace(motion, feet=feet, height=motion.height - deep * crouch)
    motion = lean(motion, tilt=pitch(crouch, 1.5 * deep), bend=pitch(crouch, 0.3), nod=pitch(crouch, -0.2))
    turned = spin * (done + ease(flight)) / count
    motion = replace(motion, heading=motion.heading + turned, toes=motion.toes + turned[:, None])
    if swing:
        keys = (0.2, -0.9, 0.1), (0.25, -0.8, -0.35), (0.2 + apart, raised, 0.55 - apart), (0.3, -0.6, 0.3)
        swung = keyed(cycle, *zip((0.0, 0.26, 0.55, 0.85), keys, strict=True), (1.0, keys[0]))
        for side in (LEFT, RIGHT):
            motion = hold(motion, side, swung, 0.9 * held(clock.phase, 0.1, 0.9))
    motion = shift(motion, ahead * (done + ease(flight)) / count * (clock.phase > 0), feet=True)
    return fly(motion, high * 4 * flight * (1 - flight))


def sit(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """Sits down, stands up, or both one after the other."""
    manner, first, last = int(what.integers(3)), float(what.uniform(0, 0.3)), float(what.uniform(0.7, 1))
    share = np.clip((clock.phase - first) / (last - first), 0, 1)
    course = (share, 1 - share, held(share, 0.45, 0.55))[manner]
    return seat(motion, person, course, how)


def seated(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    return seat(motion, person, np.ones_like(clock.phase), how)


def squat(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """Bends the knees, once or often, upright or with the trunk forward; or stays down, or comes up."""
    count, deep = int(what.integers(1, 4)), float(what.uniform(0.1, 0.6))
    bowed, manner, wide = float(what.uniform(0, 1.2)), float(what.random()), float(max(what.normal(0, 0.12), -0.05))
    count = min(count, max(1, int(clock.active / 0.7)))
    if manner < 0.7:
        down = 0.5 - 0.5 * np.cos(2 * np.pi * count * clock.phase)
    else:
        down = ease(clock.phase) if manner < 0.85 else 1 - ease(clock.phase)
    deep *= np.exp(0.15 * how.standard_normal())
    feet = motion.feet.copy()
    for side in (LEFT, RIGHT):
        feet[:, side] += wide * sideways(motion.heading, side)
    motion = replace(motion, feet=feet, height=motion.height - min(deep, 0.65) * down)
    motion = shift(motion, -0.3 * bowed * deep * down)
    return lean(
        motion, tilt=pitch(down, 0.8 * bowed * deep), bend=pitch(down, 0.8 * bowed * deep), nod=pitch(down, -0.2)
    )


def reach_down(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """Bends down to the floor or something low with one or two hands."""
    sides = ((LEFT,), (RIGHT,), (LEFT, RIGHT))[int(what.integers(3))]
    return stoop(motion, person, clock.phase, how, sides)


def lunge(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """Steps out with one foot or the other, ahead, back or aside, with the knee bent or not, and mostly back again."""
    side, far = int(what.integers(2)), float(what.choice((-1, 1)) * what.uniform(0.2, 0.75))
    across, deep, back = what.random() < 0.4, float(max(what.uniform(-0.1, 0.45), 0)), what.random() < 0.75
    count, alternate = int(what.integers(1, 3)), what.random() < 0.5
    count = min(count, max(1, int(clock.active / 1.2)))
    far *= person.leg / 0.8 * np.exp(0.12 * how.standard_normal())
    for number in range(count):
        foot = side if not (alternate and number % 2) else 1 - side
        first, last = number / count, (number + 1) / count
        out = (first + 0.05 / count, first + 0.4 / count)
        home = (last - 0.4 / count, last - 0.02 / count) if back or number + 1 < count else (2.0, 3.0)
        going = ease((clock.phase - out[0]) / (out[1] - out[0])) * (
            1 - ease((clock.phase - home[0]) / (home[1] - home[0]))
        )
        if across:
            feet = motion.feet.copy()
            feet[:, foot] += abs(far) * going[:, None] * sideways(motion.heading, foot)
            feet[:, foot, 1] += 0.35 * going * (1 - going)
            place = motion.place + 0.5 * abs(far) * going[:, None] * sideways(motion.heading, foot)
            motion = replace(motion, feet=feet, place=place)
        else:
            motion = step_out(motion, foot, clock.phase, out, home, far)
        motion = replace(motion, height=motion.height - deep * going)
    return motion


def leg(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """Lifts, kicks or swings a leg ahead, back, aside or across, with the knee bent or straight, once or often."""
    side, count = int(what.integers(2)), int(what.integers(1, 4))
    aim, knee = float(what.choice((0, 0, 0.5, -0.3, 1, 0.25)) * np.pi), float(what.uniform(0, 1))
    angle, stay, alternate = float(what.uniform(0.3, 1.35)), float(what.uniform(0.05, 0.5)), what.random() < 0.25
    count = min(count, max(1, int(clock.active / 0.6)))
    angle = min(angle * np.exp(0.15 * how.standard_normal()) * person.amplitude, 1.6)
    for foot in (LEFT, RIGHT):
        if foot != side and not alternate:
            continue
        own = [
            number for number in range(count * (2 if alternate else 1)) if not alternate or number % 2 == (foot != side)
        ]
        up = np.zeros_like(clock.phase)
        for number in own:
            slots = count * (2 if alternate else 1)
            share = clock.phase * slots - number
            up = up + held(share, 0.5 - stay / 2, 0.5 + stay / 2, start=0.05, end=0.95)
        reach = person.leg * (1 - 0.45 * knee)
        high = person.leg * 0.97 - reach * np.cos(angle) if knee < 0.5 else person.leg * (0.25 + 0.2 * angle)
        out = reach * np.sin(angle)
        motion = _lift(motion, person, foot, up, max(high, 0.05), out * np.cos(aim), out * np.sin(aim))
    return motion


def fall(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """Falls or lies down, gets up, or lies: on the front, the back or a side."""
    way, manner = (
        float(what.choice((0.0, np.pi, 0.5 * np.pi, -0.5 * np.pi))),
        int(what.choice(4, p=(0.5, 0.1, 0.3, 0.1))),
    )
    buckling = float(what.uniform(0.1, 0.5))
    way += how.normal(0, 0.2)
    course = (clock.phase, np.ones_like(clock.phase), 1 - clock.phase, held(clock.phase, 0.4, 0.6))[manner]
    ahead, left = np.cos(way), np.sin(way)
    toppled = ease(course / 0.8) ** 1.3
    angle = toppled * (1.48 - 0.13 * abs(left))
    direction = ahead * forward(motion.heading) + left * sideways(motion.heading, LEFT)
    buckle = 1 - buckling * np.sin(np.pi * np.clip(course / 0.8, 0, 1))
    place = motion.place + (0.97 * person.leg * np.sin(angle) * buckle)[:, None] * direction
    lowest = (0.13 + 0.06 * abs(left)) / person.standing * 0.95
    height = np.maximum(np.cos(angle) * buckle * motion.height, lowest)
    lying = np.stack((ahead * angle, 0 * angle, left * angle), axis=1)
    return lean(replace(motion, place=place, height=height), tilt=lying, bend=-0.8 * toppled[:, None] * motion.bend)


def sway(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator) -> Motion:
    """Shifts the weight to and fro or in circles, stands on one foot, or rises on the toes."""
    rate, wide, deep = float(what.uniform(0.3, 1.8)), float(what.uniform(0.03, 0.15)), float(what.uniform(0, 0.12))
    lag, one_foot, side = float(what.uniform(0, 2 * np.pi)), what.random() < 0.3, int(what.integers(2))
    cycles = max(1, round(clock.active * rate * np.exp(0.15 * how.standard_normal())))
    angle, weight = 2 * np.pi * cycles * clock.phase, held(clock.phase, 0.12, 0.88)
    if one_foot:
        motion = replace(motion, place=motion.place + over_foot(motion, side, 0.9 * weight))
    aside = wide * np.sin(angle) * weight
    place = motion.place + aside[:, None] * sideways(motion.heading, RIGHT)
    motion = replace(motion, place=place, height=motion.height - deep * (0.5 - 0.5 * np.cos(2 * angle)) * weight)
    return shift(motion, wide * np.sin(angle + lag) * weight)


WHOLES: Sequence[tuple[float, Whole]] = (
    (0.38, stand),
    (0.06, seated),
    (0.11, go),
    (0.03, turn_round),
    (0.06, in_place),
    (0.06, jump),
    (0.05, sit),
    (0.06, squat),
    (0.04, reach_down),
    (0.05, lunge),
    (0.06, leg),
    (0.02, fall),
    (0.02, sway),
)
"""What the body does as a whole, with its share of all movements."""


def _lift(motion: Motion, person: Person, side: int, up: Course, high: float, ahead: float, aside: float) -> Motion:
    """One foot off the floor: `up` (0 to 1) times `high`, `ahead` and `aside` metres; the other carries the weight."""
    feet = motion.feet.copy()
    way = ahead * forward(motion.heading) + aside * sideways(motion.heading, side)
    feet[:, side] += up[:, None] * way
    feet[:, side, 1] += high * up
    weight = np.clip(1.3 * up, 0, 1)
    return replace(motion, feet=feet, place=motion.place + over_foot(motion, 1 - side, 0.7 * weight))


# --- arms -------------------------------------------------------------------------------------------------------------


def _arms(motion: Motion, person: Person, clock: Clock, what: Generator, how: Generator, *, share: float) -> Motion:
    """Ways of one arm, of both alike, in turn, or each its own."""
    used, manner, side = what.random() < share, float(what.random()), int(what.integers(2))
    first, second = _Way(what), _Way(what)
    if not used:
        return motion
    if manner < 0.42:
        return first.taken(motion, person, side, clock, how)
    ways = (first, first if manner < 0.82 else second)
    lag = 0.5 if 0.72 < manner < 0.82 else 0.0
    wobble = how.integers(2**31)
    for arm, way in zip((side, 1 - side), ways, strict=True):
        # Both arms of one person deviate alike from what others do, but for a little.
        own = np.random.default_rng(int(wobble)) if way is first else how
        motion = way.taken(motion, person, arm, clock, own, lag=lag * (arm != side))
    return motion


class _Way:
    """The way of one hand: from place to place, to and fro, in circles, or held somewhere."""

    def __init__(self, what: Generator) -> None:
        self.kind = int(what.choice(4, p=(0.5, 0.25, 0.13, 0.12)))
        self.places = np.stack([somewhere(what) for _ in range(4)])
        self.count = int(what.choice((1, 2, 3, 4), p=(0.35, 0.35, 0.2, 0.1)))
        self.times = np.sort(what.uniform(0.0, 1.0, 4)[: self.count])
        self.start, self.end = sorted((float(what.uniform(0, 0.35)), float(what.uniform(0.65, 1.0))))
        self.returns = what.random() < 0.7
        self.rate = float(np.exp(what.uniform(np.log(0.6), np.log(3.0))))
        direction = what.standard_normal((2, 3))
        self.swing = float(what.uniform(0.08, 0.4)) * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        self.elbow = (float(what.uniform(0.2, 1.0)), float(what.uniform(-0.9, 0.2)), float(what.uniform(-0.6, 0.2)))
        self.pose = what.random() < 0.5
        self.reach = float(what.uniform(0.12, 0.35))

    def taken(
        self, motion: Motion, person: Person, side: int, clock: Clock, how: Generator, *, lag: float = 0.0
    ) -> Motion:
        places = self.places + 0.06 * how.standard_normal((4, 3))
        start = float(np.clip(self.start + 0.04 * how.standard_normal(), 0, 0.45))
        end = float(np.clip(self.end + 0.04 * how.standard_normal(), 0.55, 1))
        span = end - start
        cycles = max(1, round(span * clock.active * self.rate * np.exp(0.15 * how.standard_normal())))
        wide = self.swing * person.amplitude * np.exp(0.15 * how.standard_normal())
        rise = float(np.clip(self.reach * np.exp(0.2 * how.standard_normal()), 0.08, 0.4))
        firm = float(how.uniform(0.85, 1.0))
        share = (clock.phase - start) / span
        angle = 2 * np.pi * (cycles * np.clip(share, 0, 1) + lag)
        if self.kind == 0:
            where = self._keys(places, share, rise)
        elif self.kind == 1:
            where = places[0] + np.sin(angle)[:, None] * wide[0]
        elif self.kind == 2:
            where = places[0] + np.sin(angle)[:, None] * wide[0] + np.cos(angle)[:, None] * wide[1]
        else:
            where = np.broadcast_to(places[0], (len(share), 3))
        leave = 1 - rise if self.returns else 5.0
        weight = firm * held(share, rise, leave, end=1.0 if self.returns else 6.0)
        if self.kind == 3 and self.pose:
            weight = np.full_like(weight, firm)
        return hold(motion, side, where, weight, elbow=self.elbow)

    def _keys(self, places: Float[np.ndarray, "4 3"], share: Course, rise: float) -> Float[np.ndarray, "t 3"]:
        if self.count == 1:
            return np.broadcast_to(places[0], (len(share), 3))
        spread = np.linspace(0.8 * rise, 1 - 0.8 * rise, self.count)
        times = 0.6 * spread + 0.4 * (0.8 * rise + (1 - 1.6 * rise) * self.times)
        times = np.maximum.accumulate(times + 1e-3 * np.arange(self.count))
        return keyed(share, *zip(times.tolist(), places[: self.count], strict=True))


# --- trunk and head ---------------------------------------------------------------------------------------------------


def _upper_body(motion: Motion, clock: Clock, what: Generator, how: Generator, *, share: float) -> Motion:
    """Bends and turns of the trunk and the head: there and back, to and fro, or there and no further."""
    bends, nods = what.random() < share, what.random() < 0.7 * share
    for moved, name, size in (
        (bends, "bend", (0.45, 0.4, 0.3)),
        (bends and what.random() < 0.5, "tilt", (0.4, 0.2, 0.1)),
        (nods, "nod", (0.35, 0.6, 0.25)),
    ):
        axes, kind = what.normal(0, 1, 3) * np.array(size), int(what.integers(3))
        if what.random() < 0.6:
            axes = axes * np.eye(3)[int(what.integers(3))] * 1.5
        rate, first, last = float(what.uniform(0.4, 2.0)), float(what.uniform(0.2, 0.5)), float(what.uniform(0.5, 0.8))
        if not moved:
            continue
        axes = np.clip(axes * np.exp(0.15 * how.standard_normal()), -1.0, 1.2)
        if kind == 0:
            course = held(clock.phase, first, last)
        elif kind == 1:
            cycles = max(1, round(clock.active * rate))
            course = np.sin(2 * np.pi * cycles * clock.phase) * held(clock.phase, 0.1, 0.9)
        else:
            course = ease(clock.phase / last)
        motion = lean(motion, **{name: course[:, None] * axes})
    return motion


def _draw(choices: Sequence[tuple[float, Whole]], what: Generator) -> Whole:
    shares = np.array([share for share, _ in choices])
    return choices[int(what.choice(len(choices), p=shares / shares.sum()))][1]
