"""The linear probe as published: a linear layer on the frozen features of each stream, logits summed."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kinestream.evaluate import register
from kinestream.evaluate.result import Row
from kinestream.evaluate.session import Features, Session
from kinestream.evaluate.settings import LinearSettings, parse_weights
from kinestream.features.metrics import Accuracy, accuracy, fuse_scores, ranked


def _best(row: Row) -> str:
    if "best_epoch" not in row.extra:
        return "-"
    return f"{row.extra['best_top1_chosen_on_test']:.2f} (epoch {row.extra['best_epoch']})"


@register("linear", columns=lambda settings: {"best, chosen on test": _best})
def linear(session: Session, settings: LinearSettings) -> Iterator[Row]:
    """Each stream alone, the probe on all as published, and the single ones' scores fused with the weights."""
    weights = parse_weights(settings.weights)
    session.check_weights(weights)
    session.settings["weights"] = weights or "uniform"
    for features in session.features():
        yield from probe_rows(session, features, settings, weights)


def probe_rows(
    session: Session,
    features: Features,
    settings: LinearSettings,
    weights: Mapping[str, float] | None = None,
    variant: str = "",
) -> Iterator[Row]:
    """The rows of one kind of features."""
    scores: dict[str, Tensor] = {}
    for streams, how in features.choices():
        train, test = probe_features(features, streams)
        found = linear_probe(
            train,
            session.train_labels,
            test,
            session.test_labels,
            classes=session.classes,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            seed=settings.seed,
            progress=session.advance(f"linear, {features.kind}, {' + '.join(streams)}", "epochs"),
        )
        if how == "alone":
            scores[streams[0]] = found.scores
        yield session.row(
            features.kind,
            streams,
            how,
            ranked(found.scores),
            {"best_top1_chosen_on_test": found.best_top1, "best_epoch": found.best_epoch},
            logits=found.scores,
            variant=variant,
        )
    if len(scores) > 1:
        fused = fuse_scores(scores, weights)
        yield session.row(features.kind, list(scores), "fused", ranked(fused), logits=fused, variant=variant)


def probe_features(features: Features, streams: Sequence[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Training and test features of these streams as a linear layer takes them."""
    train = {stream: features.train[stream] for stream in streams}
    test = {stream: features.test[stream] for stream in streams}
    if features.kind == "raw":
        # Metres, thousands of them: at the published rate the layer would diverge, and raw data would look worse.
        for stream in streams:
            train[stream], test[stream] = standardise(train[stream], test[stream])
    return train, test


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
    epochs: int = 100,
    batch_size: int = 128,
    learning_rate: float = 3.0,
    momentum: float = 0.9,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ProbeResult:
    """Trains one linear layer for each stream, their logits summed, with SGD on features that stay as they are; after
    four fifths of the epochs the learning rate is a tenth. The defaults are the published ones (reference, "linear").

    The encoder being frozen in evaluation mode and the clips not augmented, this is the published loop over clips, with
    every clip encoded once instead of once an epoch. One stream gives the one-stream probe.

    Raises ValueError when there is no stream or no epoch.
    """
    # NOTE(deviation 4): the published headline is the best test accuracy over the epochs; here it is the last.
    if not train or epochs < 1:
        raise ValueError(f"a linear probe needs a stream and an epoch, not {len(train)} and {epochs}")
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"a learning rate of {learning_rate}: it must be above 0, and finite")
    generator = torch.Generator().manual_seed(seed)
    layers = {stream: new_layer(features.shape[1], classes, generator) for stream, features in train.items()}
    parameters = [parameter for layer in layers.values() for parameter in layer.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=learning_rate, momentum=momentum)
    best_top1, best_epoch = -1.0, 0
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * (0.1 if epoch >= round(0.8 * epochs) else 1.0)
        for rows in torch.randperm(len(train_labels), generator=generator).split(batch_size):
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
        progress(epoch + 1, epochs)
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
