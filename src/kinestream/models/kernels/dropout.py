"""Dropout that spends one random bit on an element, not one random number.

The draws are the largest cost of dropout on CPUs. With p = 1/2 every bit of the generator's words decides on an
element, and zeros are exactly as likely as ones; other p compare 32 bits with p, right to 2^-32. The bits themselves
are kept for the gradient, an eighth of a byte for an element, and become a mask again by a table of bytes.
"""

from functools import lru_cache
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_WORD = 64
_PIECE = 1 << 18
"""Elements masked at a time, so that a piece of the mask stays in the cache."""


class Dropout(nn.Module):
    """In training mode each element is zeroed with probability `p` and divided by `1 - p` otherwise.

    The draws come from torch's global generator, so its seed decides. Elsewhere than on the CPU it is torch's own.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout ({p}) must be in [0, 1)")
        self.p = p

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Of a tensor without gaps, its axes in any order in memory; on the CPU its memory is taken for the result."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.p)
        return cast(Tensor, _Masked.apply(x, _draw(x.numel(), self.p), self.p))  # type: ignore[no-untyped-call]

    def extra_repr(self) -> str:
        return f"p={self.p}"


class _Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, drawn: Tensor, p: float) -> Tensor:
        ctx.save_for_backward(drawn)
        ctx.p, ctx.strides = p, x.stride()
        ctx.mark_dirty(x)
        memory = _as_it_lies(x, x.stride())
        _mask(memory, drawn, p, memory)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (drawn,) = ctx.saved_tensors
        of_x = torch.empty_strided(grad.shape, ctx.strides, dtype=grad.dtype)
        _mask(_as_it_lies(grad, ctx.strides), drawn, ctx.p, _as_it_lies(of_x, ctx.strides))
        return of_x, None, None


def _as_it_lies(x: Tensor, strides: tuple[int, ...]) -> Float[Tensor, " _"]:
    """`x` as one row, in the order of memory that `strides` give; a copy only where it lies in another."""
    order = sorted(range(x.ndim), key=lambda axis: -strides[axis])
    return x.permute(order).reshape(-1)


def _draw(count: int, p: float) -> Tensor:
    """What decides on `count` elements: bytes of a bit each, or, with p other than 1/2, whether each is kept."""
    if p == 0.5:
        return torch.empty(-(-count // _WORD), dtype=torch.int64).random_(-(2**63), None).view(torch.uint8)
    words = torch.empty(-(-count // 2), dtype=torch.int64).random_(-(2**63), None).view(torch.int32)
    return words[:count] >= round(p * 2**32) - 2**31


def _mask(x: Float[Tensor, " _"], drawn: Tensor, p: float, into: Float[Tensor, " _"]) -> None:
    """`into` becomes `x`, zeroed and scaled, piece by piece; they may be one."""
    for first in range(0, len(x), _PIECE):
        here = slice(first, first + _PIECE)
        if drawn.dtype == torch.bool:
            scales = drawn[here].to(x.dtype).mul_(1 / (1 - p))
        else:
            packed = drawn[first // 8 : (first + _PIECE) // 8].int()
            scales = torch.index_select(_scales_of_bytes(x.dtype), 0, packed).view(-1)
        piece = x[here]
        torch.mul(piece, scales[: len(piece)], out=into[here])


@lru_cache(maxsize=8)
def _scales_of_bytes(dtype: torch.dtype) -> Float[Tensor, "256 8"]:
    """0 or 2 for each bit of each byte."""
    with torch.inference_mode(False):
        bits = torch.arange(256, device="cpu")[:, None] >> torch.arange(8, device="cpu") & 1
        return (2 * bits).to(dtype)
