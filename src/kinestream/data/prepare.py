"""Recordings into a store: those of a data set's files, of files of one's own, or held in memory."""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from kinestream.data.build import build_store
from kinestream.data.datasets import Part, Split, SplitField, drawn_split, load_dataset
from kinestream.data.formats import FORMATS, Format
from kinestream.data.gaps import fill_gaps
from kinestream.data.plan import files_below
from kinestream.data.preparation import PREPARATIONS, Preparation
from kinestream.data.recording import Recording, RecordingError, Source, as_recordings
from kinestream.data.store import Store, StoreWriter
from kinestream.files import new_folder
from kinestream.progress import Progress, silent
from kinestream.skeleton.layout import SkeletonLayout, load_layout

Names = Sequence[str | int]


def prepare(
    source: Any,
    place: str | Path,
    out: str | Path | None = None,
    *,
    layout: str | Path | SkeletonLayout | None = None,
    format: str | None = None,  # noqa: A002  the word of the command line
    labels: Names | None = None,
    subjects: Names | None = None,
    cameras: Names | None = None,
    names: Sequence[str] | None = None,
    splits: Mapping[str, str | Split] | str | None = None,
    preparation: str | None = None,
    people: int = 2,
    title: str | None = None,
    processes: int | None = None,
    progress: Progress = silent,
) -> Store:
    """Writes a store of prepared recordings, or nothing at all, and opens it.

    `prepare("ntu60", "nturgb+d_skeletons/", "ntu60/")` reads the files of a data set, by name or by the `.yaml` file
    that describes one. `prepare(recordings, "store/")` takes recordings held in memory, or arrays with a `layout`;
    `prepare("recordings/", "store/")` the files of a folder.

    Args:
        source: the data set, or the recordings: `Recording` objects, arrays `(t, v, 3)` or `(t, m, v, 3)`, a file or a
            folder.
        place: the folder with the raw files of a data set; else the store to make.
        out: the store to make, of a data set.
        layout: of recordings that do not know their own.
        format: of the files; told by their endings if None.
        labels: the class of each recording, by name or number, in their order; so for `subjects` and `cameras`.
        names: what each recording is called, unique; those that they have, or their numbers, if None.
        splits: which recordings are for training and for testing: `"subject:1,3,5"`, `"camera:1,2"` and `"file:a,b"`
            name those for training, `"random:20%"` draws a share for testing; a mapping gives several by name. Without
            any, all are for training.
        preparation: how they are prepared (see `kinestream.data.preparation.PREPARATIONS`); that of the data set, or
            `tracked` (`planar` for two coordinates) if None.
        people: bodies kept of a recording, those that move most.
        processes: that read files; as many as there are processors if None.

    Raises:
        ValueError: nothing can be used, what is given does not go together, or the store exists.

    Example:
        >>> import tempfile
        >>> joints = np.random.default_rng(0).normal(size=(4, 60, 25, 3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = prepare(list(joints), f"{folder}/store", layout="ntu25", labels=["wave", "wave", "nod", "nod"])
        >>> len(store), store.info.classes, store.info.splits
        (4, ('wave', 'nod'), mappingproxy({}))
    """
    if out is not None:
        given = [layout, format, labels, subjects, cameras, names, splits, title]
        if any(one is not None for one in given):
            raise ValueError("a data set says its layout, classes and splits itself: leave out what else is given")
        dataset = load_dataset(source)
        chosen = PREPARATIONS.get(preparation or dataset.preparation)
        count = processes or os.cpu_count() or 1
        what = f"prepare {dataset.name}"
        build_store(
            dataset,
            Path(place),
            Path(out),
            preparation=chosen,
            processes=count,
            progress=lambda done, total: progress(what, "files", done, total),
        )
        return Store(Path(out))
    given_rows = _Given(labels=labels, subjects=subjects, cameras=cameras, names=names)
    if isinstance(source, str | Path):
        files = _Files.below(Path(source), format, layout)
        recordings: Iterator[Recording | _Refused] = files.read()
        total, known, what = len(files.paths), files.layout, f"prepare {source}"
    else:
        held = as_recordings(source, layout)
        assert held[0].layout is not None
        recordings, total, known, what = iter(held), len(held), held[0].layout, "prepare"
    given_rows.check(total)
    return _write(
        Path(place),
        recordings,
        total,
        known,
        given_rows,
        splits={"default": splits} if isinstance(splits, str) else splits or {},
        preparation=preparation,
        people=people,
        title=title or "own recordings",
        tell=lambda done: progress(what, "recordings", done, total),
    )


