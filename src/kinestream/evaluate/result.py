"""What an evaluation found: a row for each set of features, as a table, as plain values and as files."""

import csv
import html
import importlib
import json
import math
import statistics
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int64

from kinestream.console import table_text
from kinestream.data.store import Store
from kinestream.evaluate.run_results import standing_for
from kinestream.evaluate.settings import in_file_name
from kinestream.evaluate.source import Source
from kinestream.features.metrics import Accuracy, bootstrap_interval
from kinestream.files import check_writable, replacing, write_json
from kinestream.lock import lock
from kinestream.train.run_folder import append_line

Kind = Literal["run", "untrained", "raw", "supervised"]
How = Literal["alone", "together", "fused"]
"""A stream by itself; all at once (one probe on all, neighbours by all); or the scores of the single ones summed."""
RESULTS = "results.csv"
RESULT_COLUMNS = (
    *("protocol", "split", "features", "kind", "how", "streams", "seed", "metric", "value", "low", "high", "leak"),
    "settings",
)
_BASELINES = ("untrained", "raw")
_LOCK_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """How well one set of features did; accuracies in percent."""

    name: str
    """What it is called in tables and files."""
    kind: Kind
    how: How
    streams: tuple[str, ...]
    accuracy: Accuracy
    top1_without_copies: float | None
    """Without the test clips that are copies of a training clip; None where there are no copies."""
    extra: Mapping[str, Any]
    """Further figures of the evaluation."""
    ece: float | None
    """Calibration error in percent; None where scores are no probabilities."""
    hits: Float[np.ndarray, " q"] = field(repr=False)
    """1 for each test clip that was recognised, else 0; with several seeds the share of them. Where an evaluation
    counts episodes or movements, the share of each; the interval is over them."""
    predicted: Int64[np.ndarray, " q"] = field(repr=False)
    """With several seeds by the first; -1 where no test clips are counted."""
    confidence: Float[np.ndarray, " q"] | None = field(repr=False)
    """Probability of the predicted class."""
    seeds: tuple[int, ...] = ()
    """Of the trainings that the figures are means of; empty where nothing was drawn but by the settings."""
    top1_by_seed: tuple[float, ...] = ()
    detail: Any = field(default=None, repr=False)
    """What else was found, for drawings; not written to files."""
    predictions: tuple[tuple[str | int | float, ...], ...] | None = field(default=None, repr=False)
    """Rows of the file of predictions, its headings first; None where a test clip has one class."""

    @property
    def top1(self) -> float:
        return self.accuracy.top1

    @property
    def top5(self) -> float:
        return self.accuracy.top5

    @property
    def mean_class(self) -> float:
        return self.accuracy.mean_class

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval of top-1 over the test clips."""
        return bootstrap_interval(self.hits)

    @property
    def deviation(self) -> float | None:
        """Sample deviation of top-1 over the seeds; None for one."""
        return statistics.stdev(self.top1_by_seed) if len(self.top1_by_seed) > 1 else None

    def figures(self) -> Iterator[tuple[str, float]]:
        """Every figure that is a number, by name."""
        every = {
            "top1": self.top1,
            "top1_deviation": self.deviation,
            "top5": self.top5,
            "mean_class": self.mean_class,
            "ece": self.ece,
            "top1_without_copies": self.top1_without_copies,
            **self.extra,
        }
        for metric, value in every.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                yield metric, value


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an evaluation found. Printing it shows the table; nothing is written before `save`."""

    protocol: str
    split: str
    settings: Mapping[str, Any]
    changed: tuple[str, ...] = ()
    """What differs from the usual settings, as words: `k=50`. It is in the names of the files."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    """What to know about the figures, such as copies among the test clips."""
    leak: str | None
    """What test clips were learnt from although they must not be, where that was allowed."""
    copies: int
    """Test clips that are copies of a training clip."""
    train: Int64[np.ndarray, " n"] = field(repr=False)
    """The training clips, as places in the store."""
    test: Int64[np.ndarray, " q"] = field(repr=False)
    store: Store = field(repr=False)
    source: Source = field(repr=False)
    columns: Mapping[str, str | Callable[[Row], str]] = field(repr=False)
    """Of the table: the heading of top-1, then further columns."""
    command: tuple[str, ...] = field(default=(), repr=False)
    """The words that make it again."""

    @property
    def dataset(self) -> str:
        return self.store.info.dataset

    @property
    def top1(self) -> float:
        """Of what stands for the run."""
        return self.headline.top1

    @property
    def interval(self) -> tuple[float, float]:
        return self.headline.interval

    @property
    def headline(self) -> Row:
        """What stands for the run: all its streams together, or fused, or its only one."""
        own = standing_for(self.rows, ("run", "supervised"))
        assert own is not None, f"evaluation {self.protocol} has no row of the run"
        return own

    @property
    def baselines(self) -> Mapping[str, Row]:
        """What to hold the headline against: the `untrained` encoder in the same way, and the best stream of `raw`
        coordinates; where they were evaluated."""
        untrained = [row for row in self.rows if row.kind == "untrained" and row.how == self.headline.how]
        raw = sorted((row for row in self.rows if row.kind == "raw"), key=lambda row: -row.top1)
        return {rows[0].kind: rows[0] for rows in (untrained, raw) if rows}

    @property
    def published(self) -> str | None:
        """The published figure of the recipe, where it is of this evaluation, data set and split."""
        figure = self.source.published
        if figure is None or (self.protocol, self.dataset, self.split) != (
            *(figure.protocol, self.source.dataset, self.source.split),
        ):
            return None
        return f"{figure.accuracy:.2f} ({figure.what})"

    def hardest(self, count: int = 5) -> list[tuple[str, float]]:
        """The classes that are recognised least, with their accuracy."""
        known = [(key, share) for key, share in self._class_shares(self.headline).items() if share is not None]
        return sorted(known, key=lambda entry: entry[1])[:count]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, as `save` writes it."""
        return {
            "protocol": self.protocol,
            "recipe": self.source.name,
            "seed": self.source.seed,
            "data": self.dataset,
            "split": self.split,
            "train_clips": len(self.train),
            "test_clips": len(self.test),
            "test_clips_that_are_copies": self.copies,
            "leak": self.leak,
            "command": list(self.command),
            "settings": dict(self.settings),
            "changed": list(self.changed),
            "results": {row.name: self._plain(row) for row in self.rows},
        }

    def to_pandas(self) -> Any:
        """A table with a line for each figure, as in results.csv. Raises ModuleNotFoundError without pandas."""
        try:
            pandas = importlib.import_module("pandas")
        except ModuleNotFoundError:
            raise ModuleNotFoundError("to_pandas() needs pandas: pip install pandas", name="pandas") from None
        return pandas.DataFrame(list(self._lines()), columns=RESULT_COLUMNS)

    def save(self, folder: Path | str | None = None) -> tuple[Path, ...]:
        """Writes `evaluation-<name>.json`, `predictions-<name>.csv` (see `name`), lines of `results.csv` and one of
        `metrics.jsonl` into the run, or into `folder`, and gives the first three.

        What was saved with other settings, or of another store, stays beside it; so do the baselines of an earlier
        result with the same settings, where this one was made without. Several may save at once.
        """
        into = self.source.folder.path if folder is None else Path(folder)
        evaluation, predictions = into / f"evaluation-{self.name}.json", into / f"predictions-{self.name}.csv"
        with lock(into / ".results.lock", of=into / RESULTS, seconds=_LOCK_SECONDS):
            whole = self.to_dict()
            if not any(row.kind in _BASELINES for row in self.rows):
                whole["results"] |= _baselines_of(evaluation, whole["settings"])
            write_json(evaluation, whole)
            self._write_predictions(predictions)
            self._write_lines(into / RESULTS, kept=set(whole["results"]) - {row.name for row in self.rows})
            append_line(into / "metrics.jsonl", self._summary())
        return evaluation, predictions, into / RESULTS

    @property
    def name(self) -> str:
        """Protocol and split, and what differs from the usual settings: `knn-xview-k=50`."""
        return "-".join((self.protocol, self.split, *in_file_name(self.changed)))

    def __str__(self) -> str:
        return table_text(*self._table())

    def _repr_html_(self) -> str:
        title, headings, rows = self._table()
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in headings)
        body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        return f"<table><caption>{html.escape(title)}</caption><tr>{head}</tr>{body}</table>"

    def _table(self) -> tuple[str, list[str], list[list[str]]]:
        """Title, headings and rows; a column that no row fills is left out."""
        first, *others = self.columns
        probable = any(row.ece is not None for row in self.rows)
        cells: dict[str, Callable[[Row], str]] = {
            "features": lambda row: row.name,
            first: lambda row: f"{row.top1:.2f}" + ("" if row.deviation is None else f" ± {row.deviation:.2f}"),
            "95 % interval": lambda row: "{:.1f} to {:.1f}".format(*row.interval),
            **({"top-5 %": lambda row: f"{row.top5:.2f}"} if probable else {}),
            "mean class %": lambda row: f"{row.mean_class:.2f}",
            **({"ECE %": lambda row: _figure(row.ece)} if probable else {}),
            "without copies %": lambda row: _figure(row.top1_without_copies),
            **{heading: _cell(self.columns[heading]) for heading in others},
        }
        columns = {heading: [cell(row) for row in self.rows] for heading, cell in cells.items()}
        shown = {heading: values for heading, values in columns.items() if set(values) != {"-"}}
        title = f"{self.protocol}: {self.dataset or self.store.info.title} {self.split}, "
        unit = "videos" if self.store.continuous else "clips"
        title += f"{len(self.train):,} training {unit}, {len(self.test):,} test {unit}"
        title += "; LEAK ALLOWED" if self.leak else ""
        return title, list(shown), [list(cells) for cells in zip(*shown.values(), strict=True)]

    def _plain(self, row: Row) -> dict[str, Any]:
        low, high = row.interval
        seeds = {"seeds": list(row.seeds), "top1_by_seed": list(row.top1_by_seed), "top1_deviation": row.deviation}
        return {
            "features": row.kind,
            "how": row.how,
            "streams": list(row.streams),
            "top1": row.top1,
            "top1_low": low,
            "top1_high": high,
            **(seeds if row.seeds else {}),
            "top5": _or_none(row.top5),
            "mean_class": row.mean_class,
            "ece": row.ece,
            "top1_without_copies": row.top1_without_copies,
            **{key: _or_none(value) for key, value in row.extra.items()},
            "per_class": self._class_shares(row),
        }

    def _class_shares(self, row: Row) -> dict[str, float | None]:
        """Accuracy by class name; None for a class without test clips."""
        pairs = zip(self.store.info.classes, row.accuracy.per_class.tolist(), strict=True)
        return {key: None if share != share else round(share, 2) for key, share in pairs}

    def _lines(self) -> Iterator[dict[str, Any]]:
        for row in self.rows:
            shared = {
                "protocol": self.protocol,
                "split": self.split,
                "features": row.name,
                "kind": row.kind,
                "how": row.how,
                "streams": "+".join(row.streams),
                "seed": " ".join(map(str, row.seeds or (self.source.seed,))),
                "leak": self.leak or "",
                "settings": " ".join(self.changed),
            }
            for metric, value in row.figures():
                low, high = row.interval if metric == "top1" else ("", "")
                yield {**shared, "metric": metric, "value": value, "low": low, "high": high}

    def _write_lines(self, path: Path, kept: Collection[str]) -> None:
        """Replaces the lines of this protocol, split and settings but for the features `kept`, and leaves the
        others."""
        own = (self.protocol, self.split, " ".join(self.changed))
        kept_lines = [
            line
            for line in read_lines(path)
            if (line["protocol"], line["split"], line["settings"]) != own or line["features"] in kept
        ]
        with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, RESULT_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept_lines)
            writer.writerows(self._lines())

    def _write_predictions(self, path: Path) -> None:
        own, classes = self.headline, self.store.info.classes
        if own.predictions is not None:
            with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(own.predictions)
            return
        labels = self.store.labels
        sure = (
            [""] * len(self.test) if own.confidence is None else [f"{value:.6f}" for value in own.confidence.tolist()]
        )
        with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("file", "label", "predicted", "confidence"))
            for index, predicted, confidence in zip(self.test.tolist(), own.predicted.tolist(), sure, strict=True):
                writer.writerow((self.store.table.name[index], classes[labels[index]], classes[predicted], confidence))

    def _summary(self) -> dict[str, Any]:
        own = self.headline
        return {
            "kind": "evaluation",
            "protocol": self.protocol,
            "data": self.dataset,
            "split": self.split,
            "features": own.name,
            "top1": own.top1,
            "top1_low": own.interval[0],
            "top1_high": own.interval[1],
            "top5": _or_none(own.top5),
            "mean_class": own.mean_class,
            "ece": own.ece,
            "leak": self.leak,
            **({"settings": " ".join(self.changed)} if self.changed else {}),
        }


