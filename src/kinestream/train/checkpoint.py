"""The checkpoint: everything that is needed to go on as if nothing had happened."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from kinestream.files import replacing

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where a run stands: epoch `epoch` (from 0), of which `step` steps are done."""

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    """Of every logged number over the steps done in this epoch."""
    log_bytes: int = 0
    """Length of the metrics log at this moment."""
    seconds: float = 0.0
    """Time trained so far."""


def save_checkpoint(fabric: Fabric, path: Path, method: nn.Module, optimizer: Optimizer, position: Position) -> None:
    """Written under another name, then renamed: a run that is killed here keeps its last one. Process 0 writes, all
    wait for it."""
    if fabric.is_global_zero:
        state = {
            "schema": SCHEMA,
            "method": method.state_dict(),
            "optimizer": optimizer.state_dict(),
            "position": asdict(position),
        }
        with replacing(path) as part:
            torch.save(state, part)
    fabric.barrier()


def load_checkpoint(path: Path, method: nn.Module, optimizer: Optimizer) -> Position:
    """Fills method and optimizer. Raises ValueError when the file is not a checkpoint of this run."""
    if path.is_file() and not path.stat().st_size:
        raise ValueError(f"{path} is empty: a full disk or a lost one left it so; begin the run anew in another folder")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["schema"] != SCHEMA:
            raise ValueError(f"{path} has schema {state['schema']}, this kinestream reads {SCHEMA}")
        method.load_state_dict(state["method"])
        optimizer.load_state_dict(state["optimizer"])
        return Position(**state["position"])
    except FileNotFoundError:
        raise ValueError(f"no checkpoint {path}: nothing was trained yet, start without --resume") from None
    except (RuntimeError, KeyError, EOFError, TypeError, OSError, UnpicklingError) as error:
        raise ValueError(f"{path} is no checkpoint of this run: {' '.join(str(error).split())[:300]}") from None
