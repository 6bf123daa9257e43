"""The bidirectional GRU against a plain loop over frames, and as one of the encoders that methods and files take."""

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinestream.models.bigru import BiGRU, BiGRUSettings
from kinestream.models.classifier import StreamClassifier
from kinestream.models.encoder_file import EncoderCard, load_encoder, save_encoder
from kinestream.skeleton.layout import KINECT20

CARD = EncoderCard(
    stream="joint",
    layout=KINECT20,
    encoder=BiGRUSettings(hidden=5, layers=2, pool=2),
    frames=12,
    preparation="tracked",
    dataset="nw-ucla",
    split="xview",
    recipe="try",
    epochs_done=1,
    epochs=2,
)


def naive_gru(x: np.ndarray, layer: nn.GRU, suffix: str) -> np.ndarray:
    """States (t, h) of one direction for one body, frame by frame (Cho et al. 2014, in torch's order of the gates)."""
    value = {name: parameter.detach().numpy() for name, parameter in layer.named_parameters()}
    w, u = value[f"weight_ih_l0{suffix}"], value[f"weight_hh_l0{suffix}"]
    b, d = value[f"bias_ih_l0{suffix}"], value[f"bias_hh_l0{suffix}"]
    size, state, states = u.shape[1], np.zeros(u.shape[1]), []
    for frame in x:
        (r_x, z_x, n_x), (r_h, z_h, n_h) = np.split(w @ frame + b, 3), np.split(u @ state + d, 3)
        reset, update = 1 / (1 + np.exp(-(r_x + r_h))), 1 / (1 + np.exp(-(z_x + z_h)))
        state = (1 - update) * np.tanh(n_x + reset * n_h) + update * state
        assert len(state) == size
        states.append(state)
    return np.stack(states)


def normalised(y: np.ndarray, bn: nn.BatchNorm1d) -> np.ndarray:
    """Batch normalisation in evaluation mode, channels last."""
    weight, bias, mean, variance = (value.detach().numpy() for value in list(bn.state_dict().values())[:4])
    return (y - mean) / np.sqrt(variance + bn.eps) * weight + bias


def naive_feature(body: np.ndarray, encoder: BiGRU) -> np.ndarray:
    """The feature of one body (c, t, v) in evaluation mode."""
    channels, frames, joints = body.shape
    step = encoder.pool
    y = np.stack([body[:, t : t + step].mean(axis=1) for t in range(0, frames, step)])  # (t, c, v)
    y = y.transpose(0, 2, 1).reshape(len(y), joints * channels)
    y = normalised(y, encoder.data_bn)
    for layer in encoder.layers:
        assert isinstance(layer, nn.GRU)
        y = np.concatenate((naive_gru(y, layer, ""), naive_gru(y[::-1], layer, "_reverse")[::-1]), axis=1)
    return normalised(y.max(axis=0), encoder.feature_bn)


def used(pool: int = 2, absent: str = "skip", **changed: object) -> BiGRU:
    """An encoder in evaluation mode that has seen a batch."""
    torch.manual_seed(0)
    options = {"hidden": 5, "layers": 2, "pool": pool, "absent": absent, **changed}
    encoder = BiGRU(20, **options).double()  # type: ignore[arg-type]
    encoder(3 * torch.randn(8, 3, 12, 20, 1, dtype=torch.float64))
    with torch.no_grad():
        encoder.data_bn.weight += torch.rand(60)
        encoder.data_bn.bias += torch.rand(60)
    return encoder.eval()


@pytest.mark.parametrize("frames", [12, 13])
@pytest.mark.parametrize(("pool", "layers"), [(1, 1), (2, 2), (3, 3)])
def test_the_feature_is_that_of_a_loop_over_frames(frames: int, pool: int, layers: int) -> None:
    encoder = used(pool, layers=layers)
    x = torch.randn(3, 3, frames, 20, 1, dtype=torch.float64)
    expected = np.stack([naive_feature(clip, encoder) for clip in x[..., 0].numpy()])
    np.testing.assert_allclose(encoder(x).detach().numpy(), expected, rtol=1e-10, atol=1e-12)
    assert encoder.dim == expected.shape[1] == 10


def test_absent_bodies_are_left_out_or_averaged_in() -> None:
    x = torch.randn(2, 3, 12, 20, 2, dtype=torch.float64)
    x[0, ..., 1] = 0
    skip, published = used(absent="skip"), used(absent="published")
    torch.testing.assert_close(skip(x)[0], skip(x[..., :1])[0])
    zero = skip(torch.zeros_like(x[:1, ..., :1]))[0]
    torch.testing.assert_close(published(x)[0], (skip(x)[0] + zero) / 2)
    torch.testing.assert_close(published(x)[1], skip(x)[1])


def test_features_of_a_batch_are_centred_and_of_one_size() -> None:
    encoder = used().train()
    features = encoder(torch.randn(64, 3, 12, 20, 1, dtype=torch.float64))
    torch.testing.assert_close(features.mean(dim=0), torch.zeros(10, dtype=torch.float64))
    torch.testing.assert_close(
        features.var(dim=0, correction=0), torch.ones(10, dtype=torch.float64), rtol=0, atol=1e-2
    )


def test_order_counts() -> None:
    encoder, x = used(), torch.randn(2, 3, 12, 20, 1, dtype=torch.float64)
    assert not torch.allclose(encoder(x), encoder(x.flip(2)))


