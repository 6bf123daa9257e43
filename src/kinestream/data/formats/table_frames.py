"""When the rows of a table were: their rate by their times, their place by the numbers of their frames."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from kinestream.data.recording import RecordingError

MOST_NUMBERS = 2**29
"""Of a recording with a place for each frame, person and joint."""
_UNITS = ((1.0, "seconds"), (1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-9, "nanoseconds"))
_UNIFORM = 0.25
"""Of a step: times may be rounded, and clocks are not perfect."""
_SPARSE = 4
"""Rows are put where their numbers say unless that makes a recording so many times as long."""


def rate_of(times: Float64[np.ndarray, " rows"], unit: float | None) -> tuple[float | None, str]:
    """Frames a second of rows at these times, and what is to be said of it.

    A unit that is not known is the one in which the steps are between a thousandth of a second and one second: in no
    other one they are.

    Example:
        >>> rate_of(np.arange(5) * 40.0, None)
        (25.0, 'its times are taken for milliseconds')
    """
    known = times[np.isfinite(times)]
    if len(known) < 2:
        return None, ""
    steps = np.diff(known)
    if (steps <= 0).any():
        return None, "its times do not rise: the rate is not known"
    middle = float(np.median(steps))
    note = ""
    if unit is None:
        fitting = [(size, name) for size, name in _UNITS if 1e-3 <= middle * size < 1]
        if not fitting:
            return None, f"its times have steps of {middle:.4g}, which is no rate in any unit: the rate is not known"
        unit, name = fitting[0]
        note = f"its times are taken for {name}" if unit != 1 else ""
    mean = float(known[-1] - known[0]) / (len(known) - 1)
    line = known[0] + mean * np.arange(len(known))
    if np.abs(known - line).max() > _UNIFORM * mean:
        low, high = float(steps.min()) * unit, float(steps.max()) * unit
        note = f"its times are not uniform, steps of {low:.4g} to {high:.4g} s: the rate is that of the middle one"
        mean = middle
    fps = 1.0 / (mean * unit)
    return _round(fps, known * unit), note


def _round(fps: float, seconds: Float64[np.ndarray, " rows"]) -> float:
    """As the whole number that it may be: of times in milliseconds, the first and last may be off by half of one."""
    in_milliseconds = (np.abs(seconds * 1e3 - np.round(seconds * 1e3)) < 1e-3).all()
    doubt = max(1e-4, 1e-3 / float(seconds[-1] - seconds[0]) if in_milliseconds else 0.0)
    nearest = float(round(fps))
    return nearest if nearest and abs(fps - nearest) <= doubt * nearest else round(fps, 4)


def frame_places(frames: Float64[np.ndarray, " rows"]) -> tuple[Int64[np.ndarray, " rows"], int, str]:
    """The place of each row by the number of its frame, how many places there are, and what is to be said of it.

    Numbers may begin anywhere and count in steps; frames that lack have a place. Raises RecordingError for numbers
    that are none.
    """
    whole = frames.astype(np.int64) if _whole(frames).all() else None
    if whole is None:
        row = int(np.flatnonzero(~_whole(frames))[0])
        raise RecordingError(f"{frames[row]} is no number of a frame (row {row + 1})")
    distinct = np.unique(whole)
    steps = np.diff(distinct)
    step = int(np.gcd.reduce(steps)) if len(steps) else 1
    count = int(distinct[-1] - distinct[0]) // step + 1
    if count > _SPARSE * len(distinct):
        places = np.searchsorted(distinct, whole)
        return (
            places,
            len(distinct),
            f"its frames are numbered up to {distinct[-1]}, and most numbers are missing: taken one after the other",
        )
    lacking = count - len(distinct)
    return (whole - distinct[0]) // step, count, f"missing frames: {lacking}" if lacking else ""


def _whole(values: Float64[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
    return (np.abs(values) < 2**53) & (values == np.floor(values))


def check_size(*sizes: int) -> None:
    """Raises RecordingError for an array of absurd size."""
    count = 1
    for size in sizes:
        count *= size
    if count > MOST_NUMBERS:
        shape = " x ".join(f"{size:,}" for size in sizes)
        raise RecordingError(f"it says {shape} numbers (frames, people, joints, coordinates), more than is read")
