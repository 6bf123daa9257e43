"""What the evaluations of frozen features share: features of a run and of what needs no learning, and the report."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from kinestream.data.clips import Clips
from kinestream.data.store import Store
from kinestream.engine.run_folder import RunFolder
from kinestream.engine.seeds import derive_seed
from kinestream.evaluate.features import cached_features, calibrate_batch_norm, raw_coordinates
from kinestream.evaluate.knn import knn_ranking
from kinestream.evaluate.linear import ProbeSettings, linear_probe, standardise
from kinestream.evaluate.metrics import Accuracy, accuracy
from kinestream.files import write_json
from kinestream.models.encoder_file import load_encoder
from kinestream.recipes.builders import build_encoder
from kinestream.screen import Screen

_HARDEST_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Features and labels of the training and the test clips, under the name of where they come from."""

    name: str
    kind: Literal["run", "untrained", "raw"]
    train: Float[Tensor, "n d"]
    train_labels: Int[Tensor, " n"]
    test: Float[Tensor, "q d"]
    test_labels: Int[Tensor, " q"]


class FrozenRun:
    """The encoders of a run, its store and a split. Raises ValueError when they do not go together."""

    def __init__(self, path: Path, data: Path, split: str | None, device: Literal["auto", "cpu", "cuda"]) -> None:
        self.folder = RunFolder(path)
        self.config = self.folder.config()
        self.store = Store(data)
        self.split = split or self.config.recipe.split
        self.screen = Screen()
        cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        self._device = torch.device("cuda" if cuda else "cpu")
        self._train = self.store.select(self.split, "train")
        self._test = self.store.select(self.split, "test")
        for part, indices in (("training", self._train), ("test", self._test)):
            if not len(indices):
                raise ValueError(f"{data} has no {part} clips in split '{self.split}'")
        if not self.folder.streams():
            raise ValueError(f"{path} has no encoder yet: the run has not finished an epoch")

    def parts(self) -> Iterator[Parts]:
        """First those of the run, then those of an untrained encoder and of the raw coordinates."""
        recipe = self.config.recipe
        clips = Clips(self.store, recipe.frames)
        cache = self.folder.path / "features"
        encoders = {}
        for stream in self.folder.streams():
            encoder, card = load_encoder(self.folder.encoder(stream))
            if card.layout != self.store.layout:
                raise ValueError(
                    f"the encoder is for layout {card.layout.name}, {self.store.path} has {self.store.layout.name}"
                )
            if card.preparation != self.store.info.preparation:
                raise ValueError(
                    f"the encoder learnt from preparation '{card.preparation}', {self.store.path} was prepared "
                    f"'{self.store.info.preparation}': prepare it as '{card.preparation}'"
                )
            if card.epochs_done < card.epochs:
                self.screen.warn(f"stream {stream} is at epoch {card.epochs_done} of {card.epochs}: not finished")
            encoders[stream] = encoder.to(self._device)
        with self.screen.progress("features", "clips") as advance:
            learnt = cached_features(cache, encoders, clips, device=self._device, progress=advance)
        for stream, values in learnt.items():
            yield self._part(f"{self.config.recipe_name}, {stream}", "run", values)

        for stream in learnt:
            torch.manual_seed(derive_seed(recipe.seed, "weights"))
            encoder = build_encoder(recipe, self.store.layout)
            calibrate_batch_norm(encoder, clips, self._train, stream)
            with self.screen.progress("features, untrained", "clips") as advance:
                made = cached_features(
                    cache, {stream: encoder.to(self._device)}, clips, device=self._device, progress=advance
                )
            yield self._part(f"untrained encoder, {stream}", "untrained", made[stream])
        yield self._part("raw coordinates", "raw", raw_coordinates(clips))

    def _part(self, name: str, kind: Literal["run", "untrained", "raw"], values: np.ndarray) -> Parts:
        labels = torch.from_numpy(self.store.table.label)
        rows = torch.from_numpy(values)
        train, test = torch.from_numpy(self._train), torch.from_numpy(self._test)
        return Parts(
            name=name,
            kind=kind,
            train=rows[train],
            train_labels=labels[train],
            test=rows[test],
            test_labels=labels[test],
        )

    @property
    def classes(self) -> int:
        return len(self.store.info.classes)

    def report(self, protocol: str, settings: dict[str, Any], results: dict[str, dict[str, Any]]) -> None:
        """Writes everything to a file of the run and says where it lies."""
        path = self.folder.path / f"evaluation-{protocol}-{self.split}.json"
        write_json(
            path,
            {
                "protocol": protocol,
                "recipe": self.config.recipe_name,
                "data": self.store.info.dataset,
                "split": self.split,
                "train_clips": len(self._train),
                "test_clips": len(self._test),
                "settings": settings,
                "results": results,
            },
        )
        published = self.config.recipe.published
        if published and protocol == "linear" and self.split == self.config.recipe.split:
            self.screen.say(f"published: {published.accuracy:.2f} ({published.what})")
        self.screen.say(f"per class and all settings: {path}")

    def class_shares(self, result: Accuracy) -> dict[str, float | None]:
        """Accuracy by class name; None for a class without test clips."""
        shares = result.per_class.tolist()
        pairs = zip(self.store.info.classes, shares, strict=True)
        return {name: None if share != share else round(share, 2) for name, share in pairs}

    def title(self, protocol: str) -> str:
        info = self.store.info
        clips = f"{len(self._train):,} training clips, {len(self._test):,} test clips"
        return f"{protocol}: {info.dataset} {self.split}, {clips}"

    def show_hardest(self, result: Accuracy) -> None:
        """The classes that the run recognises worst."""
        known = {name: share for name, share in self.class_shares(result).items() if share is not None}
        worst = sorted(known.items(), key=lambda entry: entry[1])[:_HARDEST_SHOWN]
        self.screen.say("hardest classes: " + ", ".join(f"{name} {share:.0f} %" for name, share in worst))


