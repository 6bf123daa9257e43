"""Says which recordings or windows of an archive are most worth a label: first those that stand for most of it, then,
with a classifier, those that it is least sure of. Fill in the column 'label' of the table: 'kinestream fit --labels'
takes it.

Examples:
  kinestream suggest movements.parquet --count 30 --out suggest.csv --sheet suggest.png
  kinestream suggest movements.parquet --count 20 --labels labels.csv --model gestures.model --out more.csv
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream suggest`."""

    archive: Path
    """Archive of embeddings, as 'kinestream embed' writes it."""
    count: int = 30
    """How many to suggest."""
    labels: Path | None = None
    """What is labelled already: a CSV file as 'kinestream fit' takes."""
    model: Path | None = None
    """Folder of a classifier: from three labels a class on, half of the suggestions are what it is least sure of."""
    unsure: float | None = None
    """Share of suggestions that the classifier is least sure of, 0 to 1, whatever the number of labels."""
    out: Path | None = None
    """CSV file to fill in: name, file, person, start, end, why (covers: it stands for others like it; unsure: the
    classifier is least sure of it), label."""
    sheet: Path | None = None
    """Picture (.png) of all suggestions, numbered. Needs the extra kinestream[viz]."""
    seed: int = 0
    """Random seed of what is drawn from a large archive."""


def run(config: Config) -> None:
    if config.out is not None and config.out.suffix != ".csv":
        raise ValueError(f"--out {config.out}: suggestions are a .csv file")
    if config.sheet is not None and config.sheet.suffix != ".png":
        raise ValueError(f"--sheet {config.sheet}: the suffix '{config.sheet.suffix}' is not .png")
    from kinestream.console import Screen
    from kinestream.files import check_writable
    from kinestream.use.archive import open_embeddings
    from kinestream.use.classifier_files import load_classifier
    from kinestream.use.suggest import suggest

    for path in filter(None, (config.out, config.sheet)):
        check_writable(path)  # before any work
    if config.sheet is not None:
        from kinestream.viz.retrieval_sheet import draw_suggestions
    screen = Screen()
    archive = open_embeddings(config.archive)
    model = None if config.model is None else load_classifier(config.model)
    found = suggest(archive, config.count, labels=config.labels, model=model, unsure=config.unsure, seed=config.seed)
    for note in found.notes:
        screen.notice(note)
    screen.say(str(found))
    if config.out is not None:
        found.save(config.out)
        screen.say(f"fill in the labels: {config.out}")
    if config.sheet is not None:
        missing = draw_suggestions(found, archive.made_by.reading, config.sheet)
        if missing:
            screen.warn(f"{missing} of {len(found)} are not drawn: their files cannot be read any more")
        screen.say(f"what they look like: {config.sheet}")
