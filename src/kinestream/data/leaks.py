"""Recordings that are where they must not be: among the test clips and in what was learnt from.

A run keeps a list of the recordings that it learnt from, each with its name and a hash of its content, so that an
evaluation can look for its test clips in it when the store of the pre-training is gone.
"""

import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from kinestream.data.datasets import Dataset, dataset_names, load_dataset
from kinestream.data.split import Split
from kinestream.data.store import Store
from kinestream.files import replacing
from kinestream.tables import read_table, whole_number
from kinestream.words import plain_name

_COLUMNS = ("name", "length", "crc32", "content")
_MADE_UP = re.compile(r"(train|test)-\d{6}")
"""Names that an import gave to recordings without any: equal ones mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """What recordings are called and what is in them."""

    names: frozenset[str]
    contents: frozenset[tuple[int, int, str]]
    """Length in frames, CRC-32 and hash of each; the first two spare most others the third."""


def write_recordings(path: Path, *parts: tuple[Store, Int64[np.ndarray, " n"]]) -> None:
    """Writes a row for each of these recordings of one or more stores, whole."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for store, indices in parts:
            for index in indices.tolist():
                writer.writerow((store.table.name[index], *store.content_key(index), _content_hash(store, index)))


def read_recordings(path: Path) -> Recordings:
    """The inverse of `write_recordings`. Raises ValueError for a damaged file."""
    remedy = "restore it, without it nobody can tell what the run learnt from"
    rows = [cells for _, cells in read_table(path, _COLUMNS, remedy=remedy)]
    try:
        contents = [(whole_number(length), whole_number(crc32), content) for _, length, crc32, content in rows]
    except ValueError as error:
        raise ValueError(f"{path} was edited or damaged ({error}): {remedy}") from None
    return Recordings(names=frozenset(plain_name(name) for name, *_ in rows), contents=frozenset(contents))


def same_name(store: Store, indices: Int64[np.ndarray, " n"], known: Recordings) -> Bool[np.ndarray, " n"]:
    """Marks the recordings that have, or are cut from a video that has, a name among the known ones; and whole videos
    that a known one was cut from."""
    table = store.table
    cut_from = {name.rpartition("-")[0] for name in known.names} if store.continuous else set()
    return np.array(
        [
            not _MADE_UP.fullmatch(table.name[index])
            and (table.name[index] in known.names or table.file[index] in known.names or table.name[index] in cut_from)
            for index in indices.tolist()
        ],
        dtype=np.bool_,
    )


def same_content(store: Store, indices: Int64[np.ndarray, " n"], known: Recordings) -> Bool[np.ndarray, " n"]:
    """Marks the recordings whose frames, as prepared, are to the bit those of a known one."""
    likely = {(length, crc32) for length, crc32, _ in known.contents}
    return np.array(
        [
            key in likely and (*key, _content_hash(store, index)) in known.contents
            for index in indices.tolist()
            for key in [store.content_key(index)]
        ],
        dtype=np.bool_,
    )


def same_by_rule(
    store: Store, indices: Int64[np.ndarray, " n"], dataset: str, split: str
) -> Bool[np.ndarray, " n"] | None:
    """Marks the recordings that the training part of a split of a data set has in it, by the rule of the split; None
    where that cannot be told. Data sets of which neither is part of the other are taken to share nothing.

    Example: with the training part of NTU-60 xview in mind, the NTU-60 recordings of cameras 2 and 3; with that of
    NTU-120 xsub, the recordings of its 53 training subjects.
    """
    own, other = _described(store.info.dataset), _described(dataset)
    inside = np.ones(len(indices), dtype=np.bool_)
    if store.info.dataset == dataset:
        rule = store.info.splits.get(split) or (other.splits.get(split) if other else None)
    elif own is None or other is None:
        return None
    elif dataset == own.part_of:
        rule = other.splits.get(split)
    elif store.info.dataset == other.part_of:
        rule = other.splits.get(split)
        inside = store.table.label[indices] < len(other.classes)
    else:
        return np.zeros(len(indices), dtype=np.bool_)
    if rule is None or _is_listed_elsewhere(rule):
        return None
    values, labels = (store.table.values(field)[indices] for field in (rule.field, "label"))
    return np.asarray(inside & rule.is_training(values, store.table.camera[indices], labels))


def _is_listed_elsewhere(rule: Split) -> bool:
    """Whether official files decide, which are not at hand."""
    return not rule.train


def known_copies(dataset: str, split: str) -> int:
    """How many test clips of a split are known to be copies of training clips in the data set as distributed."""
    described = _described(dataset)
    return described.known_copies.get(split, 0) if described else 0


def _described(dataset: str) -> Dataset | None:
    return load_dataset(dataset) if dataset in dataset_names() else None


def _content_hash(store: Store, index: int) -> str:
    return hashlib.blake2b(np.ascontiguousarray(store.joints(index)).data, digest_size=16).hexdigest()
