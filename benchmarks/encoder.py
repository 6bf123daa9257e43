"""ST-GCN: ours against the literal transcription, same weights, outputs compared first."""

from typing import Any

import torch
from tests.reference.literal_stgcn import LiteralSTGCN, copy_weights
from torch import nn

from benchmarks.arithmetic import clock, forward_operations, matrix_product_rate, setting, shares_by_kind
from benchmarks.pairing import in_turn, ratio, spread
from kinestream.models.kernels.graph import adjacency
from kinestream.models.stgcn import STGCN
from kinestream.skeleton.layout import KINECT20, NTU25, SkeletonLayout

ROUNDS = 3
FRAMES = 50


def measure() -> dict[str, Any]:
    """Inference, and forward with backward without dropout, for the shapes of NTU and NW-UCLA."""
    return {
        "machine": setting(),
        "frames": FRAMES,
        "ntu, 2 bodies, d 512, batch 16": _measure(NTU25, bodies=2, dim=512, batch=16),
        "ntu, 4 of 5 second bodies absent, d 512, batch 20": _measure(NTU25, bodies=2, dim=512, batch=20, absent=True),
        "nw-ucla, 1 body, d 512, batch 64": _measure(KINECT20, bodies=1, dim=512, batch=64),
        "nw-ucla, 1 body, d 128, batch 64": _measure(KINECT20, bodies=1, dim=128, batch=64),
    }


def _measure(layout: SkeletonLayout, *, bodies: int, dim: int, batch: int, absent: bool = False) -> dict[str, Any]:
    torch.manual_seed(0)
    a = torch.from_numpy(adjacency(layout)).float()
    literal, ours = LiteralSTGCN(a, dim=dim, dropout=0.0), STGCN(a, dim=dim, dropout=0.0)
    copy_weights(literal, ours)
    x = torch.randn(batch, 3, FRAMES, len(layout.joints), bodies)
    if absent:
        x[[clip for clip in range(batch) if clip % 5], ..., 1] = 0
    torch.testing.assert_close(ours.train()(x), literal.train()(x), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.eval()(x), literal.eval()(x), rtol=1e-4, atol=1e-4)

    def inference(network: nn.Module) -> None:
        with torch.no_grad():
            network(x)

    def training(network: nn.Module) -> None:
        network.zero_grad()
        network(x).square().sum().backward()

    operations = batch * forward_operations(layout, frames=FRAMES, bodies=bodies, dim=dim)
    found: dict[str, Any] = {"rounds": ROUNDS}
    for name, work, passes in (("inference", inference, 1), ("forward and backward", training, 3)):
        for network in (ours, literal):
            network.train(work is training)
        ways = {"ours": lambda work=work: work(ours), "literal": lambda work=work: work(literal)}
        seconds = in_turn(ways, ROUNDS, warm=True, clock=clock())
        rate = matrix_product_rate()
        found[name] = {
            "seconds": {way: spread(times) for way, times in seconds.items()},
            "ratio": ratio(seconds["literal"], seconds["ours"]),
            "ours_clips_a_second": round(batch / spread(seconds["ours"])["median"], 1),
            "literal_operations_a_second_by_matrix_product_rate": {
                way: round(passes * operations / spread(times)["median"] / rate, 2) for way, times in seconds.items()
            },
            "where_the_time_goes_percent": shares_by_kind(ways["ours"]),
        }
    return found
