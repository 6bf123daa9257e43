"""What every encoder of skeleton clips has in common, and what those share that encode bodies one by one and average
their features.

Shapes: n clip, c channel, t frame, v joint, m body, b encoded body, s place in time and u joint of a map.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kinestream.models.kernels.bodies import (
    Absent,
    Bodies,
    absent_once,
    absent_skipped,
    absent_weightless,
    every_body,
)
from kinestream.models.kernels.exporting import is_exporting
from kinestream.skeleton.layout import SkeletonLayout

MapChange = Callable[[Tensor], Tensor] | None
"""Of the last map `(s, u, b, dim)` of an encoder, into one of as many bodies: of the same shape, or of some of its
places; None leaves it as it is."""

MOST_UNITS = 65536
"""The largest size that settings may ask for: a card with more is damaged, or meant to fill the memory."""
MOST_LAYERS = 100


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """What a recipe and a card say of an encoder. A subclass is a frozen dataclass whose fields are the settings, each
    with a docstring, and which says the length of a feature, `dim`; it is registered by name, see `kinestream.models`.
    """

    name: str
    """Which encoder."""

    spectral: ClassVar[bool] = False
    """Whether it has convolutions that are products of spectra on the processor (`kernels.temporal`)."""

    if TYPE_CHECKING:

        @property
        def dim(self) -> int: ...

    def build(self, stream: str, layout: SkeletonLayout) -> "Encoder":
        """A new encoder of a stream, weights from torch's global generator."""
        raise NotImplementedError

    def initialise(self, *modules: nn.Module) -> None:
        """Gives encoders, and the heads on them, their first weights; torch's defaults unless a subclass says more."""

    def check_stream(self, stream: str) -> None:
        """Raises ValueError where the encoder cannot take a stream."""


