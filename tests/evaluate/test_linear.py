import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from kinestream.data.clips import Clips
from kinestream.data.store import Store
from kinestream.evaluate.linear import ProbeSettings, linear_probe, standardise
from kinestream.features.extract import cached_features, calibrate_batch_norm, compute_features, raw_coordinates
from kinestream.models.kernels.graph import adjacency
from kinestream.models.readout import Readout
from kinestream.models.stgcn import STGCN
from kinestream.skeleton.layout import KINECT20
from kinestream.skeleton.streams import make_streams
from kinestream.train.views import to_batch

SETTINGS = ProbeSettings(epochs=6, batch_size=8, rate=0.5, milestone=4, seed=3)


def encoder(seed: int = 0) -> STGCN:
    torch.manual_seed(seed)
    return STGCN(torch.from_numpy(adjacency(KINECT20)), hidden=4, dim=8, dropout=0.5)


def test_equals_the_published_loop_that_encodes_every_clip_in_every_epoch(small_store: Path) -> None:
    store = Store(small_store)
    clips = Clips(store, 10)
    train, test = store.select("xview", "train"), store.select("xview", "test")
    labels = torch.from_numpy(store.table.label)
    frozen = encoder()

    features = torch.from_numpy(compute_features({"bone": frozen}, clips)["bone"])
    probe = linear_probe(
        {"bone": features[train]},
        labels[train],
        {"bone": features[test]},
        labels[test],
        classes=10,
        settings=SETTINGS,
    )

    # The loop: encoder in evaluation mode, clips not augmented, one linear layer trained, tested after each epoch.
    frozen.eval()
    generator = torch.Generator().manual_seed(SETTINGS.seed)
    layer = nn.Linear(8, 10)
    nn.init.normal_(layer.weight, 0.0, 0.02, generator=generator)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=SETTINGS.rate, momentum=0.9)

    def logits(indices: np.ndarray) -> torch.Tensor:
        x = make_streams(to_batch(torch.from_numpy(clips.batch(indices))), ["bone"], store.layout)["bone"]
        with torch.no_grad():
            h = frozen(x)
        return layer(h)

    accuracies = []
    for epoch in range(SETTINGS.epochs):
        if epoch == SETTINGS.milestone:
            optimizer.param_groups[0]["lr"] *= 0.1
        for rows in torch.randperm(len(train), generator=generator).split(SETTINGS.batch_size):
            loss = functional.cross_entropy(logits(train[rows.numpy()]), labels[train[rows.numpy()]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            accuracies.append(100 * float((logits(test).argmax(dim=1) == labels[test]).double().mean()))

    torch.testing.assert_close(probe.layers["bone"].weight, layer.weight, rtol=1e-4, atol=1e-5)
    assert probe.last.top1 == pytest.approx(accuracies[-1])
    assert probe.best_top1 == pytest.approx(max(accuracies))
    assert probe.best_epoch == accuracies.index(max(accuracies)) + 1


def test_three_streams_equal_the_loop_with_a_layer_each_and_summed_logits() -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(4, (50,), generator=generator)
    features = {name: torch.randn(50, size, generator=generator) for name, size in (("joint", 5), ("bone", 3))}
    train, test = ({name: rows[part] for name, rows in features.items()} for part in (slice(30), slice(30, None)))
    probe = linear_probe(train, labels[:30], test, labels[30:], classes=4, settings=SETTINGS)

    generator = torch.Generator().manual_seed(SETTINGS.seed)
    weights = {name: 0.02 * torch.randn(4, rows.shape[1], generator=generator) for name, rows in features.items()}
    biases = {name: torch.zeros(4) for name in features}
    speed = {
        key: torch.zeros_like(value) for key, value in [*weights.items(), *((f"{n}.", b) for n, b in biases.items())]
    }
    for epoch in range(SETTINGS.epochs):
        rate = SETTINGS.rate * (0.1 if epoch >= SETTINGS.milestone else 1)
        for rows in torch.randperm(30, generator=generator).split(SETTINGS.batch_size):
            logits = sum(train[name][rows] @ weights[name].T + biases[name] for name in train)
            wrong = (logits.softmax(dim=1) - functional.one_hot(labels[rows], 4)) / len(rows)  # the gradient of CE
            for name in train:
                speed[name] = 0.9 * speed[name] + wrong.T @ train[name][rows]
                speed[f"{name}."] = 0.9 * speed[f"{name}."] + wrong.sum(dim=0)
                weights[name] = weights[name] - rate * speed[name]
                biases[name] = biases[name] - rate * speed[f"{name}."]
    for name, layer in probe.layers.items():
        torch.testing.assert_close(layer.weight, weights[name], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(layer.bias, biases[name], rtol=1e-4, atol=1e-5)
    expected = sum(test[name] @ weights[name].T + biases[name] for name in test)
    torch.testing.assert_close(probe.scores, expected, rtol=1e-4, atol=1e-4)


def test_learns_what_is_linearly_there() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 4
    features = torch.randn(200, 6, generator=generator) + 3 * torch.eye(6)[labels]
    probe = linear_probe({"x": features[:100]}, labels[:100], {"x": features[100:]}, labels[100:], classes=4)
    assert probe.last.top1 > 85


def test_the_published_settings_are_the_defaults() -> None:
    settings = ProbeSettings()
    assert (settings.epochs, settings.batch_size, settings.rate, settings.momentum, settings.milestone) == (
        *(100, 128, 3.0, 0.9),
        80,
    )


def test_refuses_no_epoch() -> None:
    with pytest.raises(ValueError, match="needs a stream and an epoch, not 1 and 0"):
        linear_probe(
            {"x": torch.zeros(2, 2)},
            torch.zeros(2, dtype=torch.long),
            {"x": torch.zeros(2, 2)},
            torch.zeros(2, dtype=torch.long),
            classes=2,
            settings=ProbeSettings(epochs=0),
        )


def test_standardised_features_have_unit_length_on_average_and_use_nothing_of_the_test() -> None:
    generator = torch.Generator().manual_seed(0)
    train = 50 + 7 * torch.randn(300, 5, generator=generator)
    train[:, 2] = 1.0  # a coordinate that never changes
    test = torch.randn(40, 5, generator=generator)
    scaled, scaled_test = standardise(train, test)
    assert float(scaled.square().sum(dim=1).mean()) == pytest.approx(4 / 5, rel=1e-4)
    assert not scaled[:, 2].any()
    assert torch.isfinite(scaled_test).all()
    torch.testing.assert_close(standardise(train, test[:7])[1], scaled_test[:7])


def test_features_leave_the_encoder_as_it_was_and_follow_the_order_of_the_store(small_store: Path) -> None:
    clips = Clips(Store(small_store), 10)
    network = encoder().train()
    before = copy.deepcopy(network.state_dict())
    seen: list[tuple[int, int]] = []
    features = compute_features({"joint": network}, clips, progress=lambda done, total: seen.append((done, total)))
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert seen == [(0, 40), (40, 40)]
    one = network.eval()(to_batch(torch.from_numpy(clips.batch(np.array([17])))))
    np.testing.assert_allclose(features["joint"][17], one[0].detach(), rtol=1e-4, atol=1e-5)


def test_a_readout_puts_stretches_side_by_side_and_averages_over_turns(small_store: Path) -> None:
    clips = Clips(Store(small_store), 10)
    network = encoder().eval()
    read = compute_features({"bone": network}, clips, readout=Readout(stretches=2, turns=4))["bone"]
    assert read.shape == (40, 3 * 8)

    clip = clips.batch(np.array([17]))[0].astype(np.float64)  # t m v c
    centres = (np.arange(10) + 0.5) / 10
    expected = []
    for share, start in ((1.0, 0.0), (0.5, 0.0), (0.5, 0.5)):
        at = np.clip((start + share * centres) * 10 - 0.5, 0, 9)
        before = np.minimum(at.astype(int), 8)
        weight = (at - before)[:, None, None, None]
        cut = clip[before] * (1 - weight) + clip[before + 1] * weight
        mean = np.zeros(8)
        for angle in (0.0, np.pi / 2, np.pi, 3 * np.pi / 2):
            x, y, z = cut[..., 0], cut[..., 1], cut[..., 2]
            turned = np.stack(
                (np.cos(angle) * x + np.sin(angle) * z, y, np.cos(angle) * z - np.sin(angle) * x), axis=-1
            )
            batch = to_batch(torch.from_numpy(turned[None]).float())
            with torch.no_grad():
                feature = network(make_streams(batch, ["bone"], KINECT20)["bone"])[0].double().numpy()
            mean += feature / np.linalg.norm(feature)
        expected.append(mean / np.linalg.norm(mean))
    np.testing.assert_allclose(read[17], np.concatenate(expected), rtol=1e-4, atol=1e-5)


def test_streams_that_are_the_same_from_all_sides_are_read_from_one(small_store: Path) -> None:
    clips = Clips(Store(small_store), 10)
    networks = {"bone": encoder(), "cylindrical-motion": encoder()}
    seen = dict.fromkeys(networks, 0)

    def count(stream: str) -> None:
        seen[stream] += 1

    for stream, network in networks.items():
        network.register_forward_pre_hook(lambda _module, _inputs, stream=stream: count(stream))
    once = compute_features(networks, clips)
    assert seen == {"bone": 1, "cylindrical-motion": 1}
    turned = compute_features(networks, clips, readout=Readout(turns=4))
    assert seen == {"bone": 1 + 4, "cylindrical-motion": 1 + 1}
    lengths = np.linalg.norm(once["cylindrical-motion"], axis=1, keepdims=True)
    np.testing.assert_allclose(turned["cylindrical-motion"], once["cylindrical-motion"] / lengths, rtol=1e-5)
    assert not np.allclose(
        turned["bone"], once["bone"] / np.linalg.norm(once["bone"], axis=1, keepdims=True), rtol=1e-2
    )


@pytest.mark.parametrize("wrong", [{"stretches": -1}, {"turns": 0}])
def test_an_impossible_readout_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="none or more stretches, 1 or more turns"):
        Readout(**wrong)


def test_cached_features_are_computed_once_and_never_stale(
    small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = Clips(Store(small_store), 10)
    network = encoder().eval()
    calls = 0
    forward = STGCN.forward

    def counted(self: STGCN, x: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        result: torch.Tensor = forward(self, x)
        return result

    monkeypatch.setattr(STGCN, "forward", counted)
    first = cached_features(tmp_path / "f", {"joint": network}, clips)["joint"]
    assert calls == 1
    np.testing.assert_array_equal(cached_features(tmp_path / "f", {"joint": network}, clips)["joint"], first)
    assert calls == 1, "the second time they are read"
    with torch.no_grad():
        network.data_bn.weight[0] += 1
    assert not np.array_equal(cached_features(tmp_path / "f", {"joint": network}, clips)["joint"], first)
    assert calls == 2
    for file in (tmp_path / "f").iterdir():
        file.write_bytes(file.read_bytes()[:50])
    cached_features(tmp_path / "f", {"joint": network}, clips)
    assert calls == 3, "a cut file is made again"
    read = cached_features(tmp_path / "f", {"joint": network}, clips, readout=Readout(stretches=1))["joint"]
    assert calls == 5, "another readout is another file"
    assert read.shape == (40, 16)


def test_calibration_gives_an_untrained_encoder_statistics_of_the_data(small_store: Path) -> None:
    store = Store(small_store)
    clips = Clips(store, 10)
    network = encoder()
    calibrate_batch_norm(network, clips, store.select("xview", "train"), "joint")
    assert not network.training
    x = to_batch(torch.from_numpy(clips.batch(store.select("xview", "train"))))
    values = x[..., 0].permute(0, 2, 3, 1).reshape(-1, 60)  # (n t, v c)
    torch.testing.assert_close(network.data_bn.running_mean, values.mean(dim=0), rtol=1e-4, atol=1e-5)


def test_raw_coordinates_are_the_clips(small_store: Path) -> None:
    clips = Clips(Store(small_store), 10)
    raw = raw_coordinates(clips, np.array([3, 5]))
    assert raw.shape == (2, 10 * 1 * 20 * 3)
    clip = clips.batch(np.array([5]))[0]
    np.testing.assert_array_equal(raw[1].reshape(10, 1, 20, 3), clip)
    motion = raw_coordinates(clips, np.array([3, 5]), "motion")[1].reshape(10, 1, 20, 3)
    np.testing.assert_array_equal(motion[:-1], clip[1:] - clip[:-1])
