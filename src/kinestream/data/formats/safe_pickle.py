"""Pickles of unknown origin: plain containers, numbers, strings and numpy arrays are read, everything else is refused.

A pickle is a program. This reader gives it none of the real functions that it names: it gets stand-ins that check what
they are given and build arrays from bytes with `numpy.frombuffer`, so that neither `os.system` nor a forged array
header gets anywhere. The names are those under which numpy pickles arrays, before and since its version 2.
"""

import contextlib
import io
import math
import os
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from kinestream.words import reason, shown

_TYPE_CODE = re.compile(r"b1|[iu][1248]|f[248]|c(?:8|16)|[SU]\d{1,6}")
_ROOM, _TIMES = 2**29, 8
"""Memory that reading a pickle may take: so many bytes, and so many times its size."""
_DAMAGE = (
    *(pickle.UnpicklingError, EOFError, AttributeError, LookupError, TypeError, ValueError),
    *(ImportError, MemoryError, OverflowError, RecursionError, OSError),
)


class RefusedPickleError(ValueError):
    """A pickle that holds what is not read, or is damaged."""


def load_pickle(path: Path) -> Any:
    """The content of a pickle, read as a whole.

    Raises RefusedPickleError, naming the file and what stands in it that is refused; nothing of it is run.
    """
    with path.open("rb") as file:
        return _load(file, str(path))


def loads_pickle(content: bytes, name: str) -> Any:
    """The content of a pickle that stands in another file, where it has this name; see `load_pickle`."""
    return _load(io.BytesIO(content), name)


def _load(file: BinaryIO | io.BytesIO, name: str) -> Any:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        # The standard library prints an error of its own for a byte array that is too large, beside raising one.
        with _bounded(_ROOM + _TIMES * size), contextlib.redirect_stderr(io.StringIO()):
            return _settled(_Reader(file).load(), {})
    except RefusedPickleError as error:
        raise RefusedPickleError(f"{name}: {error}") from None
    except _DAMAGE as error:
        raise RefusedPickleError(f"{name} is no whole pickle ({reason(error, 120)}): cut off or damaged") from None


