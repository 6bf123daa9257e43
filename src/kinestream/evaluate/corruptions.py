"""What may be wrong with recordings, as functions of clips: what is hidden, lost and added is drawn for each clip."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Float32, Int64
from torch import Generator, Tensor

from kinestream.augment.transforms import JointMask, axis_rotation, take_frames, transform_points
from kinestream.data.clips import FixedClips
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.skeleton.parts import TRUNK, body_parts
from kinestream.train.seeds import derive_seed

Clips = Float[Tensor, "n c t v m"]


def missing_joints(x: Clips, share: float, generator: Generator, layout: SkeletonLayout) -> Clips:
    """That share of the joints of each clip, rounded, is not seen in any frame: each stands where the nearest joint
    that is seen towards the root does, as preparations put joints that they cannot fill in. The root is always seen."""
    others = [joint for joint in range(x.shape[3]) if joint != layout.root]
    order = torch.rand(len(x), len(others), generator=generator).argsort(dim=1).argsort(dim=1)
    kept = torch.ones(len(x), x.shape[3], dtype=torch.bool)
    kept[:, others] = order >= round(share * len(others))
    return _hidden(x, kept, layout)


def missing_limbs(x: Clips, count: float, generator: Generator, layout: SkeletonLayout) -> Clips:
    """So many arms and legs of each clip are not seen, as above; all that there are, where they are fewer."""
    limbs = [joints for part, joints in body_parts(layout).items() if part != TRUNK]
    order = torch.rand(len(x), len(limbs), generator=generator).argsort(dim=1).argsort(dim=1)
    kept = torch.ones(len(x), x.shape[3], dtype=torch.bool)
    for number, joints in enumerate(limbs):
        kept[:, list(joints)] = (order[:, number] >= count)[:, None]
    return _hidden(x, kept, layout)


def dropped_frames(x: Clips, share: float, generator: Generator, layout: SkeletonLayout) -> Clips:
    """That share of the frames, rounded, is lost, never the first one: the frame before stays instead."""
    frames = x.shape[2]
    order = torch.rand(len(x), frames - 1, generator=generator).argsort(dim=1).argsort(dim=1)
    seen = torch.cat([torch.ones(len(x), 1, dtype=torch.bool), order >= round(share * (frames - 1))], dim=1)
    last = torch.where(seen, torch.arange(frames), 0).cummax(dim=1).values
    return take_frames(x, last.to(x.device))


def noise(x: Clips, metres: float, generator: Generator, layout: SkeletonLayout) -> Clips:
    """Gaussian noise of this deviation on every coordinate of the bodies that are there."""
    present = (x != 0).any(dim=(1, 3), keepdim=True)
    return x + metres * torch.randn(x.shape, generator=generator).to(x) * present


def rotation(x: Clips, degrees: float, generator: Generator, layout: SkeletonLayout) -> Clips:
    """By this angle about the vertical through the origin, to the left or to the right."""
    sign = torch.where(torch.rand(len(x), generator=generator) < 0.5, -1.0, 1.0)
    return transform_points(x, axis_rotation((sign * math.radians(degrees)).to(x), 1))


def rate(x: Clips, factor: float, generator: Generator, layout: SkeletonLayout) -> Clips:
    """Only every so many frames are recorded, from one that is drawn, and those between interpolated linearly; before
    the first and after the last of them the clip stands still."""
    frames, step = x.shape[2], round(factor)
    first = torch.randint(min(step, frames), (len(x), 1), generator=generator)
    since = torch.arange(frames) - first
    before = (torch.div(since, step, rounding_mode="floor") * step + first).clamp(min=0)
    before = torch.maximum(before, first)
    last = first + torch.div(frames - 1 - first, step, rounding_mode="floor") * step
    after = torch.minimum(before + step, last)
    weight = ((torch.arange(frames) - before) / step).clamp(0, 1) * (after > before)
    weight = weight.to(x)[:, None, :, None, None]
    return torch.lerp(take_frames(x, before.to(x.device)), take_frames(x, after.to(x.device)), weight)


def _hidden(x: Clips, kept: Bool[Tensor, "n v"], layout: SkeletonLayout) -> Clips:
    return JointMask(fold=layout).apply(x, {"kept": kept.to(x.device)})


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """One of them, with the strengths that a curve is taken at."""

    apply: Callable[[Clips, float, Generator, SkeletonLayout], Clips]
    levels: tuple[float, ...]
    unit: str
    """Of the levels, for tables."""


CORRUPTIONS: Mapping[str, Corruption] = {
    "joints": Corruption(apply=missing_joints, levels=(0.1, 0.25, 0.5, 0.75), unit="of the joints missing"),
    "limbs": Corruption(apply=missing_limbs, levels=(1.0, 2.0, 3.0, 4.0), unit="limbs missing"),
    "frames": Corruption(apply=dropped_frames, levels=(0.1, 0.25, 0.5, 0.75), unit="of the frames lost"),
    "noise": Corruption(apply=noise, levels=(0.01, 0.02, 0.05, 0.1), unit="m of noise"),
    "rotation": Corruption(apply=rotation, levels=(15.0, 45.0, 90.0, 180.0), unit="degrees of rotation"),
    "rate": Corruption(apply=rate, levels=(2.0, 4.0, 8.0, 16.0), unit="times fewer frames a second"),
}


class CorruptedClips:
    """Some clips, as they are where something is wrong with them: the same whenever they are asked for in the same
    batches."""

    def __init__(
        self, clips: FixedClips, indices: Int64[np.ndarray, " n"], name: str, level: float, *, seed: int = 0
    ) -> None:
        self._clips, self._indices = clips, indices
        self._name, self._level, self._seed = name, level, seed

    @property
    def frames(self) -> int:
        return self._clips.frames

    @property
    def rate(self) -> float | None:
        return self._clips.rate

    @property
    def layout(self) -> SkeletonLayout:
        return self._clips.layout

    def __len__(self) -> int:
        return len(self._indices)

    def batch(self, indices: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n t m v c"]:
        x = rearrange(torch.from_numpy(self._clips.batch(self._indices[indices])), "n t m v c -> n c t v m")
        seed = derive_seed(self._seed, "corruption", self._name, f"{self._level:g}", int(indices[0]))
        generator = torch.Generator().manual_seed(seed)
        y = CORRUPTIONS[self._name].apply(x, self._level, generator, self.layout)
        return np.ascontiguousarray(rearrange(y, "n c t v m -> n t m v c").numpy(), dtype=np.float32)
