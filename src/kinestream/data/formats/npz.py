"""The npz of CTR-GCN, MAMP, SLiM and others: `x_train (n, t, m * v * 3)`, `y_train` (one-hot or numbers), `x_test`,
`y_test`.

Rows are read one after the other out of the archive, so that memory stays bounded however large it is. There are no
names in it: they are made up. Our own exports add `name_*` and `length_*` and a line on where they come from, which
other readers pass over.
"""

import contextlib
import json
import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from kinestream.data.formats import FORMATS, Collection
from kinestream.data.formats.authors import read_origin
from kinestream.data.formats.incoming import (
    ARRAY_LAYOUTS,
    MOST_CLASSES,
    MOST_FRAMES,
    ExchangeError,
    FileSplit,
    Incoming,
    Row,
    check_preparation,
    seen_frames,
    whole_number,
)
from kinestream.data.preparation import PREPARATIONS, is_as_found
from kinestream.skeleton.layout import COCO17, SkeletonLayout

PARTS = ("train", "test")
ORIGIN = "kinestream"
_UNDERSTOOD = "x_train (n, t, m * v * 3), y_train, x_test and y_test"
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, ValueError, EOFError, SyntaxError, TokenError, OSError),
    *(NotImplementedError, KeyError, RuntimeError, MemoryError, OverflowError),
)


@runtime_checkable
class _Binary(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class _Header:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True, kw_only=True)
class _Part:
    name: str
    header: _Header
    labels: list[int]
    names: list[str] | None
    lengths: list[int] | None


def open_npz(path: Path, preparation: str | None) -> Incoming:
    """Opens an archive. The joints are kept as they are, unless `preparation` names one to put them through."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy") for name in archive.namelist()}
            if f"x_{PARTS[0]}" not in members:
                some = ", ".join(ascii(name)[1:-1][:40] for name in sorted(members)[:6])
                hint = "; weights go to 'kinestream import-weights'" if any("data.pkl" in m for m in members) else ""
                raise ExchangeError(f"{path} is an archive of {some}: understood is one of {_UNDERSTOOD}{hint}")
            parts = [_part(archive, part, members, path) for part in PARTS if f"x_{part}" in members]
            origin = str(_whole(archive, ORIGIN)) if ORIGIN in members else ""
    except ExchangeError:
        raise
    except _DAMAGE as error:
        raise ExchangeError(f"{path} is no whole npz ({' '.join(str(error).split())[:100]}): cut or damaged") from None
    width = parts[0].header.shape[2]
    if any(part.header.shape[2] != width for part in parts):
        raise ExchangeError(f"{path}: the rows of training and test are of different width")
    layout, bodies = _fold(width, path)
    said = read_origin(origin).get("preparation", "")
    found = said if said in PREPARATIONS or is_as_found(said) else "imported"
    chosen = found if preparation is None else check_preparation(preparation, PREPARATIONS)
    named = all(part.names is not None for part in parts)
    return Incoming(
        form="npz arrays",
        layout=layout,
        most_bodies=bodies,
        classes=max((label for part in parts for label in part.labels), default=-1) + 1,
        count=sum(part.header.shape[0] for part in parts),
        rows=lambda: _rows(path, parts, layout, bodies),
        splits={"given": FileSplit(train=frozenset({PARTS[0]}), test=frozenset({PARTS[1]}))},
        names=tuple((name, part.name) for part in parts for name in part.names or ()) if named else None,
        preparation=chosen,
        cleaned=preparation is None,
        notes=() if len(parts) == len(PARTS) else ("there is no x_test in it",),
    )


def is_npz(path: Path) -> bool:
    """Whether a file is an archive of more than the one array of a recording."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with contextlib.suppress(*_DAMAGE), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        return len(names) != 1 and "joints.npy" not in names
    return False


FORMATS.add("npz", Collection(looks_like="an npz with x_train", is_one=is_npz, open=open_npz))


def _part(archive: zipfile.ZipFile, part: str, members: set[str], path: Path) -> _Part:
    with archive.open(f"x_{part}.npy") as file:
        header = _header(file)
    if len(header.shape) != 3 or header.dtype.kind != "f":
        raise ExchangeError(
            f"{path}: x_{part} is {header.dtype} {header.shape}; floats (n, t, m * v * 3) were expected"
        )
    if f"y_{part}" not in members:
        raise ExchangeError(f"{path} has x_{part} but no y_{part}: understood are {_UNDERSTOOD}")
    labels = _whole(archive, f"y_{part}")
    count = header.shape[0]
    if labels.ndim not in (1, 2) or len(labels) != count or labels.dtype.kind not in "biuf":
        raise ExchangeError(f"{path}: y_{part} is {labels.dtype} {labels.shape} for the {count} clips of x_{part}")
    names = _whole(archive, f"name_{part}").tolist() if f"name_{part}" in members else None
    lengths = _whole(archive, f"length_{part}").tolist() if f"length_{part}" in members else None
    for what, values in (("name", names), ("length", lengths)):
        if values is not None and (not isinstance(values, list) or len(values) != count):
            raise ExchangeError(f"{path}: {what}_{part} does not fit the {count} clips of x_{part}")
    return _Part(
        name=part,
        header=header,
        labels=_numbers(labels),
        names=None if names is None else [str(name) for name in names],
        lengths=None if lengths is None else [whole_number(length, MOST_FRAMES) for length in lengths],
    )


