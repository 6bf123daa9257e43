"""Which transforms a view goes through and how views are mixed, as recipes say. Knows no torch until they are built."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kinestream.skeleton import STREAMS
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.skeleton.parts import body_parts

if TYPE_CHECKING:
    from kinestream.augment.mixing import Mixing
    from kinestream.augment.transforms import Augmentation, Transform


_LARGEST = 1000


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """Transforms of a view, in this order; null or 0 leaves one out."""

    temporal_crop: int | None = 6
    """Mirror-pad by a share of 1 / this at both ends, then cut."""
    resized_crop: tuple[float, float] | None = None
    """Cut a stretch between these shares of the clip and resize it."""
    mirror: float = 0.0
    """Probability of the mirror image."""
    rotation: tuple[float, float, float] | None = None
    """Largest angle about x, y (vertical) and z, in degrees."""
    shear: float = 0.5
    """Amplitude of the shear."""
    joint_mask: float = 0.0
    """Probability that a joint is hidden."""
    joint_mask_at: Literal["origin", "parent"] = "origin"
    """Where a hidden joint is put: at the origin, or on the nearest joint that is seen towards the root."""
    limb_mask: float = 0.0
    """Probability that everything from a knee, hip or elbow on is hidden, of one side or of both: put on the nearest
    joint that is seen."""
    noise: float = 0.0
    """Gaussian noise in metres."""

    def __post_init__(self) -> None:
        _check_shares(self, "mirror", "joint_mask", "limb_mask")
        _check_sizes(self, "shear", "noise")
        _check_crops(self)

    def build(self, layout: SkeletonLayout) -> "Augmentation":
        """The transforms that are not left out."""
        from kinestream.augment import transforms as t

        fold = layout if self.joint_mask_at == "parent" else None
        return _augmentation(
            self.temporal_crop and t.TemporalCrop(self.temporal_crop),
            self.resized_crop and t.ResizedCrop(*self.resized_crop),
            self.mirror and t.Mirror(layout, self.mirror),
            self.rotation and t.Rotation(self.rotation),
            self.shear and t.Shear(self.shear),
            self.joint_mask and t.JointMask(self.joint_mask, fold),
            self.limb_mask and t.LimbMask(layout, self.limb_mask),
            self.noise and t.Noise(self.noise),
        )


@dataclass(frozen=True, kw_only=True)
class ExtremeSettings:
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

    def __post_init__(self) -> None:
        _check_shares(self, "swap_sides", "mirror", "time_flip", "axis_mask")
        _check_sizes(self, "shear", "noise")
        _check_crops(self)

    def build(self, layout: SkeletonLayout) -> "Augmentation":
        """The transforms that are not left out."""
        from kinestream.augment import extreme as e
        from kinestream.augment import transforms as t

        return _augmentation(
            self.temporal_crop and t.TemporalCrop(self.temporal_crop),
            self.resized_crop and t.ResizedCrop(*self.resized_crop),
            self.shear and t.Shear(self.shear),
            self.swap_sides and e.Sometimes(e.SwapSides(layout), self.swap_sides),
            self.mirror and t.Mirror(layout, self.mirror),
            self.turn and e.Turn(*self.turn),
            self.time_flip and e.Sometimes(e.TimeFlip(), self.time_flip),
            self.noise and e.Sometimes(t.Noise(self.noise)),
            self.blur and e.Sometimes(e.Blur(*self.blur, self.blur_normalised)),
            self.axis_mask and e.Sometimes(e.AxisMask(), self.axis_mask),
        )


@dataclass(frozen=True, kw_only=True)
class MixingSettings:
    """How two clips are put together to one that lies between them (TranCLR)."""

    local: float = 0.5
    """Probability that parts of the body are exchanged within a stretch of time; else all of the clips is averaged."""
    window: tuple[float, float] = (0.32, 0.48)
    """Shortest and longest such stretch, as shares of the clip."""

    def __post_init__(self) -> None:
        shortest, longest = self.window
        if not 0 <= self.local <= 1:
            raise ValueError(f"mixing.local ({self.local}) is a probability: it must be in [0, 1]")
        if not 0 < shortest <= longest <= 1:
            raise ValueError(f"mixing.window {list(self.window)} must be two shares of a clip, the smaller one first")

    def check_streams(self, streams: Sequence[str]) -> None:
        """Raises ValueError for a stream that has no parts of the body to exchange."""
        of_pairs = [stream for stream in streams if STREAMS.get(stream).of_pairs]
        if self.local and of_pairs:
            raise ValueError(
                f"mixing.local ({self.local}) exchanges the joints of body parts, and stream {of_pairs[0]} is of pairs "
                "of joints: set method.mixing.local=0, or leave the stream out"
            )

    def build(self, layout: SkeletonLayout) -> "Mixing":
        from kinestream.augment.mixing import Mixing

        return Mixing(tuple(body_parts(layout).values()), self.local, self.window)


def _check_shares(settings: AugmentSettings | ExtremeSettings, *names: str) -> None:
    """Raises ValueError for what is no probability."""
    for name in names:
        if not 0 <= getattr(settings, name) <= 1:
            raise ValueError(f"{name} ({getattr(settings, name)}) is a probability: it must be in [0, 1]")


def _check_sizes(settings: AugmentSettings | ExtremeSettings, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(settings, name) <= _LARGEST:
            raise ValueError(f"{name} ({getattr(settings, name)}) must be in 0..{_LARGEST}")


def _check_crops(settings: AugmentSettings | ExtremeSettings) -> None:
    crop, resized = settings.temporal_crop, settings.resized_crop
    if crop is not None and not 0 <= crop <= _LARGEST:
        raise ValueError(f"temporal_crop ({crop}) must be in 1..{_LARGEST}, or null")
    if resized is not None and not 0 < resized[0] <= resized[1] <= 1:
        raise ValueError(f"resized_crop {list(resized)} must be two shares, above 0 and at most 1, the smaller first")


def _augmentation(*transforms: "Transform | float | None") -> "Augmentation":
    """Of those that are not left out (None or 0)."""
    from kinestream.augment.transforms import Augmentation

    return Augmentation(tuple(one for one in transforms if one and not isinstance(one, int | float)))
