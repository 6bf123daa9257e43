"""SkeletonCLR, CrosSCLR and AimCLR as modules: queue, key network, stages."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.methods.networks import EMBEDDING, nt_xent, projected, query_key, vicreg, views

from kinestream.methods.aimclr import AimCLR, NeighbourMining
from kinestream.methods.attention_drop import attention_drop
from kinestream.methods.contrast import distribution_loss, info_nce, similarities
from kinestream.methods.in_batch import InBatch
from kinestream.methods.losses import nt_xent_loss
from kinestream.methods.method import Method, Progress
from kinestream.methods.momentum_contrast import CrossMining, MomentumContrast, cross_losses
from kinestream.methods.nt_xent import NTXentSettings
from kinestream.methods.query_key import QueryKey
from kinestream.methods.queue import KeyQueue

STREAMS = ("joint", "motion", "bone")
PROGRESS = Progress(step=1, steps=10, epoch=0)


def three(length: int = 10) -> dict[str, QueryKey]:
    return {stream: query_key(seed, length) for seed, stream in enumerate(STREAMS)}


def one_step(method: MomentumContrast | AimCLR | InBatch, count: int = 2, seed: int = 0) -> dict[str, float]:
    parameters = [p for _, group in method.parameter_groups() for p in group]
    streams = tuple(method.encoders())
    terms = method(views(seed, streams, count))
    terms["loss"].backward()
    torch.optim.SGD(parameters, lr=0.5).step()
    method.after_step(PROGRESS)
    return {name: term.item() for name, term in terms.items()}


# --- queue ------------------------------------------------------------------------------------------------------------


@given(length=st.integers(1, 12), batches=st.lists(st.integers(1, 15), max_size=6))
def test_the_queue_holds_the_last_keys_whatever_the_batches(length: int, batches: list[int]) -> None:
    queue = KeyQueue(length, 2)
    everything = list(queue.keys.clone())
    for number, batch in enumerate(batches):
        keys = torch.arange(batch * 2, dtype=torch.float32).view(batch, 2) + 100 * number
        queue.enqueue(keys)
        everything += list(keys)
    pointer = int(queue.state_dict()["pointer"])
    oldest_first = queue.keys.roll(-pointer, dims=0)
    assert torch.equal(oldest_first, torch.stack(everything[-length:]))
    assert pointer == sum(batches) % length


def test_the_queue_starts_with_different_unit_vectors_and_is_saved() -> None:
    torch.manual_seed(0)
    queue = KeyQueue(100, 8)
    torch.testing.assert_close(queue.keys.norm(dim=1), torch.ones(100))
    assert len({tuple(row) for row in queue.keys.tolist()}) == 100
    queue.enqueue(torch.ones(7, 8))
    other = KeyQueue(100, 8)
    other.load_state_dict(queue.state_dict())
    assert torch.equal(other.keys, queue.keys)
    assert int(other.state_dict()["pointer"]) == 7
    with pytest.raises(ValueError, match=r"length of the queue \(0\) must be at least 1"):
        KeyQueue(0, 8)


# --- key network ------------------------------------------------------------------------------------------------------


def test_the_key_network_starts_equal_but_is_another_and_really_lags() -> None:
    network = query_key()
    parts = (("encoder", "key_encoder"), ("projector", "key_projector"))
    for part, key_part in parts:
        for a, b in zip(getattr(network, part).parameters(), getattr(network, key_part).parameters(), strict=True):
            assert torch.equal(a, b)
            assert a.data_ptr() != b.data_ptr()
            assert a.requires_grad
            assert not b.requires_grad
    before = copy.deepcopy(network)
    one_step(MomentumContrast({"joint": network}, decay=0.9))
    moved = 0
    for part, key_part in parts:
        for query, key, old in zip(
            getattr(network, part).parameters(),
            getattr(network, key_part).parameters(),
            getattr(before, key_part).parameters(),
            strict=True,
        ):
            torch.testing.assert_close(key, 0.9 * old + 0.1 * query)
            moved += int(not torch.equal(key, old)) * int(not torch.equal(key, query))
    assert moved > 20
    assert int(network.key_encoder.data_bn.num_batches_tracked) == 1, "BN statistics of its own, in training mode"


def test_a_step_meets_the_keys_of_earlier_steps_only_and_then_leaves_its_own() -> None:
    network = query_key(length=10)
    method = MomentumContrast({"joint": network})
    expected = copy.deepcopy(network)
    first, second = views()
    q, k = expected.query(first["joint"]).q, expected.key(second["joint"])
    torch.testing.assert_close(q.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(k.norm(dim=1), torch.ones(6))
    assert not k.requires_grad
    loss = info_nce(similarities(q, k, network.queue.keys).logits(0.07)).item()
    assert one_step(method)["loss"] == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(network.queue.keys[:6], k)
    assert torch.equal(network.queue.keys[6:], expected.queue.keys[6:])


def test_every_query_parameter_is_trained_once_and_no_key_parameter() -> None:
    for method in (MomentumContrast(three()), AimCLR(three()), nt_xent({"joint": projected()})):
        listed = [p for _, group in method.parameter_groups() for p in group]
        assert len({id(p) for p in listed}) == len(listed)
        assert {id(p) for p in listed} == {id(p) for p in method.parameters() if p.requires_grad}
        assert isinstance(method, Method)
        assert method.positives is None


# --- CrosSCLR ---------------------------------------------------------------------------------------------------------


def test_crosclr_goes_over_to_the_neighbours_of_the_others_and_moves_all_key_networks() -> None:
    # The published code moves one of three: deviation 10.
    method = MomentumContrast(three(), mining=CrossMining(first_epoch=1))
    method.start_epoch(0)
    terms = one_step(method)
    assert "mined/shared" not in terms
    assert terms["loss"] == pytest.approx(sum(terms[f"loss/{stream}"] for stream in STREAMS), rel=1e-5)
    method.start_epoch(1)
    alone = copy.deepcopy(method)
    before = copy.deepcopy(method)
    first, second = views(5, STREAMS)
    found = {}
    for stream in STREAMS:
        network = alone.networks[stream]
        assert isinstance(network, QueryKey)
        q = network.query(first[stream]).q
        found[stream] = similarities(q, network.key(second[stream]), network.queue.keys)
    expected = {stream: loss.item() for stream, loss in cross_losses(found, 1, 0.07).items()}
    terms = one_step(method, seed=5)
    for stream in STREAMS:
        assert terms[f"loss/{stream}"] == pytest.approx(expected[stream], rel=1e-5)
        key = next(method.get_submodule(f"networks.{stream}.key_encoder").parameters())
        assert not torch.equal(key, next(before.get_submodule(f"networks.{stream}.key_encoder").parameters()))
        ring = method.get_submodule(f"networks.{stream}.queue").state_dict()["ring"]
        assert not torch.equal(ring, before.get_submodule(f"networks.{stream}.queue").state_dict()["ring"])
    assert 0 <= terms["mined/shared"] <= 1


def test_a_stream_alone_has_nobody_to_mine_for() -> None:
    with pytest.raises(ValueError, match="must be two or more, not joint alone"):
        MomentumContrast({"joint": query_key()}, mining=CrossMining(first_epoch=1))


# --- AimCLR -----------------------------------------------------------------------------------------------------------


def test_aimclr_is_skeletonclr_and_two_distribution_losses() -> None:
    network = query_key()
    method = AimCLR({"joint": network}, mining=NeighbourMining(first_epoch=1, k=2))
    alone = copy.deepcopy(network)
    first, second, extreme = (view["joint"] for view in views(count=3))
    q, key = alone.query(first).q, alone.key(second)
    plain, dropped = alone.queries(
        extreme, [lambda y: y, lambda y: attention_drop(y.permute(2, 3, 0, 1)).permute(2, 3, 0, 1)]
    )
    assert not torch.allclose(plain.q, dropped.q)
    logits, e, d = (similarities(one, key, alone.queue.keys).logits(0.07) for one in (q, plain.q, dropped.q))
    method.start_epoch(0)
    terms = one_step(method, count=3)
    assert terms["loss/joint"] == pytest.approx(info_nce(logits).item(), rel=1e-5)
    led = (distribution_loss(logits, e) + distribution_loss(logits, d)) / 2
    assert terms["distribution/joint"] == pytest.approx(led.item(), rel=1e-5)
    assert terms["loss"] == pytest.approx(terms["loss/joint"] + terms["distribution/joint"], rel=1e-5)
    assert "mined/joint" not in terms
    method.start_epoch(1)
    assert 2 <= one_step(method, count=3, seed=1)["mined/joint"] <= 6, "two keys of each of three queries, together"


def test_streams_of_aimclr_know_nothing_of_each_other() -> None:
    both = AimCLR({"joint": query_key(0), "bone": query_key(1)})
    alone = AimCLR({"bone": query_key(1)})
    shown = views(3, ("joint", "bone"), 3)
    terms, expected = both(shown), alone([{"bone": view["bone"]} for view in shown])
    for name, term in expected.items():
        if name != "loss":
            assert term.item() == pytest.approx(terms[name].item())


# --- in the batch -----------------------------------------------------------------------------------------------------


def test_in_batch_methods_sum_their_loss_over_the_streams() -> None:
    method = nt_xent({"joint": projected(0), "bone": projected(1)}, temperature=0.2)
    alone = copy.deepcopy(method)
    shown = views(0, ("joint", "bone"))
    expected = {}
    for stream in ("joint", "bone"):
        z1, z2 = (z for z, _ in alone.get_submodule(f"networks.{stream}")(*(view[stream] for view in shown)))
        expected[stream] = nt_xent_loss(z1, z2, temperature=0.2).item()
    terms = one_step(method)
    assert terms["loss"] == pytest.approx(sum(expected.values()), rel=1e-5)
    assert terms["loss/bone"] == pytest.approx(expected["bone"], rel=1e-5)


@pytest.mark.parametrize("make", [nt_xent, vicreg])
def test_in_batch_methods_learn_to_agree(make: object) -> None:
    network = {"joint": projected()}
    method = nt_xent(network) if make is nt_xent else vicreg(network)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.01)
    losses = []
    for _ in range(8):
        terms = method(views())
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        losses.append(terms["loss"].item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("temperature", [0.0, -0.1])
def test_refuses_what_no_training_can_be_done_with(temperature: float) -> None:
    for make in (lambda: NTXentSettings(temperature=temperature), lambda: AimCLR(three(), decay=1.5)):
        with pytest.raises(ValueError, match=r"must be (above 0|in \[0, 1\])"):
            make()
    with pytest.raises(ValueError, match=rf"temperature \({temperature}\) must be above 0"):
        MomentumContrast(three(), temperature=temperature)


def test_embeddings_have_the_size_of_the_projector() -> None:
    assert query_key().query(views()[0]["joint"]).q.shape == (6, EMBEDDING)
