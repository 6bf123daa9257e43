"""Where a command computes: on one device, or with a process on each of several, as it was started."""

import inspect
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from kinestream.distributed.collectives import place, several_processes
from kinestream.distributed.launch import GO_ON, Device, LostContactError, Precision, device_named, is_worker
from kinestream.distributed.memory import keep_memory

Made = TypeVar("Made")


def make_fabric(device: Device, precision: Precision = "32-true") -> Fabric:
    """One device, or all processes that were started, which have found each other when this returns.

    Raises ValueError when a machine has fewer GPUs than processes.
    """
    keep_memory()
    precision = "32-true" if precision == "spectral-bf16" else precision
    set_tf32(allowed=False)  # a training may say otherwise
    if not is_worker():
        kind = device if device == "auto" else device_named(device).type
        return Fabric(accelerator=kind, devices=1, precision=precision)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it greets from every process
    environment: SLURMEnvironment | TorchElasticEnvironment
    if "LOCAL_WORLD_SIZE" in os.environ:
        environment = TorchElasticEnvironment()
        here = int(os.environ["LOCAL_WORLD_SIZE"])
    else:
        if "SLURM_NTASKS_PER_NODE" not in os.environ:
            raise ValueError("SLURM was not told how many processes a machine takes: give sbatch --ntasks-per-node")
        environment = SLURMEnvironment(auto_requeue=False)
        here = int(os.environ["SLURM_NTASKS_PER_NODE"])
    gpus = torch.cuda.device_count()
    if device == "cuda" and gpus < here:
        raise ValueError(f"{here} processes on a machine with {gpus} GPUs: start one for each, or --device cpu")
    fabric = Fabric(
        accelerator=device if device != "auto" or gpus >= here else "cpu",
        devices=here,
        num_nodes=environment.world_size() // here,
        precision=precision,
        strategy=DDPStrategy(cluster_environment=environment, **_buffers_stay()),
    )
    fabric.launch()
    return fabric


def set_tf32(allowed: bool) -> None:
    """Whether GPUs round what goes into products and convolutions of single precision to 10 bits. Torch's own default
    is no for products and yes for convolutions."""
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed


def _buffers_stay() -> dict[str, Any]:
    """Statistics and queues are the same in all processes: they need not be sent again at each step."""
    known = inspect.signature(DistributedDataParallel).parameters
    return {"forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers": False}


def in_turn(fabric: Fabric, make: Callable[[], Made]) -> Made:
    """What `make` makes or finds on disk: the first process of all comes first, then the first of each machine, which
    may see another disk, then the rest."""
    for turn in (fabric.global_rank, fabric.local_rank):
        if turn == 0:
            made = make()
        fabric.barrier()
    return made if fabric.local_rank == 0 else make()


@contextmanager
def contact() -> Iterator[None]:
    """Turns what the collectives raise when a process is gone into a `LostContactError`; at a good end the processes
    part."""
    try:
        yield
    except RuntimeError as error:
        words = str(error)
        if several_processes() and (isinstance(error, distributed.DistError) or "gloo" in words or "NCCL" in words):
            raise LostContactError(f"another of {place()[1]} processes is gone; {GO_ON}") from error
        raise
    except KeyboardInterrupt:
        _part()
        raise
    _part()


def _part() -> None:
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
