"""Methods without a second network: both views pass through one encoder, and the loss looks at the batch alone."""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinestream.distributed.collectives import gather_rows
from kinestream.methods.method import MethodModule, Networks, Views
from kinestream.methods.spread import feature_spread
from kinestream.models.encoder import Encoder
from kinestream.models.heads import mlp_head

TwoViewLoss = Callable[[Tensor, Tensor], Tensor]
"""A loss of the embeddings (z1, z2) of two views; see `kinestream.methods.losses`."""


class Projected(nn.Module):
    """One stream's encoder and projector."""

    def __init__(self, encoder: Encoder, projector: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = projector

    def forward(self, x: Float[Tensor, "B c t v m"]) -> tuple[Float[Tensor, "B d"], Float[Tensor, "B dim"]]:
        """Embeddings z, and the encoder's features h, without gradient, to be watched."""
        h = self.encoder(x)
        return self.projector(h), h.detach()


class InBatch(MethodModule):
    """`loss(z1, z2)` in each stream, summed over the streams; the batch is that of all processes together."""

    def __init__(self, networks: Mapping[str, Projected], loss: TwoViewLoss) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.loss = loss

    def forward(self, views: Views) -> dict[str, Tensor]:
        first, second = views
        terms: dict[str, Tensor] = {}
        losses: list[Tensor] = []
        for stream, network in self._networks():
            (z1, h1), (z2, _) = network(first[stream]), network(second[stream])
            losses.append(self.loss(gather_rows(z1), gather_rows(z2)))
            terms[f"loss/{stream}"] = losses[-1]
            terms[f"spread/{stream}"] = feature_spread(h1)
            terms[f"spread/{stream}/embeddings"] = feature_spread(z1)
        return {"loss": torch.stack(losses).sum(), **terms}

    def encoders(self) -> Mapping[str, Encoder]:
        return {stream: network.encoder for stream, network in self._networks()}

    def _networks(self) -> Iterable[tuple[str, Projected]]:
        return ((stream, cast(Projected, network)) for stream, network in self.networks.items())


def projected(networks: Networks, *, hidden: int, embedding: int) -> dict[str, Projected]:
    """Encoder and projector of each stream."""
    made: dict[str, Projected] = {}
    for stream in networks.streams:
        projector = mlp_head(networks.dim, hidden, embedding)
        networks.initialise(projector)
        made[stream] = Projected(networks.encoder(stream), projector)
    return made
