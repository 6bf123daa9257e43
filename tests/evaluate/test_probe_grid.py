import inspect

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinestream.evaluate.grid import choose_probe, grid_scores, hold_out, train_grid
from kinestream.evaluate.linear_probe import linear_probe

POINTS = [(rate, decay) for rate in (0.1, 0.5, 2.0) for decay in (0.0, 0.01)]
SETTINGS = {"epochs": 6, "batch_size": 8, "seed": 3}
LABELS = st.lists(st.integers(0, 5), min_size=8, max_size=200).map(lambda values: np.array(values, dtype=np.int64))


def two_streams() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(40) % 4
    features = {
        name: torch.randn(40, size, generator=generator) + torch.eye(size)[labels]
        for name, size in (("joint", 5), ("bone", 4))
    }
    return features, labels


def test_without_decay_each_probe_is_the_linear_probe_of_its_rate() -> None:
    features, labels = two_streams()
    probes = train_grid(features, labels, POINTS, classes=4, **SETTINGS)
    for number, (rate, decay) in enumerate(POINTS):
        if decay:
            continue
        probe = linear_probe(
            features,
            labels,
            features,
            labels,
            classes=4,
            learning_rate=rate,
            **SETTINGS,
        )
        torch.testing.assert_close(grid_scores(probes, features)[number], probe.scores, rtol=1e-4, atol=1e-4)


def test_with_decay_each_probe_is_what_the_library_optimiser_makes() -> None:
    features, labels = two_streams()
    rate, decay = 0.5, 0.01
    probes = train_grid(features, labels, POINTS, classes=4, **SETTINGS)
    generator = torch.Generator().manual_seed(SETTINGS["seed"])
    layers = {}
    for name, rows in features.items():
        layers[name] = torch.nn.Linear(rows.shape[1], 4)
        torch.nn.init.normal_(layers[name].weight, 0.0, 0.02, generator=generator)
        torch.nn.init.zeros_(layers[name].bias)
    parameters = [parameter for layer in layers.values() for parameter in layer.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay)
    for epoch in range(6):
        optimizer.param_groups[0]["lr"] = rate * (0.1 if epoch >= 5 else 1)
        for rows in torch.randperm(40, generator=generator).split(8):
            logits = layers["joint"](features["joint"][rows]) + layers["bone"](features["bone"][rows])
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, labels[rows]).backward()
            optimizer.step()
    number = POINTS.index((rate, decay))
    for name, layer in layers.items():
        torch.testing.assert_close(probes[name][0][number], layer.weight.T, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(probes[name][1][number], layer.bias, rtol=1e-4, atol=1e-4)


def test_the_choice_is_the_best_on_the_held_out_clips_counted_one_by_one() -> None:
    features, labels = two_streams()
    choice = choose_probe(features, labels, POINTS, classes=4, **SETTINGS)
    assert set(choice.held_out_top1) == set(POINTS)
    best = max(choice.held_out_top1.values())
    assert choice.held_out_top1[choice.learning_rate, choice.weight_decay] == best
    tied = [point for point, share in choice.held_out_top1.items() if share == best]
    assert choice.learning_rate == min(rate for rate, _ in tied), "of equal ones the smaller rate"


def test_the_choice_has_no_way_to_see_a_test_clip() -> None:
    assert set(inspect.signature(choose_probe).parameters) == {
        *("train", "labels", "points", "held_out", "classes", "epochs", "batch_size", "seed", "progress"),
    }


def test_an_empty_grid_is_refused() -> None:
    features, labels = two_streams()
    with pytest.raises(ValueError, match="at least one rate and one decay"):
        choose_probe(features, labels, [], classes=4)


@given(LABELS, st.integers(0, 20))
def test_holding_out_leaves_one_of_each_class(labels: np.ndarray, seed: int) -> None:
    try:
        held = hold_out(labels, 20.0, seed)
    except ValueError:
        assert max(np.bincount(labels)) == 1
        return
    assert set(labels[~held]) == set(labels)
    assert 0 < held.sum() < len(labels)


def test_nothing_can_be_held_out_of_single_clips() -> None:
    with pytest.raises(ValueError, match="too few to choose by"):
        hold_out(np.arange(5), 20.0, 0)
