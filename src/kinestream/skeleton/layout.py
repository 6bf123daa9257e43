"""Skeleton layouts: which joints there are and how they hang together.

A layout is the one literal list of joints of a sensor; bones, mirroring, hop distances, joint maps and drawings derive
from it. Each built-in one is a YAML file in `layouts/`, and one of your own is a file of the same form.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinestream.plugins import Registry
from kinestream.words import reason, shown

MOST_JOINTS = 1000
UNITS = ("m", "cm", "mm", "in", "px")
UP = ("x", "y", "z", "-x", "-y", "-z")
_WORDS = ("units", "up", "title", "source")


@dataclass(frozen=True, kw_only=True)
class SkeletonLayout:
    """Joints of one sensor as a tree.

    Joints are counted from 0, in file order. Two layouts are equal when their joints are: what only tells how they
    correspond to others, or how files are read, does not count.

    Example:
        >>> layout = SkeletonLayout(name="stick", joints=("hip", "head"), parents=(0, 0), pairs=(), heading=(0, 1),
        ...                         pelvis=(0,))
        >>> layout.root, layout.bones
        (0, ((1, 0),))
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    """For each joint the next one on the way to the root, which is its own parent."""
    pairs: tuple[tuple[int, int], ...]
    """(left, right) joints that change places under mirroring."""
    heading: tuple[int, int]
    """The (left, right) pair whose line tells where a body faces."""
    pelvis: tuple[int, ...]
    """The joints whose mean tells where a body stands."""
    aliases: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Joints that have another name among the canonical ones: own name to canonical name."""
    derive: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """Canonical joints that this layout has only as the mean of some of its own."""
    markers: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """Joints that are the mean of named points of a file, such as the markers of motion capture."""
    units: str = field(default="", compare=False)
    """Of recordings, as one of `UNITS`; empty where the layout does not say."""
    up: str = field(default="", compare=False)
    """Which axis of recordings points up, as one of `UP`; empty where the layout does not say."""
    title: str = field(default="", compare=False)
    source: str = field(default="", compare=False)
    """Where its definition stands."""

    def __post_init__(self) -> None:
        count = len(self.joints)
        if count > MOST_JOINTS:
            raise self._wrong("joints", f"there are {count}, at most {MOST_JOINTS} are taken")
        if len(self.parents) != count:
            raise self._wrong("joints", f"{len(self.parents)} parents for {count} joints")
        if len(set(self.joints)) != count:
            raise self._wrong("joints", "a joint name stands twice")
        if not self.pelvis or len(set(self.pelvis)) != len(self.pelvis):
            raise self._wrong("pelvis", f"it needs one joint or several different ones, has {list(self.pelvis)}")
        named = (*self.parents, *self.heading, *self.pelvis, *(joint for pair in self.pairs for joint in pair))
        for joint in named:
            if not 0 <= joint < count:
                raise self._wrong("joints", f"joint {joint} is not in 0..{count - 1}")
        roots = [v for v, parent in enumerate(self.parents) if parent == v]
        if len(roots) != 1:
            raise self._wrong("root", f"it needs one root (a joint that is its own parent), has {len(roots)}")
        for joint in range(count):
            self._path_to_root(joint)
        paired = [joint for pair in self.pairs for joint in pair]
        if len(set(paired)) != len(paired):
            raise self._wrong("pairs", "a joint stands in two left-right pairs")
        if self.heading[0] == self.heading[1]:
            raise self._wrong("heading", f"it needs two joints, has {self.joints[self.heading[0]]} twice")
        self._check_names()

    def _check_names(self) -> None:
        unknown = [name for name in self.aliases if name not in self.joints]
        if unknown:
            raise self._wrong("aliases", f"there is no joint '{unknown[0]}'")
        canonical = self.canonical
        twice = [name for name in canonical if canonical.count(name) > 1]
        if twice:
            raise self._wrong("aliases", f"two joints are called '{twice[0]}'")
        for name, parts in self.derive.items():
            if name in canonical:
                raise self._wrong("derive", f"'{name}' is a joint already")
            lacking = [part for part in parts if part not in self.joints]
            if lacking or not parts:
                what = f"there is no joint '{lacking[0]}'" if lacking else "it is made of no joint"
                raise self._wrong("derive", f"{name}: {what}")
        for name, points in self.markers.items():
            if name not in self.joints or not points:
                raise self._wrong("markers", f"there is no joint '{name}'" if points else f"{name} has none")
        for key, value, allowed in (("units", self.units, UNITS), ("up", self.up, UP)):
            if value and value not in allowed:
                raise self._wrong(key, f"'{value}' is not one of {', '.join(allowed)}")

    def to_json(self) -> str:
        """`to_dict` as text in one line."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "SkeletonLayout":
        """The inverse of `to_json`. Raises ValueError where it is no layout."""
        from kinestream.documents import parse_json  # and YAML, which not everybody needs

        return cls.from_dict(parse_json(text))

    def _wrong(self, key: str, what: str) -> ValueError:
        return ValueError(f"layout '{self.name}': {key}: {what}")

    def _path_to_root(self, joint: int) -> list[int]:
        path = [joint]
        while self.parents[path[-1]] != path[-1]:
            path.append(self.parents[path[-1]])
            if len(path) > len(self.joints):
                raise self._wrong(
                    "bones", f"joint {joint} hangs in a ring, not in the tree: it is '{self.joints[joint]}'"
                )
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

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """Number of bones between each joint and the root."""
        return tuple(len(self._path_to_root(v)) - 1 for v in range(len(self.joints)))

    @property
    def canonical(self) -> tuple[str, ...]:
        """For each joint the name under which it corresponds to joints of other layouts."""
        return tuple(self.aliases.get(joint, joint) for joint in self.joints)

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, as `store.json` keeps them; what is not given is left out."""
        plain = {
            "name": self.name,
            "joints": list(self.joints),
            "parents": list(self.parents),
            "pairs": [list(pair) for pair in self.pairs],
            "heading": list(self.heading),
            "pelvis": list(self.pelvis),
        }
        more = {
            "aliases": dict(self.aliases),
            "derive": {name: list(parts) for name, parts in self.derive.items()},
            "markers": {name: list(points) for name, points in self.markers.items()},
            **{key: getattr(self, key) for key in _WORDS},
        }
        return plain | {key: value for key, value in more.items() if value}

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
                pelvis=tuple(int(joint) for joint in plain["pelvis"]),
                aliases={str(own): str(name) for own, name in dict(plain.get("aliases", {})).items()},
                derive=_lists(plain.get("derive", {})),
                markers=_lists(plain.get("markers", {})),
                units=str(plain.get("units", "")),
                up=str(plain.get("up", "")),
                title=str(plain.get("title", "")),
                source=str(plain.get("source", "")),
            )
        except (LookupError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not a skeleton layout: {reason(error)}") from None


def _lists(plain: Any) -> dict[str, tuple[str, ...]]:
    return {str(name): tuple(str(part) for part in parts) for name, parts in dict(plain).items()}


Layout = SkeletonLayout


def _check(name: str, entry: object) -> None:
    if not isinstance(entry, SkeletonLayout | Path):
        raise ValueError(f"layout '{name}' must be a SkeletonLayout or the Path of a .yaml file, not {shown(entry)}")


LAYOUTS: Registry["SkeletonLayout | Path"] = Registry("layout", {}, _check)
"""Layouts, or their YAML files, by name. Add one with `LAYOUTS.add("mine", Path("mine.yaml"))`."""

for _file in sorted((Path(__file__).parent / "layouts").glob("*.yaml")):
    LAYOUTS.add(_file.stem, _file)

if TYPE_CHECKING:
    NTU25: SkeletonLayout
    KINECT20: SkeletonLayout
    COCO17: SkeletonLayout
else:

    def __getattr__(name: str) -> SkeletonLayout:
        if name in ("NTU25", "KINECT20", "COCO17"):
            return load_layout(name.lower())
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def layout_names() -> tuple[str, ...]:
    """The layouts that there are, those of plug-ins too."""
    return LAYOUTS.names()


def load_layout(layout: str | Path | SkeletonLayout) -> SkeletonLayout:
    """The layout of that name, or of that `.yaml` file. Raises ValueError in one line where there is none, or its file
    is wrong.

    Example:
        >>> load_layout("body16").joints[:4]
        ('pelvis', 'spine', 'neck', 'head')
        >>> load_layout("body17")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: unknown layout 'body17': did you mean body16 ... or give the path of a .yaml file
    """
    if isinstance(layout, SkeletonLayout):
        return layout
    if isinstance(layout, Path) or layout.endswith((".yaml", ".yml")):
        return _read(Path(layout), Path(layout).stem)
    try:
        entry = LAYOUTS.get(layout)
    except ValueError as error:
        raise ValueError(f"{error}; or give the path of a .yaml file") from None
    return entry if isinstance(entry, SkeletonLayout) else _read_once(entry, layout)


def _read(path: Path, name: str) -> SkeletonLayout:
    from kinestream.skeleton.layout_file import read_fields  # and YAML, which not everybody needs

    try:
        return SkeletonLayout(name=name, **read_fields(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


_read_once = cache(_read)
