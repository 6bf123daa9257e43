"""Cross-stream collaborative learning (3s-CACA, CSCL): streams agree on which other clips of the batch are positives.

B is the batch; every similarity and label is a (B, B) matrix, a row for each clip's prediction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class StreamSimilarities:
    """Of one stream: `S1 = cos(q1_i, z2_j)` and `S2 = cos(q2_i, z1_j)`."""

    first: Float[Tensor, "B B"]
    second: Float[Tensor, "B B"]


def cosine_similarities(q: Float[Tensor, "B d"], z: Float[Tensor, "B d"]) -> Float[Tensor, "B B"]:
    """`cos(q_i, z_j)` of every pair."""
    return functional.normalize(q, dim=1) @ functional.normalize(z, dim=1).T


def top_marks(similarity: Float[Tensor, "B B"], k: int) -> Bool[Tensor, "B B"]:
    """Marks the k largest entries of each row and, in addition, the diagonal.

    Raises ValueError when k is not in 1 .. B.

    Example:
        >>> top_marks(torch.tensor([[0.1, 0.9], [0.2, 0.8]]), 1).tolist()
        [[True, True], [False, True]]
    """
    if not 1 <= k <= len(similarity):
        raise ValueError(f"k ({k}) must be in 1..{len(similarity)}, the batch size")
    marks = torch.zeros_like(similarity, dtype=torch.bool)
    marks.scatter_(1, similarity.topk(k, dim=1).indices, True)
    return marks.fill_diagonal_(True)


@torch.no_grad()
def stream_label(similarities: StreamSimilarities, k: int) -> Bool[Tensor, "B B"]:
    """What both views of one stream take for positive: `top(S1) AND top(S2)`."""
    return top_marks(similarities.first, k) & top_marks(similarities.second, k)


def vote(labels: Sequence[Bool[Tensor, "B B"]]) -> Bool[Tensor, "B B"]:
    """Positive where more than half of the streams say so: two of three, both of two."""
    return 2 * torch.stack(list(labels)).sum(dim=0) > len(labels)


def agreement_loss(similarity: Float[Tensor, "B B"], positives: Bool[Tensor, "B B"]) -> Float[Tensor, ""]:
    """`CE(S, Y) = -mean_i sum_j Y_ij log softmax_j(S_ij)`: no temperature, Y not normalised by row."""
    return -(similarity.log_softmax(dim=1) * positives).sum(dim=1).mean()


def watched(labels: Mapping[str, Bool[Tensor, "B B"]], positives: Bool[Tensor, "B B"]) -> dict[str, Float[Tensor, ""]]:
    """Numbers for the log: pseudo-positives beyond the diagonal, a clip, and for each stream the share of its own marks
    beyond the diagonal that the vote turns down (0 when it has none)."""
    beyond = _beyond_diagonal(positives)
    found = {"positives/beyond": (positives & beyond).sum().float() / len(positives)}
    for stream, label in labels.items():
        own = (label & beyond).sum()
        found[f"outvoted/{stream}"] = (label & beyond & ~positives).sum() / own.clamp(min=1)
    return found


def watched_by_labels(positives: Bool[Tensor, "B B"], labels: Int[Tensor, " B"]) -> dict[str, Float[Tensor, ""]]:
    """For display only, never for learning: the pseudo-positives beyond the diagonal that share the row's class, a
    clip; and the share of such pairs in the batch, which is what chance would hit."""
    beyond = _beyond_diagonal(positives)
    same = (labels[:, None] == labels[None, :]) & beyond
    return {
        "by_labels/right": (positives & same).sum().float() / len(positives),
        "by_labels/chance": same.sum() / beyond.sum().clamp(min=1),
    }


def _beyond_diagonal(marks: Bool[Tensor, "B B"]) -> Bool[Tensor, "B B"]:
    return ~torch.eye(len(marks), dtype=torch.bool, device=marks.device)
