"""Names of joints, taken apart into the side and what they are of."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

THIGHS = frozenset(("upleg", "upperleg", "thigh", "femur"))
SHINS = frozenset(("lowerleg", "lowleg", "shin", "calf", "shank", "tibia"))
UPPER_ARMS = frozenset(("upperarm", "uparm", "humerus"))
FOREARMS = frozenset(("forearm", "lowerarm", "lowarm", "radius"))
COLLARS = frozenset(("collar", "collarbone", "clavicle"))
TOE_BASES = frozenset(("toebase", "ball", "bigtoe", "toe0", "footindex"))
PLAIN = {
    **dict.fromkeys(THIGHS, "hip"),
    **dict.fromkeys(SHINS, "knee"),
    **dict.fromkeys(UPPER_ARMS, "shoulder"),
    **dict.fromkeys(FOREARMS, "elbow"),
    **dict.fromkeys(COLLARS, "collar"),
    **{word: word for word in ("knee", "ankle", "heel", "elbow", "wrist", "eye", "ear", "knuckles")},
    "handtip": "hand_tip",
    "fingerbase": "hand",
}
"""Words for parts with a side that mean the same whatever stands around them."""
HIPS = frozenset(("hip", "hips"))
TOES = frozenset(("toe", "toes", *TOE_BASES))
SHOULDERS = frozenset(("shoulder", "shldr"))
_SIDED = frozenset({*PLAIN, *HIPS, *TOES, *SHOULDERS, "leg", "foot", "arm", "hand", "thumb"})
NEXT = {
    "hip": "knee",
    "knee": "ankle",
    "ankle": "foot",
    "foot": "toes",
    "pelvis": "hip",
    "collar": "shoulder",
    "shoulder": "elbow",
    "elbow": "wrist",
    "wrist": "hand_tip",
    "hand": "hand_tip",
}
"""The far end of the bone that begins at a joint."""
_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}
_ENDS = frozenset(("end", "nub", "endsite", "site"))
PREFIXES = {
    "mixamorig": frozenset(("upleg", "leg", "arm", "forearm")),
    "bip": frozenset(("thigh", "calf", "upperarm", "forearm")),
}
"""Programs that put their name before those of bones, with words of theirs; the number of the skeleton follows."""
_NOISE = frozenset(("c", "j", "def", "org", "jnt", "joint", "joints", "bone", "skeleton", "armature", "character"))
_WORD = re.compile(r"(?<![A-Za-z])[LT]\d{1,2}(?![A-Za-z0-9])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class JointName:
    """A name taken apart."""

    side: str
    """`left`, `right` or nothing."""
    key: str
    """What it is of: small letters and digits."""
    end: bool
    """Whether it is the end of that bone."""
    program: str
    """One of `PREFIXES`, or nothing."""


def take_apart(names: Sequence[str]) -> dict[int, JointName]:
    """The names by their place; what cannot be a joint of a body, such as a name with both sides, is left out."""
    split = _without_common_start([_words(name) for name in names])
    return {place: one for place, words in enumerate(split) if (one := _parse(words)) is not None}


def _words(name: str) -> list[str]:
    """The words of a name in small letters, without the name space in front of it."""
    space, _, own = name.replace("|", ":").rpartition(":")
    marks = ["mixamorig"] if "mixamorig" in space.lower() else []
    return marks + [word.lower() for word in _WORD.findall(own)]


def _without_common_start(names: list[list[str]]) -> list[list[str]]:
    """What all names begin with is the name of the skeleton."""
    if len(names) < 3:
        return names
    start = 0
    while all(len(words) > start + 1 for words in names) and len({words[start] for words in names}) == 1:
        if names[0][start] in _SIDES:
            break
        start += 1
    marks = [word for word in names[0][:start] if word in PREFIXES]
    return [marks + words[start:] for words in names]


def _parse(words: list[str]) -> JointName | None:
    """None for what cannot be a joint of a body, such as a name with both sides."""
    program = next((word for word in words if word in PREFIXES), "")
    while words and (words[0] in _NOISE or words[0] in PREFIXES):
        digits = 2 if len(words) > 1 and words[1].isdigit() else 1
        words = words[digits if words[0] in {*PREFIXES, "character"} else 1 :]
    end = len(words) > 1 and words[-1] in _ENDS
    words = [word for word in (words[:-1] if end else words) if word not in _NOISE]
    sides = [word for word in words if word in _SIDES]
    key = "".join(word for word in words if word not in _SIDES).removesuffix("joint")
    if len(sides) > 1 or not key:
        return None
    side = _SIDES[sides[0]] if sides else ""
    if not side:
        side, key = _side_within(key)
    if key[-3:] == "nub":
        key, end = key[:-3], True
    return JointName(side=side, key=key, end=end, program=program)


def _side_within(key: str) -> tuple[str, str]:
    """Takes the side off a name in small letters without signs: `leftknee`, `kneeleft`, `lknee`."""
    for side in ("left", "right"):
        for rest in (key.removeprefix(side), key.removesuffix(side)):
            if rest != key and rest in _SIDED:
                return side, rest
    if key[:1] in _SIDES and key[1:] in _SIDED - {"ear", "toe"}:  # "rear", the marker LTOE
        return _SIDES[key[0]], key[1:]
    return "", key
