"""One frame of a GRU. For its input x and the state h of the frame before (Cho et al. 2014, in torch's form),

    n = tanh(W_n x + b_n + r u),  u = U_n h + d_n       r = sigmoid(W_r x + b_r + U_r h + d_r)
    h' = n + z (h - n)                                  z = sigmoid(W_z x + b_z + U_z h + d_z).

The rows of a frame are n, r, z and u, of all bodies side by side: what W gives (n, r, z) and what U gives (r, z, u) are
then rows that lie together, and each gate is one piece of memory.

Shapes: t frame, f feature of a frame, b body, h unit of one direction, d of both, g of three gates.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Way(NamedTuple):
    """One direction, with its weights as the rows of a frame take them."""

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
        """This direction's half."""
        return states.chunk(2, dim=1)[self.number]

    def gradients(
        self,
        of_w: Float[Tensor, "g f"],
        of_u: Float[Tensor, "g h"],
        of_rows: Float[Tensor, " row"],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """In torch's order of the gates, from those of w, of u, and of the rows of all frames."""
        units = of_u.shape[1]
        return _rzn(of_w), of_u, _rzn(of_rows[: 3 * units]), of_rows[units:]


def ways(weights: Sequence[Tensor], scale: Tensor | None, shift: Tensor | None) -> Iterator[Way]:
    """Both directions of a layer whose input is scaled and shifted first."""
    for number in range(2):
        w, u, b, d = weights[4 * number : 4 * number + 4]
        if scale is not None and shift is not None:
            w, b = w * scale, b + w @ shift
        b_rz, b_n = b.split((2 * u.shape[1], u.shape[1]))
        d_rz, d_n = d.split((2 * u.shape[1], u.shape[1]))
        yield Way(number, _nrz(w), u, torch.cat((b_n, b_rz + d_rz, d_n))[:, None])


def through_scale(
    of_w: Float[Tensor, "g f"], of_b: Float[Tensor, " g"], w: Float[Tensor, "g f"], scale: Tensor, shift: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of w, scale and shift from those of `w * scale` and `b + w @ shift`."""
    return torch.addr(of_w * scale, of_b, shift), (w * of_w).sum(dim=0), of_b @ w


def close_frame(here: Float[Tensor, "row b"], before: Float[Tensor, "h b"] | None, state: Tensor) -> None:
    """Turns the sums of a frame into gates, in place, and gives its state."""
    n, r, z, u = here.chunk(4)
    units = len(n)
    here[units : 3 * units].sigmoid_()
    n.addcmul_(r, u).tanh_()
    if before is None:
        torch.addcmul(n, n, z, value=-1, out=state)
    else:
        torch.lerp(n, before, z, out=state)


def open_frame(
    gates: Float[Tensor, "row b"],
    before: Float[Tensor, "h b"] | None,
    of_state: Float[Tensor, "h b"],
    of_before: Float[Tensor, "h b"],
    made: Float[Tensor, "row b"],
) -> None:
    """From the gradient of a state, which is lost, to those of the sums of its frame, in `made`, and of the state
    before, in `of_before`, without what comes to that through the sums."""
    n, r, z, u = gates.chunk(4)
    of_n, of_r, of_z, of_u = made.chunk(4)
    if before is None:
        torch.neg(n, out=of_before)
    else:
        torch.sub(before, n, out=of_before)
    _sigmoid_backward(of_before.mul_(of_state), z, grad_input=of_z)
    torch.mul(of_state, z, out=of_before)
    _tanh_backward(of_state.sub_(of_before), n, grad_input=of_n)
    torch.mul(of_n, r, out=of_u)
    _sigmoid_backward(torch.mul(of_n, u, out=of_state), r, grad_input=of_r)


_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


def _nrz(rows: Tensor) -> Tensor:
    r, z, n = rows.chunk(3)
    return torch.cat((n, r, z))


def _rzn(rows: Tensor) -> Tensor:
    n, r, z = rows.chunk(3)
    return torch.cat((r, z, n))