def test_dropout_acts_between_layers_in_training_alone() -> None:
    encoder, x = used(dropout=0.5), torch.randn(4, 3, 12, 20, 1, dtype=torch.float64)
    assert torch.equal(encoder(x), encoder(x))
    encoder.train()
    assert not torch.equal(encoder(x), encoder(x))
    single = used(dropout=0.5, layers=1).train()
    assert torch.equal(single(x), single(x)), "one layer has nothing between"


def test_a_change_of_the_map_reaches_the_feature() -> None:
    encoder, x = used(), torch.randn(2, 3, 12, 20, 1, dtype=torch.float64)

    def first_frame(maps: Tensor) -> Tensor:
        assert maps.shape == (6, 1, 2, 10)
        return maps[:1].expand_as(maps)

    plain, changed = encoder.variants(x, None, first_frame)
    torch.testing.assert_close(plain, encoder(x))
    maps = encoder.maps(x[..., 0].unflatten(2, (6, 2)).mean(dim=3))
    torch.testing.assert_close(changed, encoder.finished(maps[0, 0]))


def test_clips_of_other_joints_are_refused() -> None:
    with pytest.raises(ValueError, match="takes 3 coordinates of 20 joints, the clips have 3 of 25"):
        used()(torch.zeros(1, 3, 12, 25, 1, dtype=torch.float64))


def test_levels_hold_every_parameter_once_from_the_input_on() -> None:
    model = StreamClassifier({"joint": used(), "bone": used()}, 3, frozen_statistics=False)
    groups = model.parameter_groups(0.5)
    assert [factor for factor, _ in groups] == [0.5**depth for depth in range(4)]
    assert sorted(id(one) for one in model.parameters() if one.requires_grad) == sorted(
        id(one) for _, group in groups for one in group
    )
    encoder = model.encoders["bone"]
    assert isinstance(encoder, BiGRU)
    assert {id(encoder.data_bn.weight), id(encoder.data_bn.bias)} <= {id(one) for one in groups[3][1]}


@pytest.mark.parametrize("absent", ["skip", "once", "published"])
def test_our_layers_give_what_torchs_do(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features, gradients and running statistics of two views, together and one after the other."""
    ours = used(absent=absent).train()
    theirs = copy.deepcopy(ours)
    views = [torch.randn(6, 3, 13, 20, 2, dtype=torch.float64) for _ in range(2)]
    for view in views:
        view[:3, ..., 1] = 0
    found = ours.several(*views)
    sum((one**3).sum() for one in found).backward()  # type: ignore[union-attr]
    monkeypatch.setattr("kinestream.models.bigru._by_own_layers", lambda x: False)
    expected = [theirs(view) for view in views]
    sum((one**3).sum() for one in expected).backward()  # type: ignore[union-attr]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs.get_parameter(name).grad, msg=name)
    for name, buffer in ours.named_buffers():
        torch.testing.assert_close(buffer, theirs.get_buffer(name), msg=name)


def test_autocast_rounds_products_alone() -> None:
    """Where the processor has bfloat16 products; elsewhere nothing is rounded."""
    encoder = used(hidden=32).float().eval()
    x = torch.randn(16, 3, 12, 20, 1)
    exact = encoder(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        found = encoder(x).detach()
    assert found.dtype == torch.float32
    assert float((found - exact).norm() / exact.norm()) < 0.01
    with torch.autocast("cpu", torch.bfloat16):
        encoder(x).square().sum().backward()
    rounded = [parameter.grad for parameter in encoder.layers.parameters()]
    encoder.zero_grad()
    encoder(x).square().sum().backward()
    for one, parameter in zip(rounded, encoder.layers.parameters(), strict=True):
        assert one is not None
        assert parameter.grad is not None
        assert float((one - parameter.grad).norm()) < 0.05 * float(parameter.grad.norm())


def test_it_learns_in_evaluation_mode() -> None:
    """cuDNN has gradients of recurrent networks in training mode alone: frozen statistics must not stop them."""
    encoder = used().eval()
    assert not encoder.data_bn.training
    assert all(layer.training for layer in encoder.layers)


def test_files_keep_it(tmp_path: Path) -> None:
    encoder = CARD.new_encoder()
    x = torch.randn(4, 3, 12, 20, 1)
    encoder(x)
    save_encoder(tmp_path / "e.safetensors", encoder, CARD)
    loaded, card = load_encoder(tmp_path / "e.safetensors")
    assert isinstance(loaded, BiGRU)
    assert (card, loaded.dim, loaded.pool) == (CARD, 10, 2)
    assert torch.equal(loaded(x), encoder.eval()(x))
    save_encoder(
        tmp_path / "e.safetensors",
        encoder,
        dataclasses.replace(CARD, encoder=BiGRUSettings(hidden=5, layers=3, pool=2)),
    )
    with pytest.raises(ValueError, match="does not fit its card"):
        load_encoder(tmp_path / "e.safetensors")
    save_encoder(tmp_path / "e.safetensors", encoder, CARD)
    path = tmp_path / "e.json"
    path.write_text(path.read_text("utf-8").replace('"bigru"', '"lstm"'), "utf-8")
    with pytest.raises(ValueError, match=r"unknown encoder 'lstm': there are bigru, st-gcn"):
        load_encoder(tmp_path / "e.safetensors")


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"hidden": 0}, "length of a feature"),
        ({"layers": 0}, r"layers \(0\)"),
        ({"pool": 0}, r"pool \(0\)"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_sizes_that_make_no_network_are_refused(sizes: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BiGRU(20, **sizes)  # type: ignore[arg-type]
