"""The queue of keys of earlier steps."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kinestream.distributed.collectives import gather_rows


class KeyQueue(nn.Module):
    """The last `length` keys, oldest first from the pointer on; a ring, so that any batch size fits.

    Starts with random unit vectors. The keys of all processes enter in the order of their ranks: each process holds
    the same queue, and the same as one process with the whole batch.
    """

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        if length < 1:
            raise ValueError(f"the length of the queue ({length}) must be at least 1")
        self.register_buffer("ring", functional.normalize(torch.randn(length, dim), dim=1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))

    @property
    def keys(self) -> Float[Tensor, "K d"]:
        return cast(Tensor, self.ring)

    @torch.no_grad()
    def enqueue(self, keys: Float[Tensor, "b d"]) -> None:
        """The newest keys replace the oldest. Of a batch longer than the queue the last keys stay."""
        keys = gather_rows(keys.detach()).to(self.keys.dtype)
        length, count = len(self.keys), len(keys)
        pointer = cast(Tensor, self.pointer)
        places = (pointer + torch.arange(count, device=keys.device)) % length
        self.keys[places[-length:]] = keys[-length:]
        pointer.add_(count).remainder_(length)
