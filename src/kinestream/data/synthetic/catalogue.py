"""Which actions are generated, under their numbers in NTU RGB+D and NW-UCLA, and one performance of any of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from kinestream.data.synthetic import duo, solo
from kinestream.data.synthetic.kinematics import Motion, joints_of
from kinestream.data.synthetic.people import Person, draw_person
from kinestream.data.synthetic.timing import Clock, draw_clock

Solo = Callable[[Person, Clock, np.random.Generator], Motion]
Duo = Callable[[Person, Person, Clock, np.random.Generator], tuple[Motion, Motion]]


@dataclass(frozen=True, kw_only=True)
class Action:
    """A class of performances: what is done (alone or by two) and for how many seconds."""

    name: str
    seconds: tuple[float, float]
    solo: Solo | None = None
    duo: Duo | None = None


def _pick_up_with_both(person: Person, clock: Clock, rng: np.random.Generator) -> Motion:
    return solo.pick_up(person, clock, rng, hands=2)


NTU_ACTIONS: Mapping[int, Action] = MappingProxyType(
    {
        6: Action(name="pick up", seconds=(1.6, 3.0), solo=solo.pick_up),
        7: Action(name="throw", seconds=(1.3, 2.4), solo=solo.throw),
        8: Action(name="sit down", seconds=(1.2, 2.4), solo=solo.sit_down),
        9: Action(name="stand up", seconds=(1.1, 2.2), solo=solo.stand_up),
        10: Action(name="clapping", seconds=(1.5, 3.2), solo=solo.clap),
        22: Action(name="cheer up", seconds=(1.5, 3.0), solo=solo.cheer_up),
        23: Action(name="hand waving", seconds=(1.5, 3.2), solo=solo.wave),
        24: Action(name="kicking something", seconds=(1.2, 2.2), solo=solo.kick),
        26: Action(name="hopping", seconds=(1.5, 2.8), solo=solo.hop),
        27: Action(name="jump up", seconds=(1.3, 2.6), solo=solo.jump_up),
        31: Action(name="pointing to something", seconds=(1.4, 2.6), solo=solo.point),
        35: Action(name="nod head or bow", seconds=(1.4, 2.8), solo=solo.bow),
        38: Action(name="salute", seconds=(1.4, 2.6), solo=solo.salute),
        40: Action(name="cross hands in front", seconds=(1.4, 2.6), solo=solo.cross_hands),
        43: Action(name="falling", seconds=(1.2, 2.4), solo=solo.fall),
        50: Action(name="punching other", seconds=(1.2, 2.2), duo=duo.punch),
        55: Action(name="hugging", seconds=(2.0, 3.6), duo=duo.hug),
        58: Action(name="handshaking", seconds=(2.0, 3.4), duo=duo.shake_hands),
        59: Action(name="walking towards", seconds=(1.6, 2.8), duo=duo.walk_towards),
        60: Action(name="walking apart", seconds=(1.9, 3.2), duo=duo.walk_apart),
    }
)

NW_UCLA_ACTIONS: Mapping[int, Action] = MappingProxyType(
    {
        1: Action(name="pick up with one hand", seconds=(1.4, 3.0), solo=solo.pick_up),
        2: Action(name="pick up with two hands", seconds=(1.4, 3.0), solo=_pick_up_with_both),
        3: Action(name="drop trash", seconds=(1.3, 3.0), solo=solo.drop),
        4: Action(name="walk around", seconds=(1.5, 4.0), solo=solo.walk_around),
        5: Action(name="sit down", seconds=(1.1, 2.4), solo=solo.sit_down),
        6: Action(name="stand up", seconds=(1.0, 2.2), solo=solo.stand_up),
        8: Action(name="donning", seconds=(2.2, 4.5), solo=solo.don),
        9: Action(name="doffing", seconds=(2.0, 4.0), solo=solo.doff),
        11: Action(name="throw", seconds=(1.2, 2.4), solo=solo.throw),
        12: Action(name="carry", seconds=(1.5, 4.0), solo=solo.carry),
    }
)


def perform(
    action: Action,
    cast: Sequence[Person],
    rng: np.random.Generator,
    *,
    frames: tuple[int, int],
    rate: float = 30.0,
    idle: float = 0.9,
    facing: float = 0.0,
) -> Float[np.ndarray, "t m v 3"]:
    """One performance, seen by nobody yet: world coordinates in metres, y up from the floor, joints as in NTU25.

    Up to `idle` seconds pass before and after the action. The scene's middle is near the origin; a single person looks
    about `facing` radians to the left of the camera.
    """
    lead = cast[0]
    clock = draw_clock(
        rng,
        active=float(rng.uniform(*action.seconds)) / lead.tempo,
        before=float(rng.uniform(0.05, idle)),
        after=float(rng.uniform(0.05, idle)),
        rate=rate,
        frames=frames,
    )
    if action.duo is not None:
        motions = action.duo(cast[0], cast[1], clock, rng)
        bodies = [joints_of(person, motion) for person, motion in zip(cast, motions, strict=True)]
    else:
        assert action.solo is not None
        bodies = [joints_of(lead, action.solo(lead, clock, rng))]
    joints = np.stack(bodies, axis=1)
    joints[..., ::2] -= joints[:, :, 0, ::2].mean(axis=(0, 1))
    angle = facing + rng.normal(0, 0.45) + (np.pi * rng.integers(2) if action.duo else 0.0)
    joints = joints @ _heading(angle).T
    joints[..., ::2] += rng.uniform((-0.5, -0.4), (0.5, 0.4))
    return joints


def cast_of(seed: int, subject: int, partner: int) -> tuple[Person, Person]:
    """The person with this number and the one beside them; a number is the same person in every performance."""
    lead, other = (draw_person(np.random.default_rng((seed, 1, number))) for number in (subject, partner))
    return lead, other


def _heading(angle: float) -> Float[np.ndarray, "3 3"]:
    """Turns the scene by `angle` about the vertical axis, to the left as seen by those in it."""
    return np.array([[np.cos(angle), 0.0, np.sin(angle)], [0.0, 1.0, 0.0], [-np.sin(angle), 0.0, np.cos(angle)]])
