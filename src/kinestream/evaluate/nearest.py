"""Nearest neighbours by cosine."""

from collections.abc import Iterator

from kinestream.evaluate import register
from kinestream.evaluate.result import Row
from kinestream.evaluate.session import Features, Session
from kinestream.evaluate.settings import KNNSettings
from kinestream.features.metrics import accuracy
from kinestream.features.neighbours import knn_ranking


@register(
    "knn",
    first="1-NN %",
    columns=lambda settings: {
        f"{settings.k}-NN %": f"{settings.k}nn",
        f"{settings.k}-NN top-5 %": f"{settings.k}nn_top5",
    },
)
def knn(session: Session, settings: KNNSettings) -> Iterator[Row]:
    """1-NN, which is the accuracy of a row, and weighted k-NN."""
    session.settings["similarity"] = "cosine"
    for features in session.features():
        yield from neighbour_rows(session, features, settings.k, settings.temperature)


def neighbour_rows(
    session: Session, features: Features, k: int, temperature: float, variant: str = ""
) -> Iterator[Row]:
    """The rows of one kind of features: each stream alone, and all by their unit features side by side."""
    for streams, how in features.choices():
        train, test = features.joined(streams)
        nearest, weighted = (
            knn_ranking(train, session.train_labels, test, classes=session.classes, k=count, temperature=temperature)
            for count in (1, k)
        )
        by_votes = accuracy(weighted, session.test_labels)
        extra = {f"{k}nn": by_votes.top1, f"{k}nn_top5": by_votes.top5, f"{k}nn_mean_class": by_votes.mean_class}
        yield session.row(features.kind, streams, how, nearest, extra, variant=variant)
