"""Reads recordings into a store: bodies chosen, cleaned and placed, in full length, memory-mapped. Of a data set
(DATASET RAW STORE), by name or by the .yaml file that describes it; or a file or folder of your own (RECORDINGS STORE).
What others prepared is taken as it is: the 3s-CACA authors' arrays, PYSKL pickles (read without running anything in
them), npz with x_train; where neither the file nor DATASET says which joints there are, --layout does. What cannot be
used is listed with its reason in rejected.csv of the store.

Examples:
  kinestream prepare recordings/ store/ --layout ntu25
  kinestream prepare recordings/ store/ --layout my-layout.yaml --units mm --up z --split random:20%
  kinestream prepare my-data-set.yaml recordings/ store/
  kinestream prepare ntu60 nturgb+d_skeletons/ ntu60/
  kinestream prepare ntu60 nturgb+d_skeletons/ ntu60-tracked/ --preparation tracked
  kinestream prepare nw-ucla all_sqe/ nw-ucla/ --processes 8
  kinestream prepare pku2 pku-mmd-2/ pku2/ --splits pku-mmd-2/Split
  kinestream prepare pku2 pku-mmd-2/ pku2-whole/ --continuous
  kinestream prepare ntu60 ntu60_hrnet.pkl ntu60-2d/
  kinestream prepare ntu60 NTU60_CS.npz ntu60/ --split xsub
  kinestream prepare falls.pkl falls/ --layout h36m17 --split random:20%
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kinestream.arguments import misuse
from kinestream.console import Screen
from kinestream.data.build import Built, build_store
from kinestream.data.datasets import Dataset, load_dataset
from kinestream.data.formats import collection_at
from kinestream.data.formats.importing import import_store
from kinestream.data.formats.numbering import read_class_names
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.prepare import prepare
from kinestream.data.recording import Units, Up
from kinestream.data.rejected import FILE, Rejected

_REASONS_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream prepare`."""

    words: tuple[str, ...]
    """DATASET RAW STORE, where DATASET is ntu60, ntu120, nw-ucla, pku1, pku2 or a .yaml file; or RECORDINGS STORE.
    Folders below RAW or RECORDINGS are looked through, too; STORE must not exist."""
    format: str | None = None
    """Format of the files; told by their endings and content if not given."""
    layout: str | None = None
    """Own recordings, and what others prepared: which joints there are, a name ('kinestream layouts') or a .yaml
    file."""
    fps: float | None = None
    """Frames a second, where files do not say it."""
    units: Units = "m"
    """Units of the positions, where files do not say them."""
    up: Up = "y"
    """The axis that points up, where files do not say it."""
    people: int | None = None
    """Own recordings: bodies kept of each, those that move most; as many as there are, at most two, if not given."""
    split: str | None = None
    """Own recordings: which are for training, as in subject:1,3,5 or camera:1,2, or how many are for testing, as in
    random:20%; all are for training if not given. Of what others prepared also the only split of a pickle to take, or
    which split the two parts of a file are."""
    class_names: Path | None = None
    """What others prepared: a text file with the names of the classes, one a line, in the order of the labels."""
    first_label: int | None = None
    """What others prepared: 0 or 1, the label of the first class, where labels begin at 1."""
    axes: str = ""
    """What others prepared: order of the axes of x_train, if not 'n t (m v c)', as in 'n c t v m'."""
    keep_going: bool = False
    """What others prepared: make a store also where more than half of the recordings cannot be used."""
    preparation: str | None = None
    """published (as the 3s-CACA authors) or tracked (bodies followed, path kept); the data set's usual one if not
    given. Of clips that others prepared, what they were made with."""
    missing: Path | None = None
    """The data set's official list of clips without skeletons; looked for beside the files if not given."""
    splits: Path | None = None
    """PKU-MMD: folder with the official split files; looked for beside the files if not given."""
    labels: Path | None = None
    """PKU-MMD: folder with the label files; looked for below and beside the other files if not given."""
    continuous: bool = False
    """PKU-MMD: keep whole videos with their track of labels (segments.csv) instead of cutting them into actions."""
    strict: bool = False
    """Stop at the first file that cannot be used."""
    processes: int = os.cpu_count() or 1
    """Worker processes."""


_OWN = ("layout", "fps", "units", "up", "people", "split")
_COLLECTED = ("class_names", "first_label", "axes", "keep_going")
_OF_DATA_SETS = ("missing", "splits", "labels", "continuous", "strict")


