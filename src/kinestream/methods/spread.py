"""How far features are from collapse."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kinestream.distributed.collectives import moments_over_processes


@torch.no_grad()
def feature_spread(features: Float[Tensor, "B d"]) -> Float[Tensor, ""]:
    """`sqrt(d)` times the standard deviation, averaged over the dimensions, of the unit vectors (Chen and He 2021,
    section 4.1): 1 for directions spread evenly over the sphere, 0 when all clips have the same. Of the clips of all
    processes.

    Example:
        >>> float(feature_spread(torch.ones(8, 4)))
        0.0
    """
    unit = functional.normalize(features, dim=1)
    # Filled on the device: a number that is copied there would make the program wait.
    clips = torch.full((), len(unit), dtype=torch.float64, device=unit.device)
    _, variance, _ = moments_over_processes(unit.mean(dim=0).double(), unit.var(dim=0, correction=0).double(), clips)
    return variance.sqrt().mean() * features.shape[1] ** 0.5
