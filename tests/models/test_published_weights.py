"""The authors' released weights: every key accounted for, and features as the published code gives them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kinestream.models.encoder_file import EncoderCard
from kinestream.models.heads import mlp_head
from kinestream.models.kernels.graph import adjacency
from kinestream.models.published_names import encoder_name, head_name, published_encoder_name, published_head_name
from kinestream.models.published_weights import Released, check_released, read_state
from kinestream.models.stgcn import STGCN, STGCNSettings
from kinestream.skeleton.layout import KINECT20, NTU25, SkeletonLayout
from kinestream.skeleton.streams import make_streams

STREAMS = ("joint", "motion", "bone")
State = dict[str, Tensor]


def encoder_of(found: Released, stream: str, layout: SkeletonLayout = NTU25) -> STGCN:
    encoder = found.encoders[stream]
    card = EncoderCard(
        stream=stream or "joint",
        layout=layout,
        encoder=STGCNSettings(hidden=encoder.hidden, dim=encoder.dim, partition=encoder.partition),
        frames=50,
        preparation="published",
        dataset="",
        split="",
        recipe="",
        epochs_done=0,
        epochs=0,
    )
    network = card.new_encoder()
    assert isinstance(network, STGCN)
    network.load_state_dict(dict(encoder.state))
    return network.eval()


def backbone(prefix: str, layout: SkeletonLayout = NTU25, hidden: int = 2, dim: int = 6) -> State:
    """A backbone in the published form, with random weights, as after a training."""
    network = STGCN(torch.from_numpy(adjacency(layout)).float(), hidden=hidden, dim=dim)
    state: State = {}
    for name, value in network.state_dict().items():
        random = torch.full_like(value, 7) if not value.is_floating_point() else torch.rand_like(value) + 0.1
        value = value if name == "adjacency" else random
        is_1x1 = name.endswith(".linear.weight")
        state[f"{prefix}.{published_encoder_name(name)}"] = value[..., None, None] if is_1x1 else value
    return state


def head(prefix: str, inputs: int = 6) -> State:
    state = mlp_head(inputs, 5, 6).state_dict()
    return {f"{prefix}.{published_head_name(name)}": value + 1 for name, value in state.items()}


def pretraining(stream: str = "") -> State:
    end = f"_{stream}" if stream else ""
    state: State = {}
    for side in ("online", "target"):
        state |= backbone(f"{side}_backbone{end}") | head(f"{side}_projector{end}")
    return state | head(f"online_predictor{end}")


def linear_evaluation() -> State:
    state: State = {}
    for stream in STREAMS:
        state |= backbone(f"online_backbone_{stream}")
        state |= {f"fc_{stream}.weight": torch.rand(60, 6), f"fc_{stream}.bias": torch.rand(60)}
    return state


# --- published numbers ----------------------------------------------------------------------------------------------


def test_the_features_are_those_of_the_published_code(golden: Path) -> None:
    state, beside = read_state(golden / "authors_format_three_streams.pt")
    found = check_released(state, NTU25)
    assert (tuple(found.encoders), found.form, beside) == (STREAMS, "pre-training", ())
    values = np.load(golden / "authors_format_expected.npz")
    x = torch.from_numpy(values["x"]).float()
    for stream in STREAMS:
        features = encoder_of(found, stream)(make_streams(x, [stream], NTU25)[stream])
        assert features.dtype == torch.float32
        np.testing.assert_allclose(features.detach().numpy(), values[stream], atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def released_keys(golden: Path) -> State:
    """A state dict of the true size with the keys of the released weights, filled with ones."""
    shapes = json.loads((golden / "authors_release_keys.json").read_text())
    graph = torch.from_numpy(adjacency(NTU25)).float()
    whole = {key: torch.tensor(9) for key, shape in shapes.items() if not shape}
    filled = {key: graph if key.endswith(".A") else torch.ones(shape) for key, shape in shapes.items() if shape}
    return {key: (whole | filled)[key] for key in shapes}


def test_the_released_keys_are_known_one_and_all(released_keys: State) -> None:
    found = check_released(released_keys, NTU25)
    assert [(encoder.hidden, encoder.dim, encoder.partition) for encoder in found.encoders.values()] == [
        (16, 512, "one-hop")
    ] * 3
    assert found.left_aside == ("the target encoders, projectors and predictors of 3 streams",)


def test_zeros_of_the_released_shapes_are_no_weights(released_keys: State) -> None:
    zeros = {key: torch.zeros_like(value) for key, value in released_keys.items()}
    with pytest.raises(ValueError, match=r"zero throughout, so not trained: online_backbone_joint\.data_bn\.weight"):
        check_released(zeros, NTU25)


# --- names ----------------------------------------------------------------------------------------------------------


def test_names_go_there_and_back() -> None:
    network = STGCN(torch.from_numpy(adjacency(NTU25)), hidden=2, dim=4)
    names = list(network.state_dict())
    assert [encoder_name(published_encoder_name(name)) for name in names] == names
    assert len({published_encoder_name(name) for name in names}) == len(names) == 177
    heads = list(mlp_head(2, 2, 2).state_dict())
    assert [head_name(published_head_name(name)) for name in heads] == heads


# --- forms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["", "motion"])
def test_a_single_stream_with_or_without_its_name(stream: str) -> None:
    state = pretraining(stream)
    found = check_released(state, NTU25)
    assert tuple(found.encoders) == (stream,)
    assert (found.encoders[stream].hidden, found.encoders[stream].dim) == (2, 6)
    end = f"_{stream}" if stream else ""
    network = encoder_of(found, stream)
    expected = state[f"online_backbone{end}.st_gcn_networks.3.tcn.2.weight"]
    assert torch.equal(network.get_parameter("blocks.3.temporal.weight"), expected)


def test_linear_evaluation_leaves_its_layers_aside_by_name() -> None:
    found = check_released(linear_evaluation(), NTU25)
    assert (tuple(found.encoders), found.form) == (STREAMS, "linear evaluation")
    assert found.left_aside == tuple(f"linear layer fc_{stream} (6 to 60)" for stream in STREAMS)


def test_each_key_that_is_missing_is_named() -> None:
    state = pretraining("bone")
    assert len(state) == 2 * 177 + 3 * 9
    for key in list(state)[::23]:
        fewer = {name: value for name, value in state.items() if name != key}
        with pytest.raises(ValueError, match=rf"missing.*{re.escape(key)}(,|$| and| \(|;)"):
            check_released(fewer, NTU25)


def test_the_other_partition_and_layout_are_told_apart() -> None:
    state = backbone("online_backbone", KINECT20)
    assert check_released(state, KINECT20).encoders[""].partition == "one-hop"
    state["online_backbone.A"] = torch.from_numpy(adjacency(KINECT20, "distance")).float()
    assert check_released(state, KINECT20).encoders[""].partition == "distance"
    with pytest.raises(ValueError, match=r"of another shape: online_backbone\.A is .*25 joints, ntu25, was expected"):
        check_released(state, NTU25)
    state["online_backbone.A"] = torch.rand(3, 20, 20)
    with pytest.raises(ValueError, match=r"online_backbone\.A is not the graph of kinect20, by neither"):
        check_released(state, KINECT20)


def test_weights_that_never_saw_a_batch_are_told() -> None:
    state = pretraining()
    assert check_released(state, NTU25).untrained == ()
    state["online_backbone.data_bn.num_batches_tracked"] = torch.tensor(0)
    assert check_released(state, NTU25).untrained == ("of the file",)


# --- what is refused ------------------------------------------------------------------------------------------------

TEMPORAL = "online_backbone.st_gcn_networks.4.tcn.2.weight"


def without(*keys: str) -> Callable[[State], State]:
    return lambda state: {key: value for key, value in state.items() if not key.startswith(keys)}


def changed(key: str, value: Callable[[Tensor], Tensor]) -> Callable[[State], State]:
    return lambda state: state | {key: value(state[key])}


def added(key: str, value: Tensor) -> Callable[[State], State]:
    return lambda state: state | {key: value}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without(TEMPORAL), f"missing: {TEMPORAL} "),
        (without("online_backbone.A"), r"missing: online_backbone\.A "),
        (without("online_backbone"), "no key online_backbone"),
        (without("online_backbone.st_gcn_networks.9"), "missing or misshaped: online_backbone.*tell the size"),
        (without("target_backbone.edge_importance.9"), r"missing: target_backbone\.edge_importance\.9 "),
        (without("target_backbone"), r"missing or misshaped: target_backbone\.st_gcn_networks\.0"),
        (without("target_projector"), r"missing or misshaped: target_projector\.net\.0\.weight"),
        (without("online_predictor.net.1.bias"), r"missing: online_predictor\.net\.1\.bias"),
        (
            without("online_backbone.st_gcn_networks.4", "online_backbone.st_gcn_networks.5"),
            r"missing: .* and \d+ more",
        ),
        (added("online_backbone.more", torch.ones(1)), r"not known: online_backbone\.more"),
        (added("online_backbone.st_gcn_networks.0.residual.0.weight", torch.ones(1)), r"not known: .*0\.residual\.0"),
        (added("online_backbone.st_gcn_networks.10.tcn.0.weight", torch.ones(1)), r"not known: .*10\.tcn\.0"),
        (added("online_projector.net.4.bias", torch.ones(1)), r"not known: online_projector\.net\.4\.bias"),
        (added("target_predictor.net.0.weight", torch.ones(1)), r"not known: target_predictor\.net\.0\.weight"),
        (added("queue", torch.ones(2, 2)), "not known: queue; left aside are linear layers only"),
        (added("fc.weight", torch.ones(2, 2)), r"not known: fc\.weight \(2, 2\)"),
        (added("\x1b[31m", torch.ones(2, 2)), r"not known: \?\[31m;"),
        (lambda state: state | pretraining("joint"), "keys with and without a stream"),
        (changed(TEMPORAL, lambda value: value[..., :7, :]), rf"of another shape: {TEMPORAL} is .* for \(4, 4, 9, 1\)"),
        (
            changed("online_backbone.st_gcn_networks.1.gcn.conv.weight", lambda value: value.reshape(6, 1, 2, 1)),
            r"gcn\.conv\.weight is \(6, 1, 2, 1\) for \(6, 2\)",
        ),
        (changed("online_backbone.st_gcn_networks.1.gcn.conv.weight", torch.flatten), "of another shape"),
        (changed("online_backbone.st_gcn_networks.0.tcn.0.weight", lambda v: v[0]), "tell the size"),
        (changed("online_projector.net.0.weight", lambda v: v[:, 1:]), r"of another shape: online_projector\.net\.0"),
        (changed("online_predictor.net.3.weight", torch.flatten), r"misshaped: online_predictor\.net\.0\.weight"),
        (changed(TEMPORAL, lambda value: value.int()), rf"of another type: {TEMPORAL} \(torch\.int32\)"),
        (changed(TEMPORAL, lambda value: value * np.nan), f"not finite: {TEMPORAL}"),
        (changed(TEMPORAL, lambda value: value / 0), f"not finite: {TEMPORAL}"),
        (changed(TEMPORAL, torch.zeros_like), f"zero throughout, so not trained: {TEMPORAL}"),
        (
            changed("online_backbone.edge_importance.3", torch.zeros_like),
            "zero throughout, so not trained: .*importance.3",
        ),
        (changed("online_projector.net.0.weight", torch.zeros_like), "zero throughout.*online_projector"),
        (changed("online_backbone.data_bn.running_var", torch.neg), r"negative variances: .*data_bn\.running_var"),
    ],
)
def test_every_key_is_accounted_for(change: Callable[[State], State], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        check_released(change(pretraining()), NTU25)
    assert "\n" not in str(caught.value)


def test_sizes_of_online_and_target_must_agree() -> None:
    state = without("target_backbone")(pretraining()) | backbone("target_backbone", hidden=3)
    with pytest.raises(ValueError, match="online and target backbone are of different size"):
        check_released(state, NTU25)


def test_a_stream_without_its_backbone_is_missing() -> None:
    state = pretraining("joint") | without("online_backbone")(pretraining("bone"))
    with pytest.raises(ValueError, match=r"missing or misshaped: online_backbone_bone"):
        check_released(state, NTU25)


# --- files ----------------------------------------------------------------------------------------------------------


def saved(folder: Path, content: object) -> Path:
    torch.save(content, folder / "weights.pt")
    return folder / "weights.pt"


def equal(found: State, expected: State) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)


def test_wrapped_and_parallel_forms_are_the_same_weights(tmp_path: Path) -> None:
    state = pretraining("joint")
    parallel = {f"module.{key}": value for key, value in state.items()}
    parts = {key.replace(".", ".module.", 1) if "online" in key else key: value for key, value in state.items()}
    for wrapped, beside in (
        (state, ()),
        (parallel, ()),
        (parts, ()),
        ({"state_dict": parallel}, ()),
        ({"epoch": 3, "model": parts, "optimizer": {"lr": 0.1}}, ("epoch", "optimizer")),
    ):
        found, aside = read_state(saved(tmp_path, wrapped))
        assert equal(found, state)
        assert aside == beside


class Harmful:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (Path.touch, (self.target,))


def test_files_that_are_no_state_dict_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file"):
        read_state(tmp_path / "weights.pt")
    for content, message in (
        ([1, 2], "holds list: a state dict was expected"),
        ({}, "holds dict"),
        ({"epoch": 3}, "no plain tensor under epoch"),
        ({"a": torch.ones(2), "b": "c"}, "no plain tensor under b"),
        ({"a": torch.ones(2).to_sparse()}, "no plain tensor under a"),
        ({"a.module.b": torch.ones(2), "a.b": torch.ones(2)}, "has 'a.b' twice, with and without 'module.'"),
        (Harmful(tmp_path / "ran"), "cannot be read as weights"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            read_state(saved(tmp_path, content))
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()
    whole = saved(tmp_path, pretraining()).read_bytes()
    for damaged in (b"", b"hello", whole[:1000], whole[:-1000]):
        (tmp_path / "weights.pt").write_bytes(damaged)
        with pytest.raises(ValueError, match="cannot be read as weights"):
            read_state(tmp_path / "weights.pt")