class Encoder(nn.Module):
    """Skeleton encoder `(n, c, t, v, m) -> (n, dim)`: a subclass gives `forward`.

    Args:
        dim: length of a feature.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim < 1:
            raise ValueError(f"the length of a feature ({dim}) must be at least 1")
        self.dim = dim

    @property
    def leaves_out_absent(self) -> bool:
        """Whether bodies that are not there, all zero, change nothing: not even by being asked for."""
        return False

    def levels(self) -> list[list[nn.Parameter]]:
        """Every parameter, from the input to the last map, in the groups that layer-wise learning rates take."""
        return [list(self.parameters())]

    def variants(self, x: Float[Tensor, "n c t v m"], *changes: MapChange) -> tuple[Float[Tensor, "n dim"], ...]:
        """The features of one pass, once for each of `changes` of the last map. Raises ValueError where there is no
        such map."""
        if any(change is not None for change in changes):
            raise ValueError(f"{type(self).__name__} has no map of joints and frames, which this method changes")
        features: Tensor = self(x)
        return (features,) * len(changes)

    def several(self, *xs: Float[Tensor, "n c t v m"]) -> tuple[Float[Tensor, "n dim"], ...]:
        """The features of several batches, such as two views: what calling it for one after the other gives, statistics
        of batch normalisation included. An encoder that is faster at all of them together says so."""
        return tuple(self(x) for x in xs)

    def compile_parts(self, backend: str = "inductor") -> None:
        """Lets torch compile the encoder, in place; names and values of the weights stay as they are."""
        self.compile(backend=backend)


class BodyEncoder(Encoder):
    """An encoder of single bodies, whose features are averaged: a subclass gives `maps`, `pooled` and `levels`.

    Args:
        joints: v of the clips.
        in_channels: c of the clips.
        dim: length of a feature.
        dropout: share; what it drops is the encoder's own choice.
        absent: what becomes of bodies that are not there, all zero (see `Absent`). As published they are encoded and
            averaged in like real ones; where that is the same, in evaluation mode and without dropout, one is encoded
            for all of them.
        pool: that many frames are averaged into one before all else; 1, none, as published.
    """

    def __init__(self, *, joints: int, in_channels: int, dim: int, dropout: float, absent: Absent, pool: int) -> None:
        super().__init__(dim)
        if pool < 1:
            raise ValueError(f"pool ({pool}) must be at least 1")
        self.joints = joints
        self.in_channels = in_channels
        self.dropout = dropout
        self.absent = absent
        self.pool = pool

    @property
    def leaves_out_absent(self) -> bool:
        return self.absent == "skip"

    @abstractmethod
    def maps(self, x: Float[Tensor, "b c t v"], weights: Float[Tensor, " b"] | None) -> Float[Tensor, "s u b dim"]:
        """The last map of single bodies; in training mode `weights` says for how many bodies each row stands."""

    @abstractmethod
    def pooled(self, maps: Float[Tensor, "s u b dim"]) -> Float[Tensor, "b dim"]:
        """The features of bodies from their maps."""

    def finished(self, features: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """What is done with the features of clips last of all; nothing, unless an encoder says otherwise."""
        return features

    def forward(self, x: Float[Tensor, "n c t v m"]) -> Float[Tensor, "n dim"]:
        return self.variants(x, None)[0]

    def variants(self, x: Float[Tensor, "n c t v m"], *changes: MapChange) -> tuple[Float[Tensor, "n dim"], ...]:
        """The features of one pass, once for each of `changes` of the last map.

        Raises ValueError for clips of other joints or coordinates.
        """
        bodies, rows = self.rows(x)
        y = self.maps(rows, bodies.weights)
        changed = any(change is not None for change in changes)
        each, maps = bodies.apart(y) if changed else (bodies, y)
        features = []
        for change in changes:
            if change is None:
                features.append(self.finished(bodies.clips(self.pooled(y))))
            else:
                features.append(self.finished(each.clips(self.pooled(change(maps)))))
        return tuple(features)

    def rows(self, x: Float[Tensor, "n c t v m"]) -> tuple[Bodies, Float[Tensor, "b c s v"]]:
        """Which bodies are encoded, and what `maps` takes of them. Raises ValueError for clips of other joints or
        coordinates."""
        if (x.shape[1], x.shape[3]) != (self.in_channels, self.joints):
            raise ValueError(
                f"the encoder takes {self.in_channels} coordinates of {self.joints} joints, "
                f"the clips have {x.shape[1]} of {x.shape[3]}"
            )
        bodies = self._bodies(x)
        rows = bodies.rows
        if self.pool > 1:
            rows = _averaged(rows, self.pool)
        return bodies, rows

    def _bodies(self, x: Float[Tensor, "n c t v m"]) -> Bodies:
        # NOTE(deviation 8): absent bodies are averaged in, as published, unless they are to be skipped.
        if self.absent == "skip":
            return absent_weightless(x) if is_exporting() else absent_skipped(x)
        if is_exporting():  # the number of rows must not depend on values
            return every_body(x)
        # Equal rows stay equal unless each draws its own mask.
        if self.absent == "once" or not self.training or self.dropout == 0:
            return absent_once(x)
        return every_body(x)


def _averaged(x: Float[Tensor, "b c t v"], pool: int) -> Float[Tensor, "b c s v"]:
    """Each `pool` frames as their average, the last of which may be of fewer."""
    if is_exporting():  # one node of the graph
        return functional.avg_pool2d(x, (pool, 1), ceil_mode=True)
    whole = x.shape[2] // pool * pool
    total = x[:, :, :whole:pool]
    for first in range(1, pool):  # sums of slices: torch's pooling takes ten times as long
        total = total + x[:, :, first:whole:pool]
    means = total / pool
    return means if whole == x.shape[2] else torch.cat((means, x[:, :, whole:].mean(dim=2, keepdim=True)), dim=2)


def check_sizes(settings: EncoderSettings, *sizes: str) -> None:
    """Raises ValueError where a size is not in 1 .. 65536, or the dropout is no share."""
    for size in sizes:
        most = MOST_LAYERS if size == "layers" else MOST_UNITS
        if not 1 <= getattr(settings, size) <= most:
            raise ValueError(f"encoder.{size} ({getattr(settings, size)}) must be in 1..{most}")
    dropout = getattr(settings, "dropout", 0.0)
    if not 0 <= dropout < 1:
        raise ValueError(f"encoder.dropout ({dropout}) must be at least 0 and below 1")
