"""SkeletonCLR and CrosSCLR: each stream tells a clip's other view from the keys of a queue; in stage 2 of CrosSCLR the
streams learn from each other's neighbours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from kinestream import methods
from kinestream.augment.mixing import SHARE, Mixture
from kinestream.augment.settings import MixingSettings
from kinestream.methods.contrast import (
    Similarities,
    context_loss,
    info_nce,
    mixture_nce,
    nearest,
    own_key_found,
    similarities,
)
from kinestream.methods.method import MethodModule, MethodSettings, Networks, Progress, Views
from kinestream.methods.query_key import QueryKey, opposite, query_keys
from kinestream.methods.soft_alignment import SoftAlignment, mixed_keys
from kinestream.methods.spread import feature_spread
from kinestream.models.encoder import Encoder
from kinestream.skeleton.layout import SkeletonLayout


@methods.register("skeletonclr", "crosclr")
@dataclass(frozen=True, kw_only=True)
class MomentumContrastSettings(MethodSettings):
    """SkeletonCLR, and CrosSCLR once the streams mine each other's neighbours."""

    name: Literal["skeletonclr", "crosclr"] = "skeletonclr"
    """Which objective."""
    decay: float = 0.999
    """Of the key network's moving average."""
    temperature: float = 0.07
    """Divides the similarities."""
    queue: int = 32768
    """Keys of earlier steps that a query is told apart from."""
    cross_epoch: int | None = None
    """CrosSCLR: epochs of stage 1, after which each stream learns from the neighbours of the others."""
    cross_k: int = 1
    """CrosSCLR, stage 2: nearest keys in the queue that a stream gives the others as positives."""
    hidden: int = 256
    """Hidden units of the projector."""
    embedding: int = 128
    """Output units of the projector."""
    mixing: MixingSettings | None = None
    """How clips are mixed, where queries of mixtures are to find the keys of their clips too; null for no mixtures."""
    alignment: SoftAlignment | None = None
    """SkeletonCLR: soft alignment of the query with its key in place of telling it from the queue; null for none."""

    def __post_init__(self) -> None:
        if self.name == "skeletonclr" and self.cross_epoch is not None:
            raise ValueError(
                f"method.cross_epoch ({self.cross_epoch}) is for crosclr, skeletonclr has one stage: set it to null"
            )
        if self.alignment is not None:
            if self.name == "crosclr":
                raise ValueError("method.alignment is for skeletonclr, crosclr has no place for it: set it to null")
            self.alignment.check_bank(self.queue)

    @property
    def stage_change(self) -> int | None:
        return self.cross_epoch

    def check_streams(self, streams: Sequence[str]) -> None:
        if self.cross_epoch is not None and len(streams) < 2:
            raise ValueError(
                f"method.cross_epoch ({self.cross_epoch}) has streams learn from each other, and {streams[0]} is "
                "alone: name more streams, or set method.cross_epoch=null"
            )
        if self.mixing is not None:
            self.mixing.check_streams(streams)

    def mixtures(self, layout: SkeletonLayout) -> Sequence[Mixture]:
        return () if self.mixing is None else (Mixture(mixing=self.mixing.build(layout)),)

    def build(self, networks: Networks) -> "MomentumContrast":
        mining = None
        if self.cross_epoch is not None:
            mining = CrossMining(first_epoch=self.cross_epoch, k=self.cross_k)
        pairs = query_keys(networks, hidden=self.hidden, embedding=self.embedding, queue=self.queue)
        return MomentumContrast(
            pairs,
            decay=self.decay,
            temperature=self.temperature,
            mining=mining,
            alignment=self.alignment,
        )


@dataclass(frozen=True, kw_only=True)
class CrossMining:
    """Stage 2 of CrosSCLR: when it begins and how many neighbours count; 1 as published."""

    first_epoch: int
    """Stage 1 has this many epochs."""
    k: int = 1
    """Nearest keys of each other stream that become positives."""


