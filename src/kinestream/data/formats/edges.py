"""A layout out of the names and edges that a file has."""

from collections.abc import Sequence

from kinestream.skeleton.layout import SkeletonLayout
from kinestream.skeleton.tree import layout_of_tree


def layout_of(names: Sequence[str], edges: Sequence[tuple[int, int]], name: str) -> SkeletonLayout | None:
    """The tree that edges from parent to child make, if they make one, of a body whose joints are known by their names;
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
    try:
        return layout_of_tree(name, names, parents)
    except ValueError:  # a ring, or names that do not tell how a body stands
        return None
