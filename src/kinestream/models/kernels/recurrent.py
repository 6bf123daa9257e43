"""A bidirectional GRU layer for the processor: torch's weights and formulas, its results to rounding, in half the time.

For the input x of a frame and the state h of the frame before (Cho et al. 2014, in torch's form),

    n = tanh(W_n x + b_n + r u),  u = U_n h + d_n       r = sigmoid(W_r x + b_r + U_r h + d_r)
    h' = n + z (h - n)                                  z = sigmoid(W_z x + b_z + U_z h + d_z).

The rows of a frame are n, r, z and u, of all bodies side by side: what W gives (n, r, z) and what U gives (r, z, u) are
then rows that lie together, each one matrix product into them, and each gate is one piece of memory. A frame is done
with while the processor still holds it, in the pass back too: there its share in the gradients of W and U is added
before the next one is begun, and nothing is kept of it. Torch has ten results a frame, each in memory of its own.

Shapes: t frame, f feature of a frame, b body, h unit of one direction, d of both, g of three gates.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def bidirectional_gru(
    x: Float[Tensor, "t f b"],
    layer: nn.GRU,
    scale: Float[Tensor, " f"] | None = None,
    shift: Float[Tensor, " f"] | None = None,
) -> Float[Tensor, "t d b"]:
    """What `layer`, one bidirectional GRU with biases, gives for `x * scale + shift`: states forwards and backwards.

    With scale and shift, those of a batch normalisation, their gradients come from that of W: a layer whose input is
    data needs no gradient of its input.

    Example:
        >>> layer, x = nn.GRU(3, 5, bidirectional=True), torch.randn(7, 3, 2)
        >>> torch.allclose(bidirectional_gru(x, layer), layer(x.mT)[0].mT, atol=1e-6)
        True
    """
    weights = [parameter for direction in layer.all_weights for parameter in direction]
    states = _BidirectionalGRU.apply(x, scale, shift, *weights)  # type: ignore[no-untyped-call]
    return cast(Tensor, states)


class _BidirectionalGRU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor | None, shift: Tensor | None, *weights: Tensor) -> Tensor:
        x = x.contiguous()
        frames, _, bodies = x.shape
        units = weights[1].shape[1]
        states = x.new_empty(frames, 2 * units, bodies)
        gates = x.new_empty(2, frames, 4 * units, bodies)
        for way in _ways(weights, scale, shift):
            _forward(way, way.frames(x), way.frames(gates[way.number]), way.frames(way.own(states)))
        ctx.save_for_backward(x, scale, shift, states, gates, *weights)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, shift, states, gates, *weights = ctx.saved_tensors
        of_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        of_scale = None if scale is None else torch.zeros_like(scale)
        of_shift = None if shift is None else torch.zeros_like(shift)
        of_weights: list[Tensor] = []
        for way in _ways(weights, scale, shift):
            parts = (x, gates[way.number], way.own(states), way.own(grad))
            of_w, of_u, sums = _backward(
                way, *(way.frames(part) for part in parts), None if of_x is None else way.frames(of_x)
            )
            units = len(sums) // 4
            of_w, of_b = _rzn(of_w), _rzn(sums[: 3 * units])
            if of_scale is not None and of_shift is not None:
                w = weights[4 * way.number]
                of_scale += (w * of_w).sum(dim=0)
                of_shift += of_b @ w
                of_w = torch.addr(of_w * scale, of_b, shift)
            of_weights += [of_w, of_u, of_b, sums[units:]]
        return of_x, of_scale, of_shift, *of_weights


class _Way(NamedTuple):
    """One direction, with its weights as the products take them."""

    number: int
    """1 for backwards."""
    w: Float[Tensor, "g f"]
    """Rows n, r, z."""
    u: Float[Tensor, "g h"]
    """Rows r, z, n."""
    offset: Float[Tensor, "row 1"]
    """All biases, in the order of a frame."""

    def frames(self, x: Float[Tensor, "t _ b"]) -> Sequence[Tensor]:
        """In the order of this direction."""
        return x.unbind()[:: -1 if self.number else 1]

    def own(self, states: Float[Tensor, "t d b"]) -> Float[Tensor, "t h b"]:
        return states.chunk(2, dim=1)[self.number]


def _ways(weights: Sequence[Tensor], scale: Tensor | None, shift: Tensor | None) -> Iterator[_Way]:
    for number in range(2):
        w, u, b, d = weights[4 * number : 4 * number + 4]
        if scale is not None and shift is not None:
            w, b = w * scale, b + w @ shift
        d_rz, d_n = d.split((2 * u.shape[1], u.shape[1]))
        b_rz, b_n = b.split((2 * u.shape[1], u.shape[1]))
        yield _Way(number, _nrz(w), u, torch.cat((b_n, b_rz + d_rz, d_n))[:, None])


def _nrz(rows: Tensor) -> Tensor:
    r, z, n = rows.chunk(3)
    return torch.cat((n, r, z))


def _rzn(rows: Tensor) -> Tensor:
    n, r, z = rows.chunk(3)
    return torch.cat((r, z, n))


def _forward(way: _Way, xs: Sequence[Tensor], gates: Sequence[Tensor], states: Sequence[Tensor]) -> None:
    """Fills in the gates and the states."""
    units = way.u.shape[1]
    before: Tensor | None = None
    for x, here, state in zip(xs, gates, states, strict=True):
        n, r, z, u = here.chunk(4)
        here.copy_(way.offset)
        here[: 3 * units].addmm_(way.w, x)
        if before is not None:
            here[units:].addmm_(way.u, before)
        here[units : 3 * units].sigmoid_()
        n.addcmul_(r, u).tanh_()
        if before is None:
            torch.addcmul(n, n, z, value=-1, out=state)
        else:
            torch.lerp(n, before, z, out=state)
        before = state


def _backward(
    way: _Way,
    xs: Sequence[Tensor],
    gates: Sequence[Tensor],
    states: Sequence[Tensor],
    grads: Sequence[Tensor],
    of_xs: Sequence[Tensor] | None,
) -> tuple[Float[Tensor, "g f"], Float[Tensor, "g h"], Float[Tensor, " row"]]:
    """The gradients of W (rows n, r, z), of U, and of the rows of a frame, summed; that of x is added to `of_xs`."""
    sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
    tanh_backward = torch.ops.aten.tanh_backward.grad_input
    units = way.u.shape[1]
    of_w, of_u = torch.zeros_like(way.w), torch.zeros_like(way.u)
    made = torch.empty_like(gates[0])
    of_n, of_r, of_z, of_u_h = made.chunk(4)
    of_input, of_state = made[: 3 * units], made[units:]
    ones, sums = made.new_ones(made.shape[1]), made.new_zeros(len(made))
    g, spare = torch.empty_like(of_n), torch.empty_like(of_n)
    for t in range(len(xs) - 1, -1, -1):
        n, r, z, u_h = gates[t].chunk(4)
        if t + 1 < len(xs):
            g += grads[t]
        else:
            g.copy_(grads[t])
        before = states[t - 1] if t else None
        torch.neg(n, out=spare) if before is None else torch.sub(before, n, out=spare)
        sigmoid_backward(spare.mul_(g), z, grad_input=of_z)
        g_z = torch.mul(g, z, out=spare)
        tanh_backward(g.sub_(g_z), n, grad_input=of_n)
        torch.mul(of_n, r, out=of_u_h)
        sigmoid_backward(torch.mul(of_n, u_h, out=g), r, grad_input=of_r)
        of_w.addmm_(of_input, xs[t].t())
        sums.addmv_(made, ones)
        if of_xs is not None:
            of_xs[t].addmm_(way.w.t(), of_input)
        if before is not None:
            of_u.addmm_(of_state, before.t())
            g, spare = g_z.addmm_(way.u.t(), of_state), g
    return of_w, of_u, sums
