"""What every reader gives: one recording, as the file has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

LARGEST_COORDINATE = 100.0
"""Metres. No sensor sees a body further away: a larger number in a file is damage, not data."""


class RecordingError(ValueError):
    """A raw file that cannot be used: why, and in which line (counted from 1; None when it is not about a line)."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason = reason
        self.line = line


@dataclass(frozen=True, kw_only=True)
class Source:
    """A raw file and what its name tells."""

    path: Path
    name: str
    action: int
    """As the data set counts it, from 1."""
    subject: int
    camera: int
    setup: int
    repetition: int
    labels: Path | None = None
    """File with the labels of its parts, where the name tells no action (`action` is 0 then)."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a recording in which one thing is done: frames `start` to `end`, counted from 0, `end` not included."""

    label: int
    """Counted from 0."""
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class LabelTrack:
    """What a label file says of its recording."""

    segments: Mapping[int, Segment]
    """By the line of the file, counted from 1, in the order of the lines."""
    refused: tuple[RecordingError, ...]
    """The lines that cannot be used, and why."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Frames as read, before any cleaning.

    `joints[t, m]` is the m-th body of frame t *in file order*, all zero where there is none; `bodies[t, m]` is its
    tracking number, 0 where there is none (1 where the format has no tracking). Metres, camera coordinates, y up.
    """

    joints: Float[np.ndarray, "t m v c"]
    bodies: Int[np.ndarray, "t m"]


def check_coordinates(joints: Float[np.ndarray, "*points c"]) -> np.ndarray:
    """Marks the points (all axes but the last) that are no usable position: not finite, or beyond 100 m."""
    return ~(np.abs(joints) <= LARGEST_COORDINATE).all(axis=-1)
