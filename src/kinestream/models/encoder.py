"""What every encoder of skeleton clips has in common: bodies are encoded one by one, and their features averaged.

Shapes: n clip, c channel, t frame, v joint, m body, b encoded body, s place in time and u joint of a map.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kinestream.models.kernels.bodies import Absent, Bodies, absent_once, absent_skipped, every_body

MapChange = Callable[[Tensor], Tensor] | None
"""Of the last map `(s, u, b, dim)` of an encoder, into one of the same shape; None leaves it as it is."""


class Encoder(nn.Module, ABC):
    """Skeleton encoder `(n, c, t, v, m) -> (n, dim)`.

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
        super().__init__()
        if dim < 1 or pool < 1:
            raise ValueError(f"the length of a feature ({dim}) and pool ({pool}) must be at least 1")
        self.joints = joints
        self.in_channels = in_channels
        self.dim = dim
        self.dropout = dropout
        self.absent = absent
        self.pool = pool

    @abstractmethod
    def maps(self, x: Float[Tensor, "b c t v"], weights: Float[Tensor, " b"] | None) -> Float[Tensor, "s u b dim"]:
        """The last map of single bodies; in training mode `weights` says for how many bodies each row stands."""

    @abstractmethod
    def pooled(self, maps: Float[Tensor, "s u b dim"]) -> Float[Tensor, "b dim"]:
        """The features of bodies from their maps."""

    def finished(self, features: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """What is done with the features of clips last of all; nothing, unless an encoder says otherwise."""
        return features

    @abstractmethod
    def levels(self) -> list[list[nn.Parameter]]:
        """Every parameter, from the input to the last map, in the groups that layer-wise learning rates take."""

    def forward(self, x: Float[Tensor, "n c t v m"]) -> Float[Tensor, "n dim"]:
        return self.variants(x, None)[0]

    def variants(self, x: Float[Tensor, "n c t v m"], *changes: MapChange) -> tuple[Float[Tensor, "n dim"], ...]:
        """The features of one pass, once for each of `changes` of the last map.

        Raises ValueError for clips of other joints or coordinates.
        """
        if (x.shape[1], x.shape[3]) != (self.in_channels, self.joints):
            raise ValueError(
                f"the encoder takes {self.in_channels} coordinates of {self.joints} joints, "
                f"the clips have {x.shape[1]} of {x.shape[3]}"
            )
        bodies = self._bodies(x)
        rows = bodies.rows
        if self.pool > 1:
            rows = functional.avg_pool2d(rows, (self.pool, 1), ceil_mode=True)
        y = self.maps(rows, bodies.weights)
        features = []
        for change in changes:
            if change is None:
                features.append(self.finished(bodies.clips(self.pooled(y))))
            else:
                each, maps = bodies.apart(y)
                features.append(self.finished(each.clips(self.pooled(change(maps)))))
        return tuple(features)

    def _bodies(self, x: Float[Tensor, "n c t v m"]) -> Bodies:
        # NOTE(deviation 8): absent bodies are averaged in, as published, unless they are to be skipped.
        if self.absent == "skip":
            return absent_skipped(x)
        # Equal rows stay equal unless each draws its own mask.
        if self.absent == "once" or not self.training or self.dropout == 0:
            return absent_once(x)
        return every_body(x)
