"""MediaPipe landmarks as JSON: a list of frames, or a file for each, as people save what Pose, Holistic and the tasks
of MediaPipe return, in Python, by protobuf, or in JavaScript.

https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.json_stream import entries, load_json, outline
from kinestream.data.formats.landmarks import PICTURE, POINTS, WORLD, chosen, found, seconds
from kinestream.data.formats.sightings import Sightings, as_frame, positive, rate
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.words import shown

KEYS = MappingProxyType(
    {
        **dict.fromkeys(("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks"), WORLD),
        **dict.fromkeys(("pose_landmarks", "poseLandmarks", "normalized_landmarks", "normalizedLandmarks"), PICTURE),
        "landmarks": None,
    }
)
"""What the landmarks of a frame are called, and their kind; None where the name does not say."""
_FRAME_KEYS = ("frame", "frame_number", "frame_id", "frame_idx", "frame_index", "frameNumber", "frameIndex")
_TIME_KEYS = ("timestamp_ms", "timestampMs", "timestamp_us", "timestamp", "time_ms", "time", "time_s")
_LISTS = ("frames", "results", "data")
_MOST_BODIES = 100
_OWN_PLACE = re.compile(
    rf"(\[\]|\.({'|'.join(_LISTS)})\[\]|)\.(pose_world_landmarks|poseWorldLandmarks|pose_landmarks|poseLandmarks)"
)
_PLACE = re.compile(
    rf"((\[\]|\.({'|'.join(_LISTS)})\[\]|)\.({'|'.join(KEYS)})|(\[\]|\.({'|'.join(_LISTS)})\[\])+)"
    r"(\[\]|\.landmarks?\[\])*(\[\]|\.landmarks?\[\])\.visibility"
)
"""Where the outline of a file has names that only MediaPipe gives, and where it has a landmark with its visibility."""
_NAME = re.compile(r"(?P<clip>.*?)[_\-. ]?(?P<frame>\d{1,12})", re.DOTALL | re.ASCII)


@dataclass
class _Frames:
    seen: dict[str | None, Sightings] = field(default_factory=dict)
    """By kind."""
    numbers: list[int] = field(default_factory=list)
    times: list[Any] = field(default_factory=list)
    time_key: str = ""
    others: Counter[str] = field(default_factory=Counter)
    more: int = 0
    """Bodies with points beyond the 33 of the body."""


def read(source: Source) -> Found:
    """The bodies of all frames: world landmarks where there are any, unless `source.variable` says "picture".

    Raises RecordingError."""
    wanted = chosen(source.variable)
    frames = _Frames()
    plain: dict[str, Any] = {}
    if source.parts:
        for path in source.parts:
            match = _NAME.fullmatch(path.stem)
            number = int(match["frame"]) if match else len(frames.numbers)
            try:
                _add(frames, load_json(path), number, "the frame")
            except RecordingError as error:
                raise RecordingError(f"{shown(path.name)}: {error}") from None
    else:
        _read_file(frames, plain, source.path)
    if not frames.seen:
        count = len(frames.numbers)
        raise RecordingError(
            f"no body in any of its {count} frames" if count else "no frames with landmarks of MediaPipe"
        )
    kinds = [kind for kind in (wanted, WORLD, PICTURE, None) if kind in frames.seen]
    if wanted is not None and wanted not in frames.seen and None not in frames.seen:
        raise RecordingError(f"no frame has {wanted}")
    kind = kinds[0]
    notes = [f"{other or 'landmarks'} left out: {kind} were taken" for other in frames.seen if other != kind]
    notes += [f"not read: {name} of {count:,} frames" for name, count in frames.others.items()]
    seen = frames.seen.pop(kind)
    frames.seen.clear()
    for number in frames.numbers:
        seen.add_frame(number)
    fps, more = _rate(frames, plain)
    return found(seen.assemble(), kind or wanted, picture=_picture(plain), fps=fps, notes=(*more, *notes))


def recognises(path: Path) -> bool:
    """Whether it has landmarks by one of MediaPipe's names, or frames of landmarks with their visibility."""
    return any(_OWN_PLACE.fullmatch(place) or _PLACE.fullmatch(place) for place in outline(path))


def gather(paths: Sequence[Path]) -> list[Source]:
    """Files of one frame each by the numbers at the ends of their names; each other file alone."""
    clips: dict[tuple[Path, str], list[Path]] = {}
    sources = []
    for path in paths:
        match = _NAME.fullmatch(path.stem)
        if match is None or not _is_one_frame(path):
            sources.append(Source(path=path, name=path.stem))
        else:
            clips.setdefault((path.parent, match["clip"]), []).append(path)
    for (folder, clip), parts in clips.items():
        ordered = tuple(sorted(parts, key=lambda part: (int(_NAME.fullmatch(part.stem)["frame"]), part.name)))  # type: ignore[index]
        sources.append(Source(path=ordered[0], name=clip or folder.name or "clip", parts=ordered))
    return sources


def _is_one_frame(path: Path) -> bool:
    there = outline(path)
    return (
        there.get("") == "{"
        and any(f".{key}" in there for key in KEYS)
        and not any(f".{name}[].{key}" in there for name in _LISTS for key in KEYS)
    )


