"""The linear probe as published: a linear layer on the frozen features of each stream, logits summed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kinestream.features.metrics import Accuracy, accuracy, ranked


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """How the linear layers are trained; the defaults are the published ones (reference, "linear")."""

    epochs: int = 100
    batch_size: int = 128
    rate: float = 3.0
    momentum: float = 0.9
    milestone: int = 80
    """After this epoch the rate is a tenth."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """Test accuracy of a linear probe."""

    last: Accuracy
    """After the last epoch: the figure to report."""
    best_top1: float
    """The best over the epochs, chosen on the test set: an upper bound, not a result."""
    best_epoch: int
    scores: Float[Tensor, "q classes"]
    """Summed logits of the test clips after the last epoch."""
    layers: Mapping[str, nn.Linear]
    """The layer of each stream."""


def linear_probe(
    train: Mapping[str, Float[Tensor, "n _"]],
    train_labels: Int[Tensor, " n"],
    test: Mapping[str, Float[Tensor, "q _"]],
    test_labels: Int[Tensor, " q"],
    *,
    classes: int,
    settings: ProbeSettings | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ProbeResult:
    """Trains one linear layer for each stream, their logits summed, with SGD on features that stay as they are.

    The encoder being frozen in evaluation mode and the clips not augmented, this is the published loop over clips, with
    every clip encoded once instead of once an epoch. One stream gives the one-stream probe.

    Raises ValueError when there is no stream or no epoch.
    """
    # NOTE(deviation 4): the published headline is the best test accuracy over the epochs; here it is the last.
    settings = settings or ProbeSettings()
    if not train or settings.epochs < 1:
        raise ValueError(f"a linear probe needs a stream and an epoch, not {len(train)} and {settings.epochs}")
    generator = torch.Generator().manual_seed(settings.seed)
    layers = {stream: new_layer(features.shape[1], classes, generator) for stream, features in train.items()}
    parameters = [parameter for layer in layers.values() for parameter in layer.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=settings.rate, momentum=settings.momentum)
    best_top1, best_epoch = -1.0, 0
    for epoch in range(settings.epochs):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * (0.1 if epoch >= settings.milestone else 1.0)
        for rows in torch.randperm(len(train_labels), generator=generator).split(settings.batch_size):
            batch = {stream: features[rows] for stream, features in train.items()}
            loss = functional.cross_entropy(_summed_logits(layers, batch), train_labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            scores = _summed_logits(layers, test)
            last = accuracy(ranked(scores), test_labels)
        if last.top1 > best_top1:
            best_top1, best_epoch = last.top1, epoch + 1
        progress(epoch + 1, settings.epochs)
    return ProbeResult(last=last, best_top1=best_top1, best_epoch=best_epoch, scores=scores, layers=layers)


def new_layer(fan_in: int, classes: int, generator: torch.Generator) -> nn.Linear:
    """Weights N(0, 0.02), biases 0, as published."""
    layer = nn.Linear(fan_in, classes)
    nn.init.normal_(layer.weight, 0.0, 0.02, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def _summed_logits(layers: Mapping[str, nn.Linear], features: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([layer(features[stream]) for stream, layer in layers.items()]).sum(dim=0)


def standardise(
    train: Float[Tensor, "n d"], test: Float[Tensor, "q d"]
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "q d"]]:
    """Both, centred and scaled by mean and deviation of `train`, to a mean squared length of 1: the published rate of 3
    then suits features of any scale."""
    mean = train.mean(dim=0)
    deviation = train.std(dim=0, correction=0)
    scale = torch.where(deviation > 1e-8, deviation, torch.inf) * train.shape[1] ** 0.5
    return (train - mean) / scale, (test - mean) / scale