def run(config: Config) -> None:
    if len(config.words) not in (2, 3):
        misuse("kinestream prepare", f"{len(config.words)} words: give DATASET RAW STORE, or RECORDINGS STORE")
    dataset = load_dataset(config.words[0]) if len(config.words) == 3 else None
    source, out = map(Path, config.words[-2:])
    if source.exists() and collection_at(source, config.format) is not None:
        _refuse(config, _OF_DATA_SETS, "it is for the raw files of a data set")
        _take_collection(config, dataset, source, out)
    elif dataset is None:
        _refuse(config, _OF_DATA_SETS, "it is for a data set, DATASET RAW STORE")
        _refuse(config, _COLLECTED, "it is for what others prepared, many recordings in a file")
        _prepare_own(config, source, out)
    else:
        _refuse(config, (*_OWN, "format"), f"{dataset.name} says it itself")
        _refuse(config, _COLLECTED, "it is for what others prepared, many recordings in a file")
        _prepare_dataset(config, dataset, source, out)


def _refuse(config: Config, options: Sequence[str], reason: str) -> None:
    for name in options:
        if getattr(config, name) != getattr(Config(words=()), name):
            raise ValueError(f"leave out --{name.replace('_', '-')}: {reason}")


def _prepare_own(config: Config, source: Path, out: Path) -> None:
    screen = Screen()
    store = prepare(
        source,
        out,
        layout=config.layout,
        format=config.format,
        fps=config.fps,
        units=config.units,
        up=config.up,
        splits=config.split,
        preparation=config.preparation,
        people=config.people,
        title=source.name,
        progress=screen.progress_callback(),
    )
    for note in store.info.notes:
        screen.notice(note)
    screen.say(repr(store))
    screen.say(f"store: {out}")
    screen.say(f"next: kinestream pretrain laptop --data {out} --out RUN")


def _take_collection(config: Config, dataset: Dataset | None, source: Path, out: Path) -> None:
    screen = Screen()
    with screen.progress(f"prepare {source.name}", "recordings") as advance:
        done = import_store(
            source,
            out,
            dataset=dataset,
            layout=config.layout,
            class_names=() if config.class_names is None else read_class_names(config.class_names),
            first_label=config.first_label,
            axes=config.axes,
            units=config.units,
            up=config.up,
            fps=config.fps,
            splits=config.split,
            people=config.people,
            preparation=config.preparation,
            format=config.format,
            keep_going=config.keep_going,
            progress=advance,
        )
    info = done.info
    rows: list[tuple[str, object]] = [
        ("form", done.form),
        ("recordings in the store", f"{info.recordings:,}"),
        ("frames", f"{info.frames:,}"),
        ("layout", info.layout.name),
        ("classes", len(info.classes)),
        ("splits", ", ".join(info.splits)),
        ("in no split taken, left out", done.other_splits),
        ("rejected", info.rejected),
    ]
    screen.table(f"{info.title}, preparation '{info.preparation}'", ("what", "value"), rows)
    _show(screen, out, done.rejected, info.notes)


def _prepare_dataset(config: Config, dataset: Dataset, raw: Path, out: Path) -> None:
    preparation = PREPARATIONS.get(config.preparation or dataset.preparation)
    screen = Screen()
    with screen.progress(f"prepare {dataset.name}", "files") as advance:
        built = build_store(
            dataset,
            raw,
            out,
            preparation=preparation,
            missing_list=config.missing,
            split_folder=config.splits,
            label_folder=config.labels,
            continuous=config.continuous,
            strict=config.strict,
            processes=config.processes,
            progress=advance,
        )
    screen.table(
        f"{built.info.title}, preparation '{built.info.preparation}'", ("what", "count"), _counts(dataset, built)
    )
    for used in built.split_lists:
        screen.say(f"split {used.split}: by {used.path}")
    _show(screen, out, built.rejected, built.info.notes)


def _counts(dataset: Dataset, built: Built) -> list[tuple[str, object]]:
    return [
        ("recordings in the store", f"{built.info.recordings:,}"),
        ("frames", f"{built.info.frames:,}"),
        ("raw data read, MB", f"{built.raw_bytes / 1e6:,.1f}"),
        ("on the list of missing skeletons, left out", built.info.excluded),
        ("of other classes, left out", built.other_classes),
        ("other files, ignored", built.other_files),
        *([("label files without a recording", built.unused_labels)] if dataset.label_archive else []),
        ("rejected", built.info.rejected),
    ]


def _show(screen: Screen, out: Path, rejected: Sequence[Rejected], notes: Sequence[str]) -> None:
    """What was left out and what to know of the store."""
    for note in notes:
        screen.warn(note)
    if rejected:
        reasons = Counter(entry.reason for entry in rejected)
        first = {entry.reason: entry for entry in reversed(rejected)}
        shown = [
            (reason, count, f"{first[reason].path.name}{f':{first[reason].line}' if first[reason].line else ''}")
            for reason, count in reasons.most_common(_REASONS_SHOWN)
        ]
        screen.table("rejected", ("reason", "count", "first"), shown)
        if len(reasons) > _REASONS_SHOWN:
            screen.say(f"and {len(reasons) - _REASONS_SHOWN} more reasons")
        screen.say(f"all of them: {out / FILE}")
    screen.say(f"store: {out}")
