"""Memory that a process gives back to the system only at its end.

A training asks for the same large pieces in every step. The C library of Linux (glibc) takes each from the system and
gives it back, and the system clears every page again before the next step writes to it.
"""

import ctypes
import functools
import os
import platform

SWITCH = "KINESTREAM_KEEP_MEMORY"
"""The variable of the environment that switches it off: 0."""

# Names and numbers of malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_MOST = 2**31 - 1


@functools.cache
def keep_memory() -> bool:
    """From here on this process keeps the memory that it has freed, to use it again. Gives whether it does: nothing
    is changed where the C library is another one or `KINESTREAM_KEEP_MEMORY=0` is set, and where a variable of
    glibc's own (`MALLOC_..._`, `GLIBC_TUNABLES`) says how it is to be, that stands.
    """
    if os.environ.get(SWITCH) == "0" or platform.libc_ver()[0] != "glibc":
        return False
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return all(mallopt(what, value) == 1 for what, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _MOST)))
