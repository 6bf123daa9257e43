"""How far a figure can be trusted: calibration of the probabilities, and the interval that another draw of test clips
would give."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

BINS = 15
RESAMPLES = 1000


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
    hits: Float[np.ndarray, " n"], *, seed: int = 0, resamples: int = RESAMPLES, share: float = 0.95
) -> tuple[float, float]:
    """Lower and upper end, in percent, of the interval that holds `share` of the means over test clips drawn anew with
    replacement. `hits` is 1 for a clip that was recognised, or the share of the seeds that did.

    Raises ValueError when there are no clips.

    Example:
        >>> bootstrap_interval(np.ones(20))
        (100.0, 100.0)
    """
    if not len(hits):
        raise ValueError("no test clips: there is no interval around nothing")
    # One draw after the other: scipy.stats.bootstrap gives the same interval, from a table of all draws.
    generator = np.random.default_rng(seed)
    means = [hits[generator.integers(len(hits), size=len(hits))].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return 100 * float(low), 100 * float(high)
