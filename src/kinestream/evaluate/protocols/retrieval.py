"""Search by example: each test clip asks, the training clips answer."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from kinestream.evaluate.protocols.knn import joined
from kinestream.evaluate.protocols.outcome import How, Outcome, headline
from kinestream.evaluate.protocols.subject import Parts, Subject
from kinestream.evaluate.retrieval import Retrieved, retrieve
from kinestream.evaluate.write import publish
from kinestream.features.metrics import ranked

_NEIGHBOURS_SHOWN = 3


def search(subject: Subject, *, ks: Sequence[int], queries_shown: int, seed: int) -> Sequence[Outcome]:
    """1-NN, precision at each k and mean average precision by cosine similarity; several streams also by their unit
    features side by side. Draws `queries_shown` test clips (chosen by `seed`) and what they found for the run into
    `retrieval-<split>.png`; none for 0."""
    ks = sorted({1, *ks})
    found: dict[int, Retrieved] = {}
    outcomes = []
    for parts in subject.parts():
        for outcome, retrieved in _search_parts(subject, parts, ks):
            found[id(outcome)] = retrieved
            outcomes.append(outcome)
    columns: Mapping[str, str] = {f"P@{k} %": f"precision_at_{k}" for k in ks if k > 1} | {"mAP %": "map"}
    shown = {title: [f"{outcome.extra[key]:.2f}" for outcome in outcomes] for title, key in columns.items()}
    settings = {"k": list(ks), "similarity": "cosine", "queries": "test clips", "gallery": "training clips"}
    settings |= subject.told_readout
    publish(subject, "retrieval", settings, outcomes, shown, first="1-NN %", top5=False)
    if queries_shown:
        path = subject.source.folder.path / f"retrieval-{subject.split}.png"
        _draw(subject, found[id(headline(outcomes))], path, queries_shown, seed)
    return outcomes


def _search_parts(subject: Subject, parts: Parts, ks: Sequence[int]) -> Iterator[tuple[Outcome, Retrieved]]:
    seen: list[Retrieved] = []

    def judge(streams: Sequence[str], how: How) -> Outcome:
        found = retrieve(
            joined(parts.train, streams),
            subject.train_labels,
            joined(parts.test, streams),
            subject.test_labels,
            classes=subject.classes,
            ks=ks,
        )
        seen.append(found)
        extra = {f"precision_at_{k}": value for k, value in found.precision.items()}
        return subject.reached(
            parts.kind, how, streams, ranked(found.class_scores), {**extra, "map": found.mean_average_precision}
        )

    for outcome in subject.for_each_choice(parts, judge):
        yield outcome, seen[-1]


def _draw(subject: Subject, found: Retrieved, path: Path, queries: int, seed: int) -> None:
    """Queries spread over the classes, each with its nearest training clips."""
    try:
        from kinestream.viz.retrieval_sheet import Answer, Shown, draw_retrieval
    except ModuleNotFoundError as error:
        subject.screen.warn(f"no picture: it needs {error.name}, install kinestream[viz]")
        return
    store, labels = subject.store, subject.store.labels
    shown = []
    for place in _spread(subject.test_labels.numpy(), queries, seed):
        query = int(subject.test[place])
        answers = [
            Answer(
                name=store.table.name[index],
                class_name=store.info.classes[labels[index]],
                cosine=cosine,
                right=bool(labels[index] == labels[query]),
                joints=store.joints(index),
            )
            for index, cosine in zip(
                subject.train[found.nearest[place].numpy()].tolist(), found.similarity[place].tolist(), strict=True
            )
        ][:_NEIGHBOURS_SHOWN]
        shown.append(
            Shown(
                name=store.table.name[query],
                class_name=store.info.classes[labels[query]],
                joints=store.joints(query),
                answers=answers,
            )
        )
    draw_retrieval(shown, store.layout, path)
    subject.screen.say(f"queries and what they found: {path}")


def _spread(labels: np.ndarray, count: int, seed: int) -> list[int]:
    """Places of `count` clips, one of each class before a second of any."""
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = {int(place): int(np.sum(labels[order[:rank]] == labels[place])) for rank, place in enumerate(order)}
    return sorted(turn, key=lambda place: turn[place])[:count]
