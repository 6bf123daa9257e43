"""Clips of so many seconds."""

from pathlib import Path

import numpy as np
import pytest
import torch

import kinestream as ks
from kinestream.data.clips import Clips, clips_as
from kinestream.data.preparation import timed
from kinestream.data.store import Store, StoreError
from kinestream.skeleton.pose import standing
from kinestream.skeleton.streams import make_streams
from kinestream.train.views import to_batch

LAYOUT = ks.layouts.load("body16")


def raising(fps: int, seconds: float) -> ks.Recording:
    """The left hand goes up by a metre a second, from the first frame."""
    joints = np.tile(standing(LAYOUT), (round(fps * seconds), 1, 1))
    joints[:, LAYOUT.joints.index("left_wrist"), 1] += np.arange(len(joints)) / fps
    return ks.Recording(joints, LAYOUT, fps=fps, name=f"{fps}-{seconds}")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return ks.prepare([raising(fps, seconds) for fps in (30, 60) for seconds in (1, 2, 5)], tmp_path / "store")


def test_speed_is_the_same_at_any_rate_and_length(store: Store) -> None:
    """The literal meaning: metres a second, of the middle of a recording."""
    clips = Clips(store, 20, seconds=1)
    assert clips.rate == 20
    hand = LAYOUT.joints.index("left_wrist")
    x = to_batch(torch.from_numpy(clips.batch(np.arange(6))))
    speed = make_streams(x, ["motion"], LAYOUT, clips.rate)["motion"][:, 1, 2:-2, hand, 0]
    np.testing.assert_allclose(speed.numpy(), 1, atol=0.02)
    whole = to_batch(torch.from_numpy(Clips(store, 20).batch(np.arange(6))))
    by_frame = make_streams(whole, ["motion"], LAYOUT)["motion"][:, 1, 2:-2, hand, 0].mean(dim=1)
    assert by_frame.max() > 4 * by_frame.min(), "whole recordings are stretched: speed is lost"


def test_both_kinds_of_clips_are_kept_apart(store: Store) -> None:
    first = clips_as(store, 20, LAYOUT, 1).batch(np.arange(6))
    assert not np.array_equal(first, clips_as(store, 20, LAYOUT).batch(np.arange(6)))
    assert np.array_equal(first, clips_as(store, 20, LAYOUT, 1).batch(np.arange(6)))
    assert len(list(store.path.glob("clips-20*"))) == 2


def test_a_shorter_recording_is_held_at_its_ends() -> None:
    joints = np.arange(3.0).reshape(3, 1, 1, 1)
    assert timed(joints, 2, fps=3).ravel().tolist() == [0, 0, 1, 2, 2, 2]
    assert timed(joints, None, None) is joints


def test_without_a_rate_it_is_told(tmp_path: Path) -> None:
    one = ks.Recording(raising(30, 1).joints, LAYOUT, name="a")
    store = ks.prepare([one], tmp_path / "store")
    with pytest.raises(StoreError, match="recording a: a clip of 1 s is wanted, and the frame rate is not known"):
        Clips(store, 20, seconds=1)


def test_a_recipe_in_seconds_trains_and_embeds(tmp_path: Path) -> None:
    moves = [raising(fps, seconds) for fps in (30, 60) for seconds in (1, 2, 3, 4, 5)]
    store = ks.prepare(moves, tmp_path / "store")
    thin = ("encoder.hidden=4", "batch_size=4", "frames=12", "method.hidden=16", "method.embedding=8", "seconds=1.5")
    settings = (*thin, "streams=[bone,bone-motion]", "readout.whitening=0.0", "monitor.knn_every=0")
    run = ks.pretrain(store, "laptop", out=tmp_path / "run", epochs=1, settings=settings, device="cpu")
    model = ks.load(run)
    assert (model.card.seconds, model.rate) == (1.5, 8)
    np.testing.assert_allclose(model.embed(moves), model.embed(store), atol=1e-4)
    with pytest.raises(ValueError, match=r"seconds \(0\) must be in 0.01"):
        ks.pretrain(store, "laptop", out=tmp_path / "other", settings=("seconds=0",))
