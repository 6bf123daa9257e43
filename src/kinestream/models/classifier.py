"""Encoders with a linear layer each, their logits summed: what is fine-tuned."""

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinestream.models.stgcn import STGCN


class StreamClassifier(nn.Module):
    """The classes of a clip from its streams: `sum_s (W_s f_s(x_s) + b_s)`.

    Args:
        encoders: of each stream.
        frozen_statistics: keep the encoders in evaluation mode while they learn, as published: batch normalisation uses
            the statistics of the pre-training and there is no dropout.
    """

    # NOTE(deviation 5): the published code fine-tunes with the encoder in evaluation mode; both forms are here.

    def __init__(self, encoders: Mapping[str, STGCN], classes: int, *, frozen_statistics: bool) -> None:
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
        """Groups with the factor on their learning rate: 1 for the linear layers, `layer_decay` for the last blocks,
        its square for those before, and so on down to the normalisation of the input."""
        groups = [(1.0, list(self.heads.parameters()))]
        encoders = [cast(STGCN, encoder) for encoder in self.encoders.values()]
        depth = len(encoders[0].blocks)
        for level in range(depth, -1, -1):
            group = [parameter for encoder in encoders for parameter in _level(encoder, level)]
            groups.append((layer_decay ** (depth + 1 - level), group))
        return groups


def _level(encoder: STGCN, level: int) -> list[nn.Parameter]:
    """Parameters of block `level`, counted from 1, with its edge importance; 0 is the normalisation of the input."""
    if level == 0:
        return list(encoder.data_bn.parameters())
    return [*encoder.blocks[level - 1].parameters(), encoder.edge_importance[level - 1]]
