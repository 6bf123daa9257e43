"""How far features are from collapse."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


@torch.no_grad()
def feature_spread(features: Float[Tensor, "B d"]) -> Float[Tensor, ""]:
    """`sqrt(d)` times the standard deviation, averaged over the dimensions, of the unit vectors (Chen and He 2021,
    section 4.1): 1 for directions spread evenly over the sphere, 0 when all clips have the same.

    Example:
        >>> float(feature_spread(torch.ones(8, 4)))
        0.0
    """
    unit = functional.normalize(features, dim=1)
    return unit.std(dim=0, correction=0).mean() * features.shape[1] ** 0.5
