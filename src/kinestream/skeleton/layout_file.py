"""The YAML form of a layout.

    title: Kinect v1              # what it is, in a line; `source` may say where its definition stands
    joints: [hip, spine, ...]     # in the order of the recordings
    chains:                       # each joint hangs on the one before it; the first of all is the root
      - spine hip                 # words or a list
      - hip SIDE_hip SIDE_knee    # stands for a left and a right chain
    bones: [[hip, spine], ...]    # instead of chains: child and parent
    root: spine                   # only if bones leave it open
    pairs: auto                   # left and right joints, found by their names; or a list of pairs
    heading: [left_shoulder, right_shoulder]
    pelvis: hip                   # or the joints whose mean it is
    aliases: {hip: pelvis}        # joints that correspond to those of another name in other layouts
    derive: {neck: [left_shoulder, right_shoulder]}    # what it has only as a mean
    markers: {left_knee: [LKNE, LKNEM]}    # points of a file whose mean a joint is: motion capture, columns of a table
    units: m                      # of recordings: m, cm, mm, in or px
    up: y                         # the axis of recordings that points up: x, y, z, or one of these with a minus

Lists of joints may be written as words in one string.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kinestream.documents import read_yaml
from kinestream.words import shown, unknown

_LONGEST = 100
"""Letters of a name."""
_WORDS = ("title", "source", "units", "up")
_KEYS = ("joints", "chains", "bones", "root", "pairs", "heading", "pelvis", "aliases", "derive", "markers", *_WORDS)


def read_fields(path: Path) -> dict[str, Any]:
    """The fields of a `SkeletonLayout`, all but its name. Raises ValueError, naming the key."""
    plain = _load(path)
    for key in plain:
        if key not in _KEYS:
            raise ValueError(unknown("key", key, _KEYS, most=len(_KEYS)))
    joints = _names(plain, "joints")
    if twice := [joint for v, joint in enumerate(joints) if joint in joints[:v]][:1]:
        raise ValueError(f"'joints': a joint name stands twice: {twice[0]}")
    known = {joint: v for v, joint in enumerate(joints)}

    def indices(names: Iterable[str], key: str) -> tuple[int, ...]:
        return tuple(known[_known(name, known, key)] for name in names)

    aliases = _mapping(plain, "aliases")
    for own, name in aliases.items():
        if not isinstance(name, str):
            raise ValueError(f"'aliases': {own}: {shown(name)} is no name")
    derive = {name: _words(parts, f"derive: {name}") for name, parts in _mapping(plain, "derive").items()}
    markers = {name: _words(points, f"markers: {name}") for name, points in _mapping(plain, "markers").items()}
    parent_of = _parents(plain, joints)
    canonical = {aliases.get(joint, joint): joint for joint in joints}
    heading = _names(
        plain, "heading", default=first_of(canonical, "left_shoulder right_shoulder", "left_hip right_hip")
    )
    if len(heading) != 2:
        raise ValueError(f"'heading' must be two joints, the left and the right one, it has {len(heading)}")
    pelvis = _names(plain, "pelvis", default=first_of(canonical, "pelvis", "left_hip right_hip"))
    pairs = plain.get("pairs", "auto")
    paired = pairs_by_name(joints) if pairs == "auto" else _lists(plain, "pairs", length=2)
    words = {key: plain.get(key, "") for key in _WORDS}
    for key, value in words.items():
        if not isinstance(value, str):
            raise ValueError(f"'{key}' must be text, it is {shown(value)}")
    return {
        "joints": joints,
        "parents": indices((parent_of.get(joint, joint) for joint in joints), "bones"),
        "pairs": tuple(indices(pair, "pairs") for pair in paired),
        "heading": indices(heading, "heading"),
        "pelvis": indices(pelvis, "pelvis"),
        "aliases": aliases,
        "derive": derive,
        "markers": markers,
        **words,
    }


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError("there is no such file of a layout")
    plain = read_yaml(path, "it")
    if not isinstance(plain, dict):
        raise ValueError("it is not a mapping of keys to values")
    return plain


def _parents(plain: Mapping[str, Any], joints: Sequence[str]) -> dict[str, str]:
    """For every joint but the root the one that it hangs on."""
    key = "chains" if "chains" in plain else "bones"
    if ("bones" in plain) == ("chains" in plain):
        raise ValueError("it must have one of 'bones' and 'chains'")
    root = plain.get("root")
    if key == "bones":
        links = [(child, parent) for child, parent in _lists(plain, key, length=2)]
    else:
        chains = [chain for text in _lists(plain, key) for chain in _both_sides(text)]
        links = [link for chain in chains for link in zip(chain[1:], chain[:-1], strict=True)]
        root = root if root is not None or not chains else chains[0][0]
    if root is not None and not isinstance(root, str):
        raise ValueError(f"'root' must be the name of a joint, it is {shown(root)}")
    parent_of: dict[str, str] = {}
    for child, parent in links:
        for joint in (child, parent):
            _known(joint, joints, key)
        if parent_of.setdefault(child, parent) != parent or child == parent:
            raise ValueError(f"'{key}': {child} hangs on {parent}{'' if child == parent else ', and on another joint'}")
    if root is not None and _known(root, joints, "root") in parent_of:
        raise ValueError(f"'root': {root} hangs on {parent_of[root]}")
    free = [joint for joint in joints if joint not in parent_of]
    loose = free if root is None else [joint for joint in free if joint != root]
    if len(free) > 1:
        raise ValueError(f"'{key}': only the root may hang on nothing, but so do {', '.join(loose[:8])}")
    if not free:
        raise ValueError(f"'{key}': no joint is the root, they hang in a ring")
    return parent_of


def _both_sides(chain: tuple[str, ...]) -> list[tuple[str, ...]]:
    if not any("SIDE" in joint for joint in chain):
        return [chain]
    return [tuple(joint.replace("SIDE", side) for joint in chain) for side in ("left", "right")]


def pairs_by_name(joints: Sequence[str]) -> list[tuple[str, str]]:
    """Left joints with their right ones: `left` becomes `right` in the name, or an L at its beginning, at its end or
    between other signs an R."""
    patterns = (
        (r"left", "right"),
        (r"Left", "Right"),
        (r"LEFT", "RIGHT"),
        (r"^L|(?<![A-Za-z0-9])L(?![A-Za-z0-9])|L$", "R"),
        (r"^l|(?<![A-Za-z0-9])l(?![A-Za-z0-9])|l$", "r"),
    )
    there = set(joints)
    pairs = []
    for joint in joints:
        swapped = (re.sub(pattern, side, joint, count=1) for pattern, side in patterns)
        right = next((other for other in swapped if other != joint and other in there), None)
        if right is not None:
            pairs.append((joint, right))
    return pairs


def first_of(canonical: Mapping[str, str], *choices: str) -> tuple[str, ...] | None:
    """The joints of the first choice that there are."""
    for choice in choices:
        if all(name in canonical for name in choice.split()):
            return tuple(canonical[name] for name in choice.split())
    return None


def _known(name: str, joints: Iterable[str], key: str) -> str:
    known = tuple(joints)
    if name not in known:
        raise ValueError(f"'{key}': {unknown('joint', name, known)}")
    return name


def _names(plain: Mapping[str, Any], key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
    if key not in plain:
        if default is None:
            raise ValueError(f"'{key}' is missing")
        return default
    return _words(plain[key], key)


def _words(value: object, key: str) -> tuple[str, ...]:
    names = value.split() if isinstance(value, str) else value
    if not isinstance(names, list):
        raise ValueError(f"'{key}' must be a list of joints, it is {shown(value)}")
    for name in names:
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST or not name.isprintable():
            raise ValueError(f"'{key}': {shown(name)} is no name of a joint: put text in quotes")
    return tuple(names)


def _lists(plain: Mapping[str, Any], key: str, length: int | None = None) -> list[tuple[str, ...]]:
    if not isinstance(plain[key], list):
        raise ValueError(f"'{key}' must be a list of lists of joints, it is {shown(plain[key])}")
    lists = [_words(value, key) for value in plain[key]]
    for names in lists:
        if not names:
            raise ValueError(f"'{key}': a list without joints")
        if length is not None and len(names) != length:
            raise ValueError(f"'{key}': '{' '.join(names)[:80]}' must be {length} joints")
    return lists


def _mapping(plain: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = plain.get(key, {})
    if not isinstance(value, dict) or not all(isinstance(name, str) and name.isprintable() for name in value):
        raise ValueError(f"'{key}' must be a mapping of names, it is {shown(value)}")
    return value
