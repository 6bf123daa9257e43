"""Nearest neighbours of frozen features by cosine similarity, of one stream or several."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from kinestream.features.metrics import ranked

_QUERIES_AT_ONCE = 512


def knn_ranking(
    bank: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    query: Float[Tensor, "q d"],
    *,
    classes: int,
    k: int = 20,
    temperature: float = 0.1,
) -> Int[Tensor, "q classes"]:
    """For each query the classes by descending vote of its k nearest in the bank; each neighbour votes with
    `exp(cos / temperature)`; classes without votes follow in ascending order (reference, "kNN monitor").

    The queries are taken some at a time, so that memory is bounded by the length of the bank.

    Raises ValueError when k is not in 1 .. n.
    """
    if not 1 <= k <= len(bank):
        raise ValueError(f"k ({k}) must be in 1..{len(bank)}, the number of training clips")
    bank = functional.normalize(bank, dim=1)
    ranking = torch.empty(len(query), classes, dtype=torch.long, device=query.device)
    for rows in torch.arange(len(query), device=query.device).split(_QUERIES_AT_ONCE):
        similarity, nearest = (functional.normalize(query[rows], dim=1) @ bank.T).topk(k, dim=1)
        votes = similarity.new_zeros(len(rows), classes)
        votes.scatter_add_(1, labels[nearest], (similarity / temperature).exp())
        ranking[rows] = ranked(votes)
    return ranking


def side_by_side(features: Mapping[str, Float[Tensor, "n _"]]) -> Float[Tensor, "n d"]:
    """Unit features of all streams in one row: the cosine of two rows is the mean of the streams' cosines.

    Example:
        >>> side_by_side({"joint": torch.tensor([[0.0, 4.0]]), "bone": torch.tensor([[2.0]])}).tolist()
        [[0.0, 1.0, 1.0]]
    """
    return torch.cat([functional.normalize(values, dim=1) for values in features.values()], dim=1)
