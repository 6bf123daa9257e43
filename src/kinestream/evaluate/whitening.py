"""Features whose principal components are brought nearer to one size (PCA whitening to a power): cosines then do not
hang on the few directions in which all clips differ most."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_LEAST = 1e-4
"""Directions in which the training clips vary less than this share of the most are left out: what a test clip has there
is nothing that was learnt."""


def whiten(
    train: Float[Tensor, "n d"], test: Float[Tensor, "q d"], power: float
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "q d"]]:
    """Both as unit vectors, less the mean of `train`, along the principal components of `train`, each divided by its
    deviation to `power`, and made unit vectors again. Nothing of `test` counts. A power of 1 is the whitening of Jégou
    and Chum (2012), of all components; towards 0 it only takes off the mean.

    Raises ValueError for a power outside (0, 1], and for features that are not finite or all the same.

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
    variances, directions = torch.linalg.eigh(centred.T @ centred / len(centred))
    deviations = variances.clamp(min=0).sqrt()
    if deviations.max() < 1e-12:
        raise ValueError(
            f"the features of the {len(train)} training clips are all the same: there is nothing to whiten"
        )
    scales = torch.where(deviations > _LEAST * deviations.max(), deviations, torch.inf) ** -power
    made = [functional.normalize((rows - mean) @ (directions * scales), dim=1).float() for rows in units]
    return made[0], made[1]
