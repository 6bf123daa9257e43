"""What is watched while a training runs: spread, neighbours, stages. Nothing of it changes the result."""

import time
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from kinestream.data.unlabelled import Unlabelled
from kinestream.distributed.collectives import own_rows, place
from kinestream.features.extract import compute_features
from kinestream.features.metrics import accuracy
from kinestream.features.neighbours import knn_ranking, side_by_side
from kinestream.methods.agreement import watched_by_labels
from kinestream.methods.method import Method
from kinestream.progress import Notice
from kinestream.recipes import Recipe
from kinestream.train.fit import EpochEnd

TOGETHER = "together"
"""What the log calls the 1-NN of all streams side by side."""


class Watch:
    """Looks at the training from outside: spread of the features, 1-NN accuracy, time."""

    def __init__(
        self,
        recipe: Recipe,
        method: Method,
        unlabelled: Unlabelled,
        device: torch.device,
        notice: Notice,
    ) -> None:
        self._recipe = recipe
        self._method = method
        self._clips = unlabelled.parts[0].clips
        self._device = device
        self._labels = torch.from_numpy(unlabelled.labels()) if self._clips.store.is_labelled else None
        self._notice = notice
        self._collapsed: set[str] = set()
        self._epoch_began = time.monotonic()
        self.note = ""

    def observe(self, chosen: Int64[Tensor, " B"]) -> Mapping[str, Tensor]:
        """How right the pseudo-positives are. Labels are used here, for the log only."""
        positives = self._method.positives
        if positives is None or self._labels is None:
            return {}
        labels = self._labels[chosen].to(positives.device)
        return watched_by_labels(positives, labels, own_rows(len(positives)).start)

    def epoch_end(self, end: EpochEnd) -> Mapping[str, Any]:
        extra: dict[str, Any] = {"seconds": round(time.monotonic() - self._epoch_began, 3)}
        self._epoch_began = time.monotonic()
        spreads = {name: value for name, value in end.means.items() if name.startswith("spread/")}
        for name, spread in spreads.items():
            self._look_for_collapse(name.removeprefix("spread/"), spread, end.epoch + 1)
        beyond = end.means.get("positives/beyond", 0.0)
        if beyond > 0 and "by_labels/right" in end.means:
            extra["by_labels/purity"] = end.means["by_labels/right"] / beyond
        if self._is_monitored(end.epoch + 1):
            extra |= {f"knn/{stream}": value for stream, value in self._nearest_neighbour().items()}
        shown = [f"spread {min(spreads.values()):.2f}"] if spreads else []
        if "by_labels/purity" in extra:
            shown.append(
                f"pseudo-positives {beyond:.2f} a clip, {100 * extra['by_labels/purity']:.0f} % right by labels"
            )
        shown += [f"1-NN {name[4:]} {value:.1f} %" for name, value in extra.items() if name.startswith("knn/")]
        self.note = f", epoch {end.epoch + 1}: {', '.join(shown)}"
        return extra

    def _look_for_collapse(self, name: str, spread: float, epoch: int) -> None:
        """`name` is a stream, for its features, or `<stream>/predictions`."""
        bound = self._recipe.monitor.collapse_spread
        stream, _, what = name.partition("/")
        if spread >= bound or stream in self._collapsed:
            return
        self._collapsed.add(stream)
        self._notice(
            f"epoch {epoch}: the {what or 'features'} of stream {stream} have collapsed: spread {spread:.3f}, "
            f"where 1 is isotropic and below {bound} the network gives nearly the same for every clip. "
            f"More epochs will not mend it. What helps with few clips: {self._recipe.method.remedy}AdamW with a cosine "
            "schedule (optimiser.name=adamw optimiser.rate=0.002 optimiser.schedule=cosine), encoder.dropout=0, "
            "encoder.initialisation=torch; "
            "see recipe nw-ucla"
        )

    def _is_monitored(self, epoch: int) -> bool:
        """Every so many epochs, at the end of each stage, and at the end of all (`epoch` counts from 1)."""
        every = self._recipe.monitor.knn_every
        due = every > 0 and (epoch % every == 0 or epoch in (self._recipe.method.stage_change, self._recipe.epochs))
        return due and self._clips.store.is_labelled

    def _nearest_neighbour(self) -> dict[str, float]:
        """1-NN test accuracy, in percent, of each stream and of all side by side. Labels are used here, for the log
        only."""
        store = self._clips.store
        train, test = (torch.from_numpy(store.select(self._recipe.split, part)) for part in ("train", "test"))
        if not len(test):
            return {}
        labels = torch.from_numpy(store.labels)
        computed = compute_features(self._method.encoders(), self._clips, device=self._device)
        if place()[0] != 0:
            return {}
        features = {stream: torch.from_numpy(values) for stream, values in computed.items()}
        if len(features) > 1:
            features[TOGETHER] = side_by_side(features)
        found = {}
        for stream, rows in features.items():
            ranking = knn_ranking(rows[train], labels[train], rows[test], classes=len(store.info.classes), k=1)
            found[stream] = accuracy(ranking, labels[test]).top1
        return found
