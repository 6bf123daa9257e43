"""From the processor to a device."""

import torch
from torch import Tensor


def sent(x: Tensor, device: torch.device) -> Tensor:
    """On the device. To a GPU from pinned memory: the program goes on, with the next batch, while the copy is made."""
    if device.type != "cuda" or x.device.type != "cpu":
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)
