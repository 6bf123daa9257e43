"""Performances: who does what once, before any camera sees it.

World coordinates are metres: x to the right of a person who faces the camera, y up from the floor, z away from the
camera; the scene's middle is near the origin. Shapes: t frame, m body, v joint.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from kinestream.data.synthetic.catalogue import NTU_ACTIONS, NW_UCLA_ACTIONS, Action
from kinestream.data.synthetic.kinematics import joints_of
from kinestream.data.synthetic.people import Person, draw_person, mood
from kinestream.data.synthetic.stance import fidget, standing
from kinestream.data.synthetic.timing import draw_clock
from kinestream.skeleton.layout import KINECT20, NTU25

NTU_FRAMES, NW_UCLA_FRAMES = (40, 150), (15, 80)
"""Least and greatest length of a recording."""

NTU_RATE, NW_UCLA_RATE = 30.0, 15.0
"""Frames a second."""

IDLE = 1.3
"""Most seconds before and after an action."""

TURNED = 0.45
"""Standard deviation of the direction in which people face, in radians."""

BYSTANDER = 0.06
"""Share of the NTU performances of one person with somebody else in the picture."""

FROM_NTU25 = {"hip_centre": "spine_base", "spine": "spine_mid", "shoulder_centre": "spine_shoulder"}
"""Kinect v1 joints under the name of their Kinect v2 counterpart, where the names differ."""


def perform_ntu(
    action: int,
    subject: int,
    seed: int,
    *,
    number: int = 0,
    partner: int = 0,
    facing: float = 0.0,
    frames: tuple[int, int] = NTU_FRAMES,
) -> Float[np.ndarray, "t m 25 3"]:
    """One performance of an NTU action without noise; joints as in the NTU25 layout.

    Args:
        action: a key of `ntu_actions()`.
        subject: the person, who has the same body in all performances of a seed.
        seed: of the people and of what they do.
        number: another number, another performance.
        partner: the second person, in actions of two; otherwise somebody who may stand beside.
        facing: where people look on average, in radians to the left of the camera.
        frames: least and greatest number of frames.

    Raises:
        ValueError: if the action is not generated.

    Example:
        >>> perform_ntu(58, 1, seed=0, frames=(20, 20)).shape
        (20, 2, 25, 3)
    """
    chosen, rng = _action(NTU_ACTIONS, action), np.random.default_rng((seed, 3, action, number))
    cast = _cast(seed, subject, partner)
    return perform(chosen, cast, rng, frames=frames, rate=NTU_RATE, facing=facing, bystander=BYSTANDER)


def perform_nw_ucla(
    action: int, subject: int, seed: int, *, number: int = 0, frames: tuple[int, int] = NW_UCLA_FRAMES
) -> Float[np.ndarray, "t 1 25 3"]:
    """One performance of an NW-UCLA action without noise, all 25 joints of NTU25; see `perform_ntu`.

    Example:
        >>> kinect20_from_ntu25(perform_nw_ucla(12, 1, seed=0, frames=(20, 20))).shape
        (20, 1, 20, 3)
    """
    chosen, rng = _action(NW_UCLA_ACTIONS, action), np.random.default_rng((seed, 5, action, number))
    return perform(chosen, _cast(seed, subject, subject), rng, frames=frames, rate=NW_UCLA_RATE)


def kinect20_from_ntu25(joints: Float[np.ndarray, "*any 25 3"]) -> Float[np.ndarray, "*any 20 3"]:
    """The Kinect v1 joints among the Kinect v2 joints, by name."""
    return joints[..., [NTU25.joints.index(FROM_NTU25.get(joint, joint)) for joint in KINECT20.joints], :]


def perform(
    action: Action,
    cast: Sequence[Person],
    rng: np.random.Generator,
    *,
    frames: tuple[int, int],
    rate: float,
    facing: float = 0.0,
    bystander: float = 0.0,
) -> Float[np.ndarray, "t m 25 3"]:
    """One performance by the first of the cast, or by both; alone, the second is there with probability `bystander`."""
    cast = [mood(person, rng) for person in cast]
    lead, other = cast
    clock = draw_clock(
        rng,
        active=float(rng.uniform(*action.seconds)) / lead.tempo,
        before=float(rng.uniform(0.05, IDLE)),
        after=float(rng.uniform(0.05, IDLE)),
        rate=rate,
        frames=frames,
    )
    if action.duo is not None:
        motions = action.duo(lead, other, clock, rng)
        bodies = [joints_of(person, motion) for person, motion in zip(cast, motions, strict=True)]
    else:
        assert action.solo is not None
        bodies = [joints_of(lead, action.solo(lead, clock, rng))]
        if rng.random() < bystander:
            at = (float(rng.choice((-1, 1)) * rng.uniform(0.9, 1.5)), float(rng.uniform(0.0, 0.8)))
            beside = standing(other, clock, rng, at=at, heading=float(rng.uniform(-np.pi, np.pi)))
            bodies.append(joints_of(other, fidget(beside, clock, rng)))
    joints: Float[np.ndarray, "t m 25 3"] = np.stack(bodies, axis=1)
    joints[..., ::2] -= joints[:, :, 0, ::2].mean(axis=(0, 1))
    swapped = np.pi * int(rng.integers(2)) if action.duo is not None else 0.0
    joints = joints @ _turned(facing + rng.normal(0, TURNED) + swapped).T
    joints[..., ::2] += rng.uniform((-0.5, -0.25), (0.5, 0.25))
    return joints


def _action(actions: Mapping[int, Action], number: int) -> Action:
    if number not in actions:
        raise ValueError(f"action {number} is not generated: choose one of {', '.join(map(str, actions))}")
    return actions[number]


def _cast(seed: int, *numbers: int) -> list[Person]:
    """The people with these numbers."""
    return [_person(seed, number) for number in numbers]


@lru_cache(maxsize=1024)
def _person(seed: int, number: int) -> Person:
    return draw_person(np.random.default_rng((seed, 1, number)))


def _turned(angle: float) -> Float[np.ndarray, "3 3"]:
    """Turns the scene by `angle` about the vertical axis, to the left as seen by those in it."""
    return np.array([[np.cos(angle), 0.0, np.sin(angle)], [0.0, 1.0, 0.0], [-np.sin(angle), 0.0, np.cos(angle)]])
