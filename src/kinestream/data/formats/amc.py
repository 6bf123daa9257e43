"""AMC files (Acclaim): for each frame the angles of the bones of a skeleton in an ASF file beside it.

As the CMU data set has them: `01_01.amc` moves `01.asf`. The frames a second stand in neither file as a rule.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.asf import Bone, Skeleton, read_asf
from kinestream.data.formats.decimals import Tokens, split_words
from kinestream.data.formats.lines import TextFile, parse_numbers, spelled
from kinestream.data.formats.rotations import AXES, Rotation, applied, identity, rotated
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.files import entries
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.skeleton.tree import layout_of_tree
from kinestream.words import shown

SKELETON = ".asf"
LARGEST = 1e6
_TITLE = "the bones of an ASF file, each known by its far end"
_NUMBER = re.compile(r"\d{1,9}")


def read(source: Source) -> Found:
    """Reads a motion with its skeleton. Raises RecordingError with the line."""
    skeleton = read_asf(find_skeleton(source.path))
    with TextFile(source.path) as file:
        degrees, fps = _read_header(file, degrees=skeleton.degrees)
        lines = 1 + sum(bool(bone.dof) for bone in skeleton.bones)
        joints = np.empty((file.count_rest() // lines + 1, len(skeleton.bones), 3))
        count = 0
        for values in _frames(file, skeleton):
            placed = place_bones(skeleton, values, degrees=degrees)
            if (np.abs(placed) > LARGEST).any():
                raise RecordingError(f"a bone beyond {LARGEST:,.0f}: not a position", file.number)
            joints[count : count + len(placed)] = placed
            count += len(placed)
    if not count:
        raise RecordingError("no frames")
    joints = joints[:count]
    units = None
    if skeleton.length is not None and skeleton.length != 1:
        joints /= skeleton.length
        units = "in"
    layout, order, why = _layout_of(skeleton)
    joints = joints if order == [*range(len(order))] else joints[:, order]
    points = () if layout else tuple(bone.name for bone in skeleton.bones)
    return Found(joints=joints[:, None], layout=layout, points=points, fps=fps, units=units, notes=why)


def find_skeleton(path: Path) -> Path:
    """The ASF file of an AMC file: the one whose name its own begins with, else the only one, in its folder or the one
    above. Raises RecordingError where there is none."""
    for folder in (path.parent, path.absolute().parent.parent):
        files = [file for file in entries(folder) if file.suffix.lower() == SKELETON]
        named = [file for file in files if _begins_with(path.stem.lower(), file.stem.lower())]
        if named:
            return max(named, key=lambda file: len(file.stem))
        if len(files) == 1:
            return files[0]
    raise RecordingError(
        f"no {SKELETON} file beside it or in the folder above that has its name or is the only one there"
    )


def _begins_with(name: str, start: str) -> bool:
    return name == start or (name.startswith(start) and not name[len(start)].isalnum())


def _read_header(file: TextFile, *, degrees: bool) -> tuple[bool, float | None]:
    """Up to the first frame: whether angles are degrees, given what the skeleton says, and the frames a second."""
    fps = None
    while (text := file.line(comment=b"#")) is not None:  # HDM05 has folders there, with letters of Latin-1
        words = text.split()
        if words and words[0].isdecimal() and len(words) == 1:
            file.unread()
            return degrees, fps
        if not words or words[0].startswith("#"):
            continue
        if not words[0].startswith(":"):
            raise RecordingError(f"'{shown(text.strip())}' where the number of a frame belongs", file.number)
        key = words[0][1:].upper()
        if key in ("DEGREES", "RADIANS"):
            degrees = key == "DEGREES"
        elif key == "SAMPLES-PER-SECOND" and len(words) == 2 and _NUMBER.fullmatch(words[1]):
            fps = float(words[1]) or None
    raise RecordingError("no frames", file.number or None)


def _frames(file: TextFile, skeleton: Skeleton) -> Iterator[dict[str, Float64[np.ndarray, "t dof"]]]:
    """The numbers of each bone that moves, some frames at a time. Every frame has the lines of the first, in its order.
    Raises RecordingError with the line."""
    moving = {bone.name.encode(): len(bone.dof) for bone in skeleton.bones if bone.dof}
    names: list[bytes] = []
    rest, start = b"", 0
    next_frame: int | None = None
    for text, number in file.blocks():
        first = start if rest else number
        tokens = split_words(rest + text)
        lines = 1 + len(moving)
        if len(tokens.numbers) < lines:
            rest, start = tokens.text, first
            continue
        names = names or _order_of(tokens, moving, first)
        whole = len(tokens.numbers) // lines
        frames = _Frames(tokens=tokens, first=first, names=names, counts=[moving[name] for name in names], whole=whole)
        next_frame = frames.check(next_frame)
        if whole:
            yield frames.values()
        at = whole * lines
        rest = tokens.text[tokens.starts[tokens.first[at]] :] if at < len(tokens.numbers) else b""
        start = first - 1 + int(tokens.numbers[at]) if rest else 0
    if rest.strip():
        names = names or _order_of(split_words(rest), moving, start)
        raise RecordingError(f"the last frame has fewer than the {len(names)} bones of the others", file.number)


def _order_of(tokens: Tokens, moving: dict[bytes, int], first: int) -> list[bytes]:
    """The names of the bones in the first frame, which must be all that move."""
    names: list[bytes] = []
    for line in range(1, min(1 + len(moving), len(tokens.numbers))):
        name = tokens.word(int(tokens.first[line]))
        if name not in moving or name in names:
            why = "stands twice in a frame" if name in names else "is no bone of the skeleton that moves"
            raise RecordingError(f"'{spelled(name)}' {why}", first - 1 + int(tokens.numbers[line]))
        names.append(name)
    if len(names) < len(moving):
        lacking = next(name for name in moving if name not in names)
        raise RecordingError(f"the first frame has no '{spelled(lacking)}'", first)
    return names


@dataclass(frozen=True, kw_only=True)
class _Frames:
    """Some frames of a file, as words."""

    tokens: Tokens
    first: int
    """Number of the first line."""
    names: list[bytes]
    counts: list[int]
    """Of the numbers of each bone."""
    whole: int
    """Frames that are there with all lines."""

    @cached_property
    def words(self) -> Int64[np.ndarray, "t words"]:
        """For each frame the places of its words."""
        each = 1 + sum(1 + count for count in self.counts)
        return np.arange(self.whole * each).reshape(self.whole, each)

    def check(self, number: int | None) -> int | None:
        """That all lines are what they must be, and the frames are numbered on from `number`; returns the next one."""
        tokens, lines = self.tokens, 1 + len(self.names)
        per_line = np.diff(tokens.first)[: self.whole * lines].reshape(self.whole, lines)
        expected = np.asarray([1, *(1 + count for count in self.counts)])
        wrong = np.argwhere(per_line != expected)
        if len(wrong):
            frame, line = (int(place) for place in wrong[0])
            what = (
                "the number of a frame belongs"
                if line == 0
                else (f"'{spelled(self.names[line - 1])}' and {expected[line] - 1} numbers belong")
            )
            raise RecordingError(f"{per_line[frame, line]} words where {what}", self._line(frame * lines + line))
        if not self.whole:
            return number
        codes = np.frombuffer(tokens.text, dtype=np.uint8)
        words, column = self.words, 1
        for place, (name, count) in enumerate(zip(self.names, self.counts, strict=True)):
            starts = tokens.starts[words[:, column]]
            same = tokens.ends[words[:, column]] - starts == len(name)
            for at, code in enumerate(name):
                same &= codes.take(starts + at, mode="clip") == code
            if not same.all():
                frame = int(np.flatnonzero(~same)[0])
                found = spelled(tokens.word(int(words[frame, column])))
                raise RecordingError(
                    f"'{found}' where the first frame has '{spelled(name)}'", self._line(frame * lines + 1 + place)
                )
            column += 1 + count
        numbers = self._parse(words[:, 0])
        begin = numbers[0] if number is None else number
        jumps = np.flatnonzero(numbers != begin + np.arange(self.whole))
        if len(jumps):
            at = int(jumps[0])
            raise RecordingError(f"frame {numbers[at]:g} where {begin + at:g} belongs", self._line(at * lines))
        return int(begin) + self.whole

    def values(self) -> dict[str, Float64[np.ndarray, "t dof"]]:
        ends = np.cumsum([1 + count for count in self.counts])
        names = [0, 1, *(1 + ends[:-1])]  # and the number of the frame
        numbers = self._parse(np.delete(self.words, names, axis=1).ravel()).reshape(self.whole, -1)
        parts = np.split(numbers, np.cumsum(self.counts)[:-1], axis=1)
        return {name.decode(): part for name, part in zip(self.names, parts, strict=True)}

    def _parse(self, words: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        numbers = parse_numbers(self.tokens, words, self.first)
        if not np.isfinite(numbers).all():
            word = int(words[np.flatnonzero(~np.isfinite(numbers))[0]])
            raise RecordingError("a number that is not finite", self.first - 1 + self.tokens.line_of(word))
        return numbers

    def _line(self, filled: int) -> int:
        return self.first - 1 + int(self.tokens.numbers[filled])


def place_bones(
    skeleton: Skeleton, values: dict[str, Float64[np.ndarray, "t dof"]], *, degrees: bool
) -> Float64[np.ndarray, "t v 3"]:
    """The far ends of all bones, and the root, in the units of the file."""
    frames = len(next(iter(values.values())))
    places = np.empty((len(skeleton.bones), 3, frames))
    turns: list[Rotation] = []
    for v, bone in enumerate(skeleton.bones):
        told = dict(zip(bone.dof, values[bone.name].T, strict=True)) if bone.dof else {}
        axes = _own_axes(bone, degrees=skeleton.degrees)
        motion = [
            (axis, np.radians(told[f"r{axis}"]) if degrees else told[f"r{axis}"])
            for axis in reversed(bone.order)  # the first is the innermost
            if f"r{axis}" in told
        ]
        base = identity(frames) if v == 0 else turns[bone.parent]
        turn = rotated(np.einsum("ijt,jk->ikt", base, axes), motion) if motion else base
        turn = np.einsum("ijt,kj->ikt", turn, axes) if motion else turn
        if v == 0:
            moved = np.stack([told.get(f"t{axis}", np.zeros(frames)) for axis in AXES])
            places[v] = bone.way[:, None] + moved
        else:
            places[v] = places[bone.parent] + applied(turn, bone.way[:, None])
        turns.append(turn)
    return places.transpose(2, 0, 1)


def _own_axes(bone: Bone, *, degrees: bool) -> Float64[np.ndarray, "3 3"]:
    angles = dict(zip(AXES, np.radians(bone.angles) if degrees else np.asarray(bone.angles), strict=True))
    return rotated(identity(1), [(axis, angles[axis][None]) for axis in reversed(bone.order)])[:, :, 0]


def _layout_of(skeleton: Skeleton) -> tuple[SkeletonLayout | None, list[int], tuple[str, ...]]:
    """The layout, for each of its joints the bone, and why there is none. The bones of CMU have a layout of theirs."""
    names = [bone.name for bone in skeleton.bones]
    parents = [bone.parent for bone in skeleton.bones]
    cmu = load_layout("cmu31")
    if {*names} == {*cmu.joints} and all(
        cmu.joints[cmu.parents[cmu.joints.index(name)]] == names[parent]
        for name, parent in zip(names, parents, strict=True)
    ):
        return cmu, [names.index(joint) for joint in cmu.joints], ()
    order = [*range(len(names))]
    try:
        return layout_of_tree(f"asf{len(names)}", names, parents, far_ends=True, title=_TITLE), order, ()
    except ValueError as error:
        return None, order, (str(error),)


FORMATS.add(
    "amc",
    Format(
        suffixes=(".amc",),
        read=read,
        looks_like="ASF/AMC motion capture",
        companions=(SKELETON,),
        files_a_task=2,
    ),
)
