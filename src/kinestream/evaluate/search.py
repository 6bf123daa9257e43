"""Search by example: the training clips ranked by cosine similarity to each test clip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from kinestream.evaluate import register
from kinestream.evaluate.result import Row
from kinestream.evaluate.session import Session
from kinestream.evaluate.settings import RetrievalSettings
from kinestream.features.metrics import ranked

_QUERIES_AT_ONCE = 256


def _ks(settings: RetrievalSettings) -> list[int]:
    return sorted({1, *(settings.k or (5, 10))})


@register(
    "retrieval",
    first="1-NN %",
    columns=lambda settings: {f"P@{k} %": f"precision_at_{k}" for k in _ks(settings)[1:]} | {"mAP %": "map"},
)
def retrieval(session: Session, settings: RetrievalSettings) -> Iterator[Row]:
    """1-NN, precision at each k and mean average precision; several streams also by their unit features side by side.
    The `detail` of a row is what was `Retrieved`."""
    ks = _ks(settings)
    gallery_is = "training clips of other people" if settings.other_people else "training clips"
    session.settings |= {"k": ks, "similarity": "cosine", "queries": "test clips", "gallery": gallery_is}
    people = people_of(session) if settings.other_people else None
    for features in session.features():
        for streams, how in features.choices():
            gallery, queries = features.joined(streams)
            labels = session.train_labels, session.test_labels
            found = retrieve(gallery, labels[0], queries, labels[1], classes=session.classes, ks=ks, people=people)
            extra = {f"precision_at_{k}": value for k, value in found.precision.items()}
            extra["map"] = found.mean_average_precision
            yield session.row(features.kind, streams, how, ranked(found.class_scores), extra, detail=found)


@dataclass(frozen=True, kw_only=True)
class Retrieved:
    """What a search for each query found. Percentages are means over the queries."""

    precision: dict[int, float]
    """For each k the share of the k nearest that are of the query's class."""
    mean_average_precision: float
    """Over the queries whose class is in the gallery; nan where there is none."""
    class_scores: Float[Tensor, "q classes"]
    """Similarity to the nearest of each class: ranks the classes, the best being that of the nearest neighbour."""
    nearest: Int[Tensor, "q most"]
    """The nearest of the gallery, best first, as many as the largest k."""
    similarity: Float[Tensor, "q most"]


def retrieve(
    gallery: Float[Tensor, "n d"],
    gallery_labels: Int[Tensor, " n"],
    queries: Float[Tensor, "q d"],
    labels: Int[Tensor, " q"],
    *,
    classes: int,
    ks: Sequence[int] = (1, 5, 10),
    people: tuple[Int[Tensor, " n"], Int[Tensor, " q"]] | None = None,
) -> Retrieved:
    """Ranks the gallery for each query by cosine similarity, of equal ones the earlier first. With the `people` in the
    gallery and the queries, clips of the query's person are left out.

    Memory is bounded by the length of the gallery. Raises ValueError when a k is not in 1 .. n, or when the gallery has
    fewer clips of other people than that for some query.
    """
    for k in ks:
        if not 1 <= k <= len(gallery):
            raise ValueError(f"k ({k}) must be in 1..{len(gallery)}, the number of training clips")
    if people is not None:
        fewest = min(int((people[0] != person).sum()) for person in people[1].unique())
        if max(ks) > fewest:
            raise ValueError(
                f"k ({max(ks)}) must be in 1..{fewest}, the training clips of other people than the query's"
            )
    gallery = functional.normalize(gallery, dim=1)
    most = max(ks)
    hits, precisions, scores, nearest, similarity = [], [], [], [], []
    for rows in torch.arange(len(queries)).split(_QUERIES_AT_ONCE):
        cosine = functional.normalize(queries[rows], dim=1) @ gallery.T
        own = torch.zeros_like(cosine, dtype=torch.bool)
        if people is not None:
            own = people[1][rows][:, None] == people[0]
            cosine = cosine.masked_fill(own, -torch.inf)  # after all others
        ordered, order = cosine.sort(dim=1, descending=True, stable=True)
        right = (gallery_labels[order] == labels[rows][:, None]) & ~own.gather(1, order)
        hits.append(right[:, :most].double())
        precisions.append(average_precision(right))
        best = torch.full((len(rows), classes), -torch.inf, dtype=cosine.dtype)
        scores.append(best.scatter_reduce(1, gallery_labels.expand(len(rows), -1), cosine, "amax"))
        nearest.append(order[:, :most])
        similarity.append(ordered[:, :most])
    found = torch.cat(hits)
    return Retrieved(
        precision={k: 100 * float(found[:, :k].mean()) for k in ks},
        mean_average_precision=100 * float(torch.cat(precisions).nanmean()),
        class_scores=torch.cat(scores),
        nearest=torch.cat(nearest),
        similarity=torch.cat(similarity),
    )


def people_of(session: Session) -> tuple[Int[Tensor, " n"], Int[Tensor, " q"]]:
    """The people in the training and in the test clips, by number. Raises ValueError where the store does not know
    them."""
    people = session.store.table.subject
    train, test = torch.from_numpy(people[session.train]), torch.from_numpy(people[session.test])
    if not bool((train > 0).all() and (test > 0).all()):
        raise ValueError(
            f"{session.store.path} does not say who is in every clip: prepare it with --names or --table, so that "
            "subjects are known"
        )
    return train, test


def average_precision(right: Tensor) -> Float[Tensor, " q"]:
    """For rankings `(q, n)` that say of each item whether it is right: the mean, over the right ones, of the share of
    right ones up to there; nan where none is.

    Example:
        >>> average_precision(torch.tensor([[True, False, True]])).tolist()  # (1/1 + 2/3) / 2
        [0.8333333333333333]
    """
    right = right.double()
    place = torch.arange(1, right.shape[1] + 1, dtype=torch.float64)
    return (right.cumsum(dim=1) / place * right).sum(dim=1) / right.sum(dim=1)
