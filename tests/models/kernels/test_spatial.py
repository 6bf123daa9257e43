import pytest
import torch
from torch import Tensor

from kinestream.models.kernels.graph import adjacency
from kinestream.models.kernels.spatial import Links, gather_links
from kinestream.skeleton.layout import KINECT20, NTU25, SkeletonLayout


def dense(x: Tensor, a: Tensor) -> Tensor:
    return torch.einsum("kvw,tvbc->twkbc", a, x).flatten(1, 2)


@pytest.mark.parametrize("layout", [NTU25, KINECT20], ids=lambda layout: layout.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_dense_sum_with_gradients(layout: SkeletonLayout, dtype: torch.dtype, device: torch.device) -> None:
    torch.manual_seed(0)
    pattern = torch.from_numpy(adjacency(layout)).to(device, dtype)
    links = Links.of(pattern)
    importance = torch.randn_like(pattern).requires_grad_()
    x = torch.randn(5, len(layout.joints), 2, 16, dtype=dtype, device=device, requires_grad=True)
    expected, found = dense(x, pattern * importance), gather_links(x, pattern * importance, links)
    torch.testing.assert_close(found, expected)
    direction = torch.randn_like(expected)
    gradients = torch.autograd.grad(expected, (x, importance), direction)
    for one, other in zip(torch.autograd.grad(found, (x, importance), direction), gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_gradients_agree_with_differences_where_targets_have_no_link_or_many() -> None:
    torch.manual_seed(0)
    a = torch.randn(2, 4, 4, dtype=torch.float64)
    a[0, :, 1] = 0
    a[1, 2] = 0
    a[:, :, 3] = 0
    links = Links.of(a)
    x = torch.randn(3, 4, 1, 2, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(gather_links(x, a, links), dense(x, a))
    weights = torch.where(a != 0, torch.randn_like(a), 0)
    assert torch.autograd.gradcheck(
        lambda x, weights: gather_links(x, weights * (a != 0), links), (x, weights.requires_grad_())
    )


def test_reduced_precision_takes_the_dense_product() -> None:
    torch.manual_seed(0)
    a = torch.from_numpy(adjacency(NTU25)).float()
    x = torch.randn(3, 25, 2, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = gather_links(x, a, Links.of(a))
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), dense(x, a), rtol=0.05, atol=0.05)
