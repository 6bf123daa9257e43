"""What evaluations saved in a run's folder. What is no such file, or damaged, is passed over."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from kinestream.documents import read_json
from kinestream.tables import read_table
from kinestream.words import plain_name, plain_text

PROTOCOLS = ("linear", "knn")
"""In the order in which they are asked for what stands for the run; others follow by name."""


@runtime_checkable
class AnyRow(Protocol):
    """A row as it is found, or as it was saved."""

    @property
    def kind(self) -> str: ...
    @property
    def how(self) -> str: ...


OneRow = TypeVar("OneRow", bound=AnyRow)


def standing_for(rows: Sequence[OneRow], kinds: Collection[str]) -> OneRow | None:
    """Of the rows of these kinds the one that stands for all: the streams together, or fused, or the only one; the
    first of several alone; None where there is none."""
    ways = {row.how: row for row in reversed(rows) if row.kind in kinds}
    return next((ways[how] for how in ("together", "fused", "alone") if how in ways), None)


@dataclass(frozen=True, kw_only=True)
class SavedRow:
    """One row of an evaluation; accuracies in percent."""

    name: str
    kind: str
    """`run`, `untrained` or `raw`."""
    how: str
    """`alone`, `together` or `fused`."""
    streams: tuple[str, ...]
    top1: float
    low: float
    """With `high` the 95 % interval of `top1`."""
    high: float
    top5: float | None
    mean_class: float | None
    without_copies: float | None
    per_class: Mapping[str, float | None]
    """By class name; None for a class without test clips."""


@dataclass(frozen=True, kw_only=True)
class SavedResult:
    """One `evaluation-*.json`."""

    protocol: str
    split: str
    train_clips: int | None
    test_clips: int
    copies: int
    """Test clips that are copies of a training clip."""
    leak: str | None
    """What is wrong with the split, in a sentence."""
    command: tuple[str, ...]
    """The words that make it again; none where it was part of a larger command."""
    fusion: Mapping[str, float] | None
    """Weights of the streams' scores where they are fused; None for alike."""
    rows: tuple[SavedRow, ...]
    changed: str = ""
    """What differs from the usual settings: `k=50`."""

    @property
    def called(self) -> str:
        """The protocol, and what differs from its usual settings."""
        return f"{self.protocol} {self.changed}".rstrip()

    def headline(self, kind: str = "run") -> SavedRow | None:
        """What stands for the run (or for the `untrained` encoder, or the `raw` coordinates), see `standing_for`."""
        return standing_for(self.rows, (kind,))


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a test clip was taken for."""

    file: str
    label: str
    predicted: str
    confidence: float | None


def read_evaluations(run: Path) -> tuple[SavedResult, ...]:
    """All evaluations of a run that can be read, the linear ones first, and of each those with the usual settings. What
    is no evaluation is passed over."""
    return tuple(evaluation for _, evaluation in _evaluations(run))


def _evaluations(run: Path) -> list[tuple[str, SavedResult]]:
    """With what their files are called."""
    found = [(path.stem, evaluation) for path in sorted(run.glob("evaluation-*.json")) for evaluation in _read(path)]
    return sorted(found, key=lambda one: (_rank(one[1].protocol), one[1].changed))


def read_predictions(run: Path, split: str) -> dict[str, tuple[Prediction, ...]]:
    """The predictions of each protocol on a split, the linear one's first, and of each those with the usual
    settings."""
    found: dict[str, tuple[Prediction, ...]] = {}
    files = {
        run / f"predictions-{stem.removeprefix('evaluation-')}.csv": one.called
        for stem, one in _evaluations(run)
        if one.split == split
    }
    for path in sorted(run.glob(f"predictions-*-{split}.csv"), key=lambda path: _rank(path.name.split("-")[1])):
        files.setdefault(path, path.name.removeprefix("predictions-").removesuffix(f"-{split}.csv"))
    for path, protocol in files.items():
        try:
            rows = read_table(path, ("file", "label", "predicted", "confidence"), remedy="evaluate again", others=True)
        except (OSError, ValueError):
            continue
        if rows:
            found[protocol] = tuple(
                Prediction(
                    file=plain_name(file),
                    label=plain_text(label),
                    predicted=plain_text(predicted),
                    confidence=_number(confidence),
                )
                for _, (file, label, predicted, confidence) in rows
            )
    return found


def _read(path: Path) -> Iterator[SavedResult]:
    try:
        plain = read_json(path, remedy="evaluate again", finite=False)
        yield SavedResult(
            protocol=plain_name(str(plain["protocol"])),
            split=plain_name(str(plain["split"])),
            train_clips=None if plain.get("train_clips") is None else int(plain["train_clips"]),
            test_clips=int(plain["test_clips"]),
            copies=int(plain.get("test_clips_that_are_copies") or 0),
            leak=plain_text(str(plain["leak"])) if plain.get("leak") else None,
            command=tuple(map(str, plain.get("command", ()))),
            changed=" ".join(map(str, plain.get("changed") or ())),
            fusion=_weights((plain.get("settings") or {}).get("weights")),
            rows=tuple(row for name, entry in plain["results"].items() if (row := _row(name, entry)) is not None),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return


def _row(name: str, plain: Mapping[str, Any]) -> SavedRow | None:
    """None for an entry without an accuracy: other protocols have figures of other kinds."""
    top1 = _number(plain.get("top1"))
    if top1 is None:
        return None
    streams: Sequence[str] = plain.get("streams") or ()
    return SavedRow(
        name=plain_text(name),
        kind=str(plain.get("features", "run")),
        how=str(plain.get("how", "alone")),
        streams=tuple(map(str, streams)),
        top1=_percent(top1),
        low=_percent(plain["top1_low"]),
        high=_percent(plain["top1_high"]),
        top5=_number(plain.get("top5")),
        mean_class=_number(plain.get("mean_class")),
        without_copies=_number(plain.get("top1_without_copies")),
        per_class={plain_text(key): _number(share) for key, share in (plain.get("per_class") or {}).items()},
    )


def _weights(plain: Any) -> dict[str, float] | None:
    """None for the word `uniform`, and where nothing is said."""
    return {str(stream): float(weight) for stream, weight in plain.items()} if isinstance(plain, Mapping) else None


def _number(value: Any) -> float | None:
    try:
        return None if value is None or value == "" or not math.isfinite(float(value)) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _percent(value: Any) -> float:
    """Raises ValueError for what is no accuracy."""
    number = _number(value)
    if number is None or not 0 <= number <= 100:
        raise ValueError(f"{number} is no accuracy in percent")
    return number


def _rank(protocol: str) -> tuple[int, str]:
    return (PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS), protocol)
