"""HDF5 files of unknown origin: what is read lies in the file itself, is of a bounded size, and no code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats.sightings import MOST_NUMBERS
from kinestream.data.recording import RecordingError
from kinestream.words import shown

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_TEXTS = 100_000
_MOST_BYTES = 8 * MOST_NUMBERS
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError, MemoryError)
"""What h5py raises for files that are cut off or damaged."""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The open file, an `h5py.File`. Raises RecordingError for one that is none, is damaged (also while it is read), or
    where h5py is not installed."""
    try:
        import h5py
    except ImportError:
        raise RecordingError('HDF5 files need h5py: pip install "kinestream[formats]"') from None
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
    import h5py

    if name not in group:
        return None
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise RecordingError(f"'{shown(name)}' is a link: only what lies in the file itself is read")
    found = group[name]
    if not isinstance(found, h5py.Dataset):
        return None
    if found.external or found.is_virtual:
        raise RecordingError(f"'{shown(name)}' lies in another file: only what lies in the file itself is read")
    if found.shape is None or found.size * found.dtype.itemsize > _MOST_BYTES:
        raise RecordingError(f"'{shown(name)}' is empty or too large for one recording: {shown(str(found.shape))}")
    return found


def numbers(found: Any, part: Any = ()) -> np.ndarray:
    """The numbers of a data set, or of a part of it. Raises RecordingError for what is none."""
    if found.dtype.kind not in "fiu":
        raise RecordingError(f"'{shown(found.name)}' holds {shown(str(found.dtype))}, where numbers belong")
    return np.asarray(found[part], dtype=np.float64)


def texts(found: Any) -> np.ndarray:
    """The texts of a data set, in an array of its shape. Raises RecordingError for what is none."""
    import h5py

    if found.size > _MOST_TEXTS:
        raise RecordingError(f"'{shown(found.name)}' holds {found.size:,} names")
    if found.dtype.kind != "S" and h5py.check_string_dtype(found.dtype) is None:
        raise RecordingError(f"'{shown(found.name)}' holds {shown(str(found.dtype))}, where text belongs")
    made = [text(value) for value in np.asarray(found[()]).ravel()]
    return np.array(made, dtype=object).reshape(found.shape)


def text(value: Any) -> str:
    """Raises RecordingError for what is no UTF-8."""
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError:
        raise RecordingError(f"{shown(repr(value))} is no text in UTF-8") from None
