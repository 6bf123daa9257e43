"""One writer at a time: a lock that ends with the process that holds it.

It is a lock of the system (`flock`) on a small file, which tells whose it is. Not a file that is there or not: such a
one stays where its process was killed, and to take it over is a race. Network file systems pass `flock` on to their
server (NFS since Linux 2.6.12), so that it holds between machines too. Where one has no locks, a process of this
machine is found by what the file tells, and that nobody elsewhere is kept out is said.
"""

import contextlib
import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from kinestream.owner import Owner, this_process
from kinestream.progress import Notice, unheard
from kinestream.words import shown

_POLL_SECONDS = 0.05
_TELLING_SECONDS = 2.0
"""For who has just taken a lock to say so in the file."""
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
_MOST_BYTES = 4096


@contextlib.contextmanager
def lock(file: Path, *, of: Path, seconds: float = 0.0, notice: Notice = unheard) -> Iterator[None]:
    """Holds the lock `file` for the block; it is gone afterwards, and so are folders that are new and empty.

    Args:
        of: what is locked, as messages name it.
        seconds: how long to wait for another process.
        notice: told where the file system has no locks.

    Raises ValueError, which names the owner, when another process holds it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as run, lock(Path(run, ".lock"), of=Path(run)):
        ...     with lock(Path(run, ".lock"), of=Path("runs/mine")):  # doctest: +ELLIPSIS
        ...         pass
        Traceback (most recent call last):
        ValueError: runs/mine is being written by process ...: wait until it ends, or stop it
    """
    made = [folder for folder in file.absolute().parents if not folder.exists()]
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = _take(file, of, time.monotonic() + seconds, notice)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)
            os.close(descriptor)
    finally:
        with contextlib.suppress(OSError):  # something is in it
            for folder in made:
                folder.rmdir()


def _take(file: Path, of: Path, deadline: float, notice: Notice) -> int:
    latest = max(deadline, time.monotonic() + _TELLING_SECONDS)
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if _locked(descriptor):
                if not _is_still(file, descriptor):
                    os.close(descriptor)  # whoever held it has removed it meanwhile
                    continue
            elif (owner := _read(descriptor)) is not None and owner[0].is_gone() is False:
                raise BlockingIOError
            else:
                notice(f"{of} is on a file system without locks: nothing else must write there meanwhile")
            _tell(descriptor)
        except BlockingIOError:
            told = _told(descriptor)
            os.close(descriptor)
            if time.monotonic() >= (deadline if told else latest):
                told = told or "another process"
                raise ValueError(f"{of} is being written by {told}: wait until it ends, or stop it") from None
            time.sleep(_POLL_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
        else:
            return descriptor


def _locked(descriptor: int) -> bool:
    """False where there are no locks. Raises BlockingIOError when another has it."""
    try:
        import fcntl
    except ModuleNotFoundError:  # not a system of the Unix kind
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _is_still(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _tell(descriptor: int) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"host": os.uname().nodename, "since": since, **vars(this_process())}).encode(), 0)


def _read(descriptor: int) -> tuple[Owner, str, str] | None:
    """Who holds the lock, on which host, since when; None where that is not told."""
    try:
        plain = json.loads(os.pread(descriptor, _MOST_BYTES, 0))
        owner = Owner(place=str(plain["place"]), pid=int(plain["pid"]), start=int(plain["start"]))
        return owner, str(plain["host"]), str(plain["since"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _told(descriptor: int) -> str | None:
    if (found := _read(descriptor)) is None:
        return None
    owner, host, since = found
    return f"process {owner.pid} on {shown(host)} since {shown(since)}"
