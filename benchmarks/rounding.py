"""Training option `--precision spectral-bf16`: what it saves of a pass forward and back at paper size, what it changes
of features and gradients, and the losses of a thin CACA with it and without, three seeds each."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.arithmetic import clock, setting
from benchmarks.pairing import in_turn, ratio, spread
from kinestream.methods.method import Progress
from kinestream.models.kernels.graph import adjacency
from kinestream.models.kernels.rounding import check_rounding, round_spectra
from kinestream.models.stgcn import STGCN
from kinestream.recipes import resolve
from kinestream.skeleton.layout import KINECT20
from kinestream.skeleton.streams import make_streams

ROUNDS, SEEDS = 3, 3
FRAMES, BATCHES = 50, (8, 64)
CLIPS, EPOCHS, TOLD = 180, 20, (1, 5, 10, 15, 20)
THIN = [
    "encoder.hidden=4", "encoder.dim=32", "method.hidden=128", "method.embedding=32", "frames=24", "batch_size=36",
    "encoder.initialisation=torch", "method.target=whitened", "optimiser.rate=0.02",
]  # fmt: skip


def measure() -> dict[str, Any]:
    """One thread. Raises ValueError where the option would be refused."""
    check_rounding(torch.device("cpu"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        passes = {f"nw-ucla, 1 body, d 512, batch {batch}": _passes(batch) for batch in BATCHES}
        return {"machine": setting(), **passes, "losses": _losses()}
    finally:
        torch.set_num_threads(threads)


def _passes(batch: int) -> dict[str, Any]:
    torch.manual_seed(0)
    exact = STGCN(torch.from_numpy(adjacency(KINECT20)).float(), dropout=0.0).train()
    x = torch.randn(batch, 3, FRAMES, len(KINECT20.joints), 1)
    rounded = _Holder(exact)
    round_spectra(rounded)

    def learn(network: nn.Module) -> tuple[Tensor, Tensor]:
        exact.zero_grad()
        features = network(x)
        features.square().sum().backward()
        gradients = [parameter.grad.flatten() for parameter in exact.parameters() if parameter.grad is not None]
        return features.detach(), torch.cat(gradients)

    pairs = zip(("features", "gradients"), learn(rounded), learn(exact), strict=True)
    differs = {what: float((one - other).norm() / other.norm()) for what, one, other in pairs}
    ways: dict[str, Callable[[], object]] = {"exact": lambda: learn(exact), "rounded": lambda: learn(rounded)}
    seconds = in_turn(ways, ROUNDS, warm=True, clock=clock())
    return {
        "rounds": ROUNDS,
        "differs_by": differs,
        "seconds": {way: spread(own) for way, own in seconds.items()},
        "ratio": ratio(seconds["exact"], seconds["rounded"]),
    }


class _Holder(nn.Module):
    """Its own hooks round the spectra of passes through it; the network itself stays exact."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.network(x)
        return features


def _losses() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for way in ("exact", "rounded"):
        runs = [_train(seed, rounded=way == "rounded") for seed in range(SEEDS)]
        found[way] = {f"epoch {epoch}": spread([run[epoch - 1] for run in runs]) for epoch in TOLD}
    return found


def _train(seed: int, *, rounded: bool) -> list[float]:
    """The mean loss of each epoch."""
    recipe = resolve("caca-joint-nw-ucla", THIN)
    torch.manual_seed(seed)
    method = recipe.method.build(recipe.networks(KINECT20)).train()
    if rounded:
        round_spectra(method)
    optimiser = recipe.optimiser.build(method)
    generator = torch.Generator().manual_seed(seed)
    clips = 0.02 * torch.randn(CLIPS, 3, recipe.frames, len(KINECT20.joints), 1, generator=generator).cumsum(dim=2)
    draws = recipe.views(KINECT20)
    steps, losses = CLIPS // recipe.batch_size, []
    for epoch in range(EPOCHS):
        total = 0.0
        for step, some in enumerate(torch.randperm(CLIPS, generator=generator).split(recipe.batch_size)):
            views = [make_streams(draw(clips[some], generator), recipe.streams, KINECT20) for draw in draws]
            loss = method(views)["loss"]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            method.after_step(Progress(step=epoch * steps + step + 1, steps=EPOCHS * steps, epoch=epoch))
            total += float(loss.detach()) / steps
        losses.append(total)
    return losses
