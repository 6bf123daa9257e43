"""A small transformer over the frames of a clip: each frame of a body is a token."""

from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from kinestream import models
from kinestream.models.encoder import Encoder, EncoderSettings, check_sizes
from kinestream.skeleton import STREAMS
from kinestream.skeleton.layout import SkeletonLayout


@models.register("tiny-transformer")
@dataclass(frozen=True, kw_only=True)
class TinyTransformerSettings(EncoderSettings):
    """Self-attention between the frames of a body; the features of the bodies that are there are averaged."""

    name: Literal["tiny-transformer"] = "tiny-transformer"
    """Which encoder."""
    dim: int = 64
    """Width of a token: the length of a feature."""
    layers: int = 2
    """Transformer layers on top of each other."""
    heads: int = 4
    """Attention heads, which share the width."""
    dropout: float = 0.1
    """Within each layer."""

    def __post_init__(self) -> None:
        check_sizes(self, "dim", "layers", "heads")
        if self.dim % (2 * self.heads):
            raise ValueError(f"encoder.dim ({self.dim}) must be a multiple of twice encoder.heads ({self.heads})")

    def build(self, stream: str, layout: SkeletonLayout) -> "TinyTransformer":
        channels, joints = STREAMS.get(stream).shape(layout)
        return TinyTransformer(
            channels * joints, dim=self.dim, layers=self.layers, heads=self.heads, dropout=self.dropout
        )


class TinyTransformer(Encoder):
    """A linear layer makes tokens, sine waves tell their place in time, and the last tokens are averaged."""

    def __init__(self, coordinates: int, *, dim: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__(dim)
        self.tokens = nn.Linear(coordinates, dim)
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(dim), enable_nested_tensor=False)

    def forward(self, x: Float[Tensor, "n c t v m"]) -> Float[Tensor, "n dim"]:
        bodies = x.shape[4]
        there = x.abs().amax(dim=(1, 2, 3)) > 0  # (n, m): a body that is not there is all zero
        tokens = self.tokens(rearrange(x, "n c t v m -> (n m) t (c v)"))
        features = self.layers(tokens + waves(tokens)).mean(dim=1)
        features = rearrange(features, "(n m) dim -> n m dim", m=bodies) * there[..., None]
        return features.sum(dim=1) / there.sum(dim=1, keepdim=True).clamp(min=1)

    def levels(self) -> list[list[nn.Parameter]]:
        last = self.layers.norm
        assert last is not None
        layers = [list(layer.parameters()) for layer in self.layers.layers]
        layers[-1] += last.parameters()
        return [list(self.tokens.parameters()), *layers]


def waves(tokens: Float[Tensor, "b t dim"]) -> Float[Tensor, "t dim"]:
    """The place of each token in time (Vaswani et al. 2017)."""
    _, frames, dim = tokens.shape
    rates = 10000 ** (-torch.arange(0, dim, 2, device=tokens.device) / dim)
    angles = torch.arange(frames, device=tokens.device)[:, None] * rates
    return torch.cat((angles.sin(), angles.cos()), dim=1).to(tokens.dtype)
