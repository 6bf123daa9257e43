"""The parts of a body: which joints belong to the arms, the legs and the trunk."""

from kinestream.skeleton.layout import SkeletonLayout

TRUNK = "trunk"
_ARM = frozenset(["collar", "shoulder", "elbow", "wrist", "hand", "hand_tip", "knuckles", "thumb", "index", "pinky"])
_LEG = frozenset(["hip", "knee", "ankle", "foot", "heel", "toes", "big_toe", "small_toe"])
_FACE = ("eye", "ear", "mouth")


def body_parts(layout: SkeletonLayout) -> dict[str, tuple[int, ...]]:
    """The joints of each part: `trunk` (the head belongs to it), `left arm`, `right arm`, `left leg`, `right leg`.

    The joints of the left-right pairs are told by their canonical names; one whose name says nothing belongs to the
    part of the joint that it hangs on, and where that is of no side, begins a part of its own, called after it. A part
    that the layout has no joints of is left out.

    Example:
        >>> from kinestream.skeleton.layout import load_layout
        >>> {part: len(joints) for part, joints in body_parts(load_layout("ntu25")).items()}
        {'trunk': 5, 'left arm': 6, 'right arm': 6, 'left leg': 4, 'right leg': 4}
    """
    sides = ["" for _ in layout.joints]
    for pair in layout.pairs:
        for joint, side in zip(pair, ("left", "right"), strict=True):
            sides[joint] = side
    found: dict[int, str] = {}
    for joint in sorted(range(len(layout.joints)), key=lambda v: layout.depths[v]):
        found[joint] = _part(layout, joint, sides, found)
    usual = (TRUNK, "left arm", "right arm", "left leg", "right leg")
    order = [*usual, *sorted(set(found.values()) - set(usual))]
    parts = {part: tuple(v for v in range(len(layout.joints)) if found[v] == part) for part in order}
    return {part: joints for part, joints in parts.items() if joints}


def _part(layout: SkeletonLayout, joint: int, sides: list[str], found: dict[int, str]) -> str:
    """`found` are the parts of the joints nearer to the root."""
    side, name, parent = sides[joint], layout.canonical[joint], layout.parents[joint]
    word = name.removeprefix(f"{side}_")
    if not side or word.startswith(_FACE):
        return TRUNK
    if word in _ARM or word in _LEG:
        return f"{side} {'arm' if word in _ARM else 'leg'}"
    return found[parent] if sides[parent] == side else name
