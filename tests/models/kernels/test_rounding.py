"""Products of spectra that round: near to the exact ones, and only in passes forward of the module that asked."""

import pytest
import torch
from torch import Tensor, nn

from kinestream.models.kernels import rounding
from kinestream.models.kernels.rounding import check_rounding, round_spectra, rounding_is_fast, spectra_rounded
from kinestream.models.kernels.temporal import as_image, spectral_pays, temporal_convolution

fast = pytest.mark.skipif(not rounding_is_fast(), reason="this processor has no fast products in bfloat16")
FRAMES, CHANNELS = 16, 64


class Convolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(CHANNELS, CHANNELS, 9, 1) / 24)

    def forward(self, x: Tensor) -> Tensor:
        if x.isnan().any():
            raise ArithmeticError
        return temporal_convolution(x, self.weight, None)


def gradients(module: Convolution, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What it gives for x, and the gradients of x and of the weight for a direction."""
    x = x.detach().requires_grad_()
    y = module(x)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    return y.detach(), *torch.autograd.grad(y, (x, module.weight), direction)


@fast
def test_rounding_stays_within_what_eight_bits_lose() -> None:
    assert spectral_pays(FRAMES, CHANNELS, 9, 1)
    torch.manual_seed(0)
    module, x = Convolution(), as_image(torch.randn(1, FRAMES, 40, CHANNELS))
    exact = gradients(module, x)
    round_spectra(module)
    for one, other in zip(gradients(module, x), exact, strict=True):
        assert 1e-4 < float((one - other).norm() / other.norm()) < 0.02


@fast
def test_what_others_compute_stays_exact_bit_for_bit() -> None:
    torch.manual_seed(0)
    module, x = Convolution(), as_image(torch.randn(1, FRAMES, 40, CHANNELS))
    exact = temporal_convolution(x, module.weight, None)
    round_spectra(module)
    module(x)
    with pytest.raises(ArithmeticError):
        module(torch.full_like(x, torch.nan))
    assert not spectra_rounded()
    assert torch.equal(temporal_convolution(x, module.weight, None), exact)
    assert torch.backends.mkldnn.matmul.fp32_precision != "bf16"


def test_it_is_refused_where_it_is_not_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounding, "rounding_is_fast", lambda: False)
    with pytest.raises(ValueError, match="spectral-bf16 is for processors with products in bfloat16"):
        check_rounding(torch.device("cpu"))
    monkeypatch.setattr(rounding, "rounding_is_fast", lambda: True)
    check_rounding(torch.device("cpu"))
    with pytest.raises(ValueError, match="this would train on cuda"):
        check_rounding(torch.device("cuda"))
