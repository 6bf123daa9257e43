"""Options that several evaluations share, from the words of a command line to what the protocols take."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from kinestream.configs import command_words

if TYPE_CHECKING:
    from kinestream.engine.classify import TrainingSettings
    from kinestream.protocols.subject import Subject


@runtime_checkable
class SubjectOptions(Protocol):
    """The options of all evaluations."""

    @property
    def run(self) -> Path: ...
    @property
    def data(self) -> Path: ...
    @property
    def split(self) -> str | None: ...
    @property
    def device(self) -> Literal["auto", "cpu", "cuda"]: ...
    @property
    def allow_leak(self) -> bool: ...


def open_subject(
    given: SubjectOptions, command: str, *, references: bool = True, pretrained: bool = True, other_layout: bool = False
) -> "Subject":
    """What `command` was asked to evaluate; its words are written down with the results. The rest, and errors, as of
    `Subject`."""
    from kinestream.protocols.subject import Subject

    return Subject(
        given.run,
        given.data,
        given.split,
        given.device,
        references=references,
        allow_leak=given.allow_leak,
        pretrained=pretrained,
        other_layout=other_layout,
        command=command_words(f"kinestream {command}", given),
    )


def parse_weights(text: str | None) -> dict[str, float] | None:
    """Raises ValueError when `text` is not of the form stream=number,..."""
    if text is None:
        return None
    weights: dict[str, float] = {}
    for entry in text.split(","):
        stream, equals, number = entry.strip().partition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not equals or stream in weights or not math.isfinite(weight):
            raise ValueError(f"--weights '{text}': write them as joint=0.6,motion=0.4,bone=0.6")
        weights[stream] = weight
    return weights


@runtime_checkable
class TrainingOptions(Protocol):
    """The options of the evaluations that train encoders; None where the form decides."""

    @property
    def form(self) -> Literal["usual", "published"]: ...
    @property
    def epochs(self) -> int: ...
    @property
    def batch_size(self) -> int | None: ...
    @property
    def optimiser(self) -> Literal["adamw", "sgd"] | None: ...
    @property
    def rate(self) -> float | None: ...
    @property
    def layer_decay(self) -> float | None: ...
    @property
    def weight_decay(self) -> float | None: ...
    @property
    def augment(self) -> Literal["none", "published", "recipe"] | None: ...


def training_settings(given: TrainingOptions, *, layer_decay: float | None = None) -> "TrainingSettings":
    """The settings of a form, with those instead that are given; `layer_decay` takes the place of that of the form.
    Raises ValueError for impossible ones."""
    from kinestream.protocols.training import PUBLISHED, USUAL

    base = PUBLISHED if given.form == "published" else USUAL
    if layer_decay is not None:
        base = replace(base, layer_decay=layer_decay)
    names = ("epochs", "batch_size", "optimiser", "rate", "layer_decay", "weight_decay", "augment")
    values = {name: getattr(given, name) for name in names}
    return replace(base, **{name: value for name, value in values.items() if value is not None})
