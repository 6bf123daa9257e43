"""Recordings into a store: those of a data set's files, of files of one's own, or held in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.build import build_store
from kinestream.data.datasets import Part, Split, load_dataset, told_split
from kinestream.data.formats import collection_at
from kinestream.data.formats.importing import import_store
from kinestream.data.gaps import fill_gaps
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.reading import open_files
from kinestream.data.recording import Recording, RecordingError, Source, Units, Up, as_recordings
from kinestream.data.rejected import Rejected, write_rejected
from kinestream.data.store import Store, StoreWriter
from kinestream.files import new_folder
from kinestream.progress import Progress, silent
from kinestream.skeleton.layout import SkeletonLayout

Names = Sequence[str | int]
_MOST_PEOPLE = 2
"""Bodies kept of a recording where nobody says how many."""


def prepare(
    source: Any,
    place: str | Path,
    out: str | Path | None = None,
    *,
    layout: str | Path | SkeletonLayout | None = None,
    format: str | None = None,  # noqa: A002  the word of the command line
    fps: int | float | None = None,
    units: Units = "m",
    up: Up = "y",
    labels: Names | None = None,
    subjects: Names | None = None,
    cameras: Names | None = None,
    names: Sequence[str] | None = None,
    splits: Mapping[str, str | Split] | str | None = None,
    preparation: str | None = None,
    people: int | None = None,
    title: str | None = None,
    class_names: Sequence[str] = (),
    first_label: int | None = None,
    axes: str = "",
    keep_going: bool = False,
    processes: int = 1,
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
        layout: of recordings that do not know their own; so for `fps`, `units` and `up` of files.
        format: of the files; told by their endings and content if None.
        labels: the class of each recording, by name or number, in their order; so for `subjects` and `cameras`.
        names: what each recording is called, unique; those that they have, or their numbers, if None.
        splits: which recordings are for training and for testing: `"subject:1,3,5"`, `"camera:1,2"` and `"file:a,b"`
            name those for training, `"random:20%"` draws a share for testing; a mapping gives several by name. Without
            any, all are for training. Of what others prepared (a PYSKL pickle, an npz with x_train, the authors'
            arrays) also the name of the split to take.
        preparation: how they are prepared (see `kinestream.data.preparation.PREPARATIONS`); that of the data set, or
            `tracked` (`planar` for two coordinates) if None.
        people: bodies kept of a recording, those that move most; as many as there are, at most two, if None.
        class_names: of what others prepared, in the order of its labels.
        first_label: 0 or 1, the label of the first class there, where labels begin at 1.
        axes: the order of the axes of `x_train`, where it is not `n t (m v c)`.
        keep_going: makes a store also where more than half of what others prepared cannot be used.
        processes: that read the files of a data set. A script that asks for several needs
            `if __name__ == "__main__":` around what it does.

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
    tell = _Steps(f"prepare {source}" if isinstance(source, str | Path) else "prepare", progress)
    place_of = Path(place) if out is not None else Path(source) if isinstance(source, str | Path) else None
    if place_of is not None and place_of.exists() and collection_at(place_of, format) is not None:
        if any(one is not None for one in (labels, subjects, cameras, names, title)):
            raise ValueError(f"{place_of} says its labels, people and names itself: leave out what else is given")
        target = Path(place if out is None else out)
        import_store(
            place_of,
            target,
            dataset=None if out is None else load_dataset(source),
            layout=layout,
            class_names=class_names,
            first_label=first_label,
            axes=axes,
            units=units,
            up=up,
            fps=fps,
            splits=splits,
            people=people,
            preparation=preparation,
            format=format,
            keep_going=keep_going,
            progress=tell,
        )
        return Store(target)
    if class_names or first_label is not None or axes:
        raise ValueError("class_names, first_label and axes are of what others prepared: leave them out")
    if out is not None:
        given = [layout, fps, labels, subjects, cameras, names, title, people]
        if any(one is not None for one in given) or (units, up) != ("m", "y"):
            raise ValueError("a data set says its layout, classes and people itself: leave out what else is given")
        dataset, raw = load_dataset(source), Path(place)
        if splits is not None:
            raise ValueError(f"the files of {dataset.name} are split by its description: leave out splits")
        if format is not None:
            raise ValueError(f"{dataset.name} says the format of its files itself: leave out format")
        chosen = PREPARATIONS.get(preparation or dataset.preparation)
        build_store(dataset, raw, Path(out), preparation=chosen, processes=processes, progress=tell)
        return Store(Path(out))
    said = _Said(labels=labels, subjects=subjects, cameras=cameras, names=names)
    if isinstance(source, str | Path):
        files = open_files(Path(source), format, layout, fps=fps, units=units, up=up)
        recordings, total, known = files.read(), len(files), files.layout
    else:
        if fps is not None or units != "m" or up != "y":
            raise ValueError("fps, units and up are of files: give them to each Recording")
        held = as_recordings(source, layout)
        assert held[0].layout is not None
        recordings, total, known = iter(held), len(held), held[0].layout
    said.check(total)
    return _write(
        Path(place),
        recordings,
        total,
        known,
        said,
        splits={"default": splits} if isinstance(splits, str) else splits or {},
        preparation=preparation,
        people=people,
        title=title or "own recordings",
        tell=lambda done: tell(done, total),
    )


@dataclass(frozen=True)
class _Steps:
    """Progress of one piece of work."""

    what: str
    progress: Progress

    def __call__(self, done: int, total: int) -> None:
        self.progress(self.what, "recordings", done, total)


@dataclass(kw_only=True)
class _Said:
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


@dataclass(kw_only=True)
class _Tally:
    """What is to be told of the recordings that went into a store."""

    most: int
    filled: int = 0
    crowded: int = 0
    noisy: int = 0
    seen: int = 1
    """The most bodies of a recording."""
    rates: set[float | None] = field(default_factory=set)

    def count(self, recording: Recording, filled: int, cleaned: np.ndarray) -> None:
        bodies = len(np.unique(recording.bodies[recording.bodies > 0]))
        self.filled += filled
        self.crowded += bodies > self.most
        self.noisy += int(cleaned.any(axis=(0, 2, 3)).sum()) < min(bodies, self.most)
        self.seen = max(self.seen, bodies)
        self.rates.add(recording.fps)

    def notes(self, preparation: str) -> Iterator[str]:
        if self.filled:
            yield f"{self.filled:,} joints that were not seen are filled in"
        if self.crowded:
            yield f"{self.crowded} recordings have more than {self.most} bodies: others than those are left out"
        if self.noisy:
            yield (
                f"{self.noisy} recordings have bodies that '{preparation}' takes for noise and leaves out (seldom "
                "seen, or wider than high)"
            )
        if len(self.rates) > 1:
            told = ", ".join("unknown" if rate is None else f"{rate:g}" for rate in sorted(self.rates, key=str))
            yield f"recordings differ in their frames a second ({told}): the store keeps none"


def _write(
    out: Path,
    recordings: Iterator[Recording | Rejected],
    total: int,
    layout: SkeletonLayout,
    said: _Said,
    *,
    splits: Mapping[str, str | Split],
    preparation: str | None,
    people: int | None,
    title: str,
    tell: Callable[[int], None],
) -> Store:
    if people is not None and people < 1:
        raise ValueError(f"people ({people}) must be at least 1")
    tally = _Tally(most=people or _MOST_PEOPLE)
    refused: list[Rejected] = []
    names: dict[str, None] = {}
    first: Recording | None = None
    with new_folder(out) as folder:
        with StoreWriter(folder, layout, tally.most) as writer:
            tell(0)
            for number, one in enumerate(recordings):
                if isinstance(one, Rejected):
                    refused.append(one)
                    tell(number + 1)
                    continue
                try:
                    _check_alike(one, first, layout)
                    source = said.source(number, one)
                    if source.name in names:
                        raise RecordingError("a second recording of that name")
                    chosen = PREPARATIONS.get(preparation or ("planar" if one.planar else "tracked"))
                    joints, filled = fill_gaps(one, layout)
                    cleaned = chosen.clean(one.with_joints(joints), layout, tally.most).astype(np.float32)
                    writer.add(source, cleaned)
                    tally.count(one, filled, cleaned)
                    names[source.name] = None
                    first = first or one
                except RecordingError as error:
                    refused.append(Rejected(path=Path(one.name or str(number)), reason=str(error)))
                tell(number + 1)
            if first is None:
                raise ValueError(f"none of {total} recordings can be used; the first: {refused[0]}")
            write_rejected(folder, refused)
            notes = [*said.notes(), *tally.notes(chosen.name)]
            if refused:
                notes.append(f"{len(refused)} recordings cannot be used, see rejected.csv")
            if people is None:
                writer.keep_bodies(tally.seen)
            made = {key: told_split(key, split).draw(list(names)) for key, split in splits.items()}
            writer.finish(
                _Description(title=title, classes=tuple(said.classes), splits=made),
                chosen,
                excluded=0,
                rejected=len(refused),
                fps=next(iter(tally.rates)) if len(tally.rates) == 1 else None,
                notes=notes,
            )
        store = Store(folder)
        for key in made:
            parts: tuple[Part, Part] = ("train", "test")
            for part in parts:
                if not len(store.select(key, part)):
                    raise ValueError(f"split '{key}' ({splits[key]}) leaves no recording for {part}ing: choose another")
    return Store(out)


def _check_alike(one: Recording, first: Recording | None, layout: SkeletonLayout) -> None:
    """Raises RecordingError for a recording that does not go into a store with the first."""
    if one.layout != layout:
        raise RecordingError(f"layout {one.layout and one.layout.name}, the first has {layout.name}")
    if first is not None and one.planar != first.planar:
        raise RecordingError(f"{2 if one.planar else 3} coordinates, the first has {2 if first.planar else 3}")
