"""What each of two processes does in `test_two_processes`: a module of its own, so that they need not import pytest."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from tests.methods.networks import (
    dense,
    dense_network,
    mixed_views,
    nt_xent,
    pair,
    projected,
    query_key,
    recurrent_encoder,
    vicreg,
    views,
)
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from kinestream.distributed.collectives import mean_over_processes, sum_over_processes
from kinestream.methods.aimclr import AimCLR, NeighbourMining
from kinestream.methods.in_batch import InBatch
from kinestream.methods.losses import mixture_loss, nt_xent_loss, whiten
from kinestream.methods.method import Progress
from kinestream.methods.momentum_contrast import CrossMining, MomentumContrast
from kinestream.methods.self_distillation import Collaboration, caca, skeleton_byol
from kinestream.methods.soft_alignment import SoftAlignment
from kinestream.methods.tranclr import TranCLR
from kinestream.models.kernels.batch_norm import BatchNorm2d

BATCH, STEPS = 6, 3
STREAMS = ("joint", "bone")

Terms = dict[str, float]
"""Of a step, each the mean over processes."""

# Queues of 10 and 7 keys: batches of 6 wrap around in the middle.
METHODS: dict[str, Callable[[], Any]] = {
    "skeletonclr": lambda: MomentumContrast({"joint": query_key(0), "bone": query_key(1, 7)}, decay=0.9),
    "crosclr": lambda: MomentumContrast(
        {"joint": query_key(0), "bone": query_key(1)}, decay=0.9, mining=CrossMining(first_epoch=1, k=2)
    ),
    "aimclr": lambda: AimCLR({"joint": query_key(0)}, decay=0.9, threshold=0.64, mining=NeighbourMining(first_epoch=1)),
    "tranclr": lambda: TranCLR(
        {"joint": query_key(0), "bone": query_key(1, 7)}, decay=0.9, alignment=SoftAlignment(nearest=5)
    ),
    "skeletonclr, mixed": lambda: MomentumContrast({"joint": query_key(0)}, decay=0.9),
    "skeletonclr, mixed and soft": lambda: MomentumContrast(
        {"joint": query_key(0)}, decay=0.9, alignment=SoftAlignment(nearest=5, contrast=0.5)
    ),
    "nt-xent, mixed": lambda: InBatch({"joint": projected(0)}, nt_xent_loss, mixture_loss),
    "skeleton-byol": lambda: skeleton_byol({"joint": pair(0)}, decay=0.9),
    "whitened": lambda: skeleton_byol({"joint": pair(0)}, decay=0.9, targets=whiten),
    "caca, then 3s-caca": lambda: caca(
        {"joint": pair(0), "bone": pair(1)},
        decay=0.9,
        collaboration=Collaboration(first_epoch=1, k=3, moving_target=True),
    ),
    "nt-xent": lambda: nt_xent({"joint": projected(0)}),
    "nt-xent, bigru": lambda: nt_xent(
        {"joint": projected(0, recurrent_encoder), "bone": projected(1, recurrent_encoder)}
    ),
    "dense": lambda: dense({"joint": dense_network(0)}),
    "vicreg": lambda: vicreg({"joint": projected(0)}),
}


def train(
    name: str, rank: int = 0, processes: int = 1
) -> tuple[list[Terms], list[Tensor | None], Mapping[str, Tensor]]:
    """What some steps gave, the epoch changing with each: numbers, pseudo-positives (this process's rows), and state at
    the end."""
    method = METHODS[name]().double()
    optimizer = torch.optim.SGD([p for _, group in method.parameter_groups() for p in group], lr=0.02)
    wrapped: nn.Module = DistributedDataParallel(method, forward_sync_buffers=False) if processes > 1 else method
    rows = slice(rank * BATCH // processes, (rank + 1) * BATCH // processes)
    numbers: list[Terms] = []
    positives = []
    for step in range(STEPS):
        method.start_epoch(step)
        if name == "tranclr" or "mixed" in name:
            shown = mixed_views(step, STREAMS, of="tranclr" if name == "tranclr" else "nt-xent", batch=BATCH)
        else:
            shown = views(step, STREAMS, 3 if name == "aimclr" else 2, BATCH)
        terms = wrapped([{stream: x[rows].double() for stream, x in view.items()} for view in shown])
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        method.after_step(Progress(step=step + 1, steps=STEPS, epoch=step))
        numbers.append({term: float(mean_over_processes(value.double())) for term, value in terms.items()})
        positives.append(method.positives)
    return numbers, positives, method.state_dict()


def normalise(rank: int = 0, processes: int = 1) -> dict[str, Tensor]:
    """Batch normalisation of images of two bodies a clip, the second with a weight of its own in each half."""
    x = torch.randn(1, 5, 3 * 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 + 5
    weights = torch.tensor([1.0, 3.0, 1.0, 6.0], dtype=torch.float64)
    bodies = slice(rank * 4 // processes, (rank + 1) * 4 // processes)
    found = {}
    for name, of_bodies in (("plain", None), ("weighted", weights[bodies])):
        norm = BatchNorm2d(2).double()
        image = x.unflatten(2, (3, 4))[:, :, :, bodies].flatten(2, 3).permute(0, 3, 1, 2).requires_grad_()
        y = norm(image, of_bodies)
        (y.sin() ** 2).sum().backward()
        assert image.grad is not None
        found[f"{name} y"], found[f"{name} gradient"] = (of.unflatten(3, (3, -1)) for of in (y.detach(), image.grad))
        for key, of in norm.named_parameters():
            assert of.grad is not None
            found[f"{name} gradient of {key}"] = sum_over_processes(of.grad)
        found |= {f"{name} {key}": value for key, value in norm.state_dict().items()}
    return found


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{Path(folder) / 'rendezvous'}", rank=rank, world_size=2)
    try:
        results = {"normalise": normalise(rank, 2), **{name: train(name, rank, 2) for name in METHODS}}
        torch.save(results, Path(folder) / f"{rank}.pt")
    finally:
        distributed.destroy_process_group()
