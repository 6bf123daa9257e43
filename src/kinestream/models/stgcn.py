"""ST-GCN (Yan et al. 2018) as the self-supervised skeleton methods use it.

Shapes: n clip, c channel, t frame, v joint, m body, k part of the adjacency. Inside the network the bodies are folded
into the batch b and tensors lie as `(t, v, b, c)`, so that the sums over joints are one large matrix product for each
frame, those over frames one large product or a convolution of a single image, and those over channels need no copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kinestream import models
from kinestream.models.encoder import BodyEncoder, EncoderSettings, check_sizes
from kinestream.models.kernels.batch_norm import BatchNorm1d, BatchNorm2d
from kinestream.models.kernels.bodies import Absent
from kinestream.models.kernels.dropout import Dropout
from kinestream.models.kernels.exporting import is_exporting
from kinestream.models.kernels.folding import Affine, folded, running_affine
from kinestream.models.kernels.graph import Partition, adjacency
from kinestream.models.kernels.spatial import Links, gather_links
from kinestream.models.kernels.temporal import as_image, as_rows, temporal_convolution
from kinestream.skeleton import STREAMS
from kinestream.skeleton.layout import SkeletonLayout

TEMPORAL_TAPS = 9
FEW_CHANNELS = 8


@models.register("st-gcn")
@dataclass(frozen=True, kw_only=True)
class STGCNSettings(EncoderSettings):
    """The spatial-temporal graph convolutional network of the published methods."""

    name: Literal["st-gcn"] = "st-gcn"
    """Which encoder."""
    spectral: ClassVar[bool] = True
    hidden: int = 16
    """Channels of the first blocks."""
    dim: int = 512
    """Channels of the last block: the length of a feature."""
    dropout: float = 0.5
    """At the end of each block but the first."""
    absent: Absent = "published"
    """Bodies that are not there: encoded and averaged in as published; one encoded for all of them, its mask of dropout
    too; or left out of the average."""
    pool: int = 1
    """Frames that are averaged into one before the first block: views may be cut from finer clips at the same cost."""
    partition: Partition = "one-hop"
    """Of the adjacency: as published, or by true hop distance."""
    initialisation: Literal["published", "torch"] = "published"
    """Weights N(0, 0.02) as published (encoder and heads), or torch's defaults."""

    def __post_init__(self) -> None:
        check_sizes(self, "hidden", "dim", "pool")

    def check_stream(self, stream: str) -> None:
        if STREAMS.get(stream).of_pairs:
            raise ValueError(
                f"stream '{stream}' is of pairs of joints, which the graph of encoder st-gcn does not have: leave it "
                "out of streams, or set encoder.name=bigru"
            )

    def build(self, stream: str, layout: SkeletonLayout) -> "STGCN":
        self.check_stream(stream)
        return STGCN(
            torch.as_tensor(adjacency(layout, self.partition)),
            in_channels=STREAMS.get(stream).shape(layout)[0],
            hidden=self.hidden,
            dim=self.dim,
            dropout=self.dropout,
            absent=self.absent,
            pool=self.pool,
        )

    def initialise(self, *modules: nn.Module) -> None:
        if self.initialisation == "published":
            for module in modules:
                initialise_as_published(module)


class GraphConvolution(nn.Module):
    """Spatial graph convolution: `y[.., j] = sum_k sum_i (W_k x[.., i] + b_k) A[k, i, j]`.

    `linear.weight` is `(k * out, c)`, partition-major, as the published 1x1 convolution. A is applied before W: the
    same sum, with as little graph work as the input has channels and no copy between the two products.
    """

    def __init__(self, in_channels: int, out_channels: int, parts: int = 3) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, parts * out_channels)
        self.parts = parts

    def forward(
        self, x: Float[Tensor, "t v b c"], a: Float[Tensor, "k v w"], links: Links | None, after: Affine | None = None
    ) -> Float[Tensor, "t w b d"]:
        """`after` is a scale and a shift of the result, taken up by the weights."""
        frames, _, batch, channels = x.shape
        joints = a.shape[2]
        weight: Tensor = self.linear.weight
        bias: Tensor = self.linear.bias
        if after is not None:
            scale = after.scale.repeat(self.parts)
            weight, bias = weight * scale[:, None], bias * scale
        gathered = gather_links(x, a, links)
        bias = torch.einsum("kvw,kd->wd", a, rearrange(bias, "(k d) -> k d", k=self.parts))
        if after is not None:
            bias = bias + after.shift
        if channels < FEW_CHANNELS:
            rows = rearrange(gathered, "t (w k) b c -> (t w b) (k c)", k=self.parts)
            y = rows @ rearrange(weight, "(k d) c -> (k c) d", k=self.parts)
        else:
            # The sum over parts and channels without a copy: a convolution of images with k rows and b columns.
            image = gathered.view(frames * joints, self.parts, batch, channels).permute(0, 3, 1, 2)
            y = functional.conv2d(image, rearrange(weight, "(k d) c -> d c k 1", k=self.parts))
            y = y.permute(0, 2, 3, 1)
        return y.reshape(frames, joints, batch, -1) + bias[:, None]


