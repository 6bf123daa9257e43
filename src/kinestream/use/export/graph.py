"""What is exported, as one module: joints as recorded in, unit vectors out."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from kinestream.features.extract import read_clips
from kinestream.features.neighbours import side_by_side
from kinestream.features.whitening import Whitening, apply_whitening
from kinestream.models.encoder import Encoder
from kinestream.models.readout import Readout
from kinestream.skeleton.joint_maps import joint_map
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.use.export.placing import Place


@dataclass(frozen=True, kw_only=True)
class LinearHead:
    """A classifier on embeddings: probabilities are `softmax((weights z + bias) / temperature)`.

    k classes, d numbers of an embedding.
    """

    weights: Any
    """`(k, d)`, an array or a tensor."""
    bias: Any
    """`(k,)`."""
    temperature: float = 1.0
    """Of the calibration."""
    classes: tuple[str, ...] = ()
    """Their names, in the order of the rows; they go into the file."""

    def check(self, dim: int) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
        """Weights and bias for embeddings of length `dim`. Raises ValueError where they do not fit."""
        try:
            weights, bias = (torch.as_tensor(value).detach().double().cpu() for value in (self.weights, self.bias))
        except (TypeError, ValueError, RuntimeError):
            raise ValueError("weights and bias of a classifier must be arrays of numbers") from None
        if weights.ndim != 2 or weights.shape[1] != dim or bias.shape != weights.shape[:1] or not len(bias):
            raise ValueError(
                f"a classifier with weights {tuple(weights.shape)} and bias {tuple(bias.shape)}: on embeddings of "
                f"{dim} numbers it needs (k, {dim}) and (k,)"
            )
        if not (weights.isfinite().all() and bias.isfinite().all()):
            raise ValueError("some weights of the classifier are not finite")
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"the temperature of the classifier ({self.temperature}) must be above 0")
        if self.classes and len(self.classes) != len(bias):
            raise ValueError(f"{len(self.classes)} names for the {len(bias)} classes of the classifier")
        return weights / self.temperature, bias / self.temperature


class Graph(nn.Module):
    """`(n, t, m, v, 3)` joints of a layout to embeddings `(n, d)`, and to probabilities `(n, k)` with a head.

    Rows of clips that nobody is in are NaN.

    Args:
        encoders: by stream; copies are taken, in evaluation mode and single precision.
        target: the layout of the encoders.
        source: that of the joints.
        rate: frames a second of a clip, where all have one.
        place: the preparation.
        whitening: by stream; empty for none.
        partly: joints of a part of a body are taken.
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        *,
        source: SkeletonLayout,
        target: SkeletonLayout,
        frames: int,
        rate: float | None,
        people: int,
        place: Place,
        readout: Readout,
        whitening: Mapping[str, Whitening],
        head: LinearHead | None,
        partly: bool = False,
    ) -> None:
        super().__init__()
        self.streams = tuple(encoders)
        self.encoders = nn.ModuleList(copy.deepcopy(encoder).cpu().float().eval() for encoder in encoders.values())
        self.requires_grad_(False)
        self.source, self.target = source, target
        self.frames, self.people = frames, people
        self.rate = rate
        self.place = place
        self.readout = readout
        self.whitened = bool(whitening)
        for number, stream in enumerate(self.streams if whitening else ()):
            self.register_buffer(f"mean{number}", whitening[stream].mean.float())
            self.register_buffer(f"matrix{number}", whitening[stream].directions.float())
        self.joints = None if source == target else joint_map(source, target, partly=partly)
        self.dim = sum(
            len(whitening[stream].directions.T) if whitening else encoder.dim for stream, encoder in encoders.items()
        )
        self.has_head = head is not None
        if head is not None:
            weights, bias = head.check(self.dim)
            self.register_buffer("weights", weights.float())
            self.register_buffer("bias", bias.float())

    def forward(self, joints: Float[Tensor, "n t m v 3"]) -> Tensor | tuple[Tensor, Tensor]:
        clips, usable = self.place(joints, self.source, self.people, self.frames)
        if self.joints is not None:
            clips = torch.stack([clips[:, :, :, list(part)].mean(dim=3) for part in self.joints.parts], dim=3)
        x = rearrange(clips, "n t m v c -> n c t v m")
        encoders = dict(zip(self.streams, self.encoders, strict=True))
        features = read_clips(x, encoders, self.target, self.readout, self.rate)
        if self.whitened:
            features = {
                stream: apply_whitening(
                    features[stream], getattr(self, f"mean{number}"), getattr(self, f"matrix{number}")
                )
                for number, stream in enumerate(self.streams)
            }
        embedding = side_by_side(features) / len(self.streams) ** 0.5
        embedding = torch.where(usable[:, None], embedding, torch.nan)
        if not self.has_head:
            return embedding
        return embedding, (embedding @ self.get_buffer("weights").T + self.get_buffer("bias")).softmax(dim=1)
