"""Accuracy of ranked predictions."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """In percent."""

    top1: float
    top5: float
    per_class: Float[Tensor, " classes"]
    """Share of the clips of each class that are recognised; nan for a class without test clips."""

    @property
    def mean_class(self) -> float:
        """Mean of the classes that have test clips."""
        return float(self.per_class.nanmean())


def ranked(scores: Float[Tensor, "n classes"]) -> Int[Tensor, "n classes"]:
    """The classes of each row by descending score; of equal scores the lower class first."""
    return scores.argsort(dim=1, descending=True, stable=True)


def accuracy(ranking: Int[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> Accuracy:
    """Accuracy of class rankings, best guess first.

    Example:
        >>> accuracy(torch.tensor([[0, 1], [0, 1]]), torch.tensor([0, 1])).top1
        50.0
    """
    if not len(labels):
        raise ValueError("no test clips: accuracy of nothing is not defined")
    hits = ranking == labels[:, None]
    classes = ranking.shape[1]
    count = torch.bincount(labels, minlength=classes).double()
    right = torch.bincount(labels[hits[:, 0]], minlength=classes).double()
    return Accuracy(
        top1=100 * float(hits[:, 0].double().mean()),
        top5=100 * float(hits[:, :5].any(dim=1).double().mean()),
        per_class=(100 * right / count).float(),
    )
