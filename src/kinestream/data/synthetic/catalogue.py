"""Which actions are generated, under their numbers in NTU RGB+D, NW-UCLA and PKU-MMD."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from kinestream.data.synthetic import duo, gestures, solo
from kinestream.data.synthetic.kinematics import Motion
from kinestream.data.synthetic.people import Person
from kinestream.data.synthetic.timing import Clock

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
        1: Action(name="drink water", seconds=(1.1, 2.1), solo=gestures.drink),
        6: Action(name="pick up", seconds=(1.6, 3.0), solo=solo.pick_up),
        7: Action(name="throw", seconds=(1.1, 2.0), solo=gestures.throw),
        8: Action(name="sit down", seconds=(1.3, 2.4), solo=solo.sit_down),
        9: Action(name="stand up", seconds=(1.3, 2.4), solo=solo.stand_up),
        10: Action(name="clapping", seconds=(1.2, 2.6), solo=gestures.clap),
        22: Action(name="cheer up", seconds=(1.2, 2.5), solo=gestures.cheer_up),
        23: Action(name="hand waving", seconds=(1.2, 2.6), solo=gestures.wave),
        24: Action(name="kicking something", seconds=(1.4, 2.6), solo=solo.kick),
        26: Action(name="hopping", seconds=(1.4, 2.6), solo=solo.hop),
        27: Action(name="jump up", seconds=(1.3, 2.6), solo=solo.jump_up),
        28: Action(name="phone call", seconds=(1.1, 2.1), solo=gestures.phone),
        31: Action(name="pointing to something", seconds=(1.1, 2.1), solo=gestures.point),
        34: Action(name="rub two hands", seconds=(1.1, 2.3), solo=gestures.rub_hands),
        35: Action(name="nod head or bow", seconds=(1.1, 2.3), solo=solo.bow),
        38: Action(name="salute", seconds=(1.1, 2.1), solo=gestures.salute),
        40: Action(name="cross hands in front", seconds=(1.1, 2.1), solo=gestures.cross_hands),
        43: Action(name="falling", seconds=(1.0, 2.0), solo=solo.fall),
        50: Action(name="punching other", seconds=(1.6, 2.8), duo=duo.punch),
        52: Action(name="pushing other", seconds=(1.6, 2.8), duo=duo.push),
        55: Action(name="hugging", seconds=(2.0, 3.4), duo=duo.hug),
        58: Action(name="handshaking", seconds=(2.0, 3.2), duo=duo.shake_hands),
        59: Action(name="walking towards", seconds=(1.6, 2.8), duo=duo.walk_towards),
        60: Action(name="walking apart", seconds=(2.0, 3.2), duo=duo.walk_apart),
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
        11: Action(name="throw", seconds=(1.2, 2.4), solo=gestures.throw),
        12: Action(name="carry", seconds=(1.5, 4.0), solo=solo.carry),
    }
)

PKU_CLASSES: Mapping[int, int] = MappingProxyType(
    {
        1: 35,
        5: 22,
        6: 10,
        7: 40,
        8: 1,
        11: 43,
        13: 23,
        14: 58,
        15: 26,
        16: 55,
        17: 27,
        19: 24,
        20: 28,
        22: 6,
        25: 31,
        26: 50,
        27: 52,
        31: 34,
        32: 38,
        33: 8,
        34: 9,
        41: 7,
    }
)
"""The classes of PKU-MMD that are generated, and the NTU actions that they are."""


def ntu_actions() -> dict[int, str]:
    """Generated NTU action numbers (counted from 1, as in file names) and what they are."""
    return {number: action.name for number, action in NTU_ACTIONS.items()}


def nw_ucla_actions() -> dict[int, str]:
    """Generated NW-UCLA action numbers (as in file names) and what they are; labels count them from 1."""
    return {number: action.name for number, action in NW_UCLA_ACTIONS.items()}
