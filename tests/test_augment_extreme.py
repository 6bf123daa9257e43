"""The transforms of AimCLR's extreme view: formula, distribution, invariants."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinestream.augment.extreme import AxisMask, Blur, Sometimes, SwapSides, TimeFlip, Turn
from kinestream.augment.settings import ExtremeSettings
from kinestream.augment.transforms import Augmentation, Mirror, Noise, Shear, Transform
from kinestream.skeleton.layout import NTU25

SHAPE = (3, 20, 25, 2)
RANDOM: list[Transform] = [
    Sometimes(Noise()),
    Sometimes(SwapSides(NTU25)),
    Sometimes(TimeFlip()),
    Turn(),
    Blur(),
    AxisMask(),
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clips(n: int = 4, t: int = 20, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 3, t, 25, 2, generator=generator(seed))


def drawn(transform: Transform, n: int, seed: int = 0) -> dict[str, torch.Tensor]:
    return dict(transform.sample((n, *SHAPE), generator(seed)))


def test_sometimes_is_all_or_nothing_by_its_share() -> None:
    x = clips(2000, t=2)
    sometimes = Sometimes(TimeFlip(), 0.3)
    parameters = drawn(sometimes, 2000)
    y = sometimes.apply(x, parameters)
    chosen = parameters["chosen"]
    assert 0.26 < float(chosen.float().mean()) < 0.34
    assert torch.equal(y[chosen], x[chosen].flip(2))
    assert torch.equal(y[~chosen], x[~chosen])


def test_swapped_sides_are_a_mirror_image_but_for_x() -> None:
    # The published spatial flip: deviation 7.
    x = clips()
    swapped = SwapSides(NTU25).apply(x, {})
    mirrored = Mirror(NTU25, 1.0).apply(x, {"mirrored": torch.ones(4, dtype=torch.bool)})
    assert torch.equal(swapped[:, 1:], mirrored[:, 1:])
    assert torch.equal(swapped[:, 0], -mirrored[:, 0])
    # Hands and feet of NTU's 25 joints, as the published order of the swap lists them.
    published = [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 20, 23, 24, 21, 22]
    assert torch.equal(swapped, x[:, :, :, published])


def test_turn_draws_one_main_axis_and_small_angles_about_the_others() -> None:
    angles = -drawn(Turn(30.0, 1.0), 30_000)["angles"].rad2deg()
    assert float(angles.min()) >= 0
    assert float(angles.max()) <= 30.001
    large = angles > 1.001
    assert int(large.sum(dim=1).max()) == 1, "only one axis turns far"
    # Of 0 to 30 degrees 29 of 30 are above one.
    shares = large.float().mean(dim=0) * 30 / 29
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.015, rtol=0)
    main = angles[large]
    assert float(main.mean()) == pytest.approx(15.5, abs=0.2)


def test_turn_goes_clockwise_about_x_then_y_then_z() -> None:
    # The matrices of the published code, multiplied in its order, row vectors from the left.
    a, b, c = 0.3, 0.01, 0.02
    about_x = np.array([[1, 0, 0], [0, math.cos(a), math.sin(a)], [0, -math.sin(a), math.cos(a)]])
    about_y = np.array([[math.cos(b), 0, -math.sin(b)], [0, 1, 0], [math.sin(b), 0, math.cos(b)]])
    about_z = np.array([[math.cos(c), math.sin(c), 0], [-math.sin(c), math.cos(c), 0], [0, 0, 1]])
    x = clips(1).double()
    y = Turn().apply(x, {"angles": -torch.tensor([[a, b, c]], dtype=torch.float64)})
    points = np.moveaxis(x[0].numpy(), 0, -1)
    expected = points @ about_x.T @ about_y.T @ about_z.T
    np.testing.assert_allclose(np.moveaxis(y[0].numpy(), 0, -1), expected, atol=1e-12)


@given(sigma=st.floats(0.1, 2.0), frames=st.integers(2, 30), normalised=st.booleans())
def test_blur_is_a_sum_over_fifteen_frames(sigma: float, frames: int, normalised: bool) -> None:
    x = clips(1, t=frames).double()
    y = Blur(normalised=normalised).apply(x, {"sigma": torch.tensor([sigma], dtype=torch.float64)})
    for t in range(frames):
        near = [s for s in range(frames) if abs(s - t) <= 7]
        weights = [math.exp(-((s - t) ** 2) / (2 * sigma**2)) for s in near]
        total = sum(weights) if normalised else 1.0
        expected = sum(weight * x[0, :, s] for weight, s in zip(weights, near, strict=True)) / total
        torch.testing.assert_close(y[0, :, t], expected)


def test_a_normalised_blur_leaves_what_does_not_move_and_the_published_one_enlarges_it() -> None:
    still = torch.ones(1, 3, 40, 25, 2)
    wide = {"sigma": torch.tensor([2.0])}
    torch.testing.assert_close(Blur(normalised=True).apply(still, wide), still)
    middle = Blur(normalised=False).apply(still, wide)[0, 0, 20, 0, 0].item()
    assert middle == pytest.approx(2 * math.sqrt(2 * math.pi), rel=1e-3)
    sigma = drawn(Blur(0.1, 2.0), 5000)["sigma"]
    assert 0.1 <= float(sigma.min()) < 0.11
    assert 1.99 < float(sigma.max()) <= 2.0


def test_axis_mask_zeroes_one_axis_each_as_often() -> None:
    x = clips(3000, t=2)
    y = AxisMask().apply(x, drawn(AxisMask(), 3000))
    gone = (y == 0).flatten(2).all(dim=2)
    assert torch.equal(gone.sum(dim=1), torch.ones(3000, dtype=torch.long))
    assert torch.equal(y[~gone], x[~gone])
    torch.testing.assert_close(gone.float().mean(dim=0), torch.full((3,), 1 / 3), atol=0.03, rtol=0)


@pytest.mark.parametrize("transform", RANDOM, ids=lambda transform: type(transform).__name__)
def test_shape_randomness_and_shares_of_a_batch(transform: Transform) -> None:
    x = clips(8)
    before = x.clone()
    augmentation = Augmentation((transform, Shear()))
    whole, again, other = (augmentation(x, generator(seed)) for seed in (5, 5, 6))
    assert whole.shape == x.shape
    assert torch.equal(whole, again)
    assert not torch.equal(whole, other)
    assert torch.equal(x, before), "the clips themselves must not change"
    parts = [augmentation(x[rows], generator(5), total=8, first=rows.start) for rows in (slice(0, 3), slice(3, 8))]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_the_extreme_view_of_the_published_recipe() -> None:
    """Reference, section 4: which transforms, in which order, how often."""
    transforms = ExtremeSettings().build(NTU25).transforms
    shown = [
        (type(one.transform).__name__, one.share) if isinstance(one, Sometimes) else (type(one).__name__, 1)
        for one in transforms
    ]
    assert shown == [
        ("TemporalCrop", 1),
        ("Shear", 1),
        ("SwapSides", 0.5),
        ("Turn", 1),
        ("Noise", 0.5),
        ("Blur", 0.5),
        ("AxisMask", 0.5),
    ]
    nothing = ExtremeSettings(
        temporal_crop=None, shear=0.0, swap_sides=0.0, turn=None, noise=0.0, blur=None, axis_mask=0.0, time_flip=1.0
    )
    (only,) = nothing.build(NTU25).transforms
    assert isinstance(only, Sometimes)
    assert isinstance(only.transform, TimeFlip)
