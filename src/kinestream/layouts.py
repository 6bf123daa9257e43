"""Skeleton layouts by name or file: which joints there are and how they hang together.

Example:
    >>> from kinestream import layouts
    >>> len(layouts.load("mediapipe33").joints), "body16" in layouts.names()
    (33, True)
"""

from kinestream.skeleton.joint_maps import JointMap, joint_map
from kinestream.skeleton.layout import LAYOUTS, SkeletonLayout
from kinestream.skeleton.layout import layout_names as names
from kinestream.skeleton.layout import load_layout as load

add = LAYOUTS.add
"""Adds a layout, or the path of its YAML file, under a name: `layouts.add("mine", Path("mine.yaml"))`."""

__all__ = ["JointMap", "SkeletonLayout", "add", "joint_map", "load", "names"]
