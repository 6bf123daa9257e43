"""SkeletonBYOL, CACA and 3s-CACA: an online network that learns from a moving average of itself, in each stream, and
from the agreement of the streams.

Over several processes each sees its own rows of the batch and, where the targets of other clips matter, those of all:
targets carry no gradient, so that nothing need be sent back for them. The mean over processes of what each finds is
what one process finds with the whole batch.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, cast

from jaxtyping import Bool
from torch import Tensor, nn

from kinestream import methods
from kinestream.distributed.collectives import gather_rows, own_rows
from kinestream.methods.agreement import (
    StreamSimilarities,
    agreement_loss,
    cosine_similarities,
    stream_label,
    vote,
    watched,
)
from kinestream.methods.losses import byol_loss, caca_loss, whiten
from kinestream.methods.method import MethodSettings, Networks, Progress, Views
from kinestream.methods.online_target import OnlineTarget
from kinestream.methods.spread import feature_spread
from kinestream.models.encoder import Encoder
from kinestream.models.heads import mlp_head

PairLoss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""A loss of (q1, q2, z1, z2); see `kinestream.methods.losses`."""


@methods.register("caca", "skeleton-byol")
@dataclass(frozen=True, kw_only=True)
class SelfDistillationSettings(MethodSettings):
    """SkeletonBYOL, CACA, 3s-CACA: a network that learns from a moving average of itself."""

    name: Literal["caca", "skeleton-byol"] = "caca"
    """Which objective."""
    decay: float = 0.996
    """Of the target's moving average."""
    final_decay: float | None = None
    """The decay at the end, reached along a cosine; the same as `decay` when null."""
    push: float = 0.5
    """CACA: weight of the push from the target."""
    cross_epoch: int | None = None
    """Epochs of stage 1, after which the streams learn from each other (CSCL); null for stage 1 throughout."""
    cross_k: int = 2
    """Stage 2: largest similarities of each row that a stream marks as positive."""
    cross_weight: float = 10.0
    """Stage 2: lambda, the weight of the agreement."""
    cross_moving_target: bool = False
    """Stage 2: go on with the moving average; as published, the target is frozen."""
    cross_negated: bool = False
    """Stage 2 of CACA: compare the negated predictions with the targets, whose opposites the push makes them; as
    published, they are compared as they are."""
    target: Literal["plain", "whitened"] = "plain"
    """Targets as published, or whitened over the batch: for few clips."""
    shrinkage: float = 0.1
    """Of the covariance that whitens."""
    hidden: int = 2048
    """Hidden units of projector and predictor."""
    embedding: int = 512
    """Output units of projector and predictor."""
    predictor_rate: float = 1.0
    """Factor on the learning rate of the predictor."""

    remedy: ClassVar[str] = "method.target=whitened, "

    def __post_init__(self) -> None:
        if self.cross_negated and self.name != "caca":
            raise ValueError(
                "cross_negated is for method caca, which pushes predictions to the opposite of their targets; "
                f"{self.name} pulls them together: leave it out"
            )

    @property
    def stage_change(self) -> int | None:
        return self.cross_epoch

    def build(self, networks: Networks) -> "SelfDistillation":
        pairs: dict[str, OnlineTarget] = {}
        for stream in networks.streams:
            projector = mlp_head(networks.dim, self.hidden, self.embedding)
            predictor = mlp_head(self.embedding, self.hidden, self.embedding)
            networks.initialise(projector, predictor)
            pairs[stream] = OnlineTarget(networks.encoder(stream), projector, predictor)
        shared: dict[str, Any] = {
            "decay": self.decay,
            "final_decay": self.final_decay,
            "predictor_rate": self.predictor_rate,
            "targets": partial(whiten, shrinkage=self.shrinkage) if self.target == "whitened" else None,
            "collaboration": None
            if self.cross_epoch is None
            else Collaboration(
                first_epoch=self.cross_epoch,
                k=self.cross_k,
                weight=self.cross_weight,
                moving_target=self.cross_moving_target,
                negated=self.cross_negated,
            ),
        }
        return caca(pairs, push=self.push, **shared) if self.name == "caca" else skeleton_byol(pairs, **shared)


@dataclass(frozen=True, kw_only=True)
class Collaboration:
    """Stage 2 of 3s-CACA (CSCL): when it begins and how it weighs; the defaults are the published ones."""

    first_epoch: int
    """Stage 1 has this many epochs."""
    k: int = 2
    """Largest similarities of each row that a stream marks."""
    weight: float = 10.0
    """Lambda: of the agreement in the loss."""
    moving_target: bool = False
    """Go on with the moving average in stage 2."""
    # NOTE(deviation 3): the published code freezes the target in stage 2; kept, and this turns the average on.
    negated: bool = False
    """Similarities of the targets are with the opposites of the predictions."""


