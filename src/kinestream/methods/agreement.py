"""Cross-stream collaborative learning (3s-CACA, CSCL): streams agree on which other clips of the batch are positives.

B is the batch, b the part of it that a process holds, all of it where there is one. Every similarity and label is a
`(b, B)` matrix: a row for each of the process's predictions, a column for each clip of the batch. `first` is the column
of the first row's own clip; "the diagonal" begins there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from kinestream.distributed.collectives import sum_over_processes
from kinestream.methods.single_precision import in_single_precision


@dataclass(frozen=True, kw_only=True)
class StreamSimilarities:
    """Of one stream: `S1 = cos(q1_i, z2_j)` and `S2 = cos(q2_i, z1_j)`."""

    first: Float[Tensor, "b B"]
    second: Float[Tensor, "b B"]


@in_single_precision
def cosine_similarities(q: Float[Tensor, "b d"], z: Float[Tensor, "B d"]) -> Float[Tensor, "b B"]:
    """`cos(q_i, z_j)` of every pair."""
    return functional.normalize(q, dim=1) @ functional.normalize(z, dim=1).T


def top_marks(similarity: Float[Tensor, "b B"], k: int, first: int = 0) -> Bool[Tensor, "b B"]:
    """Marks the k largest entries of each row and, in addition, the diagonal.

    Raises ValueError when k is not in 1 .. B.

    Example:
        >>> top_marks(torch.tensor([[0.1, 0.9], [0.2, 0.8]]), 1).tolist()
        [[True, True], [False, True]]
    """
    batch = similarity.shape[1]
    if not 1 <= k <= batch:
        raise ValueError(f"k ({k}) must be in 1..{batch}, the batch size")
    marks = torch.zeros_like(similarity, dtype=torch.bool)
    marks.scatter_(1, similarity.topk(k, dim=1).indices, True)
    return marks | _diagonal(marks, first)


@torch.no_grad()
def stream_label(similarities: StreamSimilarities, k: int, first: int = 0) -> Bool[Tensor, "b B"]:
    """What both views of one stream take for positive: `top(S1) AND top(S2)`."""
    return top_marks(similarities.first, k, first) & top_marks(similarities.second, k, first)


def vote(labels: Sequence[Bool[Tensor, "b B"]]) -> Bool[Tensor, "b B"]:
    """Positive where more than half of the streams say so: two of three, both of two."""
    return 2 * torch.stack(list(labels)).sum(dim=0) > len(labels)


def agreement_loss(similarity: Float[Tensor, "b B"], positives: Bool[Tensor, "b B"]) -> Float[Tensor, ""]:
    """`CE(S, Y) = -mean_i sum_j Y_ij log softmax_j(S_ij)`: no temperature, Y not normalised by row. The mean over
    processes of equal shares is that of the batch, for loss and gradient."""
    return -(similarity.log_softmax(dim=1) * positives).sum(dim=1).mean()


def watched(
    labels: Mapping[str, Bool[Tensor, "b B"]], positives: Bool[Tensor, "b B"], first: int = 0
) -> dict[str, Float[Tensor, ""]]:
    """Numbers for the log: pseudo-positives beyond the diagonal, a clip, and for each stream the share of its own marks
    beyond the diagonal that the vote turns down (0 when it has none), of the batch."""
    beyond = ~_diagonal(positives, first)
    found = {"positives/beyond": (positives & beyond).sum().float() / len(positives)}
    for stream, label in labels.items():
        marks = torch.stack([(label & beyond & ~positives).sum(), (label & beyond).sum()])
        turned_down, own = sum_over_processes(marks)
        found[f"outvoted/{stream}"] = turned_down / own.clamp(min=1)
    return found


def watched_by_labels(
    positives: Bool[Tensor, "b B"], labels: Int[Tensor, " B"], first: int = 0
) -> dict[str, Float[Tensor, ""]]:
    """For display only, never for learning: the pseudo-positives beyond the diagonal that share the row's class, a
    clip; and the share of such pairs in the batch, which is what chance would hit. A label below 0 is that of no class.
    """
    beyond = ~_diagonal(positives, first)
    own = labels[first : first + len(positives), None]
    same = (own == labels[None, :]) & (own >= 0) & beyond
    return {
        "by_labels/right": (positives & same).sum().float() / len(positives),
        "by_labels/chance": same.sum() / beyond.sum().clamp(min=1),
    }


def _diagonal(marks: Bool[Tensor, "b B"], first: int) -> Bool[Tensor, "b B"]:
    columns = torch.arange(marks.shape[1], device=marks.device)
    return columns == first + torch.arange(len(marks), device=marks.device)[:, None]
