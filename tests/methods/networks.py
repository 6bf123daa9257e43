"""Small networks and views for tests of methods, without dropout."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from kinestream.augment.mixing import Mixing, Mixture, with_mixtures
from kinestream.methods.dense import LEVELS, DenseDecorrelation, DenseNetwork
from kinestream.methods.in_batch import InBatch, Projected
from kinestream.methods.losses import nt_xent_loss, vicreg_loss
from kinestream.methods.online_target import OnlineTarget
from kinestream.methods.query_key import QueryKey
from kinestream.methods.queue import KeyQueue
from kinestream.models.bigru import BiGRU
from kinestream.models.encoder import Encoder
from kinestream.models.heads import contrast_head, mlp_head
from kinestream.models.kernels.graph import adjacency
from kinestream.models.stgcn import STGCN
from kinestream.skeleton.layout import KINECT20

DIM, EMBEDDING = 8, 6


def encoder() -> STGCN:
    return STGCN(torch.from_numpy(adjacency(KINECT20)), hidden=4, dim=DIM, dropout=0.0)


def recurrent_encoder() -> BiGRU:
    return BiGRU(20, hidden=DIM // 2, layers=2, absent="once", pool=2)


def query_key(seed: int = 0, length: int = 10) -> QueryKey:
    torch.manual_seed(seed)
    return QueryKey(encoder(), contrast_head(DIM, 8, EMBEDDING), KeyQueue(length, EMBEDDING))


def projected(seed: int = 0, make: Callable[[], Encoder] = encoder) -> Projected:
    torch.manual_seed(seed)
    return Projected(make(), mlp_head(DIM, 16, EMBEDDING))


def nt_xent(networks: Mapping[str, Projected], temperature: float = 0.1) -> InBatch:
    return InBatch(networks, partial(nt_xent_loss, temperature=temperature))


def vicreg(networks: Mapping[str, Projected]) -> InBatch:
    return InBatch(networks, vicreg_loss)


def dense_network(seed: int = 0) -> DenseNetwork:
    torch.manual_seed(seed)
    return DenseNetwork(encoder(), {level: mlp_head(DIM, 16, EMBEDDING) for level in LEVELS})


def dense(networks: Mapping[str, DenseNetwork], **weights: float) -> DenseDecorrelation:
    return DenseDecorrelation(networks, weights or dict.fromkeys(LEVELS, 1.0), moments=2)


def pair(seed: int = 0) -> OnlineTarget:
    torch.manual_seed(seed)
    return OnlineTarget(encoder(), mlp_head(DIM, 16, EMBEDDING), mlp_head(EMBEDDING, 16, EMBEDDING))


def views(
    seed: int = 0, streams: tuple[str, ...] = ("joint",), count: int = 2, batch: int = 6
) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [{stream: torch.randn(batch, 3, 8, 20, 1, generator=generator) for stream in streams} for _ in range(count)]


MIXTURES = {
    "tranclr": ((0, 1, False), (0, 0, True), (1, 1, True)),
    "nt-xent": ((0, 0, True),),
}
"""Of which views the mixtures of a method are, and whether of two clips."""


def mixed_views(
    seed: int = 0,
    streams: tuple[str, ...] = ("joint",),
    *,
    of: str,
    batch: int = 6,
    dtype: torch.dtype = torch.float32,
) -> list[dict[str, Tensor]]:
    """Two views and the mixtures of them that a method takes."""
    mixing = Mixing(((0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11), (12, 13, 14, 15), (16, 17, 18, 19)))
    mixtures = [
        Mixture(mixing=mixing, first=first, second=second, across=across) for first, second, across in MIXTURES[of]
    ]
    drawn = with_mixtures(views(seed, streams, 2, batch), mixtures, torch.Generator().manual_seed(seed))
    return [{name: value.to(dtype) for name, value in view.items()} for view in drawn]
