"""Recordings into files: archives and tables of our own, and the forms of others, each read back equal (float32)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from kinestream.data.formats.incoming import ExchangeError
from kinestream.data.formats.outgoing import Outgoing
from kinestream.data.formats.to_arrays import write_authors, write_ctr_gcn
from kinestream.data.formats.to_csv import write_csv
from kinestream.data.formats.to_npz import write_npz
from kinestream.data.formats.to_pyskl import write_pyskl
from kinestream.data.formats.to_xarray import write_xarray
from kinestream.data.recording import Recording
from kinestream.data.store import Store
from kinestream.words import unknown

FormatName = Literal["npz", "csv", "authors", "ctr-gcn", "pyskl", "xarray"]
FORMAT_NAMES: tuple[FormatName, ...] = get_args(FormatName)
_BY_SUFFIX: Mapping[str, FormatName] = MappingProxyType(
    {".npz": "npz", ".csv": "csv", ".pkl": "pyskl", ".pickle": "pyskl", ".nc": "xarray"}
)
_SUFFIXES: Mapping[FormatName, tuple[str, ...]] = MappingProxyType(
    {"npz": (".npz",), "csv": (".csv",), "ctr-gcn": (".npz",), "pyskl": (".pkl", ".pickle")}
)
"""Of the formats that are one file."""


def write(
    recordings: Recording | Iterable[Recording] | Store,
    path: str | Path,
    format: str | None = None,  # noqa: A002  the word of the command line
) -> Path:
    """Writes recordings of one layout, however many, and gives the path; a few are in memory at a time.

    Written are metres with y up, in float32. Names, labels, subjects, cameras, sessions and rates are kept in every
    form, joints that were not seen in `npz`, `csv`, `pyskl` and `xarray`, tracking numbers in none.

    Args:
        recordings: one, several, an iterator of them, or a store.
        path: the file or folder to make; must not exist.
        format: `npz` (an archive of all that is known), `csv` (a long table), `xarray` (a folder of netCDF files as the
            `movement` package has them), `pyskl` (a pickle of annotations), `ctr-gcn` (an npz with x_train) or
            `authors` (the folder of the 3s-CACA authors); by the ending of `path` if None, `npz` for `.npz`.

    Raises:
        ValueError: nothing to write, recordings that do not go together, what a form cannot hold, or `path` exists.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> walk = Recording(np.full((30, 33, 3), 0.5), "mediapipe33", fps=30, name="walk")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = write(walk, f"{folder}/walks.npz")
        ...     str(np.load(path)["name"][0]), np.load(path)["joints"].shape
        ('walk', (30, 1, 33, 3))
    """
    if isinstance(recordings, Store):
        from kinestream.data.formats.exporting import export_store  # it writes with what stands here

        export_store(recordings, Path(path), format=format)
    else:
        write_recordings(recordings, Path(path), format_of(Path(path), format))
    return Path(path)


def format_of(path: Path, name: str | None) -> FormatName:
    """The format of that name, or the one that the ending of a path tells. Raises ExchangeError where there is none, or
    the ending is another's."""
    chosen = _BY_SUFFIX.get(path.suffix.lower()) if name is None else next((n for n in FORMAT_NAMES if n == name), None)
    if chosen is None and name is not None:
        raise ExchangeError(unknown("format to write", name, FORMAT_NAMES))
    if chosen is None:
        raise ExchangeError(f"{path}: its ending tells no format: say which, one of {', '.join(FORMAT_NAMES)}")
    endings = _SUFFIXES.get(chosen, ())
    if endings and path.suffix.lower() not in endings:
        raise ExchangeError(f"{path} does not end in {' or '.join(endings)}, as files of format {chosen} do")
    return chosen


def write_recordings(
    recordings: Recording | Iterable[Recording] | Store,
    path: Path,
    format: FormatName,  # noqa: A002
    lists: Mapping[str, Sequence[str]] | None = None,
) -> int:
    """Writes all recordings as one part; gives their number. `lists` are the names in each part of each split, for
    `pyskl`, which keeps them."""
    refuse_existing(path)
    with Outgoing(recordings, path.absolute().parent) as outgoing:
        if format == "pyskl":
            write_pyskl(outgoing, path, lists)
        else:
            _WRITERS[format](outgoing, path)
        return len(outgoing)


def refuse_existing(path: Path) -> None:
    """Raises ExchangeError where there is something already."""
    if path.exists():
        raise ExchangeError(f"{path} exists already: choose another name, or remove it first")


_WRITERS: Mapping[FormatName, Callable[[Outgoing, Path], None]] = MappingProxyType(
    {
        "npz": write_npz,
        "csv": write_csv,
        "authors": write_authors,
        "ctr-gcn": write_ctr_gcn,
        "xarray": write_xarray,
    }
)
