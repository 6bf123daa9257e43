"""OpenPose JSON: a file for each frame, as `--write_json` makes them, or a list of such objects in one file.

https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.json_stream import entries, load_json, outline
from kinestream.data.formats.sightings import Sightings, as_frame, of_picture, scored
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import load_layout
from kinestream.words import shown

FLAT = "pose_keypoints_2d"
SOLID = "pose_keypoints_3d"
LAYOUTS = MappingProxyType({25: "body25", 18: "openpose18"})
_OLD_FLAT = "pose_keypoints"
_NUMBERS = MappingProxyType({FLAT: 3, SOLID: 4})
_FRAME_KEYS = ("frame", "frame_id", "frame_number", "frame_index")
_NAME = re.compile(r"(?P<clip>.*?)[_-]?(?P<frame>\d{1,12})_keypoints", re.IGNORECASE | re.ASCII | re.DOTALL)


def read(source: Source) -> Found:
    """The people of all frames. Positions in space are taken where there are any, unless `source.variable` names the
    key of those in the picture. Raises RecordingError."""
    frames = _files(source.parts) if source.parts else _file(source.path)
    seen: dict[str, Sightings] = {}
    others: Counter[str] = Counter()
    count = 0
    numbers: list[int] = []
    for frame, people, place in frames:
        count += 1
        numbers.append(frame)
        for rank, person in enumerate(people, start=1):
            _add(seen, others, person, frame, f"{place}, person {rank}")
    if source.variable and source.variable not in _NUMBERS:
        raise RecordingError(f"no variable '{shown(source.variable)}': there are {FLAT} and {SOLID}")
    if source.variable and source.variable not in seen:
        raise RecordingError(f"no person has {source.variable}")
    if not seen:
        raise RecordingError(f"no body in any of its {count} frames" if count else "no frames")
    key = source.variable or (SOLID if SOLID in seen else FLAT)
    notes = [f"{other} left out: {key} was taken" for other in seen if other != key]
    notes += [f"not read: {name} of {bodies:,} bodies" for name, bodies in others.items()]
    for number in numbers:
        seen[key].add_frame(number)
    found = seen.pop(key).assemble()
    joints, confidence, more = scored(found.points, int(found.frames[0]))
    units, scale = of_picture(joints) if key == FLAT else (None, ())
    name = LAYOUTS.get(joints.shape[2])
    if name is None:
        notes.append(f"{joints.shape[2]} points are no known model of OpenPose: say their layout")
    return Found(
        joints=joints,
        layout=None if name is None else load_layout(name),
        confidence=confidence,
        bodies=found.bodies,
        in_any_order=found.bodies is None,
        units=units,
        up="-y" if key == FLAT else None,
        notes=(*found.notes, *more, *scale, *notes),
    )


def recognises(path: Path) -> bool:
    """Whether it has people with such points, or is a frame without people."""
    there = outline(path)
    people = any(f"{start}.people[].{key}" in there for start in ("", "[]", ".frames[]") for key in (FLAT, _OLD_FLAT))
    return people or any(there.get(f"{start}.people") == "[" and f"{start}.version" in there for start in ("", "[]"))


def gather(paths: Sequence[Path]) -> list[Source]:
    """Those called `CLIP_FRAME_keypoints.json` by clip and folder, in the order of their frames; each other file alone.

    Example:
        >>> [clip] = gather([Path("a/walk_000000000010_keypoints.json"), Path("a/walk_000000000009_keypoints.json")])
        >>> clip.name, [part.stem for part in clip.parts]
        ('walk', ['walk_000000000009_keypoints', 'walk_000000000010_keypoints'])
    """
    clips: dict[tuple[Path, str], list[Path]] = {}
    sources = []
    for path in paths:
        match = _NAME.fullmatch(path.stem)
        if match is None:
            sources.append(Source(path=path, name=path.stem))
        else:
            clips.setdefault((path.parent, match["clip"]), []).append(path)
    for (folder, clip), parts in clips.items():
        ordered = tuple(sorted(parts, key=lambda part: (_number(part), part.name)))
        sources.append(Source(path=ordered[0], name=clip or folder.name or "clip", parts=ordered))
    times = Counter(source.name for source in sources)
    return [
        replace(source, name=f"{source.path.parent.name}_{source.name}") if times[source.name] > 1 else source
        for source in sources
    ]


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise RecordingError(f"{shown(path.name)}: no number of a frame in its name")
    return int(match["frame"])


def _files(parts: Sequence[Path]) -> Iterator[tuple[int, list[Any], str]]:
    last = -1
    for path in parts:
        frame = _number(path)
        if frame == last:
            raise RecordingError(f"{shown(path.name)}: frame {frame} has two files")
        last = frame
        try:
            yield frame, _people(load_json(path), "the frame"), shown(path.name)
        except RecordingError as error:
            raise RecordingError(f"{shown(path.name)}: {error}") from None


def _file(path: Path) -> Iterator[tuple[int, list[Any], str]]:
    """The frames of one file, in the order of the file where they have no number of their own."""
    single: list[Any] | None = None
    for entry in entries(path):
        if entry.key == "people" and entry.number is not None:
            single = [] if single is None else single
            if entry.number:
                single.append(entry.value)
        elif entry.key in (None, "frames") and entry.number:
            number = entry.number - 1
            if isinstance(entry.value, dict):
                key = next((key for key in _FRAME_KEYS if key in entry.value), None)
                number = number if key is None else as_frame(entry.value[key], f"frame {entry.number}")
            yield number, _people(entry.value, f"frame {entry.number}"), f"frame {entry.number}"
    if single is not None:
        yield 0, single, "the frame"


def _people(frame: Any, place: str) -> list[Any]:
    people = frame.get("people") if isinstance(frame, dict) else None
    if not isinstance(people, list):
        raise RecordingError(f"{place}: no list 'people'")
    return people


def _add(seen: dict[str, Sightings], others: Counter[str], person: Any, frame: int, place: str) -> None:
    if not isinstance(person, dict):
        raise RecordingError(f"{place}: {shown(person)} is no person")
    if _OLD_FLAT in person and FLAT not in person:
        person = {**person, FLAT: person[_OLD_FLAT]}
    for key, numbers in _NUMBERS.items():
        values = person.get(key)
        if values is None or values == []:
            continue
        if key not in seen:
            if not isinstance(values, list) or len(values) % numbers:
                raise RecordingError(f"{place}: {key} must be a list of {numbers} numbers for each point")
            seen[key] = Sightings(len(values) // numbers, numbers)
        track = person.get("person_id")
        seen[key].add(frame, values, place, track)
    for key, values in person.items():
        if "keypoints" in key and key not in (FLAT, SOLID, _OLD_FLAT) and values:
            others[shown(key)] += 1


FORMATS.add(
    "openpose",
    Format(
        suffixes=(".json",), read=read, looks_like="OpenPose JSON", recognises=recognises, gather=gather, files_a_task=4
    ),
)
