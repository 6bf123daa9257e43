"""Small models for tests, with weights that nobody trained."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from kinestream.models.bigru import BiGRUSettings
from kinestream.models.encoder import EncoderSettings
from kinestream.models.encoder_file import EncoderCard
from kinestream.models.readout import Readout
from kinestream.models.stgcn import STGCNSettings
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.use.model import Model


def gru(**changed: Any) -> BiGRUSettings:
    return BiGRUSettings(**{"hidden": 6, **changed})


def st_gcn(**changed: Any) -> STGCNSettings:
    return STGCNSettings(**{"hidden": 4, "dim": 8, "initialisation": "torch", **changed})


def small_model(
    encoder: EncoderSettings,
    *streams: str,
    layout: str | SkeletonLayout = "kinect20",
    preparation: str = "tracked",
    frames: int = 12,
    readout: Readout | None = None,
) -> Model:
    """Batch normalisation has statistics and weights of its own, so that it does something."""
    cards = {
        stream: EncoderCard(
            stream=stream,
            layout=load_layout(layout),
            encoder=encoder,
            frames=frames,
            preparation=preparation,
            recipe="small",
            epochs_done=1,
            epochs=1,
            readout=readout or Readout(),
        )
        for stream in streams
    }
    encoders = {}
    for number, (stream, card) in enumerate(cards.items()):
        torch.manual_seed(number)
        encoders[stream] = card.new_encoder().eval()
        shake_norms(encoders[stream].modules())
    return Model("small", encoders, cards)


def shake_norms(modules: "Sequence[nn.Module] | Any") -> None:
    for module in modules:
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, 0, 0.05)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
