"""Writing files so that nobody ever sees half of one: a temporary name beside the target, then a rename.

A process that is killed leaves its temporary file behind. Its name tells whose it was (see `owner`), and the next
process that writes into that folder removes it.
"""

import contextlib
import ctypes
import errno
import itertools
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kinestream.owner import Owner, this_process

_PART = re.compile(r"(?:\..*\.|kinestream-)([0-9a-f]{8})-(\d{1,10})-(\d{1,20})-\d+\.part(?:\.[^.]*)?", re.DOTALL)
_MANY = 1000
"""Entries of a folder that is looked through for what others left once a process, not at each file."""
_FOREIGN_SECONDS = 3600.0
"""After so long without a change what a process from elsewhere began is taken for left behind."""
_STEM = 40
"""Letters of the target's name in a temporary one, which must not be too long for the file system."""
_count = itertools.count()
_swept: set[str] = set()


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Gives a temporary path beside `path`, an empty file; when the block ends well, it takes the place of `path`,
    else it is removed.

    The name ends like the target's, so that writers that look at it see the same suffix. `durable` waits until the
    content is on the disk: even a machine that loses power then keeps the old file or has the new one. The mode is
    that of any new file, whatever the writer gives it.

    Raises OSError, of `path`, where no file can be written, before the block.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    part = path.with_name(f".{path.stem[:_STEM]}.{_token()}.part{path.suffix}")
    try:
        _touch(part, path)
        mode = stat.S_IMODE(part.stat().st_mode)
        yield part
        if stat.S_IMODE(part.stat().st_mode) != mode:
            part.chmod(mode)
        if durable:
            with part.open("rb") as file:
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def check_writable(path: Path, *, is_folder: bool = False) -> None:
    """Raises ValueError where the file, or the folder, `path` could not be written; before the work that it is for.
    Makes nothing."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    part = folder / f".{path.stem[:_STEM]}.{_token()}.part{path.suffix}"
    try:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if path.is_dir() and not is_folder:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        part.touch(exist_ok=False)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, in a fixed order; nothing where one may not look."""
    try:
        return sorted(folder.iterdir())
    except PermissionError:
        return []


@contextlib.contextmanager
def new_folder(path: Path, *, over: bool = False, empty: bool = False) -> Iterator[Path]:
    """Gives a temporary folder beside `path`; when the block ends well it becomes `path`, else it is removed.

    Args:
        over: a folder of this name is replaced, in one step where the system can do that.
        empty: a folder of this name may be there, with nothing in it.

    Raises ValueError when `path` exists otherwise.
    """
    _check_new(path, over=over, empty=empty)
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    part = target.with_name(f".{target.name[:_STEM]}.{_token()}.part")
    try:
        part.mkdir()
        yield part
        if over and path.exists():
            _exchange(part, target)
        else:
            try:
                _check_new(path, over=False, empty=empty)
                part.replace(target)
            except (ValueError, OSError):
                if not path.exists():
                    raise
                raise ValueError(f"{path} was made by someone else meanwhile: nothing was written there") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder among the system's temporary ones, for the block."""
    folder = new_scratch()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_scratch() -> Path:
    """The same, to be removed by the caller."""
    place = Path(tempfile.gettempdir())
    sweep(place)
    folder = place / f"kinestream-{_token()}.part"
    folder.mkdir(mode=0o700)
    return folder


def sweep(folder: Path) -> None:
    """Removes from a folder what processes that are gone left half-written there."""
    place = str(folder.absolute())
    if place in _swept:
        return
    with contextlib.suppress(OSError), os.scandir(place) as found:
        for number, entry in enumerate(found):
            if number == _MANY:
                _swept.add(place)
            if (named := _PART.fullmatch(entry.name)) and _is_left(Path(entry.path), named):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    Path(entry.path).unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Writes `content` readably and whole."""
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _token() -> str:
    """In names of temporary files: whose it is, and a number."""
    owner = this_process()
    return f"{owner.place}-{owner.pid}-{owner.start}-{next(_count)}"


def _touch(part: Path, path: Path) -> None:
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        part.touch(exist_ok=False)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


def _is_left(part: Path, named: "re.Match[str]") -> bool:
    owner = Owner(place=named[1], pid=int(named[2]), start=int(named[3]))
    if (gone := owner.is_gone()) is not None:
        return gone
    try:
        last = max(file.lstat().st_mtime for file in (part, *part.rglob("*")))
    except OSError:
        return False
    return time.time() - last > _FOREIGN_SECONDS


def _check_new(path: Path, *, over: bool, empty: bool) -> None:
    if not path.exists() or (over and path.is_dir()):
        return
    if not empty:
        raise ValueError(f"{path} exists already: choose another folder, or remove it first")
    if not path.is_dir() or any(path.iterdir()):
        raise ValueError(f"{path} exists and is not an empty folder: name another folder or remove it first")
    if path.samefile(Path.cwd()) or path.is_mount():
        raise ValueError(f"{path} cannot be replaced as a whole, which this does: name a folder in it")


def _exchange(new: Path, old: Path) -> None:
    """The two folders change names."""
    here, exchanged = -100, 2
    library = ctypes.CDLL(None, use_errno=True)
    rename = getattr(library, "renameat2", None)
    if rename is not None and not rename(here, os.fsencode(new), here, os.fsencode(old), exchanged):
        return
    # Not known to the system, or to the file system: for a moment neither has the name.
    aside = new.with_name(f".{old.name[:_STEM]}.{_token()}.part")
    old.replace(aside)
    try:
        new.replace(old)
    except OSError:
        aside.replace(old)
        raise
    shutil.rmtree(aside, ignore_errors=True)
