"""Numpy files: `.npy` with one array, `.npz` with one or several recordings and what is known of them.

Which axis is which is told by the user (`Source.variable`), by our own archives, or by the shape where only one order
fits: see `kinestream.data.formats.orders`. An archive of several recordings has one array for all, end to end, whose
array `offset` says where each begins, or with an axis that counts them; arrays with a value for each recording say its
name, label, subject, camera, session, rate and length.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Num

from kinestream.data.formats import FORMATS, Format, freemocap
from kinestream.data.formats.numpy_files import SUFFIXES, Arrays, is_npy, names_in, open_arrays
from kinestream.data.formats.orders import (
    Order,
    as_floats,
    chained,
    fold,
    order_of,
    parse_order,
    split_variable,
    usable,
    without_padding,
)
from kinestream.data.formats.row_facts import RowFacts, read_facts
from kinestream.data.npy import Header
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import SkeletonLayout

_JOINTS = ("joints", "keypoints", "positions", "position", "poses", "pose", "xyz", "skeleton", "skeletons", "data")
_UNIT_OF_NAME = re.compile(r"_(mm|cm|m|px)$")
_SCORES = (
    "confidence",
    "confidences",
    "score",
    "scores",
    "keypoint_score",
    "keypoint_scores",
    "visibility",
    "likelihood",
)
_ENDS = ("offset", "offsets")
_AXES = ("axes", "dims", "dimensions", "order")
_OF_OTHERS = ("x_train", "x_test")
_MOST_LOADED = 2**32


def read(source: Source) -> list[Found]:
    """Raises RecordingError for a file without an array of joints that can be told."""
    arrays = open_arrays(source.path)
    name, order = split_variable(source.variable)
    chosen = _choose(arrays.headers, name)
    header = arrays.headers[chosen]
    problem = usable(header.dtype)
    if problem:
        raise RecordingError(problem)
    if 0 in header.shape:
        raise RecordingError(f"an array {header.shape}: there is nothing in it")
    unit = _UNIT_OF_NAME.search(chosen.lower())
    facts = read_facts(arrays, chosen) if chosen else RowFacts()
    layout = facts.layout or source.layout
    ends = _ends(arrays, header)
    order = order or _own_order(arrays, header) or (_stacked(header) if ends is not None else None)
    order = order or order_of(header.shape, layout)
    array = arrays.load(chosen)
    if array.dtype not in (np.float32, np.float64) and array.size * 8 > _MOST_LOADED:
        raise RecordingError(f"an array of {array.size:,} {array.dtype}, too many to convert: save it as float32")
    joints, scores = fold(array, order, layout)
    sure = _scores(arrays, header, order)
    if sure and scores is None:
        scores = _fold_scores(arrays.load(sure), order, layout, joints.shape)
    notes = [*facts.notes, *_not_read(arrays, {chosen, sure, *facts.used}, stacked=ends is not None)]
    if not source.variable and str(order) not in ("tvc", "tmvc") and not facts.is_ours:
        notes.append(f"the array {header.shape} is read as '{order}'")
    parts = _parts(joints, scores, ends, facts, notes)
    notes += facts.checked(len(parts))
    made = []
    for row, (one, score) in enumerate(parts):
        found = _found(as_floats(one), score, ours=facts.is_ours, many=len(parts) > 1)
        if found is None:
            notes.append("recordings without anybody in them are left out")
            continue
        own = facts.row(row, len(parts))
        made.append((found, own))
    if not made:
        raise RecordingError(f"no body in any of its {joints.shape[0] * joints.shape[1]} frames")
    told = tuple(dict.fromkeys(notes))
    units = facts.units or (unit.group(1) if unit else None)
    return [
        Found(
            joints=found[0],
            confidence=found[1],
            layout=facts.layout,
            points=facts.points,
            units=units,
            up=facts.up,
            notes=told,
            **own,
        )
        for found, own in made
    ]


def recognises(path: Path) -> bool:
    """Whether a file holds arrays that may be joints, and is not of a form that has a reader of its own."""
    if path.suffix.lower() != ".npz":
        return is_npy(path) and not freemocap.recognises(path)
    names = names_in(path)
    return bool(names) and not any(name in names for name in _OF_OTHERS) and not _is_features(names)


FORMATS.add(
    "arrays",
    Format(
        suffixes=SUFFIXES,
        read=read,
        recognises=recognises,
        looks_like="numpy arrays (t, v, c), (t, m, v, c) or (n, t, v, c)",
    ),
)


def _is_features(names: Sequence[str]) -> bool:
    return "vectors" in names or "features" in names


def _choose(headers: Mapping[str, Header], asked: str) -> str:
    """The name of the array of joints."""
    if asked:
        if asked not in headers:
            there = chained(list(headers)) if any(headers) else "one without a name"
            raise RecordingError(f"no array '{asked[:40]}': the file has {there}")
        return asked
    if list(headers) == [""]:
        return ""
    large = [name for name, one in headers.items() if len(one.shape) >= 2 and not usable(one.dtype)]
    for word in _JOINTS:
        for name in large:
            if _UNIT_OF_NAME.sub("", name.lower()) == word:
                return name
    cubes = [name for name in large if len(headers[name].shape) >= 3]
    only = cubes if len(cubes) == 1 else large
    if len(only) == 1:
        return only[0]
    if len(headers) == 1:
        return next(iter(headers))
    raise RecordingError(f"arrays {chained(list(headers))}: say which holds the joints with --variable NAME")


def _own_order(arrays: Arrays, header: Header) -> Order | None:
    """As an array of the names of the axes says."""
    for name in _AXES:
        about = arrays.headers.get(name)
        if about is None or about.dtype.kind != "U" or about.size > 10_000:
            continue
        words = np.atleast_1d(arrays.load(name)).ravel().tolist()
        order = parse_order("".join(_LETTER_OF_AXIS.get(word.lower().rstrip("s"), word) for word in words))
        if order is not None and len(order.groups) == len(header.shape):
            return order
    return None


_LETTER_OF_AXIS = {
    **dict.fromkeys(("recording", "sample", "clip", "batch", "sequence"), "n"),
    **dict.fromkeys(("time", "frame"), "t"),
    **dict.fromkeys(("person", "people", "body", "bodie", "individual", "track"), "m"),
    **dict.fromkeys(("joint", "keypoint", "landmark", "marker", "point", "node"), "v"),
    **dict.fromkeys(("space", "coordinate", "coord", "channel", "axi", "axe", "xyz", "dim"), "c"),
}


def _stacked(header: Header) -> Order | None:
    """Of recordings end to end."""
    return parse_order({3: "tvc", 4: "tmvc"}.get(len(header.shape), ""))


def _ends(arrays: Arrays, header: Header) -> list[int] | None:
    """Where each recording begins, and the end, in frames; None where recordings do not stand end to end."""
    name = next((name for name in _ENDS if name in arrays.headers), None)
    if name is None:
        return None
    about = arrays.headers[name]
    if about.dtype.kind not in "iu" or len(about.shape) != 1 or about.size > 2**27:
        raise RecordingError(f"array '{name}' is {about.dtype} {about.shape}: n + 1 whole numbers belong there")
    ends = np.asarray(arrays.load(name)).tolist()
    rising = all(first < second for first, second in itertools.pairwise(ends))
    if len(ends) < 2 or ends[0] != 0 or ends[-1] != header.shape[0] or not rising:
        raise RecordingError(
            f"array '{name}' must rise from 0 to the {header.shape[0]} frames: where each recording begins, and "
            "the end of the last"
        )
    return ends


def _parts(
    joints: Num[np.ndarray, "n t m v c"],
    scores: np.ndarray | None,
    ends: list[int] | None,
    facts: RowFacts,
    notes: list[str],
) -> list[tuple[np.ndarray, np.ndarray | None]]:
    if ends is not None:
        slices = [slice(first, last) for first, last in itertools.pairwise(ends)]
        return [(joints[0, part], None if scores is None else scores[0, part]) for part in slices]
    made = []
    for row in range(len(joints)):
        length = facts.length(row, joints.shape[1])
        one = joints[row, :length]
        if len(joints) > 1 and facts.lengths is None:
            one = without_padding(one)
            if len(one) < length:
                notes.append("frames at the end of recordings that show nobody are left out")
        made.append((one, None if scores is None else scores[row, : len(one)]))
    return made


def _found(
    joints: Float[np.ndarray, "t m v c"], score: np.ndarray | None, *, ours: bool, many: bool
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Without places that nobody ever has, where recordings share an array; None where there is nobody at all."""
    if not len(joints):
        return None
    there = np.array([_anybody(joints[:, place]) for place in range(joints.shape[1])])
    if not there.any():
        return None
    if np.isinf(joints).any():
        joints = np.where(np.isinf(joints).any(axis=-1, keepdims=True), np.nan, joints)
    kept = slice(None, int(np.flatnonzero(there)[-1]) + 1) if ours or many else slice(None)
    known = score is not None and not np.isnan(score).all()
    return joints[:, kept], as_floats(score)[:, kept] if known and score is not None else None


