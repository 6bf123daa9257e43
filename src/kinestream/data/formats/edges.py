"""A layout out of the names and edges that a file has."""

from collections.abc import Sequence

from kinestream.skeleton.layout import SkeletonLayout
from kinestream.skeleton.layout_file import pairs_by_name

_HEADINGS = (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"))
_PELVIS = (("pelvis",), ("left_hip", "right_hip"))


def layout_of(names: Sequence[str], edges: Sequence[tuple[int, int]], name: str) -> SkeletonLayout | None:
    """The tree that edges from parent to child make, if they make one, of a body whose shoulders or hips are named;
    else None.

    Example:
        >>> tree = layout_of(("pelvis", "left_hip", "right_hip"), [(0, 1), (0, 2)], "legs")
        >>> tree.parents, tree.pairs
        ((0, 0, 0), ((1, 2),))
    """
    count = len(names)
    if len(edges) != count - 1 or any(not (0 <= parent < count and 0 <= child < count) for parent, child in edges):
        return None
    parents = list(range(count))
    for parent, child in edges:
        if parents[child] != child:
            return None
        parents[child] = parent
    at = {joint.strip().lower().replace(" ", "_"): place for place, joint in enumerate(names)}
    heading, pelvis = (
        next((tuple(at[joint] for joint in some) for some in choices if all(joint in at for joint in some)), None)
        for choices in (_HEADINGS, _PELVIS)
    )
    if heading is None or pelvis is None:
        return None
    place = {joint: number for number, joint in enumerate(names)}
    try:
        return SkeletonLayout(
            name=name,
            joints=tuple(names),
            parents=tuple(parents),
            pairs=tuple((place[left], place[right]) for left, right in pairs_by_name(names)),
            heading=(heading[0], heading[1]),
            pelvis=pelvis,
            aliases={names[number]: plain for plain, number in at.items() if names[number] != plain},
        )
    except ValueError:  # a ring
        return None
