"""People as a pose estimator tells of them, a body after another, put together into the arrays of a recording."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from kinestream.data.recording import RecordingError
from kinestream.words import shown

MOST_NUMBERS = 2**27
"""Of one recording: a gigabyte."""
FARTHEST = 1e9
"""In whatever unit: a larger number is damage."""
_MOST_TRACK = 2**53
_ROWS = 2**14
"""That are copied at once."""
_NUMBERS = ({int}, {float}, {int, float})


@dataclass(frozen=True, kw_only=True, eq=False)
class Assembled:
    """What was seen, in the order of the frames."""

    points: Float[np.ndarray, "t m v n"]
    """The numbers of each point as they came; NaN where there is no body."""
    bodies: Int[np.ndarray, "t m"] | None
    """Tracking numbers from 1; None where not every body has one."""
    frames: Int[np.ndarray, " t"]
    """The number of each frame, as the file counts."""
    notes: tuple[str, ...]


class Sightings:
    """Gathers bodies, each of so many points of so many numbers, in as little memory as their numbers take.

    Example:
        >>> seen = Sightings(points=1, numbers=2)
        >>> seen.add(7, [0.5, 1], "body 1", track=0)
        >>> seen.add(9, [0.5, None], "body 2", track=0)
        >>> found = seen.assemble()
        >>> found.points[:, 0, 0].tolist(), found.bodies[:, 0].tolist()
        ([[0.5, 1.0], [nan, nan], [0.5, nan]], [1, 0, 1])
    """

    def __init__(self, points: int, numbers: int) -> None:
        self.points = points
        self.numbers = numbers
        self._values = array("d")
        self._frames = array("q")
        self._tracks = array("q")
        self._empty = array("q")

    def __len__(self) -> int:
        """How many bodies."""
        return len(self._frames)

    def add(self, frame: int, values: Any, place: str, track: Any = None) -> None:
        """A body in a frame, with its tracking number where it has one. Raises RecordingError, naming the place, for
        what is not so many numbers."""
        count = self.points * self.numbers
        if not isinstance(values, list) or len(values) != count:
            size = f"{len(values)} numbers" if isinstance(values, list) else shown(values)
            raise RecordingError(f"{place}: {size} where {count} belong")
        if (len(self._values) + count) > MOST_NUMBERS:
            raise RecordingError(f"{place}: more than {MOST_NUMBERS:,} numbers: cut it into several recordings")
        self._values.extend(as_numbers(values, place))
        self._frames.append(frame)
        self._tracks.append(_track(track, place))

    def add_rows(
        self,
        frames: Int[np.ndarray, " n"],
        values: Float[np.ndarray, "n numbers"],
        tracks: Int[np.ndarray, " n"] | None,
    ) -> None:
        """Many bodies, each with its frame, and a tracking number or -1."""
        if len(self._values) + values.size > MOST_NUMBERS:
            raise RecordingError(f"more than {MOST_NUMBERS:,} numbers: cut it into several recordings")
        self._values.frombytes(np.ascontiguousarray(values, dtype=np.float64).tobytes())
        self._frames.frombytes(frames.astype(np.int64).tobytes())
        self._tracks.frombytes((np.full(len(frames), -1) if tracks is None else tracks).astype(np.int64).tobytes())

    def add_frame(self, frame: int) -> None:
        """A frame that is there, whether or not somebody is in it."""
        self._empty.append(frame)

    def split(self, frames: Sequence[int], groups: Sequence[str]) -> dict[str, "Sightings"]:
        """The bodies by group, where what was taken for a frame so far only stands for `frames` and `groups` of that
        place. What was gathered is let go of."""
        place = np.array(self._frames, np.int64)
        codes = {group: code for code, group in enumerate(dict.fromkeys(groups))}
        code_at = np.array([codes[group] for group in groups], dtype=np.int64)[place]
        frame_at, tracks = np.array(frames, np.int64)[place], np.array(self._tracks, np.int64)
        if len(codes) == 1:
            self._frames = array("q", frame_at.tobytes())
            return {next(iter(codes)): self}
        values = np.frombuffer(self._values).reshape(len(place), -1)
        order = np.argsort(code_at, kind="stable")
        edges = np.searchsorted(code_at[order], np.arange(len(codes) + 1))
        parts: dict[str, Sightings] = {}
        for group, code in codes.items():
            rows = order[edges[code] : edges[code + 1]]
            if len(rows):
                parts[group] = part = Sightings(self.points, self.numbers)
                part._values.frombytes(values[rows].tobytes())
                part._frames.frombytes(frame_at[rows].tobytes())
                part._tracks.frombytes(tracks[rows].tobytes())
        del values
        self._values = array("d")
        return parts

    def assemble(self) -> Assembled:
        """What was gathered, which is let go of. Raises RecordingError where there is no body, or more frames are
        missing than a video leaves out."""
        frames, tracks = np.array(self._frames, np.int64), np.array(self._tracks, np.int64)
        every = np.unique(np.concatenate((frames, np.array(self._empty, dtype=np.int64))))
        if not len(frames):
            raise RecordingError(f"no body in any of its {len(every)} frames" if len(every) else "no frames")
        first, last = int(every[0]), int(every[-1])
        check_span(first, last, len(every))
        values = np.frombuffer(self._values).reshape(len(frames), self.points, self.numbers)
        order = np.argsort(frames, kind="stable")
        notes = []
        twice = _twice(frames, tracks)
        if twice.any():
            order = order[~twice[order]]
            notes.append(f"left out {twice.sum():,} bodies whose tracking number stands twice in a frame")
        at = frames[order] - first
        place = np.arange(len(at)) - np.searchsorted(at, at)
        shape = (last - first + 1, int(place.max()) + 1)
        if shape[0] * shape[1] * self.points * self.numbers > MOST_NUMBERS:
            raise RecordingError(
                f"{shape[0]:,} frames with up to {shape[1]} bodies of {self.points} points: too many for one recording"
            )
        points = np.full((*shape, self.points, self.numbers), np.nan)
        for start in range(0, len(order), _ROWS):
            rows = slice(start, start + _ROWS)
            points[at[rows], place[rows]] = values[order[rows]]
        del values
        self._values = array("d")
        untracked = int((tracks[order] < 0).sum())
        bodies = None
        if not untracked:
            bodies = np.zeros(shape, dtype=np.int64)
            bodies[at, place] = tracks[order] + (tracks.min() == 0)
        elif untracked < len(order):
            notes.append(f"tracking numbers not used: {untracked:,} of {len(order):,} bodies have none")
        if bodies is None and shape[1] > 1:
            notes.append("people have no tracking numbers: they are followed from frame to frame by where they are")
        missing = shape[0] - len(every)
        if missing:
            notes.append(f"{missing:,} of {shape[0]:,} frames are missing: nobody is seen in them")
        return Assembled(points=points, bodies=bodies, frames=np.arange(first, last + 1), notes=tuple(notes))


def as_numbers(values: Sequence[Any], place: str) -> Sequence[float]:
    """A list of numbers, null as NaN. Raises RecordingError for anything else."""
    kinds = set(map(type, values))
    if kinds not in _NUMBERS:
        if not kinds <= {int, float, type(None)}:
            wrong = next(value for value in values if type(value) not in (int, float, type(None)))
            raise RecordingError(f"{place}: {shown(wrong)} where a number belongs")
        values = [np.nan if value is None else value for value in values]
    try:
        return array("d", values)
    except OverflowError:
        raise RecordingError(f"{place}: a number of more than 300 digits") from None


def as_frame(value: Any, place: str) -> int:
    """The number of a frame. Raises RecordingError for what is none."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value < 2**40:
        raise RecordingError(f"{place}: {shown(value)} where the number of a frame belongs")
    return value


