"""Augmentations of joint clips, batched, on any device, from an explicit generator.

Each transform splits the drawing of its parameters (`sample`: one row for each clip) from their use (`apply`), so that
a batch shared over several processes is drawn once, and a drawn augmentation can be stored, shown and repeated.
The transforms of AimCLR's extreme view are in `kinestream.augment.extreme`.
Shapes: n clip, c coordinate, t frame, v joint, m body; coordinates are x, y (up), z in metres.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from einops import einsum
from jaxtyping import Float, Int64
from torch import Generator, Tensor

from kinestream.distributed.sending import sent
from kinestream.skeleton.layout import SkeletonLayout

Clips = Float[Tensor, "n c t v m"]
Parameters = Mapping[str, Tensor]


@runtime_checkable
class Transform(Protocol):
    """A random change of clips. `sample` takes the shape (n, c, t, v, m) of the clips and returns tensors of n rows."""

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters: ...

    def apply(self, x: Clips, parameters: Parameters) -> Clips: ...


def uniform(low: float, high: float, size: Sequence[int], generator: Generator) -> Tensor:
    """Numbers of one range."""
    return low + (high - low) * torch.rand(tuple(size), generator=generator, device=generator.device)


def take_frames(x: Clips, index: Tensor) -> Clips:
    """For each clip its frames `index` (n, t)."""
    clip = torch.arange(len(x), device=x.device)[:, None]
    return x.transpose(1, 2)[clip, index].transpose(1, 2)


def transform_points(x: Clips, matrix: Tensor) -> Clips:
    """`p' = R p` for every point, one R (n, 3, 3) a clip."""
    return einsum(matrix.to(x.dtype), x, "n i c, n c t v m -> n i t v m")


@dataclass(frozen=True)
class TemporalCrop:
    """Mirror-pads `t // padding` frames at both ends (the edge frame repeated), then cuts t frames at a uniform start
    in 0 .. 2 * (t // padding), both ends included (reference, "temporal crop"; 6 as published)."""

    padding: int = 6

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        most = 2 * (shape[2] // self.padding)
        return {"start": torch.randint(most + 1, (shape[0],), generator=generator, device=generator.device)}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        frames = x.shape[2]
        pad = frames // self.padding
        position = torch.arange(frames, device=x.device) + parameters["start"][:, None] - pad
        mirrored = torch.where(position < 0, -1 - position, position)
        return take_frames(x, torch.where(mirrored >= frames, 2 * frames - 1 - mirrored, mirrored))


@dataclass(frozen=True)
class ResizedCrop:
    """Cuts a stretch of `smallest` to `largest` of the clip at a uniform place and resizes it to t frames by linear
    interpolation (half-pixel centres): varied phase and speed."""

    smallest: float = 0.5
    largest: float = 1.0

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        share = uniform(self.smallest, self.largest, (shape[0],), generator)
        return {"share": share, "start": (1 - share) * uniform(0.0, 1.0, (shape[0],), generator)}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        frames = x.shape[2]
        centre = (torch.arange(frames, device=x.device) + 0.5) / frames
        position = (parameters["start"][:, None] + parameters["share"][:, None] * centre) * frames - 0.5
        position = position.clamp(0, frames - 1)
        before = position.floor().long()
        weight = (position - before).to(x.dtype)[:, None, :, None, None]
        after = (before + 1).clamp(max=frames - 1)
        return torch.lerp(take_frames(x, before), take_frames(x, after), weight)


@dataclass(frozen=True)
class Shear:
    """`p' = R p`, R with unit diagonal and the six others uniform in [-amplitude, amplitude], one R a clip
    (reference, "shear"; 0.5 as published)."""

    amplitude: float = 0.5

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        matrix = uniform(-self.amplitude, self.amplitude, (shape[0], 3, 3), generator)
        off_diagonal = 1 - torch.eye(3, device=matrix.device)
        return {"matrix": matrix * off_diagonal + torch.eye(3, device=matrix.device)}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        return transform_points(x, parameters["matrix"])


@dataclass(frozen=True)
class Rotation:
    """Turns a clip about the x, y and z axes, each angle uniform in [-max, max] degrees, x first; y is the vertical."""

    degrees: tuple[float, float, float] = (0.0, 30.0, 0.0)

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        angles = uniform(-1.0, 1.0, (shape[0], 3), generator)
        return {"angles": angles * torch.tensor(self.degrees, device=angles.device) * (math.pi / 180)}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        about_x, about_y, about_z = (axis_rotation(parameters["angles"][:, axis], axis) for axis in range(3))
        return transform_points(x, about_z @ about_y @ about_x)


def axis_rotation(angle: Tensor, axis: int) -> Tensor:
    """Rotation matrices (n, 3, 3) by `angle` (n,) radians about a coordinate axis, right-handed."""
    matrix = torch.eye(3, device=angle.device, dtype=angle.dtype).repeat(angle.shape[0], 1, 1)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, i, i] = matrix[:, j, j] = angle.cos()
    matrix[:, j, i] = angle.sin()
    matrix[:, i, j] = -angle.sin()
    return matrix


@dataclass(frozen=True)
class Mirror:
    """With probability `share`, mirrors x *and* swaps left and right joints: what a mirror shows."""

    # NOTE(deviation 7): the published spatial flip swaps the joints without mirroring x.
    layout: SkeletonLayout
    share: float = 0.5

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        return {"mirrored": uniform(0.0, 1.0, (shape[0],), generator) < self.share}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        flip = torch.ones(x.shape[1], device=x.device, dtype=x.dtype)
        flip[0] = -1
        mirror = x[:, :, :, list(self.layout.mirrored)] * flip[:, None, None, None]
        return torch.where(parameters["mirrored"][:, None, None, None, None], mirror, x)


@dataclass(frozen=True)
class JointMask:
    """Hides each joint of a clip with probability `share`, in all frames and bodies: an occluded joint.

    With a layout in `fold` a hidden joint is put where the nearest seen joint towards the root is, and its bone has
    no length; the root is always seen. Without, it is put at the origin, so that its bone and those that hang on it
    are as long as the body is far from the origin: a hard disturbance of the bone stream.
    """

    share: float = 0.1
    fold: SkeletonLayout | None = None

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        return {"kept": uniform(0.0, 1.0, (shape[0], shape[3]), generator) >= self.share}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        kept = parameters["kept"]
        if self.fold is None:
            return x * kept.to(x.dtype)[:, None, None, :, None]
        parents = torch.tensor(self.fold.parents, device=x.device)
        joints = torch.arange(len(parents), device=x.device)
        seen = kept | (joints == self.fold.root)
        source = joints.expand_as(seen)
        for _ in range(max(self.fold.depths)):  # as far as any is from the root: to ask would make a GPU wait
            source = torch.where(seen.gather(1, source), source, parents[source])
        return x.gather(3, source[:, None, None, :, None].expand_as(x))


@dataclass(frozen=True)
class LimbMask:
    """Hides one limb, or both of a pair, of a clip with probability `share`: everything from a knee, hip or elbow on is
    where the joint before it is, in all frames and bodies, as joints are that a recording lacks. Layouts without these
    joints keep all."""

    layout: SkeletonLayout
    share: float = 0.1

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        hidden = uniform(0.0, 1.0, (shape[0],), generator) < self.share
        limbs = limbs_of(self.layout)
        which = torch.randint(max(1, len(limbs)), (shape[0],), generator=generator, device=generator.device)
        kept = torch.ones(max(1, len(limbs)), shape[3], dtype=torch.bool, device=generator.device)
        for row, limb in zip(kept, limbs, strict=False):
            row[list(limb)] = False
        return {"kept": kept[which] | ~hidden[:, None]}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        return JointMask(fold=self.layout).apply(x, parameters)


def limbs_of(layout: SkeletonLayout) -> tuple[tuple[int, ...], ...]:
    """What may be missing at once: all joints from an elbow, knee or hip on, of one side or of both.

    Example:
        >>> from kinestream.skeleton.layout import load_layout
        >>> layout = load_layout("body16")
        >>> [layout.joints[v] for v in limbs_of(layout)[0]]
        ['left_elbow', 'left_wrist']
    """
    limbs = []
    for start in ("elbow", "knee", "hip"):
        sides = [
            _from(layout, layout.canonical.index(name))
            for name in (f"left_{start}", f"right_{start}")
            if name in layout.canonical
        ]
        if len(sides) == 2:
            limbs += [sides[0], sides[1], sides[0] + sides[1]]
    return tuple(limbs)


def _from(layout: SkeletonLayout, start: int) -> tuple[int, ...]:
    """A joint and all that hang on it, but for the root."""
    found = []
    for v in range(len(layout.joints)):
        above = v
        while above not in (start, layout.root):
            above = layout.parents[above]
        if above == start and v != layout.root:
            found.append(v)
    return tuple(found)


@dataclass(frozen=True)
class Noise:
    """Adds Gaussian noise of `deviation` metres to every coordinate of the bodies that are there. It is made where the
    clip is, from a seed of the clip: being as large, it is neither drawn for the clips of other processes nor sent."""

    deviation: float = 0.01

    def sample(self, shape: Sequence[int], generator: Generator) -> Parameters:
        return {"seed": torch.randint(2**62, (shape[0],), generator=generator, device=generator.device)}

    def apply(self, x: Clips, parameters: Parameters) -> Clips:
        present = (x != 0).any(dim=(1, 3), keepdim=True)
        noise = normal_by_seed(parameters["seed"], math.prod(x.shape[1:])).view(x.shape)
        return x + self.deviation * noise.to(x.dtype) * present


def normal_by_seed(seeds: Int64[Tensor, " n"], count: int) -> Float[Tensor, "n count"]:
    """Numbers of a standard normal distribution, a row for each seed, the same on every device up to rounding:
    SplitMix64 (Steele et al. 2014) of the seed and a counter, then the method of Box and Muller."""
    pairs = torch.arange(1, (count + 1) // 2 + 1, device=seeds.device)
    bits = seeds[:, None] + pairs * _GOLDEN
    for shift, factor in _MIX:
        bits = (bits ^ (bits >> shift & (1 << 64 - shift) - 1)) * factor
    bits ^= bits >> 31 & (1 << 33) - 1
    first, second = ((half.to(torch.float32) + 0.5) / 2**24 for half in (bits >> 40 & 0xFFFFFF, bits & 0xFFFFFF))
    radius, angle = (-2 * first.log()).sqrt(), 2 * math.pi * second
    return torch.cat((radius * angle.cos(), radius * angle.sin()), dim=1)[:, :count]


_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_MIX = ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64))
"""Its constants, as numbers with a sign: products of 64 bits wrap around."""


@dataclass(frozen=True)
class Augmentation:
    """Transforms in a row. Calling it draws one augmented view of a batch.

    Example:
        >>> views = Augmentation((TemporalCrop(), Shear()))
        >>> views(torch.zeros(4, 3, 50, 25, 2), torch.Generator().manual_seed(0)).shape
        torch.Size([4, 3, 50, 25, 2])
    """

    transforms: tuple[Transform, ...]

    def __call__(self, x: Clips, generator: Generator, *, total: int | None = None, first: int = 0) -> Clips:
        """One view of `x`. When `x` is one process's share of a batch of `total` clips, beginning at clip `first`, the
        parameters are drawn for the whole batch, so that every clip gets the same whatever the number of processes."""
        rows = slice(first, first + len(x))
        shape = (len(x) if total is None else total, *x.shape[1:])
        for transform in self.transforms:
            parameters = transform.sample(shape, generator)
            x = transform.apply(x, {name: sent(drawn[rows], x.device) for name, drawn in parameters.items()})
        return x
