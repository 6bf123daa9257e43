"""MATLAB files of one recording each, such as those of UTD-MHAD: an array `d_skel` (20, 3, frames).

Files of version 5 to 7.2 are read by `mat5`, those of 7.3 (HDF5) by h5py. Their axes stand in any order: the 2 or 3
coordinates and the joints of the layout tell which is which, or the user does (`Source.variable`, as in `d_skel:vct`).
"""

import importlib
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats import FORMATS, Format
from kinestream.data.formats.mat5 import MARK, list_variables, load_variable
from kinestream.data.formats.orders import (
    MATRIX_ORDERS,
    Order,
    as_floats,
    chained,
    fold,
    order_of,
    split_variable,
    usable,
)
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.words import shown

SUFFIX = ".mat"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_AT = (0, 512)
"""Where the mark of HDF5 stands: MATLAB puts its own header before it."""
_MOST_NUMBERS = 2**28
_MOST_PACKING = 1200
"""An array is at most so many times as large as its file: zlib packs no better than 1 to 1032."""
_NUMERIC = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
_DAMAGE = (
    *(ValueError, TypeError, KeyError, IndexError, OSError, EOFError, AttributeError, SyntaxError),
    *(NotImplementedError, RuntimeError, ArithmeticError, MemoryError, zlib.error, struct.error, UnicodeError),
)


@dataclass(frozen=True)
class _Variable:
    name: str
    shape: tuple[int, ...]
    kind: str
    """As MATLAB calls it: double, struct, cell and so on."""


def read(source: Source) -> Found:
    """Raises RecordingError for a file without an array of joints that can be told."""
    path = source.path
    name, order = split_variable(source.variable)
    variables = list(_list_hdf5(path) if _is_hdf5(path) else _list_mat5(path))
    field = ""
    if name and name not in [one.name for one in variables] and "." in name:
        name, _, field = name.partition(".")
    chosen = _choose(variables, name, source.layout, order)
    arrays = _load_hdf5(path, chosen) if _is_hdf5(path) else _load_mat5(path, chosen)
    label, array = _only(arrays, chosen.name, field, source.layout, order)
    order = order or order_of(array.shape, source.layout, MATRIX_ORDERS)
    joints, scores = fold(array, order, source.layout)
    if len(joints) != 1:
        raise RecordingError(f"{len(joints)} recordings in one array: MATLAB files of one recording each are read")
    values = as_floats(joints[0])
    values = np.where(np.isinf(values).any(axis=-1, keepdims=True), np.nan, values)
    if not np.nan_to_num(values).any():
        raise RecordingError(f"no body in any of its {len(values)} frames")
    others = [one.name for one in variables if one.name != chosen.name]
    notes = [f"variables that are not read: {chained(others)}"] if others else []
    if not source.variable:
        notes.append(f"'{shown(label, 40)}' {array.shape} is read as '{order}'")
    return Found(joints=values, confidence=None if scores is None else as_floats(scores[0]), notes=tuple(notes))


