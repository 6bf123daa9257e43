"""Methods without a second network: both views pass through one encoder, and the loss looks at the batch alone."""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinestream.augment.mixing import SHARE
from kinestream.distributed.collectives import gather_rows
from kinestream.methods.method import MethodModule, Networks, Views
from kinestream.methods.spread import feature_spread
from kinestream.models.encoder import Encoder
from kinestream.models.heads import mlp_head

TwoViewLoss = Callable[[Tensor, Tensor], Tensor]
"""A loss of the embeddings (z1, z2) of two views; see `kinestream.methods.losses`."""
MixtureLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A loss of the embeddings of mixtures, those of the clips in another view, and the shares."""


class Projected(nn.Module):
    """One stream's encoder and projector."""

    def __init__(self, encoder: Encoder, projector: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = projector

    def forward(self, *views: Float[Tensor, "B c t v m"]) -> list[tuple[Float[Tensor, "B d"], Float[Tensor, "B dim"]]]:
        """Of each view embeddings z, and the encoder's features h, without gradient, to be watched."""
        return [(self.projector(h), h.detach()) for h in self.encoder.several(*views)]


class InBatch(MethodModule):
    """`loss(z1, z2)` in each stream, summed over the streams; the batch is that of all processes together. With a
    `mixture_loss` a third view is a mixture of clips in the first one, and its loss with z2 is added."""

    def __init__(
        self, networks: Mapping[str, Projected], loss: TwoViewLoss, mixture_loss: MixtureLoss | None = None
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.loss = loss
        self.mixture_loss = mixture_loss

    def forward(self, views: Views) -> dict[str, Tensor]:
        first, second, *mixtures = views
        terms: dict[str, Tensor] = {}
        losses: list[Tensor] = []
        for stream, network in self._networks():
            further = () if self.mixture_loss is None else (mixtures[0][stream],)
            (z1, h1), (z2, _), *mixed = network(first[stream], second[stream], *further)
            all2 = gather_rows(z2)
            losses.append(self.loss(gather_rows(z1), all2))
            terms[f"loss/{stream}"] = losses[-1]
            if self.mixture_loss is not None:
                mixture, share = gather_rows(mixed[0][0]), gather_rows(mixtures[0][SHARE])
                losses.append(self.mixture_loss(mixture, all2, share))
                terms[f"mixture/{stream}"] = losses[-1]
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
