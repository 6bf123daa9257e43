"""The one line in which a command ends, whatever went wrong."""

import os
from collections.abc import Sequence

from kinestream.words import printable, reason, shown

VARIABLE = "KINESTREAM_TRACEBACK"
"""The environment variable that shows where in the code an error came from."""
_MOST = 2000
_DISK = ("PytorchStreamWriter", "file write failed", "No space left", "Disk quota exceeded", "os error 28")
_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "Cannot allocate memory", "bad_alloc")


def line_of(error: BaseException, command: str, words: Sequence[str] = ()) -> str:
    """What to tell of an error, in one line. `words` are those of the command, for what has no message of our own.

    Example:
        >>> line_of(ValueError("no store at x"), "kinestream check")
        'kinestream check: no store at x'
        >>> line_of(KeyError("offset"), "kinestream check", ["no-such-store"])[:60]
        "kinestream check: unexpected KeyError ('offset'): this is an"
    """
    own = _told(error)
    return " ".join(printable(f"{command}: {own or _unexpected(error, words)}").split("\n"))[:_MOST]


def _told(error: BaseException) -> str | None:
    """What the error says itself, or what stands behind it; None where that tells a user nothing."""
    said = reason(error, 300)
    if any(kind.__name__.strip("_") == "LinAlgError" for kind in type(error).__mro__):
        return f"numbers cannot be computed with ({said[:120]}): features are not finite, or all alike"
    if isinstance(error, UnicodeError):
        return f"text that cannot be read or written ({said[:120]}): files are UTF-8"
    if isinstance(error, ValueError):
        return _in_one_line(error)
    if any(word in said for word in _DISK):
        return f"a file could not be written whole, the disk is full ({said[:120]}): what was there before is kept"
    if isinstance(error, MemoryError) or any(word in said for word in _MEMORY):
        return "there is not enough memory for this: smaller batches, fewer clips, or another machine"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{shown(os.fsdecode(error.filename), 300)}: {error.strerror}"
    if isinstance(error, OSError):
        return _in_one_line(error)
    if isinstance(error, RecursionError):
        return "something that was read is nested too deeply: it is damaged, or was made to do harm"
    return None


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error)[: 2 * _MOST].split()) or type(error).__name__


def _unexpected(error: BaseException, words: Sequence[str]) -> str:
    files = [word for word in words if not word.startswith("-") and os.path.lexists(word)]
    about = f", with {', '.join(shown(file, 100) for file in files[:4])}" if files else ""
    return (
        f"unexpected {type(error).__name__} ({reason(error)}){about}: this is an error of kinestream, please report "
        f"it with what the same command shows after 'kinestream --traceback' (or with {VARIABLE}=1)"
    )