class Projection(nn.Module):
    """The residual where the shape changes: a 1x1 convolution with stride over the frames, then BN.

    Written as a linear layer on the frames that the stride keeps: besides being a plain matrix product, this
    keeps clear of the library's strided channels-last 1x1 convolution, whose weight gradient writes beyond its memory
    with fewer than 8 input channels (torch 2.13, AVX2, one thread).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, out_channels)
        self.bn = BatchNorm2d(out_channels)
        self.stride = stride

    def forward(
        self, x: Float[Tensor, "1 c t p"], weights: Float[Tensor, " b"] | None = None
    ) -> Float[Tensor, "1 d s p"]:
        y = as_image(functional.linear(as_rows(x)[:, :: self.stride], *folded(self.linear, self.bn)))
        return self.bn(y, weights) if self.bn.training else y


class Block(nn.Module):
    """Graph convolution, BN, ReLU, temporal convolution, BN, dropout, plus the residual, then ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, dropout: float, residual: bool) -> None:
        super().__init__()
        self.graph = GraphConvolution(in_channels, out_channels)
        self.graph_bn = BatchNorm2d(out_channels)
        self.temporal = nn.Conv2d(
            out_channels, out_channels, (TEMPORAL_TAPS, 1), (stride, 1), padding=(TEMPORAL_TAPS // 2, 0)
        )
        self.temporal_bn = BatchNorm2d(out_channels)
        self.dropout = Dropout(dropout)
        self.residual: nn.Module | None
        if not residual:
            self.residual = None
        elif in_channels == out_channels and stride == 1:
            self.residual = nn.Identity()
        else:
            self.residual = Projection(in_channels, out_channels, stride)

    def forward(
        self,
        x: Float[Tensor, "1 c t p"],
        a: Float[Tensor, "k v v"],
        links: Links | None,
        weights: Float[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "1 d s p"]:
        """In evaluation mode the layers before have taken up the batch normalisations; in training mode `weights` are
        those of the bodies in them."""
        joints, frames = a.shape[1], x.shape[2]
        after = None if self.graph_bn.training else running_affine(self.graph_bn)
        y = self.graph(as_rows(x).reshape(frames, joints, -1, x.shape[1]), a, links, after)
        y = as_image(y.reshape(1, frames, -1, y.shape[3]))
        if self.graph_bn.training:
            y = self.graph_bn(y, weights)
        y = functional.relu(y, inplace=True)
        y = temporal_convolution(y, *folded(self.temporal, self.temporal_bn), self.temporal.stride[0])
        if self.temporal_bn.training:
            y = self.temporal_bn(y, weights)
        y = self.dropout(y)
        if isinstance(self.residual, Projection):
            y += self.residual(x, weights)
        elif self.residual is not None:
            y += x
        return functional.relu(y, inplace=True)

    def exported(self, x: Float[Tensor, "b c t v"], a: Float[Tensor, "k v w"]) -> Float[Tensor, "b d s v"]:
        """`forward` in evaluation mode, of images of one body each and in operators that every runtime has."""
        y = _pointwise(x, self.graph.linear).unflatten(1, (self.graph.parts, -1))
        y = functional.relu(self.graph_bn((y @ a[:, None]).sum(dim=1)))
        y = self.temporal_bn(self.temporal(y))
        if isinstance(self.residual, Projection):
            y = y + self.residual.bn(_pointwise(x, self.residual.linear, self.residual.stride))
        elif self.residual is not None:
            y = y + x
        return functional.relu(y)


def _pointwise(x: Float[Tensor, "b c t v"], layer: nn.Linear, stride: int = 1) -> Float[Tensor, "b d s v"]:
    """A linear layer over the channels, of the frames that the stride keeps."""
    return functional.conv2d(x, layer.weight[:, :, None, None], layer.bias, (stride, 1))


class STGCN(BodyEncoder):
    """The ten blocks, their last map averaged over frames and joints.

    Channels h h h h 2h 2h 2h 4h 4h dim, where h = `hidden`; the frames are halved at blocks 5 and 8. `dropout` acts at
    the end of each block but the first. See `BodyEncoder` for the other arguments.

    Args:
        adjacency: `(3, v, v)`, from `kinestream.models.kernels.graph`.
        hidden: channels of the first blocks; 16 as published.
        dim: channels of the last block and of the result; 512 as published.
        dropout: 0.5 as published.
    """

    def __init__(
        self,
        adjacency: Float[Tensor, "k v v"],
        *,
        in_channels: int = 3,
        hidden: int = 16,
        dim: int = 512,
        dropout: float = 0.5,
        absent: Absent = "published",
        pool: int = 1,
    ) -> None:
        joints = adjacency.shape[1]
        super().__init__(joints=joints, in_channels=in_channels, dim=dim, dropout=dropout, absent=absent, pool=pool)
        if hidden < 1:
            raise ValueError(f"hidden ({hidden}) must be at least 1")
        self.register_buffer("adjacency", adjacency.to(torch.get_default_dtype()).clone())
        self.data_bn = BatchNorm1d(joints * in_channels)
        h = hidden
        widths = (h, h, h, h, 2 * h, 2 * h, 2 * h, 4 * h, 4 * h, dim)
        strides = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
        inputs = (in_channels, *widths[:-1])
        self.blocks = nn.ModuleList(
            Block(fan_in, width, stride, dropout if i else 0.0, residual=i > 0)
            for i, (fan_in, width, stride) in enumerate(zip(inputs, widths, strides, strict=True))
        )
        self.edge_importance = nn.ParameterList(nn.Parameter(torch.ones_like(self.a)) for _ in widths)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def a(self) -> Float[Tensor, "k v v"]:
        return cast(Tensor, self.adjacency)

    def maps(self, x: Float[Tensor, "b c t v"], weights: Float[Tensor, " b"] | None = None) -> Float[Tensor, "s v b d"]:
        """The last block's output; s = t / 4 frames, rounded up."""
        if is_exporting():
            return self._exported_maps(x)
        c, v = x.shape[1], x.shape[3]
        y = self.data_bn(rearrange(x, "b c t v -> b (v c) t"), weights)
        y = as_image(rearrange(y, "b (v c) t -> 1 t (v b) c", c=c).contiguous())
        # The dense product is faster on a GPU, which would have to wait for the number of links.
        links = Links.of(self.a) if x.device.type == "cpu" else None
        for block, importance in zip(self.blocks, cast(Sequence[Tensor], self.edge_importance), strict=True):
            y = block(y, self.a * importance, links, weights)
        return as_rows(y).reshape(-1, v, len(x), self.dim)

    def _exported_maps(self, x: Float[Tensor, "b c t v"]) -> Float[Tensor, "s v b d"]:
        """As images of one body each, without the kernels: what other programs can run, whatever the batch."""
        y: Tensor = self.data_bn(rearrange(x, "b c t v -> b (v c) t"))
        y = rearrange(y, "b (v c) t -> b c t v", c=self.in_channels)
        for block, importance in zip(self.blocks, cast(Sequence[Tensor], self.edge_importance), strict=True):
            y = cast(Block, block).exported(y, self.a * importance)
        return rearrange(y, "b d s v -> s v b d")

    def pooled(self, maps: Float[Tensor, "s v b dim"]) -> Float[Tensor, "b dim"]:
        return maps.mean(dim=(0, 1))

    def levels(self) -> list[list[nn.Parameter]]:
        """The normalisation of the input, then each block with its edge importance."""
        blocks = zip(self.blocks, self.edge_importance, strict=True)
        return [list(self.data_bn.parameters()), *([*block.parameters(), edges] for block, edges in blocks)]


@torch.no_grad()
def initialise_as_published(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """Conv and linear weights N(0, 0.02), biases 0; BN weights N(1, 0.02), BN biases 0 (reference, section 3)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            layer.weight.normal_(0.0, 0.02, generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.weight.normal_(1.0, 0.02, generator=generator)
            layer.bias.zero_()