def train_probe(run: FrozenRun, settings: ProbeSettings) -> None:
    """The linear protocol: prints a table and writes `evaluation-linear-<split>.json`."""
    rows, results = [], {}
    own: Accuracy | None = None
    for parts in run.parts():
        train, test = parts.train, parts.test
        if parts.kind == "raw":
            # Metres, thousands of them: at the published rate the layer would diverge, and raw data would look worse.
            train, test = standardise(train, test)
        with run.screen.progress(f"linear, {parts.name}", "epochs") as advance:
            probe = linear_probe(
                train,
                parts.train_labels,
                test,
                parts.test_labels,
                classes=run.classes,
                settings=settings,
                progress=advance,
            )
        last = probe.last
        own = own or last
        figures = (f"{last.top1:.2f}", f"{last.top5:.2f}", f"{last.mean_class:.2f}")
        rows.append((parts.name, *figures, f"{probe.best_top1:.2f} (epoch {probe.best_epoch})"))
        results[parts.name] = {
            "top1": last.top1,
            "top5": last.top5,
            "mean_class": last.mean_class,
            "best_top1_chosen_on_test": probe.best_top1,
            "best_epoch": probe.best_epoch,
            "per_class": run.class_shares(last),
        }
    run.screen.table(
        run.title("linear"), ("features", "top-1 %", "top-5 %", "mean class %", "best, chosen on test"), rows
    )
    if own:
        run.show_hardest(own)
    run.report("linear", asdict(settings), results)


def count_neighbours(run: FrozenRun, *, k: int, temperature: float) -> None:
    """The kNN protocol: prints a table and writes `evaluation-knn-<split>.json`."""
    rows, results = [], {}
    own: Accuracy | None = None
    for parts in run.parts():
        found = {}
        for neighbours in (1, k):
            ranking = knn_ranking(
                parts.train,
                parts.train_labels,
                parts.test,
                classes=run.classes,
                k=neighbours,
                temperature=temperature,
            )
            found[neighbours] = accuracy(ranking, parts.test_labels)
        own = own or found[1]
        rows.append((parts.name, f"{found[1].top1:.2f}", f"{found[k].top1:.2f}", f"{found[k].top5:.2f}"))
        results[parts.name] = {
            "1-nn": {"top1": found[1].top1, "mean_class": found[1].mean_class},
            f"{k}-nn": {
                "top1": found[k].top1,
                "top5": found[k].top5,
                "mean_class": found[k].mean_class,
                "per_class": run.class_shares(found[k]),
            },
        }
    run.screen.table(run.title("kNN"), ("features", "1-NN %", f"{k}-NN %", f"{k}-NN top-5 %"), rows)
    if own:
        run.show_hardest(own)
    run.report("knn", {"k": k, "temperature": temperature, "similarity": "cosine"}, results)
