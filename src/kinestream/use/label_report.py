"""How good a classifier is on people that were held out, beside what needs no learning, and what more labels bring.

n rows, d numbers of a feature, k classes.
"""

import html
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.special import softmax

from kinestream.console import table_html, table_text
from kinestream.data.recording import Recording
from kinestream.features.metrics import bootstrap_interval, calibration_error, wilson_interval
from kinestream.progress import Progress, silent
from kinestream.use.familiar import Familiar, threshold_of
from kinestream.use.folds import ROWS, Together, folds_of
from kinestream.use.logistic import USUAL, HeldOut, fit_logistic, held_out
from kinestream.use.made_by import MadeBy
from kinestream.use.model import Model
from kinestream.use.rows import Rows
from kinestream.words import shown

MOST_JUDGED = 2_000
"""Rows that features are compared by; of more, so many are drawn."""
CURVE = (1, 2, 5, 10)
DRAWS = 5
_CONFUSIONS_SHOWN = 8
_NOT_COMPARED = "not compared with raw coordinates and an untrained encoder"
_LEAST_GROUPS = 5
"""People by whom an interval is drawn."""


@dataclass(frozen=True, kw_only=True)
class FeatureRow:
    """Accuracy of the same regression on some features, in percent."""

    name: str
    kind: str
    """learnt, untrained or raw."""
    accuracy: float
    interval: tuple[float, float]
    """95 %."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """Accuracy with so many labels of each class."""

    labels: int | None
    """Of each class, at most; None for all."""
    rows: float
    """Labelled rows, in the mean of the draws."""
    accuracy: float
    deviation: float | None
    """Over the draws; None for one."""
    draws: int


@dataclass(frozen=True, kw_only=True)
class LabelReport:
    """What a classifier is worth. Printing shows tables; accuracies in percent.

    Strength and temperature of each fold are those that the other folds choose.
    """

    held_out: str
    """What was held out together: people, sessions, recordings, groups or rows; empty where nothing could be."""
    groups: int
    """So many of them; and so many folds."""
    folds: int
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    """Labelled rows of each class."""
    features: tuple[FeatureRow, ...] = ()
    """Those of the encoder first, then the untrained one and the best raw stream."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """Held-out rows by their class and the predicted one."""
    curve: tuple[CurvePoint, ...] = ()
    calibration_error: float | None = None
    """Expected calibration error of the probabilities, in percent."""
    false_alarms: float | None = None
    """Held-out rows of known classes that are called unknown, in percent."""
    notes: tuple[str, ...] = field(default=())

    @property
    def accuracy(self) -> float | None:
        return self.features[0].accuracy if self.features else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return self.features[0].interval if self.features else None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        parts = [table_text(*table) for table in self._tables()]
        return "\n".join((*parts, *self._remarks()))

    def _repr_html_(self) -> str:
        parts = [table_html(*table) for table in self._tables()]
        return "".join((*parts, *(f"<p>{html.escape(text)}</p>" for text in self._remarks())))

    def _tables(self) -> Iterator[tuple[str, tuple[str, ...], list[tuple[object, ...]]]]:
        if self.features:
            rows: list[tuple[object, ...]] = [
                (one.name, f"{one.accuracy:.1f}", "{:.1f} to {:.1f}".format(*one.interval)) for one in self.features
            ]
            whom = f"{sum(self.counts):,} labelled rows, {self._held()}"
            yield f"accuracy: {whom}", ("features", "accuracy", "95 %"), rows
        if confused := self._confused():
            yield "confused most often", ("is", "taken for", "times", "of"), [*confused]
        if self.curve:
            points: list[tuple[object, ...]] = [
                (
                    "all" if one.labels is None else str(one.labels),
                    f"{one.rows:.0f}",
                    f"{one.accuracy:.1f}",
                    "" if one.deviation is None else f"{one.deviation:.1f}",
                )
                for one in self.curve
            ]
            draws = max(one.draws for one in self.curve)
            title = "what more labels bring" + (f", mean of {draws} draws" if draws > 1 else "")
            yield title, ("labels a class", "rows", "accuracy", "deviation"), points

    def _remarks(self) -> Iterator[str]:
        if self.calibration_error is not None:
            alarms = (
                "" if self.false_alarms is None else f"; of labelled classes called unknown: {self.false_alarms:.1f} %"
            )
            yield f"calibration error {self.calibration_error:.1f} %{alarms}"
        yield from (f"note: {note}" for note in self.notes)

    def _held(self) -> str:
        return f"{self.held_out} held out in turn ({self.groups:,} in {self.folds} folds)"

    def _confused(self) -> list[tuple[str, str, int, int]]:
        pairs = [
            (shown(self.classes[true], 40), shown(self.classes[told], 40), count, sum(row))
            for true, row in enumerate(self.confusion)
            for told, count in enumerate(row)
            if count and true != told
        ]
        return sorted(pairs, key=lambda pair: -pair[2])[:_CONFUSIONS_SHOWN]


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """What a classifier learnt from."""

    vectors: Float[np.ndarray, "n d"]
    codes: Int64[np.ndarray, " n"]
    classes: tuple[Any, ...]
    who: Together
    folds: tuple[Int64[np.ndarray, " _"], ...]
    tested: HeldOut | None
    familiar: Familiar
    rows: Rows | None
    recordings: tuple[Recording, ...] | None
    made_by: MadeBy | None
    notes: tuple[str, ...]


def make_report(
    judged: Judged,
    model: Model | None,
    *,
    strengths: tuple[float, ...],
    most: int,
    seed: int,
    baselines: bool = True,
    progress: Progress = silent,
) -> LabelReport:
    """See `Classifier.report`."""
    counts = np.bincount(judged.codes, minlength=len(judged.classes))
    report = LabelReport(
        held_out=judged.who.what if judged.tested else "",
        groups=judged.who.count,
        folds=len(judged.folds),
        classes=tuple(map(str, judged.classes)),
        counts=tuple(counts.tolist()),
        notes=judged.notes,
    )
    if judged.tested is None:
        return report
    logits, _ = judged.tested.honest()
    tested = judged.tested.tested
    codes, told = judged.codes[tested], logits[tested].argmax(axis=1)
    confusion = np.zeros((len(judged.classes),) * 2, dtype=np.int64)
    np.add.at(confusion, (codes, told), 1)
    name = "the encoder's" if judged.made_by is None else judged.made_by.encoder_name
    report = replace(
        report,
        features=(_row(name, "learnt", told == codes, judged.who.take(tested)),),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        calibration_error=calibration_error(
            torch.from_numpy(np.asarray(softmax(logits[tested], axis=1))), torch.from_numpy(codes)
        ),
        false_alarms=_false_alarms(judged),
        curve=_curve(judged, strengths, most, seed, progress),
    )
    return _with_baselines(report, judged, model, strengths, seed, progress) if baselines else report


def _row(name: str, kind: str, right: np.ndarray, who: Together) -> FeatureRow:
    """Its interval is the wider one of Wilson's over rows and, with five people or more, of the bootstrap over them:
    rows of one person tell less than as many of different people."""
    low, high = wilson_interval(int(right.sum()), len(right))
    if who.what != ROWS and who.count >= _LEAST_GROUPS:
        own = bootstrap_interval(right.astype(np.float64), groups=who.groups)
        low, high = min(low, own[0]), max(high, own[1])
    return FeatureRow(
        name=name, kind=kind, accuracy=100 * float(right.mean()), interval=(round(low, 2), round(high, 2))
    )


def _false_alarms(judged: Judged) -> float | None:
    """By thresholds of the other folds."""
    away, alarms, count = judged.familiar.distances, 0, 0
    for test in judged.folds:
        others = np.isfinite(away)
        others[test] = False
        own = away[test][np.isfinite(away[test])]
        threshold, _ = threshold_of(away[others], judged.familiar.false_alarms)
        if threshold is not None:
            alarms += int((own > threshold).sum())
            count += len(own)
    return 100 * alarms / count if count else None


def _curve(
    judged: Judged, strengths: tuple[float, ...], most: int, seed: int, progress: Progress
) -> tuple[CurvePoint, ...]:
    """For each draw and fold so many labels of each class of the other people; each time fitted from nothing, its
    strength chosen by those labels alone."""
    assert judged.tested is not None, "there are folds"
    largest = int(np.bincount(judged.codes).max())
    made = []
    points = (*(count for count in CURVE if count < largest), None)
    for number, labels in enumerate(points):
        progress("learning curve", "points", number, len(points))
        draws = DRAWS if labels else 1
        told = [_drawn(judged, labels, strengths, most, seed + draw) for draw in range(draws)]
        accuracies = [accuracy for accuracy, _ in told]
        made.append(
            CurvePoint(
                labels=labels,
                rows=float(np.mean([rows for _, rows in told])),
                accuracy=float(np.mean(accuracies)),
                deviation=float(np.std(accuracies, ddof=1)) if draws > 1 else None,
                draws=draws,
            )
        )
    progress("learning curve", "points", len(points), len(points))
    return tuple(made)


def _drawn(
    judged: Judged, labels: int | None, strengths: tuple[float, ...], most: int, seed: int
) -> tuple[float, float]:
    """Accuracy in percent, and how many labels were there."""
    if labels is None:
        assert judged.tested is not None, "there are folds"
        tested = judged.tested.tested
        right = judged.tested.honest()[0][tested].argmax(axis=1) == judged.codes[tested]
        rows = np.mean([len(judged.codes) - len(test) for test in judged.folds])
        return 100 * float(right.mean()), float(rows)
    hits = total = used = 0
    for number, test in enumerate(judged.folds):
        rest = np.setdiff1d(np.arange(len(judged.codes)), test)
        some = drawn_of_each(judged.codes, rest, labels, seed=(seed, number))
        layer = few(judged.vectors[some], judged.codes[some], judged.who.take(some), strengths, most, seed)
        hits += int((layer(judged.vectors[test]) == judged.codes[test]).sum())
        total += len(test)
        used += len(some)
    return 100 * hits / total, used / len(judged.folds)


def drawn_of_each(
    codes: Int64[np.ndarray, " n"], among: Int64[np.ndarray, " m"], labels: int, *, seed: Any
) -> Int64[np.ndarray, " s"]:
    """So many places of each class, at most; with more labels the same ones are among them."""
    order = np.random.default_rng(seed).permutation(among)
    return np.concatenate([order[codes[order] == code][:labels] for code in np.unique(codes[among])])


def few(
    vectors: Float[np.ndarray, "n d"],
    codes: Int64[np.ndarray, " n"],
    who: Together,
    strengths: tuple[float, ...],
    most: int,
    seed: int,
) -> Any:
    """What predicts codes, fitted as `Classifier.fit` does."""
    there, own = np.unique(codes, return_inverse=True)
    own = own.astype(np.int64)
    folds = folds_of(own, who, most, seed)
    strength = USUAL
    if folds:
        tested = held_out(vectors, own, len(there), folds, sorted(strengths))
        strength = tested.strengths[tested.best(tested.tested)[0]]
    layer = fit_logistic(vectors, own, len(there), [strength])[0]
    return lambda rows: there[layer.logits(rows).argmax(axis=1)]


def _with_baselines(
    report: LabelReport,
    judged: Judged,
    model: Model | None,
    strengths: tuple[float, ...],
    seed: int,
    progress: Progress,
) -> LabelReport:
    from kinestream.use.baselines import baseline_features

    if model is None or judged.rows is None or judged.made_by is None:
        return replace(
            report,
            notes=(
                *report.notes,
                f"{_NOT_COMPARED}: there are embeddings only, give the encoder and an archive or recordings",
            ),
        )
    some = np.arange(len(judged.codes))
    notes = list(report.notes)
    if len(some) > MOST_JUDGED:
        some = np.sort(np.random.default_rng(seed).permutation(len(some))[:MOST_JUDGED])
        notes.append(f"features are compared by {MOST_JUDGED:,} labelled rows, drawn")
    try:
        found = baseline_features(model, judged.rows.take(some), judged.made_by, judged.recordings, some, seed=seed)
    except ValueError as error:
        notes.append(f"{_NOT_COMPARED}: {shown(str(error), 300)}")
        return replace(report, notes=tuple(notes))
    codes, who = judged.codes[some], judged.who.take(some)
    places = np.full(len(judged.codes), -1, dtype=np.int64)
    places[some] = np.arange(len(some))
    folds = [kept for test in judged.folds if len(kept := places[test][places[test] >= 0])]
    rows: list[FeatureRow] = []
    raw: list[FeatureRow] = []
    every: Mapping[str, np.ndarray] = found.features
    if len(some) < len(judged.codes):
        every = {report.features[0].name: judged.vectors[some], **every}
    for number, (name, vectors) in enumerate(every.items()):
        progress("baselines", "features", number, len(every))
        tested = held_out(vectors, codes, len(judged.classes), folds, sorted(strengths))
        right = tested.honest()[0][tested.tested].argmax(axis=1) == codes[tested.tested]
        kind = "raw" if name.startswith("raw ") else "untrained" if name == "untrained encoder" else "learnt"
        (raw if kind == "raw" else rows).append(_row(name, kind, right, who.take(tested.tested)))
    progress("baselines", "features", len(every), len(every))
    best = max(raw, key=lambda one: one.accuracy)
    first = () if rows and rows[0].kind == "learnt" else report.features
    return replace(report, features=(*first, *rows, best), notes=(*notes, *found.notes))