class MomentumContrast(MethodModule):
    """InfoNCE with a queue in each stream, summed over the streams (SkeletonCLR); with `mining`, in stage 2, each
    stream instead learns from each other one's neighbours, averaged over the others (CrosSCLR). A third view, where
    there is one, is a mixture of clips in the first; its queries find the keys of both clips in the second.

    Args:
        networks: the query/key pair of each stream.
        decay: of the moving average that makes the key networks; 0.999 as published.
        temperature: divides the similarities; 0.07 as published.
        mining: stage 2; None for stage 1 throughout.
        alignment: in place of InfoNCE, of the mixtures too.
    """

    # NOTE(deviation 10): the published CrosSCLR moves only the key network of the motion stream in stage 2, and its
    # heads of motion and bone contain the joint head; here all key networks move and each stream has its own head.

    def __init__(
        self,
        networks: Mapping[str, QueryKey],
        *,
        decay: float = 0.999,
        temperature: float = 0.07,
        mining: CrossMining | None = None,
        alignment: SoftAlignment | None = None,
    ) -> None:
        super().__init__()
        check_contrast(decay, temperature)
        if mining is not None and len(networks) < 2:
            raise ValueError(f"streams that learn from each other must be two or more, not {', '.join(networks)} alone")
        self.networks = nn.ModuleDict(networks)
        self.decay = decay
        self.temperature = temperature
        self.mining = mining
        self.alignment = alignment
        self._stage_2: CrossMining | None = None

    def start_epoch(self, epoch: int) -> None:
        """Goes over to stage 2 when it is time."""
        due = self.mining is not None and epoch >= self.mining.first_epoch
        self._stage_2 = self.mining if due else None

    def forward(self, views: Views) -> dict[str, Tensor]:
        first, second, *mixtures = views
        terms: dict[str, Tensor] = {}
        found: dict[str, Similarities] = {}
        losses: dict[str, Tensor] = {}
        of_mixtures: dict[str, Tensor] = {}
        for stream, network in self._networks():
            (q, h), key = network.query(first[stream]), network.key(second[stream])
            found[stream] = similarities(q, key, network.queue.keys)
            terms |= watched(stream, q, h, found[stream], self.temperature)
            if self._stage_2 is None:
                losses[stream] = self._alone(q, key, found[stream], network)
            for mixture in mixtures:
                of_mixtures[stream] = self._of_mixture(network, mixture[stream], key, mixture[SHARE])
        if self._stage_2 is not None:
            losses = cross_losses(found, self._stage_2.k, self.temperature)
            terms["mined/shared"] = shared_neighbours(found, self._stage_2.k)
        total = torch.stack([*losses.values(), *of_mixtures.values()]).sum()
        return {"loss": total, **named("loss", losses), **named("mixture", of_mixtures), **terms}

    def _alone(self, q: Tensor, key: Tensor, found: Similarities, network: QueryKey) -> Tensor:
        """What a stream learns that knows nothing of others."""
        if self.alignment is not None:
            return self.alignment.loss(q, key, network.queue.keys)
        return info_nce(found.logits(self.temperature))

    def _of_mixture(self, network: QueryKey, x: Tensor, key: Tensor, share: Tensor) -> Tensor:
        q, queue = network.query(x).q, network.queue.keys
        if self.alignment is not None:
            return self.alignment.loss(q, mixed_keys(key, opposite(key), share), queue)
        return mixture_nce(q, key, opposite(key), share, queue, self.temperature)

    def after_step(self, progress: Progress) -> None:
        for _, network in self._networks():
            network.after_step(self.decay)

    def encoders(self) -> Mapping[str, Encoder]:
        return {stream: network.encoder for stream, network in self._networks()}

    def _networks(self) -> Iterable[tuple[str, QueryKey]]:
        return ((stream, cast(QueryKey, network)) for stream, network in self.networks.items())


def cross_losses(found: Mapping[str, Similarities], k: int, temperature: float) -> dict[str, Tensor]:
    """For each stream the mean of `context_loss` over the other streams."""
    losses = {}
    for stream, own in found.items():
        others = [other for name, other in found.items() if name != stream]
        losses[stream] = torch.stack([context_loss(own, other, k, temperature) for other in others]).mean()
    return losses


@torch.no_grad()
def shared_neighbours(found: Mapping[str, Similarities], k: int) -> Tensor:
    """For the log: of the keys that a stream mines the share that another one mines too, over all pairs of streams."""
    marks = [nearest(similarity.queue, k) for similarity in found.values()]
    shares = [(a & b).sum() / (k * len(a)) for i, a in enumerate(marks) for b in marks[:i]]
    return torch.stack(shares).mean()


def watched(stream: str, q: Tensor, h: Tensor, found: Similarities, temperature: float) -> dict[str, Tensor]:
    """Numbers for the log: spreads, and how often the own key is the nearest."""
    return {
        f"spread/{stream}": feature_spread(h),
        f"spread/{stream}/queries": feature_spread(q),
        f"own_key/{stream}": own_key_found(found.logits(temperature)),
    }


def named(kind: str, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{kind}/{stream}": term for stream, term in terms.items()}


def check_decay(decay: float) -> None:
    """Raises ValueError where no moving average can be made with it."""
    if not 0 <= decay <= 1:
        raise ValueError(f"decay ({decay}) must be in [0, 1]")


def check_contrast(decay: float, temperature: float) -> None:
    """Raises ValueError for what no training can be done with."""
    check_decay(decay)
    if temperature <= 0:
        raise ValueError(f"temperature ({temperature}) must be above 0")
