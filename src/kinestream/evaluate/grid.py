"""Many linear probes in one pass over the features: a learning rate and a weight decay each, chosen on held-out
training clips. Nothing that chooses ever sees a test clip."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor
from torch.nn import functional

from kinestream.evaluate import register
from kinestream.evaluate.linear_probe import new_layer, probe_features
from kinestream.evaluate.result import Row
from kinestream.evaluate.session import Session
from kinestream.evaluate.settings import ProbeGridSettings
from kinestream.features.metrics import ranked

LEARNING_RATES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
WEIGHT_DECAYS = (0.0, 1e-5, 1e-4, 1e-3)
_MOMENTUM = 0.9

Point = tuple[float, float]
"""A learning rate and a weight decay, of weights and biases."""


@register(
    "probe-grid",
    columns=lambda settings: {
        "learning rate": lambda row: f"{row.extra['learning_rate']:g}",
        "weight decay": lambda row: f"{row.extra['weight_decay']:g}",
        "held out %": "held_out_top1",
    },
)
def probe_grid(session: Session, settings: ProbeGridSettings) -> Iterator[Row]:
    """Each stream alone and all together, every kind of features at the rate and decay that suit it. The test clips are
    used once, after the choice."""
    rates, decays = settings.learning_rate or LEARNING_RATES, settings.weight_decay or WEIGHT_DECAYS
    session.settings |= {"learning_rate": list(rates), "weight_decay": list(decays)}
    points, labels = list(product(rates, decays)), session.train_labels
    for features in session.features():
        for streams, how in features.choices():
            train, test = probe_features(features, streams)
            what = f"{features.kind}, {' + '.join(streams)}"
            advance = session.advance(f"grid of {len(points)}, {what}", "epochs")
            shared = {"epochs": settings.epochs, "batch_size": settings.batch_size, "seed": settings.seed}
            choice = choose_probe(
                train, labels, points, settings.held_out, classes=session.classes, progress=advance, **shared
            )
            point = (choice.learning_rate, choice.weight_decay)
            advance = session.advance(f"chosen probe, {what}", "epochs")
            probe = train_grid(train, labels, [point], classes=session.classes, progress=advance, **shared)
            logits = grid_scores(probe, test)[0]
            extra = {
                "learning_rate": choice.learning_rate,
                "weight_decay": choice.weight_decay,
                "held_out_top1": choice.held_out_top1[point],
                "grid": [
                    {"learning_rate": rate, "weight_decay": decay, "held_out_top1": share}
                    for (rate, decay), share in choice.held_out_top1.items()
                ],
            }
            yield session.row(features.kind, streams, how, ranked(logits), extra, logits=logits)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the held-out training clips chose."""

    learning_rate: float
    weight_decay: float
    held_out_top1: Mapping[Point, float]
    """Of every point, in percent."""


Probes = Mapping[str, tuple[Float[Tensor, "g d classes"], Float[Tensor, "g classes"]]]
"""For each stream the weights and biases of all probes."""


def choose_probe(
    train: Mapping[str, Float[Tensor, "n _"]],
    labels: Int[Tensor, " n"],
    points: Sequence[Point],
    held_out: float = 20.0,
    *,
    classes: int,
    epochs: int = 100,
    batch_size: int = 128,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Choice:
    """The point that recognises most of the held-out training clips (`held_out` percent of each class) when trained on
    the others; of equal ones the smaller rate, then the larger decay.

    Raises ValueError when there is no point or epoch, or too few clips to hold some out.
    """
    if not points or epochs < 1:
        raise ValueError(f"a grid needs at least one rate and one decay, and an epoch, not {epochs}")
    held = torch.from_numpy(hold_out(labels.numpy().astype(np.int64), held_out, seed))
    rest = {stream: rows[~held] for stream, rows in train.items()}
    probes = train_grid(
        rest,
        labels[~held],
        points,
        classes=classes,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        progress=progress,
    )
    scores = grid_scores(probes, {stream: rows[held] for stream, rows in train.items()})
    hits = (scores.argmax(dim=2) == labels[held]).double().mean(dim=1)
    shares = {point: 100 * share for point, share in zip(points, hits.tolist(), strict=True)}
    rate, decay = max(points, key=lambda point: (shares[point], -point[0], point[1]))
    return Choice(learning_rate=rate, weight_decay=decay, held_out_top1=shares)


def train_grid(
    train: Mapping[str, Float[Tensor, "n _"]],
    labels: Int[Tensor, " n"],
    points: Sequence[Point],
    *,
    classes: int,
    epochs: int = 100,
    batch_size: int = 128,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Probes:
    """The linear probe of each point, all by the same batches from the same first weights: each is what `linear_probe`
    trains with that rate (and decay), a tenth of it after four fifths of the epochs."""
    # Gradients by hand: with autograd and an optimizer with a group for each point it takes half as long again.
    generator = torch.Generator().manual_seed(seed)
    layers = {stream: new_layer(rows.shape[1], classes, generator) for stream, rows in train.items()}
    weights = {s: layer.weight.detach().T.repeat(len(points), 1, 1) for s, layer in layers.items()}
    biases = {s: layer.bias.detach().repeat(len(points), 1) for s, layer in layers.items()}
    parameters = [*weights.values(), *biases.values()]
    speeds = [torch.zeros_like(parameter) for parameter in parameters]
    rates, decays = (torch.tensor(column, dtype=torch.float32) for column in zip(*points, strict=True))
    for epoch in range(epochs):
        now = rates * (0.1 if epoch >= round(0.8 * epochs) else 1.0)
        for rows in torch.randperm(len(labels), generator=generator).split(batch_size):
            batch = {stream: features[rows] for stream, features in train.items()}
            wrong = _logits(weights, biases, batch).softmax(dim=2) - functional.one_hot(labels[rows], classes)
            wrong = wrong / len(rows)  # the gradient of the cross entropy
            slopes = [torch.einsum("bd,gbk->gdk", batch[stream], wrong) for stream in weights]
            slopes += [wrong.sum(dim=1)] * len(biases)
            for parameter, speed, slope in zip(parameters, speeds, slopes, strict=True):
                shape = (-1,) + (1,) * (parameter.ndim - 1)
                speed.mul_(_MOMENTUM).add_(slope + decays.view(shape) * parameter)
                parameter.sub_(now.view(shape) * speed)
        progress(epoch + 1, epochs)
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


def hold_out(labels: Int64[np.ndarray, " n"], percent: float, seed: int) -> Bool[np.ndarray, " n"]:
    """Marks `percent` of the clips of each class; a class of one clip keeps it.

    Raises ValueError when `percent` is not in (0, 100), or nothing would be held out.
    """
    if not 0 < percent < 100:
        raise ValueError(f"{percent:g} % held out: must be above 0 and below 100")
    held = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        places = np.random.default_rng([seed, int(label)]).permutation(np.flatnonzero(labels == label))
        held[places[: min(len(places) - 1, max(1, round(len(places) * percent / 100)))]] = True
    if not held.any():
        raise ValueError(f"{percent:g} % of {len(labels)} clips cannot be held out: too few to choose by")
    return held
