"""What a training shows while it runs, and at its end: spread, neighbours, stages. Nothing of it changes the result."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from kinestream.console import Screen
from kinestream.data.unlabelled import Unlabelled
from kinestream.distributed.collectives import own_rows, place
from kinestream.features.extract import compute_features
from kinestream.features.metrics import accuracy
from kinestream.features.neighbours import knn_ranking, side_by_side
from kinestream.methods.agreement import watched_by_labels
from kinestream.methods.method import Method
from kinestream.methods.settings import SelfDistillationRecipe, stage_1_epochs
from kinestream.recipes import Recipe
from kinestream.train.fit import EpochEnd
from kinestream.train.run_folder import RunFolder, read_metrics

_TOGETHER = "together"


class Watch:
    """Looks at the training from outside: spread of the features, 1-NN accuracy, time."""

    def __init__(
        self,
        recipe: Recipe,
        method: Method,
        unlabelled: Unlabelled,
        device: torch.device,
        screen: Screen,
    ) -> None:
        self._recipe = recipe
        self._method = method
        self._clips = unlabelled.parts[0].clips
        self._device = device
        self._labels = None if self._clips.store.continuous else torch.from_numpy(unlabelled.labels())
        self._screen = screen
        self._collapsed: dict[str, int] = {}
        self._last: Mapping[str, float] = {}
        self._began = self._epoch_began = time.monotonic()
        self.note = ""

    def observe(self, chosen: Int64[Tensor, " B"]) -> Mapping[str, Tensor]:
        """How right the pseudo-positives are. Labels are used here, for the log only."""
        positives = self._method.positives
        if positives is None or self._labels is None:
            return {}
        labels = self._labels[chosen].to(positives.device)
        return watched_by_labels(positives, labels, own_rows(len(positives)).start)

    def epoch_end(self, end: EpochEnd) -> Mapping[str, Any]:
        self._last = end.means
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
        self._collapsed[stream] = epoch
        self._screen.warn(
            f"epoch {epoch}: the {what or 'features'} of stream {stream} have collapsed: spread {spread:.3f}, "
            f"where 1 is isotropic and below {bound} the network gives nearly the same for every clip. "
            f"More epochs will not mend it. What helps with few clips: {self._remedy()}AdamW with a cosine "
            "schedule (optimiser.name=adamw optimiser.rate=0.002 optimiser.schedule=cosine), encoder.dropout=0, "
            "encoder.initialisation=torch; "
            "see recipe nw-ucla"
        )

    def _remedy(self) -> str:
        return "method.target=whitened, " if isinstance(self._recipe.method, SelfDistillationRecipe) else ""

    def _is_monitored(self, epoch: int) -> bool:
        """Every so many epochs, at the end of each stage, and at the end of all (`epoch` counts from 1)."""
        every = self._recipe.monitor.knn_every
        labelled = not self._clips.store.continuous
        return (
            labelled
            and every > 0
            and (epoch % every == 0 or epoch in (stage_1_epochs(self._recipe.method), self._recipe.epochs))
        )

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
            features[_TOGETHER] = side_by_side(features)
        found = {}
        for stream, rows in features.items():
            ranking = knn_ranking(rows[train], labels[train], rows[test], classes=len(store.info.classes), k=1)
            found[stream] = accuracy(ranking, labels[test]).top1
        return found

    def summary(self, run: RunFolder) -> None:
        seconds = time.monotonic() - self._began
        rows = [(name, f"{value:.4f}") for name, value in self._last.items()]
        self._screen.table("last epoch, means", ("what", "value"), rows)
        self._show_neighbours([line for line in read_metrics(run.metrics) if line["kind"] == "epoch"])
        for stream, epoch in self._collapsed.items():
            self._screen.warn(f"stream {stream} collapsed in epoch {epoch}: its encoder hardly tells clips apart")
        self._screen.say(f"{self._recipe.epochs} epochs; this session took {seconds / 60:.1f} min")
        self._screen.say(f"run: {run.path}")
        store = self._clips.store
        data = f"a store of {store.info.dataset} without --continuous" if store.continuous else store.path
        self._screen.say(f"next: kinestream evaluate linear {run.path} --data {data}")

    def _show_neighbours(self, epochs: Sequence[Mapping[str, Any]]) -> None:
        """How the 1-NN accuracy grew, with the stage that each row belongs to."""
        streams = [*self._recipe.streams, *([_TOGETHER] if len(self._recipe.streams) > 1 else [])]
        change = stage_1_epochs(self._recipe.method)
        rows = []
        for line in epochs:
            if all(f"knn/{stream}" in line for stream in streams):
                stage = "" if change is None else f" (stage {1 if line['epoch'] <= change else 2})"
                rows.append((f"{line['epoch']}{stage}", *(f"{line[f'knn/{stream}']:.2f}" for stream in streams)))
        if rows:
            title = "1-NN accuracy, % (labels serve this display only)"
            self._screen.table(title, ("after epoch", *streams), rows)
        for gain in gains(epochs, self._recipe.streams, change):
            self._screen.say(gain)


def gains(epochs: Sequence[Mapping[str, Any]], streams: Sequence[str], change: int | None) -> Iterator[str]:
    """What each step brought by 1-NN: one stream, all of them together, stage 2. None of it for a single stream or a
    single stage."""
    found = {line["epoch"]: line for line in epochs if f"knn/{_TOGETHER}" in line}
    last = max(found, default=0)
    if len(streams) < 2 or change is None or change not in found or change == last:
        return
    for stage, epoch in ((1, change), (2, last)):
        line = found[epoch]
        best = max(streams, key=lambda stream: float(line[f"knn/{stream}"]))
        single, together = line[f"knn/{best}"], line[f"knn/{_TOGETHER}"]
        yield (
            f"1-NN after stage {stage} (epoch {epoch}): best single stream {best} {single:.2f} %, "
            f"{len(streams)} streams together {together:.2f} % ({together - single:+.2f})"
        )
    gain = found[last][f"knn/{_TOGETHER}"] - found[change][f"knn/{_TOGETHER}"]
    yield (
        f"1-NN, stage 2 against stage 1, together: {gain:+.2f}; stage 2 is also {last - change} further epochs, so "
        "this is not what its objective brings alone"
    )
