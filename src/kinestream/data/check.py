"""Looking a store over: what is in it, whether it is whole, and which recordings are odd."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from kinestream.data.split import Split
from kinestream.data.store import Store, StoreError

SHORT_FRAMES = 8
"""Recordings with fewer frames than this are odd: hardly an action."""
STILL_METRES = 0.01
"""Odd: no joint moves further than this in the whole recording."""
LARGE_METRES = 3.0
"""Odd: in some frame a body is larger than this."""


@dataclass(frozen=True, kw_only=True)
class SplitCount:
    """Clips of a split, by part."""

    split: Split
    train: int
    test: int

    @property
    def as_published(self) -> bool | None:
        """None where the literature gives no counts."""
        if self.split.published is None:
            return None
        return (self.train, self.test) == (self.split.published["train"], self.split.published["test"])


@dataclass(frozen=True, kw_only=True)
class StoreReport:
    """What `check_store` found."""

    splits: tuple[SplitCount, ...]
    class_counts: Int64[np.ndarray, "classes splits 2"]
    """Clips of each class, in each split, for training and for testing; of whole videos their labelled parts."""
    damaged: tuple[str, ...]
    """What is not as it was written; empty for a whole store."""
    odd: Mapping[str, tuple[str, ...]]
    """Names of recordings by what is odd about them."""
    bodies: Mapping[int, int]
    """Number of recordings by how many bodies they have."""
    lengths: tuple[int, int, int]
    """Shortest, median and longest recording, in frames."""


def check_store(store: Store, progress: Callable[[int, int], None] = lambda done, total: None) -> StoreReport:
    """Reads every recording once. `progress` is called with the numbers of recordings done and to do."""
    damaged: list[str] = []
    odd: dict[str, list[str]] = defaultdict(list)
    bodies: Counter[int] = Counter()
    same: dict[tuple[int, int], int] = {}
    progress(0, len(store))
    for index, name in enumerate(store.table.name):
        progress(index + 1, len(store))
        try:
            joints = store.joints(index)
        except StoreError as error:
            damaged.append(str(error))
            continue
        bodies[int(joints.any(axis=(0, 2, 3)).sum())] += 1
        for oddity in _oddities(joints):
            odd[oddity].append(name)
        earlier = same.setdefault(store.content_key(index), index)
        if earlier != index and np.array_equal(joints, store.joints(earlier)):  # checksums agree by chance, too
            odd["the same content as another recording"].append(f"{name} = {store.table.name[earlier]}")
    lengths = store.table.length
    return StoreReport(
        splits=tuple(
            SplitCount(split=split, train=len(store.select(name, "train")), test=len(store.select(name, "test")))
            for name, split in store.info.splits.items()
        ),
        class_counts=_class_counts(store),
        damaged=tuple(damaged),
        odd={oddity: tuple(names) for oddity, names in odd.items()},
        bodies=dict(sorted(bodies.items())),
        lengths=(int(lengths.min()), int(np.median(lengths)), int(lengths.max())),
    )


def _oddities(joints: Float[np.ndarray, "t m v c"]) -> list[str]:
    found = []
    if not np.isfinite(joints).all():
        return ["numbers that are not finite"]
    if len(joints) < SHORT_FRAMES:
        found.append(f"fewer than {SHORT_FRAMES} frames")
    elif float(np.ptp(joints, axis=0).max()) < STILL_METRES:
        found.append(f"no joint moves by {STILL_METRES * 100:.0f} cm")
    extent = joints.max(axis=2) - joints.min(axis=2)
    if float(extent.max()) > LARGE_METRES:
        found.append(f"a body larger than {LARGE_METRES:.0f} m")
    if not joints[0].any():
        found.append("no body in the first frame")
    return found


def _class_counts(store: Store) -> Int64[np.ndarray, "classes splits 2"]:
    counts = np.zeros((len(store.info.classes), len(store.info.splits), 2), dtype=np.int64)
    for column, split in enumerate(store.info.splits):
        for part, indices in enumerate((store.select(split, "train"), store.select(split, "test"))):
            counts[:, column, part] = np.bincount(_labels(store, indices), minlength=len(counts))
    return counts


def _labels(store: Store, indices: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " labels"]:
    if not store.continuous:
        return store.table.label[indices]
    labels = [segment.label for index in indices.tolist() for segment in store.segments(index)]
    return np.asarray(labels, dtype=np.int64)


def copies(store: Store, indices: Int64[np.ndarray, " n"], among: Int64[np.ndarray, " m"]) -> Bool[np.ndarray, " n"]:
    """Marks the recordings of `indices` whose frames are, to the bit, those of another recording of `among`."""
    known: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index in among.tolist():
        known[store.content_key(index)].append(index)
    return np.array(
        [
            any(other != index and np.array_equal(store.joints(index), store.joints(other)) for other in candidates)
            for index in indices.tolist()
            for candidates in [known.get(store.content_key(index), [])]
        ],
        dtype=np.bool_,
    )
