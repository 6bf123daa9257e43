"""Which joints of a layout the named points of a file are: markers, columns of a table, key points."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from kinestream.skeleton.joint_maps import made_of
from kinestream.skeleton.layout import SkeletonLayout, layout_names, load_layout
from kinestream.skeleton.naming import canonical_names
from kinestream.words import shown

_NAMED = 8
"""So many points are named in a message."""


@dataclass(frozen=True, kw_only=True)
class PointMap:
    """Every joint of `layout` as the mean of points of a file."""

    layout: SkeletonLayout
    points: tuple[str, ...]
    parts: tuple[tuple[int, ...], ...]
    """For each joint the points."""

    def __call__(self, values: Float[np.ndarray, "t m p c"]) -> Float[np.ndarray, "t m v c"]:
        """A joint is seen only where all its points are."""
        singles = [part[0] for part in self.parts]
        mapped = values[:, :, singles]
        for joint, part in enumerate(self.parts):
            if len(part) > 1:
                mapped[:, :, joint] = values[:, :, list(part)].mean(axis=2)
        return mapped

    @property
    def is_same(self) -> bool:
        """Whether the joints are the points as they stand."""
        return self.parts == tuple((place,) for place in range(len(self.points)))

    @property
    def derived(self) -> Mapping[str, tuple[str, ...]]:
        """Joints that are the mean of several points."""
        return {
            joint: tuple(self.points[point] for point in part)
            for joint, part in zip(self.layout.joints, self.parts, strict=True)
            if len(part) > 1
        }

    @property
    def unused(self) -> tuple[str, ...]:
        """Points that no joint is made of."""
        used = {point for part in self.parts for point in part}
        return tuple(name for place, name in enumerate(self.points) if place not in used)


def point_map(points: Sequence[str], layout: SkeletonLayout) -> PointMap:
    """How the joints of `layout` are made: of its `markers`, of the points of the same name (case, spaces and signs
    between words do not count), of those that mean the same joint, or as the mean of such.

    Raises ValueError where joints cannot be made, naming them and the points that there are.

    Example:
        >>> from kinestream.skeleton.layout import load_layout
        >>> coco = load_layout("coco17")
        >>> point_map([joint.replace("_", " ").title() for joint in coco.joints], coco).unused
        ()
    """
    parts = _parts(points, layout)
    lacking = [joint for joint, part in zip(layout.joints, parts, strict=True) if not part]
    if lacking:
        raise ValueError(
            f"layout {layout.name}: no point is {_some(lacking)}; the points are {_some(points)}. 'markers' in a "
            "layout file of your own may say which points a joint is the mean of"
        )
    return PointMap(layout=layout, points=tuple(points), parts=tuple(part for part in parts if part))


def layout_for(points: Sequence[str]) -> PointMap:
    """The map into the built-in layout that fits points of these names best: the largest of which every joint is a
    point of its own or the mean of named markers, else body16 where its joints can be derived.

    Raises ValueError where none fits.
    """
    found: list[PointMap] = []
    for layout in map(load_layout, layout_names()):
        parts = _parts(points, layout, derive=False)
        if all(parts):
            found.append(PointMap(layout=layout, points=tuple(points), parts=tuple(part for part in parts if part)))
    if found:
        return max(found, key=lambda made: len(made.layout.joints))
    try:
        return point_map(points, load_layout("body16"))
    except ValueError:
        raise ValueError(
            f"which joints its {len(points)} points are is not known ({_some(points)}): give --layout, a name "
            "('kinestream layouts' lists them) or a .yaml file, whose 'markers' say which points a joint is the mean of"
        ) from None


def _parts(points: Sequence[str], layout: SkeletonLayout, *, derive: bool = True) -> list[tuple[int, ...] | None]:
    by_name = {_plain(name): place for place, name in reversed(list(enumerate(points)))}
    has: dict[str, tuple[int, ...]] = {}
    for place, canonical in enumerate(canonical_names(points)):
        if canonical is not None:
            has.setdefault(canonical, (place,))
    made: list[tuple[int, ...] | None] = []
    for joint, canonical in zip(layout.joints, layout.canonical, strict=True):
        if joint in layout.markers:
            part = [by_name.get(_plain(name)) for name in layout.markers[joint]]
            if None not in part:
                made.append(tuple(place for place in part if place is not None))
                continue
        if _plain(joint) in by_name:
            made.append((by_name[_plain(joint)],))
        elif canonical in has:
            made.append(has[canonical])
        else:
            made.append(made_of(canonical, has) if derive else None)
    return made


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-.:]+", "", name).lower()


def _some(names: Sequence[str]) -> str:
    some = ", ".join(shown(name, 24) for name in names[:_NAMED])
    return some if len(names) <= _NAMED else f"{some} and {len(names) - _NAMED} more"
