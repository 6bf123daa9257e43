"""The clips that a pre-training learns from: those of one store, and of any further stores that go with it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from kinestream.data.clips import AnyClips
from kinestream.data.store import Store
from kinestream.skeleton.joint_maps import joint_map
from kinestream.skeleton.layout import SkeletonLayout

NO_LABEL = -1


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some recordings of a store and their clips."""

    clips: AnyClips
    indices: Int64[np.ndarray, " n"]


class Unlabelled:
    """Clips of one or more stores, numbered through, in the form of the first: its layout, its number of bodies.

    Joints of another layout are mapped (see `kinestream.skeleton.joint_maps`). Of recordings with more bodies the first
    ones are taken, with fewer the missing ones are absent, all zero.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        self._ends = np.cumsum([len(part.indices) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def rate(self) -> float | None:
        return self.parts[0].clips.rate

    @property
    def layout(self) -> SkeletonLayout:
        return self.parts[0].clips.layout

    def batch(self, numbers: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n t m v c"]:
        """The clips of these numbers, from 0, copied."""
        if len(self.parts) == 1:
            return self.parts[0].clips.batch(self.parts[0].indices[numbers])
        where = np.searchsorted(self._ends, numbers, side="right")
        bodies = self.parts[0].clips.store.info.most_bodies
        shape = (len(numbers), self.parts[0].clips.frames, bodies, len(self.layout.joints), 3)
        batch = np.zeros(shape, dtype=np.float32)
        for place in np.unique(where):
            rows, part = np.flatnonzero(where == place), self.parts[place]
            first = int(self._ends[place]) - len(part.indices)
            clips = part.clips.batch(part.indices[numbers[rows] - first])[:, :, :bodies]
            batch[rows, :, : clips.shape[2]] = clips
        return batch

    def performances(self) -> Int64[np.ndarray, " n"]:
        """A number for each clip, the same for those that show one performance (see `Store.performances`); none is of
        two stores."""
        told = [part.clips.store.performances[part.indices] for part in self.parts]
        begins = np.cumsum([0, *(one.max() + 1 for one in told[:-1])])
        return np.concatenate([one + begin for one, begin in zip(told, begins, strict=True)])

    def labels(self) -> Int64[np.ndarray, " n"]:
        """For display: the label of each clip; `NO_LABEL` for whole videos, and where the data set is another than that
        of the first store."""
        return np.concatenate([self._labels(part) for part in self.parts])

    def _labels(self, part: Part) -> Int64[np.ndarray, " n"]:
        store = part.clips.store
        if store.continuous or store.info.dataset != self.parts[0].clips.store.info.dataset:
            return np.full(len(part.indices), NO_LABEL)
        return store.labels[part.indices]


def choose_further(store: Store, split: str | None, first: Store) -> Int64[np.ndarray, " n"]:
    """Which recordings of a further store are learnt from beside the first: the training part of the split where both
    are of one data set, so that nobody learns from test subjects or views by the way; all of them otherwise.

    Raises ValueError when its recordings cannot be learnt from together with those of the first.
    """
    if store.info.preparation != first.info.preparation:
        raise ValueError(
            f"{store.path} was prepared '{store.info.preparation}', {first.path} '{first.info.preparation}': "
            "prepare them alike"
        )
    same = store.info.dataset == first.info.dataset
    indices = store.select(split, "train") if same else np.arange(len(store))
    if not len(indices):
        raise ValueError(f"{store.path} has no training clips in split '{split}'")
    if store.layout != first.layout:
        joint_map(store.layout, first.layout)  # refuses where joints cannot be made
    return indices