def positive(value: Any, below: int | float) -> float | None:
    """What may be a size or a rate: a number above 0; None for anything else."""
    return float(value) if type(value) in (int, float) and 0 < value < below else None


def check_span(first: int, last: int, count: int) -> None:
    """Raises RecordingError where more frames are missing than a video leaves out."""
    if last - first > 20 * count + 1000:
        raise RecordingError(f"frames {first} to {last}, but only {count} are there: pictures, not one video")


def refuse_far(joints: Float[np.ndarray, "t m v c"], first: int = 0) -> None:
    """Raises RecordingError, with the frame, for what is no position; NaN is none seen."""
    for start in range(0, len(joints), 4096):
        far = (np.abs(joints[start : start + 4096]) > FARTHEST).any(axis=(1, 2, 3))
        if far.any():
            raise RecordingError(f"frame {first + start + int(far.argmax())}: a point that is no position")


def scored(
    points: Float[np.ndarray, "t m v n"], first: int = 0, *, flags: bool | None = None
) -> tuple[Float[np.ndarray, "t m v c"], Float[np.ndarray, "t m v"] | None, tuple[str, ...]]:
    """Coordinates and scores out of points whose last number is a score, and notes.

    A point at zero with a score of zero was not seen. Scores that are all 0, 1 or 2 are the flags of annotators (not
    labelled, hidden, visible) unless `flags` says what they are; those of a network without an end are no confidence.
    """
    joints, scores = points[..., :-1].copy(), points[..., -1]
    refuse_far(joints, first)
    joints[np.isnan(joints).any(axis=-1)] = np.nan
    known = scores[~np.isnan(scores)]
    if not len(known):
        return joints, None, ()
    flags = bool(np.isin(known, (0, 1, 2)).all()) if flags is None else flags
    joints[(scores == 0) & (flags | ~joints.any(axis=-1))] = np.nan
    if flags:
        return joints, None, ()
    low, high = float(known.min()), float(known.max())
    if low < 0 or high > 2:
        return joints, None, (f"scores from {low:.3g} to {high:.3g} are no confidence from 0 to 1: not used",)
    return joints, np.clip(np.where(np.isnan(joints[..., 0]), 0.0, np.nan_to_num(scores)), 0.0, 1.0), ()


