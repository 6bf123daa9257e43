"""Options that several evaluations share, from the words of a command line to what the protocols take."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from kinestream.engine.classify import TrainingSettings


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


def training_settings(form: Literal["usual", "published"], **given: Any) -> "TrainingSettings":
    """The settings of a form, with those instead that are given (not None). Raises ValueError for impossible ones."""
    from kinestream.protocols.training import PUBLISHED, USUAL

    base = PUBLISHED if form == "published" else USUAL
    return replace(base, **{name: value for name, value in given.items() if value is not None})
