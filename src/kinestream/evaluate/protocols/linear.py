"""The linear protocol: a linear layer on frozen features."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from torch import Tensor

from kinestream.evaluate.linear import ProbeSettings, linear_probe, standardise
from kinestream.evaluate.protocols.outcome import How, Outcome
from kinestream.evaluate.protocols.subject import Parts, Subject
from kinestream.evaluate.write import publish
from kinestream.features.metrics import ranked
from kinestream.features.together import fuse_scores


def train_probe(
    subject: Subject, settings: ProbeSettings, weights: Mapping[str, float] | None = None
) -> Sequence[Outcome]:
    """Each stream alone, the probe on all as published, and the single ones' scores fused with `weights`."""
    check_weights(subject, weights)
    outcomes = [outcome for parts in subject.parts() for outcome in probe_parts(subject, parts, settings, weights)]
    best = ["-" if "best_epoch" not in o.extra else _best(o) for o in outcomes]
    publish(
        subject,
        "linear",
        {**asdict(settings), "fusion_weights": weights or "uniform", **subject.told_readout},
        outcomes,
        {"best, chosen on test": best},
    )
    return outcomes


def check_weights(subject: Subject, weights: Mapping[str, float] | None) -> None:
    """Raises ValueError unless the weights, if any, name just the streams."""
    if weights is not None and set(weights) != set(subject.streams):
        raise ValueError(f"weights for {', '.join(weights)}, but the run's streams are {', '.join(subject.streams)}")


def probe_parts(
    subject: Subject,
    parts: Parts,
    settings: ProbeSettings,
    weights: Mapping[str, float] | None = None,
    variant: str = "",
) -> Iterator[Outcome]:
    """The outcomes of one kind of features."""
    scores: dict[str, Tensor] = {}

    def probe(streams: Sequence[str], how: How) -> Outcome:
        train, test = chosen(parts, streams)
        with subject.screen.progress(f"linear, {parts.kind}, {' + '.join(streams)}", "epochs") as advance:
            found = linear_probe(
                train,
                subject.train_labels,
                test,
                subject.test_labels,
                classes=subject.classes,
                settings=settings,
                progress=advance,
            )
        if how == "alone":
            scores[streams[0]] = found.scores
        extra = {"best_top1_chosen_on_test": found.best_top1, "best_epoch": found.best_epoch}
        ranking = ranked(found.scores)
        return subject.reached(parts.kind, how, streams, ranking, extra, logits=found.scores, variant=variant)

    yield from subject.for_each_choice(parts, probe)
    if len(scores) > 1:
        fused = fuse_scores(scores, weights)
        yield subject.reached(parts.kind, "fused", list(scores), ranked(fused), {}, logits=fused, variant=variant)


def chosen(parts: Parts, streams: Sequence[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Training and test features of these streams as a linear layer takes them."""
    train = {stream: parts.train[stream] for stream in streams}
    test = {stream: parts.test[stream] for stream in streams}
    if parts.kind == "raw":
        # Metres, thousands of them: at the published rate the layer would diverge, and raw data would look worse.
        for stream in streams:
            train[stream], test[stream] = standardise(train[stream], test[stream])
    return train, test


def _best(outcome: Outcome) -> str:
    return f"{outcome.extra['best_top1_chosen_on_test']:.2f} (epoch {outcome.extra['best_epoch']})"
