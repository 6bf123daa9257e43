"""The 3s-CACA authors' arrays: a folder with `{train,val}_position.npy` or `{train,val}_data.npy` and
`{train,val}_label.pkl`.

    position   float32 (n, 3, 50, v, m), prepared as published, 50 frames
    data       float32 (n, 3, 300, v, m), coordinates as the sensor gave them, zero after the last frame
    label      pickle of (names, labels), names like S001C001P001R001A001.skeleton, labels from 0

Arrays are memory-mapped; the labels are read as a whole.
"""

import json
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kinestream.data.formats import FORMATS, Collection
from kinestream.data.formats.incoming import (
    ExchangeError,
    FileSplit,
    Incoming,
    Row,
    check_preparation,
    layout_of,
    open_array,
    seen_frames,
    whole_number,
)
from kinestream.data.formats.safe_pickle import load_pickle
from kinestream.data.preparation import PREPARATIONS, is_as_found
from kinestream.data.store import Store

PARTS = ("train", "val")
ORIGIN = "kinestream.json"
"""Written beside our own exports: what the arrays themselves cannot say."""
_KINDS = ("position", "data")
_SUFFIXES = (".skeleton", ".json", ".txt", ".npy")


@dataclass(frozen=True, kw_only=True)
class _Part:
    name: str
    array: np.ndarray
    names: Sequence[str]
    labels: Sequence[int]


def found_in(folder: Path) -> bool:
    """Whether the folder has arrays of this form."""
    return any((folder / f"{part}_{kind}.npy").is_file() for part in PARTS for kind in _KINDS)


def open_authors(folder: Path, preparation: str | None) -> Incoming:
    """Opens the arrays of a folder: `position` where it is there, unless only `data` is.

    `preparation` is what `data` is prepared with, and what `position` was prepared with; `published` if None.
    """
    kind = next(kind for kind in _KINDS if any((folder / f"{part}_{kind}.npy").is_file() for part in PARTS))
    parts = [_open(folder, part, kind) for part in PARTS if (folder / f"{part}_{kind}.npy").is_file()]
    shapes = {part.array.shape[3:] for part in parts}
    if len(shapes) > 1:
        raise ExchangeError(f"{folder}: the arrays of training and validation differ in joints and bodies: {shapes}")
    notes = [f"only the part '{parts[0].name}' is there"] if len(parts) == 1 else []
    if kind == "position" and any((folder / f"{part}_data.npy").is_file() for part in PARTS):
        notes.append("'position' was read; 'data' lies beside it and was not")
    said = read_origin(folder / ORIGIN)
    chosen = preparation or said.get("preparation", "published")
    if not is_as_found(chosen):
        chosen = check_preparation(chosen, PREPARATIONS)
        chosen = f"{chosen}-clips" if kind == "position" else chosen
    joints, bodies = parts[0].array.shape[3:]
    return Incoming(
        form=f"the 3s-CACA authors' '{kind}' arrays",
        layout=layout_of(joints, folder),
        most_bodies=bodies,
        classes=max((label for part in parts for label in part.labels), default=-1) + 1,
        count=sum(len(part.array) for part in parts),
        rows=lambda: _rows(parts, kind),
        splits={"given": FileSplit(train=frozenset({PARTS[0]}), test=frozenset({PARTS[1]}))},
        names=tuple((name, part.name) for part in parts for name in part.names),
        preparation=chosen,
        cleaned=is_as_found(chosen),
        notes=tuple(notes),
    )


def _open(folder: Path, part: str, kind: str) -> _Part:
    path = folder / f"{part}_{kind}.npy"
    array = open_array(path)
    if array.ndim != 5 or array.shape[1] != 3 or array.dtype.kind != "f" or not 1 <= array.shape[4] <= 8:
        raise ExchangeError(f"{path} holds {array.dtype} {array.shape}: floats (n, 3, t, v, m) were expected")
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
        raise ExchangeError(f"{label_path}: {ascii(wrong)[:60]} where a name belongs")
    return _Part(
        name=part,
        array=array,
        names=[without_suffix(name) for name in names],
        labels=[whole_number(label) for label in labels],
    )


def without_suffix(name: str) -> str:
    """`S001C001P001R001A001.skeleton` without what it ends in; other dots belong to a name."""
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


def _rows(parts: Sequence[_Part], kind: str) -> Iterator[Row]:
    for part in parts:
        for number, (name, label) in enumerate(zip(part.names, part.labels, strict=True), start=1):
            joints = np.ascontiguousarray(part.array[number - 1].transpose(1, 3, 2, 0))  # c t v m -> t m v c
            if kind == "data":
                joints = joints[: seen_frames(joints)]
            yield Row(
                file=f"{part.name}_{kind}.npy", number=number, name=name, part=part.name, label=label, joints=joints
            )


FORMATS.add(
    "authors",
    Collection(
        looks_like="a folder with the 3s-CACA authors' train_position.npy or train_data.npy",
        is_one=found_in,
        open=open_authors,
    ),
)


# --- the way back ---------------------------------------------------------------------------------------------------


def write_authors(
    folder: Path,
    part: str,
    names: Sequence[str],
    labels: Sequence[int],
    clips: Iterator[Float[np.ndarray, "t m v c"]],
    shape: tuple[int, int, int],
) -> None:
    """Writes `<part>_position.npy`, clip after clip, and `<part>_label.pkl`. `shape` is (t, m, v)."""
    frames, bodies, joints = shape
    with (folder / f"{part}_position.npy").open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(names), 3, frames, joints, bodies)}
        np.lib.format.write_array_header_1_0(file, header)
        for clip in clips:
            file.write(np.ascontiguousarray(clip.transpose(3, 0, 2, 1), dtype="<f4").data)
    with (folder / f"{part}_label.pkl").open("wb") as file:
        pickle.dump((list(names), [int(label) for label in labels]), file, protocol=2)


def origin_of(store: Store, split: str, frames: int | None) -> dict[str, Any]:
    """What the arrays of an export cannot say themselves. `frames` is None for recordings of full length."""
    own = store.info.preparation
    made = own if frames is None or is_as_found(own) else f"{own}-clips"
    return {"preparation": made, "dataset": store.info.dataset, "split": split, "frames": frames}


def read_origin(source: Path | str) -> dict[str, str]:
    """What an export of ours says (a file, or its text); nothing where there is none or it says nothing of use."""
    try:
        plain = json.loads(source if isinstance(source, str) else source.read_text("utf-8"))
        return {"preparation": plain["preparation"]} if isinstance(plain["preparation"], str) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
