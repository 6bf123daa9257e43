"""PYSKL's annotation pickles, in 3D and 2D: `{"split": {name: [clip names]}, "annotations": [...]}`.

An annotation has `frame_dir` (the clip's name), `label` from 0, `keypoint (m, t, v, c)` and `total_frames`; in 2D also
`img_shape` (height, width) and `keypoint_score (m, t, v)`. Splits, labels, picture sizes and scores may be missing;
names of classes, subjects, cameras and rates are taken where there are any. The pickle is read as a whole: it needs a
little more memory than its size.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kinestream.data.formats import FORMATS, Collection
from kinestream.data.formats.incoming import (
    MOST_BODIES,
    MOST_FRAMES,
    Asked,
    ExchangeError,
    FileSplit,
    Incoming,
    Row,
    check_preparation,
    names_of_classes,
    not_read,
    rate_of,
    whole_number,
    word_of,
)
from kinestream.data.formats.origin import KEY, read_origin
from kinestream.data.formats.picture import BODY_METRES, from_picture, size_of
from kinestream.data.formats.safe_pickle import load_pickle
from kinestream.data.formats.which_layout import layout_told
from kinestream.data.preparation import PREPARATIONS, is_as_found
from kinestream.words import file_stem, flat_name, shown

CLASS_NAMES = ("label_name", "label_names", "class_names", "classes", "label_map")
SUBJECT, CAMERA = ("subject", "subject_id", "person_id", "performer"), ("camera", "camera_id", "view", "view_id")
SESSION, RATE = ("session", "session_id"), ("fps", "frame_rate")
_KNOWN = ("frame_dir", "label", "keypoint", "keypoint_score", "total_frames", "img_shape", "original_shape")
_UNDERSTOOD = "a dict with 'annotations' (dicts with frame_dir, label, keypoint) and 'split' (name -> clip names)"
_TRAIN = re.compile(r"(?:^|(?<=[_\-]))train(?:ing)?(?=$|[_\-\d])")
_TEST_WORDS = ("test", "val", "validation", "testing")


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What the annotations of a file have in common."""

    joints: int
    coordinates: int
    scored: bool
    """Some have scores."""
    sized: bool
    """Some say how large their picture is."""

    @property
    def planar(self) -> bool:
        return self.coordinates == 2


def open_pyskl(path: Path, asked: Asked) -> Incoming:
    """Opens a pickle. 3D joints go through the preparation asked for (published if None), 2D ones through 'planar'."""
    asked.refuse_axes("PYSKL pickles")
    content = load_pickle(path)
    annotations, split = _parts(content, path)
    more: Mapping[Any, Any] = content if isinstance(content, dict) else {}
    origin = read_origin(str(more.get(KEY, "")))
    splits, notes = _splits(split, path)
    kind = _kind(annotations, path)
    planar = kind.planar or origin.planar
    if planar and asked.preparation not in (None, "planar"):
        raise ExchangeError(
            f"{path} has joints in 2D: preparation '{asked.preparation}' needs 3D, leave it out or take 'planar'"
        )
    names = [flat_name(annotation["frame_dir"]) for annotation in annotations]
    told = layout_told(kind.joints, path, asked, said=origin.layout, names=names, planar=planar, scored=kind.scored)
    key = next((key for key in CLASS_NAMES if key in more), "")
    class_names = names_of_classes(more[key], f"{path}: {key}") if key else origin.class_names
    most = max((len(a["keypoint"]) for a in annotations if _is_keypoint(a.get("keypoint"))), default=1)
    if most > MOST_BODIES:
        raise ExchangeError(f"{path}: a keypoint of {most} bodies: at most {MOST_BODIES} are read")
    preparation = asked.preparation or origin.preparation or ("planar" if planar else "published")
    unread = Counter(str(key) for annotation in annotations for key in annotation if key not in _annotation_keys())
    return Incoming(
        form=f"PYSKL annotations in {2 if planar else 3}D",
        layout=told.layout,
        most_bodies=max(most, 1),
        labels=[whole_number(annotation.get("label")) for annotation in annotations],
        rows=lambda: _rows(annotations, names, kind, path.name),
        splits=splits,
        names=tuple((name, name) for name in names),
        preparation=preparation if is_as_found(preparation) else check_preparation(preparation, PREPARATIONS),
        cleaned=bool(origin.preparation) and asked.preparation is None,
        planar=planar,
        class_names=class_names,
        notes=(
            *told.notes,
            *notes,
            *_said_of(annotations, kind),
            *not_read([str(other) for other in more if other not in ("split", "annotations", KEY, key)]),
            *not_read([f"{key} of {count:,} annotations" for key, count in unread.items()]),
        ),
    )


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle, by its ending or its first byte."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix.lower() in (".pkl", ".pickle") or file.read(1) == b"\x80"


