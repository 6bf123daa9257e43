"""What AimCLR's extreme view adds to the usual transforms: the same split of `sample` and `apply`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import einsum
from torch import Generator

from kinestream.augment.transforms import Clips, Parameters, Transform, axis_rotation, transform_points, uniform
from kinestream.skeleton.layout import SkeletonLayout

BLUR_RADIUS = 7
"""Frames to both sides: 15 taps, as published."""


@dataclass(frozen=True)
class Sometimes:
    """Applies a transform to each clip with probability `share`."""

    transform: Transform
    share: float = 0.5

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        chosen = uniform(0.0, 1.0, (shape[0],), generator) < self.share
        return {"chosen": chosen, **self.transform.sample(shape, generator)}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        changed = self.transform.apply(x, {name: drawn for name, drawn in parameters.items() if name != "chosen"})
        return torch.where(parameters["chosen"][:, None, None, None, None], changed, x)


@dataclass(frozen=True)
class SwapSides:
    """Left and right joints change names while everybody stays where they are: no mirror image."""

    # NOTE(deviation 7): kept for the published AimCLR recipes; `augment.Mirror` mirrors x as well.
    layout: SkeletonLayout

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        return {}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        return x[:, :, :, list(self.layout.mirrored)]


@dataclass(frozen=True)
class Turn:
    """Turns a clip about all three axes, x first: by 0 to `most` degrees about one that is drawn, by 0 to `others`
    about the two others; always clockwise, seen from the tip of the axis."""

    most: float = 30.0
    others: float = 1.0

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        axis = torch.randint(3, (shape[0],), generator=generator, device=generator.device)
        share = uniform(0.0, 1.0, (shape[0], 3), generator)
        drawn = torch.arange(3, device=axis.device) == axis[:, None]
        largest = torch.where(drawn, self.most, self.others)
        return {"angles": -share * largest * (math.pi / 180)}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        about_x, about_y, about_z = (axis_rotation(parameters["angles"][:, axis], axis) for axis in range(3))
        return transform_points(x, about_z @ about_y @ about_x)


@dataclass(frozen=True)
class TimeFlip:
    """The last frame first."""

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        return {}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        return x.flip(2)


@dataclass(frozen=True)
class Blur:
    """Weighs each frame with its neighbours by `exp(-(t - s)^2 / (2 sigma^2))` over 15 frames, sigma uniform between
    `smallest` and `largest` frames; frames beyond the ends count as zero.

    With `normalised` the weights of the frames that are there sum to one. As published they do not: a wide blur then
    also enlarges the clip, up to five times.
    """

    smallest: float = 0.1
    largest: float = 2.0
    normalised: bool = True

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        return {"sigma": uniform(self.smallest, self.largest, (shape[0],), generator)}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        frame = torch.arange(x.shape[2], device=x.device)
        apart = frame[:, None] - frame
        weights = torch.exp(-(apart**2) / (2 * parameters["sigma"].to(x.dtype)[:, None, None] ** 2))
        weights = weights * (apart.abs() <= BLUR_RADIUS)
        if self.normalised:
            weights = weights / weights.sum(dim=2, keepdim=True)
        return einsum(weights, x, "n t s, n c s v m -> n c t v m")


@dataclass(frozen=True)
class AxisMask:
    """Zeroes one of the three coordinates, drawn for each clip."""

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        axis = torch.randint(3, (shape[0],), generator=generator, device=generator.device)
        return {"kept": torch.arange(3, device=axis.device) != axis[:, None]}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        return x * parameters["kept"].to(x.dtype)[:, :, None, None, None]