def _scores(arrays: Arrays, header: Header, order: Order) -> str:
    """The array that has a confidence for each joint; empty where there is none."""
    if order.groups[-1] != "c":
        return ""
    for name in _SCORES:
        about = arrays.headers.get(name)
        if about is not None and about.shape == header.shape[:-1] and about.dtype.kind == "f":
            return name
    return ""


def _fold_scores(
    scores: np.ndarray, order: Order, layout: SkeletonLayout | None, shape: tuple[int, ...]
) -> Num[np.ndarray, "n t m v"]:
    """Arranged as the joints are: the axis of the coordinates has one more that is not there."""
    twice = np.broadcast_to(scores[..., None], (*scores.shape, shape[-1]))
    return fold(twice, order, layout)[0][..., 0]


def _anybody(joints: Num[np.ndarray, "t v c"]) -> bool:
    """Looks at a few hundred frames at a time: most often at the first only."""
    blocks = (joints[begin : begin + 256] for begin in range(0, len(joints), 256))
    return any(np.nan_to_num(block).any() for block in blocks)


def _not_read(arrays: Arrays, read: set[str], *, stacked: bool) -> list[str]:
    left = [name for name in arrays.headers if name not in {*read, *_AXES, *(_ENDS if stacked else ())}]
    return [f"arrays that are not read: {chained(left)}"] if left else []
