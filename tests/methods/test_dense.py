"""Dense decorrelation: its terms against loops, its features against the encoder's own map."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.methods.networks import dense, dense_network, encoder, recurrent_encoder, views
from tests.reference import literal_dense as literal
from torch import Tensor

from kinestream.methods.dense import LEVELS, DenseNetwork, DenseSettings, dense_features, like_moments, places_loss
from kinestream.methods.method import Method


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(seed=st.integers(0, 100), places=st.integers(1, 4))
def test_the_loss_of_places_and_its_gradient(seed: int, places: int) -> None:
    z1, z2 = drawn(seed, 5, places, 3), drawn(seed + 1, 5, places, 3)
    weights = (25.0, 20.0, 2.0)
    options = dict(zip(("invariance", "variance", "covariance"), weights, strict=True))
    z1.requires_grad_()
    found = places_loss(z1, z2, **options)
    assert found.item() == pytest.approx(literal.places_loss(z1.detach().numpy(), z2.numpy(), weights))
    found.backward()
    assert z1.grad is not None
    step, place = 1e-6, (seed % 5, seed % places, seed % 3)
    values = []
    for sign in (1, -1):
        moved = z1.detach().numpy().copy()
        moved[place] += sign * step
        values.append(literal.places_loss(moved, z2.numpy(), weights))
    assert z1.grad[place].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4, abs=1e-6)


@given(seed=st.integers(0, 100))
def test_moments_meet_the_most_similar_of_the_same_clip(seed: int) -> None:
    first, second = drawn(seed, 4, 5, 3), drawn(seed + 1, 4, 5, 3)
    assert like_moments(first, second).tolist() == literal.most_similar(first.numpy(), second.numpy())


@pytest.mark.parametrize("moments", [1, 2, 3, 7])
def test_features_are_means_of_the_map(moments: int) -> None:
    torch.manual_seed(0)
    network = encoder().eval()
    x = views(batch=4)[0]["joint"]
    kept: list[Tensor] = []
    network.variants(x, lambda y: kept.append(y) or y)  # type: ignore[func-returns-value]
    maps = kept[0].detach().double().numpy()
    found = dense_features(network, x, moments)
    torch.testing.assert_close(found.instance, network(x))
    np.testing.assert_allclose(found.time.detach().numpy(), literal.moments(maps, moments), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.joints.detach().numpy(), literal.joints(maps), rtol=1e-4, atol=1e-5)


def test_features_of_two_people_are_the_mean_of_theirs() -> None:
    torch.manual_seed(0)
    network = encoder().eval()
    a, b = (view["joint"] for view in views(batch=3))
    both = dense_features(network, torch.cat([a, b], dim=4), 2)
    for level in LEVELS:
        one, other = (getattr(dense_features(network, x, 2), level) for x in (a, b))
        torch.testing.assert_close(getattr(both, level), (one + other) / 2, rtol=1e-4, atol=1e-5)


def test_three_levels_and_their_weights() -> None:
    method = dense({"joint": dense_network()}, instance=1.0, time=0.5, joints=2.0).double()
    alone = copy.deepcopy(method).networks["joint"]
    assert isinstance(alone, DenseNetwork)
    shown = [{"joint": view["joint"].double()} for view in views()]
    first, second = (dense_features(alone.encoder, view["joint"], 2) for view in shown)
    expected = {}
    for level in LEVELS:
        z1, z2 = (alone.embeddings(of, level).detach().numpy() for of in (first, second))
        if level == "time":
            like = literal.most_similar(first.time.detach().numpy(), second.time.detach().numpy())
            z2 = np.stack([row[places] for row, places in zip(z2, like, strict=True)])
        expected[level] = literal.places_loss(z1, z2, (25.0, 25.0, 1.0))
    terms = method(shown)
    for level, value in expected.items():
        assert terms[f"{level}/joint"].item() == pytest.approx(value, rel=1e-6), level
    total = expected["instance"] + 0.5 * expected["time"] + 2 * expected["joints"]
    assert terms["loss"].item() == pytest.approx(total, rel=1e-6)
    assert isinstance(method, Method)


def test_a_level_without_weight_has_no_projector_and_an_encoder_without_joints_is_refused() -> None:
    network = DenseNetwork(encoder(), {"time": dense_network().projectors["time"]})
    terms = dense({"joint": network}, time=1.0)(views())
    assert {name.split("/")[0] for name in terms} == {"loss", "time", "spread"}
    with pytest.raises(ValueError, match="needs an encoder whose map keeps the 20 joints apart, this one has 1 places"):
        dense_features(recurrent_encoder(), views()[0]["joint"], 2)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"instance": 0.0, "time": 0.0, "joints": 0.0}, "one of them above 0"),
        ({"time": -1.0}, r"time -1, .* must be 0 or more"),
        ({"moments": 0}, r"moments \(0\) must be at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DenseSettings(**wrong)  # type: ignore[arg-type]


def test_it_learns() -> None:
    torch.manual_seed(0)
    method = dense({"joint": dense_network()})
    optimizer = torch.optim.Adam(method.parameters(), lr=0.01)
    losses = []
    for _ in range(6):
        terms = method(views())
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        losses.append(terms["loss"].item())
    assert losses[-1] < losses[0]
