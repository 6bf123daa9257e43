"""The online/target pair that BYOL-like methods learn with.

f encoder, g projector, p predictor; f' and g' are moving averages of f and g. `q = p(g(f(x)))`, `z = sg g'(f'(x))`.
"""

import copy
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinestream.methods.ema import freeze, update_average
from kinestream.models.encoder import Encoder


class Embeddings(NamedTuple):
    """Predictions q and targets z of two views, each `(B, d)`, and the encoder's features h of view 1 `(B, dim)`.

    Neither z nor h carries a gradient; h is there to be watched.
    """

    q1: Float[Tensor, "B d"]
    q2: Float[Tensor, "B d"]
    z1: Float[Tensor, "B d"]
    z2: Float[Tensor, "B d"]
    h1: Float[Tensor, "B dim"]


class OnlineTarget(nn.Module):
    """One stream's online network (encoder, projector, predictor) and its slowly moving target (encoder, projector).

    The target starts as a copy of the online network.
    """

    # NOTE(deviation 2): the published code re-initialises the target after copying it; here it starts equal.

    def __init__(self, encoder: Encoder, projector: nn.Module, predictor: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = projector
        self.predictor = predictor
        self.target_encoder = freeze(copy.deepcopy(encoder))
        self.target_projector = freeze(copy.deepcopy(projector))

    def forward(self, x1: Float[Tensor, "B c t v m"], x2: Float[Tensor, "B c t v m"]) -> Embeddings:
        """Each view is a pass of its own (BN statistics per view), view 1 before view 2, in both networks."""
        h1, h2 = self.encoder(x1), self.encoder(x2)
        q1, q2 = self.predictor(self.projector(h1)), self.predictor(self.projector(h2))
        with torch.no_grad():
            z1, z2 = (self.target_projector(self.target_encoder(x)) for x in (x1, x2))
        return Embeddings(q1, q2, z1, z2, h1.detach())

    def update_target(self, decay: float) -> None:
        """Moves the target one step towards the online network; to be called after the optimiser's step."""
        update_average(
            [*self.target_encoder.parameters(), *self.target_projector.parameters()],
            [*self.encoder.parameters(), *self.projector.parameters()],
            decay,
        )