class SelfDistillation(nn.Module):
    """A loss on the online/target pair of each stream, summed over the streams; in stage 2, if there is one, also the
    agreement of each stream with the pseudo positives that the streams vote for.

    Args:
        pairs: the online/target pair of each stream.
        loss: `byol_loss` for SkeletonBYOL, `caca_loss` for CACA.
        decay: of the moving average, at the beginning; 0.996 as published.
        final_decay: at the end, reached along half a cosine (BYOL, section 3.2); the same as published.
        predictor_rate: factor on the learning rate of the predictors.
        targets: applied to the targets of a view before the loss: None as published, or `losses.whiten`.
        collaboration: stage 2; None for stage 1 throughout.
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
        collaboration: Collaboration | None = None,
    ) -> None:
        super().__init__()
        self.pairs = nn.ModuleDict(pairs)
        self.loss = loss
        self.decay = decay
        self.final_decay = decay if final_decay is None else final_decay
        self.predictor_rate = predictor_rate
        self.targets = targets
        self.collaboration = collaboration
        self.positives: Bool[Tensor, "b B"] | None = None
        """The vote of the last step of stage 2, to be watched."""
        self._stage_2: Collaboration | None = None
        for name, value in (("decay", self.decay), ("final_decay", self.final_decay)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} ({value}) must be in [0, 1]")

    def start_epoch(self, epoch: int) -> None:
        """Goes over to stage 2 when it is time."""
        due = self.collaboration is not None and epoch >= self.collaboration.first_epoch
        self._stage_2 = self.collaboration if due else None
        self.positives = None

    def forward(self, views: Views) -> dict[str, Tensor]:
        first, second = views
        own = own_rows(len(next(iter(first.values()))))
        terms: dict[str, Tensor] = {}
        similarities: dict[str, StreamSimilarities] = {}
        for stream, pair in self._pairs():
            q1, q2, z1, z2, h1 = pair(first[stream], second[stream])
            all1, all2 = z1, z2
            if self.targets is not None or self._stage_2 is not None:
                all1, all2 = gather_rows(z1), gather_rows(z2)
            if self.targets is not None:
                all1, all2 = self.targets(all1), self.targets(all2)
                z1, z2 = all1[own], all2[own]
            terms[f"loss/{stream}"] = self.loss(q1, q2, z1, z2)
            terms[f"spread/{stream}"] = feature_spread(h1)
            terms[f"spread/{stream}/predictions"] = feature_spread(q1)
            if self._stage_2 is not None:
                p1, p2 = (-q1, -q2) if self._stage_2.negated else (q1, q2)
                similarities[stream] = StreamSimilarities(
                    first=cosine_similarities(p1, all2), second=cosine_similarities(p2, all1)
                )
        if self._stage_2 is not None:
            k, weight = self._stage_2.k, self._stage_2.weight
            labels = {name: stream_label(similarity, k, own.start) for name, similarity in similarities.items()}
            self.positives = vote(list(labels.values()))
            terms |= _agreement_terms(similarities, self.positives, weight)
            terms |= watched(labels, self.positives, own.start)
        losses = [term for name, term in terms.items() if name.startswith(("loss/", "agreement/"))]
        return {"loss": sum(losses[1:], start=losses[0]), **terms}

    def after_step(self, progress: Progress) -> None:
        if self._stage_2 is not None and not self._stage_2.moving_target:
            return
        fraction = 0.5 * (1 + math.cos(math.pi * progress.share))
        decay = self.final_decay - (self.final_decay - self.decay) * fraction
        for _, pair in self._pairs():
            pair.update_target(decay)

    def encoders(self) -> Mapping[str, Encoder]:
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


def _agreement_terms(
    similarities: Mapping[str, StreamSimilarities], positives: Bool[Tensor, "b B"], weight: float
) -> dict[str, Tensor]:
    """For each stream `lambda [CE(S1, Y) + CE(S2, Y)]`, Y the vote."""
    return {
        f"agreement/{stream}": weight
        * (agreement_loss(similarity.first, positives) + agreement_loss(similarity.second, positives))
        for stream, similarity in similarities.items()
    }


def skeleton_byol(pairs: Mapping[str, OnlineTarget], **options: Any) -> SelfDistillation:
    """SkeletonBYOL: `D(q1, z2) + D(q2, z1)` in each stream. Options as of `SelfDistillation`."""
    return SelfDistillation(pairs, byol_loss, **options)


def caca(pairs: Mapping[str, OnlineTarget], *, push: float = 0.5, **options: Any) -> SelfDistillation:
    """CACA (stage 1 of 3s-CACA): `D(q1, q2) - push [D(q1, z1) + D(q2, z2)]` in each stream, push = 1/2 as published.
    Other options as of `SelfDistillation`."""
    return SelfDistillation(pairs, partial(caca_loss, push=push), **options)
