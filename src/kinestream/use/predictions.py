"""What a classifier says of recordings: files, stores, archives of embeddings, or what is held in memory."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from kinestream.console import table_html
from kinestream.data.recording import Recording
from kinestream.distributed.launch import Device, device_named
from kinestream.files import replacing
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.use.archive import Embeddings, open_embeddings
from kinestream.use.archive_files import SUFFIXES
from kinestream.use.classifier import Classifier
from kinestream.use.encode import Given, Unusable, encode
from kinestream.use.made_by import Reading
from kinestream.use.pieces import Cutting, Length, People, Tally
from kinestream.use.rows import Rows
from kinestream.use.sources import Listed, Sources, open_sources
from kinestream.use.vectors import chunks
from kinestream.words import shown

COLUMNS = ("name", "file", "person", "start", "end", "label", "probability", "known")
_REASONS_SHOWN = 3
_SHOWN = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """A label for each recording, or for each window and person."""

    rows: Rows = field(repr=False)
    """Name, file, person, start and end of each."""
    labels: np.ndarray
    probabilities: Float64[np.ndarray, " n"]
    """Of the label, calibrated."""
    known: Bool[np.ndarray, " n"]
    """Whether it is like anything that was labelled."""

    def __len__(self) -> int:
        return len(self.labels)

    def __str__(self) -> str:
        lines = [
            f"{shown(self.rows.called(n)):<40} {shown(str(self.labels[n])):<24} {self.probabilities[n]:.2f}"
            f"{'' if self.known[n] else '  unknown'}"
            for n in range(min(len(self), _SHOWN))
        ]
        return "\n".join(lines + ([f"... {len(self) - _SHOWN:,} more"] if len(self) > _SHOWN else []))

    def _repr_html_(self) -> str:
        return table_html(f"{len(self):,} predictions", COLUMNS, self.lines())

    def counts(self) -> list[tuple[str, int, int]]:
        """Of each label how many there are, and how many of these are unknown."""
        every = Counter(map(str, self.labels.tolist()))
        unknown = Counter(map(str, self.labels[~self.known].tolist()))
        return [(label, count, unknown[label]) for label, count in every.most_common()]

    def lines(self) -> Iterator[tuple[Any, ...]]:
        """The rows of the table."""
        columns = (self.rows.name, self.rows.file, self.rows.person, self.rows.start, self.rows.end)
        told = (self.labels, self.probabilities, self.known)
        for name, file, person, start, end, label, probability, known in zip(
            *(column.tolist() for column in (*columns, *told)), strict=True
        ):
            yield (name, file, person, round(start, 3), round(end, 3), label, round(probability, 4), int(known))

    def to_pandas(self) -> Any:
        """A `DataFrame` with the columns of the file. Raises ValueError where pandas is not installed."""
        try:
            import pandas as pd
        except ModuleNotFoundError:
            raise ValueError('this needs pandas: pip install "kinestream[formats]"') from None
        return pd.DataFrame(list(self.lines()), columns=list(COLUMNS)).astype({"known": bool})

    def save(self, path: str | Path) -> None:
        """Writes a CSV file, whole: name, file, person, start, end, label, probability, known (1 or 0)."""
        with replacing(Path(path)) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(self.lines())


def predict(
    classifier: Classifier,
    sources: Sources | Embeddings,
    *,
    windows: Length | None = None,
    hop: Length | None = None,
    people: People | None = None,
    reading: Reading | None = None,
    device: Device | None = None,
    progress: Progress = silent,
    notice: Notice = unheard,
) -> Predictions:
    """Labels for recordings: a store, files or folders, recordings or arrays, or an archive of the same encoder.

    They are cut as those that the classifier learnt from, unless `windows`, `hop` and `people` say otherwise. What
    cannot be read is left out and told.

    Raises ValueError where nothing can be read, or an archive is of another encoder.
    """
    archives = _archives(sources)
    if archives is not None:
        parts = [_of_archive(classifier, archive) for archive in archives]
    else:
        own = classifier.made_by_
        is_as_learnt = own is not None and (windows, hop, people) == (None, None, None)
        cutting = own.cutting if own is not None and is_as_learnt else Cutting.of(windows, hop, people)
        reading = reading or Reading()
        listed = Listed(tuple(open_sources(sources, reading, None)))
        parts = list(_of_sources(classifier, listed, cutting, device, progress, notice))
    if not parts:
        raise ValueError("nothing can be predicted: nobody is seen half of the time in anything")
    return Predictions(
        rows=Rows.joined([part.rows for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        known=np.concatenate([part.known for part in parts]),
    )


def _archives(sources: Any) -> list[Embeddings] | None:
    """Where all of it is archives of embeddings."""
    if isinstance(sources, Embeddings):
        return [sources]
    some = [sources] if isinstance(sources, str | Path) else sources
    if not isinstance(some, list | tuple) or not some or not all(isinstance(one, str | Path) for one in some):
        return None
    found = []
    for one in some:
        path = Path(one)
        if path.suffix not in SUFFIXES or (not (path / "embedding.json").is_file() and not path.is_file()):
            return None
        try:
            found.append(open_embeddings(path))
        except ValueError:
            return None  # a table of joints, then: its reader says what is wrong with it
    return found


def _of_archive(classifier: Classifier, archive: Embeddings) -> Predictions:
    labels, probabilities, known = [], [], []
    for start, some in chunks(archive.source):
        part = archive.filter(np.arange(start, start + len(some)))
        told = classifier.predict_proba(part)
        labels.append(classifier.classes_[told.argmax(axis=1)])
        probabilities.append(told.max(axis=1))
        known.append(classifier.known(part))
    if not labels:
        raise ValueError(f"{archive.path or 'the archive'} has no row")
    return Predictions(
        rows=archive.rows,
        labels=np.concatenate(labels),
        probabilities=np.concatenate(probabilities),
        known=np.concatenate(known),
    )


def _of_sources(
    classifier: Classifier,
    listed: Listed,
    cutting: Cutting,
    device: Device | None,
    progress: Progress,
    notice: Notice,
) -> Iterator[Predictions]:
    model = classifier.model
    if model is None:
        raise ValueError("recordings need an encoder: Classifier(model), with model = ks.load(...)")
    tally = Tally()
    refused: list[str] = []
    where = device_named(device or model.device)
    for one in encode(model, _read(listed, refused, progress), cutting, tally, device=where):
        if isinstance(one, Unusable):
            refused.append(f"{one.file or one.name}: {one.reason}")
            continue
        rows, vectors = one
        told = classifier.layer_.probabilities(vectors)
        yield Predictions(
            rows=rows,
            labels=classifier.classes_[told.argmax(axis=1)],
            probabilities=told.max(axis=1),
            known=classifier.familiar_.known(vectors),
        )
    for text in tally.notes(cutting):
        notice(text)
    if refused:
        some = "; ".join(shown(why, 200) for why in refused[:_REASONS_SHOWN])
        text = f"{len(refused):,} of {len(listed):,} recordings cannot be used: {some}"
        if len(refused) == len(listed):
            raise ValueError(text)
        notice(text)


def _read(listed: Listed, refused: list[str], progress: Progress) -> Iterator[Given]:
    done = 0
    for source in listed.sources:
        for number in range(len(source)):
            file, name = source.key(number)
            for one in source.read(number):
                if isinstance(one, Recording):
                    called = one.name or name or Path(file).stem
                    yield Given(recording=one, file=file, name=called, cleaned=source.cleaned)
                else:
                    refused.append(str(one))
            done += 1
            progress("predict", "recordings", done, len(listed))
