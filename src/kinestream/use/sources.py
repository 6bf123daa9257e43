"""Recordings by number, wherever they lie, read one at a time: a file, a folder, a store, or what is held in memory."""

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from kinestream.data.reading import Collected, Files, open_files
from kinestream.data.recording import Recording, as_recordings
from kinestream.data.rejected import Rejected
from kinestream.data.store import Store
from kinestream.data.understanding import Told
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.use.made_by import Reading
from kinestream.words import shown

Sources = Any
"""A store, a path or several, recordings or arrays: see `kinestream.use.embed.embed`."""
_STORE = "store.json"


@runtime_checkable
class Numbered(Protocol):
    """Recordings that can be asked for by number."""

    cleaned: str | None
    """The preparation that they have gone through already."""

    def __len__(self) -> int: ...
    def key(self, number: int) -> tuple[str, str | None]:
        """The file, and the name where a file has several."""
        ...

    def read(self, number: int) -> Iterator[Recording | Rejected]: ...


def open_sources(sources: Sources, reading: Reading, layout: str | Path | SkeletonLayout | None) -> list[Numbered]:
    """Raises ValueError for what is no recording, or where the format cannot be told."""
    if isinstance(sources, Store):
        return [OfStore(sources)]
    if isinstance(sources, str | Path):
        return [_at(Path(sources), reading, layout)]
    if isinstance(sources, Recording | np.ndarray):
        return [OfMemory(as_recordings(sources, layout))]
    some = list(sources)
    if some and all(isinstance(one, str | Path) for one in some):
        return [_at(Path(one), reading, layout) for one in some]
    if some and all(isinstance(one, Store) for one in some):
        return [OfStore(one) for one in some]
    return [OfMemory(as_recordings(some, layout))]


def settled(reading: Reading, sources: Sequence[Numbered]) -> Reading:
    """With what was inferred from all files together, so that one that is read again alone is read as it was."""
    found = {source.inferred if isinstance(source, OfFiles) else (None, None) for source in sources}
    if len(found) != 1:
        return reading
    ((units, up),) = found
    return replace(reading, inferred_units=units, inferred_up=up)


class OfFiles:
    """A file each."""

    cleaned: str | None = None

    def __init__(self, files: Files) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    @property
    def inferred(self) -> tuple[str | None, str | None]:
        """Units and axis, where only the bodies of all files tell them."""
        return self._files.facts.inferred

    def key(self, number: int) -> tuple[str, str | None]:
        return full(self._files.folder.called(self._files.sources[number].path)), None

    def read(self, number: int) -> Iterator[Recording | Rejected]:
        for _, one in self._files.read_one(self._files.sources[number]):
            yield replace(one, path=self._files.folder.called(one.path)) if isinstance(one, Rejected) else one


class OfCollection:
    """The recordings of a file that has many. Read in order, each is looked at once."""

    cleaned: str | None = None

    def __init__(self, place: Path, collected: Collected) -> None:
        self._place, self._collected = full(place), collected
        self._next = 0
        self._rest: Iterator[Recording | Rejected] = iter(())

    def __len__(self) -> int:
        return len(self._collected)

    def key(self, number: int) -> tuple[str, str | None]:
        return f"{self._place}/{number + 1}", None

    def read(self, number: int) -> Iterator[Recording | Rejected]:
        if number < self._next or self._next == 0:
            self._rest, self._next = iter(self._collected.read()), 0
        yield from itertools.islice(self._rest, number - self._next, number - self._next + 1)
        self._next = number + 1