FORMATS.add("pyskl", Collection(looks_like="a PYSKL pickle", is_one=is_pickle, open=open_pyskl))


def _annotation_keys() -> tuple[str, ...]:
    return (*_KNOWN, *SUBJECT, *CAMERA, *SESSION, *RATE)


def _parts(content: object, path: Path) -> tuple[list[dict[str, Any]], Mapping[Any, Any]]:
    """Annotations and splits. A list of annotations alone is a file without splits."""
    annotations = content if isinstance(content, list) else None
    split: object = {}
    if isinstance(content, dict):
        annotations, split = content.get("annotations"), content.get("split", {})
    if not isinstance(annotations, list) or not isinstance(split, dict) or not annotations:
        keys = ", ".join(f"'{shown(key, 40)}'" for key in list(content)[:6]) if isinstance(content, dict) else ""
        held = f"a dict with {keys}" if isinstance(content, dict) else type(content).__name__
        raise ExchangeError(f"{path} holds {held}: understood is {_UNDERSTOOD}")
    for number, annotation in enumerate(annotations, start=1):
        if not isinstance(annotation, dict) or not isinstance(annotation.get("frame_dir"), str):
            raise ExchangeError(f"{path}: annotation {number} is no dict with a name 'frame_dir'")
    return annotations, split


