"""Encoders on the device of `--device`, in single precision, against the processor in double: features, gradients, the
running statistics, and embeddings of the model that comes with the package."""

import copy

import numpy as np
import pytest
import torch

from kinestream.models.bigru import BiGRUSettings
from kinestream.models.encoder import Encoder, EncoderSettings
from kinestream.models.kernels.bodies import Absent
from kinestream.models.stgcn import STGCNSettings
from kinestream.skeleton.layout import KINECT20, load_layout
from kinestream.skeleton.pose import standing
from kinestream.use.model import load

ABSENT: tuple[Absent, ...] = ("published", "once", "skip")
SETTINGS: dict[str, EncoderSettings] = {
    **{f"bigru, {one}": BiGRUSettings(hidden=16, pool=2, absent=one) for one in ABSENT},
    **{
        f"st-gcn, {one}": STGCNSettings(hidden=4, dim=64, dropout=0.0, absent=one, initialisation="torch")
        for one in ABSENT
    },
}


def made(name: str) -> tuple[Encoder, torch.Tensor]:
    """The encoder, and clips of two bodies, some of which are not there."""
    torch.manual_seed(0)
    settings = SETTINGS[name]
    encoder = settings.build("joint", KINECT20)
    settings.initialise(encoder)
    x = torch.randn(6, 3, 16, 20, 2)
    x[::2, ..., 1] = 0
    return encoder, x


@pytest.mark.parametrize("name", SETTINGS)
def test_features_gradients_and_statistics_are_those_of_double_precision(name: str, device: torch.device) -> None:
    encoder, x = made(name)
    reference = copy.deepcopy(encoder).double()
    encoder.to(device)
    found, expected = encoder(x.to(device)), reference(x.double())
    torch.testing.assert_close(found.cpu().double(), expected, rtol=1e-3, atol=1e-4)
    direction = torch.randn_like(expected)
    found.backward(direction.to(device, torch.float32))
    expected.backward(direction)
    pairs = list(zip(encoder.parameters(), reference.parameters(), strict=True))
    assert all((one.grad is None) == (other.grad is None) for one, other in pairs)
    mine, theirs = (
        torch.cat([one.grad.cpu().double().flatten() for one in side if one.grad is not None])
        for side in zip(*pairs, strict=True)
    )
    # A unit near 0 may turn over, and with it what lies behind.
    assert float((mine - theirs).norm() / theirs.norm()) < 0.03
    for (where, one), (_, other) in zip(encoder.named_buffers(), reference.named_buffers(), strict=True):
        torch.testing.assert_close(one.cpu().double(), other.double(), rtol=1e-4, atol=1e-5, msg=where)


@pytest.mark.parametrize("name", SETTINGS)
def test_evaluation_mode_gives_the_features_of_double_precision(name: str, device: torch.device) -> None:
    encoder, x = made(name)
    reference = copy.deepcopy(encoder).double().eval()
    with torch.no_grad():
        found = encoder.to(device).eval()(x.to(device))
        torch.testing.assert_close(found.cpu().double(), reference(x.double()), rtol=1e-3, atol=1e-4)


def test_embeddings_of_the_shipped_encoder_are_those_of_double_precision(device: torch.device) -> None:
    layout = load_layout("body16")
    rng = np.random.default_rng(0)
    moves = [standing(layout) + rng.normal(0, 0.02, (40, 16, 3)).cumsum(axis=0) for _ in range(3)]
    model = load("anybody", device="cuda" if device.type == "cuda" else "cpu")
    found = model.embed(moves, layout=layout)
    for encoder in model.encoders.values():
        encoder.cpu().double()
    expected = model.embed(moves, layout=layout, device="cpu")
    np.testing.assert_allclose(found, expected, atol=1e-4)
