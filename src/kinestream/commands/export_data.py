"""Writes the recordings of a store in the form of others, so that their code can run on them: the 3s-CACA authors'
folder of train_position.npy, val_position.npy and labels, or an npz with x_train, y_train, x_test and y_test.

Examples:
  kinestream export-data ntu60/ xsub/ --form authors --split xsub
  kinestream export-data ntu60/ NTU60_CS.npz --form npz --split xsub
  kinestream export-data ntu60/ clips.npz --form npz --split xview --frames 64
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.arguments import required_option
from kinestream.console import Screen
from kinestream.data.formats.exporting import export_store
from kinestream.data.store import Store


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream export-data`."""

    store: Path
    """The store."""
    out: Path
    """Folder (authors) or .npz file to make; must not exist."""
    form: Literal["authors", "npz"] = required_option()
    """Whose form."""
    split: str | None = None
    """Which recordings are for training; the store's first split if not given."""
    frames: int | None = None
    """Length of the clips; 50 (authors), or recordings of full length (npz) if not given."""


def run(config: Config) -> None:
    store = Store(config.store)
    split = config.split or next(iter(store.info.splits))
    screen = Screen()
    with screen.progress("export", "recordings") as advance:
        sizes = export_store(store, config.out, form=config.form, split=split, frames=config.frames, progress=advance)
    clips = "recordings of full length" if config.form == "npz" and config.frames is None else "clips"
    screen.table(
        f"{store.info.title}, split {split}, {clips}",
        ("part", "recordings"),
        [(part, f"{size:,}") for part, size in sizes.items()],
    )
    screen.say(f"written: {config.out}")
