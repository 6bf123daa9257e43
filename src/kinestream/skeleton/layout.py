"""Skeleton layouts: which joints there are and how they hang together.

A layout is the one literal list of joints of a sensor; bones, mirroring, hop distances and drawings derive from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, kw_only=True)
class SkeletonLayout:
    """Joints of one sensor as a tree.

    Joints are counted from 0, in file order. `parents[v]` is the next joint on the way to the root, which is its own
    parent. `pairs` are (left, right) joints that change places under mirroring. `heading` is the (left, right) pair
    whose line tells where a body faces; `pelvis` is the joint that tells where it stands. The vertical axis is y, in
    metres.

    Example:
        >>> layout = SkeletonLayout(name="stick", joints=("hip", "head"), parents=(0, 0), pairs=(), heading=(0, 1),
        ...                         pelvis=0)
        >>> layout.root, layout.bones
        (0, ((1, 0),))
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    heading: tuple[int, int]
    pelvis: int

    def __post_init__(self) -> None:
        count = len(self.joints)
        if len(self.parents) != count:
            raise ValueError(f"layout '{self.name}': {len(self.parents)} parents for {count} joints")
        if len(set(self.joints)) != count:
            raise ValueError(f"layout '{self.name}': a joint name stands twice")
        named = (*self.parents, *self.heading, self.pelvis, *(joint for pair in self.pairs for joint in pair))
        for joint in named:
            if not 0 <= joint < count:
                raise ValueError(f"layout '{self.name}': joint {joint} is not in 0..{count - 1}")
        roots = [v for v, parent in enumerate(self.parents) if parent == v]
        if len(roots) != 1:
            raise ValueError(f"layout '{self.name}' needs one root (a joint that is its own parent), has {len(roots)}")
        for joint in range(count):
            self._path_to_root(joint)
        paired = [joint for pair in self.pairs for joint in pair]
        if len(set(paired)) != len(paired):
            raise ValueError(f"layout '{self.name}': a joint stands in two left-right pairs")
        if self.heading[0] == self.heading[1]:
            raise ValueError(f"layout '{self.name}': the heading needs two joints, has {self.heading[0]} twice")

    def _path_to_root(self, joint: int) -> list[int]:
        path = [joint]
        while self.parents[path[-1]] != path[-1]:
            path.append(self.parents[path[-1]])
            if len(path) > len(self.joints):
                raise ValueError(f"layout '{self.name}': joint {joint} hangs in a ring, not in the tree")
        return path

    @property
    def root(self) -> int:
        """The joint that is its own parent: the centre of the graph and the origin of centring."""
        return next(v for v, parent in enumerate(self.parents) if parent == v)

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) of every joint but the root."""
        return tuple((v, parent) for v, parent in enumerate(self.parents) if parent != v)

    @property
    def bone_sides(self) -> tuple[str, ...]:
        """For each of `bones` the part of the body that its child belongs to: `left`, `right` or `trunk`."""
        lefts, rights = ({pair[side] for pair in self.pairs} for side in (0, 1))
        return tuple("left" if v in lefts else "right" if v in rights else "trunk" for v, _ in self.bones)

    @property
    def mirrored(self) -> tuple[int, ...]:
        """For each joint the one that takes its place when left and right are swapped."""
        order = list(range(len(self.joints)))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)

    @property
    def depths(self) -> tuple[int, ...]:
        """Number of bones between each joint and the root."""
        return tuple(len(self._path_to_root(v)) - 1 for v in range(len(self.joints)))

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, as `store.json` keeps them."""
        return {
            "name": self.name,
            "joints": list(self.joints),
            "parents": list(self.parents),
            "pairs": [list(pair) for pair in self.pairs],
            "heading": list(self.heading),
            "pelvis": self.pelvis,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "SkeletonLayout":
        """The inverse of `to_dict`. Raises ValueError when a field is missing or does not fit."""
        try:
            left, right = plain["heading"]
            return cls(
                name=str(plain["name"]),
                joints=tuple(str(joint) for joint in plain["joints"]),
                parents=tuple(int(parent) for parent in plain["parents"]),
                pairs=tuple((int(a), int(b)) for a, b in plain["pairs"]),
                heading=(int(left), int(right)),
                pelvis=int(plain["pelvis"]),
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"not a skeleton layout: {error}") from error


def _layout(name: str, joints: str, chains: tuple[str, ...], pelvis: str) -> SkeletonLayout:
    """Layout from the joints in file order and chains of joints, each hanging on the one before it; the first joint of
    the first chain is the root. A chain with SIDE stands for a left and a right one, and so are the pairs found."""
    names = tuple(joints.split())
    parent_of = {chains[0].split()[0]: chains[0].split()[0]}
    for chain in chains:
        for side in ("left", "right"):
            links = chain.replace("SIDE", side).split()
            parent_of |= dict(zip(links[1:], links[:-1], strict=True))
    pairs = tuple(
        (v, names.index(joint.replace("left", "right"))) for v, joint in enumerate(names) if joint.startswith("left")
    )
    return SkeletonLayout(
        name=name,
        joints=names,
        parents=tuple(names.index(parent_of[joint]) for joint in names),
        pairs=pairs,
        heading=(names.index("left_shoulder"), names.index("right_shoulder")),
        pelvis=names.index(pelvis),
    )


NTU25 = _layout(
    "ntu25",
    """spine_base spine_mid neck head left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow
    right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot
    spine_shoulder left_hand_tip left_thumb right_hand_tip right_thumb""",
    (
        "spine_shoulder spine_mid spine_base",
        "spine_shoulder neck head",
        "spine_shoulder SIDE_shoulder SIDE_elbow SIDE_wrist SIDE_hand SIDE_thumb SIDE_hand_tip",
        "spine_base SIDE_hip SIDE_knee SIDE_ankle SIDE_foot",
    ),
    pelvis="spine_base",
)
"""Kinect v2, as NTU RGB+D and PKU-MMD store it: 25 joints, root spine_shoulder (joint 21 counted from 1)."""

KINECT20 = _layout(
    "kinect20",
    """hip_centre spine shoulder_centre head left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow
    right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot""",
    (
        "shoulder_centre spine hip_centre",
        "shoulder_centre head",
        "shoulder_centre SIDE_shoulder SIDE_elbow SIDE_wrist SIDE_hand",
        "hip_centre SIDE_hip SIDE_knee SIDE_ankle SIDE_foot",
    ),
    pelvis="hip_centre",
)
"""Kinect v1, as NW-UCLA stores it: 20 joints, root shoulder_centre (joint 3 counted from 1)."""

COCO17 = _layout(
    "coco17",
    """nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist
    right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle""",
    (
        "nose SIDE_eye SIDE_ear",
        "nose SIDE_shoulder SIDE_elbow SIDE_wrist",
        "SIDE_shoulder SIDE_hip SIDE_knee SIDE_ankle",
    ),
    pelvis="left_hip",
)
"""COCO key points, as pose estimators find them in pictures: 17 joints. There is none in the middle of the body below
the head, so the nose is the root, each half of the body hangs on its shoulder, and the left hip stands in for the
pelvis."""

LAYOUTS: Mapping[str, SkeletonLayout] = MappingProxyType({layout.name: layout for layout in (NTU25, KINECT20, COCO17)})


def load_layout(layout: "str | Path | SkeletonLayout") -> SkeletonLayout:
    """TEMPORARY: the skeleton branch brings the real one."""
    if isinstance(layout, SkeletonLayout):
        return layout
    if str(layout) not in LAYOUTS:
        raise ValueError(f"unknown layout '{layout}': there are {', '.join(LAYOUTS)}")
    return LAYOUTS[str(layout)]
