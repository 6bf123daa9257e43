import copy
from typing import Any, cast

import pytest
import torch
from torch import nn

from kinestream.models.classifier import StreamClassifier
from kinestream.models.kernels.graph import adjacency
from kinestream.models.stgcn import STGCN
from kinestream.skeleton.layout import KINECT20


def classifier(*, frozen_statistics: bool) -> StreamClassifier:
    torch.manual_seed(0)
    encoders = {
        name: STGCN(torch.from_numpy(adjacency(KINECT20)), hidden=4, dim=8, dropout=0.5) for name in ("joint", "bone")
    }
    return StreamClassifier(encoders, 3, frozen_statistics=frozen_statistics)


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(6, 3, 12, 20, 1, generator=generator) for name in ("joint", "bone")}


def statistics(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.named_buffers() if "running" in name or "tracked" in name}


@pytest.mark.parametrize("frozen", [True, False])
def test_the_published_form_leaves_batch_statistics_alone_and_the_usual_one_does_not(frozen: bool) -> None:
    model = classifier(frozen_statistics=frozen).train()
    before, weights = statistics(model), copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    logits = model(batch())
    assert torch.equal(logits, model(batch())) is frozen, "without dropout twice the same"
    nn.functional.cross_entropy(logits, torch.arange(6) % 3).backward()
    optimizer.step()
    after = statistics(model)
    assert all(torch.equal(before[name], after[name]) for name in before) is frozen
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, weights[name])}
    assert {name.split(".")[0] for name in moved} == {"encoders", "heads"}, "all of it learns in either form"


def test_logits_are_the_sum_over_the_streams() -> None:
    model = classifier(frozen_statistics=True).eval()
    x = batch()
    parts = [cast(Any, model.heads[name])(cast(Any, model.encoders[name])(x[name])) for name in x]
    torch.testing.assert_close(model(x), parts[0] + parts[1])


def test_rates_fall_from_the_linear_layers_down_and_every_parameter_has_one() -> None:
    model = classifier(frozen_statistics=False)
    groups = model.parameter_groups(0.5)
    factor_of = {id(parameter): factor for factor, group in groups for parameter in group}
    assert len(factor_of) == len(list(model.parameters())) == sum(len(group) for _, group in groups)
    encoder = cast(STGCN, model.encoders["bone"])
    assert factor_of[id(cast(nn.Linear, model.heads["bone"]).weight)] == 1
    for number, block in enumerate(encoder.blocks):
        expected = 0.5 ** (10 - number)
        assert {factor_of[id(parameter)] for parameter in block.parameters()} == {expected}
        assert factor_of[id(encoder.edge_importance[number])] == expected
    assert factor_of[id(encoder.data_bn.weight)] == 0.5**11
    assert {factor for factor, _ in model.parameter_groups(1.0)} == {1.0}
