"""How the joints of one layout are made from those of another, so that an encoder can see recordings of other sensors.

Joints with the same canonical name correspond. One that the source lacks is the mean of some of its joints: as the
source's own `derive` says, else as the table here. A map with a joint that cannot be made is refused, unless a part of
a body is enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from jaxtyping import Float32

from kinestream.skeleton.layout import SkeletonLayout

_MEANS = {
    "pelvis": ("left_hip right_hip",),
    "neck": ("left_shoulder right_shoulder",),
    "spine": ("pelvis neck", "left_hip right_hip left_shoulder right_shoulder"),
    "lower_spine": ("pelvis spine",),
    "chest": ("spine neck",),
    "upper_neck": ("neck head",),
    "head": ("nose", "left_ear right_ear", "left_eye right_eye", "head_top"),
    "SIDE_collar": ("neck SIDE_shoulder",),
    "SIDE_hand": ("SIDE_wrist",),
    "SIDE_hand_tip": ("SIDE_hand",),
    "SIDE_thumb": ("SIDE_hand",),
    "SIDE_foot": ("SIDE_ankle",),
    "SIDE_toes": ("SIDE_foot",),
    "SIDE_heel": ("SIDE_ankle",),
}
MEANS: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        name.replace("SIDE", side): tuple(tuple(means.replace("SIDE", side).split()) for means in choices)
        for name, choices in _MEANS.items()
        for side in ("left", "right")
    }
)
"""Canonical joints as the mean of others; the first choice whose joints the source has is taken, else the first whose
joints can be made in turn."""


@dataclass(frozen=True, kw_only=True)
class JointMap:
    """Every joint of `target` as the mean of joints of `source`.

    Calling it maps clips; bodies that are absent (zero) stay so.
    """

    source: SkeletonLayout
    target: SkeletonLayout
    parts: tuple[tuple[int, ...], ...]
    """For each target joint the source joints."""
    lacking: tuple[str, ...] = ()
    """Target joints that the source has nothing for: each is where the next one is that it has."""

    def __call__(self, clips: Float32[np.ndarray, "*n v c"]) -> Float32[np.ndarray, "*n w c"]:
        mapped = np.ascontiguousarray(clips[..., [part[0] for part in self.parts], :], dtype=np.float32)
        for joint, part in enumerate(self.parts):
            if len(part) > 1:
                mapped[..., joint, :] = clips[..., list(part), :].mean(axis=-2)
        return mapped

    @property
    def filled(self) -> Mapping[str, tuple[str, ...]]:
        """Target joints that have no joint of their own in the source, and what they are the mean of."""
        own = self.source.canonical
        return {
            self.target.joints[w]: tuple(self.source.joints[v] for v in part)
            for w, (part, name) in enumerate(zip(self.parts, self.target.canonical, strict=True))
            if [own[v] for v in part] != [name] and self.target.joints[w] not in self.lacking
        }

    def in_words(self) -> str:
        """What becomes of the joints, for users: the target is what an encoder takes."""
        said = f"joints of {self.source.name} are mapped to {self.target.name}, the encoder's"
        filled = [f"{joint} = {' + '.join(parts)}" for joint, parts in self.filled.items()]
        said += f": {', '.join(filled)}" if filled else ""
        said += f"; not recorded, and put where the next joint is: {', '.join(self.lacking)}" if self.lacking else ""
        return said + (f"; not used: {', '.join(self.unused)}" if self.unused else "")

    @property
    def unused(self) -> tuple[str, ...]:
        """Source joints that no target joint is made of."""
        used = {v for part in self.parts for v in part}
        return tuple(name for v, name in enumerate(self.source.joints) if v not in used)


LEAST_SHARE = 0.4
"""Of the joints of the target, that a source in part must have."""


def joint_map(source: SkeletonLayout, target: SkeletonLayout, *, partly: bool = False) -> JointMap:
    """The map from `source` to `target`.

    With `partly` the source may be a part of a body: joints that cannot be made are where the next one towards the root
    is that can, and the root where the joint next to it is; as masked joints of a recording are.

    Raises ValueError where joints of the target cannot be made, naming them; with `partly` where most of them cannot,
    or those by which a body is turned.

    Example:
        >>> from kinestream.skeleton.layout import KINECT20, NTU25
        >>> made = joint_map(KINECT20, NTU25)
        >>> made.filled["neck"], made.unused
        (('shoulder_centre', 'head'), ())
    """
    return _joint_map(source, target, partly, _told(source), _told(target))


def _told(layout: SkeletonLayout) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    """What a map depends on and equal layouts may differ in."""
    return (*layout.aliases.items(), *layout.derive.items())


@lru_cache(maxsize=64)  # asked for by every window of a recording
def _joint_map(
    source: SkeletonLayout,
    target: SkeletonLayout,
    partly: bool,
    told_of_source: tuple[tuple[str, str | tuple[str, ...]], ...],
    told_of_target: tuple[tuple[str, str | tuple[str, ...]], ...],
) -> JointMap:
    has: dict[str, tuple[int, ...]] = {name: (v,) for v, name in enumerate(source.canonical)}
    has |= {name: tuple(map(source.joints.index, parts)) for name, parts in source.derive.items()}
    made = {joint: made_of(name, has) for joint, name in zip(target.joints, target.canonical, strict=True)}
    lacking = [joint for joint, part in made.items() if not part]
    enough = len(made) - len(lacking) >= LEAST_SHARE * len(made) and all(made[target.joints[v]] for v in target.heading)
    if lacking and not (partly and enough):
        raise ValueError(
            f"no joint map from layout {source.name} to {target.name}: {', '.join(lacking)} cannot be made; "
            f"'aliases' or 'derive' of {source.name} may say how"
        )
    parts = tuple(made[target.joints[v]] or () for v in _stand_ins([bool(part) for part in made.values()], target))
    return JointMap(source=source, target=target, parts=parts, lacking=tuple(lacking))


def _stand_ins(known: Sequence[bool], layout: SkeletonLayout) -> list[int]:
    """For each joint itself, or the next known one towards the root; where there is none, the known one fewest bones
    from the root."""
    nearest = min((v for v, is_known in enumerate(known) if is_known), key=lambda v: layout.depths[v])
    found = []
    for v in range(len(known)):
        at = v
        while not known[at] and at != layout.root:
            at = layout.parents[at]
        found.append(at if known[at] else nearest)
    return found


def made_of(name: str, has: Mapping[str, tuple[int, ...]]) -> tuple[int, ...] | None:
    """The joints (or points) of `has`, by canonical name, whose mean the canonical joint `name` is; None where it
    cannot be made."""
    if name in has:
        return has[name]
    choices = MEANS.get(name, ())
    for choice in sorted(choices, key=lambda choice: not all(one in has for one in choice)):
        parts = [made_of(one, has) for one in choice]
        if all(parts):
            return tuple(v for part in parts for v in part or ())
    return None
