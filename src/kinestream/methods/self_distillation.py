"""SkeletonBYOL and CACA: an online network that learns from a moving average of itself, in each stream."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, cast

from torch import Tensor, nn

from kinestream.methods.losses import byol_loss, caca_loss
from kinestream.methods.method import Progress, Views
from kinestream.methods.online_target import OnlineTarget
from kinestream.methods.spread import feature_spread
from kinestream.models.stgcn import STGCN

PairLoss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""A loss of (q1, q2, z1, z2); see `kinestream.methods.losses`."""


class SelfDistillation(nn.Module):
    """A loss on the online/target pair of each stream, summed over the streams.

    Args:
        pairs: the online/target pair of each stream.
        loss: `byol_loss` for SkeletonBYOL, `caca_loss` for CACA.
        decay: of the moving average, at the beginning; 0.996 as published.
        final_decay: at the end, reached along half a cosine (BYOL, section 3.2); the same as published.
        predictor_rate: factor on the learning rate of the predictors.
        targets: applied to the targets of a view before the loss: None as published, or `losses.whiten`.
    """

    def __init__(
        self,
        pairs: Mapping[str, OnlineTarget],
        loss: PairLoss,
        *,
        decay: float = 0.996,
        final_decay: float | None = None,
        predictor_rate: float = 1.0,
        targets: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.pairs = nn.ModuleDict(pairs)
        self.loss = loss
        self.decay = decay
        self.final_decay = decay if final_decay is None else final_decay
        self.predictor_rate = predictor_rate
        self.targets = targets
        for name, value in (("decay", self.decay), ("final_decay", self.final_decay)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} ({value}) must be in [0, 1]")

    def forward(self, views: Views) -> dict[str, Tensor]:
        first, second = views
        terms: dict[str, Tensor] = {}
        for stream, pair in self._pairs():
            q1, q2, z1, z2, h1 = pair(first[stream], second[stream])
            if self.targets is not None:
                z1, z2 = self.targets(z1), self.targets(z2)
            terms[f"loss/{stream}"] = self.loss(q1, q2, z1, z2)
            terms[f"spread/{stream}"] = feature_spread(h1)
        losses = [term for name, term in terms.items() if name.startswith("loss/")]
        return {"loss": sum(losses[1:], start=losses[0]), **terms}

    def after_step(self, progress: Progress) -> None:
        fraction = 0.5 * (1 + math.cos(math.pi * progress.share))
        decay = self.final_decay - (self.final_decay - self.decay) * fraction
        for _, pair in self._pairs():
            pair.update_target(decay)

    def encoders(self) -> Mapping[str, STGCN]:
        return {stream: pair.encoder for stream, pair in self._pairs()}

    def parameter_groups(self) -> Iterable[tuple[float, list[nn.Parameter]]]:
        pairs = [pair for _, pair in self._pairs()]
        predictors = [p for pair in pairs for p in pair.predictor.parameters()]
        others = [p for pair in pairs for part in (pair.encoder, pair.projector) for p in part.parameters()]
        if self.predictor_rate == 1:
            return [(1.0, others + predictors)]
        return [(1.0, others), (self.predictor_rate, predictors)]

    def _pairs(self) -> Iterable[tuple[str, OnlineTarget]]:
        return ((stream, cast(OnlineTarget, pair)) for stream, pair in self.pairs.items())


def skeleton_byol(pairs: Mapping[str, OnlineTarget], **options: Any) -> SelfDistillation:
    """SkeletonBYOL: `D(q1, z2) + D(q2, z1)` in each stream. Options as of `SelfDistillation`."""
    return SelfDistillation(pairs, byol_loss, **options)


def caca(pairs: Mapping[str, OnlineTarget], *, push: float = 0.5, **options: Any) -> SelfDistillation:
    """CACA (stage 1 of 3s-CACA): `D(q1, q2) - push [D(q1, z1) + D(q2, z2)]` in each stream, push = 1/2 as published.
    Other options as of `SelfDistillation`."""
    return SelfDistillation(pairs, partial(caca_loss, push=push), **options)
