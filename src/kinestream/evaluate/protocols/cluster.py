"""Clusters of the test clips against their classes."""

from collections.abc import Iterator, Sequence

import numpy as np

from kinestream.evaluate.clusters import cluster
from kinestream.evaluate.protocols.knn import joined
from kinestream.evaluate.protocols.outcome import How, Outcome, mean_of_seeds
from kinestream.evaluate.protocols.subject import Parts, Subject
from kinestream.evaluate.write import publish
from kinestream.features.metrics import ranked


def find_clusters(subject: Subject, *, seeds: Sequence[int]) -> Sequence[Outcome]:
    """k-means on unit features of the test clips, a cluster for each class; no label is used but to match clusters with
    classes, one to one. The accuracy of an outcome is that after matching."""
    outcomes = [outcome for parts in subject.parts() for outcome in _clusters_of_parts(subject, parts, seeds)]
    columns = {title: [f"{outcome.extra[key]:.2f}" for outcome in outcomes] for title, key in _COLUMNS.items()}
    settings = {"seeds": list(seeds), "starts": 10, "features": "unit length, test clips", **subject.told_readout}
    publish(subject, "cluster", settings, outcomes, columns, first="matched %", top5=False)
    return outcomes


_COLUMNS = {"NMI %": "nmi", "ARI %": "ari"}


def _clusters_of_parts(subject: Subject, parts: Parts, seeds: Sequence[int]) -> Iterator[Outcome]:
    labels = subject.test_labels.numpy().astype(np.int64)

    def judge(streams: Sequence[str], how: How) -> Outcome:
        features, found = joined(parts.test, streams), []
        with subject.screen.progress(f"clusters, {parts.kind}, {' + '.join(streams)}", "seeds") as advance:
            for number, seed in enumerate(seeds):
                advance(number, len(seeds))
                one = cluster(features, labels, classes=subject.classes, seed=seed)
                extra = {"nmi": one.nmi, "ari": one.ari}
                found.append(subject.reached(parts.kind, how, streams, ranked(one.class_scores), extra))
            advance(len(seeds), len(seeds))
        return mean_of_seeds(found, seeds)

    yield from subject.for_each_choice(parts, judge)
