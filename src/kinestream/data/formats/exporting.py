"""From a store to files: the parts of a split as others train on them, or all of its recordings."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from kinestream.data.datasets import dataset_names, load_dataset
from kinestream.data.formats import authors, ctr_gcn
from kinestream.data.formats.incoming import ExchangeError
from kinestream.data.formats.origin import FILE, Origin
from kinestream.data.formats.to_arrays import FULL_FRAMES, write_authors_part, write_ctr_gcn_part, write_origin
from kinestream.data.formats.to_npz import add
from kinestream.data.formats.writing import format_of, refuse_existing, write_recordings
from kinestream.data.preparation import is_as_found
from kinestream.data.split import Part
from kinestream.data.store import Store
from kinestream.files import new_folder, replacing, write_json

AUTHORS_FRAMES = 50
_Rows = dict[Part, Int64[np.ndarray, " n"]]


def export_store(
    store: Store,
    out: Path,
    *,
    format: str | None = None,  # noqa: A002  the word of the command line
    split: str | None = None,
    frames: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[Part, int]:
    """Writes the recordings of a store, one after the other, or nothing at all; gives the sizes of its parts.

    Args:
        format: see `kinestream.data.formats.writing.write`. `authors` and `ctr-gcn` hold the two parts of one split,
            `pyskl` the lists of all, or of one; the others have no place for splits.
        split: the store's first, if it has any, where one is needed and None is given.
        frames: of the clips of `authors` (50 if None) and of `ctr-gcn`, which holds recordings of full length if None.

    Raises:
        ValueError: `out` exists, the store has no such split, or a format has no place for what is asked.
    """
    chosen = format_of(out, format)
    refuse_existing(out)
    if frames is not None and frames < 2:
        raise ExchangeError(f"a clip needs at least 2 frames, not {frames}")
    if frames is not None and chosen not in ("authors", "ctr-gcn"):
        raise ExchangeError(f"format {chosen} holds recordings of full length: leave out the number of frames")
    if split is not None and chosen in ("npz", "csv", "xarray"):
        raise ExchangeError(f"format {chosen} has no place for splits: leave out split {split}")
    if split is not None:
        store.select(split, "train")
    one = split or next(iter(store.info.splits), None)
    rows: _Rows = {part: store.select(one, part) for part in ("train", "test")}
    if chosen not in ("authors", "ctr-gcn"):
        names = list(store.info.splits) if split is None else [split]
        progress(0, len(store))
        written = write_recordings(store, out, chosen, _lists(store, names) if names else None)
        progress(len(store), len(store))
        return {"train": len(rows["train"]), "test": len(rows["test"])} if split else {"train": written, "test": 0}
    if store.continuous or not store.is_labelled:
        raise ExchangeError(f"{store.path} has no label for each recording, which format {chosen} needs")
    for part, found in rows.items():
        if one is not None and not len(found):
            raise ExchangeError(f"{store.path} has no recording for part '{part}' of split '{one}'")
    steps = _Steps(len(store), progress)
    if chosen == "authors":
        _export_authors(store, out, one, frames or AUTHORS_FRAMES, rows, steps)
    else:
        _export_ctr_gcn(store, out, one, frames, rows, steps)
    return {part: len(found) for part, found in rows.items()}


class _Steps:
    def __init__(self, total: int, progress: Callable[[int, int], None]) -> None:
        self._total, self._progress, self._done = total, progress, 0
        progress(0, total)

    def __call__(self) -> None:
        self._done += 1
        self._progress(self._done, self._total)


def _lists(store: Store, splits: list[str]) -> dict[str, list[str]]:
    """Names for each part of splits, as PYSKL calls them."""
    words: dict[Part, str] = {"train": "train", "test": "val"}
    return {
        f"{split}_{word}": [store.table.name[index] for index in store.select(split, part).tolist()]
        for split in splits
        for part, word in words.items()
    }


def _export_authors(store: Store, out: Path, split: str | None, frames: int, rows: _Rows, steps: _Steps) -> None:
    suffix = load_dataset(store.info.dataset).format.suffix if store.info.dataset in dataset_names() else ""
    shape = (frames, store.info.most_bodies, len(store.layout.joints))
    columns: dict[str, dict[str, list[int]]] = {}
    with new_folder(out) as folder:
        for name, chosen in zip(authors.PARTS, rows.values(), strict=True):
            if not len(chosen):
                continue
            names = [f"{store.table.name[index]}{suffix}" for index in chosen.tolist()]
            labels = store.table.label[chosen].tolist()
            clips = _read(store, chosen, frames, steps)
            write_authors_part(folder, name, "position", names, labels, clips, shape)
            columns[name] = {key: getattr(store.table, key)[chosen].tolist() for key in ("subject", "camera")}
        told = {"class_names": list(store.info.classes), "columns": columns}
        write_json(folder / FILE, _origin(store, split, frames).to_dict() | told)


def _export_ctr_gcn(store: Store, out: Path, split: str | None, frames: int | None, rows: _Rows, steps: _Steps) -> None:
    longest = frames or max(FULL_FRAMES, int(store.table.length.max()))
    shape = (longest, store.info.most_bodies, len(store.layout.joints))
    with replacing(out) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for part, chosen in zip(ctr_gcn.PARTS, rows.values(), strict=True):
            if not len(chosen):
                continue
            names = [store.table.name[index] for index in chosen.tolist()]
            labels, classes = store.table.label[chosen].tolist(), len(store.info.classes)
            write_ctr_gcn_part(archive, part, names, labels, classes, _read(store, chosen, frames, steps), shape)
            for key in ("subject", "camera"):
                add(archive, f"{key}_{part}", getattr(store.table, key)[chosen])
        write_origin(archive, _origin(store, split, frames), store.info.classes)


def _origin(store: Store, split: str | None, frames: int | None) -> Origin:
    own = store.info.preparation
    return Origin(
        preparation=own if frames is None or is_as_found(own) else f"{own}-clips",
        layout=store.layout,
        dataset=store.info.dataset,
        split=split or "",
        frames=frames,
    )


def _read(
    store: Store, indices: Int64[np.ndarray, " n"], frames: int | None, steps: _Steps
) -> Iterator[Float[np.ndarray, "t m v c"]]:
    """Recordings of full length, or clips."""
    for index in indices.tolist():
        joints = store.joints(index)
        yield joints if frames is None else store.preparation.clip(joints, frames, store.layout)
        steps()
