"""AimCLR: SkeletonCLR with a view under extreme augmentation, whose similarities to the queue are led towards those of
the normal view instead of being told to agree outright; later, nearest neighbours count as positives too."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import torch
from einops import rearrange
from torch import Tensor, nn

from kinestream import methods
from kinestream.augment.settings import ExtremeSettings
from kinestream.augment.transforms import Augmentation
from kinestream.methods.attention_drop import attention_drop
from kinestream.methods.contrast import distribution_loss, positives_loss, similarities, union_of_nearest, with_own
from kinestream.methods.method import MethodModule, MethodSettings, Networks, Progress, Views
from kinestream.methods.momentum_contrast import check_contrast, named, watched
from kinestream.methods.query_key import QueryKey, query_keys
from kinestream.models.encoder import Encoder
from kinestream.skeleton.layout import SkeletonLayout


@methods.register("aimclr")
@dataclass(frozen=True, kw_only=True)
class AimCLRSettings(MethodSettings):
    """AimCLR: SkeletonCLR with an extreme view that is led by the distribution of the normal one."""

    name: Literal["aimclr"] = "aimclr"
    """Which objective."""
    decay: float = 0.999
    """Of the key network's moving average."""
    temperature: float = 0.07
    """Divides the similarities."""
    queue: int = 32768
    """Keys of earlier steps that a query is told apart from."""
    mining_epoch: int | None = None
    """Epochs after which nearest neighbours count as positives too; null for never."""
    mining_k: int = 1
    """Nearest keys of each of the three queries that count."""
    drop_threshold: float = 0.7
    """Attention from which on the attention drop zeroes."""
    hidden: int = 256
    """Hidden units of the projector."""
    embedding: int = 128
    """Output units of the projector."""
    extreme: ExtremeSettings = field(default_factory=ExtremeSettings)

    @property
    def stage_change(self) -> int | None:
        return self.mining_epoch

    def views(self, normal: Augmentation, layout: SkeletonLayout) -> Sequence[Augmentation]:
        return (normal, normal, self.extreme.build(layout))

    def build(self, networks: Networks) -> "AimCLR":
        mining = None
        if self.mining_epoch is not None:
            mining = NeighbourMining(first_epoch=self.mining_epoch, k=self.mining_k)
        return AimCLR(
            query_keys(networks, hidden=self.hidden, embedding=self.embedding, queue=self.queue),
            decay=self.decay,
            temperature=self.temperature,
            threshold=self.drop_threshold,
            mining=mining,
        )


@dataclass(frozen=True, kw_only=True)
class NeighbourMining:
    """When nearest neighbours begin to count as positives, and how many of each query; 1 as published."""

    first_epoch: int
    k: int = 1


class AimCLR(MethodModule):
    """Three views: a query, a key, and an extreme view that gives two queries, plain and after the attention drop.

    In each stream `InfoNCE + [H(p, p_e) + H(p, p_d)] / 2`, p the distribution of the normal query over own key and
    queue, without gradient; with mining, in stage 2, InfoNCE also takes the nearest keys of the three queries for
    positives.
    The streams are summed and know nothing of each other.

    Args:
        networks: the query/key pair of each stream.
        decay: of the moving average that makes the key networks; 0.999 as published.
        temperature: divides the similarities; 0.07 as published.
        threshold: attention from which on the attention drop zeroes; 0.7 as published.
        mining: stage 2; None for stage 1 throughout.
    """

    def __init__(
        self,
        networks: Mapping[str, QueryKey],
        *,
        decay: float = 0.999,
        temperature: float = 0.07,
        threshold: float = 0.7,
        mining: NeighbourMining | None = None,
    ) -> None:
        super().__init__()
        check_contrast(decay, temperature)
        self.networks = nn.ModuleDict(networks)
        self.decay = decay
        self.temperature = temperature
        self.threshold = threshold
        self.mining = mining
        self._stage_2: NeighbourMining | None = None

    def start_epoch(self, epoch: int) -> None:
        """Begins to mine when it is time."""
        due = self.mining is not None and epoch >= self.mining.first_epoch
        self._stage_2 = self.mining if due else None

    def forward(self, views: Views) -> dict[str, Tensor]:
        first, second, extreme = views
        losses: dict[str, Tensor] = {}
        distributions: dict[str, Tensor] = {}
        terms: dict[str, Tensor] = {}
        for stream, network in self._networks():
            normal = network.query(first[stream])
            plain, dropped = network.queries(extreme[stream], [None, self._drop])
            key, queue = network.key(second[stream]), network.queue.keys
            found = [similarities(query.q, key, queue) for query in (normal, plain, dropped)]
            logits, logits_e, logits_d = (similarity.logits(self.temperature) for similarity in found)
            mined = torch.zeros_like(found[0].queue, dtype=torch.bool)
            if self._stage_2 is not None:
                mined = union_of_nearest(found, self._stage_2.k)
                terms[f"mined/{stream}"] = mined.sum() / len(mined)
            losses[stream] = positives_loss(logits, with_own(mined))
            distributions[stream] = (distribution_loss(logits, logits_e) + distribution_loss(logits, logits_d)) / 2
            terms |= watched(stream, normal.q, normal.h, found[0], self.temperature)
        total = torch.stack([*losses.values(), *distributions.values()]).sum()
        return {"loss": total, **named("loss", losses), **named("distribution", distributions), **terms}

    def after_step(self, progress: Progress) -> None:
        for _, network in self._networks():
            network.after_step(self.decay)

    def encoders(self) -> Mapping[str, Encoder]:
        return {stream: network.encoder for stream, network in self._networks()}

    def _drop(self, y: Tensor) -> Tensor:
        dropped = attention_drop(rearrange(y, "s v b c -> b c s v"), self.threshold)
        return rearrange(dropped, "b c s v -> s v b c")

    def _networks(self) -> Iterable[tuple[str, QueryKey]]:
        return ((stream, cast(QueryKey, network)) for stream, network in self.networks.items())
