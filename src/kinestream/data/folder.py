"""The files below a folder: links are followed, archives are looked into, suffixes are taken in any case."""

import contextlib
import gzip
import os
import shutil
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kinestream.data.recording import RecordingError
from kinestream.files import new_scratch, scratch_folder
from kinestream.words import shown

_ZIP, _GZ = ".zip", ".gz"
_MOST_UNTOLD, _MOST_TIMES = 100_000_000, 200
"""Bytes that a packed file may unpack to in any case, and how many times its size it may beyond: recordings as text are
packed to a fiftieth at best."""


def files_below(folder: Path) -> Iterator[Path]:
    """All files in a fixed order. Links to folders are followed, but never into a folder that one is in already."""
    yield from _walk(folder, ())


def _walk(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    about = folder.stat()
    own = (about.st_dev, about.st_ino)
    if own in above:
        return
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    yield from (Path(entry.path) for entry in entries if not entry.is_dir())
    for entry in entries:
        if entry.is_dir():
            yield from _walk(Path(entry.path), (*above, own))


def suffix_of(path: Path) -> str:
    """In lower case; of `walk.csv.gz` it is `.csv`."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == _GZ else suffix


def stem_of(path: Path) -> str:
    """The name without what `suffix_of` tells: `walk` of `walk.csv.gz`."""
    return Path(path.stem).stem if path.suffix.lower() == _GZ else path.stem


@contextlib.contextmanager
def plain_file(path: Path) -> Iterator[Path]:
    """A file as it is, or what a `.gz` file holds in a temporary one that is called as the file without `.gz`. Raises
    RecordingError for one that is damaged."""
    if path.suffix.lower() != _GZ:
        yield path
        return
    with scratch_folder() as folder:
        plain = folder / path.stem
        try:
            with gzip.open(path) as packed, plain.open("wb") as file:
                while block := packed.read(1 << 20):
                    file.write(block)
                    if file.tell() > _most(path):
                        raise RecordingError(_too_much(path))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise RecordingError(f"no whole .gz file ({error}): cut off or damaged") from None
        yield plain


def _most(path: Path) -> int:
    """Bytes that a packed file may unpack to: a small one that asks for gigabytes was made to do harm."""
    return max(_MOST_UNTOLD, _MOST_TIMES * path.stat().st_size)


def _too_much(path: Path) -> str:
    return f"unpacks to more than {_most(path):,} bytes: unpack it yourself, if you know where it is from"


class _Temporary:
    """A folder that is removed when nobody holds this any more, and at the end of the program."""

    def __init__(self) -> None:
        self.path = new_scratch()
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class Unpacked:
    """The files of a folder, or one file, with those inside of `.zip` archives.

    The archives are unpacked into a temporary folder that lasts as long as this object.
    """

    place: Path
    files: tuple[Path, ...]
    archives: tuple[tuple[Path, Path], ...]
    """Each archive with the folder that it was unpacked into."""
    _held: tuple["_Temporary", ...] = field(repr=False)

    def called(self, path: Path) -> Path:
        """What the user knows a file as: `archive.zip/walk.csv`."""
        for archive, folder in self.archives:
            if path.is_relative_to(folder):
                return archive / path.relative_to(folder)
        return path

    def relative(self, path: Path) -> Path:
        """As seen from the folder, or from the archive, that was given."""
        called, base = self.called(path), self.place
        return called.relative_to(base) if called != base and called.is_relative_to(base) else Path(called.name)


def unpack(place: Path) -> Unpacked:
    """Looks through a file or folder. Raises ValueError where there is none, or an archive is damaged."""
    if not place.exists():
        raise ValueError(f"no file or folder {place}")
    if not place.is_file() and not place.is_dir():
        raise ValueError(f"{place} is neither a file nor a folder: recordings are read from files")
    found = [place] if place.is_file() else list(files_below(place))
    files: list[Path] = []
    archives: list[tuple[Path, Path]] = []
    held: list[_Temporary] = []
    for path in found:
        if path.suffix.lower() != _ZIP:
            files.append(path)
            continue
        held.append(_Temporary())
        folder = held[-1].path
        _extract(path, folder)
        archives.append((path, folder))
        files += files_below(folder)
    return Unpacked(place, tuple(files), tuple(archives), tuple(held))


def _extract(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            size, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
            if size > _most(path):
                raise ValueError(f"{path} {_too_much(path)}")
            if size > free:
                raise ValueError(
                    f"{path} unpacks to {size / 1e9:,.1f} GB, and {folder.parent} has {free / 1e9:,.1f} GB free: "
                    "unpack it yourself, or set TMPDIR to a folder with more room"
                )
            for member in members:
                archive.extract(member, folder)  # leaves out what would lead out of the folder
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as error:
        raise ValueError(f"{path} cannot be unpacked ({shown(str(error))}): unpack it yourself") from None
