"""A step on a GPU asks the GPU for no number: each answer would have to be waited for, with nothing to do meanwhile.

Tensors of torch's device `meta` have shapes and no values. They take the way that those of a GPU take, and whatever
asks them for a value, or for a shape that depends on values, is an error there. Where there is a GPU (`--device cuda`)
torch itself watches a true step.
"""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kinestream.methods.method import MethodModule, Progress, Views
from kinestream.recipes import Recipe, resolve
from kinestream.skeleton.layout import KINECT20, NTU25, SkeletonLayout
from kinestream.skeleton.streams import make_streams
from kinestream.train.views import to_batch

SMALL = ("encoder.hidden=4", "method.hidden=8", "method.embedding=8", "batch_size=8")
GRAPH = (*SMALL, "encoder.dim=8")
CASES: dict[str, tuple[str, Sequence[str], int]] = {
    "recurrent": ("laptop-nw-ucla", (*SMALL, "streams=[bone-motion, distance]"), 0),
    "graph": ("nw-ucla", GRAPH, 0),
    "three streams that agree": ("caca-3s-ntu60-xsub", GRAPH, 99),
    "whitened targets": ("caca-joint-ntu60-xsub", (*GRAPH, "method.target=whitened"), 0),
    "queue": ("skeletonclr-joint-ntu60-xsub", (*GRAPH, "method.queue=32"), 0),
    "attention drop, mining": ("3s-aimclr-ntu60-xsub", (*GRAPH, "method.queue=32"), 299),
    "neighbours of other streams": ("crosclr-3s-ntu60-xsub", (*GRAPH, "method.queue=32"), 299),
}


class Copies(TorchDispatchMode):
    """Counts the copies between devices."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default):
            devices = {one.device.type for one in (*args, found) if isinstance(one, Tensor)}
            self.count += len(devices) > 1
        return found


def views(recipe: Recipe, layout: SkeletonLayout, device: str) -> Views:
    generator = torch.Generator().manual_seed(0)
    bodies = 1 if layout is KINECT20 else 2
    clips = torch.randn(8, recipe.frames, bodies, len(layout.joints), 3, generator=generator)
    x = to_batch(clips.to(device))
    return [make_streams(draw(x, generator), recipe.streams, layout) for draw in recipe.views(layout)]


def made(case: str, device: str) -> tuple[MethodModule, Views]:
    name, settings, epoch = CASES[case]
    layout = KINECT20 if name.endswith("nw-ucla") or name == "nw-ucla" else NTU25
    recipe = resolve(name, settings)
    torch.manual_seed(0)
    method = recipe.method.build(recipe.networks(layout)).to(device)
    method.start_epoch(epoch)  # type: ignore[operator]
    return method, views(recipe, layout, device)  # type: ignore[return-value]


def step(method: MethodModule, given: Views) -> Tensor:
    terms = method(given)
    terms["loss"].backward()
    method.after_step(Progress(step=1, steps=10, epoch=0))
    loss: Tensor = terms["loss"]
    return loss.detach()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("case", CASES)
def test_a_step_waits_for_nothing(case: str) -> None:
    method, given = made(case, "meta")
    with Copies() as copies:
        assert step(method, given).is_meta
    assert copies.count == 0, "a copy to the device waits for what it copies"


def test_who_asks_is_found() -> None:
    with pytest.raises(RuntimeError, match="meta"):
        bool(torch.zeros(3, device="meta").sum())
    with Copies() as copies:
        torch.zeros(3).to("meta")
    assert copies.count == 1


@pytest.mark.parametrize("case", CASES)
def test_a_true_step_gives_the_loss_of_the_processor(case: str, device: torch.device) -> None:
    if device.type == "cpu":
        pytest.skip("it would be compared with itself: give --device cuda where there is one")
    method, given = made(case, str(device))
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = step(method, given)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(found.cpu(), step(*made(case, "cpu")), rtol=1e-3, atol=1e-3)
