import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from kinestream.methods.agreement import cosine_similarities, top_marks
from kinestream.methods.ema import update_average
from kinestream.methods.losses import byol_loss, whiten
from kinestream.methods.method import Method, Progress
from kinestream.methods.online_target import OnlineTarget
from kinestream.methods.self_distillation import (
    Collaboration,
    SelfDistillation,
    SelfDistillationSettings,
    caca,
    skeleton_byol,
)
from kinestream.models.heads import mlp_head
from kinestream.models.kernels.graph import adjacency
from kinestream.models.stgcn import STGCN
from kinestream.skeleton.layout import KINECT20


def pair(seed: int = 0) -> OnlineTarget:
    torch.manual_seed(seed)
    encoder = STGCN(torch.from_numpy(adjacency(KINECT20)), hidden=4, dim=8, dropout=0.0)
    return OnlineTarget(encoder, mlp_head(8, 16, 8), mlp_head(8, 16, 8))


def views(seed: int = 0, streams: tuple[str, ...] = ("joint",)) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [{stream: torch.randn(6, 3, 10, 20, 1, generator=generator) for stream in streams} for _ in range(2)]


def one_step(method: SelfDistillation, progress: Progress | None = None, rate: float = 0.5) -> None:
    parameters = [p for _, group in method.parameter_groups() for p in group]
    optimizer = torch.optim.SGD(parameters, lr=rate)
    method(views())["loss"].backward()
    optimizer.step()
    method.after_step(progress or Progress(step=1, steps=10, epoch=0))


def test_is_a_method() -> None:
    assert isinstance(caca({"joint": pair()}), Method)


def test_the_target_starts_equal_but_is_another_network() -> None:
    p = pair()
    for online, target in ((p.encoder, p.target_encoder), (p.projector, p.target_projector)):
        assert online is not target
        for a, b in zip(online.parameters(), target.parameters(), strict=True):
            assert torch.equal(a, b)
            assert a.data_ptr() != b.data_ptr()
            assert a.requires_grad
            assert not b.requires_grad


def test_the_target_really_lags_by_the_decay() -> None:
    p = pair()
    method = caca({"joint": p}, decay=0.9)
    before = copy.deepcopy(p)
    one_step(method)
    moved = 0
    for part, target_part in (("encoder", "target_encoder"), ("projector", "target_projector")):
        for (name, online), target, old in zip(
            p.get_submodule(part).named_parameters(),
            p.get_submodule(target_part).parameters(),
            before.get_submodule(target_part).parameters(),
            strict=True,
        ):
            torch.testing.assert_close(target, 0.9 * old + 0.1 * online, msg=name)
            moved += int(not torch.equal(target, old)) * int(not torch.equal(target, online))
    assert moved > 20


def test_bn_statistics_of_the_target_are_its_own() -> None:
    p = pair()
    caca({"joint": p})(views())
    assert int(p.target_encoder.data_bn.num_batches_tracked) == 2, "it runs in training mode, once a view"
    one_step(caca({"joint": p}, decay=1.0))
    online, target = p.encoder.blocks[0].graph_bn, p.target_encoder.blocks[0].graph_bn
    assert online.running_mean is not target.running_mean


def test_decay_goes_to_its_end_along_a_cosine() -> None:
    method = SelfDistillation({"joint": pair()}, byol_loss, decay=0.9, final_decay=1.0)
    with torch.no_grad():
        for parameter in method.pairs["joint"].encoder.parameters():
            parameter.add_(1.0)
    target = next(method.pairs["joint"].target_encoder.parameters())
    for step, expected in ((0, 0.1), (5, 0.05), (10, 0.0)):
        before = target.clone()
        online = next(method.pairs["joint"].encoder.parameters())
        gap = online - before
        method.after_step(Progress(step=step, steps=10, epoch=0))
        torch.testing.assert_close(target - before, expected * gap, atol=1e-6, rtol=1e-4)


def test_the_average_refuses_networks_of_another_shape() -> None:
    with pytest.raises(ValueError, match="the target has 1 parameters, the online network 2"):
        update_average([torch.nn.Parameter(torch.zeros(1))], [torch.nn.Parameter(torch.zeros(1))] * 2, 0.5)


