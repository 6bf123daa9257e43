"""The first half of a BVH file: its joints, and which column of the second half moves what."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from kinestream.data.formats.lines import TextFile
from kinestream.data.recording import RecordingError
from kinestream.skeleton.layout import MOST_JOINTS
from kinestream.words import shown

_CHANNELS = {f"{axis}{kind}": (axis, kind) for axis in "xyz" for kind in ("position", "rotation")}
_MOST_LINES = 20 * MOST_JOINTS
_LARGEST_OFFSET = 1e6


@dataclass(kw_only=True)
class Joint:
    """A joint, or an end site. Those that it hangs on come before it."""

    name: str
    parent: int
    """Its place among the joints; -1 for a root."""
    line: int
    offset: tuple[float, float, float] | None = None
    channels: tuple[tuple[str, str], ...] = ()
    """Axis (`x`, `y`, `z`) and `position` or `rotation`, in the order of the columns."""
    first: int = 0
    """Column of the first of them."""
    is_end: bool = False
    ends: int = 0
    """End sites that hang on it."""


@dataclass(kw_only=True)
class Hierarchy:
    """All joints of a file."""

    joints: list[Joint] = field(default_factory=list)
    columns: int = 0

    def roots(self) -> list[list[int]]:
        """The joints of each tree."""
        trees: dict[int, list[int]] = {}
        root_of: list[int] = []
        for place, joint in enumerate(self.joints):
            root_of.append(place if joint.parent < 0 else root_of[joint.parent])
            trees.setdefault(root_of[-1], []).append(place)
        return list(trees.values())


def read_hierarchy(file: TextFile) -> Hierarchy:
    """Reads up to the line MOTION. Raises RecordingError with the line."""
    made = Hierarchy()
    path: list[int] = []
    """The joints whose braces are open, with their lines."""
    waiting: int | None = None
    """A joint whose brace comes next."""
    begun = False
    for words, name in _statements(file):
        line, word = file.number, words[0].upper()
        if not begun:
            if word != "HIERARCHY":
                raise RecordingError(f"'{shown(words[0])}' where HIERARCHY belongs: this is no BVH file", line)
            begun = True
        elif waiting is not None and word != "{":
            raise RecordingError(
                f"'{shown(words[0])}' where the {{ of {shown(made.joints[waiting].name)} belongs", line
            )
        elif word == "{":
            if waiting is None:
                raise RecordingError("{ where no joint begins", line)
            path.append(waiting)
            waiting = None
        elif word == "}":
            if not path:
                raise RecordingError("} without its {", line)
            _check_whole(made.joints[path.pop()], line)
        elif word in ("ROOT", "JOINT", "END"):
            waiting = _begin(made, word, name, path, line)
        elif word in ("OFFSET", "CHANNELS"):
            if not path:
                raise RecordingError(f"{word} outside of a joint", line)
            (_give_offset if word == "OFFSET" else _give_channels)(made, made.joints[path[-1]], words[1:], line)
        elif word == "MOTION":
            if path:
                raise RecordingError(f"MOTION before the }} of {shown(made.joints[path[-1]].name)}", line)
            return _checked(made, line)
        else:
            raise RecordingError(f"'{shown(words[0])}' is no word of a BVH file", line)
    raise RecordingError("no line MOTION: the file is cut, or no BVH file", file.number or None)


def _statements(file: TextFile) -> Iterator[tuple[list[str], str]]:
    """The words of a line, a brace always by itself, and what follows the first word."""
    while (text := file.line()) is not None:
        if file.number > _MOST_LINES:
            raise RecordingError(f"no MOTION in its first {_MOST_LINES:,} lines: no BVH file", file.number)
        for part in text.replace("{", "\n{\n").replace("}", "\n}\n").split("\n"):
            words = part.split()
            if words:
                yield words, " ".join(words[1:])


def _begin(made: Hierarchy, word: str, name: str, path: list[int], line: int) -> int:
    if (word == "ROOT") == bool(path):
        raise RecordingError(f"{word} {'within' if path else 'outside of'} a joint", line)
    if len(made.joints) >= MOST_JOINTS:
        raise RecordingError(f"over {MOST_JOINTS} joints", line)
    parent = path[-1] if path else -1
    if word == "END":
        above = made.joints[parent]
        if above.is_end:
            raise RecordingError("an end site on an end site", line)
        above.ends += 1
        name = f"{above.name}_end{above.ends if above.ends > 1 else ''}"
    elif not name or not name.isprintable():
        raise RecordingError(f"'{shown(name)}' is no name of a joint", line)
    elif path and made.joints[parent].is_end:
        raise RecordingError(f"joint {shown(name)} on an end site", line)
    made.joints.append(Joint(name=name, parent=parent, line=line, is_end=word == "END"))
    return len(made.joints) - 1


def _give_offset(made: Hierarchy, joint: Joint, words: list[str], line: int) -> None:
    try:
        x, y, z = (float(word) for word in words)
    except ValueError:
        raise RecordingError(f"OFFSET '{shown(' '.join(words))}': three numbers belong there", line) from None
    if not all(math.isfinite(value) and abs(value) <= _LARGEST_OFFSET for value in (x, y, z)):
        raise RecordingError(f"OFFSET '{shown(' '.join(words))}': no length of a bone", line)
    if joint.offset is not None:
        raise RecordingError(f"a second OFFSET of {shown(joint.name)}", line)
    joint.offset = (x, y, z)


def _give_channels(made: Hierarchy, joint: Joint, words: list[str], line: int) -> None:
    told = [word.lower() for word in words[1:]]
    unknown = [word for word in told if word not in _CHANNELS]
    if unknown:
        raise RecordingError(f"channel '{shown(unknown[0])}': there are Xposition to Zrotation", line)
    if not words or words[0] != str(len(told)) or len({*told}) != len(told):
        raise RecordingError(f"CHANNELS '{shown(' '.join(words))}': a number and as many different names belong", line)
    if joint.channels or joint.is_end:
        raise RecordingError(f"CHANNELS of {shown(joint.name)}, which has none or has them already", line)
    joint.channels = tuple(_CHANNELS[word] for word in told)
    joint.first = made.columns
    made.columns += len(told)


def _check_whole(joint: Joint, line: int) -> None:
    if joint.offset is None:
        raise RecordingError(f"{shown(joint.name)} has no OFFSET", line)


def _checked(made: Hierarchy, line: int) -> Hierarchy:
    if not made.joints:
        raise RecordingError("no joints before MOTION", line)
    if not made.columns:
        raise RecordingError("no CHANNELS: nothing moves", line)
    for tree in made.roots():
        seen: set[str] = set()
        for joint in (made.joints[place] for place in tree):
            while joint.is_end and joint.name in seen:
                joint.name += "_"
            if joint.name in seen:
                raise RecordingError(f"a second joint {shown(joint.name)}", joint.line)
            seen.add(joint.name)
    return made
