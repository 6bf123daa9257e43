"""ST-GCN: ours against the literal transcription, same weights, outputs compared first."""

from typing import Any

import torch
from tests.reference.literal_stgcn import LiteralSTGCN, copy_weights

from benchmarks.pairing import machine, pair
from kinestream.layout import KINECT20, NTU25, SkeletonLayout
from kinestream.models.graph import adjacency
from kinestream.models.stgcn import STGCN

ROUNDS = 5


def measure() -> dict[str, Any]:
    """Inference, and forward with backward, for the shapes of NTU and NW-UCLA."""
    return {
        "machine": {**machine(), "torch": torch.__version__, "threads": torch.get_num_threads()},
        "ntu, 50 frames, 2 bodies, d 512, batch 16": _measure(NTU25, frames=50, bodies=2, dim=512, batch=16),
        "nw-ucla, 32 frames, 1 body, d 128, batch 64": _measure(KINECT20, frames=32, bodies=1, dim=128, batch=64),
        "nw-ucla, 50 frames, 1 body, d 512, batch 64": _measure(KINECT20, frames=50, bodies=1, dim=512, batch=64),
        "nw-ucla, 50 frames, 1 body, d 128, batch 64": _measure(KINECT20, frames=50, bodies=1, dim=128, batch=64),
    }


def _measure(layout: SkeletonLayout, *, frames: int, bodies: int, dim: int, batch: int) -> dict[str, Any]:
    torch.manual_seed(0)
    a = torch.from_numpy(adjacency(layout)).float()
    literal, ours = LiteralSTGCN(a, dim=dim, dropout=0.0), STGCN(a, dim=dim, dropout=0.0)
    copy_weights(literal, ours)
    x = torch.randn(batch, 3, frames, len(layout.joints), bodies)
    torch.testing.assert_close(ours.train()(x), literal.train()(x), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.eval()(x), literal.eval()(x), rtol=1e-4, atol=1e-4)

    def inference(network: torch.nn.Module) -> None:
        with torch.no_grad():
            network(x)

    def training(network: torch.nn.Module) -> None:
        network.zero_grad()
        network(x).square().sum().backward()

    found = {}
    for name, work in (("inference", inference), ("forward_backward", training)):
        for network in (ours, literal):
            network.train(name == "forward_backward")
        times = pair(lambda work=work: work(ours), lambda work=work: work(literal), ROUNDS)  # type: ignore[misc]
        found[name] = {"ours_clips_a_second": round(batch / times["ours_seconds"]["median"], 1), **times}
    return found
