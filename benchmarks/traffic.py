"""What the processes of a training send each other in a step: counted from the network, measured on two processes, and
what a simple model makes of it on many GPUs. Nothing of the last was run."""

import math
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from kinestream.distributed.collectives import agree
from kinestream.methods.online_target import OnlineTarget
from kinestream.methods.self_distillation import SelfDistillation
from kinestream.recipes import resolve
from kinestream.skeleton.layout import NTU25

RECIPE = "caca-3s-ntu60-xsub"
CLIPS, FRAMES = 2, 8
"""Of each process when measured: what is sent does not depend on the frames, and on the clips only where noted."""
VIEWS = 2


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the model assumes."""

    flops: float = 6e12
    """A GPU's, in single precision: 30 % of the 19.5e12 that an A100's sheet has."""
    bandwidth_within: float = 200e9
    """Bytes a second that a GPU sends to another one of its machine."""
    bandwidth_across: float = 25e9
    """The same between machines: 200 Gbit/s for each GPU."""
    latency: float = 15e-6
    """Seconds of the smallest collective, of which each doubling of the processes adds `latency_doubling`."""
    latency_doubling: float = 10e-6
    gpus_a_machine: int = 8


GIGA_MULTIPLICATIONS = 1.82
"""Of one pass forward of the published encoder on a clip of 50 frames and two bodies."""
PASSES = 8
"""In units of one forward: two views forward (2) and back (4) in the online network, two forward in the target (2)."""


def measure() -> dict[str, Any]:
    """Bytes that a process hands to the collectives in a step, by function and by count, and the model's times."""
    expected = {stage: handed(build(), stage, CLIPS) for stage in (1, 2)}
    with tempfile.TemporaryDirectory() as folder:
        spawn(_work, args=(folder,), nprocs=2)
        found = torch.load(Path(folder) / "0.pt", weights_only=True)
    for stage, counted in found.items():
        if counted["bytes"] != expected[stage]["bytes"] or counted["calls"] != expected[stage]["calls"]:
            raise AssertionError(f"stage {stage}: counted {counted}, expected {expected[stage]}")
    return {
        "recipe": RECIPE,
        "handed_to_the_collectives": {f"stage {stage}, {CLIPS} clips a process": of for stage, of in found.items()},
        "model": [model(processes, clips) for processes in (8, 64, 512) for clips in (128 // processes, 128) if clips],
    }


def build() -> SelfDistillation:
    method = resolve(RECIPE).method.build(resolve(RECIPE).networks(NTU25))
    assert isinstance(method, SelfDistillation)
    return method


def handed(method: SelfDistillation, stage: int, clips: int) -> dict[str, Any]:
    """What a process with so many clips hands to the collectives in a step: bytes and calls of each kind."""
    size: Counter[str] = Counter()
    calls: Counter[str] = Counter()

    def hand(kind: str, values: int, width: int, times: int = 1) -> None:
        size[kind] += values * width * times
        calls[kind] += times

    size["gradients"] = sum(p.numel() * p.element_size() for p in method.parameters() if p.requires_grad)
    for pair in method.pairs.values():
        for name, norm in pair.named_modules():
            if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                hand("moments", 2 * norm.num_features + 1, 8, VIEWS)
                # Nothing flows back through the target, nor to the clips.
                if not name.startswith("target_") and not name.endswith("data_bn"):
                    hand("moments, backward", 2 * norm.num_features, 4, VIEWS)
        online = cast(OnlineTarget, pair)
        embedding = cast(nn.Linear, cast(nn.Sequential, online.predictor)[-1]).out_features
        for watched in (online.encoder.dim, embedding):
            hand("moments", 2 * watched + 1, 8)
        if stage == 2:
            hand("targets", clips * embedding, 4, VIEWS)
            hand("counts", 2, 8)
    return {"bytes": dict(size), "calls": dict(calls)}


def model(processes: int, clips: int, machine: Machine = Machine()) -> dict[str, Any]:
    """Seconds of a step of stage 2 with so many clips a GPU, of which nothing is hidden behind anything else."""
    method = build()
    of = handed(method, 2, clips)
    bandwidth = machine.bandwidth_within if processes <= machine.gpus_a_machine else machine.bandwidth_across
    latency = machine.latency + machine.latency_doubling * math.log2(processes)
    compute = len(method.pairs) * PASSES * 2e9 * GIGA_MULTIPLICATIONS * clips / machine.flops
    ring = 2 * (processes - 1) / processes
    sent = {
        "gradients": ring * of["bytes"]["gradients"],
        "batch normalisation": ring * (of["bytes"]["moments"] + of["bytes"]["moments, backward"]),
        "targets": (processes - 1) * of["bytes"]["targets"],
    }
    small = sum(of["calls"][kind] for kind in ("moments", "moments, backward", "counts"))
    seconds = {
        "compute": compute,
        "gradients": sent["gradients"] / bandwidth + latency,
        "batch normalisation": small * latency + sent["batch normalisation"] / bandwidth,
        "targets": of["calls"]["targets"] * latency + sent["targets"] / bandwidth,
    }
    return {
        "processes": processes,
        "clips_a_process": clips,
        "batch": processes * clips,
        "sent_by_a_process_megabytes": {name: round(value / 1e6, 2) for name, value in sent.items()},
        "small_collectives": small,
        "milliseconds": {name: round(1e3 * value, 1) for name, value in seconds.items()},
        "efficiency": round(compute / sum(seconds.values()), 3),
    }


def _work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{Path(folder) / 'meet'}", rank=rank, world_size=2)
    try:
        found = {stage: _count_a_step(stage) for stage in (1, 2)}
        torch.save(found, Path(folder) / f"{rank}.pt")
    finally:
        distributed.destroy_process_group()


def _count_a_step(stage: int) -> dict[str, Any]:
    """One step of training, with a scale on every way to another process."""
    torch.manual_seed(0)
    method = build()
    assert method.collaboration is not None
    method.start_epoch(0 if stage == 1 else method.collaboration.first_epoch)
    size: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    kinds = {torch.float64: "moments", torch.float32: "moments, backward", torch.int64: "counts"}
    all_reduce, all_gather = distributed.all_reduce, distributed.all_gather

    def weigh(kind: str, value: Tensor) -> None:
        size[kind] += value.numel() * value.element_size()
        calls[kind] += 1

    def weighed_reduce(value: Tensor, **options: Any) -> Any:
        weigh(kinds[value.dtype], value)
        return all_reduce(value, **options)

    def weighed_gather(parts: list[Tensor], value: Tensor) -> Any:
        weigh("targets", value)
        return all_gather(parts, value)

    def hook(_: object, bucket: distributed.GradBucket) -> torch.futures.Future[Tensor]:  # type: ignore[name-defined]
        size["gradients"] += bucket.buffer().numel() * bucket.buffer().element_size()
        work = all_reduce(bucket.buffer(), async_op=True)
        assert work is not None
        return work.get_future().then(lambda future: future.value()[0] / 2)

    wrapped = DistributedDataParallel(method)
    wrapped.register_comm_hook(None, hook)
    views = [
        {stream: torch.randn(CLIPS, 3, FRAMES, len(NTU25.joints), 2) for stream in method.pairs} for _ in range(VIEWS)
    ]
    with (
        patch.object(distributed, "all_reduce", weighed_reduce),
        patch.object(distributed, "all_gather", weighed_gather),
    ):
        terms: Mapping[str, Tensor] = wrapped(views)
        terms["loss"].backward()
    agree(False, device=torch.device("cpu"))  # both are done before either leaves
    return {"bytes": dict(size), "calls": dict(calls)}