def _read_file(frames: _Frames, plain: dict[str, Any], path: Path) -> None:
    single: dict[str, Any] = {}
    for entry in entries(path):
        listed = entry.key in _LISTS and entry.number
        if (entry.key is None and entry.number) or listed:
            _add(frames, entry.value, (entry.number or 1) - 1, f"frame {entry.number}")
        elif entry.key is not None and entry.number is None:
            plain[entry.key] = entry.value
            if entry.key in KEYS:
                single[entry.key] = entry.value
        elif entry.key is not None and entry.key in KEYS:
            listed_values = single.setdefault(entry.key, [])
            if len(listed_values) > _MOST_BODIES:
                raise RecordingError(
                    f"more than {_MOST_BODIES} bodies in one frame: if these are frames, put them into one list"
                )
            if entry.number:
                listed_values.append(entry.value)
    if single:
        _add(frames, single, 0, "the frame")


def _is_landmark(value: Any) -> bool:
    return isinstance(value, dict) and "x" in value


def _add(frames: _Frames, frame: Any, number: int, place: str) -> None:
    poses: dict[str | None, list[Any]] = {}
    if _is_landmark(frame):
        raise RecordingError(f"{place}: one landmark, where all of a frame belong")
    if isinstance(frame, dict):
        key = next((key for key in _FRAME_KEYS if key in frame), None)
        number = number if key is None else as_frame(frame[key], place)
        time_key = next((key for key in _TIME_KEYS if key in frame), "")
        frames.time_key = frames.time_key or time_key
        frames.times.append(frame.get(frames.time_key))
        there: dict[str, str | None] = {name: kind for name, kind in KEYS.items() if name in frame}
        if WORLD in there.values() and "landmarks" in there:
            there["landmarks"] = PICTURE  # as the tasks in JavaScript call both
        for name, kind in there.items():
            poses.setdefault(kind, _poses(frame[name], f"{place}, {name}"))
        if not poses and isinstance(frame.get("landmark"), list):
            poses[None] = _poses(frame, place)
        for name, value in frame.items():
            if "landmarks" in name.lower() and name not in KEYS and value:
                frames.others[shown(name)] += 1
    elif isinstance(frame, list) or frame is None:
        frames.times.append(None)
        poses[None] = _poses(frame, place)
    else:
        raise RecordingError(f"{place}: {shown(frame)} where landmarks belong")
    frames.numbers.append(number)
    for kind, bodies in poses.items():
        for rank, body in enumerate(bodies, start=1):
            where = f"{place}, person {rank}"
            if kind not in frames.seen:
                frames.seen[kind] = Sightings(POINTS, 4)
            frames.seen[kind].add(number, _values(body, where), where)


def _poses(value: Any, place: str) -> list[list[Any]]:
    """The bodies, each a list of landmarks, out of one body or a list of them."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("landmark", "landmarks") if key in value), value)
    if value is None or value == []:
        return []
    if not isinstance(value, list):
        raise RecordingError(f"{place}: {shown(value)} where landmarks belong")
    first = value[0]
    one = _is_landmark(first) or (isinstance(first, list) and first and type(first[0]) in (int, float))
    if one:
        return [value]
    return [body for entry in value for body in _poses(entry, place)]


def _values(body: list[Any], place: str) -> list[Any]:
    if len(body) != POINTS:
        raise RecordingError(f"{place}: {len(body)} landmarks where {POINTS} belong")
    values: list[Any] = []
    for landmark in body:
        if isinstance(landmark, dict):
            try:
                values += (landmark["x"], landmark["y"], landmark["z"], landmark.get("visibility"))
            except KeyError as error:
                raise RecordingError(f"{place}: a landmark without {error}") from None
        elif isinstance(landmark, list) and 3 <= len(landmark) <= 5:
            values += (*landmark[:3], landmark[3] if len(landmark) > 3 else None)
        else:
            raise RecordingError(f"{place}: {shown(landmark)} is no landmark")
    return values


def _rate(frames: _Frames, plain: dict[str, Any]) -> tuple[float | None, tuple[str, ...]]:
    said = next((positive(plain[key], 100_000) for key in ("fps", "frame_rate", "frameRate") if key in plain), None)
    if said is not None:
        return said, ()
    if not frames.time_key or any(type(time) not in (int, float) for time in frames.times):
        return None, ()
    try:
        times, notes = seconds(np.array(frames.times, dtype=np.float64), frames.time_key)
    except OverflowError:
        return None, ()
    if np.isnan(times).any():
        return None, ()
    fps, more = rate(times, np.array(frames.numbers))
    return fps, (*notes, *more)


def _picture(plain: dict[str, Any]) -> tuple[float, float] | None:
    for across, down in (("image_width", "image_height"), ("imageWidth", "imageHeight"), ("width", "height")):
        sides = positive(plain.get(across), 1e6), positive(plain.get(down), 1e6)
        if sides[0] is not None and sides[1] is not None:
            return sides[0], sides[1]
    return None


FORMATS.add(
    "mediapipe",
    Format(
        suffixes=(".json",),
        read=read,
        looks_like="MediaPipe landmarks (JSON)",
        recognises=recognises,
        gather=gather,
        files_a_task=4,
    ),
)
