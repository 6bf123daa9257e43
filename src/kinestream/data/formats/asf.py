"""ASF files (Acclaim): the skeleton that AMC files move.

A bone is known by its far end: the place of `lfemur` is that of the left knee.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from kinestream.data.formats.lines import TextFile
from kinestream.data.recording import RecordingError
from kinestream.skeleton.layout import MOST_JOINTS
from kinestream.words import shown

ROOT = "root"
_MOST_BYTES = 4_000_000
_LARGEST = 1e6
_NOT_READ = ("limits", "bodymass", "cofmass", "id")


@dataclass(kw_only=True)
class Bone:
    """A bone, or the root, which has no length."""

    name: str
    way: Float64[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3))
    """From its near to its far end while nothing is rotated; of the root, where it is."""
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of its own axes, in the units of the file."""
    order: str = "xyz"
    """In which the rotations about its axes are done, for these angles and those of the motion."""
    dof: tuple[str, ...] = ()
    """What moves, in the order of the numbers in an AMC file: `rx` to `rz`, of the root also `tx` to `tz`."""
    parent: int = 0
    """Its place among the bones; the root's own for the root."""


@dataclass(kw_only=True)
class Skeleton:
    """The root and the bones, each after the one it hangs on."""

    bones: list[Bone]
    length: float | None = None
    """Coordinates divided by this are inches."""
    degrees: bool = True


