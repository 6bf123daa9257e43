"""The layout of a skeleton that a motion capture file brings along: a tree of joints with the names of its program."""

from collections.abc import Sequence

from kinestream.skeleton.layout import SkeletonLayout
from kinestream.skeleton.layout_file import first_of, pairs_by_name
from kinestream.skeleton.naming import CANONICAL, canonical_names


def layout_of_tree(
    name: str,
    joints: Sequence[str],
    parents: Sequence[int],
    *,
    far_ends: bool = False,
    title: str = "",
    source: str = "",
    units: str = "",
    up: str = "",
) -> SkeletonLayout:
    """The layout of these joints: what they are among the canonical names, and so pairs, heading and pelvis.

    Args:
        parents: for each joint the next one on the way to the root, which is its own parent.
        far_ends: see `kinestream.skeleton.naming.canonical_names`.

    Raises:
        ValueError: the names do not tell where a body faces or stands, or the joints are no tree; it says which keys a
            layout file must give.

    Example:
        >>> made = layout_of_tree("mine", ["Hips", "LeftUpLeg", "LeftLeg", "RightUpLeg", "RightLeg"], [0, 0, 1, 0, 3])
        >>> made.pairs, made.heading, made.pelvis, made.canonical[2]
        (((1, 3), (2, 4)), (1, 3), (0,), 'left_knee')
    """
    joints, parents = tuple(joints), tuple(parents)
    told = list(canonical_names(joints, far_ends=far_ends))
    if "pelvis" not in told and (place := _where_legs_meet(told, parents)) is not None:
        told[place] = "pelvis"
    canonical = {known: joint for known, joint in zip(told, joints, strict=True) if known is not None}
    heading = first_of(canonical, "left_shoulder right_shoulder", "left_hip right_hip")
    pelvis = first_of(canonical, "pelvis", "left_hip right_hip")
    lacking = [f"'{key}' ({what})" for key, what, found in _needed(heading, pelvis) if not found]
    if lacking or heading is None or pelvis is None:
        raise ValueError(
            f"the names of its {len(joints)} joints do not tell how a body stands: a layout file must give "
            f"{' and '.join(lacking)}"
        )
    return SkeletonLayout(
        name=name,
        joints=joints,
        parents=parents,
        pairs=_pairs(joints, canonical),
        heading=(joints.index(heading[0]), joints.index(heading[1])),
        pelvis=tuple(map(joints.index, pelvis)),
        aliases=_aliases(joints, told),
        title=title,
        source=source,
        units=units,
        up=up,
    )


def _needed(*found: tuple[str, ...] | None) -> list[tuple[str, str, tuple[str, ...] | None]]:
    keys = (("heading", "the left and the right shoulder or hip"), ("pelvis", "the joint in the middle of the hips"))
    return [(key, what, one) for (key, what), one in zip(keys, found, strict=True)]


def _where_legs_meet(told: Sequence[str | None], parents: Sequence[int]) -> int | None:
    """The joint from which both hips come, where its name tells nothing."""
    if "left_hip" not in told or "right_hip" not in told:
        return None
    left, right = (_way_up(told.index(f"{side}_hip"), parents) for side in ("left", "right"))
    met = next((place for place in left if place in right), None)
    return met if met is not None and told[met] is None else None


def _way_up(place: int, parents: Sequence[int]) -> list[int]:
    way = [place]
    while 0 <= parents[way[-1]] < len(parents) and parents[way[-1]] not in way:
        way.append(parents[way[-1]])
    return way


def _pairs(joints: Sequence[str], canonical: dict[str, str]) -> tuple[tuple[int, int], ...]:
    """By names, and by what they are where the names of left and right differ in more than the side."""
    named = dict(pairs_by_name(joints))
    for known, joint in canonical.items():
        other = canonical.get(known.replace("left_", "right_", 1))
        if known.startswith("left_") and other is not None and joint not in named:
            named[joint] = other
    pairs, taken = [], set[str]()
    for left, right in named.items():
        if not {left, right} & taken:
            pairs.append((joints.index(left), joints.index(right)))
            taken |= {left, right}
    return tuple(pairs)


def _aliases(joints: Sequence[str], told: Sequence[str | None]) -> dict[str, str]:
    """Canonical names; a joint that is called like one but is not known to be it gets a name of its own."""
    made = {joint: known for joint, known in zip(joints, told, strict=True) if known not in (None, joint)}
    unclear = {joint: f"own {joint}" for joint, known in zip(joints, told, strict=True) if not known}
    return made | {joint: own for joint, own in unclear.items() if joint in CANONICAL}
