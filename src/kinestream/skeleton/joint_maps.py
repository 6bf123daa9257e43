"""How the joints of one layout are made from those of another, so that an encoder can see recordings of other sensors.

As data: for each joint of the target that has another name in the source, the source joints whose mean it is. What is
not declared must have the same name in both; a map that cannot be complete is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float32

from kinestream.skeleton.layout import COCO17, KINECT20, LAYOUTS, NTU25, SkeletonLayout

_SHOULDERS, _HIPS = "left_shoulder right_shoulder", "left_hip right_hip"
_ENDS = "head nose, left_hand left_wrist, right_hand right_wrist, left_foot left_ankle, right_foot right_ankle"
_FINGERS = "left_hand_tip left_{0}, left_thumb left_{0}, right_hand_tip right_{0}, right_thumb right_{0}"

_DECLARED: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (NTU25.name, KINECT20.name): "hip_centre spine_base, spine spine_mid, shoulder_centre spine_shoulder",
        (KINECT20.name, NTU25.name): "spine_base hip_centre, spine_mid spine, spine_shoulder shoulder_centre, "
        f"neck shoulder_centre head, {_FINGERS.format('hand')}",
        (COCO17.name, KINECT20.name): f"hip_centre {_HIPS}, spine {_HIPS} {_SHOULDERS}, shoulder_centre {_SHOULDERS}, "
        f"{_ENDS}",
        (COCO17.name, NTU25.name): f"spine_base {_HIPS}, spine_mid {_HIPS} {_SHOULDERS}, spine_shoulder {_SHOULDERS}, "
        f"neck {_SHOULDERS} nose, {_ENDS}, {_FINGERS.format('wrist')}",
    }
)
"""Names of source and target: `joint source-joint ...` for each joint that differs, with commas between."""


@dataclass(frozen=True, kw_only=True)
class JointMap:
    """Every joint of `target` as the mean of joints of `source`.

    Calling it maps clips; bodies that are absent (zero) stay so.
    """

    source: SkeletonLayout
    target: SkeletonLayout
    parts: tuple[tuple[int, ...], ...]
    """For each target joint the source joints."""

    def __call__(self, clips: Float32[np.ndarray, "*n v c"]) -> Float32[np.ndarray, "*n w c"]:
        mapped = np.stack([clips[..., list(part), :].mean(axis=-2) for part in self.parts], axis=-2)
        return np.ascontiguousarray(mapped, dtype=np.float32)

    @property
    def filled(self) -> Mapping[str, tuple[str, ...]]:
        """Target joints that stand where no joint of their own is: those made of several, or of one that is another
        target joint already."""
        names = [tuple(self.source.joints[v] for v in part) for part in self.parts]
        same = [self.target.joints[w] == names[w][0] for w in range(len(names))]
        first = {part: w for w, part in reversed(list(enumerate(names)))} | {
            part: w for w, part in enumerate(names) if same[w]
        }
        return {self.target.joints[w]: part for w, part in enumerate(names) if len(part) > 1 or first[part] != w}

    @property
    def unused(self) -> tuple[str, ...]:
        """Source joints that no target joint is made of."""
        used = {v for part in self.parts for v in part}
        return tuple(name for v, name in enumerate(self.source.joints) if v not in used)


def joint_map(source: SkeletonLayout, target: SkeletonLayout) -> JointMap:
    """The declared map from `source` to `target`. Raises ValueError where there is none, or it does not fit.

    Example:
        >>> made = joint_map(KINECT20, NTU25)
        >>> made.filled["neck"], made.unused
        (('shoulder_centre', 'head'), ())
    """
    text = _DECLARED.get((source.name, target.name))
    if text is None or LAYOUTS.get(source.name) != source or LAYOUTS.get(target.name) != target:
        known = ", ".join(f"{a} to {b}" for a, b in _DECLARED)
        raise ValueError(f"no joint map from layout {source.name} to {target.name} is declared: there are {known}")
    declared = {words[0]: words[1:] for words in (entry.split() for entry in text.split(","))}
    for name in declared:
        if name not in target.joints:
            raise ValueError(f"joint map {source.name} to {target.name}: the target has no joint '{name}'")
    parts = []
    for name in target.joints:
        made_of = declared.get(name, [name])
        lacking = [one for one in made_of if one not in source.joints]
        if lacking:
            raise ValueError(f"joint map {source.name} to {target.name}: {name} needs '{lacking[0]}' of the source")
        parts.append(tuple(source.joints.index(one) for one in made_of))
    return JointMap(source=source, target=target, parts=tuple(parts))
