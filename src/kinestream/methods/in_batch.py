"""Methods without a second network: both views pass through one encoder, and the loss looks at the batch alone."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinestream.methods.losses import nt_xent_loss, vicreg_loss
from kinestream.methods.method import Progress, Views
from kinestream.methods.spread import feature_spread
from kinestream.models.encoder import Encoder
from kinestream.processes import gather_rows

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


class InBatch(nn.Module):
    """`loss(z1, z2)` in each stream, summed over the streams; the batch is that of all processes together."""

    def __init__(self, networks: Mapping[str, Projected], loss: TwoViewLoss) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.loss = loss
        self.positives = None

    def start_epoch(self, epoch: int) -> None:
        """Nothing changes with the epochs."""

    def forward(self, views: Views) -> dict[str, Tensor]:
        first, second = views
        terms: dict[str, Tensor] = {}
        for stream, network in self._networks():
            (z1, h1), (z2, _) = network(first[stream]), network(second[stream])
            terms[f"loss/{stream}"] = self.loss(gather_rows(z1), gather_rows(z2))
            terms[f"spread/{stream}"] = feature_spread(h1)
            terms[f"spread/{stream}/embeddings"] = feature_spread(z1)
        losses = [term for name, term in terms.items() if name.startswith("loss/")]
        return {"loss": torch.stack(losses).sum(), **terms}

    def after_step(self, progress: Progress) -> None:
        """Nothing is due."""

    def encoders(self) -> Mapping[str, Encoder]:
        return {stream: network.encoder for stream, network in self._networks()}

    def parameter_groups(self) -> Iterable[tuple[float, list[nn.Parameter]]]:
        return [(1.0, list(self.parameters()))]

    def _networks(self) -> Iterable[tuple[str, Projected]]:
        return ((stream, cast(Projected, network)) for stream, network in self.networks.items())


def nt_xent(networks: Mapping[str, Projected], *, temperature: float = 0.1) -> InBatch:
    """In-batch contrast (SimCLR). Raises ValueError when the temperature is not above 0."""
    if temperature <= 0:
        raise ValueError(f"temperature ({temperature}) must be above 0")
    return InBatch(networks, partial(nt_xent_loss, temperature=temperature))


def vicreg(
    networks: Mapping[str, Projected], *, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
) -> InBatch:
    """Agreement with variance kept and covariance removed (VICReg)."""
    return InBatch(networks, partial(vicreg_loss, invariance=invariance, variance=variance, covariance=covariance))
