import math

import pytest
import torch
from torch import Tensor

from kinestream.models.kernels.dropout import Dropout


def masks(p: float, rows: int, columns: int, device: torch.device) -> Tensor:
    """Which elements are kept, of many rows drawn in turn."""
    dropout = Dropout(p)
    return torch.stack([dropout(torch.ones(columns, device=device)) for _ in range(rows)]).cpu() != 0


@pytest.mark.parametrize("p", [0.5, 0.3, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_elements_are_zeroed_or_scaled_and_the_gradient_is_masked_alike(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    start = torch.rand(7, 11, 13, dtype=dtype).add_(1).requires_grad_()
    found = Dropout(p)(start * 1)
    kept = found.detach() != 0
    scale = torch.tensor(1 / (1 - p), dtype=dtype)
    torch.testing.assert_close(found.detach(), start.detach() * kept * scale)
    direction = torch.randn_like(found)
    (gradient,) = torch.autograd.grad(found, start, direction)
    torch.testing.assert_close(gradient, direction * kept * scale)


@pytest.mark.parametrize("p", [0.5, 0.3, 0.9])
def test_draws_are_independent_with_the_right_probability(p: float, device: torch.device) -> None:
    torch.manual_seed(1)
    rows, columns = 400, 1003
    kept = masks(p, rows, columns, device).double()
    count, deviation = rows * columns, math.sqrt(p * (1 - p))
    assert abs(float(kept.mean()) - (1 - p)) < 5 * deviation / math.sqrt(count)
    # Each place of a word alike: the largest of 1 003 deviations from the mean over rows stays below 5 sigma.
    assert float((kept.mean(dim=0) - (1 - p)).abs().max()) < 5 * deviation / math.sqrt(rows)
    centred = kept.flatten() - (1 - p)
    for lag in (1, 2, 7, 8, 31, 32, 63, 64, 128, columns):
        correlation = float((centred[:-lag] * centred[lag:]).mean()) / deviation**2
        assert abs(correlation) < 5 / math.sqrt(count), lag


def test_sums_of_a_row_spread_as_a_binomial(device: torch.device) -> None:
    torch.manual_seed(2)
    sums = masks(0.5, 4000, 256, device).sum(dim=1).double()
    assert abs(float(sums.var()) / 64 - 1) < 5 * math.sqrt(2 / 4000)


def test_the_seed_decides_and_every_element_of_a_large_tensor_is_reached() -> None:
    dropout, x = Dropout(0.5), torch.ones(70_001, 5)
    torch.manual_seed(3)
    first = dropout(x.clone())
    second = dropout(x.clone())
    torch.manual_seed(3)
    assert torch.equal(first, dropout(x.clone()))
    assert not torch.equal(first, second)
    assert abs(float(first[-1000:].mean()) - 1) < 0.1


def test_the_axes_may_lie_in_any_order() -> None:
    torch.manual_seed(4)
    start = torch.rand(1, 9, 5, 6).add_(1).contiguous(memory_format=torch.channels_last)
    leaf = start.clone(memory_format=torch.preserve_format).requires_grad_()
    found = Dropout(0.5)(leaf * 1)
    assert found.is_contiguous(memory_format=torch.channels_last)
    kept = found.detach() != 0
    torch.testing.assert_close(found.detach(), start * kept * 2)
    direction = torch.randn(start.shape)
    (gradient,) = torch.autograd.grad(found, leaf, direction)
    torch.testing.assert_close(gradient, direction * kept * 2)
    assert gradient.is_contiguous(memory_format=torch.channels_last)


def test_nothing_happens_in_evaluation_or_without_probability() -> None:
    x = torch.ones(5)
    assert torch.equal(Dropout(0.5).eval()(x), torch.ones(5))
    assert torch.equal(Dropout(0.0)(x), torch.ones(5))
    with pytest.raises(ValueError, match=r"dropout \(1.0\) must be in"):
        Dropout(1.0)


def test_what_inference_mode_has_prepared_serves_training_too() -> None:
    with torch.inference_mode():
        Dropout(0.5)(torch.ones(64, dtype=torch.float16))
    x = torch.ones(64, dtype=torch.float16, requires_grad=True)
    Dropout(0.5)(x * 1).sum().backward()
    assert x.grad is not None
