"""The people in a recording: who they are once tracks are joined, what is noise, and each as a recording of one's own.

Shapes: t frame, m place in the frame, v joint, c coordinate; metres, y up.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from kinestream.data.recording import Recording, RecordingError, Segment
from kinestream.data.tracks import join_tracks, places

SHORTEST_SHARE = 0.1
"""A body is noise when it is seen in less than this share of the frames of the body seen longest."""
WIDEST_SHARE = 0.8
"""A frame is out of shape when the body is wider than this share of its height ..."""
MOST_OUT_OF_SHAPE = 0.7
"""... and a body out of shape in a larger share of its frames is furniture, not a person."""
LEAST_FRAMES = 10
"""Frames that a person must be seen in to be a recording of their own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Person:
    """One body: the frames in which it is seen, ascending, its place in each, and its joints there."""

    number: int
    frames: Int[np.ndarray, " seen"]
    slots: Int[np.ndarray, " seen"]
    joints: Float[np.ndarray, "seen v c"]

    @property
    def energy(self) -> float:
        """Variance of the coordinates over time, summed: how much the body moves (metres squared)."""
        return float(self.joints.var(axis=0).sum())

    @property
    def out_of_shape(self) -> float:
        """Share of the frames in which the body is too wide for its height."""
        extent = self.joints.max(axis=1) - self.joints.min(axis=1)
        return float((extent[:, 0] > WIDEST_SHARE * extent[:, 1]).mean())


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A body that a recording has and that is not used."""

    number: int
    frames: int
    """In which it is seen."""
    why: str

    def __str__(self) -> str:
        return f"body {self.number}, seen in {self.frames} frames: {self.why}"


@dataclass(frozen=True, kw_only=True)
class People:
    """Who is in a recording."""

    people: tuple[Person, ...]
    """The most energetic first; the first in file order wins a tie. Empty where no frame has a body."""
    left_out: tuple[LeftOut, ...]

    def most(self, count: int) -> "People":
        """The `count` people who move most; the others are left out."""
        others = (
            LeftOut(number=one.number, frames=len(one.frames), why=f"{count} others move more")
            for one in self.people[count:]
        )
        return People(people=self.people[:count], left_out=(*others, *self.left_out))


def find_people(recording: Recording) -> People:
    """The bodies of a recording without gaps, one person each, without noise.

    Tracks are joined first (see `join_tracks`). Noise is a body seen in under a tenth of the frames that the longest is
    seen in, or mostly wider than high (a bag, a chair); when all look like noise, the most energetic stays.
    """
    bodies = recording.bodies
    seen = recording.joints.any(axis=(2, 3)) & (bodies > 0)
    numbers = join_tracks(recording.joints, np.where(seen, bodies, 0), recording.fps)
    bodies_found = [
        Person(number=number, frames=frames, slots=slots, joints=recording.joints[frames, slots])
        for number, frames, slots in places(numbers)
    ]
    if not bodies_found:
        return People(people=(), left_out=())
    ranked = sorted(bodies_found, key=lambda one: -one.energy) if len(bodies_found) > 1 else bodies_found
    longest = max(len(one.frames) for one in ranked)
    seen_long = [one for one in ranked if len(one.frames) >= SHORTEST_SHARE * longest]
    people = seen_long
    if len(seen_long) > 1:  # one alone stays, whatever it looks like
        people = [one for one in seen_long if one.out_of_shape <= MOST_OUT_OF_SHAPE] or seen_long[:1]
    kept = {one.number for one in people}
    left_out = [
        LeftOut(number=one.number, frames=len(one.frames), why=_why(one, longest))
        for one in ranked
        if one.number not in kept
    ]
    return People(people=tuple(people), left_out=tuple(left_out))


def _why(one: Person, longest: int) -> str:
    if len(one.frames) < SHORTEST_SHARE * longest:
        return f"under a tenth of the {longest} of another"
    return f"wider than high in {one.out_of_shape:.0%} of them"


def each_person(recording: Recording, least: int = LEAST_FRAMES) -> tuple[list[Recording], tuple[LeftOut, ...]]:
    """A recording of each person, called `NAME-p1`, `NAME-p2` and so on in the order in which they come, from the first
    to the last frame in which they are seen; and who is left out: noise, and whoever is seen in under `least` frames.

    Joints are NaN in frames between in which a person is not seen. Labelled parts go with the frames that they are of.

    Raises RecordingError where nobody is left.

    Example:
        >>> two = np.random.default_rng(0).normal(size=(20, 2, 25, 3)) * [0.2, 0.8, 0.2] + [[[0, 0, 0]], [[3, 0, 0]]]
        >>> [one.name for one in each_person(Recording(two, "ntu25", name="talk"))[0]]
        ['talk-p1', 'talk-p2']
    """
    found = find_people(recording)
    if not found.people:
        raise RecordingError(f"no body in any of its {len(recording)} frames")
    people = [one for one in found.people if len(one.frames) >= least]
    brief = [
        LeftOut(number=one.number, frames=len(one.frames), why=f"under {least}")
        for one in found.people
        if len(one.frames) < least
    ]
    if not people:
        raise RecordingError(f"nobody is seen in {least} frames or more: {brief[0]}")
    people.sort(key=lambda one: (int(one.frames[0]), int(one.slots[0])))
    made = [_alone(recording, one, number) for number, one in enumerate(people, start=1)]
    return made, (*brief, *found.left_out)


def _alone(recording: Recording, one: Person, number: int) -> Recording:
    first, length = int(one.frames[0]), int(one.frames[-1] - one.frames[0]) + 1
    joints = np.full((length, 1, *recording.joints.shape[2:]), np.nan, dtype=recording.joints.dtype)
    bodies = np.zeros((length, 1), dtype=np.int64)
    rows = one.frames - first
    joints[rows, 0], bodies[rows, 0] = one.joints, 1
    confidence = None
    if recording.confidence is not None:
        confidence = np.zeros((length, 1, recording.joints.shape[2]))
        confidence[rows, 0] = recording.confidence[one.frames, one.slots]
    return dataclasses.replace(
        recording,
        joints=joints,
        bodies=bodies,
        confidence=confidence,
        name=f"{recording.name}-p{number}",
        segments=_shifted(recording.segments, first, length),
    )


def _shifted(segments: Sequence[Segment], first: int, length: int) -> tuple[Segment, ...]:
    """Those that share a frame with the `length` frames from `first`, cut to them."""
    moved = (
        Segment(label=one.label, start=max(one.start - first, 0), end=min(one.end - first, length)) for one in segments
    )
    return tuple(one for one in moved if one.start < one.end)
