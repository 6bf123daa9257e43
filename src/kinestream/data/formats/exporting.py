"""From a store to the files of others, so that their code can run on it."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int64

from kinestream.data.datasets import Part, dataset_names, load_dataset
from kinestream.data.formats import authors, npz
from kinestream.data.formats.incoming import ExchangeError
from kinestream.data.store import Store
from kinestream.files import new_folder, replacing, write_json

Form = Literal["authors", "npz"]
AUTHORS_FRAMES = 50
NPZ_FRAMES = 300
"""An npz of full-length recordings has this many frames, or as many as the longest needs."""


def export_store(
    store: Store,
    out: Path,
    *,
    form: Form,
    split: str,
    frames: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[Part, int]:
    """Writes the two parts of a split, recording after recording, or nothing at all; gives their sizes.

    `authors` is a folder of clips (50 frames if not said otherwise); `npz` a file of recordings of full length, or of
    clips where `frames` is given. Raises ValueError when `out` exists or the store has no such split.
    """
    if frames is not None and frames < 2:
        raise ExchangeError(f"a clip needs at least 2 frames, not {frames}")
    rows: dict[Part, Int64[np.ndarray, " n"]] = {part: store.select(split, part) for part in ("train", "test")}
    for part, chosen in rows.items():
        if not len(chosen):
            raise ExchangeError(f"{store.path} has no recording for part '{part}' of split '{split}'")
    steps = _Steps(len(store), progress)
    if form == "authors":
        _export_authors(store, out, split, frames or AUTHORS_FRAMES, rows, steps)
    else:
        _export_npz(store, out, split, frames, rows, steps)
    return {part: len(chosen) for part, chosen in rows.items()}


class _Steps:
    def __init__(self, total: int, progress: Callable[[int, int], None]) -> None:
        self._total, self._progress, self._done = total, progress, 0
        progress(0, total)

    def __call__(self) -> None:
        self._done += 1
        self._progress(self._done, self._total)


def _export_authors(
    store: Store, out: Path, split: str, frames: int, rows: dict[Part, Int64[np.ndarray, " n"]], steps: _Steps
) -> None:
    suffix = load_dataset(store.info.dataset).format.suffix if store.info.dataset in dataset_names() else ""
    shape = (frames, store.info.most_bodies, len(store.layout.joints))
    with new_folder(out) as folder:
        for name, part in zip(authors.PARTS, rows, strict=True):
            names = [f"{store.table.name[index]}{suffix}" for index in rows[part].tolist()]
            labels = store.table.label[rows[part]].tolist()
            authors.write_authors(folder, name, names, labels, _read(store, rows[part], frames, steps), shape)
        write_json(folder / authors.ORIGIN, authors.origin_of(store, split, frames))


def _export_npz(
    store: Store, out: Path, split: str, frames: int | None, rows: dict[Part, Int64[np.ndarray, " n"]], steps: _Steps
) -> None:
    if out.suffix != ".npz":
        raise ExchangeError(f"{out} does not end in .npz")
    if out.exists():
        raise ExchangeError(f"{out} exists already: choose another name, or remove it first")
    longest = frames or max(NPZ_FRAMES, int(store.table.length.max()))
    shape = (longest, store.info.most_bodies, len(store.layout.joints))
    with replacing(out) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for part, chosen in rows.items():
            names = [store.table.name[index] for index in chosen.tolist()]
            labels, classes = store.table.label[chosen].tolist(), len(store.info.classes)
            npz.write_npz_part(archive, part, names, labels, classes, _read(store, chosen, frames, steps), shape)
        npz.write_origin(archive, authors.origin_of(store, split, frames))


def _read(
    store: Store, indices: Int64[np.ndarray, " n"], frames: int | None, steps: _Steps
) -> Iterator[Float[np.ndarray, "t m v c"]]:
    """Recordings of full length, or clips."""
    for index in indices.tolist():
        joints = store.joints(index)
        yield joints if frames is None else store.preparation.clip(joints, frames, store.layout)
        steps()
