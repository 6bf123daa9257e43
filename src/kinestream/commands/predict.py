"""Labels recordings by a classifier: a row for each recording, or for each window and person, like the rows it learnt
from. 'known' is 0 for a movement unlike anything that was labelled.

Examples:
  kinestream predict gestures.model new/ --out predictions.csv --layout kinect20
  kinestream predict gestures.model movements.parquet --out predictions.csv
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.arguments import required_option
from kinestream.data.recording import Up
from kinestream.data.understanding import ToldUnits
from kinestream.distributed.launch import Device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream predict`."""

    model: Path
    """Folder of a classifier, as 'kinestream fit' writes it."""
    recordings: tuple[str, ...]
    """Files, folders of them, stores, or archives of embeddings."""
    out: Path = required_option()
    """CSV file: name, file, person, start, end, label, probability, known."""
    windows: str | None = None
    """Label windows of this length, as in 2s or 60f; those that the classifier learnt from if not given."""
    hop: str | None = None
    """From the start of a window to that of the next; half a window if not given."""
    people: Literal["together", "each"] | None = None
    """together: one row for all people; each: a row for each."""
    format: str | None = None
    """Format of the files; detected from their endings and content if not given."""
    layout: str | None = None
    """Which joints the files have, where they do not say it: a name ('kinestream layouts') or a .yaml file."""
    fps: float | None = None
    """Frames a second, where the files do not say it."""
    units: ToldUnits | None = None
    """Units of the positions; what the files say if not given, else inferred from the bodies."""
    up: Up | None = None
    """The axis that points up; as for --units."""
    columns: str = ""
    """Pattern of the column names of a table, as in {joint}.{axis}."""
    variable: str = ""
    """Which array of a file is meant, and the order of its axes, as in poses:ntvc."""
    trust: bool = False
    """Accept what does not look like a body."""
    device: Device = "auto"
    """Where to compute; auto takes a GPU where there is one."""


def run(config: Config) -> None:
    if config.out.suffix != ".csv":
        raise ValueError(f"--out {config.out}: predictions are a .csv file")
    from kinestream.console import Screen
    from kinestream.files import check_writable
    from kinestream.use.classifier_files import load_classifier
    from kinestream.use.made_by import Reading
    from kinestream.use.predictions import predict

    check_writable(config.out)  # before any work
    screen = Screen()
    found = predict(
        load_classifier(config.model, device=config.device),
        list(config.recordings),
        windows=config.windows,
        hop=config.hop,
        people=config.people,
        reading=Reading(
            layout=config.layout,
            format=config.format,
            fps=config.fps,
            units=config.units,
            up=config.up,
            columns=config.columns,
            variable=config.variable,
            trust=config.trust,
        ),
        progress=screen.progress_callback(),
        notice=screen.notice,
    )
    found.save(config.out)
    screen.table("labels", ("label", "rows", "of them unknown"), found.counts())
    screen.say(f"{len(found):,} predictions: {config.out}")
