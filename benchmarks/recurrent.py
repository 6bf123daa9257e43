"""A training step and an embedding pass of recipe `laptop-nw-ucla`: by our recurrent layers, by torch's, and by ours
with products in bfloat16 (`--precision bf16-mixed`). Gradients and features are compared first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.arithmetic import clock, setting
from benchmarks.pairing import in_turn, ratio, spread
from kinestream.distributed.memory import keep_memory
from kinestream.models import bigru
from kinestream.recipes import resolve
from kinestream.skeleton.layout import KINECT20
from kinestream.skeleton.streams import make_streams

RECIPE = "laptop-nw-ucla"
ROUNDS = 5


@contextmanager
def way_of(name: str) -> Iterator[None]:
    """`torch`, `ours` or `bfloat16`."""
    with torch.autocast("cpu", torch.bfloat16, enabled=name == "bfloat16"):
        if name != "torch":
            yield
            return
        with patch.object(bigru, "_by_own_layers", lambda x: False):
            yield


def measure() -> dict[str, Any]:
    """From clips to moved weights, and from clips to features; one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {"kept_memory": keep_memory(), "machine": setting(), "rounds": ROUNDS, **_measure()}
    finally:
        torch.set_num_threads(threads)


def _measure() -> dict[str, Any]:
    recipe = resolve(RECIPE)
    torch.manual_seed(0)
    method = recipe.method.build(recipe.networks(KINECT20)).train()
    optimiser = recipe.optimiser.build(method)
    joints = len(KINECT20.joints)
    clips = (0.02 * torch.randn(recipe.batch_size, 3, recipe.frames, joints, 1)).cumsum(dim=2)
    generator = torch.Generator().manual_seed(0)
    draws = recipe.views(KINECT20)
    fixed = [make_streams(draw(clips, generator), recipe.streams, KINECT20) for draw in draws]

    def learn(way: str) -> None:
        views = [make_streams(draw(clips, generator), recipe.streams, KINECT20) for draw in draws]
        with way_of(way):
            loss = method(views)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    @torch.no_grad()
    def embed(way: str) -> dict[str, torch.Tensor]:
        method.eval()
        x = make_streams(clips, recipe.streams, KINECT20)
        with way_of(way):
            made = {name: encoder(x[name]) for name, encoder in method.encoders().items()}
        method.train()
        return made

    def gradients(way: str) -> torch.Tensor:
        method.zero_grad()
        with way_of(way):
            loss = method(fixed)["loss"]
        loss.backward()
        parameters = [parameter for encoder in method.encoders().values() for parameter in encoder.parameters()]
        return torch.cat([parameter.grad.flatten() for parameter in parameters if parameter.grad is not None])

    gradients("ours")  # running statistics, which every further pass would move
    ways = ("torch", "ours", "bfloat16")
    features = {way: torch.cat(list(embed(way).values())) for way in ways}
    learnt = {way: gradients(way) for way in ways}
    found: dict[str, Any] = {
        "differs_from_torch": {
            way: {
                name: float((made[way] - made["torch"]).norm() / made["torch"].norm())
                for name, made in (("gradients", learnt), ("features", features))
            }
            for way in ("ours", "bfloat16")
        }
    }
    works: dict[str, Callable[[str], object]] = {"training": learn, "embedding": embed}
    for name, work in works.items():
        seconds = in_turn({way: partial(work, way) for way in ways}, ROUNDS, clock=clock())
        found[name] = {
            "seconds": {way: spread(own) for way, own in seconds.items()},
            "torch by": {way: ratio(seconds["torch"], seconds[way]) for way in ("ours", "bfloat16")},
        }
    return found
