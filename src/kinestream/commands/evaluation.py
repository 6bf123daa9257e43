"""What the evaluations of frozen features share: features of a run and of what needs no learning, and the report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn

from kinestream.data.clips import Clips, caution
from kinestream.data.store import Store
from kinestream.engine.run_folder import RunFolder
from kinestream.engine.seeds import derive_seed
from kinestream.evaluate.features import cached_features, calibrate_batch_norm, raw_coordinates
from kinestream.evaluate.knn import knn_ranking
from kinestream.evaluate.linear import ProbeSettings, linear_probe, standardise
from kinestream.evaluate.metrics import Accuracy, accuracy, ranked
from kinestream.evaluate.streams_together import fuse_scores, side_by_side
from kinestream.files import write_json
from kinestream.models.encoder_file import load_encoder
from kinestream.recipes.builders import build_encoder
from kinestream.screen import Screen

_HARDEST_SHOWN = 5

Kind = Literal["run", "untrained", "raw"]
How = Literal["alone", "together", "fused"]
"""A stream by itself; all at once (one probe on all, neighbours by all); or the scores of the single ones summed."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Features of the training and the test clips by stream, `(n, d)` and `(q, d)`, and where they come from."""

    kind: Kind
    train: Mapping[str, Tensor]
    test: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one set of features reached."""

    kind: Kind
    how: How
    streams: tuple[str, ...]
    accuracy: Accuracy
    extra: Mapping[str, Any]
    """Further figures of the protocol."""


class FrozenRun:
    """The encoders of a run, its store and a split. Raises ValueError when they do not go together."""

    def __init__(
        self,
        path: Path,
        data: Path,
        split: str | None,
        device: Literal["auto", "cpu", "cuda"],
        *,
        references: bool = True,
    ) -> None:
        """`references`: evaluate an untrained encoder and raw coordinates, too."""
        self.folder = RunFolder(path)
        self.config = self.folder.config()
        self.store = Store(data)
        self._labels = self.store.labels
        self.split = split or self.config.recipe.split
        self.screen = Screen()
        self._references = references
        cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        self._device = torch.device("cuda" if cuda else "cpu")
        self._train = self.store.select(self.split, "train")
        self._test = self.store.select(self.split, "test")
        for part, indices in (("training", self._train), ("test", self._test)):
            if not len(indices):
                raise ValueError(f"{data} has no {part} clips in split '{self.split}'")
        if not self.streams:
            raise ValueError(f"{path} has no encoder yet: the run has not finished an epoch")

    @property
    def streams(self) -> tuple[str, ...]:
        return self.folder.streams()

    @property
    def train_labels(self) -> Int[Tensor, " n"]:
        return torch.from_numpy(self._labels[self._train])

    @property
    def test_labels(self) -> Int[Tensor, " q"]:
        return torch.from_numpy(self._labels[self._test])

    @property
    def classes(self) -> int:
        return len(self.store.info.classes)

    def parts(self) -> Iterator[Parts]:
        """First those of the run, then those of an untrained encoder and of the raw coordinates."""
        if (warning := caution(self.store, self.config.recipe.frames)) is not None:
            self.screen.warn(warning)
        clips = Clips(self.store, self.config.recipe.frames)
        yield self._features("run", clips, self._learnt_encoders(), "features")
        if self._references:
            yield self._features("untrained", clips, self._untrained_encoders(clips), "features, untrained")
            train, test = (torch.from_numpy(raw_coordinates(clips, indices)) for indices in (self._train, self._test))
            yield Parts(kind="raw", train={"raw": train}, test={"raw": test})

    def _features(self, kind: Kind, clips: Clips, encoders: Mapping[str, nn.Module], what: str) -> Parts:
        with self.screen.progress(what, "clips") as advance:
            values = cached_features(
                self.folder.path / "features", encoders, clips, device=self._device, progress=advance
            )
        train, test = (
            {stream: torch.from_numpy(rows[indices]) for stream, rows in values.items()}
            for indices in (self._train, self._test)
        )
        return Parts(kind=kind, train=train, test=test)

    def _learnt_encoders(self) -> dict[str, nn.Module]:
        encoders: dict[str, nn.Module] = {}
        for stream in self.streams:
            encoder, card = load_encoder(self.folder.encoder(stream))
            if card.layout != self.store.layout:
                raise ValueError(
                    f"the encoder is for layout {card.layout.name}, {self.store.path} has {self.store.layout.name}"
                )
            if not self.store.preparation.gives(card.preparation):
                raise ValueError(
                    f"the encoder learnt from preparation '{card.preparation}', {self.store.path} was prepared "
                    f"'{self.store.info.preparation}': prepare it as '{card.preparation}'"
                )
            if card.epochs_done < card.epochs:
                self.screen.warn(f"stream {stream} is at epoch {card.epochs_done} of {card.epochs}: not finished")
            encoders[stream] = encoder.to(self._device)
        return encoders

    def _untrained_encoders(self, clips: Clips) -> dict[str, nn.Module]:
        encoders: dict[str, nn.Module] = {}
        for stream in self.streams:
            torch.manual_seed(derive_seed(self.config.recipe.seed, "weights"))
            encoder = build_encoder(self.config.recipe, self.store.layout)
            calibrate_batch_norm(encoder, clips, self._train, stream)
            encoders[stream] = encoder.to(self._device)
        return encoders

    def name(self, outcome: Outcome) -> str:
        """What the outcome is called in tables and files."""
        source = {"run": self.config.recipe_name, "untrained": "untrained encoder", "raw": "raw coordinates"}
        if outcome.kind == "raw":
            return source["raw"]
        how = {"alone": outcome.streams[0], "together": "streams together", "fused": "scores fused"}
        return f"{source[outcome.kind]}, {how[outcome.how]}"

    def report(self, protocol: str, settings: dict[str, Any], outcomes: Sequence[Outcome]) -> None:
        """Writes everything to a file of the run and says where it lies."""
        path = self.folder.path / f"evaluation-{protocol}-{self.split}.json"
        results = {
            self.name(outcome): {
                "features": outcome.kind,
                "how": outcome.how,
                "streams": list(outcome.streams),
                "top1": outcome.accuracy.top1,
                "top5": outcome.accuracy.top5,
                "mean_class": outcome.accuracy.mean_class,
                **outcome.extra,
                "per_class": self._class_shares(outcome.accuracy),
            }
            for outcome in outcomes
        }
        write_json(
            path,
            {
                "protocol": protocol,
                "recipe": self.config.recipe_name,
                "seed": self.config.recipe.seed,
                "data": self.store.info.dataset,
                "split": self.split,
                "train_clips": len(self._train),
                "test_clips": len(self._test),
                "settings": settings,
                "results": results,
            },
        )
        self._show_hardest(headline(outcomes).accuracy)
        published = self.config.recipe.published
        if published and protocol == "linear" and self.split == self.config.recipe.split:
            self.screen.say(f"published: {published.accuracy:.2f} ({published.what})")
        self.screen.say(f"per class and all settings: {path}")

    def title(self, protocol: str) -> str:
        info = self.store.info
        clips = f"{len(self._train):,} training clips, {len(self._test):,} test clips"
        return f"{protocol}: {info.dataset} {self.split}, {clips}"

    def _class_shares(self, result: Accuracy) -> dict[str, float | None]:
        """Accuracy by class name; None for a class without test clips."""
        shares = result.per_class.tolist()
        pairs = zip(self.store.info.classes, shares, strict=True)
        return {name: None if share != share else round(share, 2) for name, share in pairs}

    def _show_hardest(self, result: Accuracy) -> None:
        """The classes that the run recognises worst."""
        known = {name: share for name, share in self._class_shares(result).items() if share is not None}
        worst = sorted(known.items(), key=lambda entry: entry[1])[:_HARDEST_SHOWN]
        self.screen.say("hardest classes: " + ", ".join(f"{name} {share:.0f} %" for name, share in worst))


def headline(outcomes: Sequence[Outcome]) -> Outcome:
    """What stands for the run: all its streams together, or its only one."""
    own = [outcome for outcome in outcomes if outcome.kind == "run"]
    return next((outcome for outcome in own if outcome.how == "together"), own[0])


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
        rows.append((run.name(outcome), f"{found.top1:.2f}", f"{found.top5:.2f}", f"{found.mean_class:.2f}", best))
    run.screen.table(
        run.title("linear"), ("features", "top-1 %", "top-5 %", "mean class %", "best, chosen on test"), rows
    )
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
        outcome = Outcome(kind=parts.kind, how=how, streams=tuple(streams), accuracy=found.last, extra=extra)
        return outcome, found.scores

    scores = {}
    for stream in parts.train:
        outcome, scores[stream] = probe([stream], "alone")
        yield outcome
    if len(scores) > 1:
        yield probe(list(scores), "together")[0]
        fused = accuracy(ranked(fuse_scores(scores, weights)), run.test_labels)
        yield Outcome(kind=parts.kind, how="fused", streams=tuple(scores), accuracy=fused, extra={})


def count_neighbours(run: FrozenRun, *, k: int, temperature: float) -> Sequence[Outcome]:
    """The kNN protocol, 1-NN and weighted k-NN: each stream alone, and all by their unit features side by side; prints
    a table and writes `evaluation-knn-<split>.json`. The accuracy of an outcome is that of the 1-NN."""
    outcomes = [outcome for parts in run.parts() for outcome in _neighbours_of_parts(run, parts, k, temperature)]
    rows = []
    for outcome in outcomes:
        figures = (outcome.accuracy.top1, outcome.extra[f"{k}nn"], outcome.extra[f"{k}nn_top5"])
        rows.append((run.name(outcome), *(f"{figure:.2f}" for figure in figures)))
    run.screen.table(run.title("kNN"), ("features", "1-NN %", f"{k}-NN %", f"{k}-NN top-5 %"), rows)
    run.report("knn", {"k": k, "temperature": temperature, "similarity": "cosine"}, outcomes)
    return outcomes


def _neighbours_of_parts(run: FrozenRun, parts: Parts, k: int, temperature: float) -> Iterator[Outcome]:
    def reach(train: Tensor, test: Tensor, neighbours: int) -> Accuracy:
        ranking = knn_ranking(train, run.train_labels, test, classes=run.classes, k=neighbours, temperature=temperature)
        return accuracy(ranking, run.test_labels)

    together = [tuple(parts.train)] if len(parts.train) > 1 else []
    for streams in [*((stream,) for stream in parts.train), *together]:
        chosen = ({stream: part[stream] for stream in streams} for part in (parts.train, parts.test))
        train, test = (side_by_side(part) if len(part) > 1 else part[streams[0]] for part in chosen)
        nearest, weighted = reach(train, test, 1), reach(train, test, k)
        yield Outcome(
            kind=parts.kind,
            how="alone" if len(streams) == 1 else "together",
            streams=streams,
            accuracy=nearest,
            extra={f"{k}nn": weighted.top1, f"{k}nn_top5": weighted.top5, f"{k}nn_mean_class": weighted.mean_class},
        )
