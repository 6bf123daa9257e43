"""Corruptions of clips, each against what it says, and the curves over them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from kinestream import evaluate
from kinestream.data.clips import Clips
from kinestream.data.store import Store
from kinestream.evaluate.corruptions import CORRUPTIONS, CorruptedClips
from kinestream.skeleton.layout import KINECT20
from kinestream.skeleton.parts import TRUNK, body_parts


def clips(count: int = 5, frames: int = 21) -> Tensor:
    return torch.randn(count, 3, frames, 20, 1, generator=torch.Generator().manual_seed(0))


def corrupt(name: str, level: float, x: Tensor, seed: int = 0) -> Tensor:
    return CORRUPTIONS[name].apply(x, level, torch.Generator().manual_seed(seed), KINECT20)


def source_of(clip: Tensor, original: Tensor, joint: int) -> int:
    """Which joint of the original stands where a joint is."""
    return next(v for v in range(20) if torch.equal(clip[:, :, joint], original[:, :, v]))


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 1.0])
def test_missing_joints_stand_where_the_next_one_towards_the_root_does(share: float) -> None:
    x = clips()
    for clip, original in zip(corrupt("joints", share, x), x, strict=True):
        sources = [source_of(clip, original, joint) for joint in range(20)]
        missing = {joint for joint in range(20) if sources[joint] != joint}
        assert len(missing) == round(share * 19)
        assert KINECT20.root not in missing
        for joint in missing:
            above = KINECT20.parents[joint]
            while above in missing:
                above = KINECT20.parents[above]
            assert sources[joint] == above


@pytest.mark.parametrize("count", [1.0, 3.0, 4.0])
def test_missing_limbs_are_missing_whole(count: float) -> None:
    x = clips()
    limbs = {part: set(joints) for part, joints in body_parts(KINECT20).items() if part != TRUNK}
    for clip, original in zip(corrupt("limbs", count, x), x, strict=True):
        missing = {joint for joint in range(20) if source_of(clip, original, joint) != joint}
        gone = [part for part, joints in limbs.items() if joints <= missing]
        assert len(gone) == count
        assert missing == set().union(*(limbs[part] for part in gone))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_a_lost_frame_is_the_last_that_was_seen(share: float) -> None:
    x = clips()
    for clip, original in zip(corrupt("frames", share, x), x, strict=True):
        last, lost = 0, 0
        for frame in range(21):
            if torch.equal(clip[:, frame], original[:, frame]):
                last = frame
            else:
                assert torch.equal(clip[:, frame], original[:, last])
                lost += 1
        assert lost == round(share * 20)


def test_noise_has_its_size_and_leaves_absent_bodies_alone() -> None:
    x = torch.cat([clips(40), torch.zeros(40, 3, 21, 20, 1)], dim=4)
    added = corrupt("noise", 0.05, x) - x
    assert added[..., 0].std().item() == pytest.approx(0.05, rel=0.02)
    assert not added[..., 1].any()


@pytest.mark.parametrize("degrees", [15.0, 90.0, 180.0])
def test_rotation_is_about_the_vertical_by_the_angle(degrees: float) -> None:
    x = clips(12)
    turned = corrupt("rotation", degrees, x)
    torch.testing.assert_close(turned[:, 1], x[:, 1])
    a, b = (torch.complex(clip[:, 2], clip[:, 0]) for clip in (turned, x))
    angles = torch.rad2deg((a / b).angle()).flatten(1)
    for row in angles:
        assert row.abs().median().item() == pytest.approx(degrees, abs=1e-2)
    if degrees < 180:
        assert {float(row.median().sign()) for row in angles} == {-1.0, 1.0}


@pytest.mark.parametrize("factor", [2, 4, 16, 50])
def test_a_lower_rate_keeps_every_so_many_frames_and_straight_lines_between(factor: int) -> None:
    x = clips()
    for clip, original in zip(corrupt("rate", float(factor), x), x, strict=True):
        kept = [t for t in range(21) if torch.equal(clip[:, t], original[:, t])]
        first = kept[0]
        assert first < factor
        expected = list(range(first, 21, factor))
        assert set(expected) <= set(kept)
        for t in range(21):
            before = max([place for place in expected if place <= t], default=first)
            after = min([place for place in expected if place >= t], default=expected[-1])
            weight = 0.0 if after == before else (t - before) / (after - before)
            line = (1 - weight) * original[:, before] + weight * original[:, after]
            torch.testing.assert_close(clip[:, t], line)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_is_drawn_hangs_on_the_seed_alone(name: str, small_store: Path) -> None:
    store = Store(small_store)
    test, level = store.select("xview", "test"), CORRUPTIONS[name].levels[1]
    source = CorruptedClips(Clips(store, 10), test, name, level)
    assert (len(source), source.frames, source.layout, source.rate) == (len(test), 10, store.layout, None)
    rows = np.arange(len(test))
    one, again = source.batch(rows), CorruptedClips(Clips(store, 10), test, name, level).batch(rows)
    assert one.shape == Clips(store, 10).batch(test).shape
    assert np.array_equal(one, again)
    assert not np.array_equal(one, Clips(store, 10).batch(test))
    assert not np.array_equal(one, CorruptedClips(Clips(store, 10), test, name, level, seed=1).batch(rows))


def test_curves_of_run_and_baselines(run: Path, small_store: Path) -> None:
    result = evaluate.robustness(run, small_store, corruption=("noise", "limbs"))
    assert [row.kind for row in result.rows] == ["run"] * 3 + ["untrained"] * 3 + ["raw"] * 3
    clean, noisy, limbs = result.rows[:3]
    assert result.headline is clean
    assert clean.top1 == evaluate.knn(run, small_store, baselines=False).headline.top1
    assert list(noisy.extra) == ["kept", "noise_0.01", "noise_0.02", "noise_0.05", "noise_0.1"]
    assert noisy.top1 == pytest.approx(np.mean([noisy.extra[f"noise_{level:g}"] for level in (0.01, 0.02, 0.05, 0.1)]))
    assert noisy.extra["kept"] == pytest.approx(100 * noisy.top1 / clean.top1)
    assert limbs.name.endswith("1, 2, 3, 4 limbs missing")
    assert noisy.deviation is None
    assert "curve" in str(result)
    with pytest.raises(ValueError, match="unknown corruption 'blurr'"):
        evaluate.robustness(run, small_store, corruption=("blurr",))


def test_spoilt_clips_are_read_as_the_others_are(run: Path, small_store: Path) -> None:
    options = {"corruption": ("limbs",), "baselines": False}
    plain, whitened = (
        evaluate.robustness(run, small_store, **options, readout={"whitening": whitening}) for whitening in (0.0, 1.0)
    )
    knn = evaluate.knn(run, small_store, baselines=False, readout={"whitening": 1.0})
    assert whitened.rows[0].top1 == knn.headline.top1
    assert [row.extra for row in plain.rows] != [row.extra for row in whitened.rows]


def test_a_raw_curve_by_hand(run: Path, small_store: Path) -> None:
    """Of joint coordinates no encoder is asked."""
    result = evaluate.robustness(run, small_store, corruption=("rotation",))
    raw = result.rows[-1]
    store = Store(small_store)
    train, test = (store.select("xview", part) for part in ("train", "test"))
    source = Clips(store, 10)
    known = source.batch(train).reshape(len(train), -1)
    asked = CorruptedClips(source, test, "rotation", 90.0).batch(np.arange(len(test))).reshape(len(test), -1)
    cosine = (asked @ known.T) / np.linalg.norm(asked, axis=1)[:, None] / np.linalg.norm(known, axis=1)
    right = store.labels[train][cosine.argmax(axis=1)] == store.labels[test]
    assert raw.extra["rotation_90"] == pytest.approx(100 * right.mean())
