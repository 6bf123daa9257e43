"""What each of two processes does in `test_two_processes`: a module of its own, so that they need not import pytest."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from tests.methods.networks import freeze_statistics, projected, query_key, views
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from kinestream.methods.aimclr import AimCLR, NeighbourMining
from kinestream.methods.in_batch import nt_xent, vicreg
from kinestream.methods.method import Progress
from kinestream.methods.momentum_contrast import CrossMining, MomentumContrast

BATCH, STEPS = 6, 5
STREAMS = ("joint", "bone")

# Queues of 10 and 7 keys: batches of 6 wrap around in the middle.
METHODS: dict[str, Callable[[], Any]] = {
    "skeletonclr": lambda: MomentumContrast({"joint": query_key(0), "bone": query_key(1, 7)}, decay=0.9),
    "crosclr": lambda: MomentumContrast(
        {"joint": query_key(0), "bone": query_key(1)}, decay=0.9, mining=CrossMining(first_epoch=2, k=2)
    ),
    "aimclr": lambda: AimCLR(
        {"joint": query_key(0), "bone": query_key(1, 7)},
        decay=0.9,
        threshold=0.64,
        mining=NeighbourMining(first_epoch=2),
    ),
    "nt-xent": lambda: nt_xent({"joint": projected(0), "bone": projected(1)}),
    "vicreg": lambda: vicreg({"joint": projected(0), "bone": projected(1)}),
}


def train(name: str, rank: int = 0, processes: int = 1) -> tuple[list[float], Mapping[str, Tensor]]:
    """Losses (of the whole batch) and state after some steps, the epoch changing with each."""
    method = freeze_statistics(METHODS[name]().double())
    learner: Any = method
    optimizer = torch.optim.SGD([p for _, group in learner.parameter_groups() for p in group], lr=0.1)
    wrapped: nn.Module = DistributedDataParallel(method) if processes > 1 else method
    rows = slice(rank * BATCH // processes, (rank + 1) * BATCH // processes)
    losses = []
    for step in range(STEPS):
        learner.start_epoch(step)
        shown = views(step, STREAMS, 3 if name == "aimclr" else 2, BATCH)
        terms = wrapped([{stream: x[rows].double() for stream, x in view.items()} for view in shown])
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        learner.after_step(Progress(step=step + 1, steps=STEPS, epoch=step))
        loss = terms["loss"].detach()
        if processes > 1:
            distributed.all_reduce(loss)
        losses.append(float(loss) / processes)
    return losses, method.state_dict()


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{Path(folder) / 'rendezvous'}", rank=rank, world_size=2)
    try:
        results = {name: train(name, rank, 2) for name in METHODS}
        torch.save(results, Path(folder) / f"{rank}.pt")
    finally:
        distributed.destroy_process_group()
