"""Batches for self-supervised training: augmented views of clips, as streams."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from kinestream.augment.mixing import Mixture, with_mixtures
from kinestream.augment.transforms import Augmentation
from kinestream.data.partners import Partners
from kinestream.data.unlabelled import Unlabelled
from kinestream.distributed.sending import sent
from kinestream.methods.method import Views
from kinestream.skeleton.streams import make_streams
from kinestream.train.seeds import derive_seed

Batch = TypeVar("Batch", covariant=True)


@runtime_checkable
class Loader(Protocol[Batch]):
    """What the training loop asks of a source of batches."""

    steps: int
    """Batches an epoch."""

    def epoch(self, epoch: int, first: int) -> Iterator[Batch]:
        """The batches of an epoch from step `first` on; the same whenever they are asked for."""
        ...


def to_batch(clips: Float[Tensor, "n t m v c"]) -> Float[Tensor, "n c t v m"]:
    """From the order on disk to the order of a batch."""
    return rearrange(clips, "n t m v c -> n c t v m").contiguous()


class ViewLoader:
    """Augmented views of every training clip, one for each of `augmentations`, and the `mixtures` of them, in a new
    order each epoch; the last, smaller batch is dropped.

    With `partners` the views of a clip but the first are of what stands in for it.

    Order, partners and augmentation depend on (seed, epoch, step) alone. Of several processes each makes its share of a
    batch: the parameters of the augmentation are drawn for all clips and applied to its own.
    """

    # NOTE(deviation 1): the published loader's workers replay the same augmentation numbers in every epoch.

    def __init__(
        self,
        clips: Unlabelled,
        *,
        streams: Sequence[str],
        augmentations: Sequence[Augmentation],
        batch_size: int,
        seed: int,
        device: torch.device,
        mixtures: Sequence[Mixture] = (),
        partners: Partners | None = None,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._clips = clips
        self._streams = tuple(streams)
        self._augmentations = tuple(augmentations)
        self._mixtures = tuple(mixtures)
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self._partners = partners
        self._own = slice(rank * batch_size // processes, (rank + 1) * batch_size // processes)
        self._order: tuple[int, Int64[Tensor, " n"]] | None = None
        self.steps = len(clips) // batch_size
        if not self.steps:
            raise ValueError(
                f"{len(clips)} training clips are less than one batch of {batch_size}: "
                f"set batch_size to at most that, --set batch_size={len(clips)}"
            )

    def chosen(self, epoch: int, step: int) -> Int64[Tensor, " B"]:
        """Which of the clips, by number, a batch is made of, in all processes."""
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, torch.randperm(len(self._clips), generator=self._generator("order", epoch)))
        return self._order[1][step * self._batch_size : (step + 1) * self._batch_size]

    def epoch(self, epoch: int, first: int) -> Iterator[Views]:
        for step in range(first, self.steps):
            views = self._views(epoch, step, self._own)
            if self._mixtures:
                opposite = None
                if (rows := self._opposite()) != self._own:
                    drawn = self._views(epoch, step, rows)
                    opposite = [{stream: x.flip(0) for stream, x in view.items()} for view in drawn]
                generator = self._generator("mixtures", epoch, step)
                views = with_mixtures(
                    views,
                    self._mixtures,
                    generator,
                    opposite=opposite,
                    total=self._batch_size,
                    first=self._own.start,
                )
            yield views

    def _views(self, epoch: int, step: int, rows: slice) -> list[Mapping[str, Tensor]]:
        """Those of some rows of the batch."""
        chosen = self.chosen(epoch, step)
        clips = further = self._read(chosen[rows])
        if self._partners is not None:
            generator = self._generator("camera", epoch, step)
            draws = torch.rand(2, len(chosen), dtype=torch.float64, generator=generator)
            stand_ins = torch.from_numpy(self._partners.stand_ins(chosen.numpy(), draws.numpy()))
            further = self._read(stand_ins[rows])
        generator = self._generator("augmentation", epoch, step)
        drawn = (
            augmentation(further if number else clips, generator, total=self._batch_size, first=rows.start)
            for number, augmentation in enumerate(self._augmentations)
        )
        return [make_streams(view, self._streams, self._clips.layout, self._clips.rate) for view in drawn]

    def _opposite(self) -> slice:
        """The rows that mixtures take besides, in which clip B - 1 - i of the batch stands for each own clip i."""
        return slice(self._batch_size - self._own.stop, self._batch_size - self._own.start)

    def _read(self, chosen: Int64[Tensor, " b"]) -> Float[Tensor, "b c t v m"]:
        return to_batch(sent(torch.from_numpy(self._clips.batch(chosen.numpy())), self._device))

    def _generator(self, *where: int | str) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self._seed, *where))
