"""Whether a movement was done correctly, told by how near it is to correct performances of it."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from kinestream.evaluate import register
from kinestream.evaluate.result import Row
from kinestream.evaluate.session import Session
from kinestream.evaluate.settings import CorrectnessSettings
from kinestream.features.metrics import Accuracy
from kinestream.words import shown


@register(
    "correctness",
    first="AUC %",
    columns=lambda settings: {"with incorrect examples %": "auc_with_incorrect"},
)
def correctness(session: Session, settings: CorrectnessSettings) -> Iterator[Row]:
    """The mean over the movements of the area under the ROC curve, the interval over movements; `extra` also has it
    where incorrect training clips of the movement are known, too. The accuracy by class has each movement's."""
    pairs = find_pairs(session.store.info.classes, settings.incorrect)
    labels = session.train_labels, session.test_labels
    asked = [pair for pair in pairs if _are_asked(pair, *labels)]
    if not asked:
        raise ValueError(
            f"split '{session.split}' of {session.store.path} has no movement with correct training clips and test "
            "clips of both kinds: take a split by person, as in --split leave-one-subject-out"
        )
    session.settings |= {"similarity": f"mean cosine to the {settings.k} nearest", "movements": len(asked)}
    for features in session.features():
        for streams, how in features.choices():
            train, test = features.joined(streams)
            found = [movement_auc(train, labels[0], test, labels[1], pair, settings.k) for pair in asked]
            of_class = torch.full((session.classes,), torch.nan)
            for (right, _), (auc, _) in zip(asked, found, strict=True):
                of_class[right] = 100 * auc
            each = np.array([auc for auc, _ in found])
            both = [auc for _, auc in found if auc is not None]
            yield Row(
                name=session.row_name(features.kind, streams, how),
                kind=features.kind,
                how=how,
                streams=streams,
                accuracy=Accuracy(top1=100 * float(each.mean()), top5=float("nan"), per_class=of_class),
                top1_without_copies=None,
                extra={"auc_with_incorrect": 100 * float(np.mean(both)) if len(both) == len(found) else None},
                ece=None,
                hits=each,
                predicted=np.full(len(each), -1),
                confidence=None,
                predictions=_lines(session.store.info.classes, asked, found),
            )


Pair = tuple[int, int]
"""The classes of correct and of incorrect performances of one movement."""


def find_pairs(classes: Sequence[str], incorrect: str) -> list[Pair]:
    """The classes that are called after others. Raises ValueError where there are none.

    Example:
        >>> find_pairs(["squat", "lunge", "squat (wrong)"], "{} (wrong)")
        [(0, 2)]
    """
    places = {name: place for place, name in enumerate(classes)}
    pairs = [
        (place, places[wrong]) for name, place in places.items() if (wrong := incorrect.replace("{}", name)) in places
    ]
    if not pairs:
        known = ", ".join(shown(name) for name in classes[:6]) + (", ..." if len(classes) > 6 else "")
        raise ValueError(
            f"no class is called as --incorrect '{shown(incorrect)}' says, {{}} standing for another: there are {known}"
        )
    return pairs


def movement_auc(
    train: Float[Tensor, "n d"],
    train_labels: Int[Tensor, " n"],
    test: Float[Tensor, "q d"],
    test_labels: Int[Tensor, " q"],
    pair: Pair,
    k: int,
) -> tuple[float, float | None]:
    """How well incorrect test clips of a movement are told from correct ones: by how far they are from correct training
    clips, and by how much nearer to incorrect ones, where there are such."""
    right, wrong = pair
    asked = (test_labels == right) | (test_labels == wrong)
    incorrect, queries = (test_labels[asked] == wrong).numpy(), test[asked]
    from_right = nearness(queries, train[train_labels == right], k)
    by_right = auc(-from_right.numpy(), incorrect)
    if not bool((train_labels == wrong).any()):
        return by_right, None
    from_wrong = nearness(queries, train[train_labels == wrong], k)
    return by_right, auc((from_wrong - from_right).numpy(), incorrect)


def nearness(queries: Float[Tensor, "q d"], examples: Float[Tensor, "n d"], k: int) -> Float[Tensor, " q"]:
    """The mean cosine to the k nearest examples, to all where they are fewer."""
    cosine = functional.normalize(queries, dim=1) @ functional.normalize(examples, dim=1).T
    return cosine.topk(min(k, len(examples)), dim=1).values.double().mean(dim=1)


def auc(scores: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float:
    """The area under the ROC curve: the share of pairs of a positive and a negative in which the positive has the
    higher score, ties counting half. Raises ValueError unless there are both.

    Example:
        >>> auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
        0.75
    """
    count = int(positive.sum())
    if not 0 < count < len(positive):
        raise ValueError("the area under the ROC curve needs positives and negatives")
    _, places, ties = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[places]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def _are_asked(pair: Pair, train: Int[Tensor, " n"], test: Int[Tensor, " q"]) -> bool:
    right, wrong = pair
    return bool((train == right).any() and (test == right).any() and (test == wrong).any())


def _lines(
    classes: Sequence[str], asked: Sequence[Pair], found: Sequence[tuple[float, float | None]]
) -> tuple[tuple[str | int | float, ...], ...]:
    rows = (
        (classes[right], f"{100 * auc:.4f}", "" if both is None else f"{100 * both:.4f}")
        for (right, _), (auc, both) in zip(asked, found, strict=True)
    )
    return (("movement", "auc", "auc_with_incorrect"), *rows)
