"""The checkpoint: everything that is needed to go on as if nothing had happened."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from kinestream.config import parse_strictly
from kinestream.files import replacing
from kinestream.models.tensor_file import check_finite, check_shapes, read_torch
from kinestream.words import reason, shown

SCHEMA = 1
_MOST = 2**53


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
    """Fills method and optimizer, or neither. Raises ValueError when the file is not a checkpoint of this run, or is
    damaged: names, shapes and kinds are compared with what is to be filled."""
    if path.is_file() and not path.stat().st_size:
        raise ValueError(f"{path} is empty: a full disk or a lost one left it so; begin the run anew in another folder")
    try:
        state = read_torch(path)
        if not isinstance(state, dict) or set(state) != {"schema", "method", "optimizer", "position"}:
            raise ValueError("it holds something else")
        if state["schema"] != SCHEMA:
            raise ValueError(f"it has schema {shown(state['schema'], 20)}, this kinestream reads {SCHEMA}")
        position = _position(state["position"])
        _check_weights(state["method"], method.state_dict())
        _check_like(state["optimizer"], optimizer)
        method.load_state_dict(state["method"])
        optimizer.load_state_dict(state["optimizer"])
    except FileNotFoundError:
        raise ValueError(f"no checkpoint {path}: nothing was trained yet, start without --resume") from None
    except (ValueError, RuntimeError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is no checkpoint of this run ({reason(error)}): train anew, in another folder"
        ) from None
    return position


def _position(plain: Any) -> Position:
    position = parse_strictly(Position, plain, "where the run stands")
    numbers = (position.epoch, position.step, position.log_bytes, position.seconds)
    if min(numbers) < 0 or max(numbers) > _MOST:
        raise ValueError(f"it stands at epoch {position.epoch}, step {position.step}, which cannot be")
    return position


def _check_weights(found: Any, own: Mapping[str, Any]) -> None:
    tensors = {name: value for name, value in own.items() if isinstance(value, Tensor)}
    if not isinstance(found, Mapping) or not all(isinstance(found.get(name), Tensor) for name in tensors):
        raise ValueError("no weights in it, or not all")
    there = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    check_shapes({k: v.shape for k, v in there.items()}, {k: v.shape for k, v in tensors.items()})
    wrong = next((name for name, value in tensors.items() if there[name].dtype != value.dtype), None)
    if wrong is not None:
        raise ValueError(f"{wrong} is {there[wrong].dtype}, it should be {tensors[wrong].dtype}")
    check_finite(there)


def _check_like(found: Any, optimizer: Optimizer) -> None:
    """Whether it is the state of such an optimiser: the same groups, settings of the same kind, momenta of the shape of
    their parameters."""
    own = optimizer.state_dict()
    groups, states = found["param_groups"], found["state"]
    if not isinstance(groups, list) or len(groups) != len(own["param_groups"]) or not isinstance(states, dict):
        raise ValueError("its optimiser has other groups of parameters")
    shapes: dict[int, Tensor] = {}
    for theirs, ours, group in zip(groups, own["param_groups"], optimizer.param_groups, strict=True):
        if theirs["params"] != ours["params"]:
            raise ValueError("its optimiser has other parameters")
        for key, value in ours.items():
            if not _is_like(theirs[key], value):
                raise ValueError(f"its optimiser has {key} {shown(theirs[key], 40)}")
        shapes |= dict(zip(ours["params"], group["params"], strict=True))
    for number, entries in states.items():
        for name, value in entries.items():
            if not isinstance(value, Tensor):
                fits = value is None or _is_like(value, 0.0)
            else:
                fits = value.shape in ((), shapes[number].shape) and bool(torch.isfinite(value).all())
            if not fits:
                raise ValueError(f"its optimiser has {shown(name)} of another shape, or not finite")


def _is_like(found: Any, own: Any) -> bool:
    """Whether a setting is of the kind that it should be."""
    if own is None or isinstance(own, bool):  # such as `fused`, which another device may have otherwise
        return found is None or isinstance(found, bool)
    if isinstance(own, str):
        return isinstance(found, str) and found == own
    if isinstance(own, int | float):
        return isinstance(found, int | float) and math.isfinite(found)
    if isinstance(own, list | tuple):
        return isinstance(found, list | tuple) and len(found) == len(own) and all(map(_is_like, found, own))
    return isinstance(found, type(own))
