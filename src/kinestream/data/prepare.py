"""Any recordings into a store, in one call: a data set, what others prepared, files of one's own, or arrays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from kinestream.data.build import build_store
from kinestream.data.datasets import Dataset, load_dataset
from kinestream.data.durations import Duration, windows
from kinestream.data.formats import collection_at
from kinestream.data.formats.importing import import_store
from kinestream.data.listing import TABLE, Entry, Listing, listed, named
from kinestream.data.own import Made, People, Way, made_from_files, make_rows, write_store
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.reading import Collected, Files, open_files
from kinestream.data.recording import Recording, Up, as_recordings
from kinestream.data.rejected import Rejected
from kinestream.data.split import Split
from kinestream.data.splitting import AskedSplit, ask
from kinestream.data.store import Store
from kinestream.data.understanding import Told, ToldUnits
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.skeleton.layout import SkeletonLayout, load_layout

Values = Sequence[str | int]
Splits = Mapping[str, str | Split] | str | None


def prepare(
    source: Any,
    place: str | Path,
    out: str | Path | None = None,
    *,
    layout: str | Path | SkeletonLayout | None = None,
    format: str | None = None,  # noqa: A002  the word of the command line
    fps: int | float | None = None,
    units: ToldUnits | None = None,
    up: Up | None = None,
    columns: str = "",
    variable: str = "",
    trust: bool = False,
    labels: Values | None = None,
    subjects: Values | None = None,
    cameras: Values | None = None,
    sessions: Values | None = None,
    names: Sequence[str] | str | None = None,
    table: str | Path | None = None,
    splits: Splits = None,
    preparation: str | None = None,
    people: People = None,
    windows: "str | float | Duration | None" = None,
    hop: "str | float | Duration | None" = None,
    title: str | None = None,
    processes: int = 1,
    class_names: Sequence[str] = (),
    first_label: int | None = None,
    axes: str = "",
    keep_going: bool = False,
    progress: Progress = silent,
    notice: Notice = unheard,
) -> Store:
    """Writes a store of prepared recordings, or nothing at all, and opens it.

    `prepare("recordings/", "store/")` reads the files of a folder, in any known format; `prepare(recordings,
    "store/")` takes recordings held in memory, or arrays with a `layout`; `prepare("ntu60", "nturgb+d_skeletons/",
    "ntu60/")` reads the files of a data set, by name or by the `.yaml` file that describes one.

    Args:
        source: the recordings: a file, a folder or an archive; `Recording` objects or arrays `(t, v, 3)` or
            `(t, m, v, 3)`; or the data set.
        place: the store to make; of a data set, the folder with its raw files.
        out: of a data set, the store to make.
        layout: of recordings that do not know their own; joints of another layout are mapped.
        format: of the files; told by their content if None.
        fps: of files that do not say it; so for `units`, `up`, `columns`, `variable` and `trust` (see `read`).
        labels: the class of each recording, in their order; so for `subjects`, `cameras` and `sessions`.
        names: what each recording is called, unique; those that they have, or their numbers, if None. Of files, a
            pattern that tells what their names say: `"s{subject}_{label}_{}"`.
        table: a table that says of each file its label, subject and so on (see `kinestream.data.listing`); the
            `recordings.csv` of the folder, where there is one, if None.
        splits: which recordings are for training and for testing: `"subject:1,3,5"`, `"camera:1,2"`, `"session:..."`
            and `"file:a,b"` name those for training, `"random:20%"` draws a share for testing,
            `"leave-one-subject-out"` makes one split for each; a mapping gives several by name. Without any, all are
            for training. Of what others prepared (a PYSKL pickle, an npz with x_train, the authors' arrays) also the
            name of the split to take.
        preparation: how they are prepared (see `kinestream.data.preparation.PREPARATIONS`); that of the data set, or
            `tracked` (`planar` for two coordinates) if None.
        people: bodies kept of a recording, those that move most; as many as there are, at most two, if None; `"each"`
            makes a recording of each person.
        windows: cut recordings into windows of this length, `"2s"` or `"60f"`, one every `hop` or one after the other.
        processes: that read files. A script that asks for several needs `if __name__ == "__main__":` around what it
            does.
        class_names: of what others prepared, in the order of its labels.
        first_label: 0 or 1, the label of the first class there, where labels begin at 1.
        axes: the order of the axes of `x_train` there, where it is not `n t (m v c)`.
        keep_going: write a store even where most recordings cannot be used.
        notice: told what was understood of the files before anything is written.

    Raises:
        ValueError: nothing can be used, what is given does not go together, or the store exists.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> joints = np.random.default_rng(0).normal(size=(4, 60, 25, 3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = prepare(list(joints), f"{folder}/store", layout="ntu25", labels=["wave", "wave", "nod", "nod"])
        >>> len(store), store.info.classes, store.info.splits
        (4, ('wave', 'nod'), mappingproxy({}))
    """
    given = {name: value for name, value in locals().items() if name not in _ALWAYS}
    tell = _Steps(f"prepare {source}" if isinstance(source, str | Path) else "prepare", progress)
    if _collection(source if out is None else place, format):
        if out is None:
            return _imported(Path(source), Path(place), None, given, tell)
        return _imported(Path(place), Path(out), load_dataset(source), given, tell)
    if class_names or first_label is not None or axes:
        raise ValueError("class_names, first_label and axes are for what others prepared: leave them out")
    if out is not None:
        _refuse(given, _NOT_OF_DATASETS, "a data set says")
        dataset = load_dataset(source)
        chosen = PREPARATIONS.get(preparation or dataset.preparation)
        build_store(dataset, Path(place), Path(out), preparation=chosen, processes=processes, progress=tell)
        return Store(Path(out))
    told = Told(
        layout=None if layout is None else load_layout(layout),
        fps=fps,
        units=units,
        up=up,
        columns=columns,
        variable=variable,
        trust=trust,
    )
    values = {"label": labels, "subject": subjects, "camera": cameras, "session": sessions}
    asked = _asked(splits)
    way = {"preparation": preparation, "people": _people(people), "windows": _windows(windows, hop)}
    title = title or (Path(source).name if isinstance(source, str | Path) else "own recordings")
    if isinstance(source, str | Path):
        files = open_files(Path(source), told, format)
        if isinstance(files, Collected):  # in an archive
            return _imported(files.place, Path(place), None, given, tell)
        listing = _listing(files, table, names, values)
        for sentence in [*files.facts.how, *files.notes, *listing.notes]:
            notice(sentence)
        entries = listing.entries or None
        total = len(files) if entries is None else sum(source.path in entries for source in files.sources)
        wanted = Way(layout=files.layout, **way)
        made_of = made_from_files(files, entries, wanted, processes)
        base = files.folder.place if files.folder.place.is_dir() else None
        notes = [*files.facts.how, *files.notes, *listing.notes, *_others(files)]
    else:
        _refuse(given, _OF_FILES, "each Recording says")
        if isinstance(names, str):
            raise ValueError(f"names '{names}' is a pattern, which is for files: give a name for each recording")
        held = as_recordings(source, layout)
        assert held[0].layout is not None
        wanted, total, base, notes = Way(layout=held[0].layout, **way), len(held), None, []
        made_of = _made_from_memory(held, values, names, wanted)
    return write_store(
        Path(place),
        made_of,
        total,
        wanted,
        splits=asked,
        title=title,
        notes=notes,
        base=base,
        keep_going=keep_going,
        tell=lambda done: tell(done, total),
    )


_ALWAYS = ("source", "place", "out", "progress", "notice", "processes")
_DEFAULTS: Mapping[str, Any] = {"columns": "", "variable": "", "trust": False, "keep_going": False}
_OF_FILES = ("fps", "units", "up", "columns", "variable", "trust", "format", "table")
_NOT_OF_DATASETS = (
    *_OF_FILES,
    "layout",
    "labels",
    "subjects",
    "cameras",
    "sessions",
    "names",
    "people",
    "windows",
    "hop",
    "title",
    "splits",
)
_OF_COLLECTIONS = (
    *("layout", "class_names", "first_label", "axes", "fps", "splits", "people", "preparation", "format"),
    "keep_going",
)
_NOT_OF_COLLECTIONS = (
    *("labels", "subjects", "cameras", "sessions", "names", "title", "table", "windows", "hop", "columns", "variable"),
    "trust",
)


def _refuse(given: Mapping[str, Any], names: Sequence[str], whose: str) -> None:
    for name in names:
        if given[name] != _DEFAULTS.get(name) and given[name] is not None:
            raise ValueError(f"{whose} its {name} itself: leave it out")


def _collection(place: Any, form: str | None) -> bool:
    return isinstance(place, str | Path) and Path(place).exists() and collection_at(Path(place), form) is not None


def _imported(raw: Path, out: Path, dataset: Dataset | None, given: Mapping[str, Any], tell: "_Steps") -> Store:
    """What others prepared."""
    _refuse(given, _NOT_OF_COLLECTIONS, f"{raw} says")
    taken: dict[str, Any] = {name: given[name] for name in _OF_COLLECTIONS}
    more: dict[str, Any] = {"units": given["units"] or "m", "up": given["up"] or "y"}
    import_store(raw, out, dataset=dataset, **taken, **more, progress=tell)
    return Store(out)


@dataclass(frozen=True)
class _Steps:
    """Progress of one piece of work."""

    what: str
    progress: Progress

    def __call__(self, done: int, total: int) -> None:
        self.progress(self.what, "recordings", done, total)


def _asked(splits: Splits) -> list[AskedSplit | Split]:
    told = {"default": splits} if isinstance(splits, str) else splits or {}
    return [ask(name, split) if isinstance(split, str) else split for name, split in told.items()]


def _people(people: People) -> People:
    if isinstance(people, int) and people < 1:
        raise ValueError(f"people ({people}) must be at least 1, or 'each' for a recording of each")
    if not isinstance(people, int) and people not in (None, "each"):
        raise ValueError(f"people '{people}': a number, or 'each' for a recording of each")
    return people


def _windows(length: Any, hop: Any) -> Any:
    if length is None:
        if hop is not None:
            raise ValueError(f"hop {hop} without windows: say how long they are")
        return None
    return windows(length, hop)


def _others(files: Files) -> Iterator[str]:
    if files.other:
        told = ", ".join(f"{count} {suffix}" for suffix, count in list(files.other.items())[:4])
        yield f"{sum(files.other.values())} files of other kinds are not read: {told}"


# --- what is said of each recording ---------------------------------------------------------------------------------


def _listing(
    files: Files, table: str | Path | None, names: Sequence[str] | str | None, values: Mapping[str, Values | None]
) -> Listing:
    """What is said of each file: by the caller, by a table, or by their names; nothing where nobody does."""
    relative = {source.path: files.folder.relative(source.path) for source in files.sources}
    own = next((path for path in files.folder.files if path.name.lower() == TABLE), None)
    told = {what: one for what, one in values.items() if one is not None}
    ways = [bool(told) or (names is not None and not isinstance(names, str)), isinstance(names, str), table is not None]
    if sum(ways) > 1:
        raise ValueError("labels and so on, a pattern of names, and a table: give one of these")
    if isinstance(names, str):
        return named(names, relative)
    if ways[0]:
        entries = _entries(len(relative), told, names)
        return Listing(entries={path: (entry,) for path, entry in zip(relative, entries, strict=True)})
    if table is not None or own is not None:
        return listed(Path(table) if table is not None else cast(Path, own), relative)
    return Listing(entries={})


def _entries(count: int, told: Mapping[str, Values], names: Sequence[str] | None) -> list[Entry]:
    every: dict[str, Sequence[Any]] = {**told, **({} if names is None else {"name": names})}
    for what, values in every.items():
        if len(values) != count:
            raise ValueError(f"{len(values)} {what}s for {count} recordings: one for each is needed")
    texts = ({what: _text(values[row]) for what, values in every.items()} for row in range(count))
    return [replace(Entry(), **text) for text in texts]  # type: ignore[arg-type]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _made_from_memory(
    held: Sequence[Recording], values: Mapping[str, Values | None], names: Sequence[str] | None, way: Way
) -> Iterator[Made]:
    told = {what: one for what, one in values.items() if one is not None}
    entries = _entries(len(held), told, names)
    first = held[0]
    for number, (recording, entry) in enumerate(zip(held, entries, strict=True)):
        where = Path(entry.name or recording.name or str(number))
        reason = ""
        if recording.layout != way.layout:
            reason = f"layout {recording.layout and recording.layout.name}, the first has {way.layout.name}"
        elif recording.planar != first.planar:
            reason = f"{2 if recording.planar else 3} coordinates, the first has {2 if first.planar else 3}"
        if reason:
            yield Made(rejected=(Rejected(path=where, reason=reason),))
        else:
            yield make_rows(recording, _segments(recording, entry) or [entry], way, where)


def _segments(recording: Recording, entry: Entry) -> list[Entry]:
    """The labelled parts of a whole video, each a recording of its own."""
    return [
        replace(entry, label=str(one.label), start=Duration(one.start, True), end=Duration(one.end, True))
        for one in recording.segments
    ]
