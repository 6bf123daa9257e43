"""The 3s-CACA authors' arrays: a folder with `{train,val}_position.npy` or `{train,val}_data.npy` and
`{train,val}_label.pkl`.

    position   float32 (n, 3, 50, v, m), prepared as published, 50 frames
    data       float32 (n, 3, 300, v, m), coordinates as the sensor gave them, zero after the last frame
    label      pickle of (names, labels), names like S001C001P001R001A001.skeleton, labels from 0

Arrays are memory-mapped; the labels are read as a whole. Our own exports say more in `kinestream.json`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
    not_read,
    open_array,
    rate_of,
    seen_frames,
    whole_number,
    word_of,
)
from kinestream.data.formats.origin import COLUMNS, FILE, Origin, read_origin
from kinestream.data.formats.safe_pickle import load_pickle
from kinestream.data.formats.which_layout import layout_told
from kinestream.data.preparation import PREPARATIONS, is_as_found
from kinestream.words import flat_name, shown

PARTS = ("train", "val")
_KINDS = ("position", "data")
_SUFFIXES = (".skeleton", ".json", ".txt", ".npy")


@dataclass(frozen=True, kw_only=True)
class _Part:
    name: str
    array: np.ndarray
    names: Sequence[str]
    labels: Sequence[int]
    columns: Mapping[str, Sequence[Any]]


def found_in(folder: Path) -> bool:
    """Whether the folder has arrays of this form."""
    return any((folder / f"{part}_{kind}.npy").is_file() for part in PARTS for kind in _KINDS)


def open_authors(folder: Path, asked: Asked) -> Incoming:
    """Opens the arrays of a folder: `position` where it is there, unless only `data` is.

    The preparation asked for is what `data` is prepared with, and what `position` was prepared with; that which the
    folder says, or `published`, if None.
    """
    asked.refuse_axes("the authors' arrays")
    kind = next(kind for kind in _KINDS if any((folder / f"{part}_{kind}.npy").is_file() for part in PARTS))
    origin = read_origin(folder / FILE)
    parts = [_open(folder, part, kind, origin) for part in PARTS if (folder / f"{part}_{kind}.npy").is_file()]
    shapes = {(part.array.shape[1], *part.array.shape[3:]) for part in parts}
    if len(shapes) > 1:
        raise ExchangeError(f"{folder}: the arrays of training and validation differ in joints and bodies: {shapes}")
    (coordinates, joints, bodies), names = next(iter(shapes)), [name for part in parts for name in part.names]
    planar = coordinates == 2 or origin.planar
    told = layout_told(joints, folder, asked, said=origin.layout, names=names, planar=planar)
    single = [f"only the part '{parts[0].name}' is there"] if len(parts) == 1 else []
    chosen = asked.preparation or origin.preparation or ("planar" if planar else "published")
    if not is_as_found(chosen):
        chosen = check_preparation(chosen, PREPARATIONS)
        chosen = f"{chosen}-clips" if kind == "position" else chosen
    return Incoming(
        form=f"the 3s-CACA authors' '{kind}' arrays",
        layout=told.layout,
        most_bodies=bodies,
        labels=[label for part in parts for label in part.labels],
        rows=lambda: _rows(parts, kind),
        splits={"given": FileSplit(train=frozenset({PARTS[0]}), test=frozenset({PARTS[1]}))},
        names=tuple((name, part.name) for part in parts for name in part.names),
        preparation=chosen,
        cleaned=is_as_found(chosen),
        planar=planar,
        class_names=origin.class_names,
        notes=(*told.notes, *single, *not_read(_left_aside(folder, parts, kind))),
    )


def _left_aside(folder: Path, parts: Sequence[_Part], kind: str) -> list[str]:
    used = {FILE, *(f"{part.name}_{kind}.npy" for part in parts), *(f"{part.name}_label.pkl" for part in parts)}
    return sorted(path.name for path in folder.iterdir() if path.name not in used and not path.name.startswith("."))


def _open(folder: Path, part: str, kind: str, origin: Origin) -> _Part:
    path = folder / f"{part}_{kind}.npy"
    array = open_array(path)
    if array.ndim != 5 or array.shape[1] not in (2, 3) or array.dtype.kind != "f":
        raise ExchangeError(f"{path} holds {array.dtype} {array.shape}: floats (n, 3, t, v, m) were expected")
    if not 1 <= array.shape[4] <= MOST_BODIES:
        raise ExchangeError(f"{path} holds {array.shape}: (n, 3, t, v, m) with 1 to {MOST_BODIES} bodies m is read")
    label_path = folder / f"{part}_label.pkl"
    if not label_path.is_file():
        raise ExchangeError(f"no {label_path} beside {path.name}: the names and labels of its {len(array)} clips")
    content = load_pickle(label_path)
    if not isinstance(content, tuple | list) or len(content) != 2:
        raise ExchangeError(f"{label_path} holds {type(content).__name__}: a pair (names, labels) was expected")
    names, labels = (value.tolist() if isinstance(value, np.ndarray) else value for value in content)
    if not isinstance(names, list | tuple) or not isinstance(labels, list | tuple):
        raise ExchangeError(f"{label_path}: names and labels are no lists")
    if not len(names) == len(labels) == len(array):
        raise ExchangeError(
            f"{label_path} has {len(names)} names and {len(labels)} labels, {path.name} has {len(array)} clips"
        )
    if wrong := next((name for name in names if not isinstance(name, str)), None):
        raise ExchangeError(f"{label_path}: {shown(wrong)} where a name belongs")
    found = {column: origin.column(part, column, len(array)) for column in COLUMNS}
    return _Part(
        name=part,
        array=array,
        names=[flat_name(without_suffix(name)) for name in names],
        labels=[whole_number(label) for label in labels],
        columns={column: values for column, values in found.items() if values is not None},
    )


def without_suffix(name: str) -> str:
    """`S001C001P001R001A001.skeleton` without what it ends in; other dots belong to a name."""
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


def _rows(parts: Sequence[_Part], kind: str) -> Iterator[Row]:
    for part in parts:
        for index, (name, label) in enumerate(zip(part.names, part.labels, strict=True)):
            joints = np.ascontiguousarray(part.array[index].transpose(1, 3, 2, 0))  # c t v m -> t m v c
            told = {column: values[index] for column, values in part.columns.items()}
            length = whole_number(told.get("length"), MOST_FRAMES)
            if kind == "data":
                joints = joints[: length if length > 0 else seen_frames(joints)]
            yield Row(
                file=f"{part.name}_{kind}.npy",
                number=index + 1,
                name=name,
                part=part.name,
                label=label,
                joints=joints,
                subject=word_of(told.get("subject")),
                camera=word_of(told.get("camera")),
                session=word_of(told.get("session")),
                fps=rate_of(told.get("fps")),
            )


FORMATS.add(
    "authors",
    Collection(
        looks_like="a folder with the 3s-CACA authors' train_position.npy or train_data.npy",
        is_one=found_in,
        open=open_authors,
    ),
)
