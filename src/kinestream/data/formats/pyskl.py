"""PYSKL's annotation pickles, in 3D and 2D: `{"split": {name: [clip names]}, "annotations": [...]}`.

An annotation has `frame_dir` (the clip's name), `label` from 0, `keypoint (m, t, v, c)` and `total_frames`; in 2D also
`img_shape` (height, width) and `keypoint_score`. The pickle is read as a whole: it needs a little more memory than its
size.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kinestream.data.formats import FORMATS, Collection
from kinestream.data.formats.incoming import (
    MOST_FRAMES,
    ExchangeError,
    FileSplit,
    Incoming,
    Row,
    check_preparation,
    layout_of,
    whole_number,
)
from kinestream.data.formats.safe_pickle import load_pickle
from kinestream.data.preparation import PREPARATIONS
from kinestream.skeleton.layout import COCO17, SkeletonLayout

PICTURE_METRES = 3.0
"""The height that a picture is taken to show, so that a body in it is of the order of metres."""
_UNDERSTOOD = "a dict with 'split' (name -> clip names) and 'annotations' (dicts with frame_dir, label, keypoint)"
_MOST_BODIES = 2
_LARGEST_PICTURE = 1_000_000
_TRAIN = re.compile(r"(?:^|(?<=[_\-]))train(?:ing)?(?=$|[_\-\d])")
_TEST_WORDS = ("test", "val", "validation", "testing")


def open_pyskl(path: Path, preparation: str | None) -> Incoming:
    """Opens a pickle. 3D joints go through `preparation` (published if None), 2D ones through 'planar'."""
    content = load_pickle(path)
    annotations = content.get("annotations") if isinstance(content, dict) else None
    split = content.get("split") if isinstance(content, dict) else None
    if not isinstance(annotations, list) or not isinstance(split, dict) or not annotations:
        held = (
            f"a dict with {', '.join(ascii(key)[:40] for key in list(content)[:6])}"
            if isinstance(content, dict)
            else ""
        )
        raise ExchangeError(f"{path} holds {held or type(content).__name__}: understood is {_UNDERSTOOD}")
    for number, annotation in enumerate(annotations, start=1):
        if not isinstance(annotation, dict) or not isinstance(annotation.get("frame_dir"), str):
            raise ExchangeError(f"{path}: annotation {number} is no dict with a name 'frame_dir'")
    joints, coordinates = _kind(annotations, path)
    if coordinates == 2 and joints != len(COCO17.joints):
        raise ExchangeError(f"{path} has {joints} joints in 2D: understood are the {len(COCO17.joints)} of COCO")
    if coordinates == 2 and preparation not in (None, "planar"):
        raise ExchangeError(
            f"{path} has joints in 2D: preparation '{preparation}' needs 3D, leave it out or take 'planar'"
        )
    layout = COCO17 if coordinates == 2 else layout_of(joints, path)
    usual = "planar" if coordinates == 2 else "published"
    most = max((len(a["keypoint"]) for a in annotations if _is_keypoint(a.get("keypoint"))), default=1)
    return Incoming(
        form=f"PYSKL annotations in {coordinates}D",
        layout=layout,
        most_bodies=min(max(most, 1), _MOST_BODIES),
        classes=max((whole_number(annotation.get("label")) for annotation in annotations), default=-1) + 1,
        count=len(annotations),
        rows=lambda: _rows(annotations, layout, coordinates, path.name),
        splits=_splits(split, path),
        names=tuple((_name(a["frame_dir"]), _name(a["frame_dir"])) for a in annotations),
        preparation=check_preparation(preparation or usual, PREPARATIONS),
        cleaned=False,
        notes=(f"some clips have up to {most} bodies: the first {_MOST_BODIES} are kept",)
        if most > _MOST_BODIES
        else (),
    )


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle, by its ending or its first byte."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix in (".pkl", ".pickle") or file.read(1) == b"\x80"


FORMATS.add("pyskl", Collection(looks_like="a PYSKL pickle", is_one=is_pickle, open=open_pyskl))


def _name(frame_dir: str) -> str:
    """Names that are paths become plain ones."""
    return frame_dir.replace("/", "_").replace("\\", "_")


def _is_keypoint(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 4 and value.dtype.kind == "f"


def _kind(annotations: Sequence[Mapping[str, Any]], path: Path) -> tuple[int, int]:
    """Number of joints and of coordinates of the first proper annotation."""
    for annotation in annotations:
        if _is_keypoint(annotation.get("keypoint")) and annotation["keypoint"].shape[3] in (2, 3):
            return annotation["keypoint"].shape[2:]
    raise ExchangeError(f"{path}: no annotation has a 'keypoint' of floats (m, t, v, 2 or 3)")


def _splits(split: Mapping[Any, Any], path: Path) -> dict[str, FileSplit]:
    """`xsub_train` and `xsub_val` are the two parts of split xsub; `train` and `test` alone those of 'given'."""
    lists: dict[str, frozenset[str]] = {}
    for name, clips in split.items():
        clips = clips.tolist() if isinstance(clips, np.ndarray) else clips
        if not isinstance(name, str) or not isinstance(clips, list | tuple | set | frozenset):
            raise ExchangeError(f"{path}: split {ascii(name)[:60]} is no list of clip names")
        if any(not isinstance(clip, str) for clip in clips):
            raise ExchangeError(f"{path}: split {ascii(name)[:60]} holds something else than clip names")
        lists[name] = frozenset(map(_name, clips))
    found = {}
    for name, train in lists.items():
        match = _TRAIN.search(name)
        others = [name[: match.start()] + word + name[match.end() :] for word in _TEST_WORDS] if match else []
        test = next((lists[other] for other in others if other in lists), None)
        if match and test is not None:
            base = (name[: match.start()].rstrip("_-") + name[match.end() :]).strip("_-")
            found[base or "given"] = FileSplit(train=train, test=test)
    if not found:
        names = ", ".join(ascii(name)[:40] for name in lists) or "none"
        raise ExchangeError(f"{path} has the splits {names}: understood are pairs such as xsub_train and xsub_val")
    return found


def _rows(
    annotations: Sequence[Mapping[str, Any]], layout: SkeletonLayout, coordinates: int, file: str
) -> Iterator[Row]:
    for number, annotation in enumerate(annotations, start=1):
        name = _name(annotation["frame_dir"])
        joints, reason = None, _unusable(annotation, layout, coordinates)
        if not reason:
            joints = annotation["keypoint"].transpose(1, 0, 2, 3)[:, :_MOST_BODIES]
            if joints.dtype.itemsize < 4:
                joints = joints.astype(np.float32)
            if coordinates == 2:
                joints = _from_picture(joints, *map(float, annotation["img_shape"][:2]))
            joints = np.ascontiguousarray(joints)
        label = whole_number(annotation.get("label"))
        yield Row(file=file, number=number, name=name, part=name, label=label, joints=joints, reason=reason)


def _unusable(annotation: Mapping[str, Any], layout: SkeletonLayout, coordinates: int) -> str:
    """Why an annotation cannot be used, or nothing."""
    keypoint = annotation.get("keypoint")
    wanted = f"floats (m, t, {len(layout.joints)}, {coordinates})"
    if not _is_keypoint(keypoint):
        return f"its keypoint is {type(keypoint).__name__}, not {wanted}"
    assert isinstance(keypoint, np.ndarray)
    if keypoint.shape[2:] != (len(layout.joints), coordinates):
        return f"its keypoint is {keypoint.shape}, not {wanted}"
    if not keypoint.size:
        return f"its keypoint {keypoint.shape} is empty"
    frames = annotation.get("total_frames", keypoint.shape[1])
    if whole_number(frames, MOST_FRAMES) != keypoint.shape[1]:
        return f"total_frames says {ascii(frames)[:20]}, its keypoint has {keypoint.shape[1]} frames"
    if coordinates == 2:
        if not np.isfinite(keypoint).all():
            return "a joint that is no position"
        shape: Any = annotation.get("img_shape")
        sizes = shape[:2] if isinstance(shape, tuple | list) else ()
        if [isinstance(n, int | float | np.number) and 1 <= n <= _LARGEST_PICTURE for n in sizes] != [True, True]:
            return f"its img_shape is {ascii(shape)[:40]}, not (height, width)"
    return ""


def _from_picture(pixels: Float[np.ndarray, "t m v 2"], height: float, width: float) -> Float[np.ndarray, "t m v 3"]:
    """Metres from the middle of the picture, y up, z = 0. Absent bodies stay zero.

    A joint that was not found (both coordinates 0) while its body was is put where it would be between the frames
    around it; where it is found in no frame, in the middle of the joints that were found.
    """
    points = pixels.astype(np.float64)
    found = np.asarray(points.any(axis=3))
    there = np.asarray(found.any(axis=2))
    for body, joint in zip(*np.nonzero((~found & there[..., None]).any(axis=0)), strict=True):
        frames, missing = np.flatnonzero(found[:, body, joint]), np.flatnonzero(there[:, body] & ~found[:, body, joint])
        for axis in range(2):
            if len(frames):
                points[missing, body, joint, axis] = np.interp(missing, frames, pixels[frames, body, joint, axis])
            else:
                near = np.where(found[missing, body], pixels[missing, body, :, axis], np.nan)
                points[missing, body, joint, axis] = np.nanmean(near, axis=1)
    scale = PICTURE_METRES / height
    x = (points[..., 0] - width / 2) * scale
    y = (height / 2 - points[..., 1]) * scale
    return np.where(there[..., None, None], np.stack((x, y, np.zeros_like(x)), axis=-1), 0.0)
