"""What a recipe says of its method: a dataclass for each kind, told apart by `name`."""

import typing
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class SelfDistillationRecipe:
    """SkeletonBYOL, CACA, 3s-CACA: a network that learns from a moving average of itself."""

    name: Literal["caca", "skeleton-byol"] = "caca"
    """Which objective."""
    decay: float = 0.996
    """Of the target's moving average."""
    final_decay: float | None = None
    """The decay at the end, reached along a cosine; the same as `decay` when null."""
    push: float = 0.5
    """CACA: weight of the push from the target."""
    cross_epoch: int | None = None
    """Epochs of stage 1, after which the streams learn from each other (CSCL); null for stage 1 throughout."""
    cross_k: int = 2
    """Stage 2: largest similarities of each row that a stream marks as positive."""
    cross_weight: float = 10.0
    """Stage 2: lambda, the weight of the agreement."""
    cross_moving_target: bool = False
    """Stage 2: go on with the moving average; as published, the target is frozen."""
    target: Literal["plain", "whitened"] = "plain"
    """Targets as published, or whitened over the batch: for few clips."""
    shrinkage: float = 0.1
    """Of the covariance that whitens."""
    hidden: int = 2048
    """Hidden units of projector and predictor."""
    embedding: int = 512
    """Output units of projector and predictor."""
    predictor_rate: float = 1.0
    """Factor on the learning rate of the predictor."""


@dataclass(frozen=True, kw_only=True)
class MomentumContrastRecipe:
    """SkeletonCLR, and CrosSCLR once the streams mine each other's neighbours."""

    name: Literal["skeletonclr", "crosclr"] = "skeletonclr"
    """Which objective."""
    decay: float = 0.999
    """Of the key network's moving average."""
    temperature: float = 0.07
    """Divides the similarities."""
    queue: int = 32768
    """Keys of earlier steps that a query is told apart from."""
    cross_epoch: int | None = None
    """CrosSCLR: epochs of stage 1, after which each stream learns from the neighbours of the others."""
    cross_k: int = 1
    """CrosSCLR, stage 2: nearest keys in the queue that a stream gives the others as positives."""
    hidden: int = 256
    """Hidden units of the projector."""
    embedding: int = 128
    """Output units of the projector."""

    def __post_init__(self) -> None:
        if self.name == "skeletonclr" and self.cross_epoch is not None:
            raise ValueError(f"cross_epoch ({self.cross_epoch}) belongs to crosclr: skeletonclr has one stage")


@dataclass(frozen=True, kw_only=True)
class ExtremeRecipe:
    """Transforms of AimCLR's extreme view, in this order; null or 0 leaves one out."""

    temporal_crop: int | None = 6
    """As of the normal views."""
    resized_crop: tuple[float, float] | None = None
    """As of the normal views."""
    shear: float = 0.5
    """As of the normal views."""
    swap_sides: float = 0.5
    """Probability that left and right joints change names without a mirror, as published."""
    mirror: float = 0.0
    """Probability of the mirror image."""
    turn: tuple[float, float] | None = (30.0, 1.0)
    """Largest angle about one drawn axis and about the two others, in degrees."""
    time_flip: float = 0.0
    """Probability that time runs backwards (AimCLR++)."""
    noise: float = 0.01
    """Gaussian noise in metres, on half of the clips."""
    blur: tuple[float, float] | None = (0.1, 2.0)
    """Smallest and largest deviation, in frames, of a blur over time, on half of the clips."""
    blur_normalised: bool = False
    """Taps that sum to one; as published, they do not."""
    axis_mask: float = 0.5
    """Probability that one coordinate axis is zeroed."""


@dataclass(frozen=True, kw_only=True)
class AimCLRRecipe:
    """AimCLR: SkeletonCLR with an extreme view that is led by the distribution of the normal one."""

    name: Literal["aimclr"] = "aimclr"
    """Which objective."""
    decay: float = 0.999
    """Of the key network's moving average."""
    temperature: float = 0.07
    """Divides the similarities."""
    queue: int = 32768
    """Keys of earlier steps that a query is told apart from."""
    mining_epoch: int | None = None
    """Epochs after which nearest neighbours count as positives too; null for never."""
    mining_k: int = 1
    """Nearest keys of each of the three queries that count."""
    drop_threshold: float = 0.7
    """Attention from which on the attention drop zeroes."""
    hidden: int = 256
    """Hidden units of the projector."""
    embedding: int = 128
    """Output units of the projector."""
    extreme: ExtremeRecipe = field(default_factory=ExtremeRecipe)


@dataclass(frozen=True, kw_only=True)
class NTXentRecipe:
    """In-batch contrast (SimCLR): no second network, no queue."""

    name: Literal["nt-xent"] = "nt-xent"
    """Which objective."""
    temperature: float = 0.1
    """Divides the similarities."""
    hidden: int = 512
    """Hidden units of the projector."""
    embedding: int = 128
    """Output units of the projector."""


@dataclass(frozen=True, kw_only=True)
class VICRegRecipe:
    """Views agree while the embeddings keep their variance and are decorrelated; no negatives."""

    name: Literal["vicreg"] = "vicreg"
    """Which objective."""
    invariance: float = 25.0
    """Weight of the distance between the views."""
    variance: float = 25.0
    """Weight of the hinge on the deviation of each dimension."""
    covariance: float = 1.0
    """Weight of the squared covariances of different dimensions."""
    hidden: int = 2048
    """Hidden units of the projector."""
    embedding: int = 2048
    """Output units of the projector."""


MethodRecipe = SelfDistillationRecipe | MomentumContrastRecipe | AimCLRRecipe | NTXentRecipe | VICRegRecipe
METHOD_RECIPES: tuple[type[Any], ...] = typing.get_args(MethodRecipe)


def stage_1_epochs(method: MethodRecipe) -> int | None:
    """How many epochs go by before the method changes its objective; None where it never does."""
    if isinstance(method, SelfDistillationRecipe | MomentumContrastRecipe):
        return method.cross_epoch
    return method.mining_epoch if isinstance(method, AimCLRRecipe) else None


def setting_between_streams(method: MethodRecipe) -> str | None:
    """The setting that has streams learn from each other and cannot do with one; None where it is off.

    Not that of 3s-CACA: a single stream can vote alone, for the pairs that it marks itself.
    """
    return "cross_epoch" if isinstance(method, MomentumContrastRecipe) and method.cross_epoch is not None else None
