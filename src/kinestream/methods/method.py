"""What a self-supervised method is to the training loop."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool
from torch import Tensor, nn

from kinestream.models.encoder import Encoder

Views = Sequence[Mapping[str, Tensor]]
"""For each augmented view its streams by name, each `(B, c, t, v, m)`."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a training is, after a step."""

    step: int
    """Steps done, over all epochs."""
    steps: int
    """Steps of the whole training."""
    epoch: int
    """The epoch the step belongs to, from 0."""

    @property
    def share(self) -> float:
        return self.step / self.steps


@runtime_checkable
class Method(Protocol):
    """A module with a loss. `forward` gives named numbers: `loss`, which is minimised, and others to be logged; names
    that begin with `spread/` tell how far the features are from collapse (see `kinestream.methods.spread`). How many
    views it takes, and under which augmentation each, the recipe knows (`kinestream.train.builders.build_views`)."""

    @property
    def positives(self) -> Bool[Tensor, "b B"] | None:
        """Which clips of the batch the last step took for positives of each of this process's, to be watched; None
        where it took none."""
        ...

    def start_epoch(self, epoch: int) -> None:
        """What changes with the epoch (from 0): stages. Called at its beginning, and when a run is resumed in it."""
        ...

    def forward(self, views: Views) -> dict[str, Tensor]: ...

    def after_step(self, progress: Progress) -> None:
        """What is due after the optimiser's step: moving averages, queues."""
        ...

    def encoders(self) -> Mapping[str, Encoder]:
        """The encoder of each stream, as it is to be evaluated and deployed."""
        ...

    def parameter_groups(self) -> Iterable[tuple[float, list[nn.Parameter]]]:
        """What the optimiser trains: groups of parameters with the factor on their learning rate."""
        ...
