"""Numpy files of one recording each: `.npy`, or `.npz` with one array named `joints` (or only one array)."""

import zipfile
from pathlib import Path
from tokenize import TokenError

import numpy as np

from kinestream.data.formats import FORMATS, Format
from kinestream.data.recording import Recording, RecordingError, Source

_KEY = "joints"
_MOST_BYTES = 2**31


def read(source: Source) -> Recording:
    """Raises RecordingError for a file that holds no array `(t, v, c)` or `(t, m, v, c)` of numbers."""
    array = _load(source.path)
    try:
        recording = Recording(array, name=source.name)
    except ValueError as error:
        raise RecordingError(str(error)) from None
    if not recording.bodies.any():
        raise RecordingError(f"no body in any of its {len(recording)} frames")
    return recording


def _load(path: Path) -> np.ndarray:
    if path.stat().st_size > _MOST_BYTES:
        raise RecordingError(f"{path.stat().st_size:,} bytes, more than the {_MOST_BYTES:,} of one recording")
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            names = loaded.files
            name = _KEY if _KEY in names else names[0] if len(names) == 1 else None
            if name is None:
                raise RecordingError(f"arrays {', '.join(names[:4])}: one called '{_KEY}' is needed")
            array: np.ndarray = loaded[name]
            return array
    except RecordingError:
        raise
    except (ValueError, EOFError, OSError, SyntaxError, TokenError, KeyError, zipfile.BadZipFile) as error:
        raise RecordingError(f"no numpy file that can be read ({type(error).__name__}): cut off or damaged") from None


FORMATS.add("arrays", Format(suffixes=(".npy", ".npz"), read=read))
