"""BVH files (Biovision): a skeleton, and for each frame the rotations of its joints.

A joint is where its bone begins, so `LeftUpLeg` is the left hip; the end of the last bone is a joint `PARENT_end`. The
file says neither units nor which axis points up.
"""

import math
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.bvh_hierarchy import Hierarchy, Joint, read_hierarchy
from kinestream.data.formats.decimals import split_words
from kinestream.data.formats.lines import TextFile, parse_numbers
from kinestream.data.formats.rotations import AXES, Rotation, applied, identity, rotated
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.tree import layout_of_tree
from kinestream.words import shown

LARGEST = 1e6
"""Coordinate in any unit, or angle in degrees; a larger one is damage."""
_TITLE = "the joints of a BVH file"
_SOURCE = "Meredith and Maddock 2001, Motion capture file formats explained"


def read(source: Source) -> list[Found]:
    """Reads a file: one recording with a body for each of its skeletons, or several where they differ. Raises
    RecordingError with the line."""
    with TextFile(source.path) as file:
        hierarchy = read_hierarchy(file)
        said, fps = _read_rate(file)
        room = min(file.count_rest(), (file.size - file.tell()) // (2 * hierarchy.columns) + 1)
        joints = np.empty((room, len(hierarchy.joints), 3))
        frames, unseen, offsets_add = 0, 0, None
        for text, first in file.blocks():
            rows = _rows(text, first, hierarchy.columns)
            if offsets_add is None:
                offsets_add = positions_add(hierarchy, rows)
            placed = place_joints(hierarchy, rows, offsets_add=offsets_add)
            if (np.abs(placed) > LARGEST).any():
                raise RecordingError(f"a joint beyond {LARGEST:,.0f}: not a position", first)
            unseen += int(np.isnan(placed).any(axis=(1, 2)).sum())
            joints[frames : frames + len(placed)] = placed
            frames += len(placed)
    if not frames:
        raise RecordingError("no frames")
    notes = []
    if said != frames:
        notes.append(f"the file says {said:,} frames and has {frames:,}")
    if unseen:
        notes.append(f"{unseen:,} frames have joints without a number (nan)")
    if moved := sum(joint.parent >= 0 and _has_position(joint) for joint in hierarchy.joints):
        how = "added to" if offsets_add else "taken instead of"
        notes.append(f"{moved} joints beside the root have positions, {how} their offsets")
    return _people(hierarchy, joints[:frames], fps, notes)


def _read_rate(file: TextFile) -> tuple[int, float | None]:
    """Frames and frames a second as the file says."""
    told: dict[str, str] = {}
    while len(told) < 2 and (text := file.line()) is not None:
        key, colon, value = text.partition(":")
        if not text.strip():
            continue
        expected = ("frames", "frame time")[len(told)]
        if not colon or " ".join(key.lower().split()) != expected:
            raise RecordingError(f"'{shown(text.strip())}' where '{expected.title()}:' belongs", file.number)
        told[expected] = value.strip()
    if len(told) < 2:
        raise RecordingError("it ends after its skeleton: no frames", file.number)
    try:
        return int(told["frames"]), rate_of(told["frame time"])
    except ValueError:
        raise RecordingError(
            f"'{shown(told['frames'])}' frames of '{shown(told['frame time'])}' seconds: numbers belong there",
            file.number,
        ) from None


def rate_of(frame_time: str) -> float | None:
    """Frames a second. A frame time is rounded when it is written: it means the whole number that is written so.

    Example:
        >>> rate_of(".0083333"), rate_of("0.04"), rate_of("0.041708"), rate_of("0")
        (120.0, 25.0, 23.976215594130622, None)
    """
    seconds = float(frame_time)
    if not math.isfinite(seconds) or not 1e-5 < seconds < 1e5:
        return None
    whole = round(1 / seconds)
    places = len(frame_time.partition(".")[2]) if "e" not in frame_time.lower() else 0
    is_whole = whole > 0 and abs(1 / seconds - whole) < 2e-3 * whole and round(1 / whole, places) == seconds
    return float(whole) if is_whole else 1 / seconds


def _rows(text: bytes, first: int, columns: int) -> Float64[np.ndarray, "t columns"]:
    """The numbers of some lines. Raises RecordingError with the line."""
    tokens = split_words(text)
    counts = np.diff(tokens.first)
    wrong = np.flatnonzero(counts != columns)
    if len(tokens.starts) and len(wrong):
        line = first - 1 + int(tokens.numbers[wrong[0]])
        raise RecordingError(f"{counts[wrong[0]]} numbers where the skeleton has {columns} channels", line)
    rows = parse_numbers(tokens, np.arange(len(tokens.starts)), first).reshape(-1, columns)
    far = np.flatnonzero((np.abs(rows) > LARGEST).any(axis=1))
    if len(far):
        line = first - 1 + int(tokens.numbers[far[0]])
        raise RecordingError(f"a number beyond {LARGEST:,.0f}: neither an angle nor a position", line)
    return rows


def positions_add(hierarchy: Hierarchy, rows: Float64[np.ndarray, "t columns"]) -> bool:
    """Whether position channels are displacements, to be added to the offsets.

    Programs differ: most write where a joint is from its parent, offset included, others how far it is from its offset.
    What the bones of joints beside the root would be tells the two apart.
    """
    instead = added = 0.0
    for joint in hierarchy.joints:
        if joint.parent >= 0 and _has_position(joint) and len(rows):
            way = _way(joint, rows, offsets_add=False)
            instead += float(np.median(np.linalg.norm(way - np.asarray(joint.offset)[:, None], axis=0)))
            added += float(np.median(np.linalg.norm(way, axis=0)))
    return added < instead


def place_joints(
    hierarchy: Hierarchy, rows: Float64[np.ndarray, "t columns"], *, offsets_add: bool
) -> Float64[np.ndarray, "t v 3"]:
    """Where all joints are."""
    places = np.empty((len(hierarchy.joints), 3, len(rows)))
    turns: list[Rotation] = []
    for v, joint in enumerate(hierarchy.joints):
        way = _way(joint, rows, offsets_add=offsets_add)
        base = turns[joint.parent] if joint.parent >= 0 else identity(len(rows))
        places[v] = way if joint.parent < 0 else places[joint.parent] + applied(base, way)
        angles = [
            (axis, np.radians(rows[:, joint.first + at]))
            for at, (axis, kind) in enumerate(joint.channels)
            if kind == "rotation"
        ]
        turns.append(rotated(base, angles))
    return places.transpose(2, 0, 1)


def _has_position(joint: Joint) -> bool:
    return any(kind == "position" for _, kind in joint.channels)


def _way(joint: Joint, rows: Float64[np.ndarray, "t columns"], *, offsets_add: bool) -> Float64[np.ndarray, "3 t"]:
    """From its parent, before that is rotated; along an axis without a channel, the offset stays."""
    assert joint.offset is not None
    way = np.repeat(np.asarray(joint.offset, dtype=np.float64)[:, None], len(rows), axis=1)
    for at, (axis, kind) in enumerate(joint.channels):
        if kind == "position":
            told = rows[:, joint.first + at]
            way[AXES.index(axis)] = told + (way[AXES.index(axis)] if offsets_add else 0.0)
    return way


def _people(
    hierarchy: Hierarchy, joints: Float64[np.ndarray, "t v 3"], fps: float | None, notes: list[str]
) -> list[Found]:
    """Skeletons with the same joints are the bodies of one recording; each other one is a recording by itself."""
    alike: dict[tuple[tuple[str, ...], tuple[int, ...]], list[list[int]]] = {}
    for tree in hierarchy.roots():
        parents = tuple(tree.index(max(hierarchy.joints[place].parent, tree[0])) for place in tree)
        alike.setdefault((_own_names([hierarchy.joints[place].name for place in tree]), parents), []).append(tree)
    found = []
    for (names, parents), trees in alike.items():
        if len(trees) == 1:
            names = tuple(hierarchy.joints[place].name for place in trees[0])
        layout, told = None, notes
        try:
            layout = layout_of_tree(f"bvh{len(names)}", names, parents, title=_TITLE, source=_SOURCE)
        except ValueError as error:
            told = [*notes, str(error)]
        found.append(
            Found(
                joints=joints[:, trees[0], None].swapaxes(1, 2) if len(trees) == 1 else joints[:, np.asarray(trees)],
                layout=layout,
                points=() if layout else names,
                fps=fps,
                name=names[0] if len(alike) > 1 else "",
                notes=tuple(told),
            )
        )
    return found


def _own_names(names: Sequence[str]) -> tuple[str, ...]:
    """Without what all begin with up to a sign, which tells skeletons of one kind apart: `P1:`, `P2:`."""
    start = re.match(r".*[:|_. ]", names[0])
    shared = start[0] if start else ""
    while shared and not all(name.startswith(shared) and name != shared for name in names):
        shared = "".join(re.findall(r"[^:|_. ]*[:|_. ]", shared)[:-1])
    return tuple(name[len(shared) :] for name in names)


FORMATS.add("bvh", Format(suffixes=(".bvh",), read=read, looks_like="BVH motion capture", files_a_task=2))