def check_results(folder: Path) -> None:
    """Raises ValueError where no result could be saved; before the work that it is of."""
    check_writable(folder / RESULTS)
    read_lines(folder / RESULTS)


def read_lines(path: Path) -> list[dict[str, str]]:
    """The lines of a `results.csv`, none where there is none; of one from before there were settings they are the usual
    ones. Raises ValueError for a damaged file."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file, restval="", restkey="more"))
    except FileNotFoundError:
        return []
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} is damaged ({' '.join(str(error).split())[:200]}): move it away") from None
    if any(set(line) - {"settings"} != set(RESULT_COLUMNS) - {"settings"} for line in lines[:1]) or any(
        "more" in line for line in lines
    ):
        raise ValueError(f"{path} has other columns than {', '.join(RESULT_COLUMNS)}: move it away")
    return [{"settings": "", **line} for line in lines]


def _baselines_of(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of baselines in an earlier file, if it was made with these settings."""
    try:
        earlier = json.loads(path.read_text("utf-8"))
        if earlier["settings"] != json.loads(json.dumps(settings)):
            return {}
        return {name: entry for name, entry in earlier["results"].items() if entry["features"] in _BASELINES}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def mean_of_seeds(rows: Sequence[Row], seeds: Sequence[int]) -> Row:
    """One row for the same features with several seeds: every figure is the mean."""
    first = rows[0]

    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return statistics.fmean(known) if len(known) == len(values) else None

    numbers = [key for key, value in first.extra.items() if isinstance(value, int | float)]
    return replace(
        first,
        accuracy=Accuracy(
            top1=statistics.fmean(row.top1 for row in rows),
            top5=statistics.fmean(row.top5 for row in rows),
            per_class=torch.stack([row.accuracy.per_class for row in rows]).mean(dim=0),
        ),
        top1_without_copies=mean([row.top1_without_copies for row in rows]),
        ece=mean([row.ece for row in rows]),
        hits=np.stack([row.hits for row in rows]).mean(axis=0),
        extra={**first.extra, **{key: mean([row.extra[key] for row in rows]) for key in numbers}},
        seeds=tuple(seeds),
        top1_by_seed=tuple(row.top1 for row in rows),
    )


def _cell(column: str | Callable[[Row], str]) -> Callable[[Row], str]:
    return column if callable(column) else lambda row: _figure(row.extra.get(column))


def _or_none(value: Any) -> Any:
    """JSON has no nan."""
    return None if value != value else value


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
