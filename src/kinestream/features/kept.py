"""Arrays that are kept on disk to be computed once: each file ends with a checksum of what it holds.

The file is a `.npy` file, which other programs read as it is; what follows the array is looked at here alone.
"""

import hashlib
import io
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from kinestream.data.npy import read_header
from kinestream.files import replacing

_MARK = b"kinestream checksum of this array"
_BLOCK = 1 << 22
_MOST_HEADER = 10_000


class NotKeptError(Exception):
    """Why a file is not what was written; empty where there is none."""


def keep(file: Path, array: Float32[np.ndarray, "..."]) -> None:
    """Writes the file, whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as part:
        with part.open("wb") as opened:
            np.lib.format.write_array(opened, np.ascontiguousarray(array, dtype=np.float32), allow_pickle=False)
        with part.open("r+b") as opened:
            digest = _digest(opened, os.fstat(opened.fileno()).st_size)
            opened.seek(0, os.SEEK_END)
            opened.write(_MARK + digest)


def kept(file: Path, rows: int) -> Float32[np.ndarray, "n d"]:
    """The array in a file, of so many rows. Raises NotKeptError where there is none, or not as it was written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     keep(Path(folder, "two.npy"), np.float32([[1, 2], [3, 4]]))
        ...     kept(Path(folder, "two.npy"), 2).tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    try:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size - len(_MARK) - hashlib.sha256().digest_size
            if size < 0:
                raise NotKeptError("cut off")
            opened.seek(size)
            if opened.read(len(_MARK)) != _MARK:
                raise NotKeptError("it has no checksum")
            told = opened.read()
            opened.seek(0)
            if _digest(opened, size) != told:
                raise NotKeptError("its checksum does not fit")
            opened.seek(0)
            return _array(opened, size, rows)
    except FileNotFoundError:
        raise NotKeptError from None
    except OSError as error:
        raise NotKeptError(error.strerror or str(error)) from None


def _digest(opened: Any, size: int) -> bytes:
    """Of the first bytes of the file."""
    digest = hashlib.sha256()
    opened.seek(0)
    while size > 0 and (block := opened.read(min(size, _BLOCK))):
        digest.update(block)
        size -= len(block)
    return digest.digest()


def _array(opened: Any, size: int, rows: int) -> Float32[np.ndarray, "n d"]:
    """Its sizes are compared with the bytes that are there before anything of that size is made."""
    head = io.BytesIO(opened.read(min(size, _MOST_HEADER)))
    try:
        header = read_header(head)
    except ValueError as error:
        raise NotKeptError(str(error)) from None
    shape, dtype = header.shape, header.dtype
    if dtype != np.dtype("<f4") or header.fortran or len(shape) != 2 or shape[0] != rows:
        raise NotKeptError(f"{dtype} {shape}, where {rows} rows of float32 belong")
    if 4 * math.prod(shape) != size - header.start:
        raise NotKeptError("cut off")
    opened.seek(header.start)
    return np.fromfile(opened, np.float32, math.prod(shape)).reshape(shape)
