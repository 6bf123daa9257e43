import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from kinestream.data.clips import Clips
from kinestream.data.store import Store
from kinestream.evaluate import _check_finite
from kinestream.evaluate.linear_probe import linear_probe, standardise
from kinestream.evaluate.settings import LinearSettings, ProbeGridSettings
from kinestream.features.extract import compute_features
from kinestream.models.kernels.graph import adjacency
from kinestream.models.stgcn import STGCN
from kinestream.skeleton.layout import KINECT20
from kinestream.skeleton.streams import make_streams
from kinestream.train.views import to_batch

EPOCHS, BATCH, RATE, SEED = 6, 8, 0.5, 3
MILESTONE = 5
"""After four fifths."""
SETTINGS = {"epochs": EPOCHS, "batch_size": BATCH, "learning_rate": RATE, "seed": SEED}


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
        **SETTINGS,
    )

    # The loop: encoder in evaluation mode, clips not augmented, one linear layer trained, tested after each epoch.
    frozen.eval()
    generator = torch.Generator().manual_seed(SEED)
    layer = nn.Linear(8, 10)
    nn.init.normal_(layer.weight, 0.0, 0.02, generator=generator)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=RATE, momentum=0.9)

    def logits(indices: np.ndarray) -> torch.Tensor:
        x = make_streams(to_batch(torch.from_numpy(clips.batch(indices))), ["bone"], store.layout)["bone"]
        with torch.no_grad():
            h = frozen(x)
        return layer(h)

    accuracies = []
    for epoch in range(EPOCHS):
        if epoch == MILESTONE:
            optimizer.param_groups[0]["lr"] *= 0.1
        for rows in torch.randperm(len(train), generator=generator).split(BATCH):
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
    probe = linear_probe(train, labels[:30], test, labels[30:], classes=4, **SETTINGS)

    generator = torch.Generator().manual_seed(SEED)
    weights = {name: 0.02 * torch.randn(4, rows.shape[1], generator=generator) for name, rows in features.items()}
    biases = {name: torch.zeros(4) for name in features}
    speed = {
        key: torch.zeros_like(value) for key, value in [*weights.items(), *((f"{n}.", b) for n, b in biases.items())]
    }
    for epoch in range(EPOCHS):
        rate = RATE * (0.1 if epoch >= MILESTONE else 1)
        for rows in torch.randperm(30, generator=generator).split(BATCH):
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
    defaults = {name: entry.default for name, entry in inspect.signature(linear_probe).parameters.items()}
    assert [defaults[name] for name in ("epochs", "batch_size", "learning_rate", "momentum")] == [100, 128, 3.0, 0.9]
    asked = LinearSettings()
    assert (asked.epochs, asked.batch_size, asked.learning_rate) == (100, 128, 3.0)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), 0.0, -1.0])
def test_rates_that_teach_nothing_are_refused(rate: float) -> None:
    features, labels = {"joint": torch.eye(4)}, torch.tensor([0, 1, 0, 1])
    with pytest.raises(ValueError, match="must be above 0, and finite"):
        linear_probe(features, labels, features, labels, classes=2, epochs=1, learning_rate=rate)


@pytest.mark.parametrize(
    "settings", [LinearSettings(learning_rate=float("nan")), ProbeGridSettings(weight_decay=(0.0, float("inf")))]
)
def test_settings_that_are_no_numbers_are_named(settings: object) -> None:
    with pytest.raises(ValueError, match=r"^(learning rate nan|weight decay inf) is no finite number$"):
        _check_finite(settings)


def test_refuses_no_epoch() -> None:
    with pytest.raises(ValueError, match="needs a stream and an epoch, not 1 and 0"):
        linear_probe(
            {"x": torch.zeros(2, 2)},
            torch.zeros(2, dtype=torch.long),
            {"x": torch.zeros(2, 2)},
            torch.zeros(2, dtype=torch.long),
            classes=2,
            epochs=0,
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
