"""COCO key points: a data set with `images`, `annotations` and `categories`, or a bare list of results.

https://cocodataset.org/#format-data and #format-results
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.json_stream import Entry, entries, outline
from kinestream.data.formats.sightings import Assembled, Sightings, as_frame, of_picture, positive, scored
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import COCO17, SkeletonLayout
from kinestream.words import shown

WHOLE_BODY = 133
"""Points of COCO-WholeBody: the body, as COCO has it, then feet, face and hands."""
_BODY = len(COCO17.joints)
_MOST_IMAGES = 2_000_000
_NUMBER = re.compile(r"(\d{1,12})$", re.ASCII)
_VIDEO_KEYS = ("video_id", "vid_id", "video")
_FRAME_KEYS = ("frame_id", "frame", "frame_number", "frame_index")
_TRACK_KEYS = ("track_id", "tracking_id", "instance_id")


class Image(NamedTuple):
    """What the list of images says of one."""

    name: str
    video: str
    frame: int | None
    size: tuple[float, float] | None


@dataclass
class _Content:
    images: dict[int | str, Image] = field(default_factory=dict)
    listed: bool = False
    """Whether the file has a list of images; else they are known by their annotations."""
    names: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Of the points, by category."""
    seen: dict[int, Sightings] = field(default_factory=dict)
    """By category; the frame of a body is the place of its image among `order`."""
    order: dict[int | str, int] = field(default_factory=dict)
    without: int = 0
    """Annotations without key points."""


def read(source: Source) -> list[Found]:
    """A recording for each video, which are told by a key of the images or the folders of their files.

    Raises RecordingError."""
    content = _Content()
    for entry in entries(source.path):
        if entry.key == "images" and entry.number is not None:
            content.listed = True
            if entry.number:
                _add_image(content, entry)
        elif entry.key == "categories" and entry.number:
            _add_category(content, entry)
        elif entry.key in (None, "annotations") and entry.number:
            _add_annotation(content, entry)
    if not content.seen:
        raise RecordingError(f"no body with key points among {content.without} annotations")
    category = max(content.seen, key=lambda number: len(content.seen[number]))
    bodies = content.seen.pop(category)
    notes = [f"not read: {len(other):,} bodies of category {number}" for number, other in content.seen.items()]
    if content.without:
        notes.append(f"left out {content.without:,} annotations without key points")
    layout, points, kept = _names(content.names.get(category, ()), bodies.points)
    if kept < bodies.points:
        notes.append(f"not read: {bodies.points - kept} of {bodies.points} points, of feet, face and hands")
    made = []
    for video, (part, picture, more) in _by_video(content, bodies).items():
        joints, confidence, also = scored(part.points[:, :, :kept], int(part.frames[0]))
        units, scale = of_picture(joints)
        made.append(
            Found(
                joints=joints,
                layout=layout,
                points=points,
                confidence=confidence,
                bodies=part.bodies,
                in_any_order=part.bodies is None,
                units=units,
                up="-y",
                picture=picture,
                name=video,
                notes=(*part.notes, *more, *also, *scale, *notes),
            )
        )
    return made


def recognises(path: Path) -> bool:
    """Whether it has images and annotations, or a list of results that numbers its images."""
    there = outline(path)
    if there.get("") == "[":
        return "[].image_id" in there and there.get("[].keypoints") == "[" and not is_alphapose(there)
    keypoints = ".annotations[].keypoints" in there or ".categories[].keypoints" in there
    images = ".images[].id" in there and (".images[].file_name" in there or ".images[].width" in there)
    return keypoints or images


def frame_of(name: str) -> int | None:
    """The number at the end of the name of a picture.

    Example:
        >>> frame_of("walk/img_0012.png"), frame_of("walk/start.png")
        (12, None)
    """
    match = _NUMBER.search(PurePosixPath(name.replace("\\", "/")).stem)
    return None if match is None else int(match[1])


def folder_of(name: str) -> str:
    """The folders of a picture; empty for none."""
    folder = str(PurePosixPath(name.replace("\\", "/")).parent)
    return "" if folder == "." else folder


def is_alphapose(there: Mapping[str, str]) -> bool:
    """Whether a list of results, given its outline, is AlphaPose's: it names pictures, or has boxes or persons."""
    return there.get("[].image_id", "")[:1] == '"' or "[].idx" in there or "[].box" in there


def image_id(value: Any, place: str) -> int | str:
    """What names an image: a number or a text. Raises RecordingError for anything else."""
    if type(value) not in (int, str) or len(str(value)[:400]) > 300:
        raise RecordingError(f"{place}: {shown(value)} where the id of an image belongs")
    return value


def _add_image(content: _Content, entry: Entry) -> None:
    image = entry.value
    if not isinstance(image, dict):
        raise RecordingError(f"{entry.place}: {shown(image)} is no image")
    identity = image_id(image.get("id"), entry.place)
    if identity in content.images:
        raise RecordingError(f"{entry.place}: a second image has the id {shown(identity)}")
    if len(content.images) >= _MOST_IMAGES:
        raise RecordingError(f"more than {_MOST_IMAGES:,} images")
    name = image.get("file_name", "")
    if not isinstance(name, str):
        raise RecordingError(f"{entry.place}: {shown(name)} where the name of a file belongs")
    video = next((shown(image[key]) for key in _VIDEO_KEYS if key in image), folder_of(name))
    frame = next((as_frame(image[key], entry.place) for key in _FRAME_KEYS if key in image), None)
    across, down = positive(image.get("width"), 1e6), positive(image.get("height"), 1e6)
    size = None if across is None or down is None else (across, down)
    content.images[identity] = Image(name, video, frame, size)