def read(
    paths: str | Path | Sequence[str | Path],
    *,
    layout: str | Path | SkeletonLayout | None = None,
    format: str | None = None,  # noqa: A002
) -> list[Recording]:
    """The recordings of files, or of the files below folders, in the order of their names.

    Args:
        layout: of formats that do not say their joints, such as arrays.
        format: of the files (see `kinestream.data.formats.FORMATS`); told by their endings and content if None.

    Raises:
        ValueError: there is nothing to read, or a file cannot be used: which one and why.

    Example:
        >>> moves = read("recordings/", layout="mediapipe33")  # doctest: +SKIP
    """
    some = [paths] if isinstance(paths, str | Path) else list(paths)
    found: list[Recording] = []
    for path in some:
        for one in _Files.below(Path(path), format, layout).read():
            if isinstance(one, _Refused):
                raise ValueError(f"{one.path}: {one.reason}")
            found.append(one)
    return found


@dataclass(frozen=True, kw_only=True)
class _Refused:
    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Files:
    """Files of one format."""

    form: Format
    layout: SkeletonLayout
    paths: tuple[Path, ...]

    @classmethod
    def below(cls, place: Path, name: str | None, layout: str | Path | SkeletonLayout | None) -> "_Files":
        """A file, or all files of a folder. Raises ValueError where the format cannot be told."""
        if not place.exists():
            raise ValueError(f"no file or folder {place}")
        every = [place] if place.is_file() else list(files_below(place))
        chosen = _format_of(every, place) if name is None else name
        form = FORMATS.get(chosen)
        paths = tuple(path for path in every if path.suffix.lower() in form.suffixes)
        if not paths:
            wanted = " or ".join(form.suffixes)
            raise ValueError(f"no file {wanted} in {place}: format {chosen} has such files")
        known = form.layout
        if layout is not None:
            asked = layout if isinstance(layout, SkeletonLayout) else load_layout(layout)
            if known is not None and asked != known:
                raise ValueError(f"files of format {chosen} have layout {known.name}: leave out layout {asked.name}")
            known = asked
        if known is None:
            raise ValueError(
                f"{paths[0]}: files of format {chosen} do not say their joints: give --layout, a name ('kinestream "
                "layouts' lists them) or a .yaml file"
            )
        return cls(form=form, layout=known, paths=paths)

    def read(self) -> Iterator[Recording | _Refused]:
        for path in self.paths:
            try:
                source = self._source(path)
                recording = self.form.read(source)
                if recording.joints.shape[2] != len(self.layout.joints):
                    raise RecordingError(
                        f"{recording.joints.shape[2]} joints, where layout {self.layout.name} has "
                        f"{len(self.layout.joints)}"
                    )
                yield replace(
                    recording,
                    layout=self.layout,
                    name=recording.name or source.name,
                    label=recording.label if source.action == 0 else source.action,
                    subject=recording.subject if source.subject == 0 else source.subject,
                    camera=recording.camera if source.camera == 0 else source.camera,
                )
            except (RecordingError, OSError) as error:
                yield _Refused(path=str(path), reason=str(error))

    def _source(self, path: Path) -> Source:
        try:
            return self.form.parse_name(path)
        except RecordingError:  # a name that tells nothing is no reason to leave out a recording of one's own
            return Source(path=path, name=path.stem)


def _format_of(paths: Sequence[Path], place: Path) -> str:
    """The only format that has files of these endings."""
    endings = {path.suffix.lower() for path in paths}
    fitting = [name for name in FORMATS if endings & set(FORMATS.get(name).suffixes)]
    # Of formats with one ending, the one whose file names these are.
    named = [name for name in fitting if any(_is_named(FORMATS.get(name), path) for path in paths)]
    likely = named if len(fitting) > 1 and named else fitting
    if len(likely) != 1:
        what = "fits several formats" if likely else "has no file of a format that is known"
        raise ValueError(f"{place} {what}: say which with --format, one of {', '.join(likely or FORMATS.names())}")
    return likely[0]


def _is_named(form: Format, path: Path) -> bool:
    try:
        form.parse_name(path)
    except RecordingError:
        return False
    return path.suffix.lower() in form.suffixes


@dataclass(kw_only=True)
class _Given:
    """What is said of recordings beside themselves, a value for each."""

    labels: Names | None
    subjects: Names | None
    cameras: Names | None
    names: Sequence[str] | None
    numbers: dict[str, dict[str | int, int]] = field(default_factory=lambda: {"subject": {}, "camera": {}})
    classes: dict[str, int] = field(default_factory=dict)

    def check(self, count: int) -> None:
        for what in ("labels", "subjects", "cameras", "names"):
            values = getattr(self, what)
            if values is not None and len(values) != count:
                raise ValueError(f"{len(values)} {what} for {count} recordings: one for each is needed")

    def source(self, number: int, recording: Recording) -> Source:
        """Raises RecordingError for a name that cannot be one."""
        name = str(self.names[number]) if self.names is not None else recording.name or str(number)
        if not name.strip() or not name.isprintable() or len(name) > 200:
            raise RecordingError("its name is empty, too long, or cannot be printed")
        label = self.labels[number] if self.labels is not None else recording.label
        action = 0 if label is None else self.classes.setdefault(str(label), len(self.classes) + 1)
        subject = self.subjects[number] if self.subjects is not None else recording.subject
        camera = self.cameras[number] if self.cameras is not None else recording.camera
        return Source(
            path=Path(f"{name}.own"),
            name=name,
            action=action,
            subject=self._number("subject", subject),
            camera=self._number("camera", camera),
        )

    def _number(self, what: str, value: str | int | None) -> int:
        """Numbers stay, names are numbered in the order in which they come."""
        if value is None:
            return 0
        if isinstance(value, int | np.integer):
            return int(value)
        return self.numbers[what].setdefault(value, len(self.numbers[what]) + 1)

    def notes(self) -> Iterator[str]:
        for what, numbers in self.numbers.items():
            if numbers:
                yield f"{what}s are numbered: " + ", ".join(f"{number} {name}" for name, number in numbers.items())


