"""Dense decorrelation: agreement without negatives of whole clips, of their moments and of their joints, each kept from
collapse by variance and covariance (after the idea of USDRL, 2025, with the terms of VICReg)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, cast

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kinestream import methods
from kinestream.distributed.collectives import gather_rows
from kinestream.methods.losses import vicreg_loss
from kinestream.methods.method import MethodModule, MethodSettings, Networks, Views
from kinestream.methods.momentum_contrast import named
from kinestream.methods.spread import feature_spread
from kinestream.models.encoder import Encoder
from kinestream.models.heads import mlp_head

LEVELS = ("instance", "time", "joints")


class Dense(NamedTuple):
    """Features of clips as wholes, of `p` moments, each the mean over the joints, and of `v` joints, each the mean over
    time."""

    instance: Float[Tensor, "n d"]
    time: Float[Tensor, "n p d"]
    joints: Float[Tensor, "n v d"]


def dense_features(encoder: Encoder, x: Float[Tensor, "n c t v m"], moments: int) -> Dense:
    """One pass of the encoder. Moments are equal parts of its map of frames; where that has fewer, some share one.

    Raises ValueError for an encoder whose map does not keep the joints apart.
    """
    joints = x.shape[3]
    parts = [partial(_moment, number=number, moments=moments) for number in range(moments)]
    columns = [partial(_joint, number=number, joints=joints) for number in range(joints)]
    whole, *others = encoder.variants(x, None, *parts, *columns)
    return Dense(whole, torch.stack(others[:moments], dim=1), torch.stack(others[moments:], dim=1))


def _moment(y: Float[Tensor, "s u b d"], *, number: int, moments: int) -> Float[Tensor, "_ u b d"]:
    frames = len(y)
    first = number * frames // moments
    return y[first : max(first + 1, (number + 1) * frames // moments)]


def _joint(y: Float[Tensor, "s u b d"], *, number: int, joints: int) -> Float[Tensor, "s _ b d"]:
    if y.shape[1] != joints:
        raise ValueError(
            f"method dense needs an encoder whose map keeps the {joints} joints apart, this one has {y.shape[1]} "
            "places: take encoder.name=st-gcn"
        )
    return y[:, number : number + 1]


def places_loss(
    z1: Float[Tensor, "B p d"],
    z2: Float[Tensor, "B p d"],
    *,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Float[Tensor, ""]:
    """The mean over the places p of `vicreg_loss` over the B clips: variance between clips, not between places, is what
    is kept."""
    weights = {"invariance": invariance, "variance": variance, "covariance": covariance}
    return torch.stack([vicreg_loss(a, b, **weights) for a, b in zip(z1.unbind(1), z2.unbind(1), strict=True)]).mean()


@torch.no_grad()
def like_moments(first: Float[Tensor, "n p d"], second: Float[Tensor, "n p d"]) -> Tensor:
    """For each moment of the first view the place of the most similar one, by cosine, of the same clip in the second:
    views that are cut from different stretches of time do not show the same at the same place."""
    return (functional.normalize(first, dim=2) @ functional.normalize(second, dim=2).mT).argmax(dim=2)


@methods.register("dense")
@dataclass(frozen=True, kw_only=True)
class DenseSettings(MethodSettings):
    """Dense decorrelation: variance, invariance and covariance of clips, of their moments and of their joints."""

    name: Literal["dense"] = "dense"
    """Which objective."""
    invariance: float = 25.0
    """Weight of the distance between the views, at every level."""
    variance: float = 25.0
    """Weight of the hinge on the deviation of each dimension."""
    covariance: float = 1.0
    """Weight of the squared covariances of different dimensions."""
    instance: float = 1.0
    """Weight of the level of whole clips; 0 leaves it out, as of the others."""
    time: float = 1.0
    """Weight of the level of moments."""
    joints: float = 1.0
    """Weight of the level of joints."""
    moments: int = 6
    """Equal parts of the time of a clip."""
    hidden: int = 512
    """Hidden units of the projectors, one for each level."""
    embedding: int = 256
    """Output units of the projectors."""

    def __post_init__(self) -> None:
        weights = {level: getattr(self, level) for level in LEVELS}
        if min(weights.values()) < 0 or not any(weights.values()):
            shown = ", ".join(f"{level} {weight:g}" for level, weight in weights.items())
            raise ValueError(f"the weights of the levels ({shown}) must be 0 or more, and one of them above 0")
        if self.moments < 1:
            raise ValueError(f"moments ({self.moments}) must be at least 1")

    def build(self, networks: Networks) -> "DenseDecorrelation":
        made: dict[str, DenseNetwork] = {}
        for stream in networks.streams:
            heads = {level: mlp_head(networks.dim, self.hidden, self.embedding) for level in self._levels()}
            networks.initialise(*heads.values())
            made[stream] = DenseNetwork(networks.encoder(stream), heads)
        loss = partial(places_loss, invariance=self.invariance, variance=self.variance, covariance=self.covariance)
        return DenseDecorrelation(made, self._levels(), moments=self.moments, loss=loss)

    def _levels(self) -> dict[str, float]:
        """Those that weigh something."""
        return {level: getattr(self, level) for level in LEVELS if getattr(self, level)}


class DenseNetwork(nn.Module):
    """One stream's encoder, and a projector for each level."""

    def __init__(self, encoder: Encoder, projectors: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        self.projectors = nn.ModuleDict(projectors)

    def embeddings(self, features: Dense, level: str) -> Float[Tensor, "n p dim"]:
        """Of the places of a level; whole clips are one place."""
        values = features.instance[:, None] if level == "instance" else getattr(features, level)
        rows = self.projectors[level](rearrange(values, "n p d -> (n p) d"))
        return rearrange(rows, "(n p) d -> n p d", n=len(values))


class DenseDecorrelation(MethodModule):
    """In each stream the weighted sum, over the levels, of `places_loss` of two views, summed over the streams; the
    batch is that of all processes together. Moments of the first view meet the most similar ones of the second.

    Args:
        networks: encoder and projectors of each stream.
        weights: of the levels that count, a projector for each.
        moments: equal parts of the time of a clip.
        loss: of the embeddings of the places of two views.
    """

    def __init__(
        self,
        networks: Mapping[str, DenseNetwork],
        weights: Mapping[str, float],
        *,
        moments: int = 6,
        loss: "partial[Tensor] | None" = None,
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.weights = dict(weights)
        self.moments = moments
        self.loss = loss or partial(places_loss)

    def forward(self, views: Views) -> dict[str, Tensor]:
        first, second = views
        losses: dict[str, Tensor] = {}
        terms: dict[str, Tensor] = {}
        for stream, network in self._networks():
            of_first, of_second = (
                dense_features(network.encoder, view[stream], self.moments) for view in (first, second)
            )
            found = {level: self._level(network, level, of_first, of_second) for level in self.weights}
            losses[stream] = torch.stack([self.weights[level] * loss for level, loss in found.items()]).sum()
            terms |= {f"{level}/{stream}": loss for level, loss in found.items()}
            terms[f"spread/{stream}"] = feature_spread(of_first.instance.detach())
            terms[f"spread/{stream}/moments"] = feature_spread(of_first.time.detach().flatten(0, 1))
        return {"loss": torch.stack(list(losses.values())).sum(), **named("loss", losses), **terms}

    def _level(self, network: DenseNetwork, level: str, first: Dense, second: Dense) -> Tensor:
        z1, z2 = network.embeddings(first, level), network.embeddings(second, level)
        if level == "time":
            like = like_moments(first.time, second.time)
            z2 = z2.gather(1, like[:, :, None].expand_as(z1))
        return self.loss(gather_rows(z1), gather_rows(z2))

    def encoders(self) -> Mapping[str, Encoder]:
        return {stream: network.encoder for stream, network in self._networks()}

    def _networks(self) -> Iterable[tuple[str, DenseNetwork]]:
        return ((stream, cast(DenseNetwork, network)) for stream, network in self.networks.items())
