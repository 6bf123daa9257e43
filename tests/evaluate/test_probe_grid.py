import inspect

import pytest
import torch

from kinestream.evaluate.linear import ProbeSettings, linear_probe
from kinestream.evaluate.probe_grid import GridSettings, choose_probe, grid_scores, train_grid

SETTINGS = GridSettings(rates=(0.1, 0.5, 2.0), decays=(0.0, 0.01), epochs=6, batch_size=8, seed=3)


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
    probes = train_grid(features, labels, SETTINGS.points, classes=4, settings=SETTINGS)
    for number, (rate, decay) in enumerate(SETTINGS.points):
        if decay:
            continue
        probe = linear_probe(
            features,
            labels,
            features,
            labels,
            classes=4,
            settings=ProbeSettings(epochs=6, milestone=5, batch_size=8, rate=rate, seed=3),
        )
        torch.testing.assert_close(grid_scores(probes, features)[number], probe.scores, rtol=1e-4, atol=1e-4)


def test_with_decay_each_probe_is_what_the_library_optimiser_makes() -> None:
    features, labels = two_streams()
    (rate, decay), settings = (0.5, 0.01), SETTINGS
    probes = train_grid(features, labels, SETTINGS.points, classes=4, settings=settings)
    generator = torch.Generator().manual_seed(settings.seed)
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
    number = SETTINGS.points.index((rate, decay))
    for name, layer in layers.items():
        torch.testing.assert_close(probes[name][0][number], layer.weight.T, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(probes[name][1][number], layer.bias, rtol=1e-4, atol=1e-4)


def test_the_choice_is_the_best_on_the_held_out_clips_counted_one_by_one() -> None:
    features, labels = two_streams()
    choice = choose_probe(features, labels, classes=4, settings=SETTINGS)
    assert set(choice.held_out_top1) == set(SETTINGS.points)
    best = max(choice.held_out_top1.values())
    assert choice.held_out_top1[choice.rate, choice.decay] == best
    tied = [point for point, share in choice.held_out_top1.items() if share == best]
    assert choice.rate == min(rate for rate, _ in tied), "of equal ones the smaller rate"


def test_the_choice_has_no_way_to_see_a_test_clip() -> None:
    assert set(inspect.signature(choose_probe).parameters) == {"train", "labels", "classes", "settings", "progress"}


def test_an_empty_grid_is_refused() -> None:
    features, labels = two_streams()
    with pytest.raises(ValueError, match="at least one rate and one decay"):
        choose_probe(features, labels, classes=4, settings=GridSettings(rates=()))
