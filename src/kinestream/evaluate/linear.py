"""The linear probe as published: one linear layer on frozen features."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kinestream.evaluate.metrics import Accuracy, accuracy


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """How the linear layer is trained; the defaults are the published ones (reference, "linear")."""

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
    layer: nn.Linear


def linear_probe(
    train: Float[Tensor, "n d"],
    train_labels: Int[Tensor, " n"],
    test: Float[Tensor, "q d"],
    test_labels: Int[Tensor, " q"],
    *,
    classes: int,
    settings: ProbeSettings | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ProbeResult:
    """Trains one linear layer with SGD on features that stay as they are.

    The encoder being frozen in evaluation mode and the clips not augmented, this is the published loop over clips, with
    every clip encoded once instead of once an epoch.
    """
    # NOTE(deviation 4): the published headline is the best test accuracy over the epochs; here it is the last.
    settings = settings or ProbeSettings()
    generator = torch.Generator().manual_seed(settings.seed)
    layer = nn.Linear(train.shape[1], classes)
    nn.init.normal_(layer.weight, 0.0, 0.02, generator=generator)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=settings.rate, momentum=settings.momentum)
    best_top1, best_epoch = -1.0, 0
    last: Accuracy | None = None
    for epoch in range(settings.epochs):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * (0.1 if epoch >= settings.milestone else 1.0)
        for rows in torch.randperm(len(train), generator=generator).split(settings.batch_size):
            loss = functional.cross_entropy(layer(train[rows]), train_labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            last = accuracy(layer(test).argsort(dim=1, descending=True, stable=True), test_labels)
        if last.top1 > best_top1:
            best_top1, best_epoch = last.top1, epoch + 1
        progress(epoch + 1, settings.epochs)
    if last is None:
        raise ValueError(f"a linear probe needs at least one epoch, not {settings.epochs}")
    return ProbeResult(last=last, best_top1=best_top1, best_epoch=best_epoch, layer=layer)


def standardise(
    train: Float[Tensor, "n d"], test: Float[Tensor, "q d"]
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "q d"]]:
    """Both, centred and scaled by mean and deviation of `train`, to a mean squared length of 1: the published rate of 3
    then suits features of any scale."""
    mean = train.mean(dim=0)
    deviation = train.std(dim=0, correction=0)
    scale = torch.where(deviation > 1e-8, deviation, torch.inf) * train.shape[1] ** 0.5
    return (train - mean) / scale, (test - mean) / scale
