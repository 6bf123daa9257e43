"""What a protocol leaves: a table on the screen, and four files that others read."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kinestream.evaluate.protocols.outcome import Outcome, headline
from kinestream.evaluate.protocols.subject import Subject
from kinestream.features.metrics import Accuracy
from kinestream.files import replacing, write_json
from kinestream.train.run_folder import append_line

RESULTS = "results.csv"
RESULT_COLUMNS = (
    *("protocol", "split", "features", "kind", "how", "streams", "seed", "metric", "value", "low", "high", "leak"),
)
_HARDEST_SHOWN = 5


def name(subject: Subject, outcome: Outcome) -> str:
    """What the outcome is called in tables and files."""
    source = {
        "run": subject.source.name,
        "untrained": "untrained encoder",
        "supervised": "supervised from random weights",
        "raw": "raw coordinates",
    }[outcome.kind]
    how = {"alone": outcome.streams[0], "together": "streams together", "fused": "scores fused"}[outcome.how]
    plain = outcome.kind == "raw" and outcome.streams == ("joint",)
    return ", ".join((source, *([] if plain else [how]), *([outcome.variant] if outcome.variant else [])))


def publish(
    subject: Subject,
    protocol: str,
    settings: Mapping[str, Any],
    outcomes: Sequence[Outcome],
    columns: Mapping[str, Sequence[str]] | None = None,
    *,
    first: str = "top-1 %",
    top5: bool = True,
) -> None:
    """Prints a table with the protocol's own `columns` (a cell for each outcome) after the usual ones, of which `first`
    heads the accuracy, and writes
    `evaluation-<protocol>-<split>.json`, `predictions-<protocol>-<split>.csv`, rows of `results.csv` and a line of
    `metrics.jsonl`."""
    _show(subject, protocol, outcomes, columns or {}, first, top5)
    stem, folder = f"{protocol}-{subject.split}", subject.source.folder.path
    evaluation, predictions = folder / f"evaluation-{stem}.json", folder / f"predictions-{stem}.csv"
    own = headline(outcomes)
    write_json(evaluation, _plain(subject, protocol, settings, outcomes))
    _write_predictions(subject, own, predictions)
    _write_results(subject, protocol, outcomes, folder / RESULTS)
    append_line(subject.source.folder.metrics, _line(subject, protocol, own))
    known = {key: share for key, share in _class_shares(subject, own.accuracy).items() if share is not None}
    worst = sorted(known.items(), key=lambda entry: entry[1])[:_HARDEST_SHOWN]
    subject.screen.say("hardest classes: " + ", ".join(f"{key} {share:.0f} %" for key, share in worst))
    source = subject.source
    if (
        source.published
        and protocol == source.published.protocol
        and (subject.store.info.dataset, subject.split)
        == (
            source.dataset,
            source.split,
        )
    ):
        subject.screen.say(f"published: {source.published.accuracy:.2f} ({source.published.what})")
    subject.screen.say(f"per class and all settings: {evaluation}")
    subject.screen.say(f"each test clip: {predictions}; all figures of all protocols: {folder / RESULTS}")


def _show(
    subject: Subject,
    protocol: str,
    outcomes: Sequence[Outcome],
    own: Mapping[str, Sequence[str]],
    first: str,
    top5: bool,
) -> None:
    shown: dict[str, Sequence[str]] = {
        first: [_with_deviation(outcome) for outcome in outcomes],
        "95 % interval": [f"{outcome.interval[0]:.1f} to {outcome.interval[1]:.1f}" for outcome in outcomes],
    }
    if top5:
        shown["top-5 %"] = [f"{outcome.accuracy.top5:.2f}" for outcome in outcomes]
    shown["mean class %"] = [f"{outcome.accuracy.mean_class:.2f}" for outcome in outcomes]
    for title, values in (
        ("ECE %", [outcome.ece for outcome in outcomes]),
        ("without copies %", [outcome.unseen_top1 for outcome in outcomes]),
    ):
        if any(value is not None for value in values):
            shown[title] = ["-" if value is None else f"{value:.2f}" for value in values]
    shown |= own
    info = subject.store.info
    title = f"{protocol}: {info.dataset} {subject.split}, {len(subject.train):,} training clips, "
    title += f"{len(subject.test):,} test clips{'; LEAK ALLOWED' if subject.leak else ''}"
    names = [name(subject, outcome) for outcome in outcomes]
    subject.screen.table(title, ("features", *shown), list(zip(names, *shown.values(), strict=True)))


def _with_deviation(outcome: Outcome) -> str:
    deviation = outcome.deviation
    return f"{outcome.accuracy.top1:.2f}" + ("" if deviation is None else f" ± {deviation:.2f}")


def _plain(subject: Subject, protocol: str, settings: Mapping[str, Any], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    results = {}
    for outcome in outcomes:
        low, high = outcome.interval
        results[name(subject, outcome)] = {
            "features": outcome.kind,
            "how": outcome.how,
            "streams": list(outcome.streams),
            "top1": outcome.accuracy.top1,
            "top1_low": low,
            "top1_high": high,
            **_seed_figures(outcome),
            "top5": outcome.accuracy.top5,
            "mean_class": outcome.accuracy.mean_class,
            "ece": outcome.ece,
            "top1_without_copies": outcome.unseen_top1,
            **{key: _finite(value) for key, value in outcome.extra.items()},
            "per_class": _class_shares(subject, outcome.accuracy),
        }
    return {
        "protocol": protocol,
        "recipe": subject.source.name,
        "seed": subject.source.seed,
        "data": subject.store.info.dataset,
        "split": subject.split,
        "train_clips": len(subject.train),
        "test_clips": len(subject.test),
        "test_clips_that_are_copies": int(subject.copies.sum()),
        "leak": subject.leak,
        "command": list(subject.command),
        "settings": dict(settings),
        "results": results,
    }


def _seed_figures(outcome: Outcome) -> dict[str, Any]:
    if not outcome.seeds:
        return {}
    return {
        "seeds": list(outcome.seeds),
        "top1_by_seed": list(outcome.top1_by_seed),
        "top1_deviation": outcome.deviation,
    }


def _class_shares(subject: Subject, result: Accuracy) -> dict[str, float | None]:
    """Accuracy by class name; None for a class without test clips."""
    pairs = zip(subject.store.info.classes, result.per_class.tolist(), strict=True)
    return {key: None if share != share else round(share, 2) for key, share in pairs}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_predictions(subject: Subject, own: Outcome, path: Path) -> None:
    classes, labels = subject.store.info.classes, subject.test_labels.tolist()
    confidence = [""] * len(labels) if own.confidence is None else [f"{value:.6f}" for value in own.confidence.tolist()]
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "label", "predicted", "confidence"))
        for index, label, predicted, sure in zip(
            subject.test.tolist(), labels, own.predicted.tolist(), confidence, strict=True
        ):
            writer.writerow((subject.store.table.name[index], classes[label], classes[predicted], sure))


def _write_results(subject: Subject, protocol: str, outcomes: Sequence[Outcome], path: Path) -> None:
    """Replaces the rows of this protocol and split, and leaves the others."""
    kept: list[dict[str, str]] = []
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            kept = [row for row in csv.DictReader(file) if (row["protocol"], row["split"]) != (protocol, subject.split)]
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, RESULT_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        for outcome in outcomes:
            shared = {
                "protocol": protocol,
                "split": subject.split,
                "features": name(subject, outcome),
                "kind": outcome.kind,
                "how": outcome.how,
                "streams": "+".join(outcome.streams),
                "seed": " ".join(map(str, outcome.seeds or (subject.source.seed,))),
                "leak": subject.leak or "",
            }
            for metric, value in _metrics(outcome):
                low, high = outcome.interval if metric == "top1" else ("", "")
                writer.writerow({**shared, "metric": metric, "value": value, "low": low, "high": high})


def _metrics(outcome: Outcome) -> Iterator[tuple[str, float]]:
    figures = {
        "top1": outcome.accuracy.top1,
        "top1_deviation": outcome.deviation,
        "top5": outcome.accuracy.top5,
        "mean_class": outcome.accuracy.mean_class,
        "ece": outcome.ece,
        "top1_without_copies": outcome.unseen_top1,
        **outcome.extra,
    }
    for metric, value in figures.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield metric, value


def _line(subject: Subject, protocol: str, own: Outcome) -> dict[str, Any]:
    low, high = own.interval
    return {
        "kind": "evaluation",
        "protocol": protocol,
        "data": subject.store.info.dataset,
        "split": subject.split,
        "features": name(subject, own),
        "top1": own.accuracy.top1,
        "top1_low": low,
        "top1_high": high,
        "top5": own.accuracy.top5,
        "mean_class": own.accuracy.mean_class,
        "ece": own.ece,
        "leak": subject.leak,
    }