@contextlib.contextmanager
def _bounded(more: int) -> Iterator[None]:
    """At most so many bytes more for this process until the block ends: nine bytes of a pickle can ask for gigabytes.
    What asks for more gets a MemoryError. Where the system has no such limit there is none."""
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        before = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError, ValueError):
        yield
        return
    bound = used + more if before[0] == resource.RLIM_INFINITY else min(before[0], used + more)
    resource.setrlimit(resource.RLIMIT_AS, (bound, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class _Reader(pickle.Unpickler):
    def __init__(self, file: BinaryIO | io.BytesIO) -> None:
        super().__init__(file, encoding="latin1")  # strings and array bytes of Python 2

    def find_class(self, module: str, name: str) -> Any:
        found = _ALLOWED.get(f"{module}.{name}")
        if found is None:
            raise RefusedPickleError(
                f"refused '{_shown(module)}.{_shown(name)}': only containers, numbers, strings and numpy arrays are "
                "read from pickles, and nothing was run"
            )
        return found

    def persistent_load(self, pid: object) -> Any:
        raise RefusedPickleError(f"refused the outside reference {shown(pid)}: a pickle of arrays has none")


def _shown(name: str) -> str:
    return shown(name, 80)


class _Named:
    """What a pickle gets for a name: it can be called and be compared, and nothing in it can be set."""

    __slots__ = ("_call",)
    _call: Callable[..., Any]

    def __init__(self, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments: object) -> Any:
        return self._call(*arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise RefusedPickleError(f"refused to set '{_shown(name)}' of a function")

    def __setstate__(self, state: object) -> None:
        raise RefusedPickleError("refused to set the state of a function")


class _Dtype:
    """Type of an array's entries, not to be trusted until `made`."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or not _TYPE_CODE.fullmatch(code):
            raise RefusedPickleError(f"refused an array of type '{shown(code, 40)}': only numbers and strings are read")
        self._code = code
        self._order = "="

    def __setstate__(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) >= 5 else None
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):  # type: ignore[index]
            raise RefusedPickleError("refused an array whose entries have parts: only numbers and strings are read")
        self._order = order

    def made(self) -> np.dtype[Any]:
        return np.dtype(self._order + self._code)


class _Array:
    """An array whose content the pickle has still to give."""

    __slots__ = ("value",)
    value: np.ndarray | None

    def __init__(self, kind: object, *_: object) -> None:
        if kind is not _NDARRAY:
            raise RefusedPickleError("refused to rebuild something else than a numpy array")
        self.value = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise RefusedPickleError("an array without its five parts")
        _, shape, dtype, fortran, content = state
        self.value = _array(content, dtype, shape, "F" if fortran else "C")


def _array(content: object, dtype: object, shape: object, order: object = "C") -> np.ndarray:
    """An array of its own memory."""
    if isinstance(content, str):
        content = content.encode("latin1")  # as Python 2 wrote it
    if not isinstance(content, bytes | bytearray) or not isinstance(dtype, _Dtype):
        raise RefusedPickleError("refused an array of objects: only numbers and strings are read")
    if not isinstance(shape, tuple) or len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
        raise RefusedPickleError(f"an array of the shape {shown(shape)}")
    made = dtype.made()
    if math.prod(shape) * made.itemsize != len(content):
        raise RefusedPickleError(f"an array {shape} of {made} with {len(content)} bytes")
    if not made.itemsize:
        return np.zeros(shape, made)
    return np.frombuffer(content, made).reshape(shape, order="F" if order == "F" else "C").copy()


def _scalar(dtype: object, content: object = b"") -> Any:
    return _array(content, dtype, ())[()]


def _encode(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise RefusedPickleError(f"refused the encoding {shown(encoding, 40)}")
    return text.encode("latin1")


def _bytes(content: object = b"", encoding: object = "latin1") -> bytes:
    return _encode(content, encoding) if isinstance(content, str) else bytes(_listed(content, bytes, bytearray, list))


def _listed(content: object, *kinds: type) -> Any:
    if not isinstance(content, kinds):
        raise RefusedPickleError(f"refused to fill a container from {type(content).__name__}")
    return content


_NDARRAY = _Named(lambda *_: _Array(None))
_NUMPY = {
    "multiarray._reconstruct": _Named(_Array),
    "multiarray.scalar": _Named(_scalar),
    "numeric._frombuffer": _Named(_array),
}
_ALLOWED: Mapping[str, _Named] = MappingProxyType(
    {
        "numpy.ndarray": _NDARRAY,
        "numpy.dtype": _Named(_Dtype),
        **{f"numpy.{core}.{name}": made for core in ("core", "_core") for name, made in _NUMPY.items()},
        "_codecs.encode": _Named(_encode),
        "collections.OrderedDict": _Named(lambda pairs=(): OrderedDict(_listed(pairs, list, tuple))),
        **{
            f"{module}.{name}": made
            for module in ("builtins", "__builtin__")
            for name, made in {
                "set": _Named(lambda entries=(): set(_listed(entries, list, tuple))),
                "frozenset": _Named(lambda entries=(): frozenset(_listed(entries, list, tuple))),
                "bytearray": _Named(lambda *content: bytearray(_bytes(*content))),
                "bytes": _Named(_bytes),
            }.items()
        },
    }
)
"""What a pickle may name, and what it gets for it."""


def _settled(value: Any, seen: dict[int, Any]) -> Any:
    """The same with arrays in place of stand-ins. `seen` keeps what was settled, and alive, by its number."""
    if id(value) in seen:
        return seen[id(value)][1]
    if isinstance(value, _Array):
        if value.value is None:
            raise RefusedPickleError("an array without content")
        return value.value
    if isinstance(value, _Dtype):
        return value.made()
    if isinstance(value, _Named):
        raise RefusedPickleError("refused a function in place of a value")
    if isinstance(value, dict | list):
        seen[id(value)] = (value, value)
        for key, entry in list(value.items() if isinstance(value, dict) else enumerate(value)):
            value[key] = _settled(entry, seen)
    elif isinstance(value, tuple):
        seen[id(value)] = (value, tuple(_settled(entry, seen) for entry in value))
        return seen[id(value)][1]
    return value
