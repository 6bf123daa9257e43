"""What the evaluations of frozen features share: features of a run and of what needs no learning, and the report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn

from kinestream.data.check import copies
from kinestream.data.clips import Clips, caution
from kinestream.data.store import Store
from kinestream.engine.run_folder import RunFolder
from kinestream.engine.seeds import derive_seed
from kinestream.evaluate.features import cached_features, calibrate_batch_norm, raw_coordinates
from kinestream.evaluate.metrics import Accuracy, accuracy
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
    unseen_top1: float | None
    """Top-1 without the test clips that are copies of a training clip; None where there are no copies."""
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
        self._copies = torch.from_numpy(copies(self.store, self._test, self._train))
        if self._copies.any():
            self.screen.warn(
                f"{int(self._copies.sum())} of the {len(self._test)} test clips of split '{self.split}' are copies of "
                "a training clip, to the bit: what they add to an accuracy is no generalisation. Figures without them "
                "stand beside the usual ones"
            )
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

    def reached(
        self, kind: Kind, how: How, streams: Sequence[str], ranking: Int[Tensor, "q classes"], extra: Mapping[str, Any]
    ) -> Outcome:
        """The outcome of a ranking of the classes for each test clip."""
        unseen = ~self._copies
        mixed = bool(self._copies.any() and unseen.any())
        return Outcome(
            kind=kind,
            how=how,
            streams=tuple(streams),
            accuracy=accuracy(ranking, self.test_labels),
            unseen_top1=accuracy(ranking[unseen], self.test_labels[unseen]).top1 if mixed else None,
            extra=extra,
        )

    def show(
        self, protocol: str, columns: Sequence[str], outcomes: Sequence[Outcome], rows: Sequence[Sequence[str]]
    ) -> None:
        """A table of the outcomes, each with its row of figures, and of what they are without copies."""
        mixed = any(outcome.unseen_top1 is not None for outcome in outcomes)
        columns = ["features", *columns, *(["without copies %"] if mixed else [])]
        full = []
        for outcome, row in zip(outcomes, rows, strict=True):
            unseen = [] if outcome.unseen_top1 is None else [f"{outcome.unseen_top1:.2f}"]
            full.append((self.name(outcome), *row, *unseen))
        self.screen.table(self.title(protocol), columns, full)

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
                "top1_without_copies": outcome.unseen_top1,
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
                "test_clips_that_are_copies": int(self._copies.sum()),
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
