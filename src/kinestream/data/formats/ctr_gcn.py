"""The npz of CTR-GCN, MAMP, SLiM and others: `x_train (n, t, m * v * 3)`, `y_train` (one-hot or numbers), `x_test`,
`y_test`.

Rows are read one after the other out of the archive, so that memory stays bounded however large it is. There are no
names in it, nor does it say its joints: names are made up, and the layout is asked for. Taken where they are there:
`class_names`, and `name_*`, `subject_*`, `camera_*`, `session_*`, `fps_*`, `length_*` of each part. Our own exports
have them, and a line on where they come from, which other readers pass over.
"""

import contextlib
import dataclasses
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats import FORMATS, Collection
from kinestream.data.formats.incoming import (
    MOST_BODIES,
    MOST_CLASSES,
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
    seen_frames,
    whole_number,
    word_of,
)
from kinestream.data.formats.numpy_files import check_unpacked
from kinestream.data.formats.orders import Order, fold, parse_order
from kinestream.data.formats.origin import KEY, Origin, read_origin
from kinestream.data.formats.which_layout import Told, bodies_told, known_layout, layout_told
from kinestream.data.npy import DAMAGE, Binary, Header, read_header
from kinestream.data.preparation import PREPARATIONS, is_as_found
from kinestream.words import flat_name, reason, shown

PARTS = ("train", "test")
_USUAL = Order(("n", "t", "mvc"))
_COLUMNS = ("name", "length", "subject", "camera", "session", "fps")
_CLASS_NAMES = ("class_names", "label_names", "label_name", "classes")
_UNDERSTOOD = "x_train (n, t, m * v * 3), y_train, x_test and y_test"
_LARGEST_ROW = 2**30
"""Bytes. A recording beyond this is damage."""
_LARGEST_COLUMN = 2**30
_MOST_SQUEEZED = 1100
"""Deflate makes nothing smaller than by this factor: a member that says so does not say the truth."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    name: str
    header: Header
    labels: list[int]
    columns: Mapping[str, list[Any]]
    """Some of `_COLUMNS`, a value for each recording."""
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Fold:
    """How a row of the array becomes the joints of a recording."""

    told: Told
    bodies: int
    coordinates: int
    scene: Callable[[np.ndarray], np.ndarray]


def open_ctr_gcn(path: Path, asked: Asked) -> Incoming:
    """Opens an archive. The joints are kept as they are, unless a preparation is asked for."""
    axes = parse_axes(asked.axes) if asked.axes else _USUAL
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy") for name in archive.namelist()}
            if f"x_{PARTS[0]}" not in members:
                some = ", ".join(shown(name, 40) for name in sorted(members)[:6])
                hint = "; weights go to 'kinestream import-weights'" if any("data.pkl" in m for m in members) else ""
                raise ExchangeError(f"{path} is an archive of {some}: understood is one of {_UNDERSTOOD}{hint}")
            parts = [_part(archive, part, members, axes, path) for part in PARTS if f"x_{part}" in members]
            origin = read_origin(str(_whole(archive, KEY))) if KEY in members else Origin()
            key = next((key for key in _CLASS_NAMES if key in members), "")
            class_names = names_of_classes(_whole(archive, key), f"{path}: {key}") if key else origin.class_names
    except ExchangeError:
        raise
    except DAMAGE as error:
        raise ExchangeError(f"{path} is no whole npz ({reason(error, 100)}): cut or damaged") from None
    named = all("name" in part.columns for part in parts)
    if not named:  # some made up and some not would be one more thing to know
        parts = [
            dataclasses.replace(part, columns={k: v for k, v in part.columns.items() if k != "name"}) for part in parts
        ]
    names = [name for part in parts for name in part.columns.get("name", ())]
    fold = _fold(parts, axes, path, asked, origin, names)
    found = origin.preparation if origin.preparation in PREPARATIONS or is_as_found(origin.preparation) else "imported"
    chosen = found if asked.preparation is None else check_preparation(asked.preparation, PREPARATIONS)
    return Incoming(
        form="npz arrays of training and test",
        layout=fold.told.layout,
        most_bodies=fold.bodies,
        labels=[label for part in parts for label in part.labels],
        rows=lambda: _rows(path, parts, fold),
        splits={"given": FileSplit(train=frozenset({PARTS[0]}), test=frozenset({PARTS[1]}))},
        names=tuple((name, part.name) for part in parts for name in part.columns["name"]) if named else None,
        preparation=chosen,
        cleaned=asked.preparation is None,
        planar=origin.planar or fold.coordinates == 2,
        class_names=class_names,
        notes=(
            *fold.told.notes,
            *(() if len(parts) == len(PARTS) else ("there is no x_test in it",)),
            *(note for part in parts for note in part.notes),
            *not_read(sorted(members - _taken(parts) - {KEY, key})),
        ),
    )


def parse_axes(text: str) -> Order:
    """The axes that a text names, see `orders`. Raises ExchangeError where t, v or c is missing, and where n is not
    first: rows are read one after the other.

    Example:
        >>> parse_axes("n t (m v c)").groups
        ('n', 't', 'mvc')
    """
    order = parse_order(text)
    if order is None or order.groups[0] != "n" or "s" in order.letters:
        raise ExchangeError(
            f"axes '{shown(text)}': n, t, m, v and c are needed, each once (m may be missing), n first, and those that "
            "share an axis in brackets, as in n t (m v c)"
        )
    return order


def is_ctr_gcn(path: Path) -> bool:
    """Whether a file is an archive of arrays for training and testing (or of weights, which are told where to go)."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with contextlib.suppress(*DAMAGE), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        return any(name in ("x_train.npy", "x_test.npy") or name.endswith("data.pkl") for name in names)
    return False


