"""Reads a folder of raw recordings into a store: bodies chosen, cleaned and placed, in full length, memory-mapped.
Files that cannot be used are listed with their reason in rejected.csv of the store.

Examples:
  kinestream prepare ntu60 nturgb+d_skeletons/ ntu60/
  kinestream prepare nw-ucla all_sqe/ nw-ucla/ --processes 8
  kinestream prepare ntu60 nturgb+d_skeletons/ ntu60-tracked/ --preparation tracked
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kinestream.data.build import Built, build_store
from kinestream.data.datasets import load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.screen import Screen

_REASONS_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream prepare`."""

    dataset: str
    """Which data set the files are of: ntu60, ntu120 or nw-ucla."""
    raw: Path
    """Folder with the raw files; folders below it are looked through, too."""
    out: Path
    """The store to make; must not exist."""
    preparation: str | None = None
    """published (as the 3s-CACA authors) or tracked (bodies followed, path kept); the data set's usual one if not
    given."""
    missing: Path | None = None
    """The data set's official list of clips without skeletons; looked for beside the files if not given."""
    strict: bool = False
    """Stop at the first file that cannot be used."""
    processes: int = os.cpu_count() or 1
    """Worker processes."""


def run(config: Config) -> None:
    dataset = load_dataset(config.dataset)
    name = config.preparation or dataset.preparation
    if name not in PREPARATIONS:
        raise ValueError(f"unknown preparation '{name}': choose from {', '.join(PREPARATIONS)}")
    screen = Screen()
    with screen.progress(f"prepare {dataset.name}", "files") as advance:
        built = build_store(
            dataset,
            config.raw,
            config.out,
            preparation=PREPARATIONS[name],
            missing_list=config.missing,
            strict=config.strict,
            processes=config.processes,
            progress=advance,
        )
    _report(screen, built, config)
    if dataset.missing_list and built.missing_list is None:
        screen.warn(
            f"the official list {dataset.missing_list} was not found beside the data, so clips with missing skeletons "
            f"are in the store and counts differ from the published ones. Get it from {dataset.home}, then give it "
            "with --missing FILE"
        )


def _report(screen: Screen, built: Built, config: Config) -> None:
    info = built.info
    rows: list[tuple[str, object]] = [
        ("recordings in the store", f"{info.recordings:,}"),
        ("frames", f"{info.frames:,}"),
        ("raw data read, MB", f"{built.raw_bytes / 1e6:,.1f}"),
        ("on the list of missing skeletons, left out", info.excluded),
        ("of other classes, left out", built.other_classes),
        ("other files, ignored", built.other_files),
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
        screen.table("rejected", ("reason", "files", "first file"), shown)
        if len(reasons) > _REASONS_SHOWN:
            screen.say(f"and {len(reasons) - _REASONS_SHOWN} more reasons")
        screen.say(f"all of them: {config.out / 'rejected.csv'}")
    screen.say(f"store: {config.out}")