def _is_keypoint(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 4 and value.dtype.kind == "f"


def _kind(annotations: Sequence[Mapping[str, Any]], path: Path) -> _Kind:
    """Number of joints and of coordinates that most annotations have."""
    shapes = Counter(a["keypoint"].shape[2:] for a in annotations if _is_keypoint(a.get("keypoint")))
    proper = [shape for shape, _ in shapes.most_common() if shape[1] in (2, 3) and shape[0]]
    if not proper:
        raise ExchangeError(f"{path}: no annotation has a 'keypoint' of floats (m, t, v, 2 or 3)")
    joints, coordinates = proper[0]
    scored = any(isinstance(annotation.get("keypoint_score"), np.ndarray) for annotation in annotations)
    sized = any(annotation.get("img_shape") is not None for annotation in annotations)
    return _Kind(joints=joints, coordinates=coordinates, scored=scored, sized=sized)


def _said_of(annotations: Sequence[Mapping[str, Any]], kind: _Kind) -> Iterator[str]:
    if kind.planar and not kind.sized:
        yield f"no size of the picture (img_shape): bodies are scaled to {BODY_METRES} m, y points down in the file"
    above = sum(bool(np.any(a["keypoint_score"] > 1)) for a in annotations if _is_score(a.get("keypoint_score")))
    if above:
        yield f"{above:,} annotations have scores above 1, which are taken for 1"


def _is_score(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _splits(split: Mapping[Any, Any], path: Path) -> tuple[dict[str, FileSplit], tuple[str, ...]]:
    """`xsub_train` and `xsub_val` are the two parts of split xsub; `train` and `test` alone those of 'given'. What has
    no counterpart is told."""
    lists: dict[str, frozenset[str]] = {}
    for name, clips in split.items():
        clips = clips.tolist() if isinstance(clips, np.ndarray) else clips
        if not isinstance(name, str) or not isinstance(clips, list | tuple | set | frozenset):
            raise ExchangeError(f"{path}: split '{shown(name)}' is no list of clip names")
        if any(not isinstance(clip, str) for clip in clips):
            raise ExchangeError(f"{path}: split '{shown(name)}' holds something else than clip names")
        lists[name] = frozenset(map(flat_name, clips))
    found, used = {}, set()
    for name, train in lists.items():
        match = _TRAIN.search(name)
        others = [name[: match.start()] + word + name[match.end() :] for word in _TEST_WORDS] if match else []
        other = next((other for other in others if other in lists), None)
        if match and other is not None:
            base = (name[: match.start()].rstrip("_-") + name[match.end() :]).strip("_-")
            found[file_stem(base or "given")] = FileSplit(train=train, test=lists[other])
            used |= {name, other}
    alone = [f"'{shown(name)}'" for name in lists if name not in used]
    if alone and not (len(lists) == 1 and _TRAIN.fullmatch(next(iter(lists)))):  # one list for training splits nothing
        return found, (
            f"lists of {', '.join(alone[:8])} are not read: understood are pairs such as xsub_train and xsub_val",
        )
    return found, ()


def _rows(annotations: Sequence[Mapping[str, Any]], names: Sequence[str], kind: _Kind, file: str) -> Iterator[Row]:
    for number, (name, annotation) in enumerate(zip(names, annotations, strict=True), start=1):
        joints, confidence, reason = None, None, _unusable(annotation, kind)
        if not reason:
            confidence = _confidence(annotation)
            joints = _joints(annotation, kind, confidence)
        yield Row(
            file=file,
            number=number,
            name=name,
            part=name,
            label=whole_number(annotation.get("label")),
            joints=joints,
            reason=reason,
            confidence=confidence,
            subject=_first(annotation, SUBJECT),
            camera=_first(annotation, CAMERA),
            session=_first(annotation, SESSION),
            fps=next((rate for key in RATE if (rate := rate_of(annotation.get(key)))), None),
        )


def _first(annotation: Mapping[str, Any], keys: Sequence[str]) -> str | int | None:
    return next((word for key in keys if (word := word_of(annotation.get(key))) is not None), None)


def _unusable(annotation: Mapping[str, Any], kind: _Kind) -> str:
    """Why an annotation cannot be used, or nothing."""
    keypoint, score = annotation.get("keypoint"), annotation.get("keypoint_score")
    wanted = f"floats (m, t, {kind.joints}, {kind.coordinates})"
    if not _is_keypoint(keypoint):
        return f"its keypoint is {type(keypoint).__name__}, not {wanted}"
    assert isinstance(keypoint, np.ndarray)
    if keypoint.shape[2:] != (kind.joints, kind.coordinates):
        return f"its keypoint is {keypoint.shape}, not {wanted}"
    if not keypoint.size:
        return f"its keypoint {keypoint.shape} is empty"
    frames = annotation.get("total_frames", keypoint.shape[1])
    if whole_number(frames, MOST_FRAMES) != keypoint.shape[1]:
        return f"total_frames says {shown(frames, 20)}, its keypoint has {keypoint.shape[1]} frames"
    if score is not None and not (_is_score(score) and score.shape == keypoint.shape[:3]):
        return f"its keypoint_score is {shown(getattr(score, 'shape', score), 40)}, not {keypoint.shape[:3]}"
    if kind.planar and np.isinf(keypoint).any():
        return "a joint that is no position"
    if kind.planar and kind.sized and annotation.get("img_shape") is None:
        return "it has no img_shape (height, width)"
    if kind.planar and kind.sized and size_of(annotation["img_shape"]) is None:
        return f"its img_shape is {shown(annotation['img_shape'], 40)}, not (height, width)"
    return ""


def _confidence(annotation: Mapping[str, Any]) -> Float[np.ndarray, "t m v"] | None:
    score = annotation.get("keypoint_score")
    if score is None:
        return None
    return np.ascontiguousarray(np.nan_to_num(score.astype(np.float32)).clip(0, 1).swapaxes(0, 1))


def _joints(
    annotation: Mapping[str, Any], kind: _Kind, confidence: Float[np.ndarray, "t m v"] | None
) -> Float[np.ndarray, "t m v c"]:
    joints = annotation["keypoint"].transpose(1, 0, 2, 3)
    if joints.dtype.itemsize < 4:
        joints = joints.astype(np.float32)
    if kind.planar:
        return from_picture(joints, size_of(annotation.get("img_shape")))
    if confidence is None:
        return np.ascontiguousarray(joints)
    unseen = (confidence == 0) & ~joints.any(axis=3) & joints.any(axis=(2, 3))[..., None]
    return np.where(unseen[..., None], np.asarray(np.nan, joints.dtype), joints)
