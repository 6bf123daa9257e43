"""Recognition from one example of each class, or a few: drawn episodes, and the protocol of NTU RGB+D 120."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor
from torch.nn import functional

from kinestream.evaluate import register
from kinestream.evaluate.guard import look_for_leaks
from kinestream.evaluate.result import How, Kind, Row
from kinestream.evaluate.session import Session
from kinestream.evaluate.settings import OneShotSettings
from kinestream.features.metrics import Accuracy, ranked

NTU120_EXEMPLARS = tuple(f"S{1 if action < 60 else 18:03}C003P008R001A{action:03}" for action in range(1, 121, 6))
"""One clip of each of the 20 novel classes, every sixth (https://github.com/shahroudy/NTURGB-D, Liu et al. 2019)."""


@register("one-shot", columns=lambda settings: {"episodes": lambda row: f"{row.detail:,}" if row.detail else "-"})
def one_shot(session: Session, settings: OneShotSettings) -> Iterator[Row]:
    """Accuracy over drawn episodes, or with the official exemplars. Of episodes the interval is over these."""
    session.settings["similarity"] = "cosine to the mean of the unit features of the examples"
    yield from with_exemplars(session) if settings.exemplars == "ntu120" else over_episodes(session, settings)


# --- episodes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Episode:
    """Places of clips. Examples stand class by class, as do their labels."""

    classes: Int64[np.ndarray, " ways"]
    examples: Int64[np.ndarray, "ways shots"]
    queries: Int64[np.ndarray, " q"]
    answers: Int64[np.ndarray, " q"]
    """For each query the place of its class among the `classes`."""


def draw_episode(
    labels: Int[np.ndarray, " n"], *, ways: int, shots: int, queries: int, seed: int, number: int
) -> Episode:
    """Draws classes, examples and queries, all different clips. Classes of no more clips than `shots` are never drawn,
    and those of few have fewer queries.

    Raises ValueError when there are fewer such classes than `ways`.

    Example:
        >>> draw_episode(np.array([0, 0, 1, 1, 2]), ways=2, shots=1, queries=5, seed=0, number=0).answers.tolist()
        [0, 1]
    """
    every, counts = np.unique(labels, return_counts=True)
    large = every[counts > shots]
    if len(large) < ways:
        raise ValueError(
            f"{ways} classes of more than {shots} test clips are needed, there are {len(large)}: "
            "set --ways or --shots lower"
        )
    rng = np.random.default_rng([seed, number])
    classes = np.sort(rng.choice(large, ways, replace=False)).astype(np.int64)
    examples, asked, answers = [], [], []
    for place, label in enumerate(classes):
        order = rng.permutation(np.flatnonzero(labels == label))
        examples.append(order[:shots])
        asked.append(order[shots : shots + queries])
        answers.append(np.full(len(asked[-1]), place))
    return Episode(classes, np.stack(examples), np.concatenate(asked), np.concatenate(answers))


def nearest_mean(examples: Float[Tensor, "ways shots d"], queries: Float[Tensor, "q d"]) -> Float[Tensor, "q ways"]:
    """The cosine of each query to the mean of the unit features of each class."""
    means = functional.normalize(examples, dim=2).mean(dim=1)
    return functional.normalize(queries, dim=1) @ functional.normalize(means, dim=1).T


def over_episodes(session: Session, settings: OneShotSettings) -> Iterator[Row]:
    labels = session.test_labels.numpy()
    episodes = [
        draw_episode(
            labels,
            ways=settings.ways,
            shots=settings.shots,
            queries=settings.queries,
            seed=settings.seed,
            number=number,
        )
        for number in range(settings.episodes)
    ]
    for features in session.features():
        for streams, how in features.choices():
            values = features.joined(streams)[1].double()
            advance = session.advance(f"episodes, {features.kind}, {' + '.join(streams)}", "episodes")
            hits = []
            for number, episode in enumerate(episodes):
                advance(number, len(episodes))
                found = nearest_mean(
                    values[torch.from_numpy(episode.examples)], values[torch.from_numpy(episode.queries)]
                )
                hits.append(found.argmax(dim=1).numpy() == episode.answers)
            advance(len(episodes), len(episodes))
            yield _row_of(session, features.kind, streams, how, episodes, hits)


def _row_of(
    session: Session,
    kind: Kind,
    streams: tuple[str, ...],
    how: How,
    episodes: list[Episode],
    hits: list[Bool[np.ndarray, " _"]],
) -> Row:
    each = np.array([right.mean() for right in hits])
    asked = np.concatenate([episode.classes[episode.answers] for episode in episodes])
    right, count = np.zeros(session.classes), np.zeros(session.classes)
    np.add.at(right, asked, np.concatenate(hits))
    np.add.at(count, asked, 1)
    with np.errstate(invalid="ignore"):
        of_class = torch.from_numpy(100 * right / count).float()
    lines = ((number, round(100 * share, 4)) for number, share in enumerate(each.tolist()))
    return Row(
        name=session.row_name(kind, streams, how),
        kind=kind,
        how=how,
        streams=streams,
        accuracy=Accuracy(top1=100 * float(each.mean()), top5=float("nan"), per_class=of_class),
        top1_without_copies=None,
        extra={"episodes": len(episodes), "episode_deviation": 100 * float(each.std(ddof=1)) if len(each) > 1 else 0.0},
        ece=None,
        hits=each,
        predicted=np.full(len(each), -1),
        confidence=None,
        detail=len(episodes),
        predictions=(("episode", "accuracy"), *lines),
    )


# --- the official exemplars -------------------------------------------------------------------------------------------


def with_exemplars(session: Session) -> Iterator[Row]:
    """All clips of the 20 novel classes but the exemplars, by the nearest of these.

    Raises ValueError where the store lacks an exemplar, or an encoder learnt from clips that are asked for.
    """
    exemplars, queries = find_exemplars(session)
    verdict = look_for_leaks(session.store, "one-shot", exemplars, queries, session.source, allow=session.allow_leak)
    for text in verdict.notes:
        session.note(text)
    session.test, session.split, session.leak = np.concatenate([exemplars, queries]), "novel-classes", verdict.leak
    judged = replace(session, test=queries, copies=verdict.copies)
    labels = session.test_labels[: len(exemplars)]
    for features in session.features():
        for streams, how in features.choices():
            values = features.joined(streams)[1]
            cosine = nearest_mean(values[: len(exemplars), None], values[len(exemplars) :])
            scores = torch.full((len(queries), session.classes), -torch.inf, dtype=cosine.dtype)
            scores[:, labels.long()] = cosine
            yield judged.row(features.kind, streams, how, ranked(scores))
    session.train, session.test, session.copies = exemplars, queries, verdict.copies


def find_exemplars(session: Session) -> tuple[Int64[np.ndarray, " ways"], Int64[np.ndarray, " q"]]:
    """Places in the store of the exemplars, and of all other clips of their classes."""
    names = {name: place for place, name in enumerate(session.store.table.name)}
    lacking = [name for name in NTU120_EXEMPLARS if name not in names]
    if lacking:
        raise ValueError(
            f"{session.store.path} has no recording {lacking[0]}, one of the {len(NTU120_EXEMPLARS)} exemplars of NTU "
            "RGB+D 120: this protocol needs a store of that data set, whole"
        )
    exemplars = np.array([names[name] for name in NTU120_EXEMPLARS], dtype=np.int64)
    novel = np.flatnonzero(np.isin(session.store.labels, session.store.labels[exemplars]))
    return exemplars, np.setdiff1d(novel, exemplars)
