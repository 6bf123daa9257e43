"""The kNN protocol: nearest neighbours by cosine."""

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from kinestream.evaluate.protocols.outcome import How, Outcome
from kinestream.evaluate.protocols.subject import Parts, Subject
from kinestream.evaluate.write import publish
from kinestream.features.metrics import accuracy
from kinestream.features.neighbours import knn_ranking
from kinestream.features.together import side_by_side


def count_neighbours(subject: Subject, *, k: int, temperature: float) -> Sequence[Outcome]:
    """1-NN and weighted k-NN: each stream alone, and all by their unit features side by side. The accuracy of an
    outcome is that of the 1-NN."""
    outcomes = [outcome for parts in subject.parts() for outcome in neighbours_of_parts(subject, parts, k, temperature)]
    columns = {f"{k}-NN %": f"{k}nn", f"{k}-NN top-5 %": f"{k}nn_top5"}
    shown = {title: [f"{outcome.extra[key]:.2f}" for outcome in outcomes] for title, key in columns.items()}
    settings = {"k": k, "temperature": temperature, "similarity": "cosine", **subject.told_readout}
    publish(subject, "knn", settings, outcomes, shown, first="1-NN %", top5=False)
    return outcomes


def neighbours_of_parts(
    subject: Subject, parts: Parts, k: int, temperature: float, variant: str = ""
) -> Iterator[Outcome]:
    """The outcomes of one kind of features."""

    def judge(streams: Sequence[str], how: How) -> Outcome:
        train, test = joined(parts.train, streams), joined(parts.test, streams)

        def rank(neighbours: int) -> Tensor:
            labels = subject.train_labels
            return knn_ranking(train, labels, test, classes=subject.classes, k=neighbours, temperature=temperature)

        weighted = accuracy(rank(k), subject.test_labels)
        extra = {f"{k}nn": weighted.top1, f"{k}nn_top5": weighted.top5, f"{k}nn_mean_class": weighted.mean_class}
        return subject.reached(parts.kind, how, streams, rank(1), extra, variant=variant)

    yield from subject.for_each_choice(parts, judge)


def joined(features: Mapping[str, Tensor], streams: Sequence[str]) -> Tensor:
    """The features of one stream, or the unit features of several side by side."""
    if len(streams) == 1:
        return features[streams[0]]
    return side_by_side({stream: features[stream] for stream in streams})
