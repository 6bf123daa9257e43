import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kinestream.models.kernels.temporal import as_image, spectral_convolution, spectral_pays, temporal_convolution


def image(frames: int, channels: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return as_image(torch.randn(1, frames, 6, channels, dtype=dtype))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("taps", [1, 3, 9])
@pytest.mark.parametrize("frames", [1, 2, 5, 8, 13, 16])
def test_the_frequency_domain_gives_the_convolution_and_its_gradients(frames: int, taps: int, stride: int) -> None:
    torch.manual_seed(frames)
    x = image(frames, 3).requires_grad_()
    weight = torch.randn(4, 3, taps, 1, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    expected = functional.conv2d(x, weight, bias, (stride, 1), (taps // 2, 0))
    found = spectral_convolution(x, weight, bias, stride)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    direction = torch.randn_like(expected)
    gradients = torch.autograd.grad(expected, (x, weight, bias), direction)
    for one, other in zip(torch.autograd.grad(found, (x, weight, bias), direction), gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("frames", "stride"), [(7, 1), (7, 2), (6, 2)])
def test_gradients_agree_with_differences(frames: int, stride: int) -> None:
    torch.manual_seed(0)
    x = image(frames, 2).requires_grad_()
    weight = torch.randn(3, 2, 5, 1, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *inputs: spectral_convolution(*inputs, stride), (x, weight, bias))


@pytest.mark.parametrize(("frames", "stride"), [(8, 1), (16, 1), (16, 2), (13, 1)])
def test_float32_stays_within_rounding(frames: int, stride: int, device: torch.device) -> None:
    torch.manual_seed(0)
    x, weight, bias = image(frames, 128), torch.randn(128, 128, 9, 1, dtype=torch.float64), torch.zeros(128)
    assert spectral_pays(frames, 128, 9, stride)
    expected = functional.conv2d(x, weight, None, (stride, 1), (4, 0))
    found = temporal_convolution(*(one.to(device, torch.float32) for one in (x, weight, bias)), stride).cpu()
    assert found.dtype == torch.float32
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-5


def test_few_channels_and_reduced_precision_are_convolved_directly() -> None:
    assert not spectral_pays(32, 16, 9, 1)
    assert not spectral_pays(50, 16, 9, 1)
    torch.manual_seed(0)
    x = image(8, 128, torch.float32)
    weight, bias = torch.randn(128, 128, 9, 1), torch.randn(128)
    with torch.autocast("cpu", torch.bfloat16):
        found = temporal_convolution(x, weight, bias)
        assert found.dtype == torch.bfloat16
        assert (found == functional.conv2d(x, weight, bias, padding=(4, 0))).all()


def test_what_inference_mode_has_prepared_serves_training_too() -> None:
    convolution = nn.Conv2d(64, 64, (9, 1), padding=(4, 0))
    x = image(11, 64, torch.float32)
    with torch.inference_mode():
        temporal_convolution(x, convolution.weight, convolution.bias)
    temporal_convolution(x, convolution.weight, convolution.bias).sum().backward()
    assert convolution.weight.grad is not None


def test_a_frozen_weight_gets_no_gradient_and_the_input_does() -> None:
    x = image(8, 64, torch.float32).requires_grad_()
    weight, bias = torch.randn(64, 64, 9, 1), torch.randn(64)
    temporal_convolution(x, weight, bias).sum().backward()
    assert x.grad is not None
    assert weight.grad is None
