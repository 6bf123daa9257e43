"""Losses and mining of the methods that tell a query's key from a queue of other keys, as functions of embeddings.

B is the batch, d the embedding, K the length of the queue. Logits are `(B, L)`, L = 1 + K: the similarity to the
query's own key first, then those to the queue.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from kinestream.methods.single_precision import in_single_precision


class Similarities(NamedTuple):
    """Cosines of each query to its own key, `l+`, and to the queue, `l-`."""

    own: Float[Tensor, " B"]
    queue: Float[Tensor, "B K"]

    def logits(self, temperature: float) -> Float[Tensor, "B L"]:
        """`[l+, l-] / T`."""
        return torch.cat([self.own[:, None], self.queue], dim=1) / temperature


@in_single_precision
def similarities(query: Float[Tensor, "B d"], key: Float[Tensor, "B d"], queue: Float[Tensor, "K d"]) -> Similarities:
    """All are unit vectors."""
    return Similarities((query * key).sum(dim=1), query @ queue.T)


def info_nce(logits: Float[Tensor, "B L"]) -> Float[Tensor, ""]:
    """`-mean_i log softmax_0(logits_i)`: the own key is the right one of 1 + K (van den Oord et al. 2018)."""
    return -logits.log_softmax(dim=1)[:, 0].mean()


def mixture_nce(
    query: Float[Tensor, "B d"],
    first: Float[Tensor, "B d"],
    second: Float[Tensor, "B d"],
    share: Float[Tensor, " B"],
    queue: Float[Tensor, "K d"],
    temperature: float,
) -> Float[Tensor, ""]:
    """The query of a mixture finds the keys of both its clips, each by its share (MixCo, Kim et al. 2020):
    `-mean_i [l_i log p_i0 + (1 - l_i) log p_i1]`, p the softmax of `[q.k1, q.k2, q.queue] / T`."""
    both = torch.stack([(query * key).sum(dim=1) for key in (first, second)], dim=1)
    found = (torch.cat([both, query @ queue.T], dim=1) / temperature).log_softmax(dim=1)
    return -(share * found[:, 0] + (1 - share) * found[:, 1]).mean()


def nearest(queue: Float[Tensor, "B K"], k: int) -> Bool[Tensor, "B K"]:
    """Marks the k largest similarities of each row. Carries no gradient. Raises ValueError when k is not in 1 .. K.

    Example:
        >>> nearest(torch.tensor([[0.1, 0.9, 0.3]]), 2).tolist()
        [[False, True, True]]
    """
    if not 1 <= k <= queue.shape[1]:
        raise ValueError(f"k ({k}) must be in 1..{queue.shape[1]}, the length of the queue")
    marks = torch.zeros_like(queue, dtype=torch.bool)
    return marks.scatter_(1, queue.topk(k, dim=1).indices, True)


def with_own(mined: Bool[Tensor, "B K"]) -> Bool[Tensor, "B L"]:
    """The positives among the logits: the own key and what was mined."""
    return functional.pad(mined, (1, 0), value=True)


def positives_loss(logits: Float[Tensor, "B L"], positives: Bool[Tensor, "B L"]) -> Float[Tensor, ""]:
    """`-mean_i [sum_j P_ij log softmax_j(logits_i) / sum_j P_ij]`. With the own key alone it is `info_nce`."""
    chosen = logits.log_softmax(dim=1) * positives
    return -(chosen.sum(dim=1) / positives.sum(dim=1)).mean()


def context_loss(own: Similarities, other: Similarities, k: int, temperature: float) -> Float[Tensor, ""]:
    """CrosSCLR: what one stream learns from the neighbourhood that another one sees (Li et al. 2021).

    `logits = [l+_u, l-_u, l-_u * l-_w] / T`; positives are the own key and, among `l-_u` and the products alike, the k
    nearest keys of the other stream w. Gradients flow into both streams through the products; none through the mining.
    """
    mined = nearest(other.queue, k)
    logits = torch.cat([own.logits(temperature), own.queue * other.queue / temperature], dim=1)
    return positives_loss(logits, torch.cat([with_own(mined), mined], dim=1))


def distribution_loss(towards: Float[Tensor, "B L"], logits: Float[Tensor, "B L"]) -> Float[Tensor, ""]:
    """AimCLR (D3M): `H(p, r) = -mean_i sum_j p_ij log r_ij`, p the softmax of `towards` without gradient, r that of
    `logits` (Guo et al. 2022)."""
    return -(towards.detach().softmax(dim=1) * logits.log_softmax(dim=1)).sum(dim=1).mean()


def union_of_nearest(queries: Sequence[Similarities], k: int) -> Bool[Tensor, "B K"]:
    """AimCLR (NNM): the k nearest keys of each query of a clip, together."""
    marks = [nearest(query.queue, k) for query in queries]
    return torch.stack(marks).any(dim=0)


@torch.no_grad()
def own_key_found(logits: Float[Tensor, "B L"]) -> Float[Tensor, ""]:
    """For the log: the share of queries that are nearer to their own key than to any other."""
    return (logits.argmax(dim=1) == 0).float().mean()
