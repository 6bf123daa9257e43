"""A bidirectional GRU over the frames of a clip, as much of the self-supervised literature on skeletons encodes them
(P&C, Su et al. 2020, among others): all joints of a frame are one input, so that relations between far joints (two
hands) need no path along the bones, and the order of events is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kinestream import models
from kinestream.models.encoder import BodyEncoder, EncoderSettings, check_sizes
from kinestream.models.kernels.batch_norm import BatchNorm1d
from kinestream.models.kernels.bodies import Absent
from kinestream.models.kernels.exporting import is_exporting
from kinestream.models.kernels.recurrent import bidirectional_gru
from kinestream.skeleton import STREAMS
from kinestream.skeleton.layout import SkeletonLayout


@models.register("bigru")
@dataclass(frozen=True, kw_only=True)
class BiGRUSettings(EncoderSettings):
    """A bidirectional GRU over frames, all joints of a frame at once; weights and heads begin with torch's defaults."""

    name: Literal["bigru"] = "bigru"
    """Which encoder."""
    hidden: int = 128
    """Units of each direction; a feature is twice as long."""
    layers: int = 2
    """GRUs on top of each other."""
    dropout: float = 0.0
    """Between the layers."""
    absent: Absent = "skip"
    """Bodies that are not there: encoded and averaged in as published; one encoded for all of them, its mask of dropout
    too; or left out of the average."""
    pool: int = 1
    """Frames that are averaged into one before the first layer: views may be cut from finer clips at the same cost."""

    def __post_init__(self) -> None:
        check_sizes(self, "hidden", "layers", "pool")

    @property
    def dim(self) -> int:
        """The length of a feature."""
        return 2 * self.hidden

    def build(self, stream: str, layout: SkeletonLayout) -> "BiGRU":
        channels, joints = STREAMS.get(stream).shape(layout)
        return BiGRU(
            joints,
            in_channels=channels,
            hidden=self.hidden,
            layers=self.layers,
            dropout=self.dropout,
            absent=self.absent,
            pool=self.pool,
        )


class BiGRU(BodyEncoder):
    """Batch normalisation of each coordinate, GRUs in both directions, the largest state of all frames, and batch
    normalisation without scale and shift: the largest states are never far from 1, and cosines of features tell clips
    apart only about their mean.

    `dropout` acts on the states between the layers. See `BodyEncoder` for the other arguments.

    Args:
        joints: v of the clips.
        hidden: units of each direction; a feature is `2 * hidden` long.
        layers: GRUs on top of each other.
    """

    def __init__(
        self,
        joints: int,
        *,
        in_channels: int = 3,
        hidden: int = 128,
        layers: int = 2,
        dropout: float = 0.0,
        absent: Absent = "published",
        pool: int = 1,
    ) -> None:
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout ({dropout}) must be in [0, 1)")
        if layers < 1:
            raise ValueError(f"layers ({layers}) must be at least 1")
        super().__init__(
            joints=joints, in_channels=in_channels, dim=2 * hidden, dropout=dropout, absent=absent, pool=pool
        )
        coordinates = joints * in_channels
        self.data_bn = BatchNorm1d(coordinates)
        inputs = (coordinates, *[2 * hidden] * (layers - 1))
        self.layers = nn.ModuleList(nn.GRU(fan_in, hidden, bidirectional=True) for fan_in in inputs)
        self.feature_bn = BatchNorm1d(2 * hidden)
        self.feature_bn.requires_grad_(False)

    def train(self, mode: bool = True) -> "BiGRU":
        super().train(mode)
        # Nothing in them depends on it, but cuDNN has a gradient in training mode alone.
        self.layers.train()
        return self

    def maps(self, x: Float[Tensor, "b c t v"], weights: Float[Tensor, " b"] | None = None) -> Float[Tensor, "t 1 b d"]:
        """The states of the last layer, forwards and backwards."""
        if _by_own_layers(x):
            return self._states([self._input(x, weights)])
        y = self.data_bn(rearrange(x, "b c t v -> b (v c) t"), weights)
        y = rearrange(y, "b f t -> t b f").contiguous()
        for number, layer in enumerate(self.layers):
            if number:
                y = functional.dropout(y, self.dropout, self.training)
            y, _ = layer(y)
        return rearrange(y, "t b d -> t 1 b d")

    def several(self, *xs: Float[Tensor, "n c t v m"]) -> tuple[Float[Tensor, "n dim"], ...]:
        """As in `Encoder`; the layers take all batches together, for larger products are faster."""
        if not all(_by_own_layers(x) for x in xs) or len({x.shape[2] for x in xs}) > 1:
            return super().several(*xs)
        batches = [self.rows(x) for x in xs]
        states = self._states([self._input(rows, bodies.weights) for bodies, rows in batches])
        parts = states.split([len(rows) for _, rows in batches], dim=2)
        return tuple(
            self.finished(bodies.clips(self.pooled(part))) for (bodies, _), part in zip(batches, parts, strict=True)
        )

    def _input(self, x: Float[Tensor, "b c t v"], weights: Float[Tensor, " b"] | None) -> Float[Tensor, "t f b"]:
        """The coordinates before scale and shift of their batch normalisation, which the first layer takes up."""
        return self.data_bn.standardised(rearrange(x, "b c t v -> t (v c) b"), weights)

    def _states(self, batches: Sequence[Float[Tensor, "t f _"]]) -> Float[Tensor, "t 1 b d"]:
        """By our own layers, of all rows of the batches."""
        y = torch.cat(list(batches), dim=2)
        scale, shift = self.data_bn.weight, self.data_bn.bias
        for number, layer in enumerate(self.layers):
            if number:
                y = functional.dropout(y, self.dropout, self.training)
            assert isinstance(layer, nn.GRU)
            y = bidirectional_gru(y, layer) if number else bidirectional_gru(y, layer, scale, shift)
        return rearrange(y, "t d b -> t 1 b d")

    def pooled(self, maps: Float[Tensor, "t 1 b dim"]) -> Float[Tensor, "b dim"]:
        # In the order in which our own layers leave them: twenty times as fast.
        return maps.squeeze(1).mT.amax(dim=0).mT

    def finished(self, features: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        return self.feature_bn(features)

    def levels(self) -> list[list[nn.Parameter]]:
        """The normalisation of the input, then each part; the normalisation of the features has nothing to learn."""
        return [list(part.parameters()) for part in (self.data_bn, *self.layers)]


def _by_own_layers(x: Tensor) -> bool:
    """On the processor ours are faster than torch's; on a GPU cuDNN's are, and compilers and exporters know torch's."""
    return x.device.type == "cpu" and not is_exporting() and not torch.compiler.is_compiling()
