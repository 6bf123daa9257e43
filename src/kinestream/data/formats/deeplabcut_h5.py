"""DeepLabCut's HDF5: a table of pandas, in both forms that pandas has, read without pandas.

PyTables keeps the names of columns as pickles, which pandas would run. Here they go through the reader of pickles that
only takes plain containers and text.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kinestream.data.formats import hdf5
from kinestream.data.formats.safe_pickle import RefusedPickleError, loads_pickle
from kinestream.data.recording import RecordingError
from kinestream.words import shown

_KEYS = ("df_with_missing", "keypoints")
_REMEDY = "save it as CSV (DeepLabCut: save_as_csv=True, or analyze_videos_converth5_to_csv)"
_MOST_BLOCKS = 64
Names = list[tuple[str, ...]]


def read_table(path: Path) -> tuple[Names, Float[np.ndarray, "t columns"], Sequence[str] | np.ndarray]:
    """The names of the columns, their numbers, and the index: numbers of frames, or names of pictures.

    Raises RecordingError."""
    with hdf5.opened(path) as file:
        group = _table_of(file)
        if group is None:
            raise RecordingError("no table of pandas in it")
        kind = hdf5.text(group.attrs.get("pandas_type", b""))
        if kind == "frame_table":
            return _appendable(group)
        if kind == "frame":
            return _fixed(group)
        raise RecordingError(f"a table of pandas of the kind '{shown(kind)}': {_REMEDY}")


def is_pandas(path: Path) -> bool:
    """Whether it is HDF5 with a table of pandas; no error for any file."""
    if not hdf5.is_hdf5(path):
        return False
    try:
        with hdf5.opened(path) as file:
            return _table_of(file) is not None
    except (RecordingError, OSError):  # also without h5py: then its words tell
        return _says_pandas(path)


def _says_pandas(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"pandas_type" in file.read(2**16)
    except OSError:
        return False


def _table_of(file: Any) -> Any:
    h5py = hdf5.library()
    names = sorted(file, key=lambda name: (name not in _KEYS, name))[:1000]
    for name in names:
        if isinstance(file.get(name, getlink=True), h5py.HardLink):
            group = file[name]
            if isinstance(group, h5py.Group) and "pandas_type" in group.attrs:
                return group
    return None


def _appendable(group: Any) -> tuple[Names, np.ndarray, Sequence[str] | np.ndarray]:
    table = hdf5.dataset(group, "table")
    if table is None or table.dtype.names is None or "index" not in table.dtype.names or table.ndim != 1:
        raise RecordingError("no table of pandas with an index: cut off or damaged")
    names: Names = []
    blocks = []
    for block in [name for name in table.dtype.names if name != "index"][:_MOST_BLOCKS]:
        held = table.dtype[block]
        if held.base.kind not in "fiu" or len(held.shape) > 1:
            raise RecordingError(f"column '{shown(block)}' holds no numbers: {_REMEDY}")
        names += _pickled_names(table.attrs.get(f"{block}_kind"))
        blocks.append(np.asarray(table.fields(block)[()], dtype=np.float64).reshape(table.shape[0], -1))
    if table.dtype["index"].kind not in "fiuS" or table.dtype["index"].shape:
        raise RecordingError(f"its index holds neither numbers nor text: {_REMEDY}")
    index = table.fields("index")[()]
    return _checked(names, blocks, index)


def _fixed(group: Any) -> tuple[Names, np.ndarray, Sequence[str] | np.ndarray]:
    count = int(group.attrs.get("nblocks", 0))
    if not 0 < count <= _MOST_BLOCKS:
        raise RecordingError(f"{count} blocks of columns: {_REMEDY}")
    names: Names = []
    blocks = []
    for block in range(count):
        values = hdf5.dataset(group, f"block{block}_values")
        if values is None or values.ndim != 2:
            raise RecordingError(f"no numbers of its block {block}: cut off or damaged")
        made = hdf5.numbers(values)
        blocks.append(made if values.attrs.get("transposed") else made.T)
        names += [tuple(levels) for levels in _multi(group, f"block{block}_items")]
    if "axis1_level0" in group:
        return _checked(names, blocks, np.array(["/".join(levels) for levels in _multi(group, "axis1")], dtype=object))
    axis = hdf5.dataset(group, "axis1")
    if axis is None:
        raise RecordingError("no index: cut off or damaged")
    return _checked(names, blocks, hdf5.numbers(axis) if axis.dtype.kind in "fiu" else hdf5.texts(axis))


def _checked(
    names: Names, blocks: list[np.ndarray], index: np.ndarray
) -> tuple[Names, np.ndarray, Sequence[str] | np.ndarray]:
    if not blocks or any(block.ndim != 2 or len(block) != len(index) for block in blocks):
        raise RecordingError("its blocks and its index have different lengths: cut off or damaged")
    values = np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0]
    if len(names) != values.shape[1]:
        raise RecordingError(f"{len(names)} names of {values.shape[1]} columns: cut off or damaged")
    if any(len(name) not in (3, 4) or len(name) != len(names[0]) for name in names):
        raise RecordingError("columns need three or four names: scorer, individual, body part and coordinate")
    if index.dtype.kind in "fiu":
        return names, values, index.astype(np.float64)
    return names, values, [hdf5.text(value) for value in index]


def _pickled_names(attribute: Any) -> Names:
    if not isinstance(attribute, bytes):
        raise RecordingError(f"no names of its columns that can be read: {_REMEDY}")
    try:
        names = loads_pickle(bytes(attribute), "names of its columns")
    except RefusedPickleError as error:
        raise RecordingError(f"{error}: {_REMEDY}") from None
    if not isinstance(names, list) or not all(
        isinstance(name, tuple) and all(isinstance(word, str) for word in name) for name in names
    ):
        raise RecordingError(f"names of its columns are not text: {_REMEDY}")
    return [tuple(str(word) for word in name) for name in names]


def _multi(group: Any, axis: str) -> list[list[str]]:
    """The names along an axis: of each level the distinct ones, and which of them stands where."""
    columns: list[list[str]] = []
    for level in range(5):
        held, codes = hdf5.dataset(group, f"{axis}_level{level}"), hdf5.dataset(group, f"{axis}_label{level}")
        if held is None or codes is None:
            break
        if held.ndim != 1 or codes.ndim != 1 or codes.dtype.kind not in "iu":
            raise RecordingError(f"names of '{axis}' cannot be read: {_REMEDY}")
        words, places = hdf5.texts(held), codes[()]
        if len(places) and not (places.min() >= 0 and places.max() < len(words)):
            raise RecordingError(f"names of '{axis}' are incomplete: cut off or damaged")
        columns.append([words[place] for place in places])
    if not columns or len({len(column) for column in columns}) != 1:
        raise RecordingError(f"no names of '{axis}' that can be read: {_REMEDY}")
    return [list(names) for names in zip(*columns, strict=True)]
