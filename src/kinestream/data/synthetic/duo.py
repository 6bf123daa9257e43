"""Actions of two persons, face to face along x: the first on the left of the scene looks to +x."""

import numpy as np

from kinestream.data.synthetic.gait import STEP_TIME, cruise, path, steps_of, walk
from kinestream.data.synthetic.kinematics import Motion, Trunk, forward, sideways, trunk
from kinestream.data.synthetic.movement import step_out
from kinestream.data.synthetic.people import LEFT, RIGHT, Person
from kinestream.data.synthetic.stance import fidget, grasp, hold, lean, pitch, shift, standing
from kinestream.data.synthetic.timing import Clock, Course, ease, held, keyed

Couple = tuple[Motion, Motion]
HEADINGS = (-0.5 * np.pi, 0.5 * np.pi)


def punch(first: Person, second: Person, clock: Clock, rng: np.random.Generator) -> Couple:
    """The first hits at the head or chest of the second, who is thrown back."""
    side = first.side
    gap = 0.95 * (first.arm + first.shoulder) + rng.uniform(0.0, 0.12)
    (striker, victim), start = _meeting(first, second, clock, rng, gap)
    phase = (clock.phase - start) / (1 - start)
    recoil = keyed(phase, (0.0, 0.0), (0.44, 0.0), (0.6, 1.0), (1.0, 0.2))
    victim = lean(victim, tilt=pitch(recoil, -0.15), bend=pitch(recoil, -0.35), nod=pitch(recoil, -0.3))
    if rng.random() < 0.6:
        victim = step_out(victim, LEFT, phase, (0.46, 0.66), (1.0, 1.5), -rng.uniform(0.15, 0.4))
    for arm in (LEFT, RIGHT):
        victim = hold(victim, arm, (0.35, -0.3, 0.3), 0.6 * recoil)
    target = trunk(second, victim).joints["head" if rng.random() < 0.7 else "spine_shoulder"]
    loaded = held(phase, 0.2, 0.8)
    striker = hold(striker, side, (0.15, -0.2, 0.1), loaded, elbow=(0.6, -0.3, -0.8))
    striker = hold(striker, 1 - side, (-0.05, -0.1, 0.35), 0.7 * loaded)
    thrust = keyed(phase, (0.0, 0.0), (0.3, 0.0), (0.47, 1.0), (0.52, 1.0), (0.75, 0.0))
    striker = step_out(striker, 1 - side, phase, (0.15, 0.45), (0.75, 1.0), rng.uniform(0.2, 0.35))
    turned = (keyed(phase, (0.0, 0.0), (0.3, -0.4), (0.48, 0.5), (0.8, 0.0)) * (1, -1)[1 - side])[:, None]
    striker = lean(striker, bend=turned * np.array([0.0, 1.0, 0.0]) + pitch(thrust, 0.15))
    towards = forward(striker.heading)
    return grasp(striker, side, target - (2 * first.hand + 0.02) * towards, thrust), victim


def push(first: Person, second: Person, clock: Clock, rng: np.random.Generator) -> Couple:
    """The first comes up and pushes the second away with both hands."""
    (pusher, victim), start = _meeting(first, second, clock, rng, 0.9 * first.arm + rng.uniform(0.0, 0.12))
    phase = (clock.phase - start) / (1 - start)
    recoil = keyed(phase, (0.0, 0.0), (0.38, 0.0), (0.58, 1.0), (1.0, 0.15))
    back = rng.uniform(0.25, 0.5)
    victim = step_out(victim, int(rng.integers(2)), phase, (0.38, 0.58), (2.0, 3.0), -back)
    victim = shift(lean(victim, bend=pitch(recoil, -0.3), nod=pitch(recoil, 0.2)), -0.2 * back * recoil)
    for arm in (LEFT, RIGHT):
        victim = hold(victim, arm, (0.4, -0.35, 0.45), rng.uniform(0.3, 0.8) * recoil)
    chest = trunk(second, victim).joints["spine_shoulder"]
    thrust = keyed(phase, (0.0, 0.0), (0.25, 0.15), (0.42, 1.0), (0.55, 1.0), (0.85, 0.0))
    pusher = step_out(pusher, first.side, phase, (0.2, 0.45), (0.8, 1.0), rng.uniform(0.15, 0.3))
    pusher = lean(pusher, tilt=pitch(thrust, 0.12), bend=pitch(thrust, 0.2))
    for arm in (LEFT, RIGHT):
        spot = chest - 2 * first.hand * forward(pusher.heading) + 0.7 * second.shoulder * sideways(pusher.heading, arm)
        pusher = hold(pusher, arm, (0.1, -0.2, 0.3), held(phase, 0.2, 0.8), elbow=(0.8, -0.8, -0.5))
        pusher = grasp(pusher, arm, spot - np.array([0.0, 0.08, 0.0]), thrust)
    return pusher, victim


def hug(first: Person, second: Person, clock: Clock, rng: np.random.Generator) -> Couple:
    """Both come close and lay their arms around each other."""
    gap = rng.uniform(0.28, 0.36)
    couple, start = _meeting(first, second, clock, rng, gap, arms=True)
    close = held(clock.phase, start + 0.15, rng.uniform(0.86, 0.95), start=0.6 * start, end=1.06)
    couple = (lean(couple[0], bend=pitch(close, 0.12)), lean(couple[1], bend=pitch(close, 0.12)))
    trunks = (trunk(first, couple[0]), trunk(second, couple[1]))
    above = int(rng.integers(2))
    return (
        _embrace(couple[0], trunks[1], close, above),
        _embrace(couple[1], trunks[0], close, 1 - above),
    )


