"""Options that several evaluations share, from the words of a command line to what the protocols take."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kinestream.configs import command_words, required_option
from kinestream.readout import WhitenedBy

if TYPE_CHECKING:
    from kinestream.engine.classify import TrainingSettings
    from kinestream.protocols.subject import Subject


@dataclass(frozen=True, kw_only=True)
class SubjectOptions:
    """The options of all evaluations."""

    run: Path
    """Folder of a pre-training run, or an encoder file (.safetensors)."""
    data: Path = required_option()
    """The store with the labels."""
    split: str | None = None
    """Split to evaluate on; that of the run if not given."""
    allow_leak: bool = False
    """Go on where test clips were learnt from; the results are marked."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""


@dataclass(frozen=True, kw_only=True)
class LookOptions(SubjectOptions):
    """How frozen encoders look at clips, and at which."""

    bare: bool = False
    """Only the run: leave out the untrained encoder and the raw coordinates, which take long on much data."""
    turns: int | None = None
    """Directions about the vertical to read each clip from, averaged; as the run's recipe says if not given. One is
    taken for streams that are the same from all sides."""


@dataclass(frozen=True, kw_only=True)
class FrozenOptions(LookOptions):
    """The options of the evaluations of frozen features."""

    whitening: float | None = None
    """How far features are whitened, 0 (not at all) to 1; as the recipe says if not given."""
    whitened_by: WhitenedBy | None = None
    """By which training clips features are whitened: all of them, or nearest neighbours; as the recipe says if not
    given."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(SubjectOptions):
    """The options of the evaluations that train encoders; None where the form decides."""

    form: Literal["usual", "published"] = "usual"
    """usual: encoder in training mode, AdamW, a rate for each layer; published: encoder in evaluation mode, SGD."""
    epochs: int = 50
    """Passes over the labelled clips."""
    batch_size: int | None = None
    """Clips a step; if not given that of the form, as for the options from here to --augment."""
    optimiser: Literal["adamw", "sgd"] | None = None
    """Which optimiser."""
    rate: float | None = None
    """Learning rate of the linear layers."""
    layer_decay: float | None = None
    """Factor on the rate for each layer further down; 1 for one rate."""
    weight_decay: float | None = None
    """On every parameter."""
    augment: Literal["none", "published", "recipe"] | None = None
    """Of the training clips: none, crop and shear as published, or as in the run's recipe."""
    fusion: Literal["together", "fused", "both"] = "together"
    """Of several streams: one classifier on all (logits summed), or one for each and their scores summed, or both."""
    seeds: int = 1
    """How many trainings, with the seeds from --seed on; the figures are means."""
    seed: int = 0
    """Of the first training."""


@dataclass(frozen=True, kw_only=True)
class WeightedOptions(TrainingOptions):
    """The options of those whose scores can be fused with given weights."""

    weights: str | None = None
    """Of the streams when their scores are fused, as in joint=0.6,motion=0.4,bone=0.6; alike if not given."""


def open_subject(
    given: SubjectOptions, command: str, *, references: bool = True, pretrained: bool = True, other_layout: bool = False
) -> "Subject":
    """What `command` was asked to evaluate; its words are written down with the results. The rest, and errors, as of
    `Subject`."""
    from kinestream.protocols.subject import Subject

    readout: dict[str, Any] = {}
    if isinstance(given, LookOptions):
        readout |= {"turns": given.turns}
    if isinstance(given, FrozenOptions):
        readout |= {"whitening": given.whitening, "whitened_by": given.whitened_by}
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
        **readout,
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
