"""Writes the recordings of a store into files for other programs.

npz: an archive of all that is known, in plain arrays. csv: a long table. xarray: a folder of netCDF files, as the
movement package has them. pyskl: a pickle of annotations. ctr-gcn: an npz with x_train, y_train, x_test and y_test.
authors: the 3s-CACA authors' folder of train_position.npy, val_position.npy and labels.

Examples:
  kinestream export-data store/ recordings.npz
  kinestream export-data store/ recordings.csv
  kinestream export-data store/ recordings/ --format xarray
  kinestream export-data ntu60/ ntu60.pkl --format pyskl
  kinestream export-data ntu60/ xsub/ --format authors --split xsub
  kinestream export-data ntu60/ NTU60_CS.npz --format ctr-gcn --split xsub
  kinestream export-data ntu60/ clips.npz --format ctr-gcn --split xview --frames 64
"""

from dataclasses import dataclass
from pathlib import Path

from kinestream.console import Screen
from kinestream.data.formats.exporting import export_store
from kinestream.data.formats.writing import FormatName, format_of
from kinestream.data.store import Store


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream export-data`."""

    store: Path
    """The store."""
    out: Path
    """File or folder (authors, xarray) to make; must not exist."""
    format: FormatName | None = None
    """What to write; the ending of OUT decides if not given, npz for .npz."""
    split: str | None = None
    """Which recordings are for training (authors, ctr-gcn, pyskl); the store's first split, or all of pyskl, if not
    given."""
    frames: int | None = None
    """Length of the clips of authors (50) and ctr-gcn (recordings of full length if not given)."""


def run(config: Config) -> None:
    store = Store(config.store)
    chosen = format_of(config.out, config.format)
    screen = Screen()
    with screen.progress("export", "recordings") as advance:
        sizes = export_store(
            store, config.out, format=chosen, split=config.split, frames=config.frames, progress=advance
        )
    parts = chosen in ("authors", "ctr-gcn")
    clips = "clips" if chosen == "authors" or config.frames is not None else "recordings of full length"
    split = config.split or (next(iter(store.info.splits), None) if parts else None)
    screen.table(
        f"{store.info.title}{f', split {split}' if split else ''}, {clips}",
        ("part", "recordings"),
        [(part if split else "all", f"{size:,}") for part, size in sizes.items() if size],
    )
    screen.say(f"written: {config.out}")
