"""The protocols on frozen features, each for one stream or several, with its table and its file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from torch import Tensor

from kinestream.commands.evaluation import FrozenRun, How, Outcome, Parts
from kinestream.evaluate.knn import knn_ranking
from kinestream.evaluate.linear import ProbeSettings, linear_probe, standardise
from kinestream.evaluate.metrics import accuracy, ranked
from kinestream.evaluate.streams_together import fuse_scores, side_by_side


def train_probe(
    run: FrozenRun, settings: ProbeSettings, weights: Mapping[str, float] | None = None
) -> Sequence[Outcome]:
    """The linear protocol: each stream alone, the probe on all as published, and the single ones' scores fused with
    `weights`; prints a table and writes `evaluation-linear-<split>.json`."""
    if weights is not None and set(weights) != set(run.streams):
        raise ValueError(f"weights for {', '.join(weights)}, but the run's streams are {', '.join(run.streams)}")
    outcomes = [outcome for parts in run.parts() for outcome in _probe_parts(run, parts, settings, weights)]
    rows = []
    for outcome in outcomes:
        found, best = outcome.accuracy, "-"
        if "best_top1_chosen_on_test" in outcome.extra:
            best = f"{outcome.extra['best_top1_chosen_on_test']:.2f} (epoch {outcome.extra['best_epoch']})"
        rows.append((f"{found.top1:.2f}", f"{found.top5:.2f}", f"{found.mean_class:.2f}", best))
    run.show("linear", ("top-1 %", "top-5 %", "mean class %", "best, chosen on test"), outcomes, rows)
    run.report("linear", {**asdict(settings), "fusion_weights": weights or "uniform"}, outcomes)
    return outcomes


def _probe_parts(
    run: FrozenRun, parts: Parts, settings: ProbeSettings, weights: Mapping[str, float] | None
) -> Iterator[Outcome]:
    def probe(streams: Sequence[str], how: How) -> tuple[Outcome, Tensor]:
        train = {stream: parts.train[stream] for stream in streams}
        test = {stream: parts.test[stream] for stream in streams}
        if parts.kind == "raw":
            # Metres, thousands of them: at the published rate the layer would diverge, and raw data would look worse.
            train["raw"], test["raw"] = standardise(train["raw"], test["raw"])
        with run.screen.progress(f"linear, {parts.kind}, {' + '.join(streams)}", "epochs") as advance:
            found = linear_probe(
                train,
                run.train_labels,
                test,
                run.test_labels,
                classes=run.classes,
                settings=settings,
                progress=advance,
            )
        extra = {"best_top1_chosen_on_test": found.best_top1, "best_epoch": found.best_epoch}
        return run.reached(parts.kind, how, streams, ranked(found.scores), extra), found.scores

    scores = {}
    for stream in parts.train:
        outcome, scores[stream] = probe([stream], "alone")
        yield outcome
    if len(scores) > 1:
        yield probe(list(scores), "together")[0]
        yield run.reached(parts.kind, "fused", list(scores), ranked(fuse_scores(scores, weights)), {})


def count_neighbours(run: FrozenRun, *, k: int, temperature: float) -> Sequence[Outcome]:
    """The kNN protocol, 1-NN and weighted k-NN: each stream alone, and all by their unit features side by side; prints
    a table and writes `evaluation-knn-<split>.json`. The accuracy of an outcome is that of the 1-NN."""
    outcomes = [outcome for parts in run.parts() for outcome in _neighbours_of_parts(run, parts, k, temperature)]
    rows = []
    for outcome in outcomes:
        figures = (outcome.accuracy.top1, outcome.extra[f"{k}nn"], outcome.extra[f"{k}nn_top5"])
        rows.append([f"{figure:.2f}" for figure in figures])
    run.show("kNN", ("1-NN %", f"{k}-NN %", f"{k}-NN top-5 %"), outcomes, rows)
    run.report("knn", {"k": k, "temperature": temperature, "similarity": "cosine"}, outcomes)
    return outcomes


def _neighbours_of_parts(run: FrozenRun, parts: Parts, k: int, temperature: float) -> Iterator[Outcome]:
    def rank(train: Tensor, test: Tensor, neighbours: int) -> Tensor:
        return knn_ranking(train, run.train_labels, test, classes=run.classes, k=neighbours, temperature=temperature)

    together = [tuple(parts.train)] if len(parts.train) > 1 else []
    for streams in [*((stream,) for stream in parts.train), *together]:
        chosen = ({stream: part[stream] for stream in streams} for part in (parts.train, parts.test))
        train, test = (side_by_side(part) if len(part) > 1 else part[streams[0]] for part in chosen)
        weighted = accuracy(rank(train, test, k), run.test_labels)
        extra = {f"{k}nn": weighted.top1, f"{k}nn_top5": weighted.top5, f"{k}nn_mean_class": weighted.mean_class}
        yield run.reached(
            parts.kind, "alone" if len(streams) == 1 else "together", streams, rank(train, test, 1), extra
        )
