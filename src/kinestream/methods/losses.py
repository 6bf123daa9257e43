"""Losses of the self-distillation methods, as functions of embeddings. B is the batch, d the embedding."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def cosine_distance(a: Float[Tensor, "B d"], b: Float[Tensor, "B d"]) -> Float[Tensor, ""]:
    """`D(a, b) = 2 - 2 cos(a, b)`, averaged over the batch: the squared distance of the unit vectors.

    Example:
        >>> float(cosine_distance(torch.eye(2), torch.eye(2).flip(0)))
        2.0
    """
    return 2 - 2 * functional.cosine_similarity(a, b, dim=-1).mean()


def byol_loss(
    q1: Float[Tensor, "B d"], q2: Float[Tensor, "B d"], z1: Float[Tensor, "B d"], z2: Float[Tensor, "B d"]
) -> Float[Tensor, ""]:
    """`D(q1, z2) + D(q2, z1)`: each prediction meets the target's embedding of the other view (Grill et al. 2020)."""
    return cosine_distance(q1, z2) + cosine_distance(q2, z1)


def caca_loss(
    q1: Float[Tensor, "B d"],
    q2: Float[Tensor, "B d"],
    z1: Float[Tensor, "B d"],
    z2: Float[Tensor, "B d"],
    *,
    push: float = 0.5,
) -> Float[Tensor, ""]:
    """`D(q1, q2) - push [D(q1, z1) + D(q2, z2)]`: cross-model adversarial learning (3s-CACA, CMAL).

    The two online predictions attract each other; each is pushed from the target's embedding of the *same* view. As
    published, `push` is 1/2; at least -4 * push, where all predictions agree and oppose all targets.
    """
    return cosine_distance(q1, q2) - push * (cosine_distance(q1, z1) + cosine_distance(q2, z2))


@torch.no_grad()
def whiten(z: Float[Tensor, "B d"], shrinkage: float = 0.1) -> Float[Tensor, "B d"]:
    """Targets without mean and correlations: `(z - mean) (C + shrinkage tr(C)/d I)^(-1/2)`, C the batch's covariance.

    Where a few directions hold nearly all variance of the targets, a prediction that gets those right has a small loss
    and the others are never learnt (dimensional collapse). Whitened, every direction counts alike. After Ermolov et al.
    2021, who whiten both sides; here the targets only, which carry no gradient.
    """
    centred = (z - z.mean(dim=0)).float() if z.dtype in (torch.float16, torch.bfloat16) else z - z.mean(dim=0)
    covariance = centred.T @ centred / len(z)
    values, directions = torch.linalg.eigh(covariance)
    values = values.clamp(min=0)
    scale = (values + shrinkage * values.mean() + torch.finfo(values.dtype).tiny).rsqrt()
    return (centred @ (directions * scale) @ directions.T).to(z.dtype)