def read_asf(path: Path) -> Skeleton:
    """Raises RecordingError, naming the file and the line."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise RecordingError(f"over {_MOST_BYTES // 1_000_000} MB: no skeleton is that large")
        with TextFile(path) as file:
            return _Reader().read(file)
    except (RecordingError, OSError) as error:
        raise RecordingError(f"its skeleton {shown(path.name)}: {error}") from None


class _Reader:
    def __init__(self) -> None:
        self.root = Bone(name=ROOT)
        self.bones: dict[str, Bone] = {ROOT: self.root}
        self.parents: dict[str, str] = {}
        self.units: dict[str, str] = {}
        self.open: dict[str, list[str]] | None = None
        """The keys of the bone whose `end` has not come."""
        self.in_hierarchy = False
        self.line = 0

    def read(self, file: TextFile) -> Skeleton:
        section = ""
        while (text := file.line(comment=b"#")) is not None:
            self.line = file.number
            words = text.split("#")[0].split()
            if not words:
                continue
            if words[0].startswith(":"):
                self._check_closed()
                section = words[0][1:].lower()
            elif not section:
                raise RecordingError(f"'{shown(words[0])}' before any section: no ASF file", self.line)
            elif section in ("units", "root", "bonedata", "hierarchy"):
                getattr(self, f"_{section}")(words)
        self._check_closed()
        return self._made()

    def _units(self, words: list[str]) -> None:
        self.units[words[0].lower()] = words[-1].lower()

    def _root(self, words: list[str]) -> None:
        key, values = words[0].lower(), words[1:]
        if key == "order":
            self.root.dof = self._dof(values, "tx ty tz rx ry rz")
        elif key == "axis":
            self.root.order = self._order(values)
        elif key == "position":
            self.root.way = np.asarray(self._numbers(values, 3, key))
        elif key == "orientation":
            x, y, z = self._numbers(values, 3, key)
            self.root.angles = (x, y, z)

    def _bonedata(self, words: list[str]) -> None:
        key = words[0].lower()
        if key == "begin":
            self._check_closed()
            self.open = {}
        elif self.open is None:
            raise RecordingError(f"'{shown(words[0])}' outside of begin and end", self.line)
        elif key == "end":
            self._close(self.open)
            self.open = None
        elif key in ("name", "direction", "length", "axis", "dof"):
            if key in self.open:
                raise RecordingError(f"a second {key} of a bone", self.line)
            self.open[key] = words[1:]
        elif key not in _NOT_READ and not key.startswith("("):
            raise RecordingError(f"'{shown(words[0])}' is no key of a bone", self.line)

    def _close(self, told: dict[str, list[str]]) -> None:
        lacking = [key for key in ("name", "direction", "length", "axis") if not told.get(key)]
        if lacking:
            raise RecordingError(f"a bone without {lacking[0]}", self.line)
        name = told["name"][0]
        if len(told["name"]) != 1 or not name.isprintable() or name in self.bones:
            raise RecordingError(
                f"bone '{shown(' '.join(told['name']))}': a new name of one word belongs there", self.line
            )
        if len(self.bones) >= MOST_JOINTS:
            raise RecordingError(f"over {MOST_JOINTS} bones", self.line)
        direction = np.asarray(self._numbers(told["direction"], 3, "direction"))
        (length,) = self._numbers(told["length"], 1, "length")
        norm = float(np.linalg.norm(direction))
        if norm == 0 and length != 0:
            raise RecordingError(f"bone {shown(name)} has a length and no direction", self.line)
        x, y, z = self._numbers(told["axis"][:3], 3, "axis")
        self.bones[name] = Bone(
            name=name,
            way=direction * (length / norm if norm else 0.0),
            angles=(x, y, z),
            order=self._order(told["axis"][3:]),
            dof=self._dof(told.get("dof", []), "rx ry rz"),
        )

    def _hierarchy(self, words: list[str]) -> None:
        if words == ["begin"] or words == ["end"]:
            return
        for name in words:
            if name not in self.bones:
                raise RecordingError(f"there is no bone '{shown(name)}'", self.line)
        for child in words[1:]:
            if child == ROOT or child in self.parents:
                raise RecordingError(f"'{shown(child)}' hangs on two bones, or is the root", self.line)
            self.parents[child] = words[0]

    def _made(self) -> Skeleton:
        if len(self.bones) < 2:
            raise RecordingError("no bones")
        loose = [name for name in self.bones if name != ROOT and name not in self.parents]
        if loose:
            raise RecordingError(f"bone '{shown(loose[0])}' hangs on nothing: no line of :hierarchy names it")
        if not self.root.dof:
            raise RecordingError("no order of the numbers of the root")
        order: list[str] = [ROOT]
        for name in order:
            order += [child for child, parent in self.parents.items() if parent == name]
        if len(order) != len(self.bones):
            raise RecordingError("some bones hang in a ring, not on the root")
        for bone in self.bones.values():
            told = [one[1] for one in bone.dof if one[0] == "r"]
            if told != [axis for axis in bone.order if axis in told]:
                raise RecordingError(f"'{shown(bone.name)}': its dof and its axis differ in the order of rotations")
        for name, parent in self.parents.items():
            self.bones[name].parent = order.index(parent)
        angle = self.units.get("angle", "deg")
        if angle[:3] not in ("deg", "rad"):
            raise RecordingError(f"angle '{shown(angle)}': deg or rad")
        length = self._numbers([self.units["length"]], 1, "length")[0] if "length" in self.units else None
        if length is not None and not 1e-6 < length < _LARGEST:
            raise RecordingError(f"length {length}: inches are coordinates divided by it")
        return Skeleton(bones=[self.bones[name] for name in order], length=length, degrees=angle.startswith("deg"))

    def _check_closed(self) -> None:
        if self.open is not None:
            raise RecordingError("a bone without its end: the file is cut", self.line)

    def _numbers(self, words: Sequence[str], count: int, key: str) -> list[float]:
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        if len(values) != count or not all(math.isfinite(value) and abs(value) < _LARGEST for value in values):
            what = "a number belongs" if count == 1 else f"{count} numbers belong"
            raise RecordingError(f"{key} '{shown(' '.join(words))}': {what} there", self.line or None)
        return values

    def _order(self, words: Sequence[str]) -> str:
        order = "".join(words).lower()
        if sorted(order) != ["x", "y", "z"]:
            raise RecordingError(f"axis '{shown(' '.join(words))}': an order such as XYZ belongs there", self.line)
        return order

    def _dof(self, words: Sequence[str], known: str) -> tuple[str, ...]:
        told = tuple(word.lower() for word in words)
        if len({*told}) != len(told) or not {*told} <= {*known.split()}:
            raise RecordingError(
                f"'{shown(' '.join(words))}': only {known} are read, each once: bones that change their length or "
                "move by themselves are not",
                self.line,
            )
        return told
