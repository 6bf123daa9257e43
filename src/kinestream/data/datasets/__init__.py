"""The data sets kinestream knows, as data: format, classes, splits and the clip counts published for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from kinestream.config import parse_strictly
from kinestream.data.formats import Format, file_format
from kinestream.data.names import NamePattern
from kinestream.data.recording import Source, Units, Up
from kinestream.data.split import Part, Split, SplitField
from kinestream.documents import load_yaml, read_yaml
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.words import shown, unknown

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
    left_out: frozenset[str] = frozenset()
    """Names of recordings that the literature leaves out."""
    other_files: tuple[str, ...] = ()
    """Patterns of files of the format that are no recordings, as `Path.match` takes them."""
    variable: str = ""
    """Which array of a file holds the joints, and the order of its axes (`Source.variable`)."""
    points: tuple[str, ...] = ()
    """What the points of a file are called, in its order, where that is not the layout's and the file does not say."""

    def sources(self, path: Path) -> Sequence[Source]:
        """The recordings that a file holds, by its name; or by what it says itself, where the format has files of many.
        Raises RecordingError."""
        if self.format.sources is not None:
            return self.format.sources(path)
        return [self.parse_name(path)]

    def parse_name(self, path: Path) -> Source:
        """What the name of a file tells. Raises RecordingError."""
        return self.format.parse_name(path) if self.names is None else self.names(path)

    def file_of(self, source: Source) -> str:
        """What the file of a recording is called in a store: by its stem, unless that tells it not apart from others."""
        meets = self.format.sources is not None or (self.names is not None and "/" in self.names.pattern)
        return source.name if meets else source.path.stem

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
    subjects: tuple[str, ...] = ()
    setups: tuple[str, ...] = ()
    some_classes: bool = False
    left_out: tuple[str, ...] = ()
    other_files: tuple[str, ...] = ()
    variable: str = ""
    points: tuple[str, ...] = ()


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
        names = _names(told)
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
        left_out=frozenset(told.left_out),
        other_files=told.other_files,
        variable=told.variable,
        points=told.points,
    )


def _names(told: _Described) -> NamePattern | None:
    called = {"subject": told.subjects, "setup": told.setups}
    if told.names is not None:
        return NamePattern(told.names, told.classes, called=called, some=told.some_classes)
    if told.some_classes or any(called.values()):
        raise ValueError("'subjects', 'setups' and 'some_classes' say what 'names' means: give that")
    return None


@dataclass(frozen=True, kw_only=True)
class _DescribedSplit:
    """The keys of a split: by a field, or drawn."""

    title: str | None = None
    field: SplitField | None = None
    train: tuple[int | str, ...] | None = None
    test: tuple[int | str, ...] | None = None
    cameras: tuple[int, ...] | None = None
    classes: tuple[int, ...] | None = None
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
