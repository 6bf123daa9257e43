"""What others may add by name: layouts, formats, methods, encoders, evaluations and so on stand in registries.

A registry knows the built-in names and the module of each, which is imported when it is asked for. Everything else
comes from plug-ins: packages that declare an entry point of the group `kinestream.plugins`, and Python files or modules
named by the environment variable `KINESTREAM_PLUGINS` (several are separated as in `PATH`). A plug-in registers what it
brings when it is imported.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from kinestream.words import reason, unknown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "kinestream.plugins"
VARIABLE = "KINESTREAM_PLUGINS"
Entry = TypeVar("Entry")

_loaded: set[str] = set()


class Registry(Generic[Entry]):
    """Entries by name.

    Args:
        kind: what an entry is, for messages: "method".
        builtin: for each built-in name the module that registers it.
        check: called with the name and the entry before it is taken; raises ValueError for one that cannot serve.

    Example:
        >>> greetings: Registry[str] = Registry("greeting", {})
        >>> greetings.add("hello", "world")
        'world'
        >>> greetings.get("helo")
        Traceback (most recent call last):
        ValueError: unknown greeting 'helo': did you mean hello? There are: hello
    """

    def __init__(
        self, kind: str, builtin: Mapping[str, str], check: Callable[[str, Entry], None] = lambda name, entry: None
    ) -> None:
        self.kind = kind
        self._builtin = dict(builtin)
        self._check = check
        self._entries: dict[str, Entry] = {}

    def register(self, *names: str) -> Callable[[Entry], Entry]:
        """A decorator that adds what it decorates under each of `names`."""

        def add(entry: Entry) -> Entry:
            for name in names:
                self.add(name, entry)
            return entry

        return add

    def add(self, name: str, entry: Entry) -> Entry:
        """Raises ValueError for a name that is taken, or an entry that cannot serve."""
        taken = self._entries.get(name)
        if taken is not None and _origin(taken) != _origin(entry):
            raise ValueError(f"{self.kind} '{name}' is registered already, by {_origin(taken)}: choose another name")
        self._check(name, entry)
        self._entries[name] = entry
        return entry

    def get(self, name: str) -> Entry:
        """Raises ValueError for an unknown name, with the nearest ones."""
        if name not in self._entries and name in self._builtin:
            importlib.import_module(self._builtin[name])
        if name not in self._entries:
            load_plugins()
        if name not in self._entries:
            raise ValueError(unknown(self.kind, name, self.names()))
        return self._entries[name]

    def __getitem__(self, name: str) -> Entry:
        return self.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def added(self) -> tuple[Entry, ...]:
        """What is not built in."""
        load_plugins()
        return tuple(entry for name, entry in sorted(self._entries.items()) if name not in self._builtin)

    def values(self) -> tuple[Entry, ...]:
        """Every entry, in the order of the names."""
        return tuple(self.get(name) for name in self.names())

    def are_one_kind(self, first: str, second: str) -> bool:
        """Whether two names stand for one entry; unknown ones are told apart by name. Imports nothing built in."""
        if first == second:
            return True
        if first in self._builtin and second in self._builtin:
            return self._builtin[first] == self._builtin[second]
        load_plugins()
        return first in self._entries and self._entries[first] is self._entries.get(second)

    def names(self) -> tuple[str, ...]:
        """Every name, in alphabetical order; those of plug-ins too."""
        load_plugins()
        return tuple(sorted({*self._builtin, *self._entries}))


def load_plugins() -> None:
    """Imports every plug-in that has not been imported. Raises ValueError, naming it, for one that fails."""
    for point in _declared():
        _load(f"plug-in {point.name} ({point.value})", point.value, point.load)
    for word in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        _load(f"plug-in {word}, named by {VARIABLE}", word, partial(_import, word))


@cache
def _declared() -> tuple["EntryPoint", ...]:
    """Those of the installed packages, looked for once: that reads a file of each."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=GROUP))


def add_plugin(file_or_module: str) -> None:
    """Loads a plug-in, in this process and in those that it starts."""
    known = [word for word in os.environ.get(VARIABLE, "").split(os.pathsep) if word]
    path = Path(file_or_module)
    word = str(path.resolve()) if path.suffix == ".py" else file_or_module
    if word not in known:
        os.environ[VARIABLE] = os.pathsep.join([*known, word])
    load_plugins()


def _load(what: str, key: str, load: Callable[[], object]) -> None:
    if key in _loaded:
        return
    _loaded.add(key)
    try:
        load()
    except Exception as error:
        _loaded.discard(key)
        raise ValueError(f"{what} cannot be loaded: {type(error).__name__}: {reason(error, 500)}") from error


def _import(word: str) -> object:
    if not word.endswith(".py"):
        return importlib.import_module(word)
    path = Path(word)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    name = f"kinestream_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _origin(entry: object) -> str:
    """Where an entry was defined: the same for one whose module is imported twice."""
    return f"{getattr(entry, '__module__', '?')}.{getattr(entry, '__qualname__', repr(entry))}"
