"""Each transform against its formula, its distribution and its invariants."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinestream.augment.settings import AugmentSettings
from kinestream.augment.transforms import (
    Augmentation,
    JointMask,
    LimbMask,
    Mirror,
    Noise,
    ResizedCrop,
    Rotation,
    Shear,
    TemporalCrop,
    Transform,
    limbs_of,
    normal_by_seed,
)
from kinestream.skeleton.layout import KINECT20, NTU25

ALL: list[Transform] = [
    TemporalCrop(),
    ResizedCrop(),
    Shear(),
    Rotation((10.0, 30.0, 5.0)),
    Mirror(NTU25),
    JointMask(0.3),
    JointMask(0.3, NTU25),
    LimbMask(NTU25, 0.5),
    Noise(),
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clips(n: int = 4, t: int = 50, v: int = 25, m: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 3, t, v, m, generator=generator(seed))


def drawn(
    transform: Transform, n: int, seed: int = 0, shape: tuple[int, ...] = (3, 50, 25, 2)
) -> dict[str, torch.Tensor]:
    return dict(transform.sample((n, *shape), generator(seed)))


# --- golden and formulas ----------------------------------------------------------------------------------------------


def test_crop_and_shear_are_the_published_ones(golden: Path) -> None:
    values = np.load(golden / "augment.npz")
    x = torch.from_numpy(values["x"])
    starts = torch.tensor([int(values[f"crop_start.{i}"]) for i in range(3)])
    matrices = torch.stack([torch.from_numpy(values[f"shear_matrix.{i}"]) for i in range(3)])
    crop = TemporalCrop().apply(x, {"start": starts})
    shear = Shear().apply(x, {"matrix": matrices})
    for i in range(3):
        np.testing.assert_array_equal(crop[i], values[f"crop.{i}"])
        np.testing.assert_allclose(shear[i], values[f"shear.{i}"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("frames", [5, 6, 12, 50, 64])
def test_temporal_crop_is_pad_then_cut(frames: int) -> None:
    x = clips(t=frames)
    pad = frames // 6
    starts = torch.arange(4) % (2 * pad + 1)
    cropped = TemporalCrop().apply(x, {"start": starts})
    for clip, start in enumerate(starts.tolist()):
        # numpy's "symmetric" repeats the edge frame, as the reference asks.
        padded = np.pad(x[clip].numpy(), ((0, 0), (pad, pad), (0, 0), (0, 0)), mode="symmetric")
        np.testing.assert_array_equal(cropped[clip], padded[:, start : start + frames])


def test_temporal_crop_starts_everywhere_alike_and_at_both_ends() -> None:
    starts = drawn(TemporalCrop(), 17_000)["start"]
    counts = torch.bincount(starts)
    assert len(counts) == 17
    assert int(counts.min()) > 850
    assert int(counts.max()) < 1150


def test_shear_matrices_have_a_unit_diagonal_and_uniform_others() -> None:
    matrices = drawn(Shear(0.5), 20_000)["matrix"]
    assert (matrices.diagonal(dim1=1, dim2=2) == 1).all()
    others = matrices[:, ~torch.eye(3, dtype=torch.bool)]
    assert float(others.abs().max()) <= 0.5
    torch.testing.assert_close(others.mean(dim=0), torch.zeros(6), atol=0.01, rtol=0)
    torch.testing.assert_close(others.var(dim=0), torch.full((6,), 1 / 12), atol=0.005, rtol=0)
    correlations = torch.corrcoef(others.T) - torch.eye(6)
    assert float(correlations.abs().max()) < 0.03


@given(share=st.floats(0.2, 1), start=st.floats(0, 1), frames=st.integers(2, 60))
def test_resized_crop_of_a_straight_motion_is_a_straight_motion(share: float, start: float, frames: int) -> None:
    """A joint that moves evenly still does, over `share` of the way, where no edge is met."""
    x = torch.arange(frames, dtype=torch.float64).reshape(1, 1, frames, 1, 1)
    begin = (1 - share) * start
    parameters = {
        "share": torch.tensor([share], dtype=torch.float64),
        "start": torch.tensor([begin], dtype=torch.float64),
    }
    y = ResizedCrop().apply(x, parameters).flatten()
    expected = (begin + share * (torch.arange(frames, dtype=torch.float64) + 0.5) / frames) * frames - 0.5
    torch.testing.assert_close(y, expected.clamp(0, frames - 1), atol=1e-5, rtol=0)


def test_resized_crop_of_the_whole_clip_changes_nothing() -> None:
    x = clips()
    whole = {"share": torch.ones(4), "start": torch.zeros(4)}
    torch.testing.assert_close(ResizedCrop().apply(x, whole), x, atol=1e-5, rtol=1e-5)


def test_resized_crop_stays_inside_the_clip() -> None:
    parameters = drawn(ResizedCrop(0.25, 0.9), 5000)
    share, start = parameters["share"], parameters["start"]
    assert float(share.min()) >= 0.25
    assert float(share.max()) <= 0.9
    assert float(start.min()) >= 0
    assert float((start + share).max()) <= 1 + 1e-6


# --- rotation and mirror ----------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 500))
def test_rotation_keeps_all_distances_and_orientation(seed: int) -> None:
    x = clips(2, t=4, seed=seed).double()
    rotation = Rotation((180.0, 180.0, 180.0))
    y = rotation.apply(x, {name: value.double() for name, value in drawn(rotation, 2, seed).items()})
    torch.testing.assert_close(y.norm(dim=1), x.norm(dim=1))
    inner = torch.einsum("nctvm,nctwm->ntvwm", x, x)
    torch.testing.assert_close(torch.einsum("nctvm,nctwm->ntvwm", y, y), inner)
    basis = torch.eye(3, dtype=torch.float64).reshape(1, 3, 1, 3, 1)
    turned = rotation.apply(basis, {"angles": torch.rand(1, 3, dtype=torch.float64) * 6}).reshape(3, 3)
    assert float(torch.linalg.det(turned)) == pytest.approx(1)


def test_rotation_about_the_vertical_leaves_heights_alone() -> None:
    x = clips()
    rotation = Rotation((0.0, 90.0, 0.0))
    y = rotation.apply(x, drawn(rotation, 4))
    assert torch.equal(y[:, 1], x[:, 1])
    assert not torch.allclose(y[:, 0], x[:, 0])


def test_rotation_by_known_angles() -> None:
    point = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1, 1)
    quarter = torch.tensor([[0.0, torch.pi / 2, 0.0]])
    y = Rotation().apply(point, {"angles": quarter}).flatten()
    torch.testing.assert_close(y, torch.tensor([0.0, 0.0, -1.0]), atol=1e-6, rtol=0)
    angles = drawn(Rotation((10.0, 20.0, 0.0)), 20_000)["angles"].rad2deg()
    assert 9.9 < float(angles[:, 0].max()) <= 10.001
    assert -20.001 <= float(angles[:, 1].min()) < -19.9
    assert not angles[:, 2].any()


@pytest.mark.parametrize("layout", [NTU25, KINECT20])
def test_mirror_twice_is_the_identity_and_swaps_hands(layout: object) -> None:
    assert layout in (NTU25, KINECT20)
    chosen = NTU25 if layout is NTU25 else KINECT20
    x = clips(v=len(chosen.joints))
    mirror = Mirror(chosen, 1.0)
    always = {"mirrored": torch.ones(4, dtype=torch.bool)}
    y = mirror.apply(x, always)
    assert torch.equal(mirror.apply(y, always), x)
    left, right = chosen.joints.index("left_hand"), chosen.joints.index("right_hand")
    assert torch.equal(y[:, 0, :, left], -x[:, 0, :, right])
    assert torch.equal(y[:, 1:, :, left], x[:, 1:, :, right])
    head = chosen.joints.index("head")
    assert torch.equal(y[:, 1, :, head], x[:, 1, :, head])


def test_mirror_chooses_clips_by_its_probability() -> None:
    x = clips(2000, t=2, m=1)
    mirror = Mirror(NTU25, 0.3)
    parameters = drawn(mirror, 2000, shape=(3, 2, 25, 1))
    changed = (mirror.apply(x, parameters) != x).flatten(1).any(dim=1)
    assert torch.equal(changed, parameters["mirrored"])
    assert 0.26 < float(changed.float().mean()) < 0.34


# --- mask and noise ---------------------------------------------------------------------------------------------------


def test_joint_mask_zeroes_whole_joints() -> None:
    x = clips(400, t=3)
    mask = JointMask(0.1)
    parameters = drawn(mask, 400, shape=(3, 3, 25, 2))
    y = mask.apply(x, parameters)
    kept = parameters["kept"]
    assert 0.88 < float(kept.float().mean()) < 0.92
    for clip in range(0, 400, 97):
        for v in range(25):
            expected = x[clip, :, :, v] if kept[clip, v] else torch.zeros_like(x[clip, :, :, v])
            assert torch.equal(y[clip, :, :, v], expected)


def test_folded_mask_puts_a_hidden_joint_on_the_nearest_seen_one_towards_the_root() -> None:
    x = clips(60, t=3)
    mask = JointMask(0.4, NTU25)
    parameters = drawn(mask, 60, shape=(3, 3, 25, 2))
    y = mask.apply(x, parameters)
    moved = 0
    for clip in range(60):
        for v in range(25):
            at = v
            while at != NTU25.root and not parameters["kept"][clip, at]:
                at = NTU25.parents[at]
            moved += at not in (v, NTU25.parents[v])
            assert torch.equal(y[clip, :, :, v], x[clip, :, :, at])
    assert moved > 50, "over several hidden joints"


def test_noise_has_its_deviation_and_leaves_absent_bodies_absent() -> None:
    x = clips(64)
    x[:32, ..., 1] = 0
    noise = Noise(0.02)
    y = noise.apply(x, drawn(noise, 64))
    assert not y[:32, ..., 1].any()
    difference = (y - x)[32:]
    assert float(difference.std()) == pytest.approx(0.02, rel=0.01)
    assert abs(float(difference.mean())) < 2e-4


def test_numbers_by_a_seed_are_those_of_the_formulas() -> None:
    seeds = torch.tensor([0, 1, 2**62 - 1, -5])
    made = normal_by_seed(seeds, 7)
    assert made.shape == (4, 7)
    for seed, row in zip(seeds.tolist(), made.tolist(), strict=True):
        pairs = [_pair((seed + number * 0x9E3779B97F4A7C15) % 2**64) for number in range(1, 5)]
        expected = [first for first, _ in pairs] + [second for _, second in pairs]
        np.testing.assert_allclose(row, expected[:7], rtol=1e-4, atol=1e-5)


def _pair(bits: int) -> tuple[float, float]:
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
    bits ^= bits >> 31
    first, second = ((part + 0.5) / 2**24 for part in (bits >> 40, bits % 2**24))
    radius = (-2 * math.log(first)) ** 0.5
    return radius * math.cos(2 * math.pi * second), radius * math.sin(2 * math.pi * second)


def test_numbers_by_seeds_are_normal_and_independent() -> None:
    made = normal_by_seed(torch.arange(500), 1000).double()
    assert abs(float(made.mean())) < 0.005
    assert float(made.var()) == pytest.approx(1, abs=0.01)
    assert float((made**4).mean()) == pytest.approx(3, abs=0.05)
    assert abs(float((made[1:] * made[:-1]).mean())) < 0.005, "of seeds that are neighbours"
    assert abs(float((made[:, 1:] * made[:, :-1]).mean())) < 0.005
    assert abs(float((made[:, 500:] * made[:, :500]).mean())) < 0.005, "of one pair"
    assert float(made.abs().max()) > 4


# --- together ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", ALL, ids=lambda transform: type(transform).__name__)
def test_every_transform_keeps_shape_and_finds_its_randomness_in_the_generator_alone(transform: Transform) -> None:
    x = clips()
    before = x.clone()
    torch.manual_seed(1)
    first = Augmentation((transform,))(x, generator(5))
    torch.manual_seed(2)
    again = Augmentation((transform,))(x, generator(5))
    other = Augmentation((transform,))(x, generator(6))
    assert first.shape == x.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, before), "the clips themselves must not change"


@pytest.mark.parametrize("transform", ALL, ids=lambda transform: type(transform).__name__)
def test_a_share_of_a_batch_is_augmented_as_in_the_whole(transform: Transform) -> None:
    x = clips(6)
    augmentation = Augmentation((transform, *ALL))
    whole = augmentation(x, generator(3))
    parts = [augmentation(x[rows], generator(3), total=6, first=rows.start) for rows in (slice(0, 2), slice(2, 6))]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_clips_of_a_batch_are_augmented_each_in_its_own_way() -> None:
    x = clips(1).expand(5, -1, -1, -1, -1)
    y = Augmentation((Shear(),))(x, generator())
    assert len({round(float(value), 6) for value in y[:, 0, 0, 0, 0]}) == 5


# --- limbs ------------------------------------------------------------------------------------------------------------


def test_limbs_are_all_joints_from_an_elbow_knee_or_hip_on() -> None:
    names = [{NTU25.joints[v] for v in limb} for limb in limbs_of(NTU25)]
    assert names[0] == {f"left_{joint}" for joint in ("elbow", "wrist", "hand", "hand_tip", "thumb")}
    assert names[8] == {f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "foot")}
    assert len(names) == 9
    assert not any(NTU25.root in limb for limb in limbs_of(NTU25))


def test_a_hidden_limb_is_where_the_joint_before_it_is() -> None:
    x = clips(n=200)
    mask = LimbMask(NTU25, 0.5)
    drawn = mask.sample(x.shape, generator())
    masked = mask.apply(x, drawn)
    hidden = ~drawn["kept"].all(dim=1)
    assert 0.4 < hidden.double().mean() < 0.6
    torch.testing.assert_close(masked[~hidden], x[~hidden])
    for row in torch.nonzero(hidden).flatten().tolist():
        gone = set(torch.nonzero(~drawn["kept"][row]).flatten().tolist())
        assert gone in [set(limb) for limb in limbs_of(NTU25)]
        for v in range(25):
            at = v
            while at in gone:
                at = NTU25.parents[at]
            torch.testing.assert_close(masked[row, :, :, v], x[row, :, :, at])


def test_every_limb_is_hidden_some_time() -> None:
    kept = LimbMask(NTU25, 1.0).sample((500, 3, 10, 25, 1), generator())["kept"]
    assert {tuple(torch.nonzero(~row).flatten().tolist()) for row in kept} == {
        tuple(sorted(limb)) for limb in limbs_of(NTU25)
    }


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_the_share_of_hidden_limbs_is_a_probability(share: float) -> None:
    with pytest.raises(ValueError, match=r"limb_mask .* must be in \[0, 1\]"):
        AugmentSettings(limb_mask=share)