@pytest.mark.parametrize("make", [caca, skeleton_byol])
def test_streams_are_summed_and_independent(make: object) -> None:
    build = caca if make is caca else skeleton_byol
    both = build({"joint": pair(0), "bone": pair(1)})
    streams = ("joint", "bone")
    terms = both(views(7, streams))
    terms = {name: term.detach() for name, term in terms.items()}
    assert float(terms["loss"]) == pytest.approx(float(terms["loss/joint"] + terms["loss/bone"]))
    alone = build({"bone": pair(1)})
    assert float(alone([{"bone": view["bone"]} for view in views(7, streams)])["loss"].detach()) == pytest.approx(
        float(terms["loss/bone"])
    )
    assert set(both.encoders()) == set(streams)


def test_every_online_parameter_is_trained_once_and_no_target_parameter() -> None:
    for rate in (1.0, 10.0):
        method = skeleton_byol({"joint": pair(0), "motion": pair(1)}, predictor_rate=rate)
        listed = [p for _, group in method.parameter_groups() for p in group]
        assert len({id(p) for p in listed}) == len(listed)
        assert {id(p) for p in listed} == {id(p) for p in method.parameters() if p.requires_grad}
    factors = {factor: sum(p.numel() for p in group) for factor, group in method.parameter_groups()}
    predictors = sum(p.numel() for stream in method.pairs.values() for p in stream.predictor.parameters())
    assert factors[10.0] == predictors


def test_whitened_targets_are_used() -> None:
    plain = skeleton_byol({"joint": pair()})
    white = skeleton_byol({"joint": pair()}, targets=whiten)
    q1, q2, z1, z2, _ = copy.deepcopy(white.pairs["joint"])(*(view["joint"] for view in views()))
    expected = byol_loss(q1, q2, whiten(z1), whiten(z2))
    assert white(views())["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert plain(views())["loss"].item() != pytest.approx(expected.item(), rel=1e-3)


def test_refuses_a_decay_outside_0_to_1() -> None:
    with pytest.raises(ValueError, match=r"decay \(1.5\) must be in \[0, 1\]"):
        caca({"joint": pair()}, decay=1.5)


@pytest.mark.parametrize("negated", [False, True])
def test_predictions_are_compared_as_they_are_or_negated(negated: bool) -> None:
    method = caca({"joint": pair()}, collaboration=Collaboration(first_epoch=0, k=2, weight=1.5, negated=negated))
    method.start_epoch(0)
    made = copy.deepcopy(method.pairs["joint"])(*(view["joint"] for view in views()))
    q1, q2, z1, z2 = (rows.detach().double().numpy() for rows in made[:4])
    sign = -1 if negated else 1
    rows = len(q1)
    cosines = [
        np.array(
            [
                [sign * q[i] @ z[j] / np.linalg.norm(q[i]) / np.linalg.norm(z[j]) for j in range(rows)]
                for i in range(rows)
            ]
        )
        for q, z in ((q1, z2), (q2, z1))
    ]
    marked = [{(i, j) for i in range(rows) for j in (i, *np.argsort(-similarity[i])[:2])} for similarity in cosines]
    both = marked[0] & marked[1]  # one stream: its own marks are the vote
    logs = [s - np.log(np.exp(s).sum(axis=1, keepdims=True)) for s in cosines]
    expected = 1.5 * -sum(log[i, j] for log in logs for i, j in both) / rows
    assert float(method(views())["agreement/joint"].detach()) == pytest.approx(expected, rel=1e-4)
    assert method.positives is not None
    assert {(int(i), int(j)) for i, j in method.positives.nonzero()} == both


def test_nothing_is_negated_where_nothing_is_pushed() -> None:
    SelfDistillationSettings(name="caca", cross_negated=True)
    with pytest.raises(ValueError, match="cross_negated is for method caca"):
        SelfDistillationSettings(name="skeleton-byol", cross_negated=True)


def test_what_the_push_makes_opposite_is_near_when_negated() -> None:
    """Predictions as CACA would have them: the opposites of the targets of their own class, whose neighbours are all
    wrong as they are, and right when negated."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.arange(12) % 3
    targets = torch.eye(8)[classes] + 0.05 * torch.randn(12, 8, generator=generator)
    predictions = -(torch.eye(8)[classes] + 0.05 * torch.randn(12, 8, generator=generator))
    same = classes[:, None] == classes[None, :]
    for sign, wanted in ((1, 0.0), (-1, 1.0)):
        marks = top_marks(cosine_similarities(sign * predictions, targets), 2)
        beyond = marks & ~torch.eye(12, dtype=torch.bool)
        assert float((beyond & same).sum() / beyond.sum()) == wanted
