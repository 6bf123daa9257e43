"""Learns a classifier from the labels of some recordings, or stretches of them, in an archive of embeddings. Says how
good it is on people that were held out, beside raw coordinates and an untrained encoder. The classifier is a folder
that 'kinestream predict', 'kinestream segment --model' and ks.load take.

Examples:
  kinestream fit movements.parquet --labels labels.csv --out gestures.model
  kinestream fit movements.parquet --labels labels.csv --out gestures.model --replace --report accuracy.json
"""

from dataclasses import dataclass
from pathlib import Path

from kinestream.arguments import required_option
from kinestream.distributed.launch import Device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream fit`."""

    archive: Path
    """Archive of embeddings, as 'kinestream embed' writes it."""
    out: Path = required_option()
    """Folder for the classifier."""
    labels: Path | None = None
    """CSV file: name or file, label, and start and end in seconds where a part is meant; the labels of the archive if
    not given."""
    encoder: Path | None = None
    """Run or encoder file that made the archive; needed only if it is not where it was then."""
    replace: bool = False
    """Take the place of the classifier that is in the folder."""
    folds: int = 5
    """Groups that people are split into; each is held out once."""
    false_alarms: float = 0.05
    """Share of movements like those labelled that may be called unknown."""
    baselines: bool = True
    """Leave out the comparison with raw coordinates and an untrained encoder, which reads the labelled recordings
    again."""
    report: Path | None = None
    """JSON file to write the figures to, too."""
    seed: int = 0
    """Random seed."""
    device: Device = "auto"
    """Where to compute; auto takes a GPU where there is one."""


def run(config: Config) -> None:
    from kinestream.console import Screen
    from kinestream.files import check_writable, write_json
    from kinestream.use.archive import open_embeddings
    from kinestream.use.classifier import Classifier
    from kinestream.use.classifier_files import check_folder
    from kinestream.use.label_table import match_labels, read_labels
    from kinestream.use.model import load
    from kinestream.use.query import check_encoder, open_encoder

    screen = Screen()
    check_folder(config.out, replace=config.replace)  # before any work
    if config.report is not None:
        check_writable(config.report)
    archive = open_embeddings(config.archive)
    labels = None
    if config.labels is not None:
        matched = match_labels(archive, read_labels(config.labels), config.labels)
        for note in matched.notes:
            screen.warn(note)
        archive, labels = archive.filter(matched.places), list(matched.labels)
    model = open_encoder(archive) if config.encoder is None else load(config.encoder, device=config.device)
    check_encoder(archive, model)
    model.device = config.device
    classifier = Classifier(model, folds=config.folds, false_alarms=config.false_alarms, seed=config.seed)
    classifier.fit(archive, labels)
    report = classifier.make_report(baselines=config.baselines, progress=screen.progress_callback())
    screen.say(str(report))
    if config.report is not None:
        write_json(config.report, report.to_dict())
    classifier.save(config.out, replace=config.replace)
    screen.say(f"classifier of {len(classifier.classes_)} classes: {config.out}")
