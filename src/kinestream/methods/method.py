"""What a self-supervised method is: the settings that a recipe holds, what it is built from, and what the training
loop asks of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar, Protocol, runtime_checkable

from jaxtyping import Bool
from torch import Tensor, nn

from kinestream.augment.mixing import Mixture
from kinestream.augment.transforms import Augmentation
from kinestream.models.encoder import Encoder, EncoderSettings
from kinestream.skeleton.layout import SkeletonLayout

MOST_SIZE = 2**20
"""Of a width, a queue, or an epoch at which something changes."""
_WIDTHS = ("hidden", "embedding")

Views = Sequence[Mapping[str, Tensor]]
"""For each augmented view its streams by name, each `(B, c, t, v, m)`; a mixture of two has its `SHARE` besides."""


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
    that begin with `spread/` tell how far the features are from collapse (see `kinestream.methods.spread`)."""

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


class MethodModule(nn.Module):
    """What most methods share of `Method`: no stages, no pseudo-positives, nothing due after a step, one learning
    rate. A subclass gives `forward` and `encoders`."""

    positives: Bool[Tensor, "b B"] | None = None

    def start_epoch(self, epoch: int) -> None:
        """Nothing changes with the epoch."""

    def after_step(self, progress: Progress) -> None:
        """Nothing is due."""

    def parameter_groups(self) -> Iterable[tuple[float, list[nn.Parameter]]]:
        return [(1.0, [parameter for parameter in self.parameters() if parameter.requires_grad])]


@dataclass(frozen=True, kw_only=True)
class Networks:
    """What a method builds its networks from. Weights come from torch's global generator, in the order of the calls."""

    streams: tuple[str, ...]
    layout: SkeletonLayout
    settings: EncoderSettings
    start: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    """Weights of an encoder by stream, instead of random ones."""

    @property
    def dim(self) -> int:
        """Length of a feature."""
        return self.settings.dim

    def encoder(self, stream: str) -> Encoder:
        """A new encoder of a stream, initialised as its settings say, or with the weights to start from."""
        encoder = self.settings.build(stream, self.layout)
        self.settings.initialise(encoder)
        if stream in self.start:
            encoder.load_state_dict(self.start[stream])
        return encoder

    def initialise(self, *heads: nn.Module) -> None:
        """Gives heads that stand on the encoder weights of its kind."""
        self.settings.initialise(*heads)


@dataclass(frozen=True, kw_only=True)
class MethodSettings:
    """What a recipe says of its method. A subclass is a frozen dataclass whose fields are the settings, each with a
    docstring; it is registered under its names, see `kinestream.methods`."""

    name: str
    """Which method."""

    remedy: ClassVar[str] = ""
    """What to set against collapsed features, as "method.target=whitened, "; empty where nothing helps."""

    def build(self, networks: Networks) -> nn.Module:
        """The method, a module that is a `Method`."""
        raise NotImplementedError

    def views(self, normal: Augmentation, layout: SkeletonLayout) -> Sequence[Augmentation]:
        """The augmentation of each view that the method takes; `normal` is the recipe's."""
        return (normal, normal)

    def mixtures(self, layout: SkeletonLayout) -> Sequence[Mixture]:
        """Further views after those, each put together of two of them (see `kinestream.augment.mixing`); none unless a
        method says so."""
        return ()

    @property
    def stage_change(self) -> int | None:
        """After how many epochs the objective changes; None where it never does."""
        return None

    def check_streams(self, streams: Sequence[str]) -> None:
        """Raises ValueError where the method cannot learn from these streams."""

    def check_sizes(self) -> None:
        """Raises ValueError for a whole number that would ask for all of a machine's memory, and for a width of
        nothing."""
        for one in fields(self):
            value = getattr(self, one.name)
            least = 1 if one.name in _WIDTHS else 0
            if isinstance(value, int) and not isinstance(value, bool) and not least <= value <= MOST_SIZE:
                raise ValueError(f"method.{one.name} ({value}) must be in {least}..{MOST_SIZE}")
