"""Accuracy of ranked predictions, and how far it can be trusted: calibration of the probabilities, and the interval
that another draw of test clips would give."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

BINS = 15
RESAMPLES = 1000
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """In percent."""

    top1: float
    top5: float
    per_class: Float[Tensor, " classes"]
    """Share of the clips of each class that are recognised; nan for a class without test clips."""

    @property
    def mean_class(self) -> float:
        """Mean of the classes that have test clips."""
        return float(self.per_class.nanmean())


def ranked(scores: Float[Tensor, "n classes"]) -> Int[Tensor, "n classes"]:
    """The classes of each row by descending score; of equal scores the lower class first."""
    return scores.argsort(dim=1, descending=True, stable=True)


def accuracy(ranking: Int[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> Accuracy:
    """Accuracy of class rankings, best guess first.

    Example:
        >>> accuracy(torch.tensor([[0, 1], [0, 1]]), torch.tensor([0, 1])).top1
        50.0
    """
    if not len(labels):
        raise ValueError("no test clips: accuracy of nothing is not defined")
    hits = ranking == labels[:, None]
    classes = ranking.shape[1]
    count = torch.bincount(labels, minlength=classes).double()
    right = torch.bincount(labels[hits[:, 0]], minlength=classes).double()
    return Accuracy(
        top1=100 * float(hits[:, 0].double().mean()),
        top5=100 * float(hits[:, :5].any(dim=1).double().mean()),
        per_class=(100 * right / count).float(),
    )


def fuse_scores(
    scores: Mapping[str, Float[Tensor, "q classes"]], weights: Mapping[str, float] | None = None
) -> Float[Tensor, "q classes"]:
    """The weighted sum of the logits of classifiers that were trained apart, one a stream; alike where not weighted.

    Raises ValueError when the weights do not name just the streams.

    Example:
        >>> scores = {"joint": torch.tensor([[1.0, 0.0]]), "bone": torch.tensor([[0.0, 3.0]])}
        >>> fuse_scores(scores, {"joint": 0.75, "bone": 0.25}).tolist()
        [[0.75, 0.75]]
    """
    weights = dict.fromkeys(scores, 1.0) if weights is None else weights
    if weights.keys() != scores.keys():
        raise ValueError(f"weights for {', '.join(weights)}, but the streams are {', '.join(scores)}: name each once")
    return torch.stack([weights[stream] * values for stream, values in scores.items()]).sum(dim=0)


def calibration_error(
    probabilities: Float[Tensor, "n classes"], labels: Int[Tensor, " n"], *, bins: int = BINS
) -> float:
    """Expected calibration error (Guo et al. 2017), in percent: the confidences in `bins` bins of equal width; in each
    the distance between mean confidence and share of hits, weighted by the clips in it.

    Example:
        >>> calibration_error(torch.tensor([[0.9, 0.1], [0.9, 0.1]]), torch.tensor([0, 1]))
        40.0
    """
    # By hand, since torchmetrics takes two seconds to import.
    confidence, predicted = probabilities.double().max(dim=1)
    hits = (predicted == labels).double()
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gap = torch.zeros(bins, dtype=torch.float64).index_add(0, place, hits - confidence)
    return round(100 * float(gap.abs().sum()) / len(labels), 4)


def bootstrap_interval(
    hits: Float[np.ndarray, " n"],
    *,
    groups: Int64[np.ndarray, " n"] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    share: float = 0.95,
) -> tuple[float, float]:
    """Lower and upper end, in percent, of the interval that holds `share` of the means over test clips drawn anew with
    replacement. `hits` is 1 for a clip that was recognised, or the share of the seeds that did. With `groups`, such as
    the person of each clip, these are drawn, each with all of its clips.

    Raises ValueError when there are no clips.

    Example:
        >>> bootstrap_interval(np.ones(20))
        (100.0, 100.0)
    """
    if not len(hits):
        raise ValueError("no test clips: there is no interval around nothing")
    # One draw after the other: scipy.stats.bootstrap gives the same interval, from a table of all draws.
    generator = np.random.default_rng(seed)
    if groups is None:
        means = [hits[generator.integers(len(hits), size=len(hits))].mean() for _ in range(resamples)]
    else:
        _, own = np.unique(groups, return_inverse=True)
        sums, counts = np.bincount(own, weights=hits), np.bincount(own)
        drawn = (generator.integers(len(counts), size=len(counts)) for _ in range(resamples))
        means = [sums[some].sum() / counts[some].sum() for some in drawn]
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return 100 * float(low), 100 * float(high)


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of `count` independent clips, in percent (Wilson 1927): it is wide where there are
    few, also where all or none are recognised.

    Raises ValueError when there are no clips.

    Example:
        >>> low, high = wilson_interval(10, 10)
        >>> round(low, 1), round(high, 1)
        (72.2, 100.0)
    """
    if not count:
        raise ValueError("no test clips: there is no interval around nothing")
    share, z2 = right / count, _NORMAL_95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _NORMAL_95 * (share * (1 - share) / count + z2 / (4 * count**2)) ** 0.5 / (1 + z2 / count)
    return max(0.0, 100 * (middle - half)), min(100.0, 100 * (middle + half))