def _numbers(labels: np.ndarray) -> list[int]:
    """Labels from 0 of one-hot rows or whole numbers; -1 where it is neither."""
    if labels.ndim == 2:
        if not labels.shape[1]:
            return [-1] * len(labels)
        proper = ((labels != 0).sum(axis=1) == 1) & (labels.max(axis=1) == 1)
        return np.where(proper, labels.argmax(axis=1), -1).tolist()
    usable = (labels >= 0) & (labels < MOST_CLASSES) & (labels == np.floor(labels))
    return [int(label) if good else -1 for label, good in zip(labels.tolist(), usable.tolist(), strict=True)]


def _fold(width: int, path: Path) -> tuple[SkeletonLayout, int]:
    """Layout and number of bodies of rows of so many numbers."""
    for layout in (*ARRAY_LAYOUTS, COCO17):
        bodies, rest = divmod(width, len(layout.joints) * 3)
        if not rest and 1 <= bodies <= 2:
            return layout, bodies
    known = ", ".join(f"{len(layout.joints)} ({layout.name})" for layout in (*ARRAY_LAYOUTS, COCO17))
    raise ExchangeError(f"{path}: frames of {width} numbers are not one or two bodies of {known} joints in 3D")


def _rows(path: Path, parts: Sequence[_Part], layout: SkeletonLayout, bodies: int) -> Iterator[Row]:
    with zipfile.ZipFile(path) as archive:
        for part in parts:
            count, frames, _ = part.header.shape
            shape = (frames, bodies, len(layout.joints), 3)
            with archive.open(f"x_{part.name}.npy") as file:
                _header(file)
                for index in range(count):
                    joints = _next(file, part.header.dtype, shape, f"{path}: x_{part.name}, clip {index + 1}")
                    length = part.lengths[index] if part.lengths else seen_frames(joints)
                    yield Row(
                        file=f"x_{part.name}",
                        number=index + 1,
                        name=part.names[index] if part.names else f"{part.name}-{index + 1:06}",
                        part=part.name,
                        label=part.labels[index],
                        joints=joints[: max(length, 0)],
                    )


def _next(file: _Binary, dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> Float[np.ndarray, "t m v c"]:
    size = math.prod(shape) * dtype.itemsize
    try:
        content = file.read(size)
    except _DAMAGE as error:
        raise ExchangeError(f"{where} cannot be read ({error}): damaged") from None
    if len(content) != size:
        raise ExchangeError(f"{where}: the array ends there, it was cut off")
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _header(file: _Binary) -> _Header:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if fortran:
        raise ExchangeError("an array in Fortran order: save it with numpy.ascontiguousarray")
    return _Header(shape=shape, dtype=dtype)


def _whole(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


# --- the way back ---------------------------------------------------------------------------------------------------


def write_npz_part(
    archive: zipfile.ZipFile,
    part: str,
    names: Sequence[str],
    labels: Sequence[int],
    classes: int,
    recordings: Iterator[Float[np.ndarray, "t m v c"]],
    shape: tuple[int, int, int],
) -> None:
    """Writes `x_ y_ name_ length_<part>`, zero after the last frame of each recording. `shape` is (t, m, v)."""
    frames, bodies, joints = shape
    width = bodies * joints * 3
    lengths = []
    with archive.open(f"x_{part}.npy", "w", force_zip64=True) as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(names), frames, width)}
        np.lib.format.write_array_header_1_0(file, header)
        for recording in recordings:
            row = np.zeros((frames, width), dtype="<f4")
            row[: len(recording)] = recording.reshape(len(recording), width)
            file.write(row.data)
            lengths.append(len(recording))
    one_hot = np.zeros((len(names), classes), dtype=np.float32)
    one_hot[np.arange(len(names)), np.asarray(labels, dtype=np.int64)] = 1
    for name, values in (
        (f"y_{part}", one_hot),
        (f"name_{part}", np.asarray(names, dtype=np.str_)),
        (f"length_{part}", np.asarray(lengths, dtype=np.int64)),
    ):
        _add(archive, name, values)


def write_origin(archive: zipfile.ZipFile, origin: dict[str, Any]) -> None:
    _add(archive, ORIGIN, np.asarray(json.dumps(origin)))


def _add(archive: zipfile.ZipFile, name: str, values: np.ndarray) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, values, allow_pickle=False)
