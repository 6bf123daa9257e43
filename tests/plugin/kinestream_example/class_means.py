"""Accuracy of the nearest class mean."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from kinestream.evaluate import Row, Session, register


@dataclass(frozen=True, kw_only=True)
class MeanSettings:
    """Accuracy of the nearest class mean of frozen features, by inner product."""

    power: float = 1.0
    """Of the inner product."""


@register("class-means")
def class_means(session: Session, settings: MeanSettings) -> Iterator[Row]:
    for features in session.features():
        for streams, how in features.choices():
            train, test = features.joined(streams)
            members = torch.nn.functional.one_hot(session.train_labels, session.classes).to(train.dtype)
            scores = (test @ (members.T @ train).T) ** settings.power
            yield session.row(features.kind, streams, how, scores.argsort(dim=1, descending=True))
