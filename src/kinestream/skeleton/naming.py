"""What the joints of other programs are called among the canonical names, which the built-in layouts share.

Two habits meet in files: names of joints (`LeftKnee`), and names of bones that stand for the *near* end of the bone
(`LeftUpLeg` is the hip, `LeftFoot` the ankle). Which of the two a word such as `LeftHand` means is told by the names
around it. A name that stays open has no canonical name: nothing is guessed.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from kinestream.skeleton.joint_words import (
    COLLARS,
    FOREARMS,
    HIPS,
    NEXT,
    PLAIN,
    PREFIXES,
    SHINS,
    SHOULDERS,
    THIGHS,
    TOE_BASES,
    TOES,
    UPPER_ARMS,
    JointName,
    take_apart,
)

_PELVIS = "hips hip pelvis midhip hipcentre hipcenter centerhip centrehip spinebase pelviscenter pelviscentre"
_LONG_WORDS = {"pelvis": _PELVIS, "head": "head", "nose": "nose", "head_top": "headtop headtip topofhead"}
_UNSIDED = {word: name for name, words in _LONG_WORDS.items() for word in words.split()}
_SHOULDER_CENTRES = frozenset(("spineshoulder", "shouldercentre", "shouldercenter", "midshoulder", "neckbase"))
_NECKS = {"neckbase": -1.0, "lowerneck": -0.5, "neck": 0.0, "upperneck": 99.0}
_TRUNK = {
    "lowerback": 0.0,
    "l5": 1.0,
    "abdomen": 2.0,
    "lowerspine": 3.0,
    "spinelower": 3.0,
    "l3": 4.0,
    "spinenavel": 5.0,
    "spinenaval": 5.0,
    "torso": 5.0,
    "spine": 6.0,
    "spinemid": 6.0,
    "midspine": 6.0,
    "t12": 7.0,
    "upperback": 8.0,
    "upperspine": 8.0,
    "spineupper": 8.0,
    "chest": 9.0,
    "spinechest": 9.0,
    "t8": 10.0,
    "thorax": 10.0,
    "upperchest": 11.0,
}
"""Words for what lies between pelvis and neck, from below."""
_VERTEBRAE = frozenset(("l5", "l3", "t12", "t8"))
"""Joints of Xsens, where all four are there; else markers on the skin."""
_ALONE = {
    "lower_spine": frozenset(("lowerback", "abdomen", "lowerspine", "spinelower")),
    "spine": frozenset(("spine", "spinemid", "midspine", "spinenavel", "spinenaval", "torso")),
    "chest": frozenset(("chest", "spinechest", "upperchest")),
}
CANONICAL = frozenset(
    {
        *(*_UNSIDED.values(), *_ALONE, "neck", "upper_neck"),
        *(
            f"{side}_{part}"
            for side in ("left", "right")
            for part in {*PLAIN.values(), *NEXT.values(), "hip", "hand", "thumb"}
        ),
    }
)
"""The names that are given here."""


def canonical_name(name: str, among: Iterable[str] = ()) -> str | None:
    """The canonical name of the joint, or None where it has none or the name leaves it open.

    Args:
        among: the other names of the skeleton, which tell what a word such as `LeftHand` means.

    Example:
        >>> canonical_name("mixamorig:LeftUpLeg"), canonical_name("LKnee"), canonical_name("Bip01 R UpperArm")
        ('left_hip', 'left_knee', 'right_shoulder')
        >>> canonical_name("LeftHand"), canonical_name("LeftHand", among=["LeftArm", "LeftForeArm"])
        ('left_hand', 'left_wrist')
    """
    others = tuple(other for other in among if other != name)
    return canonical_names((*others, name))[-1]


def canonical_names(names: Sequence[str], *, far_ends: bool = False) -> tuple[str | None, ...]:
    """The canonical name of each joint of a skeleton; None for those that have none or stay open.

    Args:
        names: all joints, so that each is understood among the others.
        far_ends: the joints are the far ends of the bones that they are named after, as in ASF files: `lfemur` is the
            knee.

    Example:
        >>> canonical_names(["Hips", "Spine", "Spine1", "Spine2", "Neck", "LeftShoulder", "LeftArm", "LeftForeArm"])
        ('pelvis', 'lower_spine', 'spine', 'chest', 'neck', 'left_collar', 'left_shoulder', 'left_elbow')
    """
    parsed = take_apart(names)
    told = _of_the_middle(parsed, far_ends=far_ends)
    for side in ("left", "right"):
        told |= _of_a_side(side, {place: one for place, one in parsed.items() if one.side == side}, far_ends=far_ends)
    own = Counter(name for place, name in told.items() if not parsed[place].end)
    ends = Counter(name for place, name in told.items() if parsed[place].end)
    return tuple(
        name if name and (ends[name] == 1 and not own[name] if parsed[place].end else own[name] == 1) else None
        for place in range(len(names))
        for name in [told.get(place)]
    )


def _of_the_middle(parsed: Mapping[int, JointName], *, far_ends: bool) -> dict[int, str]:
    """The joints without a side, by their place."""
    middle = {place: one for place, one in parsed.items() if not one.side}
    told = {}
    for place, one in middle.items():
        if one.key in _UNSIDED and not one.end:
            told[place] = "head_top" if far_ends and one.key == "head" else _UNSIDED[one.key]
        elif one.key in ("head", "headtop"):
            told[place] = "head_top"
    within = {place: one.key for place, one in middle.items() if not one.end}
    return told | _necks(within, far_ends=far_ends) | _trunk(within, alone=len(parsed) == 1, far_ends=far_ends)


def _necks(keys: Mapping[int, str], *, far_ends: bool) -> dict[int, str]:
    """The neck begins between the shoulders; what lies above it is the upper neck."""
    upper = "head" if far_ends else "upper_neck"
    centres = [place for place, key in keys.items() if key in _SHOULDER_CENTRES]
    ranks = {place: _rank(key, _NECKS) for place, key in keys.items() if place not in centres}
    ranked = sorted((rank, place) for place, rank in ranks.items() if rank is not None)
    order = [*centres, *(place for _, place in ranked)]
    return dict(zip((*order[:1], *order[1:][-1:]), ("neck", upper), strict=False))


def _trunk(keys: Mapping[int, str], *, alone: bool, far_ends: bool) -> dict[int, str]:
    """One joint is the spine (or what it says), two are spine and chest, three the lower spine as well; of more, the
    first, the middle and the last."""
    ranks = {place: _rank(key, _TRUNK) for place, key in keys.items()}
    order = [place for _, place in sorted((rank, place) for place, rank in ranks.items() if rank is not None)]
    if not {*keys.values()} >= _VERTEBRAE:
        order = [place for place in order if keys[place] not in _VERTEBRAE]
    if len(order) < 3 and not far_ends:  # of some, the thorax is between the shoulders
        order = [place for place in order if keys[place] != "thorax"]
    if len(order) > 2 and keys[order[0]] == "lowerback" and not far_ends:
        order = order[1:]  # this bone begins where the pelvis is
    if len(order) == 1:
        key = keys[order[0]]
        stem = key if alone else key.rstrip("0123456789")
        name = next((name for name, words in _ALONE.items() if key in words or stem in words), None)
        return {order[0]: name} if name else {}
    if len(order) == 2:
        return dict(zip(order, ("spine", "chest"), strict=True))
    if not order or (len(order) > 3 and not any(key in ("neck", "head") or key[:4] == "neck" for key in keys.values())):
        return {}  # of many, some may be neck and head
    return {order[0]: "lower_spine", order[len(order) // 2]: "spine", order[-1]: "chest"}


def _of_a_side(side: str, parsed: Mapping[int, JointName], *, far_ends: bool) -> dict[int, str]:
    """The joints of one side, by their place."""
    keys = {one.key for one in parsed.values() if not one.end}
    for program in {one.program for one in parsed.values() if one.program}:
        keys |= PREFIXES[program]
    told = {}
    for place, one in parsed.items():
        part = _part(one.key, keys)
        if one.key in HIPS and keys & THIGHS:  # the bone between pelvis and hip
            part = "pelvis"
        if one.end != far_ends:
            part = NEXT.get(part or "")
        elif part == "pelvis":
            part = None
        if part:
            told[place] = f"{side}_{part}"
    return told


def _part(key: str, keys: Collection[str]) -> str | None:
    """Which part it is of, among all words of that side."""
    words = frozenset(keys)
    shins, arms = words & SHINS, words & UPPER_ARMS
    knee = "knee" in words or shins or ("leg" in words and words & THIGHS)
    elbow = "elbow" in words or words & FOREARMS
    foot_is_ankle = "foot" in words and knee and "ankle" not in words
    hand_is_wrist = "hand" in words and elbow and "wrist" not in words
    if key in HIPS:
        return "hip"
    if key == "leg":
        return "knee" if words & THIGHS and not shins else None
    if key == "arm":
        return "shoulder" if elbow and not arms else None
    if key == "foot":
        return "ankle" if foot_is_ankle else "foot"
    if key in TOES:
        instead_of_foot = foot_is_ankle or (key != "toes" and "ankle" in words and "foot" not in words)
        literal = "foot" if key in TOE_BASES and "foot" not in words else "toes"
        return "foot" if instead_of_foot else literal
    if key in SHOULDERS:
        if words & COLLARS:
            return None if arms else "shoulder"
        return "collar" if arms or ("arm" in words and elbow) else "shoulder"
    if key == "hand":
        return "wrist" if hand_is_wrist else "hand"
    if key == "thumb":
        return None if hand_is_wrist else "thumb"
    return PLAIN.get(key)


def _rank(key: str, words: Mapping[str, float]) -> float | None:
    """Its place among words in their order; a number that follows counts on."""
    if key in words:
        return words[key]
    stem = key.rstrip("0123456789")
    return words[stem] + min(int(key[len(stem) :][:4]), 999) / 1000 if stem in words else None
