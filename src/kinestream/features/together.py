"""Several streams as one: their scores summed, or their features side by side."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def fuse_scores(
    scores: Mapping[str, Float[Tensor, "q classes"]], weights: Mapping[str, float] | None = None
) -> Float[Tensor, "q classes"]:
    """The weighted sum of the logits of classifiers that were trained apart, one a stream; alike where not weighted.

    Raises ValueError when the weights do not name just the streams.

    Example:
        >>> scores = {"joint": torch.tensor([[1.0, 0.0]]), "bone": torch.tensor([[0.0, 3.0]])}
        >>> fuse_scores(scores, {"joint": 0.75, "bone": 0.25}).tolist()
        [[0.75, 0.75]]
    """
    weights = dict.fromkeys(scores, 1.0) if weights is None else weights
    if weights.keys() != scores.keys():
        raise ValueError(f"weights for {', '.join(weights)}, but the streams are {', '.join(scores)}: name each once")
    return torch.stack([weights[stream] * values for stream, values in scores.items()]).sum(dim=0)


def side_by_side(features: Mapping[str, Float[Tensor, "n _"]]) -> Float[Tensor, "n d"]:
    """Unit features of all streams in one row: the cosine of two rows is the mean of the streams' cosines.

    Example:
        >>> side_by_side({"joint": torch.tensor([[0.0, 4.0]]), "bone": torch.tensor([[2.0]])}).tolist()
        [[0.0, 1.0, 1.0]]
    """
    return torch.cat([functional.normalize(values, dim=1) for values in features.values()], dim=1)
