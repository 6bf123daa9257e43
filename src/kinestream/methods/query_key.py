"""The query/key pair that the queue methods learn with.

f encoder, g projector; f' and g' are moving averages of f and g. `q = |g(f(x))|`, `k = sg |g'(f'(x'))|`, unit vectors.
"""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kinestream.distributed.collectives import gather_rows, own_rows
from kinestream.methods.ema import freeze, update_average
from kinestream.methods.method import Networks
from kinestream.methods.queue import KeyQueue
from kinestream.models.encoder import Encoder, MapChange
from kinestream.models.heads import contrast_head


class Query(NamedTuple):
    """Unit vectors q, and the encoder's features h, without gradient, to be watched."""

    q: Float[Tensor, "B d"]
    h: Float[Tensor, "B dim"]


class QueryKey(nn.Module):
    """One stream's query network (encoder, projector), its slowly moving key network, and the queue of keys.

    The key network starts as a copy of the query network.
    """

    # NOTE(deviation 2): the published code re-initialises the key network after copying it; here it starts equal.

    def __init__(self, encoder: Encoder, projector: nn.Module, queue: KeyQueue) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = projector
        self.key_encoder = freeze(copy.deepcopy(encoder))
        self.key_projector = freeze(copy.deepcopy(projector))
        self.queue = queue
        self._waiting: Tensor | None = None

    def query(self, x: Float[Tensor, "B c t v m"]) -> Query:
        return self.queries(x, [None])[0]

    def queries(self, x: Float[Tensor, "B c t v m"], changes: Sequence[MapChange]) -> list[Query]:
        """One pass of the encoder; a query for each of `changes` of its last map."""
        features = self.encoder.variants(x, *changes)
        return [Query(functional.normalize(self.projector(h), dim=1), h.detach()) for h in features]

    @torch.no_grad()
    def key(self, x: Float[Tensor, "B c t v m"], *, enters: bool = True) -> Float[Tensor, "B d"]:
        """The keys of a view. Those that enter the queue wait for `after_step`."""
        key = functional.normalize(self.key_projector(self.key_encoder(x)), dim=1)
        if enters:
            self._waiting = key
        return key

    def after_step(self, decay: float) -> None:
        """Moves the key network one step towards the query network and the last keys into the queue.

        The published code does the first before the keys of the next step are made, which is the same moment.
        """
        update_average(
            [*self.key_encoder.parameters(), *self.key_projector.parameters()],
            [*self.encoder.parameters(), *self.projector.parameters()],
            decay,
        )
        assert self._waiting is not None, "after_step without a step"
        self.queue.enqueue(self._waiting)
        self._waiting = None


def query_keys(networks: Networks, *, hidden: int, embedding: int, queue: int) -> dict[str, QueryKey]:
    """The pair of each stream."""
    made: dict[str, QueryKey] = {}
    for stream in networks.streams:
        projector = contrast_head(networks.dim, hidden, embedding)
        networks.initialise(projector)
        keys = KeyQueue(queue, embedding)
        made[stream] = QueryKey(networks.encoder(stream), projector, keys)
    return made


@torch.no_grad()
def opposite(rows: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    """For each clip i of the batch of all processes the row of clip B - 1 - i.

    Example:
        >>> opposite(torch.tensor([[1.0], [2.0], [3.0]])).flatten().tolist()
        [3.0, 2.0, 1.0]
    """
    return gather_rows(rows).flip(0)[own_rows(len(rows))]
