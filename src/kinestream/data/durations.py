"""Times as a user writes them, in seconds or frames, and windows cut at them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kinestream.data.recording import RecordingError
from kinestream.words import shown

_LEAST_CLIP, _MOST_CLIP = 0.01, 3600
"""Seconds."""
_MOST = 1e9
"""Seconds or frames: nothing is that long."""
_TOLD = re.compile(r"(?:(?:(?P<h>\d+):)?(?P<m>\d{1,2}):)?(?P<s>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>s|f|)")


@dataclass(frozen=True)
class Duration:
    """A length of time or a moment: seconds, or frames."""

    value: float | int
    in_frames: bool = False

    def frames(self, fps: float | int | None) -> int:
        """Raises RecordingError for seconds where the rate is not known."""
        if self.in_frames:
            return int(self.value)
        if fps is None:
            raise RecordingError(
                f"{self} of a recording whose frame rate is not known: say --fps, or give frames, as in 60f"
            )
        return round(self.value * fps)

    def __str__(self) -> str:
        return f"{self.value:g}{'f' if self.in_frames else 's'}"


def duration(told: "str | float | int | Duration") -> Duration:
    """`2`, `2s`, `0.5s`, `1:02.5` (minutes and seconds) or `60f` (frames). Raises ValueError for anything else.

    Example:
        >>> duration("1:02.5"), duration("60f")
        (Duration(value=62.5, in_frames=False), Duration(value=60.0, in_frames=True))
    """
    if isinstance(told, Duration):
        return told
    match = _TOLD.fullmatch(str(told).strip())
    if match is None or not (value := _value(match)) < _MOST or (match["unit"] == "f" and value % 1):
        raise ValueError(f"'{shown(str(told), 40)}' is no time: seconds such as 2s or 0.5s, or frames such as 60f")
    return Duration(value, match["unit"] == "f")


def _value(match: "re.Match[str]") -> float:
    return 3600 * int(match["h"] or 0) + 60 * int(match["m"] or 0) + float(match["s"])


@dataclass(frozen=True)
class Windows:
    """Windows of one length, one every hop."""

    length: Duration
    hop: Duration

    def __post_init__(self) -> None:
        if not self.length.value > 0 or not self.hop.value > 0:
            raise ValueError(f"windows of {self.length} every {self.hop}: both must be above 0")

    def of(self, frames: int, fps: float | int | None) -> Iterator[slice]:
        """Of a recording: all whole windows. One shorter than a window is one window, whole. What is left at the end is
        a window of its own, the last frames, where it is at least half a hop.

        Example:
            >>> [(cut.start, cut.stop) for cut in windows("20f", "10f").of(47, None)]
            [(0, 20), (10, 30), (20, 40), (27, 47)]
        """
        length, hop = max(self.length.frames(fps), 1), max(self.hop.frames(fps), 1)
        if frames <= length:
            yield slice(0, frames)
            return
        start = 0
        for start in range(0, frames - length + 1, hop):
            yield slice(start, start + length)
        if 2 * (frames - length - start) >= hop:
            yield slice(frames - length, frames)


def windows(length: "str | float | Duration", hop: "str | float | Duration | None" = None) -> Windows:
    """Windows one after the other, or one every `hop`. Raises ValueError for what is no time, or not above 0."""
    long = duration(length)
    return Windows(long, long if hop is None else duration(hop))


def check_clip_seconds(seconds: float | int | None) -> None:
    """Raises ValueError for what is no length of a clip; None stands for whole recordings."""
    if seconds is not None and not _LEAST_CLIP <= seconds <= _MOST_CLIP:
        raise ValueError(f"seconds ({seconds:g}) must be in {_LEAST_CLIP}..{_MOST_CLIP}, or null for whole recordings")
