"""Writing files so that nobody ever sees half of one: a temporary name beside the target, then a rename."""

import contextlib
import glob
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Gives a temporary path beside `path`; when the block ends well, the file written there takes the place of `path`,
    else it is removed.

    The name ends like the target's, so that writers that look at it see the same suffix. `durable` waits until the
    content is on the disk: even a machine that loses power then keeps the old file or has the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        if durable:
            with part.open("rb") as file:
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, in a fixed order; nothing where one may not look."""
    try:
        return sorted(folder.iterdir())
    except PermissionError:
        return []


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder beside `path`; when the block ends well it becomes `path`, else it is removed.

    Raises ValueError when `path` exists. What a process that was killed left behind is removed first.
    """
    if path.exists():
        raise ValueError(f"{path} exists already: choose another folder, or remove it first")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.mkdir()
    try:
        yield part
        if path.exists():
            raise ValueError(f"{path} was made by someone else meanwhile: nothing was written there")
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        owner = part.name.removeprefix(f".{path.name}.").removesuffix(".part")
        if owner.isdigit() and not _is_running(int(owner)):
            shutil.rmtree(part, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process != os.getpid()


def write_json(path: Path, content: Any) -> None:
    """Writes `content` readably and whole."""
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