def recognises(path: Path) -> bool:
    """Whether a file is of MATLAB 5 or later, by its first bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(max(_HDF5_AT) + len(_HDF5))
    except OSError:
        return False
    return start.startswith(MARK) or any(start[at : at + len(_HDF5)] == _HDF5 for at in _HDF5_AT)


FORMATS.add(
    "matlab",
    Format(suffixes=(SUFFIX,), read=read, recognises=recognises, looks_like="MATLAB arrays (v, 3, t) and other orders"),
)


def _choose(variables: list[_Variable], asked: str, layout: SkeletonLayout | None, order: Order | None) -> _Variable:
    if asked:
        for one in variables:
            if one.name == asked:
                return one
        raise RecordingError(
            f"no variable '{shown(asked, 40)}': the file has {chained([one.name for one in variables])}"
        )
    numeric = [one for one in variables if one.kind in _NUMERIC]
    fitting = [one for one in numeric if _may_be(one.shape, layout, order)]
    structs = [one for one in variables if one.kind == "struct"]
    for some in (fitting, numeric if len(numeric) == 1 else [], [] if fitting else structs):
        if len(some) == 1:
            return some[0]
    if not numeric and not structs:
        there = chained([f"{one.name} ({one.kind})" for one in variables]) if variables else "nothing"
        raise RecordingError(f"no array of numbers: the file has {there}")
    raise RecordingError(
        f"variables {chained([f'{one.name} {one.shape}' for one in [*numeric, *structs]])}: say which holds the joints "
        "with --variable NAME"
    )


def _may_be(shape: tuple[int, ...], layout: SkeletonLayout | None, order: Order | None) -> bool:
    """Whether joints over time can have this shape: in some order, which need not be clear."""
    if order is not None:
        return len(shape) == len(order.groups)
    if len(shape) == 2:
        return layout is not None and any(size in (2 * len(layout.joints), 3 * len(layout.joints)) for size in shape)
    return len(shape) == 3 and any(size in (2, 3) for size in shape) and (layout is None or len(layout.joints) in shape)


def _only(
    arrays: Mapping[str, np.ndarray], name: str, field: str, layout: SkeletonLayout | None, order: Order | None
) -> tuple[str, np.ndarray]:
    """The array of a variable, or of the field of a struct."""
    usual = {key: array for key, array in arrays.items() if not usable(array.dtype)}
    if "" in arrays:
        if "" not in usual:
            raise RecordingError(f"variable '{shown(name, 40)}': {usable(arrays[''].dtype)}")
        return name, arrays[""]
    if field:
        if field not in usual:
            raise RecordingError(
                f"'{shown(name, 40)}' has no field '{shown(field, 40)}' of numbers: {chained(list(usual))}"
            )
        return f"{name}.{field}", usual[field]
    fitting = [key for key, array in usual.items() if _may_be(array.shape, layout, order)]
    if len(fitting) != 1:
        some = chained([f"{key} {array.shape}" for key, array in usual.items()]) or "none of numbers"
        raise RecordingError(
            f"struct '{shown(name, 40)}' has the fields {some}: say which holds the joints, --variable "
            f"{shown(name, 40)}.FIELD"
        )
    return f"{name}.{fitting[0]}", usual[fitting[0]]


def _check_size(name: str, shape: tuple[int, ...], path: Path) -> None:
    count = math.prod(shape)
    if count > _MOST_NUMBERS or count > max(path.stat().st_size, 1) * _MOST_PACKING:
        raise RecordingError(f"variable '{shown(name, 40)}' {shape} is larger than the file can hold, or than is read")


# --- version 5 ------------------------------------------------------------------------------------------------------


def _list_mat5(path: Path) -> list[_Variable]:
    with path.open("rb") as file:
        start = file.read(128)
    if not start.startswith(MARK) or len(start) < 128:
        raise RecordingError(
            "no MATLAB file of version 5 or later: it is empty, cut off or damaged, or older (save it with -v7)"
        )
    try:
        return [_Variable(one.name, one.shape, one.kind) for one in list_variables(path)]
    except _DAMAGE as error:
        raise _damaged(error) from None


def _load_mat5(path: Path, chosen: _Variable) -> dict[str, np.ndarray]:
    if chosen.kind not in (*_NUMERIC, "struct"):
        raise RecordingError(f"variable '{shown(chosen.name, 40)}' is a {chosen.kind}: an array of numbers belongs")
    _check_size(chosen.name, chosen.shape, path)
    if chosen.kind == "struct" and math.prod(chosen.shape) != 1:
        raise RecordingError(f"variable '{shown(chosen.name, 40)}' is {chosen.shape} structs: one is read")
    most_bytes = min(16 * _MOST_NUMBERS, max(path.stat().st_size, 1) * _MOST_PACKING)
    try:
        place = next(one for one in list_variables(path) if one.name == chosen.name)
        return load_variable(path, place, most_bytes)
    except _DAMAGE as error:
        raise _damaged(error) from None


# --- version 7.3 ----------------------------------------------------------------------------------------------------


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(max(_HDF5_AT) + len(_HDF5))
    return any(start[at : at + len(_HDF5)] == _HDF5 for at in _HDF5_AT)


def _list_hdf5(path: Path) -> Iterator[_Variable]:
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            for name in file:
                if not str(name).startswith("#") and (made := _variable(h5py, file, str(name))) is not None:
                    yield made
    except _DAMAGE as error:
        raise _damaged(error) from None


def _variable(h5py: Any, file: Any, name: str) -> _Variable | None:
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        return None
    one = file[name]
    if isinstance(one, h5py.Group):
        return _Variable(name, (1, 1), "struct")
    kind = one.attrs.get("MATLAB_class", b"")
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    return _Variable(
        name, tuple(reversed(one.shape or ())), kind or ("double" if one.dtype.kind in "iuf" else "object")
    )


def _load_hdf5(path: Path, chosen: _Variable) -> dict[str, np.ndarray]:
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            one = file[chosen.name]
            if isinstance(one, h5py.Dataset):
                return {"": _dataset(one, chosen.name, path)}
            inside = {name: one[name] for name in one if isinstance(one.get(name, getlink=True), h5py.HardLink)}
            return {
                str(name): _dataset(part, f"{chosen.name}.{name}", path)
                for name, part in inside.items()
                if isinstance(part, h5py.Dataset) and part.dtype.kind in "iuf"
            }
    except RecordingError:
        raise
    except _DAMAGE as error:
        raise _damaged(error) from None


def _dataset(one: Any, name: str, path: Path) -> np.ndarray:
    """The axes of HDF5 stand the other way round."""
    if one.dtype.kind not in "iuf":
        return np.empty(0, dtype=object)
    if one.external or one.is_virtual:
        raise RecordingError(f"variable '{shown(name, 40)}' lies in another file, which is not opened")
    _check_size(name, one.shape, path)
    return np.asarray(one[()]).T


def _h5py() -> Any:
    try:
        return importlib.import_module("h5py")
    except ImportError:
        raise RecordingError('MATLAB 7.3 files are read with h5py: pip install "kinestream[formats]"') from None


def _damaged(error: Exception) -> RecordingError:
    return RecordingError(f"no MATLAB file that can be read ({shown(str(error), 80)}): cut off or damaged")
