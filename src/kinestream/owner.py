"""Whose a lock or a temporary file is: a process, named so that it is known as dead even where another has its number.

Numbers of processes mean something only where they were given: on one machine, since one start of it, in one
container. Of a process from elsewhere nobody can tell whether it runs.
"""

import functools
import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process."""

    place: str
    """Eight hexadecimal digits: the machine, its last start and the container."""
    pid: int
    start: int
    """When it began, in the system's own ticks; 0 where the system does not tell."""

    def is_gone(self) -> bool | None:
        """None where that cannot be told from here."""
        if self.place != _place():
            return None
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:  # it runs, and may be hidden from us
            start = _start(self.pid)
            return None if start is None else start != self.start
        return _start(self.pid) != self.start


def this_process() -> Owner:
    pid = os.getpid()
    return Owner(place=_place(), pid=pid, start=_start(pid) or 0)


@functools.cache
def _place() -> str:
    told = [platform.node()]
    for name in ("sys/kernel/random/boot_id", "self/ns/pid"):
        try:
            file = _PROC / name
            told.append(str(file.readlink()) if file.is_symlink() else file.read_text())
        except OSError:
            told.append("")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]


def _start(pid: int) -> int | None:
    """None for a process that has ended, also one whose end nobody has asked for yet; 0 where nothing tells."""
    if not (_PROC / "self/stat").is_file():
        return 0
    try:
        # The name of the program comes first, in brackets, and may hold anything.
        state, *numbers = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if state in "ZX" else int(numbers[18])
    except (OSError, ValueError, IndexError):
        return None