class OfStore:
    """The recordings of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.cleaned: str | None = store.info.preparation

    def __len__(self) -> int:
        return len(self._store)

    def key(self, number: int) -> tuple[str, str | None]:
        return full(self._store.path / self._store.table.file[number]), self._store.table.name[number]

    def read(self, number: int) -> Iterator[Recording | Rejected]:
        yield from self._store.recordings(np.array([number]))


class OfMemory:
    """Recordings at hand. Raises ValueError where two have one name."""

    cleaned: str | None = None

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._recordings = [
            one if one.name else replace(one, name=str(number)) for number, one in enumerate(recordings)
        ]
        names = [one.name for one in self._recordings]
        if len(set(names)) < len(names):
            double = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"two recordings are called '{double}': give each a name of its own")

    def __len__(self) -> int:
        return len(self._recordings)

    def key(self, number: int) -> tuple[str, str | None]:
        return "", self._recordings[number].name

    def read(self, number: int) -> Iterator[Recording | Rejected]:
        yield self._recordings[number]


@dataclass(frozen=True)
class Listed:
    """All recordings of several sources, one after the other."""

    sources: tuple[Numbered, ...]

    def __len__(self) -> int:
        return sum(map(len, self.sources))

    def all_keys(self) -> Iterator[tuple[str, str | None]]:
        for source in self.sources:
            yield from (source.key(number) for number in range(len(source)))

    def at(self, number: int) -> tuple[Numbered, int]:
        """The source of a recording, and its number there."""
        for source in self.sources:
            if number < len(source):
                return source, number
            number -= len(source)
        raise IndexError(number)


def full(path: Path) -> str:
    """The one way in which a file is written in archives, from wherever it was named."""
    return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100  keeps links as they are


def read_row(file: str, name: str, reading: Reading) -> Recording:
    """The recording of a row of an archive. Raises ValueError where it cannot be read any more."""
    return RowReader(reading).read(file, name)


class RowReader:
    """Reads the recordings of rows of an archive again. A store, or a file of many recordings, stays open until another
    is asked for: in the order of the archive each is read once."""

    def __init__(self, reading: Reading) -> None:
        # Whether they look like bodies was judged by all files together, when they were embedded.
        self._reading = replace(reading, trust=True)
        self._place: Path | None = None
        self._source: Numbered | None = None
        self._numbers: dict[tuple[str, str | None], int] = {}
        self._file = ""
        self._rest: Iterator[Recording | Rejected] = iter(())
        self.cleaned: str | None = None
        """The preparation that what was read last has gone through already."""

    def read(self, file: str, name: str) -> Recording:
        """Raises ValueError where it cannot be read any more."""
        if not file:
            raise ValueError(f"recording '{shown(name)}' was held in memory: there is no file to read it from")
        path = Path(file)
        place = next((above for above in path.parents if above.is_file() or (above / _STORE).is_file()), None)
        if place is None:
            found = self._in_file(path, file, name)
            self.cleaned = None
        else:
            source = self._open(place)
            number = self._numbers.get((file, name), self._numbers.get((file, None)))
            found = None if number is None else _called(name, source.read(number))
            self.cleaned = source.cleaned
        if found is None:
            raise ValueError(f"{shown(file, 200)} has no recording '{shown(name)}' any more")
        return found

    def _in_file(self, path: Path, file: str, name: str) -> Recording | None:
        """From where the file was read to, then from its start."""
        if file == self._file:
            for one in self._rest:
                if isinstance(one, Recording) and one.name == name:
                    return one
        self._file = ""  # should it fail, it is opened anew
        sources = open_sources(path, self._reading, None)
        self._rest = itertools.chain.from_iterable(source.read(0) for source in sources)
        found = _called(name, self._rest)
        self._file = file
        return found

    def _open(self, place: Path) -> Numbered:
        if self._source is None or self._place != place:
            (self._source,) = open_sources(place, self._reading, None)
            self._numbers = {self._source.key(number): number for number in range(len(self._source))}
            self._place = place
        return self._source


def _called(name: str, some: Iterator[Recording | Rejected]) -> Recording | None:
    """The first of that name; the only one, whatever its name. Raises ValueError where that cannot be used."""
    only: list[Recording | Rejected] = []
    for one in some:
        if isinstance(one, Recording) and one.name == name:
            return one
        only = [*only[:1], one]
    if len(only) == 1 and isinstance(only[0], Rejected):
        raise ValueError(str(only[0]))
    return only[0] if len(only) == 1 and isinstance(only[0], Recording) else None


def _at(place: Path, reading: Reading, layout: str | Path | SkeletonLayout | None) -> Numbered:
    if (place / _STORE).is_file():
        return OfStore(Store(place))
    known = layout if layout is not None else reading.layout
    told = Told(
        layout=load_layout(known) if isinstance(known, str | Path) else known,
        fps=reading.fps,
        units=reading.units,  # type: ignore[arg-type]
        up=reading.up,  # type: ignore[arg-type]
        columns=reading.columns,
        variable=reading.variable,
        trust=reading.trust,
        inferred_units=reading.inferred_units,  # type: ignore[arg-type]
        inferred_up=reading.inferred_up,  # type: ignore[arg-type]
    )
    opened = open_files(place, told, reading.format)
    return OfFiles(opened) if isinstance(opened, Files) else OfCollection(place, opened)
