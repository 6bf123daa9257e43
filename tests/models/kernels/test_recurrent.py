"""The recurrent layer against torch's own: states and every gradient."""

import pytest
import torch
from torch import Tensor, nn

from kinestream.models.kernels.recurrent import bidirectional_gru


def made(features: int, units: int, shape: tuple[int, int], dtype: torch.dtype) -> tuple[nn.GRU, list[Tensor]]:
    """A layer; input, scale and shift, which all want gradients."""
    torch.manual_seed(features + units)
    layer = nn.GRU(features, units, bidirectional=True).to(dtype)
    x = torch.randn(shape[0], features, shape[1], dtype=dtype, requires_grad=True)
    scale = torch.rand(features, dtype=dtype).add(0.5).requires_grad_()
    shift = torch.randn(features, dtype=dtype).requires_grad_()
    return layer, [x, scale, shift]


def by_torch(layer: nn.GRU, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    states: Tensor = layer(x.mT * scale + shift)[0]
    return states.mT


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize(("frames", "bodies"), [(9, 4), (1, 3), (2, 1), (24, 33)])
@pytest.mark.parametrize(("features", "units"), [(7, 5), (1, 1), (60, 32)])
def test_states_and_gradients_are_those_of_torch(
    features: int, units: int, frames: int, bodies: int, dtype: torch.dtype, rounding: float
) -> None:
    layer, inputs = made(features, units, (frames, bodies), dtype)
    wanted = [*inputs, *layer.parameters()]
    expected, found = by_torch(layer, *inputs), bidirectional_gru(inputs[0], layer, *inputs[1:])
    torch.testing.assert_close(found, expected, rtol=rounding, atol=rounding)
    direction = torch.randn_like(expected)
    gradients = zip(
        torch.autograd.grad(found, wanted, direction), torch.autograd.grad(expected, wanted, direction), strict=True
    )
    for one, other in gradients:
        assert float((one - other).norm()) <= rounding * float(other.norm())


def test_gradients_agree_with_differences() -> None:
    layer, inputs = made(3, 2, (4, 2), torch.float64)

    def states(x: Tensor, scale: Tensor, shift: Tensor, *weights: Tensor) -> Tensor:
        names = [name for name, _ in layer.named_parameters()]
        own = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(
            Holder(layer), {f"layer.{name}": own[name] for name in names}, (x, scale, shift)
        )

    assert torch.autograd.gradcheck(states, (*inputs, *layer.parameters()))


class Holder(nn.Module):
    def __init__(self, layer: nn.GRU) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        return bidirectional_gru(x, self.layer, scale, shift)


def test_data_needs_no_gradient_and_a_second_pass_back_gives_the_same() -> None:
    layer, (x, scale, shift) = made(6, 4, (5, 3), torch.float64)
    states = bidirectional_gru(x.detach(), layer, scale, shift)
    wanted = (scale, shift, *layer.parameters())
    first = torch.autograd.grad(states.sum(), wanted, retain_graph=True)
    second = torch.autograd.grad(states.sum(), wanted)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_any_order_in_memory_is_taken() -> None:
    layer, (x, _, _) = made(6, 4, (5, 3), torch.float64)
    turned = x.detach().permute(2, 0, 1).contiguous().permute(1, 2, 0)
    assert not turned.is_contiguous()
    found = bidirectional_gru(turned, layer)
    torch.testing.assert_close(found, bidirectional_gru(x.detach(), layer))
    direction = torch.randn(3, 5, 8, dtype=torch.float64).permute(1, 2, 0)
    for one, other in zip(
        torch.autograd.grad(found, list(layer.parameters()), direction, retain_graph=True),
        torch.autograd.grad(found, list(layer.parameters()), direction.contiguous()),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
