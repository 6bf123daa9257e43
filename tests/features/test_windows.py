from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.stores import write_small_run

import kinestream as ks
from kinestream.data.recording import Recording
from kinestream.features.windows import ClipForm, window_features, window_starts, windows_of_frames
from kinestream.models.readout import Readout


@given(st.integers(1, 80), st.integers(1, 20), st.integers(1, 20))
def test_windows_lie_in_the_recording_and_each_frame_has_the_nearest(frames: int, size: int, hop: int) -> None:
    starts = window_starts(frames, size, hop)
    assert starts[0] == 0
    assert starts[-1] + size <= frames or len(starts) == 1
    assert frames - (starts[-1] + size) < hop
    which = windows_of_frames(starts, size, frames)
    for frame in range(frames):
        distances = [abs(frame - (start + (size - 1) / 2)) for start in starts.tolist()]
        assert which[frame] == distances.index(min(distances))


def test_a_window_has_the_features_of_a_recording_of_these_frames(small_store: Path, tmp_path: Path) -> None:
    model = ks.load(write_small_run(tmp_path / "run", small_store, "joint", "bone"))
    rng = np.random.default_rng(0)
    whole = Recording(rng.normal(0, 0.3, (40, 20, 3)), "kinect20", name="long", fps=30)
    card = next(iter(model.cards.values()))
    form = ClipForm(frames=card.frames, layout=card.layout, preparation=card.preparation)
    starts = window_starts(40, 16, 8)
    features, usable = window_features(model.encoders, whole, starts, 16, form, readout=Readout())
    assert usable.all()
    for place, start in enumerate(starts.tolist()):
        alone = model.embed(whole.cut(slice(start, start + 16)))[0]
        parts = [torch.nn.functional.normalize(torch.from_numpy(rows[place]), dim=0) for rows in features.values()]
        np.testing.assert_allclose(torch.cat(parts).numpy() / 2**0.5, alone, atol=1e-5)


def test_windows_without_a_body_are_marked_and_the_others_are_not_moved(small_store: Path, tmp_path: Path) -> None:
    model = ks.load(write_small_run(tmp_path / "run", small_store))
    joints = np.random.default_rng(0).normal(0, 0.3, (60, 20, 3))
    joints[20:40] = 0
    card = next(iter(model.cards.values()))
    form = ClipForm(frames=card.frames, layout=card.layout, preparation=card.preparation)
    starts = window_starts(60, 10, 10)
    features, usable = window_features(
        model.encoders, Recording(joints, "kinect20"), starts, 10, form, readout=Readout()
    )
    assert usable.tolist() == [True, True, False, False, True, True]
    assert not features["joint"][~usable].any()
    assert np.abs(features["joint"][usable]).sum(axis=1).min() > 0


def test_windows_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="windows of 0 frames every 1"):
        window_starts(10, 0, 1)
