"""Which recordings of a data set are for training and which for testing."""

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from kinestream.words import file_stem, shown

Part = Literal["train", "test"]
SplitField = Literal["subject", "camera", "session", "setup", "label", "file"]


@dataclass(frozen=True, kw_only=True)
class Split:
    """A recording is for training when its `field` is among `train`, else for testing, or for neither where `test` is
    given and lacks it, too, or where it is not of the `cameras` or `classes` that count."""

    name: str
    title: str
    field: SplitField
    train: frozenset[int | str]
    """Numbers, those of classes from 1 where `field` is "label"; or names of raw files where it is "file"."""
    published: Mapping[str, int] | None
    """Number of clips of each part, as the literature counts them; None where it does not."""
    test: frozenset[int | str] | None = None
    """None for all that is not for training."""
    cameras: frozenset[int] | None = None
    """None for all."""
    classes: frozenset[int] | None = None
    """Numbers from 1; None for all."""
    drawn: tuple[float, int] | None = None
    """Percent for testing and seed of a split that is drawn when the store is made; None once it is drawn."""
    lists: tuple[str, ...] = ()
    """Names of the official files that say what is for training and for testing, the one to prefer first; empty when
    that is known without."""

    def __post_init__(self) -> None:
        if file_stem(self.name) != self.name:
            raise ValueError(f"split '{shown(self.name)}': files are named after it: take letters, digits, - and _")

    def draw(self, names: Sequence[str]) -> "Split":
        """Drawn among these recordings, of which both parts get at least one; itself where it is no lot."""
        if self.drawn is None:
            return self
        percent, seed = self.drawn
        ordered = sorted(set(names))
        lot = np.random.default_rng(seed).permutation(len(ordered))
        count = min(max(1, round(len(ordered) * percent / 100)), len(ordered) - 1)
        test = frozenset(ordered[place] for place in lot[:count].tolist())
        return replace(self, train=frozenset(ordered) - test, test=test, drawn=None)

    def is_training(self, values: np.ndarray, cameras: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """For the `field`, the camera and the class (from 1) of each recording whether it is for training."""
        return self._counts(cameras, labels) & np.isin(values, sorted(self.train, key=str))

    def is_testing(self, values: np.ndarray, cameras: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """For the `field`, the camera and the class (from 1) of each recording whether it is for testing."""
        if self.test is None:
            return self._counts(cameras, labels) & ~self.is_training(values, cameras, labels)
        return self._counts(cameras, labels) & np.isin(values, sorted(self.test, key=str))

    def _counts(self, cameras: np.ndarray, labels: np.ndarray) -> np.ndarray:
        counts = np.ones(len(cameras), dtype=np.bool_)
        for allowed, values in ((self.cameras, cameras), (self.classes, labels)):
            if allowed is not None:
                counts &= np.isin(values, sorted(allowed))
        return counts

    def to_dict(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "field": self.field,
            "train": sorted(self.train),
            "test": None if self.test is None else sorted(self.test),
            "cameras": None if self.cameras is None else sorted(self.cameras),
            "classes": None if self.classes is None else sorted(self.classes),
            "lists": list(self.lists),
            "published": None if self.published is None else dict(self.published),
        }

    @classmethod
    def from_dict(cls, name: str, plain: Mapping[str, Any]) -> "Split":
        if "random" in plain:
            return drawn_split(name, float(plain["random"]), int(plain.get("seed", 0)), title=plain.get("title"))
        if plain["field"] not in typing.get_args(SplitField):
            known = ", ".join(typing.get_args(SplitField))
            raise ValueError(f"split '{shown(name)}': field '{shown(plain['field'])}' is none of {known}")
        published, test = plain.get("published"), plain.get("test")
        cameras, classes = plain.get("cameras"), plain.get("classes")
        for key in ("train", "test", "cameras", "classes", "lists"):
            if not isinstance(plain.get(key, []), list | tuple | None):
                raise ValueError(f"split '{shown(name)}': '{key}' is {shown(plain[key], 40)}, a list belongs")
        kind = str if plain["field"] == "file" else int
        return cls(
            name=name,
            title=str(plain.get("title", name)),
            field=plain["field"],
            train=frozenset(kind(value) for value in plain["train"]),
            published=None if published is None else {part: int(published[part]) for part in ("train", "test")},
            test=None if test is None else frozenset(kind(value) for value in test),
            cameras=None if cameras is None else frozenset(int(camera) for camera in cameras),
            classes=None if classes is None else frozenset(int(number) for number in classes),
            lists=tuple(plain.get("lists", ())),
        )


def drawn_split(name: str, percent: float, seed: int, *, title: str | None = None) -> Split:
    """A split that is yet to be drawn: `percent` of the recordings are for testing. Raises ValueError for a share that
    leaves nothing for one part."""
    if not 0 < percent < 100:
        raise ValueError(f"split '{shown(name)}': {percent:g} % for testing: above 0 and below 100 is needed")
    return Split(
        name=name,
        title=title or f"{percent:g} % drawn for testing, seed {seed}",
        field="file",
        train=frozenset(),
        published=None,
        drawn=(percent, seed),
    )
