"""Training steps on a GPU, by precision: `python -m benchmarks gpu`.

The losses in single precision are compared with those of the processor first.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch

from benchmarks.pairing import in_turn, machine, spread
from kinestream.distributed.devices import set_tf32
from kinestream.distributed.sending import sent
from kinestream.methods.method import Progress
from kinestream.recipes import resolve
from kinestream.skeleton.layout import load_layout
from kinestream.skeleton.streams import make_streams

ROUNDS = 5
STEPS = 10
CASES = {
    "laptop-nw-ucla": ("kinect20", 1),
    "caca-joint-ntu60-xsub": ("ntu25", 2),
    "caca-3s-ntu60-xsub": ("ntu25", 2),
}
PRECISIONS: dict[str, tuple[bool, Callable[[], AbstractContextManager[Any]]]] = {
    "single": (False, nullcontext),
    "tf32": (True, nullcontext),
    "bf16": (False, lambda: torch.autocast("cuda", torch.bfloat16)),
}


def measure() -> dict[str, Any]:
    """Clips a second. Raises ValueError where there is no GPU."""
    if not torch.cuda.is_available():
        raise ValueError("torch finds no CUDA device here: this benchmark is for a machine with one")
    found = {name: _measure(name, layout, bodies) for name, (layout, bodies) in CASES.items()}
    return {"machine": {**machine(), "gpu": torch.cuda.get_device_name(), "torch": torch.__version__}, **found}


def _measure(name: str, layout: str, bodies: int) -> dict[str, Any]:
    recipe = resolve(name, ["encoder.dropout=0.0"])
    skeleton = load_layout(layout)
    torch.manual_seed(0)
    method = recipe.method.build(recipe.networks(skeleton)).train()
    clips = torch.randn(2, recipe.batch_size, 3, recipe.frames, len(skeleton.joints), bodies)
    few = [make_streams(view[:16], recipe.streams, skeleton) for view in clips]
    expected = float(method(few)["loss"].detach())
    device = torch.device("cuda")
    method.to(device)
    set_tf32(allowed=False)
    near = float(method([{name: sent(x, device) for name, x in view.items()} for view in few])["loss"].detach())
    if abs(near - expected) > 1e-2 * max(1, abs(expected)):
        raise ValueError(f"{name}: the loss is {near:.5f} on the GPU and {expected:.5f} on the processor")
    optimiser = recipe.optimiser.build(method, fused=True)
    views = [make_streams(sent(view, device), recipe.streams, skeleton) for view in clips]

    def steps(precision: str) -> None:
        tf32, rounded = PRECISIONS[precision]
        set_tf32(allowed=tf32)
        for _ in range(STEPS):
            with rounded():
                loss = method(views)["loss"]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            method.after_step(Progress(step=1, steps=1000, epoch=0))
        torch.cuda.synchronize()

    torch.cuda.reset_peak_memory_stats()
    seconds = in_turn({precision: partial(steps, precision) for precision in PRECISIONS}, ROUNDS)
    rates = {p: spread([STEPS * recipe.batch_size / one for one in own]) for p, own in seconds.items()}
    return {
        "batch": recipe.batch_size,
        "loss": {"gpu": near, "processor": expected},
        "clips_a_second": rates,
        "megabytes_at_most": round(torch.cuda.max_memory_allocated() / 2**20),
    }
