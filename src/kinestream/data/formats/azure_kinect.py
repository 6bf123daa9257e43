"""Azure Kinect bodies as JSON, as the offline processor of its samples writes them: millimetres, y down.

https://github.com/microsoft/Azure-Kinect-Samples/tree/master/body-tracking-samples/offline_processor
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.json_stream import entries, outline
from kinestream.data.formats.sightings import Sightings, as_frame, as_numbers, positive, rate, refuse_far
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import load_layout
from kinestream.words import shown

_LEVELS = np.array([0.0, 0.5, 1.0, 1.0])
"""Confidence of a joint by the tracker's levels: out of range, not observed but predicted, observed, and a level that
the tracker keeps for later."""
_LEVEL_KEYS = (
    "confidence_levels",
    "joint_confidence",
    "joint_confidences",
    "confidences",
    "confidence_level",
    "confidence",
)
_SIDE = re.compile(r"(.+)_(left|right)")
_FRAMES_PER_SECOND = re.compile(r"\D*(\d{1,3})\D*")


def read(source: Source) -> Found:
    """Raises RecordingError."""
    names: list[Any] = []
    seen: Sightings | None = None
    fps: float | None = None
    numbers, times = [], []
    for entry in entries(source.path):
        if entry.key == "joint_names" and entry.number:
            names.append(entry.value)
        elif entry.key in ("frames_per_second", "fps"):
            fps = _said_rate(entry.value)
        elif entry.key == "frames" and entry.number:
            place = f"frame {entry.number}"
            frame = entry.value
            bodies = frame.get("bodies", []) if isinstance(frame, dict) else None
            if not isinstance(bodies, list):
                raise RecordingError(f"{place}: no list 'bodies'")
            number = as_frame(frame["frame_id"], place) if "frame_id" in frame else entry.number - 1
            numbers.append(number)
            times.append(frame.get("timestamp_usec"))
            for rank, body in enumerate(bodies, start=1):
                seen = _add(seen, number, body, f"{place}, body {rank}")
    if seen is None:
        raise RecordingError(f"no body in any of its {len(numbers)} frames" if numbers else "no frames")
    for number in numbers:
        seen.add_frame(number)
    found = seen.assemble()
    joints, levels = found.points[..., :3].copy(), found.points[..., 3]
    refuse_far(joints, int(found.frames[0]))
    confidence = None
    if not np.isnan(levels).all():
        if not np.isin(levels[~np.isnan(levels)], range(len(_LEVELS))).all():
            raise RecordingError("a confidence that is none of the levels 0 to 3")
        confidence = _LEVELS[np.nan_to_num(levels).astype(np.int64)]
        joints[levels == 0] = np.nan
    joints[np.isnan(joints).any(axis=-1)] = np.nan
    notes: tuple[str, ...] = ()
    if fps is None:
        fps, notes = _rate(times, numbers)
    order, points = _order(names, seen.points)
    if order is not None:
        joints = joints[:, :, order]
        confidence = None if confidence is None else confidence[:, :, order]
    return Found(
        joints=joints,
        layout=None if points else load_layout("azure32"),
        points=points,
        confidence=confidence,
        bodies=found.bodies,
        in_any_order=found.bodies is None,
        fps=fps,
        units="mm",
        up="-y",
        notes=(*found.notes, *notes, "not read: orientations of joints"),
    )


def recognises(path: Path) -> bool:
    """Whether it has bodies with positions of joints, or says with which tracker it was made."""
    there = outline(path)
    return ".frames[].bodies[].joint_positions" in there or (
        "k4abt_sdk_version" in "".join(there) and ".joint_names" in there
    )


def _add(seen: Sightings | None, frame: int, body: Any, place: str) -> Sightings:
    positions = body.get("joint_positions") if isinstance(body, dict) else None
    if not isinstance(positions, list) or not positions or len(positions) > 1000:
        raise RecordingError(f"{place}: no list 'joint_positions'")
    seen = Sightings(len(positions), 4) if seen is None else seen
    levels = next((body[key] for key in _LEVEL_KEYS if isinstance(body.get(key), list)), [None] * len(positions))
    if len(levels) != len(positions):
        raise RecordingError(f"{place}: {len(levels)} confidences of {len(positions)} joints")
    values: list[Any] = []
    for position, level in zip(positions, levels, strict=True):
        if isinstance(position, dict):
            position = [position.get(axis) for axis in "xyz"]
        if not isinstance(position, list) or len(position) != 3:
            raise RecordingError(f"{place}: {shown(position)} where a joint's three numbers belong")
        values += position
        values.append(level[0] if isinstance(level, list) and level else level)
    track = body.get("body_id")
    seen.add(frame, values, place, None if track == 2**32 - 1 else track)
    return seen


def _order(names: list[Any], count: int) -> tuple[list[int] | None, tuple[str, ...]]:
    """Which joint stands where in the layout, None where they stand in its order; names where it is no such layout."""
    joints = load_layout("azure32").joints
    if not names:
        if count != len(joints):
            raise RecordingError(f"{count} joints where the Azure Kinect has {len(joints)}, and no names of them")
        return None, ()
    if not all(isinstance(name, str) for name in names) or len(names) != count:
        raise RecordingError(f"{len(names)} names of joints where there are {count}")
    plain = [_plain(name) for name in names]
    if len(set(plain)) != len(plain):
        twice = next(name for name in plain if plain.count(name) > 1)
        raise RecordingError(f"joint_names: '{shown(twice)}' names two joints")
    if set(plain) == set(joints):
        return (None if plain == list(joints) else [plain.index(joint) for joint in joints]), ()
    return None, tuple(names)


def _plain(name: str) -> str:
    """As the layout calls it: `HANDTIP_LEFT` is its left_hand_tip.

    Example:
        >>> _plain("HANDTIP_LEFT"), _plain("PELVIS")
        ('left_hand_tip', 'pelvis')
    """
    plain = name.strip().lower().replace("handtip", "hand_tip")
    match = _SIDE.fullmatch(plain)
    return plain if match is None else f"{match[2]}_{match[1]}"


def _said_rate(value: Any) -> float | None:
    """Of a number, or of words such as K4A_FRAMES_PER_SECOND_30."""
    if isinstance(value, str):
        match = _FRAMES_PER_SECOND.fullmatch(value.replace("K4A", ""))
        value = int(match[1]) if match else None
    return positive(value, 1000)


def _rate(times: list[Any], numbers: list[int]) -> tuple[float | None, tuple[str, ...]]:
    if not times or any(time is None for time in times):
        return None, ()
    every = np.array(as_numbers(times, "timestamp_usec"))
    return (None, ()) if np.isnan(every).any() else rate(every / 1e6, np.array(numbers))


FORMATS.add(
    "azure-kinect",
    Format(
        suffixes=(".json",), read=read, looks_like="Azure Kinect bodies (JSON)", recognises=recognises, files_a_task=4
    ),
)
