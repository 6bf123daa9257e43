"""Batches for training with labels, and the loss as the training loop wants it."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional

from kinestream.augment.transforms import Augmentation
from kinestream.data.clips import AnyClips
from kinestream.methods.method import Progress
from kinestream.models.classifier import StreamClassifier
from kinestream.skeleton.streams import make_streams
from kinestream.train.seeds import derive_seed
from kinestream.train.views import to_batch

LabelledBatch = tuple[Mapping[str, Tensor], Tensor]
"""Streams of clips by name, each `(B, c, t, v, m)`, and their labels `(B)`."""


class LabelledLoader:
    """Every chosen clip once an epoch, augmented anew, in a new order; the last batch may be smaller, so that few clips
    are none too few. Order and augmentation depend on (seed, epoch, step) alone."""

    def __init__(
        self,
        clips: AnyClips,
        indices: Int[Tensor, " n"],
        labels: Int[Tensor, " n"],
        *,
        streams: Sequence[str],
        augmentation: Augmentation,
        batch_size: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self._clips = clips
        self._indices = indices
        self._labels = labels
        self._streams = tuple(streams)
        self._augmentation = augmentation
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self.steps = -(-len(indices) // batch_size)

    def epoch(self, epoch: int, first: int) -> Iterator[LabelledBatch]:
        order = torch.randperm(len(self._indices), generator=self._generator("order", epoch))
        for step in range(first, self.steps):
            rows = order[step * self._batch_size : (step + 1) * self._batch_size]
            clips = to_batch(torch.from_numpy(self._clips.batch(self._indices[rows].numpy())).to(self._device))
            clips = self._augmentation(clips, self._generator("augmentation", epoch, step))
            yield (
                make_streams(clips, self._streams, self._clips.layout, self._clips.rate),
                self._labels[rows].to(self._device),
            )

    def _generator(self, *where: int | str) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self._seed, *where))


class Classification(nn.Module):
    """Cross entropy of a classifier, in the form that `fit` trains."""

    def __init__(self, classifier: StreamClassifier, smoothing: float = 0.0) -> None:
        super().__init__()
        self.classifier = classifier
        self.smoothing = smoothing

    def forward(self, batch: LabelledBatch) -> dict[str, Tensor]:
        streams, labels = batch
        logits = self.classifier(streams)
        right = (logits.argmax(dim=1) == labels).double().mean()
        return {
            "loss": functional.cross_entropy(logits, labels, label_smoothing=self.smoothing),
            "training_top1": 100 * right,
        }

    def start_epoch(self, epoch: int) -> None:
        """Nothing changes with the epoch."""

    def after_step(self, progress: Progress) -> None:
        """Nothing is due."""
