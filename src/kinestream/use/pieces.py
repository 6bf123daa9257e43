"""What of a recording gets a row of its own: the whole or windows of it, all people together or each alone.

t frames, m bodies, v joints, c coordinates.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kinestream.data.durations import Duration, duration
from kinestream.data.gaps import without_gaps
from kinestream.data.recording import Recording, RecordingError
from kinestream.words import shown

People = Literal["together", "each"]
Length = str | float | int
"""A length of time: seconds as a number or as "2s", or frames as "60f"."""

SEEN_SHARE = 0.5
"""Of the frames of a window in which someone must be seen for it to count."""
LEAST_SHARE = 0.1
"""Of the frames of whom is seen longest: a body seen in fewer is noise, as in the preparation `tracked`."""
_SHORTEST = 2
"""Frames that a movement needs."""


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """How recordings are cut."""

    windows: Duration | None
    """None for whole recordings."""
    hop: Duration | None
    """From the start of a window to that of the next; None for half a window."""
    people: People

    @classmethod
    def of(cls, windows: Length | None, hop: Length | None, people: People | None) -> "Cutting":
        """As the user says it. People count each alone in windows and together in whole recordings, unless `people`
        says otherwise. Raises ValueError for what does not go together."""
        if people not in (None, "together", "each"):
            raise ValueError(f"people {people!r}: 'together' for a row of all, 'each' for a row of each")
        if windows is None:
            if hop is not None:
                raise ValueError(f"hop {hop!r} without windows: say how long they are, windows='2s'")
            return cls(windows=None, hop=None, people=people or "together")
        span = _length(windows, "windows")
        step = None if hop is None else _length(hop, "hop")
        if step is not None and step.in_frames == span.in_frames and step.value > span.value:
            raise ValueError(f"hop {step} is longer than windows of {span}: what lies between them would be left out")
        return cls(windows=span, hop=step, people=people or "each")

    @property
    def is_plain(self) -> bool:
        """Whether each recording has just one row."""
        return self.windows is None and self.people == "together"

    def places(self, frames: int, fps: float | None) -> list[tuple[int, int]]:
        """First frame and end of each window. The last one ends with the recording, so that no frame is left out; a
        recording that is shorter than a window is one.

        Raises ValueError for windows of less than two frames, and for seconds where no rate is known.

        Example:
            >>> Cutting.of("2s", "1s", None).places(35, 10.0)
            [(0, 20), (10, 30), (15, 35)]
        """
        if self.windows is None:
            return [(0, frames)]
        exact = _frames(self.windows, fps)
        length = round(exact)
        if length < _SHORTEST:
            raise ValueError(f"windows of {self.windows} are {exact:g} frames here: a movement needs two at least")
        if frames <= length:
            return [(0, frames)]
        hop = exact / 2 if self.hop is None else _frames(self.hop, fps)
        if hop < 1:
            raise ValueError(f"hop {self.hop} is {hop:g} frames here: one at least is needed")
        count = math.floor((frames - length + 0.5) / hop) + 1
        starts = [start for k in range(count) if (start := round(k * hop)) + length <= frames]
        last = [] if starts[-1] + length == frames else [frames - length]
        return [(start, start + length) for start in (*starts, *last)]


def _length(given: Length, what: str) -> Duration:
    """Raises ValueError for what is no length of time above zero."""
    try:
        made = duration(given)
    except ValueError:
        made = Duration(math.nan)
    if not 0 < made.value < 1e6:
        raise ValueError(f"{what} {shown(repr(given))}: a number of seconds is meant, 2 or '2s', or of frames, '60f'")
    return made


def _frames(length: Duration, fps: float | None) -> float:
    """With fractions. Raises ValueError where the rate is needed and not known: that is so for all recordings, and none
    is to blame."""
    if length.in_frames:
        return float(length.value)
    if fps is None:
        raise ValueError(
            f"no frame rate is known, and a window of {length} needs one: give fps (--fps), or windows in frames, as "
            "in 60f"
        )
    return length.value * fps


@dataclass(kw_only=True)
class Tally:
    """What became of recordings on the way, to be told in the end."""

    short: int = 0
    """Recordings shorter than a window."""
    empty: int = 0
    """Windows that nobody was seen in."""
    passing: int = 0
    """Bodies seen so seldom that they are noise."""
    mapped: Counter[str] = field(default_factory=Counter)
    """Recordings by how their joints were mapped."""

    def add(self, other: "Tally") -> None:
        self.short += other.short
        self.empty += other.empty
        self.passing += other.passing
        self.mapped.update(other.mapped)

    def notes(self, cutting: Cutting) -> list[str]:
        """In sentences."""
        said = [f"{how} ({count:,} recording{'s' * (count > 1)})" for how, count in self.mapped.items()]
        if self.short:
            said.append(f"{self.short:,} recordings are shorter than a window of {cutting.windows}: a row of the whole")
        if self.empty:
            said.append(f"{self.empty:,} windows in which nobody is seen half of the time are left out")
        if self.passing:
            said.append(f"{self.passing:,} bodies that are seen in less than a tenth of the time are left out")
        return said


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """A stretch of a recording, of one person or of all."""

    recording: Recording
    """That stretch alone."""
    person: int
    """Tracking number; 0 for all people together."""
    start: int
    """First frame in the whole recording, and the end."""
    stop: int


def pieces_of(recording: Recording, cutting: Cutting, tally: Tally) -> Iterator[Piece]:
    """What of a recording gets a row, person by person, in the order of time.

    Raises RecordingError where nobody is seen, and ValueError as `Cutting.places`.
    """
    places = cutting.places(len(recording), recording.fps)
    assert recording.layout is not None, "as_recordings gives each a layout"
    # Before it is cut: what is seen before and after a window tells of joints that are hidden in it.
    recording = without_gaps(recording, recording.layout)
    if cutting.windows is not None and len(recording) < round(_frames(cutting.windows, recording.fps)):
        tally.short += 1
    for person, whole in _people(recording, cutting.people, tally):
        seen = np.greater(whole.bodies, 0).any(axis=1)
        for start, stop in places:
            if cutting.windows is not None and seen[start:stop].mean() < SEEN_SHARE:
                tally.empty += 1
                continue
            part = whole if (start, stop) == (0, len(whole)) else whole.cut(slice(start, stop))
            yield Piece(recording=part, person=person, start=start, stop=stop)


def _people(recording: Recording, people: People, tally: Tally) -> Iterator[tuple[int, Recording]]:
    if people == "together":
        yield 0, recording
        return
    numbers = np.unique(recording.bodies[np.greater(recording.bodies, 0)]).tolist()
    frames = {number: int(np.equal(recording.bodies, number).any(axis=1).sum()) for number in numbers}
    if not frames:
        raise RecordingError(f"no body in any of its {len(recording)} frames")
    for number in numbers:
        if frames[number] < LEAST_SHARE * max(frames.values()):
            tally.passing += 1
            continue
        yield number, alone(recording, number)


def alone(recording: Recording, person: int) -> Recording:
    """One person by the tracking number, in whichever place of a frame; zero where they are not there."""
    where = np.equal(recording.bodies, person)
    slot, there = where.argmax(axis=1), np.asarray(where.any(axis=1))
    frames = np.arange(len(recording))
    joints = np.where(there[:, None, None, None], recording.joints[frames, slot][:, None], 0)
    confidence = None if recording.confidence is None else recording.confidence[frames, slot][:, None]
    bodies = np.where(there, recording.bodies[frames, slot], 0)[:, None]
    return dataclasses.replace(recording, joints=joints, bodies=bodies, confidence=confidence)
