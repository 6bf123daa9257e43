"""The numbers of the published code for one stream: graph, encoder, losses, gradients, states, kNN."""

from pathlib import Path

import numpy as np
import torch
from tests.reference.published_pairs import PARTS, fill, load, pair_at, small_encoder
from torch import Tensor

from kinestream.features.neighbours import knn_ranking
from kinestream.methods.method import Progress
from kinestream.methods.self_distillation import SelfDistillation, caca, skeleton_byol
from kinestream.models.kernels.graph import adjacency
from kinestream.models.published_names import encoder_name, translate
from kinestream.skeleton.layout import KINECT20, NTU25


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


def test_encoder_in_evaluation_and_training_mode(golden: Path, device: torch.device) -> None:
    values = load(golden / "stgcn_small.npz", device)
    encoder = small_encoder()
    fill(encoder, values, "state.", encoder_name)
    torch.testing.assert_close(encoder.eval()(values["x"]), values["y_eval"], rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(encoder.train()(values["x"]), values["y_train"], rtol=1e-6, atol=1e-9)


def test_caca_first_gradient(golden: Path, device: torch.device) -> None:
    values = load(golden / "caca_single.npz", device)
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


def test_caca_five_steps(golden: Path, device: torch.device) -> None:
    values = load(golden / "caca_single.npz", device)
    pair = pair_at(values, "init")
    np.testing.assert_allclose(five_steps(caca({"joint": pair}), values), values["losses"].tolist(), rtol=1e-6)
    for part, (published, rename) in PARTS.items():
        expected, _ = translate(values, f"final.{published}.", rename)
        found = pair.get_submodule(part).state_dict()
        assert found.keys() == expected.keys()
        for name, value in found.items():
            torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=1e-8, msg=lambda m, n=name: f"{n}: {m}")


def test_byol_five_steps(golden: Path, device: torch.device) -> None:
    start = load(golden / "caca_single.npz", device)
    losses = five_steps(skeleton_byol({"joint": pair_at(start, "init")}), start)
    np.testing.assert_allclose(losses, np.load(golden / "byol_single.npz")["losses"], rtol=1e-6)


def test_knn(golden: Path, device: torch.device) -> None:
    values = load(golden / "knn.npz", device)
    ranking = knn_ranking(values["bank"], values["labels"], values["query"], classes=10, k=20, temperature=0.1)
    assert torch.equal(ranking, values["pred_k20_t01"])
