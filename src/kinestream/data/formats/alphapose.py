"""AlphaPose JSON: a list of people with the name of their picture, or its `cmu` and `open` forms.

https://github.com/MVIG-SJTU/AlphaPose/blob/master/docs/output.md
"""

import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.coco_json import folder_of, frame_of, image_id, is_alphapose
from kinestream.data.formats.json_stream import entries, outline
from kinestream.data.formats.sightings import Sightings, as_frame, of_picture, scored
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import COCO17, SkeletonLayout, load_layout
from kinestream.words import shown

HALPE26 = (
    *COCO17.joints,
    *("head", "neck", "pelvis", "left_big_toe", "right_big_toe"),
    *("left_small_toe", "right_small_toe", "left_heel", "right_heel"),
)
"""Points of Halpe's body, https://github.com/Fang-Haoshu/Halpe-FullBody."""
BODY_OF = MappingProxyType({17: 17, 26: 26, 133: 17, 136: 26})
"""For each number of points how many of them, the first ones, are the body; others are of feet, face and hands."""
_LISTS = MappingProxyType({"bodies": "joints", "people": "pose_keypoints_2d"})
"""Of the forms `cmu` and `open`: what the people of a picture are called, and their numbers."""


_PICTURE = re.compile(r"\.[^\[]+\.(bodies\[\]\.joints|people\[\]\.pose_keypoints_2d)", re.DOTALL)


class _Person(NamedTuple):
    picture: str | int
    values: Any
    track: Any
    place: str


def read(source: Source) -> list[Found]:
    """The people of all pictures, a recording for each folder of pictures. Raises RecordingError."""
    pictures: dict[str | int, int] = {}
    seen: Sightings | None = None
    picture_forms = False
    for person in _people(source.path, pictures):
        if seen is None:
            count = len(person.values) if isinstance(person.values, list) else 0
            if not count or count % 3:
                raise RecordingError(f"{person.place}: no list of three numbers for each point")
            seen = Sightings(count // 3, 3)
            picture_forms = person.track is _NO_LIST
        track = None if person.track is _NO_LIST else person.track
        seen.add(pictures[person.picture], person.values, person.place, track)
    if seen is None:
        raise RecordingError(f"no body in any of its {len(pictures)} pictures" if pictures else "no pictures")
    kept, layout, points, notes = _model(seen.points, picture_forms)
    frames, more = _frames(list(pictures))
    groups = [folder_of(picture) if isinstance(picture, str) else "" for picture in pictures]
    there: dict[str, list[int]] = {}
    for frame, group in zip(frames, groups, strict=True):
        there.setdefault(group, []).append(frame)
    made = []
    for group, part in seen.split(frames, groups).items():
        for frame in there[group]:
            part.add_frame(frame)
        found = part.assemble()
        joints, confidence, also = scored(found.points[:, :, :kept], int(found.frames[0]))
        units, scale = of_picture(joints)
        made.append(
            Found(
                joints=joints,
                layout=layout,
                points=points,
                confidence=confidence,
                bodies=found.bodies,
                in_any_order=found.bodies is None,
                units=units,
                up="-y",
                name=group,
                notes=(*found.notes, *more, *also, *scale, *notes),
            )
        )
    return made


def recognises(path: Path) -> bool:
    """Whether it is a list of people that name their pictures, or pictures by their names with people in them."""
    there = outline(path)
    if there.get("") == "[":
        return there.get("[].keypoints") == "[" and is_alphapose(there)
    return any(_PICTURE.fullmatch(place) for place in there)


_NO_LIST = object()
"""In place of the tracking number of people of the forms `cmu` and `open`."""


def _people(path: Path, pictures: dict[str | int, int]) -> Iterator[_Person]:
    """Notes the pictures, in the order of the file."""
    for entry in entries(path):
        if entry.key is None and entry.number:
            person = entry.value
            if not isinstance(person, dict):
                raise RecordingError(f"{entry.place}: {shown(person)} is no person")
            name = image_id(person.get("image_id"), entry.place)
            pictures.setdefault(name, len(pictures))
            yield _Person(name, person.get("keypoints"), person.get("idx"), entry.place)
        elif entry.key is not None:
            place = f"picture {shown(entry.key)}"
            pictures.setdefault(entry.key, len(pictures))
            key = next((key for key in _LISTS if isinstance(entry.value, dict) and key in entry.value), None)
            people = entry.value[key] if key else None
            if key is None or not isinstance(people, list):
                raise RecordingError(f"{place}: no list 'bodies' or 'people'")
            for person in people:
                yield _Person(entry.key, person.get(_LISTS[key]) if isinstance(person, dict) else None, _NO_LIST, place)


def _model(count: int, picture_forms: bool) -> tuple[int, SkeletonLayout | None, tuple[str, ...], tuple[str, ...]]:
    """How many points are kept, their layout or names, and notes."""
    if picture_forms and count == 18:
        return 18, load_layout("openpose18"), (), ()
    kept = BODY_OF.get(count)
    if kept is None:
        return count, None, (), (f"{count} points are no known model of AlphaPose: say their layout",)
    notes = () if kept == count else (f"not read: {count - kept} of {count} points, of feet, face and hands",)
    return (kept, COCO17, (), notes) if kept == len(COCO17.joints) else (kept, None, HALPE26, notes)


def _frames(pictures: list[str | int]) -> tuple[list[int], tuple[str, ...]]:
    """The number of each picture, else its place in the list."""
    numbers = [frame_of(picture) if isinstance(picture, str) else as_frame(picture, "image_id") for picture in pictures]
    known = [number for number in numbers if number is not None]
    folders = [folder_of(picture) if isinstance(picture, str) else "" for picture in pictures]
    if len(known) == len(pictures) and len(set(zip(folders, known, strict=True))) == len(known):
        return known, ()
    return list(range(len(pictures))), (
        "pictures have no numbers: the order in the file is taken for that of the frames",
    )


FORMATS.add(
    "alphapose",
    Format(suffixes=(".json",), read=read, looks_like="AlphaPose JSON", recognises=recognises, files_a_task=4),
)
