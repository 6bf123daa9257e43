"""Networks filled with the golden values' weights, by the names of the published code."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kinestream.methods.online_target import OnlineTarget
from kinestream.models.heads import mlp_head
from kinestream.models.kernels.graph import adjacency
from kinestream.models.published_names import encoder_name, head_name, translate
from kinestream.models.stgcn import STGCN
from kinestream.skeleton.layout import NTU25

PARTS: Mapping[str, tuple[str, Callable[[str], str | None]]] = {
    "encoder": ("online_backbone", encoder_name),
    "projector": ("online_projector", head_name),
    "predictor": ("online_predictor", head_name),
    "target_encoder": ("target_backbone", encoder_name),
    "target_projector": ("target_projector", head_name),
}
"""Parts of our pair: the published name and how the names below it translate."""


def load(path: Path, device: torch.device) -> dict[str, Tensor]:
    """All arrays of a golden file."""
    values = np.load(path)
    return {name: torch.from_numpy(values[name]).to(device) for name in values.files}


def small_encoder() -> STGCN:
    """The golden files' size: h = 4, d = 24, no dropout."""
    return STGCN(torch.from_numpy(adjacency(NTU25)), hidden=4, dim=24, dropout=0.0)


def fill(module: nn.Module, values: Mapping[str, Tensor], prefix: str, rename: Callable[[str], str | None]) -> None:
    """Loads the published state below `prefix`, all of it; the module goes to where its values are."""
    state, unknown = translate(values, prefix, rename)
    assert not unknown
    module.to(next(iter(state.values())).device).load_state_dict(state)


def pair_at(values: Mapping[str, Tensor], moment: str, stream: str | None = None) -> OnlineTarget:
    """The pair of one stream at a moment: `init`, `mid` or `final`."""
    pair = OnlineTarget(small_encoder(), mlp_head(24, 32, 24), mlp_head(24, 32, 24))
    for part, (published, rename) in PARTS.items():
        suffix = "" if stream is None else f"_{stream}"
        fill(pair.get_submodule(part), values, f"{moment}.{published}{suffix}.", rename)
    return pair
