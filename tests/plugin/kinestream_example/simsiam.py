"""SimSiam (Chen & He 2021): two views agree, without negatives and without a second network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from kinestream import methods
from kinestream.methods.method import MethodModule, MethodSettings, Networks, Views
from kinestream.methods.spread import feature_spread
from kinestream.models.encoder import Encoder
from kinestream.models.heads import mlp_head


@methods.register("simsiam")
@dataclass(frozen=True, kw_only=True)
class SimSiamSettings(MethodSettings):
    """Each view predicts the other one, whose embedding is held fixed."""

    name: Literal["simsiam"] = "simsiam"
    """Which objective."""
    hidden: int = 512
    """Hidden units of the projector; a quarter of it in the predictor."""
    embedding: int = 512
    """Output units of the projector and of the predictor."""

    def build(self, networks: Networks) -> "SimSiam":
        method = SimSiam()
        for stream in networks.streams:
            projector = mlp_head(networks.dim, self.hidden, self.embedding)
            predictor = mlp_head(self.embedding, max(1, self.hidden // 4), self.embedding)
            networks.initialise(projector, predictor)
            method.add(stream, networks.encoder(stream), projector, predictor)
        return method


class SimSiam(MethodModule):
    """`-[cos(p1, z2) + cos(p2, z1)] / 2` in each stream, no gradient through z; summed over the streams."""

    def __init__(self) -> None:
        super().__init__()
        self.backbones, self.projectors, self.predictors = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()

    def add(self, stream: str, encoder: Encoder, projector: nn.Module, predictor: nn.Module) -> None:
        self.backbones[stream], self.projectors[stream], self.predictors[stream] = encoder, projector, predictor

    def forward(self, views: Views) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        for stream, encoder in self.backbones.items():
            h1, h2 = (encoder(view[stream]) for view in views)
            z1, z2 = self.projectors[stream](h1), self.projectors[stream](h2)
            p1, p2 = self.predictors[stream](z1), self.predictors[stream](z2)
            agreement = cosine_similarity(p1, z2.detach()) + cosine_similarity(p2, z1.detach())
            terms |= {f"loss/{stream}": -agreement.mean() / 2, f"spread/{stream}": feature_spread(h1.detach())}
        return {"loss": torch.stack([terms[f"loss/{stream}"] for stream in self.backbones]).sum(), **terms}

    def encoders(self) -> Mapping[str, Encoder]:
        return {stream: cast(Encoder, encoder) for stream, encoder in self.backbones.items()}