def of_picture(joints: Float[np.ndarray, "t m v 2"]) -> tuple[str | None, tuple[str, ...]]:
    """The units of points in a picture: pixels, unless all lie within a picture whose sides are 1."""
    if np.nanmax(np.abs(joints), initial=0.0) > 2:
        return "px", ()
    return None, ("coordinates are fractions of a picture, not pixels: across and down have scales of their own",)


def rate(times: Float[np.ndarray, " n"], frames: Int[np.ndarray, " n"]) -> tuple[float | None, tuple[str, ...]]:
    """Frames a second by the times of frames, in seconds: by the usual time from one to the next."""
    steps, counts = np.diff(times), np.diff(frames)
    if not len(steps):
        return None, ()
    with np.errstate(divide="ignore", invalid="ignore"):
        single = steps / counts
    usual = float(np.median(single))
    if not (counts > 0).all() or not np.isfinite(single).all() or not 1e-5 < usual < 1e5:
        return None, ("the times of its frames do not rise steadily: frame rate unknown",)
    regular = np.abs(single - usual) <= 0.25 * usual
    fps = round(float(counts[regular].sum() / steps[regular].sum()), 2)  # the mean: times are rounded to milliseconds
    irregular = int((~regular).sum())
    if irregular > 0.05 * len(single):
        return fps, (f"{irregular:,} of {len(single):,} frames do not follow at {fps:g} a second",)
    return fps, ()


def _track(value: Any, place: str) -> int:
    """-1 for none."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None or (isinstance(value, list) and not value):
        return -1
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or value >= _MOST_TRACK:
        raise RecordingError(f"{place}: {shown(value)} where a tracking number belongs")
    return max(value, -1)


def _twice(frames: Int[np.ndarray, " n"], tracks: Int[np.ndarray, " n"]) -> np.ndarray:
    """Which bodies have the frame and the tracking number of one before them."""
    order = np.lexsort((tracks, frames))
    same = (np.diff(frames[order]) == 0) & (np.diff(tracks[order]) == 0) & (tracks[order][1:] >= 0)
    twice = np.zeros(len(frames), dtype=np.bool_)
    twice[order[1:][same]] = True
    return twice
