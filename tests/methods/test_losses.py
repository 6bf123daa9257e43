"""Losses against loops that spell the formulas out."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinestream.methods.losses import byol_loss, caca_loss, cosine_distance, nt_xent_loss, vicreg_loss, whiten
from kinestream.methods.spread import feature_spread


def embeddings(
    seed: int, count: int, batch: int = 6, size: int = 5, device: torch.device | str = "cpu"
) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drawn = (torch.randn(batch, size, generator=generator, dtype=torch.float64) for _ in range(count))
    return [one.to(device) for one in drawn]


def naive_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    total = 0.0
    for row_a, row_b in zip(a.tolist(), b.tolist(), strict=True):
        dot = sum(x * y for x, y in zip(row_a, row_b, strict=True))
        total += 2 - 2 * dot / (sum(x * x for x in row_a) ** 0.5 * sum(y * y for y in row_b) ** 0.5)
    return total / len(a)


@given(seed=st.integers(0, 100))
def test_losses_against_loops(device: torch.device, seed: int) -> None:
    q1, q2, z1, z2 = embeddings(seed, 4, device=device)
    d = naive_distance
    assert float(cosine_distance(q1, z1)) == pytest.approx(d(q1, z1))
    assert float(byol_loss(q1, q2, z1, z2)) == pytest.approx(d(q1, z2) + d(q2, z1))
    assert float(caca_loss(q1, q2, z1, z2)) == pytest.approx(d(q1, q2) - 0.5 * (d(q1, z1) + d(q2, z2)))
    assert float(caca_loss(q1, q2, z1, z2, push=2.0)) == pytest.approx(d(q1, q2) - 2 * (d(q1, z1) + d(q2, z2)))


@given(seed=st.integers(0, 100), scale=st.floats(0.01, 100))
def test_only_directions_count(seed: int, scale: float) -> None:
    q1, q2, z1, z2 = embeddings(seed, 4)
    assert float(caca_loss(scale * q1, q2, z1, scale * z2)) == pytest.approx(float(caca_loss(q1, q2, z1, z2)))


def test_caca_is_least_where_it_collapses() -> None:
    """One prediction for all, opposite to one target for all: the bound that the doc states, -4 * push."""
    same = torch.ones(6, 5)
    assert float(caca_loss(same, same, -same, -same)) == pytest.approx(-4.0)


def test_whitened_targets_have_no_mean_and_no_correlation(device: torch.device) -> None:
    (z,) = embeddings(3, 1, batch=200, size=8)
    z = z @ torch.diag(torch.logspace(-3, 1, 8, dtype=torch.float64)) + 5
    w = whiten(z.to(device), shrinkage=0.0).cpu()
    torch.testing.assert_close(w.mean(dim=0), torch.zeros(8, dtype=torch.float64), atol=1e-7, rtol=0)
    covariance = (w.T @ w / len(w)).numpy()
    np.testing.assert_allclose(covariance, np.eye(8), atol=1e-6)
    # The whitening is the symmetric one: as near to the centred targets as any.
    assert float(torch.linalg.eigvalsh(w.T @ (z - z.mean(dim=0))).min()) > 0


def test_shrinkage_leaves_weak_directions_weak() -> None:
    (z,) = embeddings(4, 1, batch=200, size=2)
    z = z * torch.tensor([10.0, 0.1], dtype=torch.float64)
    variance = whiten(z, shrinkage=0.1).var(dim=0, correction=0)
    assert 0.94 < float(variance[0]) < 0.96
    assert float(variance[1]) < 0.01


def test_whitening_of_collapsed_targets_stays_finite() -> None:
    assert torch.isfinite(whiten(torch.ones(8, 4))).all()
    assert torch.isfinite(whiten(torch.randn(4, 64))).all(), "fewer clips than directions"


def test_targets_carry_no_gradient_through_whitening() -> None:
    z = torch.randn(8, 4, requires_grad=True)
    assert not whiten(z).requires_grad


def test_feature_spread_from_collapse_to_isotropy() -> None:
    generator = torch.Generator().manual_seed(0)
    isotropic = torch.randn(20_000, 16, generator=generator)
    assert float(feature_spread(isotropic)) == pytest.approx(1.0, abs=0.01)
    assert float(feature_spread(torch.ones(10, 16))) == 0.0
    nearly_one = torch.ones(2000, 16) + 0.04 * torch.randn(2000, 16, generator=generator)
    assert float(feature_spread(nearly_one)) == pytest.approx(0.04, rel=0.1)


def test_half_precision_is_left_before_a_loss(device: torch.device) -> None:
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 32, 16).to(device)
    for work in (nt_xent_loss, vicreg_loss, cosine_distance):
        with torch.autocast(device.type, torch.bfloat16):
            found = work(z1, z2)
        assert torch.equal(found, work(z1, z2)), work
    with torch.autocast(device.type, torch.bfloat16):
        found = whiten(z1)
        assert whiten(z1.bfloat16()).dtype == torch.float32
    assert torch.equal(found, whiten(z1))
