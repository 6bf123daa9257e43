"""The moving average that makes a target network of an online one."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def freeze(module: nn.Module) -> nn.Module:
    """Takes `module` out of training: its parameters get no gradient."""
    return module.requires_grad_(False)


@torch.no_grad()
def update_average(target: Iterable[nn.Parameter], online: Iterable[nn.Parameter], decay: float) -> None:
    """`target <- decay * target + (1 - decay) * online`, in place, for all parameters at once.

    Buffers (BN statistics) are not averaged: the target keeps its own, it runs in training mode.
    """
    moved: list[Tensor] = list(target)
    towards: list[Tensor] = list(online)
    if len(moved) != len(towards):
        raise ValueError(f"the target has {len(moved)} parameters, the online network {len(towards)}")
    torch._foreach_mul_(moved, decay)
    torch._foreach_add_(moved, towards, alpha=1 - decay)
