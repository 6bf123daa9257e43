"""Groups that k-means finds in features, against the classes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from kinestream.evaluate import register
from kinestream.evaluate.result import Row, mean_of_seeds
from kinestream.evaluate.session import Session
from kinestream.evaluate.settings import ClusterSettings, seed_range
from kinestream.features.metrics import ranked

Labels = Int64[np.ndarray, " n"]


@register("cluster", first="matched %", columns=lambda settings: {"NMI %": "nmi", "ARI %": "ari"})
def cluster(session: Session, settings: ClusterSettings) -> Iterator[Row]:
    """k-means on unit features of the test clips, a cluster for each class; no label is used but to match clusters with
    classes, one to one. The accuracy of a row is that after matching."""
    seeds = seed_range(settings.seed, settings.seeds)
    session.settings |= {"seeds": list(seeds), "starts": 10, "features": "unit length, test clips"}
    labels = session.test_labels.numpy().astype(np.int64)
    for features in session.features():
        for streams, how in features.choices():
            values, rows = features.joined(streams)[1], []
            advance = session.advance(f"clusters, {features.kind}, {' + '.join(streams)}", "seeds")
            for number, seed in enumerate(seeds):
                advance(number, len(seeds))
                found = find_clusters(values, labels, classes=session.classes, seed=seed)
                extra = {"nmi": found.nmi, "ari": found.ari}
                rows.append(session.row(features.kind, streams, how, ranked(found.class_scores), extra))
            advance(len(seeds), len(seeds))
            yield mean_of_seeds(rows, seeds)


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """Clusters of clips and how they go with the classes."""

    class_scores: Float[Tensor, "n classes"]
    """Minus the distance to the centre of the cluster matched with each class: ranks the classes of a clip."""
    nmi: float
    """Normalised mutual information (arithmetic mean), in percent."""
    ari: float
    """Adjusted Rand index, in percent."""


def match_clusters(assignment: Labels, labels: Labels) -> dict[int, int]:
    """The class of each cluster, one to one, that makes most clips right (Hungarian method).

    Raises ValueError unless there are as many classes as clusters or more.

    Example:
        >>> match_clusters(np.array([0, 0, 1, 1]), np.array([7, 7, 7, 3]))
        {0: 7, 1: 3}
    """
    from scipy.optimize import linear_sum_assignment

    clusters, classes = np.unique(assignment), np.unique(labels)
    if len(clusters) > len(classes):
        raise ValueError(f"{len(clusters)} clusters cannot be matched one to one with {len(classes)} classes")
    together = np.array([[np.sum((assignment == a) & (labels == b)) for b in classes] for a in clusters])
    rows, columns = linear_sum_assignment(together, maximize=True)
    return {int(clusters[row]): int(classes[column]) for row, column in zip(rows, columns, strict=True)}


def find_clusters(features: Float[Tensor, "n d"], labels: Labels, *, classes: int, seed: int) -> Clustering:
    """k-means (ten starts, the tightest kept) on unit features, one cluster for each class that occurs.

    Raises ValueError when there are fewer clips than two, or than classes.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    present = np.unique(labels)
    if len(labels) < max(2, len(present)):
        raise ValueError(f"{len(labels)} clips are too few for clusters")
    means = KMeans(n_clusters=len(present), n_init=10, random_state=seed)
    rows = functional.normalize(features.double(), dim=1).numpy()
    distance = means.fit(rows).transform(rows)
    assignment = np.asarray(means.labels_, dtype=np.int64)
    scores = torch.full((len(labels), classes), -torch.inf, dtype=torch.float64)
    for one, name in match_clusters(assignment, labels).items():
        scores[:, name] = -torch.from_numpy(distance[:, one])
    return Clustering(
        class_scores=scores,
        nmi=100 * float(normalized_mutual_info_score(labels, assignment)),
        ari=100 * float(adjusted_rand_score(labels, assignment)),
    )
