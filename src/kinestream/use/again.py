"""The recordings of an archive, read again from where they lie: each file is opened once."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kinestream.data.recording import Recording
from kinestream.data.store import Store
from kinestream.use.encode import Given
from kinestream.use.made_by import Reading
from kinestream.use.rows import Rows
from kinestream.use.sources import open_sources, read_row
from kinestream.words import shown


def read_again(rows: Rows, reading: Reading, failed: list[ValueError] | None = None) -> Iterator[Given]:
    """Each recording that rows are of, once. Raises ValueError where one cannot be read any more, or adds that to
    `failed` and goes on."""
    inside: dict[Path, list[tuple[str, str]]] = {}
    for file, name in dict.fromkeys(rows.recordings()):
        inside.setdefault(_holder(Path(file)) if file else Path(), []).append((file, name))
    for holder, keys in inside.items():
        try:
            if not keys[0][0]:
                name = shown(keys[0][1])
                raise ValueError(f"recording '{name}' was held in memory: there is no file to read it from")
            yield from _of_holder(holder, keys, reading)
        except ValueError as error:
            if failed is None:
                raise
            failed.append(error)


def _holder(path: Path) -> Path:
    """The store, or the file with many recordings, that something lies in; itself if in none."""
    if (path.parent / "store.json").is_file():
        return path.parent
    return next((above for above in path.parents if above.is_file()), path)


def _of_holder(holder: Path, keys: list[tuple[str, str]], reading: Reading) -> Iterator[Given]:
    if (holder / "store.json").is_file():
        store = Store(holder)
        for file, name in keys:
            (kept,) = store.recordings(np.array([store.index_of(name)]))
            yield Given(recording=kept, file=file, name=name, cleaned=store.info.preparation)
        return
    if str(holder) == keys[0][0]:
        for file, name in keys:
            yield Given(recording=read_row(file, name, reading), file=file, name=name)
        return
    (source,) = open_sources(holder, reading, None)
    wanted = dict.fromkeys(keys)
    files = {file for file, _ in keys}
    for number in range(len(source)):
        file, _ = source.key(number)
        if file not in files:
            continue
        for one in source.read(number):
            if not isinstance(one, Recording):
                continue
            key = file, one.name or Path(file).stem
            if key in wanted:
                del wanted[key]
                yield Given(recording=one, file=file, name=key[1])
    if wanted:
        file, name = next(iter(wanted))
        raise ValueError(f"{file} has no recording '{shown(name)}' any more")
