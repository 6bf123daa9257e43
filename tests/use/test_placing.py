"""The preparations of exported models make of joints what the preparations of stores make of recordings."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kinestream.data.held import clip_of
from kinestream.data.preparation import PREPARATIONS, preparation_of, resize
from kinestream.data.recording import Recording
from kinestream.skeleton.layout import load_layout
from kinestream.skeleton.pose import standing
from kinestream.use.export.placing import placing, resized


def made_up(name: str, seed: int) -> np.ndarray:
    """Up to three bodies that walk about, come late, go early, have joints that were not seen for a moment or at all,
    or are furniture. They stand too far from each other to be taken for one."""
    layout, rng = load_layout(name), np.random.default_rng(seed)
    frames, bodies, joints = int(rng.integers(1, 50)), int(rng.integers(1, 4)), len(layout.joints)
    steps = rng.normal(0, 0.02, (frames, bodies, joints, 3)).cumsum(axis=0)
    x = standing(layout) + steps + rng.normal(0, 0.3, (1, bodies, 1, 3))
    x[..., 0] += 5 * np.arange(bodies)[:, None]
    for body in range(bodies):
        end, chance = int(rng.integers(0, frames)), rng.random(6)
        x[slice(0, end) if chance[0] < 0.3 else slice(end, frames if chance[0] < 0.5 else end), body] = 0
        if x[:, body].any(axis=(1, 2)).all() and frames > 14:
            for joint in rng.choice(joints, 3, replace=False).tolist():
                start = int(rng.integers(1, frames - 12))
                x[start : start + int(rng.integers(1, 11)), body, joint] = np.nan
        if chance[3] < 0.2:
            x[:, body, [3, 5]] = np.nan
        if chance[4] < 0.2:
            x[:, body, :, 0] *= 4
    return x


@pytest.mark.parametrize("preparation", ["tracked", "scaled", "published", "planar", "imported", "tracked-clips"])
@pytest.mark.parametrize("name", ["kinect20", "coco17"])
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000), after=st.integers(0, 9))
def test_clips_are_those_of_the_preparation(name: str, preparation: str, seed: int, after: int) -> None:
    layout, joints = load_layout(name), made_up(name, seed)
    assume(len(joints) > 1)  # a movement needs two frames
    more = after if preparation in PREPARATIONS else 0  # what others prepared has a length that nothing tells
    padded = np.pad(joints, ((0, more), (0, 0), (0, 0), (0, 0)))
    made = placing(preparation)(torch.from_numpy(padded[None]).float(), layout, 2, 16)
    if not np.nan_to_num(joints).any():
        assert not made.usable[0]
        return
    try:
        wanted = clip_of(Recording(joints, layout), 16, layout, preparation_of(preparation))
    except ValueError as error:
        assume("are needed" not in str(error))  # too little is seen: what is exported does not count that
        assert not made.usable[0]
        return
    assert made.usable[0]
    np.testing.assert_allclose(made.joints[0].numpy(), wanted, atol=1e-4)


def test_each_clip_of_a_batch_is_as_it_is_alone() -> None:
    layout = load_layout("kinect20")
    some = [made_up("kinect20", seed) for seed in range(12)]
    batch = np.zeros((12, 50, 3, 20, 3), dtype=np.float32)
    for row, joints in zip(batch, some, strict=True):
        row[: len(joints), : joints.shape[1]] = joints
    together = placing("tracked")(torch.from_numpy(batch), layout, 2, 8)
    for number, joints in enumerate(some):
        alone = placing("tracked")(torch.from_numpy(joints[None]).float(), layout, 2, 8)
        assert alone.usable[0] == together.usable[number]
        if alone.usable[0]:
            torch.testing.assert_close(together.joints[number], alone.joints[0])


@settings(max_examples=15)
@given(length=st.integers(1, 90), frames=st.integers(2, 70), first=st.integers(0, 5))
def test_resizing_is_that_of_clips(length: int, frames: int, first: int) -> None:
    joints = np.random.default_rng(length).normal(size=(first + length + 3, 1, 2, 3)).astype(np.float32)
    made = resized(torch.from_numpy(joints[None]), torch.tensor([first]), torch.tensor([length]), frames)
    np.testing.assert_allclose(made[0].numpy(), resize(joints[first : first + length], frames), atol=1e-5)


def test_a_preparation_of_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PREPARATIONS, "_entries", dict(PREPARATIONS._entries))
    PREPARATIONS.add("mine", dataclasses.replace(PREPARATIONS["planar"], name="mine"))
    with pytest.raises(ValueError, match=r"^preparation 'mine' cannot stand in an exported model, .*--prepared"):
        placing("mine")
    with pytest.raises(ValueError, match="unknown preparation 'mein': did you mean mine"):
        placing("mein")
