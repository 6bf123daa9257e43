"""Batch normalisation against torch's own, which is given every row as often as it counts."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from kinestream.models.kernels.batch_norm import BatchNorm1d, BatchNorm2d

BODIES, JOINTS, FRAMES, CHANNELS = 4, 3, 5, 6
COUNTS = torch.tensor([1, 1, 7, 2])


def image(dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    """`(1, c, t, (v b))`, channels last, with a mean far from 0."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(1, FRAMES, JOINTS * BODIES, CHANNELS, generator=generator, dtype=torch.float64) * 2 + 5
    return rows.to(dtype).permute(0, 3, 1, 2)


def expanded(x: Tensor) -> Tensor:
    """Every body of an image as often as `COUNTS` says."""
    by_body = x.unflatten(3, (JOINTS, BODIES))
    return by_body.repeat_interleave(COUNTS.to(x.device), dim=4).flatten(3)


def with_affine(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    nn.init.normal_(norm.weight, 1, 0.3)
    nn.init.normal_(norm.bias, 0, 0.3)
    return norm.double()


def by_torch(norm: BatchNorm1d | BatchNorm2d) -> nn.BatchNorm1d | nn.BatchNorm2d:
    kind = nn.BatchNorm1d if isinstance(norm, BatchNorm1d) else nn.BatchNorm2d
    plain = kind(norm.num_features).to(norm.weight)
    plain.load_state_dict(norm.state_dict())
    plain.momentum = norm.momentum
    return plain


def compare(norm: BatchNorm1d | BatchNorm2d, x: Tensor, weights: Tensor, repeat: Callable[[Tensor], Tensor]) -> None:
    """Two steps, so that the running statistics come from both; on the device of `x`."""
    norm.to(x.device)
    reference = by_torch(norm)
    for shift in (0.0, 1.0):
        ours, theirs = ((x + shift).requires_grad_() for _ in range(2))
        y, expected = norm(ours, weights), reference(repeat(theirs))
        torch.testing.assert_close(repeat(y), expected, rtol=1e-12, atol=1e-12)
        # A nonlinear loss: gradients of equal rows are equal, and each counts.
        (repeat(y).sin() ** 2).sum().backward()
        (expected.sin() ** 2).sum().backward()
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-11, atol=1e-11)
    for name, parameter in norm.named_parameters():
        torch.testing.assert_close(parameter.grad, reference.get_parameter(name).grad, rtol=1e-11, atol=1e-11)
    for name, buffer in norm.named_buffers():
        torch.testing.assert_close(buffer, reference.get_buffer(name), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_body_with_a_weight_is_that_many_equal_bodies(momentum: float | None, device: torch.device) -> None:
    norm = with_affine(BatchNorm2d(CHANNELS))
    assert isinstance(norm, BatchNorm2d)
    norm.momentum = momentum
    compare(norm, image().to(device), COUNTS.double().to(device), expanded)


@pytest.mark.parametrize("shape", [(BODIES, CHANNELS), (BODIES, CHANNELS, FRAMES)])
def test_a_row_with_a_weight_is_that_many_equal_rows(shape: tuple[int, ...], device: torch.device) -> None:
    norm = with_affine(BatchNorm1d(CHANNELS))
    assert isinstance(norm, BatchNorm1d)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3 - 2
    counts = COUNTS.to(device)
    compare(norm, x.to(device), counts.double(), lambda y: y.repeat_interleave(counts, dim=0))


@pytest.mark.parametrize("training", [True, False])
def test_without_weights_it_is_torchs_bit_for_bit(training: bool) -> None:
    torch.manual_seed(0)
    norm = BatchNorm2d(CHANNELS).train(training)
    reference = by_torch(norm).train(training)
    ours, theirs = (image(torch.float32).requires_grad_() for _ in range(2))
    y, expected = norm(ours), reference(theirs)
    assert torch.equal(y, expected)
    y.sin().sum().backward()
    expected.sin().sum().backward()
    assert torch.equal(ours.grad, theirs.grad)  # type: ignore[arg-type]
    assert all(torch.equal(value, reference.state_dict()[name]) for name, value in norm.state_dict().items())
    assert list(norm.state_dict()) == list(reference.state_dict())


def test_weights_do_not_count_in_evaluation_mode() -> None:
    norm = BatchNorm2d(CHANNELS).double().eval()
    before = copy.deepcopy(norm.state_dict())
    assert torch.equal(norm(image(), COUNTS.double()), norm(image()))
    assert all(torch.equal(value, norm.state_dict()[name]) for name, value in before.items())


def test_single_precision_keeps_a_small_variance_beside_a_large_mean() -> None:
    # Mean 1000, deviation 2: mean square less squared mean would be wrong in the first digit.
    x = (image() + 995).float()
    norm = BatchNorm2d(CHANNELS)
    expected = nn.BatchNorm2d(CHANNELS).double()(expanded(x.double()))
    torch.testing.assert_close(expanded(norm(x, COUNTS.float())).double(), expected, rtol=0, atol=1e-3)


def test_reduced_precision_keeps_its_type_and_takes_exact_statistics() -> None:
    x = image(torch.bfloat16).requires_grad_()
    norm = BatchNorm2d(CHANNELS)
    y = norm(x, COUNTS.float())
    y.float().sin().sum().backward()
    assert y.dtype == torch.bfloat16
    assert x.grad is not None
    assert x.grad.dtype == torch.bfloat16
    full = image(torch.bfloat16).float().requires_grad_()
    BatchNorm2d(CHANNELS)(full, COUNTS.float()).sin().sum().backward()
    assert full.grad is not None
    torch.testing.assert_close(x.grad.float(), full.grad, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("weights", [None, COUNTS.double()])
@pytest.mark.parametrize("training", [True, False])
def test_standardised_rows_lack_weight_and_bias_alone(
    training: bool, weights: Tensor | None, momentum: float | None
) -> None:
    norm = with_affine(BatchNorm1d(CHANNELS)).train(training)
    assert isinstance(norm, BatchNorm1d)
    norm.momentum = momentum
    other = copy.deepcopy(norm)
    x = torch.randn(BODIES, CHANNELS, FRAMES, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3 - 2
    ours, theirs = (x.clone().requires_grad_() for _ in range(2))
    y = norm.standardised(ours.permute(2, 1, 0), weights).permute(2, 1, 0)
    y = y * norm.weight[:, None] + norm.bias[:, None]
    expected = other(theirs, weights)
    torch.testing.assert_close(y, expected)
    y.sin().sum().backward()
    expected.sin().sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    for name, buffer in norm.named_buffers():
        torch.testing.assert_close(buffer, other.get_buffer(name))