def _add_category(content: _Content, entry: Entry) -> None:
    category = entry.value
    if not isinstance(category, dict):
        raise RecordingError(f"{entry.place}: {shown(category)} is no category")
    names, number = category.get("keypoints", []), category.get("id", 1)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or type(number) is not int:
        raise RecordingError(f"{entry.place}: a number 'id' and a list 'keypoints' of names are needed")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RecordingError(f"{entry.place}: '{shown(twice)}' names two points")
    if names:
        content.names[number] = tuple(names)


def _add_annotation(content: _Content, entry: Entry) -> None:
    body = entry.value
    if not isinstance(body, dict):
        raise RecordingError(f"{entry.place}: {shown(body)} is no annotation")
    identity = image_id(body.get("image_id"), entry.place)
    rank = content.order.setdefault(identity, len(content.order))
    values = body.get("keypoints")
    if isinstance(values, list) and values and isinstance(values[0], list):
        values = [number for point in values for number in (point if isinstance(point, list) else [point])]
    if not values or not isinstance(values, list) or body.get("num_keypoints") == 0:
        content.without += 1
        return
    category = body.get("category_id", 1)
    if type(category) is not int:
        raise RecordingError(f"{entry.place}: {shown(category)} where the number of a category belongs")
    if category not in content.seen:
        if len(values) % 3 or len(values) > 3000:
            raise RecordingError(f"{entry.place}: {len(values)} numbers, where each point has three: x, y and a score")
        content.seen[category] = Sightings(len(values) // 3, 3)
    track = next((body[key] for key in _TRACK_KEYS if key in body), None)
    content.seen[category].add(rank, values, entry.place, track)


def _names(names: tuple[str, ...], count: int) -> tuple[SkeletonLayout | None, tuple[str, ...], int]:
    """The layout, or the names where it is none that is known, and how many points are kept."""
    if names and len(names) != count:
        raise RecordingError(f"{count} points where the category names {len(names)}")
    plain = tuple(name.lower().replace(" ", "_").replace("-", "_") for name in names)
    if plain == COCO17.joints or (not names and count == _BODY):
        return COCO17, (), count
    if count == WHOLE_BODY and (not names or plain[:_BODY] == COCO17.joints):
        return COCO17, (), _BODY
    return None, names, count


_Part = tuple[Assembled, tuple[float, float] | None, tuple[str, ...]]


def _by_video(content: _Content, bodies: Sightings) -> dict[str, _Part]:
    """For each video its bodies, the size of its pictures, and notes."""
    if not content.listed and all(isinstance(identity, int) for identity in content.order):
        frames = [as_frame(identity, "image_id") for identity in content.order]
        return {video: (part.assemble(), None, ()) for video, part in bodies.split(frames, [""] * len(frames)).items()}
    for identity in content.order:
        if content.listed and identity not in content.images:
            raise RecordingError(f"annotations of image {shown(identity)}, which is not in the list of images")
        if not content.listed:
            name = str(identity)
            content.images[identity] = Image(name, folder_of(name), None, None)
    videos: dict[str, list[int | str]] = {}
    for identity, image in content.images.items():
        videos.setdefault(image.video, []).append(identity)
    numbers: dict[str, tuple[list[int], tuple[str, ...]]] = {
        video: _frames([content.images[one] for one in ids]) for video, ids in videos.items()
    }
    frame_at = {
        one: number for video, ids in videos.items() for one, number in zip(ids, numbers[video][0], strict=True)
    }
    video_at = {one: video for video, ids in videos.items() for one in ids}
    ranked = list(content.order)
    parts = bodies.split([frame_at[one] for one in ranked], [video_at[one] for one in ranked])
    made: dict[str, _Part] = {}
    for video, part in parts.items():
        for number in numbers[video][0]:
            part.add_frame(number)
        sizes = {content.images[one].size for one in videos[video]}
        made[video] = (part.assemble(), sizes.pop() if len(sizes) == 1 else None, numbers[video][1])
    empty = len(videos) - len(made)
    if empty:
        first = next(iter(made))
        kept, size, notes = made[first]
        made[first] = (kept, size, (*notes, f"{empty} videos left out: nobody is in them"))
    return made


def _frames(images: list[Image]) -> tuple[list[int], tuple[str, ...]]:
    """The number of each image in its video: as it says, else as its file is called, else its place in the list."""
    for numbers in ([image.frame for image in images], [frame_of(image.name) for image in images]):
        known = [number for number in numbers if number is not None]
        if len(known) == len(images) and len(set(known)) == len(known):
            return known, ()
    notes = (
        () if len(images) < 2 else ("images have no numbers: the order in the file is taken for that of the frames",)
    )
    return list(range(len(images))), notes


FORMATS.add(
    "coco",
    Format(suffixes=(".json",), read=read, looks_like="COCO key points (JSON)", recognises=recognises, files_a_task=4),
)
