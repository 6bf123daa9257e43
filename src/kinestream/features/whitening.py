"""Features whose directions are brought nearer to one size (whitening to a power): cosines then do not hang on the few
directions in which all clips differ most, or on those in which clips differ that show the same."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Float64, Int
from torch import Tensor
from torch.nn import functional

from kinestream.features.neighbours import side_by_side
from kinestream.models.readout import WhitenedBy

_LEAST = 1e-4
"""Directions in which clips vary less than this share of the most are left out: what a test clip has there is nothing
that was learnt."""
_NEIGHBOURS = 5
"""Chosen on the training views of NW-UCLA, where 3 and 10 do nearly as well."""
_ROWS_AT_ONCE = 1024

Pairs = Int[Tensor, "m 2"]


def whiten(
    train: Float[Tensor, "n d"], test: Float[Tensor, "q d"], power: float, *, pairs: Pairs | None = None
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "q d"]]:
    """Both as unit vectors, less the mean of `train`, along the principal directions of a covariance, each divided by
    its deviation to `power`, and made unit vectors again. Nothing of `test` counts.

    The covariance is that of `train`: a power of 1 is then the whitening of Jégou and Chum (2012), of all components;
    towards 0 it only takes off the mean. With `pairs` of rows of `train` that show the same it is that of half their
    differences: what changes although the action does not weighs less. With a power of 1 this is within-class
    covariance normalisation (Hatch et al. 2006) with pairs for classes, shrunk as Ledoit and Wolf (2004) estimate it,
    for pairs may be fewer than directions.

    Raises ValueError as `fit_whitening` does, and for features of `test` that are not finite.

    Example:
        >>> rows = torch.tensor([[4.0, 3.0], [4.0, -3.0], [-4.0, 3.0], [-4.0, -3.0]])
        >>> whiten(rows, rows[:1], 1.0)[1].abs().numpy().round(2)  # both directions count alike
        array([[0.71, 0.71]], dtype=float32)
    """
    fitted = fit_whitening(train, power, pairs=pairs)
    return fitted(train), fitted(test)


@dataclass(frozen=True, eq=False)
class Whitening:
    """What is known of training features, to whiten any others by."""

    mean: Float64[Tensor, " d"]
    """Of the unit features."""
    directions: Float64[Tensor, "d d"]
    """In its columns the principal directions, each divided by its deviation to the power; zero for one left out."""

    def __call__(self, rows: Float[Tensor, "q d"]) -> Float32[Tensor, "q d"]:
        """Unit vectors. Raises ValueError for features that are not finite."""
        _refuse_infinite(rows)
        return apply_whitening(rows.double(), self.mean, self.directions).float()


def apply_whitening(
    rows: Float[Tensor, "q d"], mean: Float[Tensor, " d"], directions: Float[Tensor, "d k"]
) -> Float[Tensor, "q k"]:
    """Unit vectors of the rows as unit vectors, less the mean, along the directions."""
    return functional.normalize((functional.normalize(rows, dim=1) - mean) @ directions, dim=1)


def fit_whitening(train: Float[Tensor, "n d"], power: float, *, pairs: Pairs | None = None) -> Whitening:
    """See `whiten`. Raises ValueError for a power outside (0, 1], for features that are not finite or do not differ,
    and for fewer than two pairs."""
    if not 0 < power <= 1:
        raise ValueError(f"whitening to the power {power}: it must be above 0 and at most 1")
    _refuse_infinite(train)
    units = functional.normalize(train.double(), dim=1)
    mean = units.mean(dim=0)
    if pairs is None:
        centred = units - mean
        covariance = centred.T @ centred / len(centred)
    elif len(pairs) < 2:
        raise ValueError(f"features cannot be whitened by {len(pairs)} pairs of training clips: whiten by all clips")
    else:
        from sklearn.covariance import ledoit_wolf  # a second, which every training would wait for

        halves = (units[pairs[:, 0]] - units[pairs[:, 1]]) / 2**0.5
        covariance = torch.from_numpy(ledoit_wolf(halves.numpy(), assume_centered=True)[0])
    variances, directions = torch.linalg.eigh(covariance)
    deviations = variances.clamp(min=0).sqrt()
    if deviations.max() < 1e-12:
        which = f"the {len(train)} training clips" if pairs is None else f"{len(pairs)} pairs of training clips"
        raise ValueError(f"the features of {which} are all the same: there is nothing to whiten by")
    scales = torch.where(deviations > _LEAST * deviations.max(), deviations, torch.inf) ** -power
    return Whitening(mean=mean, directions=directions * scales)


def fit_streams(
    train: Mapping[str, Float[Tensor, "n _"]], power: float, whitened_by: WhitenedBy, *, partners: Pairs | None = None
) -> dict[str, Whitening]:
    """The whitening of each stream, as the card of an encoder says. Where nobody tells `partners`, mutual neighbours
    stand in for them."""
    pairs = partners if whitened_by == "partners" else None
    if pairs is None and whitened_by != "clips":
        pairs = mutual_neighbours(train)
    return {stream: fit_whitening(rows, power, pairs=pairs) for stream, rows in train.items()}


def _refuse_infinite(rows: Tensor) -> None:
    if not rows.isfinite().all():
        raise ValueError("some features are not finite: the encoder has diverged")


def mutual_neighbours(train: Mapping[str, Float[Tensor, "n _"]], k: int = _NEIGHBOURS) -> Pairs:
    """The pairs of clips that are each among the `k` nearest of the other, by the features of all streams together,
    each whitened by all clips to the power 0.5. Nothing but features tells them: no label, person or camera.

    Rows are compared some at a time, so that memory grows with their number only.
    """
    rows = side_by_side({stream: whiten(values, values[:1], 0.5)[0] for stream, values in train.items()})
    k = min(k, len(rows) - 1)
    nearest = torch.empty(len(rows), k, dtype=torch.long)
    for some in torch.arange(len(rows)).split(_ROWS_AT_ONCE):
        similarity = rows[some] @ rows.T
        similarity[torch.arange(len(some)), some] = -torch.inf
        nearest[some] = similarity.topk(k, dim=1).indices
    first = torch.arange(len(rows)).repeat_interleave(k)
    second = nearest.flatten()
    mutual = (nearest[second] == first[:, None]).any(dim=1)
    return torch.stack((first, second), dim=1)[mutual & (first < second)]
