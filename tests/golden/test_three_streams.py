"""The numbers of the published code for three streams: both stages, similarities, pseudo labels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.reference.published_pairs import PARTS, load, pair_at
from torch import Tensor

from kinestream.methods.agreement import StreamSimilarities, cosine_similarities, stream_label, vote
from kinestream.methods.method import Progress
from kinestream.methods.self_distillation import Collaboration, SelfDistillation, caca
from kinestream.models.published_names import translate
from kinestream.skeleton.layout import NTU25
from kinestream.skeleton.streams import make_streams

STREAMS = ("joint", "motion", "bone")


@pytest.fixture(scope="module")
def values(golden: Path, device: torch.device) -> dict[str, Tensor]:
    return load(golden / "caca_three_streams.npz", device)


def method_at(values: dict[str, Tensor], moment: str, *, first_epoch: int) -> SelfDistillation:
    pairs = {stream: pair_at(values, moment, stream) for stream in STREAMS}
    return caca(pairs, collaboration=Collaboration(first_epoch=first_epoch))


def optimiser(method: SelfDistillation) -> torch.optim.SGD:
    parameters = [p for _, group in method.parameter_groups() for p in group]
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-4)


def views(values: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    return [make_streams(values[name], STREAMS, NTU25) for name in ("x1", "x2")]


def train(
    method: SelfDistillation, optimizer: torch.optim.SGD, values: dict[str, Tensor], epochs: range
) -> list[dict[str, float]]:
    """One step an epoch, so that the stage can change between two steps."""
    logged = []
    for epoch in epochs:
        method.start_epoch(epoch)
        terms = method(views(values))
        logged.append({name: term.item() for name, term in terms.items()})
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        method.after_step(Progress(step=epoch + 1, steps=8, epoch=epoch))
    return logged


def test_both_stages_in_a_row(values: dict[str, Tensor]) -> None:
    method = method_at(values, "init", first_epoch=4)
    logged = train(method, optimiser(method), values, range(8))
    stage_1 = [[terms[f"loss/{stream}"] for stream in STREAMS] for terms in logged[:4]]
    np.testing.assert_allclose(stage_1, values["stage1_losses"].tolist(), rtol=1e-6)
    np.testing.assert_allclose([terms["loss"] for terms in logged[4:]], values["stage2_losses"].tolist(), rtol=1e-6)
    assert not any(name.startswith("agreement/") for name in logged[3])
    assert sum(name.startswith("agreement/") for name in logged[4]) == 3


def test_the_state_after_stage_1(values: dict[str, Tensor]) -> None:
    method = method_at(values, "init", first_epoch=4)
    optimizer = optimiser(method)
    train(method, optimizer, values, range(4))
    compared = 0
    for stream in STREAMS:
        pair = method.get_submodule(f"pairs.{stream}")
        for part, (published, rename) in PARTS.items():
            module = pair.get_submodule(part)
            expected, _ = translate(values, f"mid.{published}_{stream}.", rename)
            for name, value in module.state_dict().items():
                torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=1e-8)
            momentum, _ = translate(values, f"mid_momentum.{published}_{stream}.", rename)
            for name, parameter in module.named_parameters():
                if not part.startswith("target"):
                    found = optimizer.state[parameter]["momentum_buffer"]
                    torch.testing.assert_close(found, momentum[name], rtol=1e-6, atol=1e-8)
                    compared += 1
    assert compared == 348


def test_similarities_and_pseudo_labels(values: dict[str, Tensor]) -> None:
    method = method_at(values, "mid", first_epoch=0)
    first, second = views(values)
    labels = []
    for stream in STREAMS:
        pair = method.get_submodule(f"pairs.{stream}")
        q1, q2, z1, z2, _ = pair(first[stream], second[stream])
        found = StreamSimilarities(first=cosine_similarities(q1, z2), second=cosine_similarities(q2, z1))
        torch.testing.assert_close(found.first, values[f"similarity_1.{stream}"], rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(found.second, values[f"similarity_2.{stream}"], rtol=1e-6, atol=1e-9)
        labels.append(stream_label(found, k=2))
    assert torch.equal(vote(labels), values["pseudo_label"])


def test_the_target_is_frozen_in_stage_2_unless_asked(values: dict[str, Tensor]) -> None:
    for moving in (False, True):
        method = method_at(values, "mid", first_epoch=0)
        method.collaboration = Collaboration(first_epoch=0, moving_target=moving)
        target = next(method.get_submodule("pairs.bone.target_encoder").parameters())
        before = target.detach().clone()
        train(method, optimiser(method), values, range(1))
        assert torch.equal(target, before) is not moving
