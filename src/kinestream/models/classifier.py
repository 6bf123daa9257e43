"""Encoders with a linear layer each, their logits summed: what is fine-tuned."""

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinestream.models.encoder import Encoder


class StreamClassifier(nn.Module):
    """The classes of a clip from its streams: `sum_s (W_s f_s(x_s) + b_s)`.

    Args:
        encoders: of each stream.
        frozen_statistics: keep the encoders in evaluation mode while they learn, as published: batch normalisation uses
            the statistics of the pre-training and there is no dropout.
    """

    # NOTE(deviation 5): the published code fine-tunes with the encoder in evaluation mode; both forms are here.

    def __init__(self, encoders: Mapping[str, Encoder], classes: int, *, frozen_statistics: bool) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.heads = nn.ModuleDict({stream: nn.Linear(encoder.dim, classes) for stream, encoder in encoders.items()})
        for head in self.heads.values():
            nn.init.normal_(cast(nn.Linear, head).weight, 0.0, 0.02)
            nn.init.zeros_(cast(nn.Linear, head).bias)
        self.frozen_statistics = frozen_statistics

    def train(self, mode: bool = True) -> "StreamClassifier":
        super().train(mode)
        if self.frozen_statistics:
            self.encoders.eval()
        return self

    def forward(self, streams: Mapping[str, Float[Tensor, "n c t v m"]]) -> Float[Tensor, "n classes"]:
        logits = [self.heads[stream](encoder(streams[stream])) for stream, encoder in self.encoders.items()]
        return torch.stack(logits).sum(dim=0)

    def parameter_groups(self, layer_decay: float) -> list[tuple[float, list[nn.Parameter]]]:
        """Groups with the factor on their learning rate: 1 for the linear layers, `layer_decay` for the last level
        of the encoders, its square for the one before, and so on down to the normalisation of the input."""
        groups = [(1.0, list(self.heads.parameters()))]
        levels = [cast(Encoder, encoder).levels() for encoder in self.encoders.values()]
        for depth, level in enumerate(reversed(list(zip(*levels, strict=True))), 1):
            groups.append((layer_decay**depth, [parameter for parameters in level for parameter in parameters]))
        return groups