FORMATS.add("ctr-gcn", Collection(looks_like="an npz with x_train", is_one=is_ctr_gcn, open=open_ctr_gcn))


def _taken(parts: Sequence[_Part]) -> set[str]:
    return {f"{column}_{part.name}" for part in parts for column in ("x", "y", *part.columns)}


def _part(archive: zipfile.ZipFile, part: str, members: set[str], axes: Order, path: Path) -> _Part:
    with archive.open(f"x_{part}.npy") as file:
        header = _header(file)
    if len(header.shape) != len(axes.groups) or header.dtype.kind != "f":
        wanted = "(n, t, m * v * 3)" if axes == _USUAL else f"of axes {axes}"
        how = (
            ""
            if axes != _USUAL or len(header.shape) == len(axes.groups)
            else "; --axes says another order, as in n c t v m"
        )
        raise ExchangeError(f"{path}: x_{part} is {header.dtype} {header.shape}; floats {wanted} were expected{how}")
    row, held = math.prod(header.shape[1:]) * header.dtype.itemsize, archive.getinfo(f"x_{part}.npy").file_size
    if not 0 < row <= _LARGEST_ROW:
        raise ExchangeError(f"{path}: x_{part} is {header.shape}: no recording is of that size")
    if row * header.shape[0] > held or held > _MOST_SQUEEZED * path.stat().st_size:
        raise ExchangeError(f"{path}: x_{part} is {header.shape} by its header, which is more than there is: cut off")
    count = header.shape[0]
    if f"y_{part}" in members:
        labels, notes = _numbers(_whole(archive, f"y_{part}"), f"{path}: y_{part}", part, count)
    elif any(f"y_{other}" in members for other in PARTS):
        raise ExchangeError(f"{path} has x_{part} but no y_{part}: understood are {_UNDERSTOOD}")
    else:
        labels, notes = [-1] * count, (f"x_{part} has no labels (y_{part})",)
    columns = {key: _whole(archive, f"{key}_{part}", count).tolist() for key in _COLUMNS if f"{key}_{part}" in members}
    if "name" in columns:
        columns["name"] = [flat_name(str(name)) for name in columns["name"]]
    return _Part(name=part, header=header, labels=labels, columns=columns, notes=notes)


def _numbers(labels: np.ndarray, where: str, part: str, count: int) -> tuple[list[int], tuple[str, ...]]:
    """Labels as they are counted in one-hot rows or whole numbers, -1 where it is neither; and what to say of them."""
    if labels.ndim not in (1, 2) or len(labels) != count or labels.dtype.kind not in "biuf":
        raise ExchangeError(f"{where} is {labels.dtype} {labels.shape} for the {count} clips of x_{part}")
    if labels.ndim == 2 and labels.shape[1] > 1:
        proper = ((labels != 0).sum(axis=1) == 1) & (labels.max(axis=1) == 1)
        return np.where(proper, labels.argmax(axis=1), -1).tolist(), ()
    column = labels.ndim == 2
    labels = labels.reshape(count, -1)[:, 0] if labels.size else np.full(count, -1)
    usable = (labels >= 0) & (labels < MOST_CLASSES) & (labels == np.floor(labels))
    numbers = [int(label) if good else -1 for label, good in zip(labels.tolist(), usable.tolist(), strict=True)]
    return numbers, (f"y_{part} {(count, 1)} is read as a column of numbers, it is not one-hot",) if column else ()


