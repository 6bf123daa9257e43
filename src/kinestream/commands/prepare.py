"""Reads a folder of raw recordings into a store: bodies chosen, cleaned and placed, in full length, memory-mapped.
Files that cannot be used are listed with their reason in rejected.csv of the store.

Examples:
  kinestream prepare ntu60 nturgb+d_skeletons/ ntu60/
  kinestream prepare ntu120 nturgb+d_skeletons/ ntu120/
  kinestream prepare nw-ucla all_sqe/ nw-ucla/ --processes 8
  kinestream prepare pku1 pku-mmd-1/ pku1/
  kinestream prepare pku2 pku-mmd-2/ pku2/ --splits pku-mmd-2/Split
  kinestream prepare pku2 pku-mmd-2/ pku2-whole/ --continuous
  kinestream prepare ntu60 nturgb+d_skeletons/ ntu60-tracked/ --preparation tracked
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kinestream.console import Screen
from kinestream.data.build import Built, build_store
from kinestream.data.datasets import Dataset, load_dataset
from kinestream.data.preparation import PREPARATIONS

_REASONS_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream prepare`."""

    dataset: str
    """Which data set the files are of: ntu60, ntu120, nw-ucla, pku1 or pku2."""
    raw: Path
    """Folder with the raw files; folders below it are looked through, too."""
    out: Path
    """The store to make; must not exist."""
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
    dataset = load_dataset(config.dataset)
    name = config.preparation or dataset.preparation
    preparation = PREPARATIONS.get(name)
    screen = Screen()
    with screen.progress(f"prepare {dataset.name}", "files") as advance:
        built = build_store(
            dataset,
            config.raw,
            config.out,
            preparation=preparation,
            missing_list=config.missing,
            split_folder=config.splits,
            label_folder=config.labels,
            continuous=config.continuous,
            strict=config.strict,
            processes=config.processes,
            progress=advance,
        )
    _report(screen, dataset, built, config)
    _report_splits(screen, dataset, built)
    if dataset.missing_list and built.missing_list is None:
        screen.warn(
            f"the official list {dataset.missing_list} was not found beside the data, so clips with missing skeletons "
            f"are in the store and counts differ from the published ones. Get it from {dataset.home}, then give it "
            "with --missing FILE"
        )


def _report(screen: Screen, dataset: Dataset, built: Built, config: Config) -> None:
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
        screen.say(f"all of them: {config.out / 'rejected.csv'}")
    screen.say(f"store: {config.out}")


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
