"""Losses of the self-distillation and in-batch methods, as functions of embeddings. B is the batch, d the embedding."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kinestream.methods.single_precision import in_single_precision


@in_single_precision
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
@in_single_precision
def whiten(z: Float[Tensor, "B d"], shrinkage: float = 0.1) -> Float[Tensor, "B d"]:
    """Targets without mean and correlations: `(z - mean) (C + shrinkage tr(C)/d I)^(-1/2)`, C the batch's covariance.

    Where a few directions hold nearly all variance of the targets, a prediction that gets those right has a small loss
    and the others are never learnt (dimensional collapse). Whitened, every direction counts alike. After Ermolov et al.
    2021, who whiten both sides; here the targets only, which carry no gradient.
    """
    centred = z - z.mean(dim=0)
    covariance = centred.T @ centred / len(z)
    values, directions = torch.linalg.eigh(covariance)
    values = values.clamp(min=0)
    scale = (values + shrinkage * values.mean() + torch.finfo(values.dtype).tiny).rsqrt()
    return centred @ (directions * scale) @ directions.T


@in_single_precision
def nt_xent_loss(z1: Float[Tensor, "B d"], z2: Float[Tensor, "B d"], *, temperature: float = 0.1) -> Float[Tensor, ""]:
    """Each of the 2B embeddings finds the other view of its clip among the 2B - 1 others (SimCLR, Chen et al. 2020):
    `-mean_i log [exp(cos(z_i, z_p(i)) / T) / sum_{j != i} exp(cos(z_i, z_j) / T)]`."""
    z = functional.normalize(torch.cat([z1, z2]), dim=1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = (z @ z.T / temperature).masked_fill(itself, -torch.inf)
    other_view = torch.arange(len(z), device=z.device).roll(len(z1))
    return functional.cross_entropy(logits, other_view)


@in_single_precision
def mixture_loss(
    mixture: Float[Tensor, "B d"], z: Float[Tensor, "B d"], share: Float[Tensor, " B"], *, temperature: float = 0.1
) -> Float[Tensor, ""]:
    """Each mixture of clip i and the one opposite to it in the batch, B - 1 - i, finds both among the B clips of
    another view, each by its share (i-Mix, Lee et al. 2021): with p the softmax over j of `cos(mixture_i, z_j) / T`,
    `-mean_i [l_i log p_i,i + (1 - l_i) log p_i,B-1-i]`."""
    cosines = functional.normalize(mixture, dim=1) @ functional.normalize(z, dim=1).T
    found = (cosines / temperature).log_softmax(dim=1)
    return -(share * found.diagonal() + (1 - share) * found.flip(1).diagonal()).mean()


@in_single_precision
def vicreg_loss(
    z1: Float[Tensor, "B d"],
    z2: Float[Tensor, "B d"],
    *,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Float[Tensor, ""]:
    """`a s(z1, z2) + b [v(z1) + v(z2)] / 2 + c [k(z1) + k(z2)]` (VICReg, Bardes et al. 2022): s the mean squared
    difference of all entries, v the mean over dimensions of `max(0, 1 - sqrt(var + 1e-4))`, k the sum of the squared
    covariances of different dimensions over d. Variances and covariances divide by B - 1."""
    # NOTE: s and the half of v are those of the authors' code; the paper sums s over dimensions and does not halve v.
    agreement = functional.mse_loss(z1, z2)
    kept = (_deviation_hinge(z1) + _deviation_hinge(z2)) / 2
    correlated = _squared_covariances(z1) + _squared_covariances(z2)
    return invariance * agreement + variance * kept + covariance * correlated


def _deviation_hinge(z: Float[Tensor, "B d"]) -> Float[Tensor, ""]:
    return functional.relu(1 - (z.var(dim=0) + 1e-4).sqrt()).mean()


def _squared_covariances(z: Float[Tensor, "B d"]) -> Float[Tensor, ""]:
    centred = z - z.mean(dim=0)
    squared = (centred.T @ centred / (len(z) - 1)) ** 2
    return (squared.sum() - squared.diagonal().sum()) / z.shape[1]
