"""Mixtures of two clips against loops, their shares, and what a batch is made of."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.reference import literal_tranclr as literal
from torch import Tensor

from kinestream.augment.mixing import SHARE, Mixing, Mixture, with_mixtures
from kinestream.augment.settings import MixingSettings
from kinestream.skeleton.layout import KINECT20
from kinestream.skeleton.parts import body_parts

PARTS = ((0, 1), (2,), (3, 4), (5,), (6, 7))


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clips(seed: int, count: int = 6, frames: int = 25) -> Tensor:
    return torch.randn(count, 3, frames, 8, 2, generator=drawn(seed), dtype=torch.float64)


@given(seed=st.integers(0, 500), frames=st.integers(3, 40), local=st.sampled_from([0.0, 0.5, 1.0]))
def test_mixtures_are_those_of_the_loops(seed: int, frames: int, local: float) -> None:
    mixing = Mixing(PARTS, local)
    first, second = clips(seed, frames=frames), clips(seed + 1, frames=frames)
    parameters = mixing.sample(6, frames, drawn(seed))
    found, shares = mixing.apply(first, second, parameters), mixing.shares(parameters, frames)
    for i in range(6):
        one = {name: value[i] for name, value in parameters.items()}
        if one["local"]:
            joints = [v for part, chosen in zip(PARTS, one["parts"], strict=True) if chosen for v in part]
            start, length = int(one["start"]), int(one["length"])
            expected, share = literal.put_in(
                first[i].numpy(), second[i].numpy(), joints, start, length, float(one["from"]), float(one["cut"])
            )
        else:
            share = float(one["share"])
            expected = literal.everywhere(first[i].numpy(), second[i].numpy(), share)
        np.testing.assert_allclose(found[i].numpy(), expected, rtol=1e-5, atol=1e-5)  # places are in single precision
        assert float(shares[i]) == pytest.approx(share, rel=1e-6)


def test_what_is_drawn_is_what_was_published() -> None:
    """Of 50 frames, 5 parts: windows of 16 to 24 frames, 2 or 3 parts, stretches of half to twice the window."""
    drawn_ = Mixing(PARTS).sample(4000, 50, drawn(0))
    assert set(drawn_["length"].tolist()) == set(range(16, 25))
    assert set(drawn_["parts"].sum(dim=1).tolist()) == {2, 3}
    assert drawn_["parts"].double().mean(dim=0).tolist() == pytest.approx([0.5] * 5, abs=0.03)
    ratio = drawn_["cut"] / drawn_["length"]
    assert (float(ratio.min()), float(ratio.max())) == pytest.approx((0.5, 2.0), abs=0.01)
    assert bool((drawn_["from"] >= 0).all() and (drawn_["from"] + drawn_["cut"] <= 50.001).all())
    assert bool((drawn_["start"] >= 0).all() and (drawn_["start"] + drawn_["length"] <= 50).all())
    assert {0, 50 - 16} <= set(drawn_["start"].tolist()), "windows reach both ends"
    assert drawn_["local"].double().mean().item() == pytest.approx(0.5, abs=0.03)
    assert (float(drawn_["share"].min()), float(drawn_["share"].max())) == pytest.approx((0, 1), abs=0.01)


def test_a_body_of_few_parts_is_never_replaced_whole() -> None:
    for parts, most in ((((0,), (1,), (2,)), 2), (((0,), (1, 2)), 1), (((0, 1, 2),), 1)):
        number = Mixing(parts, 1.0).sample(200, 20, drawn(0))["parts"].sum(dim=1)
        assert int(number.max()) == most
        assert int(number.min()) == min(2, most)


def test_partners_are_mixed_with_each_other_by_one_draw() -> None:
    x = {"joint": clips(0, 7)}
    mixing = Mixing(PARTS, 0.5)
    made = with_mixtures([x], [Mixture(mixing=mixing)], drawn(3))[1]
    assert torch.equal(made[SHARE], made[SHARE].flip(0))
    assert len(set(made[SHARE].tolist())) == 4, "the middle one is its own partner"
    one = with_mixtures([x], [Mixture(mixing=Mixing(PARTS, 0.0))], drawn(3))[1]
    total = one["joint"] + one["joint"].flip(0)
    torch.testing.assert_close(total, x["joint"] + x["joint"].flip(0)), "l x + (1 - l) y and l y + (1 - l) x"


def test_views_and_clips_that_mixtures_are_made_of() -> None:
    views = [{"joint": clips(0), "bone": clips(1)}, {"joint": clips(2), "bone": clips(3)}]
    mixing = Mixing(PARTS, 0.0)
    mixtures = [Mixture(mixing=mixing, first=0, second=1, across=False), Mixture(mixing=mixing, first=1, second=0)]
    made = with_mixtures(views, mixtures, drawn(0))
    assert all(a is b for a, b in zip(made, views, strict=False))
    within, across = made[2:]
    assert len(set(within[SHARE].tolist())) == 6, "each clip by its own draw"
    for stream in ("joint", "bone"):
        share = within[SHARE][:, None, None, None, None]
        torch.testing.assert_close(within[stream], share * views[0][stream] + (1 - share) * views[1][stream])
        share = across[SHARE][:, None, None, None, None]
        torch.testing.assert_close(across[stream], share * views[1][stream] + (1 - share) * views[0][stream].flip(0))


@pytest.mark.parametrize("batch", [6, 7])
def test_the_halves_of_a_batch_are_mixed_as_the_whole(batch: int) -> None:
    views = [{"joint": clips(0, batch)}, {"joint": clips(1, batch)}]
    mixing = Mixing(PARTS)
    mixtures = [Mixture(mixing=mixing, first=0, second=1), Mixture(mixing=mixing, across=False)]
    whole = with_mixtures(views, mixtures, drawn(0))
    for rows in (slice(0, 3), slice(3, batch)):
        opposite = [{"joint": view["joint"].flip(0)[rows]} for view in views]
        own = [{"joint": view["joint"][rows]} for view in views]
        part = with_mixtures(own, mixtures, drawn(0), opposite=opposite, total=batch, first=rows.start)
        for expected, found in zip(whole, part, strict=True):
            for name, value in expected.items():
                assert torch.equal(found[name], value[rows]), name


def test_bones_stay_bones_and_absent_bodies_stay_absent() -> None:
    x, y = clips(0), clips(1)
    x[..., 1] = y[..., 1] = 0
    mixed = Mixing(PARTS).apply(x, y, Mixing(PARTS).sample(6, 25, drawn(0)))
    assert not mixed[..., 1].any()
    still = torch.ones(6, 3, 25, 8, 1)
    torch.testing.assert_close(Mixing(PARTS, 1.0).apply(still, still, Mixing(PARTS).sample(6, 25, drawn(0))), still)


def test_parts_of_another_stream_are_refused() -> None:
    mixing = MixingSettings(local=1.0).build(KINECT20)
    assert mixing.parts == tuple(body_parts(KINECT20).values())
    x = torch.zeros(4, 1, 9, 190, 1)
    with pytest.raises(ValueError, match="parts of 20 joints cannot be exchanged in a stream of 190"):
        mixing.apply(x, x, mixing.sample(4, 9, drawn(0)))
    averaged = MixingSettings(local=0.0).build(KINECT20)
    assert averaged.apply(x, x, averaged.sample(4, 9, drawn(0))).shape == x.shape
    with pytest.raises(
        ValueError, match=r"mixing.local \(0.5\) exchanges .* stream distance is of pairs of joints: set"
    ):
        MixingSettings().check_streams(["joint", "distance"])
    MixingSettings(local=0.0).check_streams(["distance"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"local": 1.5}, r"mixing.local \(1.5\) is a probability"),
        ({"window": (0.5, 0.4)}, "two shares of a clip, the smaller one first"),
        ({"window": (0.0, 0.4)}, "two shares of a clip"),
        ({"window": (0.5, 1.1)}, "two shares of a clip"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MixingSettings(**wrong)  # type: ignore[arg-type]
