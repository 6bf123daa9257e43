"""TranCLR as a module and its terms, against loops that spell the formulas out: values and gradients."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.methods.networks import mixed_views, projected, query_key
from tests.reference import literal_contrast
from tests.reference import literal_tranclr as literal
from torch import Tensor

from kinestream.augment.mixing import SHARE
from kinestream.methods.contrast import mixture_nce
from kinestream.methods.in_batch import InBatch
from kinestream.methods.losses import mixture_loss, nt_xent_loss
from kinestream.methods.method import Method, Progress
from kinestream.methods.momentum_contrast import MomentumContrast, MomentumContrastSettings
from kinestream.methods.nt_xent import NTXentSettings
from kinestream.methods.query_key import QueryKey, opposite
from kinestream.methods.soft_alignment import SoftAlignment, common_share, mixed_keys
from kinestream.methods.tranclr import LEVELS, TranCLR, TranCLRSettings

PROGRESS = Progress(step=1, steps=10, epoch=0)


def rows(seed: int, count: int = 1, batch: int = 5, size: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(batch, size, generator=generator, dtype=torch.float64) for _ in range(count)]
    return [row / row.norm(dim=1, keepdim=True) for row in drawn]


def shares(seed: int, batch: int = 5) -> Tensor:
    return torch.rand(batch, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slope(loss: object, at: Tensor) -> np.ndarray:
    """The gradient of a literal loss by differences."""
    step, found = 1e-6, np.zeros(tuple(at.shape))
    for place in np.ndindex(found.shape):
        values = []
        for sign in (1, -1):
            moved = at.detach().numpy().copy()
            moved[place] += sign * step
            values.append(loss(moved))  # type: ignore[operator]
        found[place] = (values[0] - values[1]) / (2 * step)
    return found


# --- terms ------------------------------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 200),
    nearest=st.integers(1, 9),
    t_k=st.floats(0.03, 0.5),
    t_q=st.floats(0.05, 0.5),
    centred=st.booleans(),
    contrast=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_soft_alignment(seed: int, nearest: int, t_k: float, t_q: float, centred: bool, contrast: float) -> None:
    (q, k), (bank,) = rows(seed, 2), rows(1000 + seed, batch=9)
    alignment = SoftAlignment(
        nearest=nearest, target_temperature=t_k, query_temperature=t_q, centred=centred, contrast=contrast
    )
    expected = literal.soft_alignment(q.numpy(), k.numpy(), bank.numpy(), nearest, t_k, t_q, centred, contrast)
    assert alignment.loss(q, k, bank).item() == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert expected >= -1e-12, "a divergence is never below 0"


@pytest.mark.parametrize(("centred", "contrast"), [(False, 0.0), (True, 0.0), (True, 0.5)])
def test_the_gradient_of_soft_alignment_is_that_of_the_query_alone(centred: bool, contrast: float) -> None:
    (q, k), (bank,) = rows(0, 2), rows(1, batch=9)
    q.requires_grad_()
    k.requires_grad_()
    bank.requires_grad_()
    alignment = SoftAlignment(nearest=4, centred=centred, contrast=contrast)
    alignment.loss(q, k, bank.detach()).backward()
    assert k.grad is None
    assert q.grad is not None
    target, keys = k.detach().numpy(), bank.detach().numpy()
    expected = slope(lambda moved: literal.soft_alignment(moved, target, keys, 4, 0.05, 0.1, centred, contrast), q)
    np.testing.assert_allclose(q.grad.numpy(), expected, rtol=1e-4, atol=1e-7)


def test_soft_alignment_looks_at_the_neighbours_of_the_target_alone() -> None:
    bank, query, target = torch.eye(4), torch.eye(4)[:1], torch.eye(4)[1:2]
    alignment = SoftAlignment(nearest=1)
    assert alignment.loss(query, target, bank).item() == pytest.approx(0), "of one entry both are certain"
    assert SoftAlignment(nearest=4).loss(query, target, bank).item() > 1
    assert SoftAlignment(nearest=4).loss(target, target, bank).item() > 0, "the target is the sharper one"


@given(seed=st.integers(0, 200))
def test_targets_of_mixtures(seed: int) -> None:
    first, second = rows(seed, 2)
    share = shares(seed)
    expected = literal.mixed_keys(first.numpy(), second.numpy(), share.tolist())
    np.testing.assert_allclose(mixed_keys(first, second, share).numpy(), expected, rtol=1e-9)
    other = shares(seed + 1)
    alike = [literal.common_share(a, b) for a, b in zip(share.tolist(), other.tolist(), strict=True)]
    assert common_share(share, other).tolist() == pytest.approx(alike)
    assert common_share(share, 1 - other).tolist() == pytest.approx([1 - value for value in alike])


@given(seed=st.integers(0, 200), temperature=st.floats(0.05, 1.0))
def test_mixtures_find_both_their_clips(seed: int, temperature: float) -> None:
    (q, first, second), (queue,) = rows(seed, 3), rows(1000 + seed, batch=9)
    share = shares(seed)
    q.requires_grad_()
    found = mixture_nce(q, first, second, share, queue, temperature)
    expected = literal.mixture_nce(
        q.detach().numpy(), first.numpy(), second.numpy(), share.numpy(), queue.numpy(), temperature
    )
    assert found.item() == pytest.approx(expected)
    in_batch = literal.mixture_in_batch(3 * q.detach().numpy(), first.numpy(), share.numpy(), temperature)
    assert mixture_loss(3 * q, first, share, temperature=temperature).item() == pytest.approx(in_batch)


def test_the_gradients_of_the_losses_of_mixtures() -> None:
    (q, first, second), (queue,) = rows(0, 3), rows(1, batch=9)
    share, pieces = shares(2), [row.numpy() for row in (first, second)]
    q.requires_grad_()
    mixture_nce(q, first, second, share, queue, 0.2).backward()
    assert q.grad is not None
    expected = slope(lambda x: literal.mixture_nce(x, *pieces, share.numpy(), queue.numpy(), 0.2), q)
    np.testing.assert_allclose(q.grad.numpy(), expected, rtol=1e-4, atol=1e-7)
    q.grad = None
    mixture_loss(q, first, share, temperature=0.2).backward()
    expected = slope(lambda x: literal.mixture_in_batch(x, pieces[0], share.numpy(), 0.2), q)
    np.testing.assert_allclose(q.grad.numpy(), expected, rtol=1e-4, atol=1e-7)


# --- the method -------------------------------------------------------------------------------------------------------


def tranclr(**options: object) -> TranCLR:
    return TranCLR({"joint": query_key()}, alignment=SoftAlignment(nearest=4), **options)  # type: ignore[arg-type]


def test_three_levels_of_mixtures_and_their_targets() -> None:
    method = tranclr(weights={"intra": 1.0, "inter": 0.5, "cross": 2.0}).double()
    alone = copy.deepcopy(method).networks["joint"]
    assert isinstance(alone, QueryKey)
    views = mixed_views(of="tranclr", dtype=torch.float64)
    x1, x2, within, between, again = (view["joint"] for view in views)
    of = {"A": views[2], "A1": views[3], "A2": views[4]}
    key = alone.key(x2)
    expected = literal.levels(
        {"x2": key.numpy(), "x1": alone.key(x1).numpy(), "A2": alone.key(again).numpy()},
        {name: alone.query(x).q.detach().numpy() for name, x in (("A", within), ("A1", between))},
        {name: view[SHARE].tolist() for name, view in of.items()},
        alone.queue.keys.numpy(),
        4,
        0.05,
        0.1,
    )
    terms = method(views)
    for level in LEVELS:
        assert terms[f"{level}/joint"].item() == pytest.approx(expected[level], rel=1e-8), level
    total = expected["intra"] + 0.5 * expected["inter"] + 2 * expected["cross"]
    assert terms["loss"].item() == pytest.approx(total, rel=1e-8)
    assert terms["loss/joint"].item() == pytest.approx(total, rel=1e-8)
    method.after_step(PROGRESS)
    network = method.networks["joint"]
    assert isinstance(network, QueryKey)
    torch.testing.assert_close(network.queue.keys[:6], key)
    assert int(network.queue.state_dict()["pointer"]) == 6, "the keys of the second views enter the bank, no others"


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_alone_is_what_it_is_among_the_others_and_costs_no_more(level: str) -> None:
    views = mixed_views(of="tranclr")
    whole, alone = tranclr(), tranclr(weights={one: float(one == level) for one in LEVELS})
    passes: list[bool] = []
    network = alone.networks["joint"]
    assert isinstance(network, QueryKey)
    for part in (network.projector, network.key_projector):
        part.register_forward_hook(lambda module, *rest: passes.append(next(module.parameters()).requires_grad))
    terms = alone(views)
    assert {name for name in terms if name.split("/")[0] in LEVELS} == {f"{level}/joint"}
    assert terms["loss"].item() == pytest.approx(whole(views)[f"{level}/joint"].item(), rel=1e-4)
    assert (passes.count(True), passes.count(False)) == (1, 1 if level == "inter" else 2)


def test_it_is_a_method_that_learns_streams_apart() -> None:
    both = TranCLR({"joint": query_key(0), "bone": query_key(1)}, alignment=SoftAlignment(nearest=4))
    alone = TranCLR({"bone": query_key(1)}, alignment=SoftAlignment(nearest=4))
    assert isinstance(both, Method)
    views = mixed_views(streams=("joint", "bone"), of="tranclr")
    terms, expected = both(views), alone(views)
    for name, term in expected.items():
        if name != "loss":
            assert term.item() == pytest.approx(terms[name].item())
    assert terms["loss"].item() == pytest.approx(terms["loss/joint"].item() + terms["loss/bone"].item())
    terms["loss"].backward()
    trained = {id(p) for _, group in both.parameter_groups() for p in group}
    assert trained == {id(p) for p in both.parameters() if p.requires_grad and p.grad is not None}


def test_opposite_clips() -> None:
    assert opposite(torch.arange(5.0)[:, None]).flatten().tolist() == [4, 3, 2, 1, 0]


# --- mixing and soft targets in other methods -------------------------------------------------------------------------


def test_nt_xent_with_mixtures() -> None:
    method = InBatch({"joint": projected()}, nt_xent_loss, mixture_loss).double()
    alone = copy.deepcopy(method).get_submodule("networks.joint")
    views = mixed_views(of="nt-xent", dtype=torch.float64)
    ((z1, _), (z2, _), (mixture, _)) = alone(*(view["joint"] for view in views))
    terms = method(views)
    assert terms["loss/joint"].item() == pytest.approx(nt_xent_loss(z1, z2).item())
    expected = literal.mixture_in_batch(mixture.detach().numpy(), z2.detach().numpy(), views[2][SHARE].numpy(), 0.1)
    assert terms["mixture/joint"].item() == pytest.approx(expected)
    assert terms["loss"].item() == pytest.approx(terms["loss/joint"].item() + expected)


@pytest.mark.parametrize("soft", [False, True])
def test_skeletonclr_with_mixtures_and_soft_targets(soft: bool) -> None:
    alignment = SoftAlignment(nearest=4) if soft else None
    method = MomentumContrast({"joint": query_key()}, alignment=alignment).double()
    alone = copy.deepcopy(method).networks["joint"]
    assert isinstance(alone, QueryKey)
    views = mixed_views(of="nt-xent", dtype=torch.float64)
    q, key = alone.query(views[0]["joint"]).q.detach(), alone.key(views[1]["joint"])
    mixture, share, bank = alone.query(views[2]["joint"]).q.detach(), views[2][SHARE], alone.queue.keys.numpy()
    terms = method(views)
    if soft:
        own = literal.soft_alignment(q.numpy(), key.numpy(), bank, 4, 0.05, 0.1)
        target = literal.mixed_keys(key.numpy(), key.flip(0).numpy(), share.tolist())
        mixed = literal.soft_alignment(mixture.numpy(), target, bank, 4, 0.05, 0.1)
    else:
        own = literal_contrast.info_nce(q.numpy(), key.numpy(), bank, 0.07)
        mixed = literal.mixture_nce(mixture.numpy(), key.numpy(), key.flip(0).numpy(), share.numpy(), bank, 0.07)
    assert terms["loss/joint"].item() == pytest.approx(own)
    assert terms["mixture/joint"].item() == pytest.approx(mixed)
    assert terms["loss"].item() == pytest.approx(own + mixed)


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TranCLRSettings(bank=100), r"nearest \(8192\) must be at most 100, the length of the bank"),
        (
            lambda: TranCLRSettings(intra=0.0, inter=0.0, cross=0.0),
            r"levels \(intra 0, inter 0, cross 0\) must be 0 or more",
        ),
        (lambda: TranCLRSettings(intra=-1.0), "one of them above 0"),
        (lambda: TranCLRSettings(decay=1.5), r"decay \(1.5\) must be in \[0, 1\]"),
        (lambda: SoftAlignment(nearest=0), r"nearest \(0\) must be at least 1"),
        (lambda: SoftAlignment(query_temperature=0.0), r"query_temperature \(0.0\) must be above 0"),
        (lambda: SoftAlignment(contrast=-1.0), r"contrast \(-1.0\) must be a weight, 0 or more"),
        (lambda: MomentumContrastSettings(queue=64, alignment=SoftAlignment()), "must be at most 64"),
        (
            lambda: MomentumContrastSettings(name="crosclr", alignment=SoftAlignment()),
            "method.alignment is for skeletonclr",
        ),
        (lambda: tranclr(decay=-1.0), r"decay \(-1.0\)"),
        (lambda: TranCLR({"joint": query_key()}), r"nearest \(8192\) must be at most 10"),
    ],
)
def test_settings_that_cannot_be_are_refused(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()  # type: ignore[operator]


def test_methods_without_mixing_ask_for_no_mixtures() -> None:
    from kinestream.skeleton.layout import KINECT20

    assert NTXentSettings().mixtures(KINECT20) == MomentumContrastSettings().mixtures(KINECT20) == ()
    for settings, words in ((TranCLRSettings(), "stream distance is of pairs"),):
        with pytest.raises(ValueError, match=words):
            settings.check_streams(["distance"])