def _fold(parts: Sequence[_Part], axes: Order, path: Path, asked: Asked, origin: Origin, names: Sequence[str]) -> _Fold:
    shapes = {part.name: dict(zip(axes.groups, part.header.shape, strict=True)) for part in parts}
    for group in axes.groups:
        if group not in ("n", "t") and len({shape[group] for shape in shapes.values()}) > 1:
            what = "the rows of training and test are of different width" if axes == _USUAL else f"axis {group} differs"
            raise ExchangeError(f"{path}: {what}")
    shape, lengths = parts[0].header.shape, shapes[parts[0].name]
    said, planar = origin.layout, origin.planar or lengths.get("c") == 2
    if axes == _USUAL:
        told, bodies, coordinates = bodies_told(shape[2], path, asked, said=said, names=names, planar=planar)
        size = (bodies, len(told.layout.joints), coordinates)
        return _Fold(told=told, bodies=bodies, coordinates=coordinates, scene=lambda row: row.reshape(len(row), *size))
    coordinates = lengths.get("c", 3)
    if coordinates not in (2, 3):
        raise ExchangeError(f"{path}: x_{parts[0].name} {shape} has {coordinates} coordinates by axes '{axes}'")
    if "v" in lengths:
        told = layout_told(lengths["v"], path, asked, said=said, names=names, planar=planar)
    else:
        found = known_layout(path, asked, said=said, names=names, planar=planar)
        if found is None:
            raise ExchangeError(f"{path}: axes '{axes}' do not tell how many joints there are: give --layout")
        told = found
    joints, sizes = len(told.layout.joints), axes.sizes(shape, told.layout)
    if sizes is None or sizes["c"] != coordinates:
        raise ExchangeError(
            f"{path}: an array {shape} is not '{axes}' with {joints} joints of {coordinates} coordinates"
        )
    bodies = sizes.get("m", 1)
    if not 1 <= bodies <= MOST_BODIES:
        raise ExchangeError(f"{path}: an array {shape} of axes '{axes}' would have {bodies} bodies")
    return _Fold(
        told=told,
        bodies=bodies,
        coordinates=coordinates,
        scene=lambda row: np.ascontiguousarray(fold(row[None], axes, told.layout)[0][0]),
    )


def _rows(path: Path, parts: Sequence[_Part], fold: _Fold) -> Iterator[Row]:
    with zipfile.ZipFile(path) as archive:
        for part in parts:
            with archive.open(f"x_{part.name}.npy") as file:
                header = _header(file)
                for index in range(header.shape[0]):
                    row = _next(file, header, f"{path}: x_{part.name}, clip {index + 1}")
                    joints = fold.scene(row)
                    told = {key: values[index] for key, values in part.columns.items()}
                    length = whole_number(told["length"], MOST_FRAMES) if "length" in told else seen_frames(joints)
                    yield Row(
                        file=f"x_{part.name}",
                        number=index + 1,
                        name=told.get("name", f"{part.name}-{index + 1:06}"),
                        part=part.name,
                        label=part.labels[index],
                        joints=joints[: max(length, 0)],
                        subject=word_of(told.get("subject")),
                        camera=word_of(told.get("camera")),
                        session=word_of(told.get("session")),
                        fps=rate_of(told.get("fps")),
                    )


def _next(file: Binary, header: Header, where: str) -> np.ndarray:
    """The next recording of an array, without the axis n."""
    size = math.prod(header.shape[1:]) * header.dtype.itemsize
    try:
        content = file.read(size)
    except DAMAGE as error:
        raise ExchangeError(f"{where} cannot be read ({reason(error, 100)}): damaged") from None
    if len(content) != size:
        raise ExchangeError(f"{where}: the array ends there, it was cut off")
    return np.frombuffer(content, header.dtype).reshape(header.shape[1:]).astype(header.dtype.newbyteorder("="))


def _header(file: Binary, *, any_order: bool = False) -> Header:
    header = read_header(file)
    if header.fortran and not any_order:
        raise ExchangeError("an array in Fortran order: save it with numpy.ascontiguousarray")
    return header


def _whole(archive: zipfile.ZipFile, name: str, count: int | None = None) -> np.ndarray:
    """An array; of `count` entries, if given."""
    about = archive.getinfo(f"{name}.npy")
    with archive.open(about) as file:
        header = _header(file, any_order=True)
    if header.size > min(_LARGEST_COLUMN, about.file_size) and not header.dtype.hasobject:
        raise ExchangeError(
            f"{archive.filename}: {name} is {header.dtype} {header.shape} by its header, which is more than there is"
        )
    if count is not None and header.shape[:1] != (count,):
        raise ExchangeError(
            f"{archive.filename}: {name} does not fit the {count} clips beside it: its shape is {header.shape}"
        )
    check_unpacked(f"'{name}'", header, about)
    with archive.open(about) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
