"""Reads recordings into a store: bodies chosen, cleaned and placed, in full length, memory-mapped. Of a data set
(DATASET RAW STORE), by name or by the .yaml file that describes it; or the files of a folder of your own (RECORDINGS
STORE). What cannot be used is listed with its reason in rejected.csv of the store.

Examples:
  kinestream prepare recordings/ store/ --layout ntu25
  kinestream prepare recordings/ store/ --layout my-layout.yaml --split random:20%
  kinestream prepare my-data-set.yaml recordings/ store/
  kinestream prepare ntu60 nturgb+d_skeletons/ ntu60/
  kinestream prepare ntu60 nturgb+d_skeletons/ ntu60-tracked/ --preparation tracked
  kinestream prepare nw-ucla all_sqe/ nw-ucla/ --processes 8
  kinestream prepare pku2 pku-mmd-2/ pku2/ --splits pku-mmd-2/Split
  kinestream prepare pku2 pku-mmd-2/ pku2-whole/ --continuous
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kinestream.arguments import misuse
from kinestream.console import Screen
from kinestream.data.build import Built, build_store
from kinestream.data.datasets import Dataset, load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.prepare import prepare

_REASONS_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream prepare`."""

    words: tuple[str, ...]
    """DATASET RAW STORE, where DATASET is ntu60, ntu120, nw-ucla, pku1, pku2 or a .yaml file; or RECORDINGS STORE.
    Folders below RAW or RECORDINGS are looked through, too; STORE must not exist."""
    layout: str | None = None
    """Own recordings: which joints they have, a name ('kinestream layouts') or a .yaml file."""
    format: str | None = None
    """Own recordings: their format; told by the endings of the files if not given."""
    split: str | None = None
    """Own recordings: which are for training, as in subject:1,3,5 or camera:1,2, or how many are for testing, as in
    random:20%; all are for training if not given."""
    preparation: str | None = None
    """published (as the 3s-CACA authors) or tracked (bodies followed, path kept); the data set's usual one if not
    given."""
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


def run(config: Config) -> None:
    if len(config.words) == 2:
        _prepare_own(config, *config.words)
    elif len(config.words) == 3:
        name, raw, out = config.words
        _prepare_dataset(config, load_dataset(name), Path(raw), Path(out))
    else:
        misuse("kinestream prepare", f"{len(config.words)} words: give DATASET RAW STORE, or RECORDINGS STORE")


def _prepare_own(config: Config, source: str, out: str) -> None:
    others = ("missing", "splits", "labels", "continuous", "strict")
    if given := [name for name in others if getattr(config, name)]:
        raise ValueError(f"--{given[0]} is for a data set: give DATASET RAW STORE, or leave it out")
    screen = Screen()
    store = prepare(
        source,
        out,
        layout=config.layout,
        format=config.format,
        splits=config.split,
        preparation=config.preparation,
        title=Path(source).name,
        progress=screen.progress_callback(),
    )
    for note in store.info.notes:
        screen.notice(note)
    screen.say(repr(store))
    screen.say(f"store: {out}")
    screen.say(f"next: kinestream pretrain laptop --data {out} --out RUN")


def _prepare_dataset(config: Config, dataset: Dataset, raw: Path, out: Path) -> None:
    if given := [name for name in ("layout", "format", "split") if getattr(config, name)]:
        raise ValueError(f"--{given[0]} is for recordings of your own: {dataset.name} says it itself")
    name = config.preparation or dataset.preparation
    preparation = PREPARATIONS.get(name)
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
    _report(screen, dataset, built, out)
    _report_splits(screen, dataset, built)
    if dataset.missing_list and built.missing_list is None:
        screen.warn(
            f"the official list {dataset.missing_list} was not found beside the data, so clips with missing skeletons "
            f"are in the store and counts differ from the published ones. Get it from {dataset.home}, then give it "
            "with --missing FILE"
        )


def _report(screen: Screen, dataset: Dataset, built: Built, out: Path) -> None:
    info = built.info
    rows: list[tuple[str, object]] = [
        ("recordings in the store", f"{info.recordings:,}"),
        ("frames", f"{info.frames:,}"),
        ("raw data read, MB", f"{built.raw_bytes / 1e6:,.1f}"),
        ("on the list of missing skeletons, left out", info.excluded),
        ("of other classes, left out", built.other_classes),
        ("other files, ignored", built.other_files),
        *([("label files without a recording", built.unused_labels)] if dataset.label_archive else []),
        ("rejected", info.rejected),
    ]
    screen.table(f"{info.title}, preparation '{info.preparation}'", ("what", "count"), rows)
    if built.rejected:
        reasons = Counter(entry.reason for entry in built.rejected)
        first = {entry.reason: entry for entry in reversed(built.rejected)}
        shown = [
            (reason, count, f"{first[reason].path.name}{f':{first[reason].line}' if first[reason].line else ''}")
            for reason, count in reasons.most_common(_REASONS_SHOWN)
        ]
        screen.table("rejected", ("reason", "count", "first"), shown)
        if len(reasons) > _REASONS_SHOWN:
            screen.say(f"and {len(reasons) - _REASONS_SHOWN} more reasons")
        screen.say(f"all of them: {out / 'rejected.csv'}")
    screen.say(f"store: {out}")


def _report_splits(screen: Screen, dataset: Dataset, built: Built) -> None:
    for used in built.split_lists:
        screen.say(f"split {used.split}: by {used.path}")
        if used.unlisted:
            screen.warn(
                f"{used.unlisted} files are in neither list of {used.path.name}: in the store, but neither for "
                f"training nor for testing in split {used.split}"
            )
        if used.absent:
            screen.warn(f"{used.absent} names of {used.path.name} have no usable file: is the download complete?")
    for name, split in dataset.splits.items():
        if name not in built.info.splits:
            screen.warn(
                f"the store has no split {name}: its file {split.lists[0]} was not found; get it from the folder Split "
                f"of the downloads ({dataset.home}), then prepare again or name its folder with --splits FOLDER"
            )
