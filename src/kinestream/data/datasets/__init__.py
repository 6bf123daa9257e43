"""The data sets kinestream knows, as data: format, classes, splits and the clip counts published for them."""

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kinestream.config import parse_strictly
from kinestream.data.formats import Format, file_format
from kinestream.data.names import NamePattern
from kinestream.data.recording import Source, Units, Up
from kinestream.documents import load_yaml, read_yaml
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.words import file_stem, shown, unknown

Part = Literal["train", "test"]
SplitField = Literal["subject", "camera", "session", "setup", "file"]


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
    drawn: tuple[float, int] | None = None
    """Percent for testing and seed of a split that is drawn when the store is made; None once it is drawn."""
    lists: tuple[str, ...] = ()
    """Names of the official files that say what is for training and for testing, the one to prefer first; empty when
    that is known without."""

    def __post_init__(self) -> None:
        if file_stem(self.name) != self.name:
            raise ValueError(f"split '{shown(self.name)}': files are named by it: letters, digits, - and _ are meant")

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
        if "random" in plain:
            return drawn_split(name, float(plain["random"]), int(plain.get("seed", 0)), title=plain.get("title"))
        if plain["field"] not in typing.get_args(SplitField):
            known = ", ".join(typing.get_args(SplitField))
            raise ValueError(f"split '{shown(name)}': field '{shown(plain['field'])}' is none of {known}")
        published, test, cameras = plain.get("published"), plain.get("test"), plain.get("cameras")
        for key in ("train", "test", "cameras", "lists"):
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


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set that can be prepared by name."""

    name: str
    title: str
    home: str
    format: Format
    layout: SkeletonLayout
    names: NamePattern | None = None
    """How its files are called, where that is not the format's own way."""
    preparation: str
    """The preparation taken when the user names none."""
    most_bodies: int
    missing_list: str | None
    """File name of the official list of clips without skeletons, which its owners publish beside the data."""
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    fps: float | None = None
    """Frames a second, where known."""
    units: Units | None = None
    """Of its files: what they say if None, else metres; so for the axis that points up, else y."""
    up: Up | None = None
    longest: int | None = None
    """Frames kept of a longer recording, from its middle."""
    label_archive: str | None = None
    """Download that has the label files, where the format has such."""
    part_of: str | None = None
    """A data set that has all these recordings, under the same names and with the same first classes."""
    known_copies: Mapping[str, int] = field(default_factory=dict)
    """By split, how many test clips of the data set as distributed are copies of training clips: a flaw that the field
    evaluates with."""

    def parse_name(self, path: Path) -> Source:
        """What the name of a file tells. Raises RecordingError."""
        return self.format.parse_name(path) if self.names is None else self.names(path)

    @property
    def name_scheme(self) -> str:
        """How its files are called, for messages."""
        return self.format.name_scheme if self.names is None else self.names.pattern


def dataset_names() -> tuple[str, ...]:
    """The data sets of the package."""
    files = resources.files(__package__).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def load_dataset(name: str | Path) -> Dataset:
    """The data set of that name, or the one that a `.yaml` file describes. Raises ValueError naming the known ones, or
    the file and what is wrong in it."""
    if str(name).endswith((".yaml", ".yml")):
        path = Path(name)
        return _parse(path.stem, read_yaml(path, f"the data set file {path}"), str(path))
    return _built_in(str(name))


@cache
def _built_in(name: str) -> Dataset:
    if name not in dataset_names():
        raise ValueError(f"{unknown('data set', name, dataset_names())}; or give the path of a .yaml file")
    text = resources.files(__package__).joinpath(f"{name}.yaml").read_text("utf-8")
    return _parse(name, load_yaml(text, name), name)


@dataclass(frozen=True, kw_only=True)
class _Described:
    """The keys of a data set's file."""

    title: str = ""
    home: str = ""
    format: str
    layout: str | None = None
    names: str | None = None
    preparation: str = "tracked"
    most_bodies: int = 2
    missing_list: str | None = None
    classes: tuple[str, ...] = ()
    splits: dict[str, Any] = field(default_factory=dict)
    fps: float | None = None
    units: Units | None = None
    up: Up | None = None
    longest: int | None = None
    label_archive: str | None = None
    part_of: str | None = None
    known_copies: dict[str, int] = field(default_factory=dict)


def _parse(name: str, plain: Any, where: str) -> Dataset:
    if not isinstance(plain, dict):
        raise ValueError(f"{where} is no description of a data set: a mapping of keys to values is needed")
    told = parse_strictly(_Described, plain, where)
    if not told.classes or len(set(told.classes)) != len(told.classes):
        raise ValueError(f"{where}: 'classes' must be a list of names, none twice")
    if told.most_bodies < 1:
        raise ValueError(f"{where}: most_bodies ({told.most_bodies}) must be at least 1")
    try:
        form = file_format(told.format)
        layout = form.layout if told.layout is None else load_layout(_beside(told.layout, where))
        names = None if told.names is None else NamePattern(told.names, told.classes)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if layout is None:
        raise ValueError(f"{where}: files of format {shown(told.format)} do not say their joints: give a layout")
    return Dataset(
        name=name,
        title=told.title or name,
        home=told.home,
        format=form,
        layout=layout,
        names=names,
        preparation=told.preparation,
        most_bodies=told.most_bodies,
        missing_list=told.missing_list,
        classes=told.classes,
        splits={key: _split(key, split, where) for key, split in told.splits.items()},
        fps=told.fps,
        units=told.units,
        up=told.up,
        longest=told.longest,
        label_archive=told.label_archive,
        part_of=told.part_of,
        known_copies=told.known_copies,
    )


@dataclass(frozen=True, kw_only=True)
class _DescribedSplit:
    """The keys of a split: by a field, or drawn."""

    title: str | None = None
    field: SplitField | None = None
    train: tuple[int | str, ...] | None = None
    test: tuple[int | str, ...] | None = None
    cameras: tuple[int, ...] | None = None
    lists: tuple[str, ...] = ()
    published: dict[Part, int] | None = None
    random: float | None = None
    seed: int = 0


def _split(name: str, plain: Any, where: str) -> Split:
    where = f"{where}: split '{shown(name)}'"
    if not isinstance(plain, dict):
        raise ValueError(f"{where} is no mapping of keys to values")
    told = parse_strictly(_DescribedSplit, plain, where)
    if (told.random is None) == (told.train is None) or (told.field is None) != (told.train is None):
        raise ValueError(f"{where}: give 'field' and those for 'train', or the percent for testing as 'random'")
    try:
        return Split.from_dict(name, plain)
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"{where}: {error}") from None


def _beside(layout: str, where: str) -> str:
    """A layout file that is named beside the data set's own."""
    near = Path(where).parent / layout
    return str(near) if layout.endswith((".yaml", ".yml")) and near.is_file() else layout
