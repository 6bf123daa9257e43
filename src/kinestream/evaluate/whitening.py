"""Features whose directions are brought nearer to one size (whitening to a power): cosines then do not hang on the few
directions in which all clips differ most, or on those in which one performance differs from camera to camera."""

import torch
from jaxtyping import Float, Int
from sklearn.covariance import ledoit_wolf
from torch import Tensor
from torch.nn import functional

_LEAST = 1e-4
"""Directions in which the training clips vary less than this share of the most are left out: what a test clip has there
is nothing that was learnt."""


def whiten(
    train: Float[Tensor, "n d"],
    test: Float[Tensor, "q d"],
    power: float,
    *,
    performances: Int[Tensor, " n"] | None = None,
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "q d"]]:
    """Both as unit vectors, less the mean of `train`, along the principal directions of a covariance, each divided by
    its deviation to `power`, and made unit vectors again. Nothing of `test` counts.

    The covariance is that of `train`: a power of 1 is then the whitening of Jégou and Chum (2012), of all components;
    towards 0 it only takes off the mean. With `performances`, a number for each clip of `train`, the same for clips of
    one performance, it is that within performances: what differs from camera to camera weighs less, what stays the
    same weighs more. With a power of 1 this is within-class covariance normalisation (Hatch et al. 2006) with
    performances for classes, shrunk as Ledoit and Wolf (2004) estimate it, for cameras' differences are few.

    Raises ValueError for a power outside (0, 1], for features that are not finite or all the same, and where no two
    clips are of one performance.

    Example:
        >>> rows = torch.tensor([[4.0, 3.0], [4.0, -3.0], [-4.0, 3.0], [-4.0, -3.0]])
        >>> whiten(rows, rows[:1], 1.0)[1].abs().numpy().round(2)  # both directions count alike
        array([[0.71, 0.71]], dtype=float32)
    """
    if not 0 < power <= 1:
        raise ValueError(f"whitening to the power {power}: it must be above 0 and at most 1")
    if not (train.isfinite().all() and test.isfinite().all()):
        raise ValueError("some features are not finite: the encoder has diverged")
    units = [functional.normalize(rows.double(), dim=1) for rows in (train, test)]
    mean = units[0].mean(dim=0)
    centred = units[0] - mean
    if performances is None:
        covariance = centred.T @ centred / len(centred)
    else:
        covariance = torch.from_numpy(ledoit_wolf(_contrasts(centred, performances).numpy(), assume_centered=True)[0])
    variances, directions = torch.linalg.eigh(covariance)
    deviations = variances.clamp(min=0).sqrt()
    if deviations.max() < 1e-12:
        raise ValueError(
            f"the features of the {len(train)} training clips are all the same: there is nothing to whiten"
            if performances is None
            else "no performance differs from one camera to another: there is nothing to whiten by"
        )
    scales = torch.where(deviations > _LEAST * deviations.max(), deviations, torch.inf) ** -power
    made = [functional.normalize((rows - mean) @ (directions * scales), dim=1).float() for rows in units]
    return made[0], made[1]


def _contrasts(rows: Float[Tensor, "n d"], performances: Int[Tensor, " n"]) -> Float[Tensor, "m d"]:
    """For each performance of k clips k - 1 rows, each the mean of some of them less the next one, scaled to the
    deviation of a single clip (Helmert's contrasts): two clips x and y give (x - y) / sqrt(2)."""
    clips_of_each = performances.unique(return_counts=True)[1].tolist()
    made = [
        (clips[:seen].mean(dim=0) - clips[seen]) * (seen / (seen + 1)) ** 0.5
        for clips in rows[performances.argsort(stable=True)].split(clips_of_each)
        for seen in range(1, len(clips))
    ]
    if not made:
        raise ValueError(f"of the {len(rows)} training clips no two are of one performance: whiten by all clips")
    return torch.stack(made)
