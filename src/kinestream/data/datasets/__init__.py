"""The data sets kinestream knows, as data: format, classes, splits and the clip counts published for them."""

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import yaml

from kinestream.data.formats import ntu, nw_ucla, pku_mmd
from kinestream.data.recording import LabelTrack, Recording, Source
from kinestream.skeleton.layout import SkeletonLayout

Part = Literal["train", "test"]
SplitField = Literal["subject", "camera", "setup", "file"]


@dataclass(frozen=True, kw_only=True)
class RawFormat:
    """How the files of a data set are named and read. The functions raise RecordingError."""

    layout: SkeletonLayout
    suffix: str
    name_scheme: str
    parse_name: Callable[[Path], Source]
    read: Callable[[Source], Recording]
    parse_labels: Callable[[bytes, int, int], LabelTrack] | None = None
    """The label file of a recording, given its number of frames and the number of classes; None where names tell the
    action and a file is one recording."""
    files_a_task: int = 16
    """Files that a worker process reads in one go: with few large ones, less lies in memory."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """A recording is for training when its `field` is among `train`, else for testing, or for neither where `test` is
    given and lacks it, too, or where it is not of the `cameras` that count."""

    name: str
    title: str
    field: SplitField
    train: frozenset[int | str]
    """Numbers, or names of raw files where `field` is "file"."""
    published: Mapping[str, int] | None
    """Number of clips of each part, as the literature counts them; None where it does not."""
    test: frozenset[int | str] | None = None
    """None for all that is not for training."""
    cameras: frozenset[int] | None = None
    """None for all."""
    lists: tuple[str, ...] = ()
    """Names of the official files that say what is for training and for testing, the one to prefer first; empty when
    that is known without."""

    def is_training(self, values: np.ndarray, cameras: np.ndarray) -> np.ndarray:
        """For the `field` and the camera of each recording whether it is for training."""
        return self._counts(cameras) & np.isin(values, sorted(self.train, key=str))

    def is_testing(self, values: np.ndarray, cameras: np.ndarray) -> np.ndarray:
        """For the `field` and the camera of each recording whether it is for testing."""
        if self.test is None:
            return self._counts(cameras) & ~self.is_training(values, cameras)
        return self._counts(cameras) & np.isin(values, sorted(self.test, key=str))

    def _counts(self, cameras: np.ndarray) -> np.ndarray:
        if self.cameras is None:
            return np.ones(len(cameras), dtype=np.bool_)
        return np.isin(cameras, sorted(self.cameras))

    def to_dict(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "field": self.field,
            "train": sorted(self.train),
            "test": None if self.test is None else sorted(self.test),
            "cameras": None if self.cameras is None else sorted(self.cameras),
            "lists": list(self.lists),
            "published": None if self.published is None else dict(self.published),
        }

    @classmethod
    def from_dict(cls, name: str, plain: Mapping[str, Any]) -> "Split":
        if plain["field"] not in typing.get_args(SplitField):
            known = ", ".join(typing.get_args(SplitField))
            raise ValueError(f"split '{name}': field '{plain['field']}' is none of {known}")
        published, test, cameras = plain["published"], plain.get("test"), plain.get("cameras")
        kind = str if plain["field"] == "file" else int
        return cls(
            name=name,
            title=str(plain["title"]),
            field=plain["field"],
            train=frozenset(kind(value) for value in plain["train"]),
            published=None if published is None else {part: int(published[part]) for part in ("train", "test")},
            test=None if test is None else frozenset(kind(value) for value in test),
            cameras=None if cameras is None else frozenset(int(camera) for camera in cameras),
            lists=tuple(plain.get("lists", ())),
        )


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set that can be prepared by name."""

    name: str
    title: str
    home: str
    format: RawFormat
    preparation: str
    """The preparation taken when the user names none."""
    most_bodies: int
    missing_list: str | None
    """File name of the official list of clips without skeletons, which its owners publish beside the data."""
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    longest: int | None = None
    """Frames kept of a longer recording, from its middle."""
    label_archive: str | None = None
    """Download that has the label files, where the format has such."""
    part_of: str | None = None
    """A data set that has all these recordings, under the same names and with the same first classes."""
    known_copies: Mapping[str, int] = field(default_factory=dict)
    """By split, how many test clips of the data set as distributed are copies of training clips: a flaw that the field
    evaluates with."""


_FORMATS: Mapping[str, RawFormat] = MappingProxyType(
    {
        "ntu": RawFormat(
            layout=ntu.LAYOUT,
            suffix=ntu.SUFFIX,
            name_scheme=ntu.NAME_SCHEME,
            parse_name=ntu.parse_name,
            read=ntu.read,
        ),
        "nw-ucla": RawFormat(
            layout=nw_ucla.LAYOUT,
            suffix=nw_ucla.SUFFIX,
            name_scheme=nw_ucla.NAME_SCHEME,
            parse_name=nw_ucla.parse_name,
            read=nw_ucla.read,
        ),
        "pku-mmd-1": RawFormat(
            layout=pku_mmd.LAYOUT,
            suffix=pku_mmd.SUFFIX,
            name_scheme=pku_mmd.NAME_SCHEMES[1],
            parse_name=pku_mmd.parse_name_1,
            read=pku_mmd.read,
            parse_labels=pku_mmd.parse_labels,
            files_a_task=1,
        ),
        "pku-mmd-2": RawFormat(
            layout=pku_mmd.LAYOUT,
            suffix=pku_mmd.SUFFIX,
            name_scheme=pku_mmd.NAME_SCHEMES[2],
            parse_name=pku_mmd.parse_name_2,
            read=pku_mmd.read,
            parse_labels=pku_mmd.parse_labels,
            files_a_task=1,
        ),
    }
)


def dataset_names() -> tuple[str, ...]:
    """The names that `load_dataset` takes."""
    files = resources.files(__package__).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


@cache
def load_dataset(name: str) -> Dataset:
    """The data set of that name. Raises ValueError naming the known ones."""
    if name not in dataset_names():
        raise ValueError(f"unknown data set '{name}': choose from {', '.join(dataset_names())}")
    plain = yaml.safe_load(resources.files(__package__).joinpath(f"{name}.yaml").read_text("utf-8"))
    return Dataset(
        name=name,
        title=plain["title"],
        home=plain["home"],
        format=_FORMATS[plain["format"]],
        preparation=plain["preparation"],
        most_bodies=plain["most_bodies"],
        missing_list=plain["missing_list"],
        classes=tuple(plain["classes"]),
        splits=MappingProxyType({key: Split.from_dict(key, split) for key, split in plain["splits"].items()}),
        longest=plain.get("longest"),
        label_archive=plain.get("label_archive"),
        part_of=plain.get("part_of"),
        known_copies=MappingProxyType(dict(plain.get("known_copies", {}))),
    )