def shake_hands(first: Person, second: Person, clock: Clock, rng: np.random.Generator) -> Couple:
    """Both give the right hand and shake it."""
    gap = 0.72 * (first.arm + second.arm) + rng.uniform(0.0, 0.15)
    couple, start = _meeting(first, second, clock, rng, gap)
    clasped = held(clock.phase, start + 0.22, rng.uniform(0.78, 0.88), start=0.7 * start)
    count = max(2, round(clock.active * rng.uniform(1.0, 2.0)))
    beat = rng.uniform(0.02, 0.06) * np.sin(2 * np.pi * count * clock.phase) * ease((clasped - 0.8) / 0.2)
    shoulders = [
        trunk(person, motion).joints["spine_shoulder"] for person, motion in zip((first, second), couple, strict=True)
    ]
    middle = (shoulders[0] + shoulders[1]) / 2
    middle[:, 1] = 0.58 * (first.standing + second.standing) + beat
    shaking = []
    for person, motion, own in zip((first, second), couple, shoulders, strict=True):
        near = own + person.shoulder * sideways(motion.heading, RIGHT) - middle
        near /= np.linalg.norm(near, axis=-1, keepdims=True)
        shaking.append(lean(grasp(motion, RIGHT, middle + 1.1 * person.hand * near, clasped), bend=pitch(clasped, 0.1)))
    return shaking[0], shaking[1]


def walk_towards(first: Person, second: Person, clock: Clock, rng: np.random.Generator) -> Couple:
    """Both walk towards each other and stop face to face."""
    steps = [int(np.clip(round(clock.active * rng.uniform(1.2, 1.0 / STEP_TIME)), 2, 3)) for _ in HEADINGS]
    gap = rng.uniform(0.7, 1.1)
    lengths = [steps_of(person, count) for person, count in zip((first, second), steps, strict=True)]
    return _walking(first, second, clock, rng, (gap / 2 + lengths[0], gap / 2 + lengths[1]), lengths, (0.0, 0.0))


def walk_apart(first: Person, second: Person, clock: Clock, rng: np.random.Generator) -> Couple:
    """Both stand near each other, turn round and walk away."""
    steps = [int(np.clip(round(clock.active * rng.uniform(1.4, 1.0 / STEP_TIME)), 3, 4)) for _ in HEADINGS]
    gap = rng.uniform(0.8, 1.2)
    lengths = [steps_of(person, count) for person, count in zip((first, second), steps, strict=True)]
    turns = tuple(float(rng.choice((-1, 1)) * np.pi) for _ in steps)
    return _walking(first, second, clock, rng, (gap / 2, gap / 2), lengths, turns)


def _walking(
    first: Person,
    second: Person,
    clock: Clock,
    rng: np.random.Generator,
    starts: tuple[float, float],
    lengths: list[float],
    turns: tuple[float, ...],
) -> Couple:
    """Both walk their length, a turn within the first 0.8 m of it."""
    moved = []
    for number, person in enumerate((first, second)):
        at = ((-1, 1)[number] * starts[number], rng.normal(0, 0.05))
        motion = standing(person, clock, rng, at=at, heading=HEADINGS[number], hands=False)
        bent = 0.8 if turns[number] else 0.1
        way = path((bent, turns[number]), (lengths[number], 0.0), at=at, heading=HEADINGS[number])
        late = rng.uniform(0.0, 0.12)
        share = np.clip((clock.phase - late) / (1 - late - rng.uniform(0, 0.08)), 0, 1)
        walked = walk(motion, person, clock, way, lengths[number] * cruise(share))
        moved.append(fidget(walked, clock, rng))
    return moved[0], moved[1]


def _meeting(
    first: Person, second: Person, clock: Clock, rng: np.random.Generator, gap: float, *, arms: bool = False
) -> tuple[Couple, float]:
    """Both end `gap` metres apart; they may first have to come one or two steps. Also the phase of arrival."""
    most = max(1, min(2, int(0.45 * clock.active / STEP_TIME)))
    steps = rng.integers(1 if arms else 0, most + 1, 2).tolist()
    start = max(0.1, max(steps) * STEP_TIME / clock.active)
    couple = []
    for number, (person, count) in enumerate(zip((first, second), steps, strict=True)):
        length = steps_of(person, count)
        at = ((-1, 1)[number] * (gap / 2 + length), 0.0)
        motion = standing(person, clock, rng, at=at, heading=HEADINGS[number], hands=False)
        if count:
            way = path((length, 0.0), at=at, heading=HEADINGS[number])
            motion = walk(motion, person, clock, way, length * cruise(clock.phase / start))
        couple.append(fidget(motion, clock, rng))
    return (couple[0], couple[1]), start


def _embrace(motion: Motion, theirs: Trunk, close: Course, above: int) -> Motion:
    """Lays both arms around the other's trunk, the arm of side `above` over the shoulder, the other under the arm."""
    behind = theirs.chest[:, :, 2]
    for side in (LEFT, RIGHT):
        level = theirs.joints["spine_shoulder"] if side == above else theirs.joints["spine_mid"]
        spot = level + 0.13 * behind + 0.06 * sideways(motion.heading, side)
        motion = grasp(motion, side, spot, close)
        motion = hold(motion, side, (0.45, -0.1, 0.6), held(close, 0.6, 2.0, end=3.0), elbow=(1.0, -0.25, 0.0))
    return shift(motion, 0.03 * close)
