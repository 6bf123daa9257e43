"""The numbers of the published code for one stream: graph, encoder, losses, gradients, states, kNN."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinestream.evaluate.knn import knn_ranking
from kinestream.layout import KINECT20, NTU25
from kinestream.methods.method import Progress
from kinestream.methods.online_target import OnlineTarget
from kinestream.methods.self_distillation import SelfDistillation, caca, skeleton_byol
from kinestream.models.graph import adjacency
from kinestream.models.heads import mlp_head
from kinestream.models.published_names import encoder_name, head_name, translate
from kinestream.models.stgcn import STGCN

PARTS = {
    "encoder": ("online_backbone", encoder_name),
    "projector": ("online_projector", head_name),
    "predictor": ("online_predictor", head_name),
    "target_encoder": ("target_backbone", encoder_name),
    "target_projector": ("target_projector", head_name),
}


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def load(path: Path) -> dict[str, Tensor]:
    values = np.load(path)
    return {name: torch.from_numpy(values[name]) for name in values.files}


def small_encoder() -> STGCN:
    return STGCN(torch.from_numpy(adjacency(NTU25)), hidden=4, dim=24, dropout=0.0)


def fill(module: nn.Module, values: dict[str, Tensor], prefix: str, rename: Callable[[str], str | None]) -> None:
    state, unknown = translate(values, prefix, rename)
    assert not unknown
    module.load_state_dict(state)


def pair_at(values: dict[str, Tensor], moment: str) -> OnlineTarget:
    pair = OnlineTarget(small_encoder(), mlp_head(24, 32, 24), mlp_head(24, 32, 24))
    for part, (published, rename) in PARTS.items():
        fill(pair.get_submodule(part), values, f"{moment}.{published}.", rename)
    return pair


def five_steps(method: SelfDistillation, values: dict[str, Tensor]) -> list[float]:
    parameters = [p for _, group in method.parameter_groups() for p in group]
    optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-4)
    losses = []
    for step in range(5):
        loss = method([{"joint": values["x1"]}, {"joint": values["x2"]}])["loss"]
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        method.after_step(Progress(step=step + 1, steps=5, epoch=0))
    return losses


def test_adjacency(golden: Path) -> None:
    values = np.load(golden / "graph.npz")
    np.testing.assert_array_equal(adjacency(NTU25), values["ntu25"])
    np.testing.assert_array_equal(adjacency(KINECT20), values["nw_ucla20"])


def test_encoder_in_evaluation_and_training_mode(golden: Path) -> None:
    values = load(golden / "stgcn_small.npz")
    encoder = small_encoder()
    fill(encoder, values, "state.", encoder_name)
    torch.testing.assert_close(encoder.eval()(values["x"]), values["y_eval"], rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(encoder.train()(values["x"]), values["y_train"], rtol=1e-6, atol=1e-9)


def test_caca_first_gradient(golden: Path) -> None:
    values = load(golden / "caca_single.npz")
    pair = pair_at(values, "init")
    caca({"joint": pair})([{"joint": values["x1"]}, {"joint": values["x2"]}])["loss"].backward()
    compared = 0
    for part, (published, rename) in PARTS.items():
        expected, _ = translate(values, f"grad.{published}.", rename)
        for name, parameter in pair.get_submodule(part).named_parameters():
            if part.startswith("target"):
                assert parameter.grad is None
            else:
                assert parameter.grad is not None
                torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-6, atol=1e-9)
                compared += 1
    assert compared > 100


def test_caca_five_steps(golden: Path) -> None:
    values = load(golden / "caca_single.npz")
    pair = pair_at(values, "init")
    np.testing.assert_allclose(five_steps(caca({"joint": pair}), values), values["losses"], rtol=1e-6)
    for part, (published, rename) in PARTS.items():
        expected, _ = translate(values, f"final.{published}.", rename)
        found = pair.get_submodule(part).state_dict()
        assert found.keys() == expected.keys()
        for name, value in found.items():
            torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=1e-8, msg=lambda m, n=name: f"{n}: {m}")


def test_byol_five_steps(golden: Path) -> None:
    start = load(golden / "caca_single.npz")
    losses = five_steps(skeleton_byol({"joint": pair_at(start, "init")}), start)
    np.testing.assert_allclose(losses, np.load(golden / "byol_single.npz")["losses"], rtol=1e-6)


def test_knn(golden: Path) -> None:
    values = load(golden / "knn.npz")
    ranking = knn_ranking(values["bank"], values["labels"], values["query"], classes=10, k=20, temperature=0.1)
    assert torch.equal(ranking, values["pred_k20_t01"])
