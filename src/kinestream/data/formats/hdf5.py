"""HDF5 files of unknown origin: what is read lies in the file itself, is of a bounded size, and no code."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats.sightings import MOST_NUMBERS
from kinestream.data.recording import RecordingError
from kinestream.words import shown

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_TEXTS = 100_000
_MOST_BYTES = 8 * MOST_NUMBERS
_MOST_EMPTY = 2**24
"""Bytes of a data set that may be larger than what a file of its length holds: where nothing is written, HDF5 has a
value that fills."""
_MOST_TIGHT = 1100
"""How much smaller compression makes numbers: zlib at most 1032 times."""
_PLACE = 16
"""Bytes that stand for a text of any length: its length, and where it is."""
_DAMAGE = (
    OSError,
    RuntimeError,
    zlib.error,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)
"""What h5py raises for files that are cut off or damaged."""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The open file, an `h5py.File`. Raises RecordingError for one that is none, is damaged (also while it is read), or
    where h5py is not installed."""
    h5py = library()
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            raise RecordingError("no HDF5 file: cut off, damaged, or of another kind")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except RecordingError:
        raise
    except _DAMAGE as error:
        raise RecordingError(f"HDF5 that cannot be read ({shown(str(error) or type(error).__name__, 100)})") from None


def library() -> Any:
    """The module h5py. Raises RecordingError where it is not installed."""
    try:
        return import_module("h5py")
    except ImportError:
        raise RecordingError('HDF5 files need h5py: pip install "kinestream[formats]"') from None


def is_hdf5(path: Path) -> bool:
    """Whether it begins as such a file; no error for any file."""
    try:
        with path.open("rb") as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except OSError:
        return False


def dataset(group: Any, name: str) -> Any:
    """A data set that lies in this very file, or None where there is none of the name.

    Raises RecordingError for one that leads to another file, or is too large to be a recording."""
    h5py = library()
    if name not in group:
        return None
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise RecordingError(f"'{shown(name)}' is a link: only what lies in the file itself is read")
    found = group[name]
    if not isinstance(found, h5py.Dataset):
        return None
    if found.external or found.is_virtual:
        raise RecordingError(f"'{shown(name)}' lies in another file: only what lies in the file itself is read")
    bound = min(_MOST_BYTES, max(_MOST_EMPTY, _MOST_TIGHT * group.file.id.get_filesize()))
    if found.shape is None or found.size * found.dtype.itemsize > bound:
        raise RecordingError(f"'{shown(name)}' is empty or too large for one recording: {shown(str(found.shape))}")
    if found.dtype.kind == "O" and found.size:
        _check_lengths(found, name)
    return found


def numbers(found: Any, part: Any = ()) -> np.ndarray:
    """The numbers of a data set, or of a part of it. Raises RecordingError for what is none."""
    if found.dtype.kind not in "fiu":
        raise RecordingError(f"'{shown(found.name)}' holds {shown(str(found.dtype))}, where numbers belong")
    return np.asarray(found[part], dtype=np.float64)


def texts(found: Any) -> np.ndarray:
    """The texts of a data set, in an array of its shape. Raises RecordingError for what is none."""
    h5py = library()
    if found.size > _MOST_TEXTS:
        raise RecordingError(f"'{shown(found.name)}' holds {found.size:,} names: at most {_MOST_TEXTS:,} are read")
    if found.dtype.kind != "S" and h5py.check_string_dtype(found.dtype) is None:
        raise RecordingError(f"'{shown(found.name)}' holds {shown(str(found.dtype))}, where text belongs")
    made = [text(value) for value in np.asarray(found[()]).ravel()]
    return np.array(made, dtype=object).reshape(found.shape)


def _check_lengths(found: Any, name: str) -> None:
    """That texts of any length are no longer than the file: HDF5 takes memory for what a damaged length says.

    Each stands in the file as its length, and where its characters are, in 16 bytes."""
    h5py = library()
    if h5py.check_string_dtype(found.dtype) is None:
        raise RecordingError(f"'{shown(name)}' holds lists: numbers or text belong")
    if found.size > _MOST_TEXTS:
        raise RecordingError(f"'{shown(name)}' holds {found.size:,} texts: at most {_MOST_TEXTS:,} are read")
    size = found.file.id.get_filesize()
    if found.chunks is not None:
        if found.compression not in (None, "gzip") or found.shuffle or found.fletcher32:
            raise RecordingError(f"'{shown(name)}' holds text that is compressed in another way than by gzip")
        if found.id.get_num_chunks() > _MOST_TEXTS:
            pieces = found.id.get_num_chunks()
            raise RecordingError(f"'{shown(name)}' lies in {pieces:,} pieces: at most {_MOST_TEXTS:,} are read")
        raw = b""
        for number in range(found.id.get_num_chunks()):
            mask, piece = found.id.read_direct_chunk(found.id.get_chunk_info(number).chunk_offset)
            packed = found.compression is not None and not mask
            raw += zlib.decompressobj().decompress(piece, _PLACE * _MOST_TEXTS) if packed else piece
    else:
        offset = found.id.get_offset()
        with Path(found.file.filename).open("rb") as file:
            file.seek(offset or 0)
            raw = file.read(_PLACE * found.size) if offset is not None else b""
    places = np.frombuffer(raw[: len(raw) - len(raw) % _PLACE], dtype=np.uint8).reshape(-1, _PLACE)
    if (np.ascontiguousarray(places[:, :4]).view("<u4") > size).any():
        raise RecordingError(f"'{shown(name)}' holds a text longer than the file: cut off or damaged")


def text(value: Any) -> str:
    """Raises RecordingError for what is no UTF-8."""
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError:
        raise RecordingError(f"{shown(repr(value))} is no text in UTF-8") from None
