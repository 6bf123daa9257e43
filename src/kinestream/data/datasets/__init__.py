"""The data sets kinestream knows, as data: format, classes, splits and the clip counts published for them."""

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import yaml

from kinestream.data import ntu, nw_ucla
from kinestream.data.recording import Recording, Source
from kinestream.layout import SkeletonLayout

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


@dataclass(frozen=True, kw_only=True)
class Split:
    """A recording is for training when its `field` is among `train`, else for testing."""

    name: str
    title: str
    field: SplitField
    train: frozenset[int | str]
    """Numbers, or names of raw files where `field` is "file"."""
    published: Mapping[str, int] | None
    """Number of clips of each part, as the literature counts them; None where it does not."""

    def is_training(self, values: np.ndarray) -> np.ndarray:
        """For the `field` of each recording whether it is for training."""
        return np.isin(values, sorted(self.train, key=str))

    def to_dict(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "field": self.field,
            "train": sorted(self.train),
            "published": None if self.published is None else dict(self.published),
        }

    @classmethod
    def from_dict(cls, name: str, plain: Mapping[str, Any]) -> "Split":
        if plain["field"] not in typing.get_args(SplitField):
            known = ", ".join(typing.get_args(SplitField))
            raise ValueError(f"split '{name}': field '{plain['field']}' is none of {known}")
        published, kind = plain["published"], str if plain["field"] == "file" else int
        return cls(
            name=name,
            title=str(plain["title"]),
            field=plain["field"],
            train=frozenset(kind(value) for value in plain["train"]),
            published=None if published is None else {part: int(published[part]) for part in ("train", "test")},
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
    )
