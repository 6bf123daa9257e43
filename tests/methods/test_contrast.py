"""Losses and mining of the queue methods, and the in-batch losses, against loops that spell the formulas out."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.reference import literal_contrast as literal
from torch import Tensor

from kinestream.methods.attention_drop import attention_drop, energy_attention
from kinestream.methods.contrast import (
    Similarities,
    context_loss,
    distribution_loss,
    info_nce,
    nearest,
    own_key_found,
    positives_loss,
    similarities,
    union_of_nearest,
    with_own,
)
from kinestream.methods.losses import nt_xent_loss, vicreg_loss
from kinestream.methods.momentum_contrast import cross_losses, shared_neighbours

T = 0.07


def rows(seed: int, count: int = 1, batch: int = 5, size: int = 4, device: torch.device | str = "cpu") -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(batch, size, generator=generator, dtype=torch.float64) for _ in range(count)]
    return [(row / row.norm(dim=1, keepdim=True)).to(device) for row in drawn]


def queue(seed: int, length: int = 9, device: torch.device | str = "cpu") -> Tensor:
    return rows(1000 + seed, batch=length, device=device)[0]


def numpy(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.cpu().numpy() for tensor in tensors]


@given(seed=st.integers(0, 200), temperature=st.floats(0.05, 1.0))
def test_info_nce(device: torch.device, seed: int, temperature: float) -> None:
    q, k = rows(seed, 2, device=device)
    ring = queue(seed, device=device)
    found = info_nce(similarities(q, k, ring).logits(temperature))
    assert found.item() == pytest.approx(literal.info_nce(*numpy(q, k, ring), temperature))


@given(seed=st.integers(0, 200), k=st.integers(1, 9))
def test_mining_marks_the_largest(seed: int, k: int) -> None:
    (q,) = rows(seed)
    similarity = q @ queue(seed).T
    for row, marks in zip(similarity.tolist(), nearest(similarity, k).tolist(), strict=True):
        assert {j for j, mark in enumerate(marks) if mark} == literal.largest(row, k)


@given(seed=st.integers(0, 200), k=st.integers(1, 4))
def test_crosclr_mining_with_context(device: torch.device, seed: int, k: int) -> None:
    streams = {}
    pieces = {}
    for number, stream in enumerate(("joint", "motion", "bone")):
        q, key = rows(seed + 300 * number, 2, device=device)
        ring = queue(seed + 300 * number, device=device)
        streams[stream] = similarities(q, key, ring)
        pieces[stream] = numpy(q, key, ring)
    losses = cross_losses(streams, k, T)
    for u, loss in losses.items():
        expected = [literal.crosclr_pair(*pieces[u], *pieces[w], k, T) for w in streams if w != u]
        assert loss.item() == pytest.approx(sum(expected) / 2)
    shared = [
        np.mean([len(literal.largest(a, k) & literal.largest(b, k)) / k for a, b in zip(x, y, strict=True)])
        for x, y in [
            (streams[u].queue.tolist(), streams[w].queue.tolist())
            for u, w in (("joint", "motion"), ("joint", "bone"), ("motion", "bone"))
        ]
    ]
    assert shared_neighbours(streams, k).item() == pytest.approx(np.mean(shared))


def test_gradients_reach_both_streams_through_the_context_and_none_through_the_mining() -> None:
    q, k, r, s = (row.requires_grad_() for row in rows(0, 4))
    own, other = similarities(q, k.detach(), queue(0)), similarities(r, s.detach(), queue(1))
    context_loss(own, other, 1, T).backward()
    assert q.grad is not None
    assert r.grad is not None
    # By hand, mined positives held fixed: the same gradient.
    mined = nearest(other.queue.detach(), 1)
    again = [row.detach().clone().requires_grad_() for row in (q, r)]
    own, other = similarities(again[0], k.detach(), queue(0)), similarities(again[1], s.detach(), queue(1))
    logits = torch.cat([own.own[:, None], own.queue, own.queue * other.queue], dim=1) / T
    positives_loss(logits, torch.cat([with_own(mined), mined], dim=1)).backward()
    torch.testing.assert_close(again[0].grad, q.grad)
    torch.testing.assert_close(again[1].grad, r.grad)


@given(seed=st.integers(0, 200), k=st.integers(0, 3))
def test_aimclr_distribution_loss_and_neighbours(device: torch.device, seed: int, k: int) -> None:
    normal, plain, dropped, key = rows(seed, 4, device=device)
    ring = queue(seed, device=device)
    found = [similarities(q, key, ring) for q in (normal, plain, dropped)]
    logits = [similarity.logits(T) for similarity in found]
    mined = union_of_nearest(found, k) if k else torch.zeros(5, 9, dtype=torch.bool, device=device)
    first, second = literal.aimclr(*numpy(normal, plain, dropped, key, ring), T, k)
    assert positives_loss(logits[0], with_own(mined)).item() == pytest.approx(first)
    distributions = [distribution_loss(logits[0], other) for other in logits[1:]]
    assert (sum(distributions) / 2).item() == pytest.approx(second)  # type: ignore[union-attr]
    if not k:
        assert positives_loss(logits[0], with_own(mined)).item() == pytest.approx(info_nce(logits[0]).item())


def test_the_normal_view_leads_and_is_not_led() -> None:
    lead, led = (row.requires_grad_() for row in rows(0, 2))
    distribution_loss(lead, led).backward()
    assert lead.grad is None
    assert led.grad is not None
    entropy = distribution_loss(lead, lead).item()
    assert entropy < distribution_loss(lead, led).item(), "least where the two distributions are one"


@given(seed=st.integers(0, 100), threshold=st.sampled_from([0.63, 0.645, 0.66, 0.7, 0.75]))
def test_attention_drop(seed: int, threshold: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 4, 5, 6, generator=generator, dtype=torch.float64).relu()
    x[:, :, :, 2] *= 4  # a joint that stands out
    found = attention_drop(x, threshold)
    if float((energy_attention(x).mean(dim=(1, 2)) < threshold).sum()) == 0:
        assert not found.any()
        return
    np.testing.assert_allclose(found.numpy(), literal.attention_drop(x.numpy(), threshold), rtol=1e-12)


def test_attention_drop_takes_what_stands_out_and_only_what_is_left_has_a_gradient() -> None:
    x = torch.ones(1, 2, 4, 5, dtype=torch.float64)
    x[..., 3] = 9.0
    x.requires_grad_()
    y = attention_drop(x, 0.7)
    assert not y[..., 3].any()
    # 4 of 5 joints, and then 4 of 5 values, are kept.
    torch.testing.assert_close(y[..., :3], torch.full((1, 2, 4, 3), (5 / 4) ** 2, dtype=torch.float64))
    y.sum().backward()
    assert x.grad is not None
    assert not x.grad[..., 3].any()
    torch.testing.assert_close(x.grad[..., 0], torch.full((1, 2, 4), (5 / 4) ** 2, dtype=torch.float64))
    assert torch.isfinite(attention_drop(torch.zeros(1, 2, 4, 5), 0.5)).all(), "nothing is left"


@given(seed=st.integers(0, 200), temperature=st.floats(0.05, 1.0))
def test_nt_xent(seed: int, temperature: float) -> None:
    z1, z2 = (3 * row for row in rows(seed, 2))
    found = nt_xent_loss(z1, z2, temperature=temperature)
    assert found.item() == pytest.approx(literal.nt_xent(*numpy(z1, z2), temperature))


@given(seed=st.integers(0, 200), scale=st.floats(0.1, 4))
def test_vicreg(seed: int, scale: float) -> None:
    z1, z2 = (scale * row for row in rows(seed, 2))
    found = vicreg_loss(z1, z2, invariance=25.0, variance=20.0, covariance=2.0)
    assert found.item() == pytest.approx(literal.vicreg(*numpy(z1, z2), 25.0, 20.0, 2.0))


def test_what_vicreg_forbids() -> None:
    same = torch.ones(6, 4)
    assert vicreg_loss(same, same).item() == pytest.approx(25 * 0.99), "one embedding for all: the variance term"
    spread = torch.randn(4096, 4, generator=torch.Generator().manual_seed(0)) * 1.2
    assert vicreg_loss(spread, spread).item() < 0.02, "agreement, spread and no correlation cost nothing"
    copies = spread[:, :1].expand(-1, 4)
    assert vicreg_loss(copies, copies).item() > 10, "four times the same dimension: the covariance term"


def test_own_key_found_counted_by_hand() -> None:
    logits = torch.tensor([[0.9, 0.1, 0.2], [0.1, 0.5, 0.2], [0.3, 0.1, 0.2]])
    assert own_key_found(logits).item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("k", [0, 10])
def test_refuses_more_neighbours_than_keys(k: int) -> None:
    with pytest.raises(ValueError, match=rf"k \({k}\) must be in 1..9, the length of the queue"):
        nearest(rows(0)[0] @ queue(0).T, k)


def test_logits_have_the_own_key_first() -> None:
    found = Similarities(own=torch.tensor([0.5]), queue=torch.tensor([[0.1, 0.2]])).logits(0.1)
    torch.testing.assert_close(found, torch.tensor([[5.0, 1.0, 2.0]]))
