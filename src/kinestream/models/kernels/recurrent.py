"""A bidirectional GRU layer for the processor: torch's weights and formulas, its results to rounding, faster.

A frame is done with while the processor still holds it, in the pass back too, where its share in the gradients of the
weights is added before the next one is begun and nothing is kept of it. Torch has ten results a frame, each in memory
of its own. Under autocast the products round what goes into them to bfloat16, where the processor is faster then;
nothing else does. Shapes as in `recurrent_frame`.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from kinestream.models.kernels.recurrent_frame import Way, close_frame, open_frame, through_scale, ways
from kinestream.models.kernels.rounding import products


def bidirectional_gru(
    x: Float[Tensor, "t f b"],
    layer: nn.GRU,
    scale: Float[Tensor, " f"] | None = None,
    shift: Float[Tensor, " f"] | None = None,
) -> Float[Tensor, "t d b"]:
    """What `layer`, one bidirectional GRU with biases, gives for `x * scale + shift`: states forwards and backwards.

    With scale and shift, those of a batch normalisation, their gradients come from that of the weights: a layer whose
    input is data needs no gradient of its input.

    Example:
        >>> layer, x = nn.GRU(3, 5, bidirectional=True), torch.randn(7, 3, 2)
        >>> torch.allclose(bidirectional_gru(x, layer), layer(x.mT)[0].mT, atol=1e-6)
        True
    """
    weights = [parameter for direction in layer.all_weights for parameter in direction]
    rounded = torch.is_autocast_enabled("cpu")
    x = x.to(weights[0].dtype)
    with torch.autocast("cpu", enabled=False):
        states = _GRU.apply(x, scale, shift, rounded, torch.is_grad_enabled(), *weights)  # type: ignore[no-untyped-call]
    return cast(Tensor, states)


class _GRU(torch.autograd.Function):
    """`kept` is for a pass back; the weights are those of torch's `all_weights`."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        scale: Tensor | None,
        shift: Tensor | None,
        rounded: bool,
        kept: bool,
        *weights: Tensor,
    ) -> Tensor:
        x = x.contiguous()
        frames, _, bodies = x.shape
        units = weights[1].shape[1]
        states = x.new_empty(frames, 2 * units, bodies)
        gates = x.new_empty(2, frames if kept else 1, 4 * units, bodies).expand(2, frames, -1, -1)
        with products(rounded=rounded):
            for way in ways(weights, scale, shift):
                _forward(way, way.frames(x), way.frames(gates[way.number]), way.frames(way.own(states)))
        if kept:
            ctx.save_for_backward(x, scale, shift, states, gates, *weights)
            ctx.rounded = rounded
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, shift, states, gates, *weights = ctx.saved_tensors
        of_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        of_scale = None if scale is None else torch.zeros_like(scale)
        of_shift = None if shift is None else torch.zeros_like(shift)
        of_weights: list[Tensor] = []
        with products(rounded=ctx.rounded):
            for way in ways(weights, scale, shift):
                made = _backward(
                    way,
                    way.frames(x),
                    way.frames(gates[way.number]),
                    way.frames(way.own(states)),
                    way.frames(way.own(grad)),
                    None if of_x is None else way.frames(of_x),
                )
                of_w, of_u, of_b, of_d = way.gradients(*made)
                if of_scale is not None and of_shift is not None:
                    of_w, more_scale, more_shift = through_scale(of_w, of_b, weights[4 * way.number], scale, shift)
                    of_scale += more_scale
                    of_shift += more_shift
                of_weights += [of_w, of_u, of_b, of_d]
        return of_x, of_scale, of_shift, None, None, *of_weights


def _forward(way: Way, xs: Sequence[Tensor], gates: Sequence[Tensor], states: Sequence[Tensor]) -> None:
    """Fills in the gates and the states."""
    units = way.u.shape[1]
    before: Tensor | None = None
    for x, here, state in zip(xs, gates, states, strict=True):
        here.copy_(way.offset)
        here[: 3 * units].addmm_(way.w, x)
        if before is not None:
            here[units:].addmm_(way.u, before)
        close_frame(here, before, state)
        before = state


def _backward(
    way: Way,
    xs: Sequence[Tensor],
    gates: Sequence[Tensor],
    states: Sequence[Tensor],
    grads: Sequence[Tensor],
    of_xs: Sequence[Tensor] | None,
) -> tuple[Float[Tensor, "g f"], Float[Tensor, "g h"], Float[Tensor, " row"]]:
    """The gradients of w, of u, and of the rows of all frames; that of x is added to `of_xs`."""
    units = way.u.shape[1]
    of_w, of_u = torch.zeros_like(way.w), torch.zeros_like(way.u)
    made = torch.empty_like(gates[0])
    of_input, of_state = made[: 3 * units], made[units:]
    of_rows = made.new_zeros(len(made))
    g, spare = torch.zeros_like(made[:units]), torch.empty_like(made[:units])
    for t in range(len(xs) - 1, -1, -1):
        g += grads[t]
        before = states[t - 1] if t else None
        open_frame(gates[t], before, g, spare, made)
        of_w.addmm_(of_input, xs[t].t())
        of_rows += made.sum(dim=1)
        if of_xs is not None:
            of_xs[t].addmm_(way.w.t(), of_input)
        if before is not None:
            of_u.addmm_(of_state, before.t())
            g, spare = spare.addmm_(way.u.t(), of_state), g
    return of_w, of_u, of_rows