@dataclass(frozen=True, kw_only=True)
class _Description:
    """What the store says of recordings that are of no data set."""

    title: str
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    name: str = ""


def _write(
    out: Path,
    recordings: Iterator[Recording | _Refused],
    total: int,
    layout: SkeletonLayout,
    given: _Given,
    *,
    splits: Mapping[str, str | Split],
    preparation: str | None,
    people: int,
    title: str,
    tell: Any,
) -> Store:
    if people < 1:
        raise ValueError(f"people ({people}) must be at least 1")
    refused: list[_Refused] = []
    names: dict[str, None] = {}
    rates: set[float | None] = set()
    chosen: Preparation | None = None
    filled = crowded = 0
    with new_folder(out) as folder:
        with StoreWriter(folder, layout, people) as writer:
            tell(0)
            for number, one in enumerate(recordings):
                if isinstance(one, _Refused):
                    refused.append(one)
                    continue
                try:
                    if one.layout != layout:
                        raise RecordingError(f"layout {one.layout and one.layout.name}, the first has {layout.name}")
                    if chosen is None:
                        chosen = PREPARATIONS.get(preparation or ("planar" if one.planar else "tracked"))
                    source = given.source(number, one)
                    if source.name in names:
                        raise RecordingError("a second recording of that name")
                    joints, count = fill_gaps(one, layout)
                    cleaned = chosen.clean(one.with_joints(joints), layout, people)
                    writer.add(source, cleaned.astype(np.float32))
                    filled += count
                    crowded += len(np.unique(one.bodies[one.bodies > 0])) > people
                    names[source.name] = None
                    rates.add(one.fps)
                except RecordingError as error:
                    refused.append(_Refused(path=one.name or str(number), reason=str(error)))
                tell(number + 1)
            if not names:
                first = f"; the first, {refused[0].path}: {refused[0].reason}" if refused else ""
                raise ValueError(f"none of {total} recordings can be used{first}")
            assert chosen is not None
            _write_refused(folder / "rejected.csv", refused)
            notes = [*given.notes()]
            if filled:
                notes.append(f"{filled:,} joints that were not seen are filled in")
            if crowded:
                notes.append(f"{crowded} recordings have more than {people} bodies: those that move most are kept")
            if len(rates) > 1:
                told = ", ".join("unknown" if rate is None else f"{rate:g}" for rate in sorted(rates, key=str))
                notes.append(f"recordings differ in their frames a second ({told}): the store keeps none")
            if refused:
                notes.append(f"{len(refused)} recordings cannot be used, see rejected.csv")
            made = {key: _split(key, split).draw(list(names)) for key, split in splits.items()}
            writer.finish(
                _Description(title=title, classes=tuple(given.classes), splits=made),
                chosen,
                excluded=0,
                rejected=len(refused),
                fps=next(iter(rates)) if len(rates) == 1 else None,
                notes=notes,
            )
        store = Store(folder)
        for key in made:
            parts: tuple[Part, Part] = ("train", "test")
            for part in parts:
                if not len(store.select(key, part)):
                    raise ValueError(f"split '{key}' ({splits[key]}) leaves no recording for {part}ing: choose another")
    return Store(out)


def _split(name: str, told: str | Split) -> Split:
    """`subject:1,3,5`, `camera:1`, `file:a,b` or `random:20%`. Raises ValueError for anything else."""
    if isinstance(told, Split):
        return told
    kind, _, values = told.partition(":")
    try:
        if kind == "random":
            return drawn_split(name, float(values.removesuffix("%")), seed=0)
        if kind in ("subject", "camera", "file"):
            train = frozenset(value.strip() if kind == "file" else int(value) for value in values.split(","))
            field = cast(SplitField, kind)
            return Split(name=name, title=f"{kind} {values} for training", field=field, train=train, published=None)
    except ValueError as error:
        raise ValueError(f"split '{told}': {error}") from None
    raise ValueError(f"split '{told}': subject:1,3,5 or camera:1 or file:a,b (those for training), or random:20%")


def _write_refused(path: Path, refused: Sequence[_Refused]) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "line", "reason"))
        writer.writerows((one.path, "", one.reason) for one in refused)
