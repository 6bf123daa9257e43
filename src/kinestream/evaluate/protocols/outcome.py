"""What one set of features reached, and what stands for a run."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kinestream.evaluate.certainty import bootstrap_interval
from kinestream.features.metrics import Accuracy

Kind = Literal["run", "untrained", "raw", "supervised"]
How = Literal["alone", "together", "fused"]
"""A stream by itself; all at once (one probe on all, neighbours by all); or the scores of the single ones summed."""

_BOOTSTRAP_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one set of features reached."""

    kind: Kind
    how: How
    streams: tuple[str, ...]
    accuracy: Accuracy
    unseen_top1: float | None
    """Top-1 without the test clips that are copies of a training clip; None where there are no copies."""
    extra: Mapping[str, Any]
    """Further figures of the protocol."""
    ece: float | None
    """Calibration error in percent; None where scores are no probabilities."""
    hits: Float[Tensor, " q"]
    """1 for each test clip that was recognised, else 0; with several seeds the share of them."""
    predicted: Int[Tensor, " q"]
    """With several seeds by the first."""
    confidence: Float[Tensor, " q"] | None
    """Probability of the predicted class."""
    variant: str = ""
    """What tells it from others of the same features in one protocol."""
    seeds: tuple[int, ...] = ()
    """Of the trainings that the figures are means of; empty where nothing was drawn but by the settings."""
    top1_by_seed: tuple[float, ...] = ()

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval of top-1 over the test clips, in percent."""
        return bootstrap_interval(self.hits, seed=_BOOTSTRAP_SEED)

    @property
    def deviation(self) -> float | None:
        """Sample deviation of top-1 over the seeds; None for one."""
        return statistics.stdev(self.top1_by_seed) if len(self.top1_by_seed) > 1 else None


def headline(outcomes: Sequence[Outcome]) -> Outcome:
    """What stands for the run: all its streams together, or fused, or its only one."""
    own = [outcome for outcome in outcomes if outcome.kind in ("run", "supervised")]
    ways = {outcome.how: outcome for outcome in reversed(own)}
    return ways.get("together") or ways.get("fused") or own[0]


def mean_of_seeds(outcomes: Sequence[Outcome], seeds: Sequence[int]) -> Outcome:
    """One outcome for the same features with several seeds: every figure is the mean."""
    first = outcomes[0]

    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return statistics.fmean(known) if len(known) == len(values) else None

    found = [outcome.accuracy for outcome in outcomes]
    numbers = [key for key, value in first.extra.items() if isinstance(value, int | float)]
    return replace(
        first,
        accuracy=Accuracy(
            top1=statistics.fmean(one.top1 for one in found),
            top5=statistics.fmean(one.top5 for one in found),
            per_class=torch.stack([one.per_class for one in found]).mean(dim=0),
        ),
        unseen_top1=mean([outcome.unseen_top1 for outcome in outcomes]),
        ece=mean([outcome.ece for outcome in outcomes]),
        hits=torch.stack([outcome.hits for outcome in outcomes]).mean(dim=0),
        extra={**first.extra, **{key: mean([outcome.extra[key] for outcome in outcomes]) for key in numbers}},
        seeds=tuple(seeds),
        top1_by_seed=tuple(one.top1 for one in found),
    )
