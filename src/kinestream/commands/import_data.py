"""Makes a store from files that others prepared: the 3s-CACA authors' arrays (a folder with train_position.npy or
train_data.npy), a PYSKL pickle (3D or 2D), or an npz with x_train as of CTR-GCN, MAMP and SLiM. Which of them it is
shows from the content. Pickles are read without running anything in them.

Examples:
  kinestream import xsub/ ntu60/ --dataset ntu60
  kinestream import ntu60_3danno.pkl ntu60/ --dataset ntu60
  kinestream import ntu60_hrnet.pkl ntu60-2d/ --dataset ntu60
  kinestream import NTU60_CS.npz ntu60/ --dataset ntu60 --split xsub
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kinestream.console import Screen
from kinestream.data.datasets import load_dataset
from kinestream.data.formats.importing import Imported, import_store

_REASONS_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream import`."""

    source: Path
    """The file, or the folder with the authors' arrays."""
    out: Path
    """The store to make; must not exist."""
    dataset: str | None = None
    """Which data set it is of (ntu60, ntu120, ...): gives names of classes and splits, and checks names and labels."""
    split: str | None = None
    """The only split of a PYSKL pickle to take, or which split the two parts of a file are."""
    preparation: str | None = None
    """What raw joints go through (published if not given); of 'position' clips, what they were made with."""


def run(config: Config) -> None:
    dataset = load_dataset(config.dataset) if config.dataset is not None else None
    screen = Screen()
    with screen.progress("import", "recordings") as advance:
        done = import_store(
            config.source,
            config.out,
            dataset=dataset,
            split=config.split,
            preparation=config.preparation,
            progress=advance,
        )
    _report(screen, done, config.out)


def _report(screen: Screen, done: Imported, out: Path) -> None:
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
    for note in done.notes:
        screen.warn(note)
    if done.rejected:
        reasons = Counter(row.reason.partition(": ")[2] for row in done.rejected)
        screen.table("rejected", ("reason", "recordings"), reasons.most_common(_REASONS_SHOWN))
        screen.say(f"all of them: {out / 'rejected.csv'}")
    screen.say(f"store: {out}")
