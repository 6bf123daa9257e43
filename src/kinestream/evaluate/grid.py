"""Many linear probes in one pass over the features: a rate and a weight decay each, chosen on held-out training clips.

Nothing here ever sees a test clip.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from kinestream.evaluate.linear import new_layer
from kinestream.evaluate.subsets import hold_out


@dataclass(frozen=True, kw_only=True)
class GridSettings:
    """Which probes are tried, and by what they are chosen."""

    rates: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
    decays: tuple[float, ...] = (0.0, 1e-5, 1e-4, 1e-3)
    """Weight decay, on weights and biases."""
    held_out: float = 20.0
    """Percent of the training clips of each class that are held out to choose by."""
    epochs: int = 100
    batch_size: int = 128
    momentum: float = 0.9
    seed: int = 0

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """Every rate with every decay."""
        return tuple(product(self.rates, self.decays))


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the held-out training clips chose."""

    rate: float
    decay: float
    held_out_top1: Mapping[tuple[float, float], float]
    """Of every (rate, decay), in percent."""


Probes = Mapping[str, tuple[Float[Tensor, "g d classes"], Float[Tensor, "g classes"]]]
"""For each stream the weights and biases of all probes."""


def choose_probe(
    train: Mapping[str, Float[Tensor, "n _"]],
    labels: Int[Tensor, " n"],
    *,
    classes: int,
    settings: GridSettings,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Choice:
    """The rate and decay that recognise most of the held-out training clips when trained on the others; of equal ones
    the smaller rate, then the larger decay.

    Raises ValueError when there is no rate, decay or epoch, or too few clips to hold some out.
    """
    if not settings.points or settings.epochs < 1:
        raise ValueError(f"a grid needs at least one rate and one decay, and an epoch, not {settings.epochs}")
    held = torch.from_numpy(hold_out(labels.numpy().astype(np.int64), settings.held_out, settings.seed))
    rest = {stream: rows[~held] for stream, rows in train.items()}
    probes = train_grid(rest, labels[~held], settings.points, classes=classes, settings=settings, progress=progress)
    scores = grid_scores(probes, {stream: rows[held] for stream, rows in train.items()})
    hits = (scores.argmax(dim=2) == labels[held]).double().mean(dim=1)
    shares = {point: 100 * share for point, share in zip(settings.points, hits.tolist(), strict=True)}
    rate, decay = max(settings.points, key=lambda point: (shares[point], -point[0], point[1]))
    return Choice(rate=rate, decay=decay, held_out_top1=shares)


def train_grid(
    train: Mapping[str, Float[Tensor, "n _"]],
    labels: Int[Tensor, " n"],
    points: Sequence[tuple[float, float]],
    *,
    classes: int,
    settings: GridSettings,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Probes:
    """The linear probe of each (rate, decay) in `points`, all by the same batches from the same first weights: each is
    what `linear_probe` trains with that rate (and decay), a tenth of it after four fifths of the epochs."""
    generator = torch.Generator().manual_seed(settings.seed)
    layers = {stream: new_layer(rows.shape[1], classes, generator) for stream, rows in train.items()}
    weights = {s: layer.weight.detach().T.repeat(len(points), 1, 1) for s, layer in layers.items()}
    biases = {s: layer.bias.detach().repeat(len(points), 1) for s, layer in layers.items()}
    parameters = [*weights.values(), *biases.values()]
    speeds = [torch.zeros_like(parameter) for parameter in parameters]
    rates, decays = (torch.tensor(column, dtype=torch.float32) for column in zip(*points, strict=True))
    milestone = round(0.8 * settings.epochs)
    for epoch in range(settings.epochs):
        now = rates * (0.1 if epoch >= milestone else 1.0)
        for rows in torch.randperm(len(labels), generator=generator).split(settings.batch_size):
            batch = {stream: features[rows] for stream, features in train.items()}
            wrong = _logits(weights, biases, batch).softmax(dim=2) - functional.one_hot(labels[rows], classes)
            wrong = wrong / len(rows)  # the gradient of the cross entropy
            slopes = [torch.einsum("bd,gbk->gdk", batch[stream], wrong) for stream in weights]
            slopes += [wrong.sum(dim=1)] * len(biases)
            for parameter, speed, slope in zip(parameters, speeds, slopes, strict=True):
                shape = (-1,) + (1,) * (parameter.ndim - 1)
                speed.mul_(settings.momentum).add_(slope + decays.view(shape) * parameter)
                parameter.sub_(now.view(shape) * speed)
        progress(epoch + 1, settings.epochs)
    return {stream: (weights[stream], biases[stream]) for stream in train}


def grid_scores(probes: Probes, features: Mapping[str, Float[Tensor, "q _"]]) -> Float[Tensor, "g q classes"]:
    """The summed logits of every probe."""
    weights = {stream: weight for stream, (weight, _) in probes.items()}
    biases = {stream: bias for stream, (_, bias) in probes.items()}
    return _logits(weights, biases, features)


def _logits(weights: Mapping[str, Tensor], biases: Mapping[str, Tensor], features: Mapping[str, Tensor]) -> Tensor:
    parts = [
        torch.einsum("bd,gdk->gbk", features[stream], weight) + rearrange(biases[stream], "g k -> g 1 k")
        for stream, weight in weights.items()
    ]
    return torch.stack(parts).sum(dim=0)
