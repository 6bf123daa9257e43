"""TranCLR: what lies between two clips is told to lie between their keys (CVPR 2026). Queries are of mixtures of clips,
transitional anchors; targets are mixtures of keys, met by soft alignment with a bank of keys."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import torch
from torch import Tensor, nn

from kinestream import methods
from kinestream.augment.mixing import SHARE, Mixture
from kinestream.augment.settings import MixingSettings
from kinestream.methods.method import MethodModule, MethodSettings, Networks, Progress, Views
from kinestream.methods.momentum_contrast import check_decay, named
from kinestream.methods.query_key import Query, QueryKey, opposite, query_keys
from kinestream.methods.soft_alignment import SoftAlignment, common_share, mixed_keys
from kinestream.methods.spread import feature_spread
from kinestream.models.encoder import Encoder
from kinestream.skeleton.layout import SkeletonLayout

LEVELS = ("intra", "inter", "cross")


@methods.register("tranclr")
@dataclass(frozen=True, kw_only=True)
class TranCLRSettings(MethodSettings):
    """TranCLR: mixtures of clips are aligned with mixtures of keys, within a clip, between clips, across mixtures."""

    name: Literal["tranclr"] = "tranclr"
    """Which objective."""
    decay: float = 0.999
    """Of the key network's moving average."""
    bank: int = 65536
    """Keys of earlier steps, in whose similarities a query is compared with its target."""
    alignment: SoftAlignment = field(default_factory=SoftAlignment)
    mixing: MixingSettings = field(default_factory=MixingSettings)
    intra: float = 1.0
    """Weight of the level of two views of a clip; 0 leaves it out, as of the others."""
    inter: float = 1.0
    """Weight of the level of two clips."""
    cross: float = 1.0
    """Weight of the level of two mixtures of the same two clips."""
    hidden: int = 256
    """Hidden units of the projector."""
    embedding: int = 128
    """Output units of the projector."""

    def __post_init__(self) -> None:
        check_decay(self.decay)
        self.alignment.check_bank(self.bank)
        weights = {level: getattr(self, level) for level in LEVELS}
        if min(weights.values()) < 0 or not any(weights.values()):
            shown = ", ".join(f"{level} {weight:g}" for level, weight in weights.items())
            raise ValueError(f"the weights of the levels ({shown}) must be 0 or more, and one of them above 0")

    def check_streams(self, streams: Sequence[str]) -> None:
        self.mixing.check_streams(streams)

    def mixtures(self, layout: SkeletonLayout) -> Sequence[Mixture]:
        """Of the two views of a clip; of two clips, in the first view; and again, in the second."""
        mixing = self.mixing.build(layout)
        return (
            Mixture(mixing=mixing, first=0, second=1, across=False),
            Mixture(mixing=mixing, first=0, second=0),
            Mixture(mixing=mixing, first=1, second=1),
        )

    def build(self, networks: Networks) -> "TranCLR":
        return TranCLR(
            query_keys(networks, hidden=self.hidden, embedding=self.embedding, queue=self.bank),
            decay=self.decay,
            alignment=self.alignment,
            weights={level: getattr(self, level) for level in LEVELS},
        )


class TranCLR(MethodModule):
    """In each stream the weighted sum of three soft alignments, summed over the streams.

    Views are x1 and x2 of each clip, then the mixtures: A of x1 and x2 of one clip, and A1 and A2 of two clips, i and
    the one opposite to it in the batch, j, in the first and in the second view. With q and k the unit embeddings of
    query and key network, each loss meets the query of a mixture with a mixture of keys:

    - intra: q(A) with `l k(x1) + (1 - l) k(x2)`;
    - inter: q(A1) with `l1 k(x2 of i) + (1 - l1) k(x2 of j)`;
    - cross: q(A1) with `c k(A2 of i and j) + (1 - c) k(A2 of j and i)`, `c` by `common_share(l1, l2)`.

    Args:
        networks: the query/key pair of each stream.
        decay: of the moving average that makes the key networks; 0.999 as published.
        alignment: the loss of a query and its target.
        weights: of `LEVELS`; 1 each as published. A level of weight 0 costs no pass.
    """

    def __init__(
        self,
        networks: Mapping[str, QueryKey],
        *,
        decay: float = 0.999,
        alignment: SoftAlignment | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        check_decay(decay)
        self.networks = nn.ModuleDict(networks)
        self.decay = decay
        self.alignment = alignment or SoftAlignment()
        self.weights = dict.fromkeys(LEVELS, 1.0) if weights is None else dict(weights)
        if not any(self.weights.values()):
            raise ValueError("of the levels intra, inter and cross at least one must weigh more than 0")
        for _, network in self._networks():
            self.alignment.check_bank(len(network.queue.keys))

    def forward(self, views: Views) -> dict[str, Tensor]:
        levels: dict[str, dict[str, Tensor]] = {}
        terms: dict[str, Tensor] = {}
        for stream, network in self._networks():
            levels[stream], query = self._levels(network, stream, views)
            terms |= {f"{level}/{stream}": loss for level, loss in levels[stream].items()}
            terms[f"spread/{stream}"] = feature_spread(query.h)
            terms[f"spread/{stream}/queries"] = feature_spread(query.q.detach())
        losses = {
            stream: torch.stack([self.weights[level] * loss for level, loss in found.items()]).sum()
            for stream, found in levels.items()
        }
        return {"loss": torch.stack(list(losses.values())).sum(), **named("loss", losses), **terms}

    def _levels(self, network: QueryKey, stream: str, views: Views) -> tuple[dict[str, Tensor], Query]:
        """The loss of each level that weighs something, and one of the queries, to be watched."""
        # NOTE: of two clips the anchor is of the first views and the target of the second ones, so that the level also
        # asks that views agree; inter and cross level share the anchor. The paper leaves both open, as far as is known.
        first, second, within, between, again = views
        key = network.key(second[stream])
        found: dict[str, Tensor] = {}
        queries: list[Query] = []
        if self.weights["intra"]:
            queries.append(network.query(within[stream]))
            other = network.key(first[stream], enters=False)
            found["intra"] = self._align(queries[-1], mixed_keys(other, key, within[SHARE]), network)
        if self.weights["inter"] or self.weights["cross"]:
            queries.append(network.query(between[stream]))
        if self.weights["inter"]:
            target = mixed_keys(key, opposite(key), between[SHARE])
            found["inter"] = self._align(queries[-1], target, network)
        if self.weights["cross"]:
            mixture = network.key(again[stream], enters=False)
            share = common_share(between[SHARE], again[SHARE])
            found["cross"] = self._align(queries[-1], mixed_keys(mixture, opposite(mixture), share), network)
        return found, queries[-1]

    def _align(self, query: Query, target: Tensor, network: QueryKey) -> Tensor:
        return self.alignment.loss(query.q, target, network.queue.keys)

    def after_step(self, progress: Progress) -> None:
        for _, network in self._networks():
            network.after_step(self.decay)

    def encoders(self) -> Mapping[str, Encoder]:
        return {stream: network.encoder for stream, network in self._networks()}

    def _networks(self) -> Iterable[tuple[str, QueryKey]]:
        return ((stream, cast(QueryKey, network)) for stream, network in self.networks.items())
