"""Loading and augmenting a batch, beside the training step that it feeds: it should not be seen."""

import time
from typing import Any

import torch

from benchmarks.pairing import machine, spread
from kinestream.layout import NTU25
from kinestream.recipes import resolve
from kinestream.recipes.builders import build_augmentation, build_method
from kinestream.streams import make_streams

BATCH = 32
ROUNDS = 4


def measure() -> dict[str, Any]:
    """Seconds of two augmented views, and of the pass forward and back on them, for the published one-stream recipe."""
    recipe = resolve("caca-joint-ntu60-xsub")
    torch.manual_seed(0)
    method = build_method(recipe, NTU25)
    augmentation = build_augmentation(recipe.augment, NTU25)
    clips = torch.randn(BATCH, 3, recipe.frames, 25, 2)
    generator = torch.Generator().manual_seed(0)
    seconds: dict[str, list[float]] = {"views": [], "step": []}
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        views = [make_streams(augmentation(clips, generator), recipe.streams, NTU25) for _ in range(2)]
        between = time.perf_counter()
        method(views)["loss"].backward()
        seconds["views"].append(between - began)
        seconds["step"].append(time.perf_counter() - between)
    shares = [views / step for views, step in zip(seconds["views"][1:], seconds["step"][1:], strict=True)]
    return {
        "machine": {**machine(), "torch": torch.__version__, "threads": torch.get_num_threads()},
        "batch": BATCH,
        "views_seconds": spread(seconds["views"][1:]),
        "step_seconds": spread(seconds["step"][1:]),
        "share_of_the_step": spread(shares),
    }
