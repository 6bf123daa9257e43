"""A training step of recipe `laptop-nw-ucla` on streams of coordinates: as it is, and with ST-GCNs."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchmarks.arithmetic import clock, setting
from benchmarks.pairing import in_turn, ratio, spread
from kinestream.layout import KINECT20
from kinestream.recipes import resolve
from kinestream.recipes.builders import build_method, build_optimiser
from kinestream.streams import make_streams

RECIPE = "laptop-nw-ucla"
ST_GCN = (
    "encoder.name=st-gcn",
    "encoder.hidden=16",
    "encoder.dim=128",
    "encoder.dropout=0",
    "encoder.absent=skip",
    "encoder.initialisation=torch",
    "encoder.pool=2",
)
STREAMS = {"[joint]": "streams=[joint]", "of coordinates": "streams=[joint,motion,bone,bone-motion]"}
"""Those of coordinates an ST-GCN can take."""
ROUNDS = 5


def measure() -> dict[str, Any]:
    """From the views of a batch to the moved weights; the joint stream alone, and all streams of coordinates."""
    ways: dict[str, Callable[[], object]] = {}
    for name, chosen in STREAMS.items():
        ways[f"bigru, {name}"] = _step([chosen])
        ways[f"st-gcn, {name}"] = _step([chosen, *ST_GCN])
    seconds = in_turn(ways, ROUNDS, clock=clock())
    return {
        "machine": setting(),
        "rounds": ROUNDS,
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "st-gcn by bigru": {name: ratio(seconds[f"st-gcn, {name}"], seconds[f"bigru, {name}"]) for name in STREAMS},
    }


def _step(overrides: Sequence[str]) -> Callable[[], object]:
    recipe = resolve(RECIPE, overrides)
    torch.manual_seed(0)
    method = build_method(recipe, KINECT20)
    optimiser = build_optimiser(recipe.optimiser, method)
    clips = torch.randn(2, recipe.batch_size, 3, recipe.frames, len(KINECT20.joints), 1)
    views = [make_streams(view, recipe.streams, KINECT20) for view in clips]

    def step() -> None:
        optimiser.zero_grad()
        method(views)["loss"].backward()
        optimiser.step()

    return step
