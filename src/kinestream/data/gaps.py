"""Joints that were not seen: filled in where the gap is short, out of the way where it is not."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from kinestream.data.recording import Recording, RecordingError
from kinestream.data.tracks import Places, places
from kinestream.skeleton.layout import SkeletonLayout

LONGEST_GAP = 0.5
"""Seconds over which a joint is interpolated ..."""
LONGEST_GAP_FRAMES = 15
"""... or frames, where nobody says how many a second."""
LEAST_SEEN = 0.3
"""Share of its joints, over all its frames, that at least one body must have been seen with."""
LEAST_FRAMES = 2


class Closed(NamedTuple):
    """A recording without gaps."""

    joints: Float[np.ndarray, "t m v c"]
    """A position for every joint of every body that is there; zero for one that is not."""
    bodies: Int[np.ndarray, "t m"]
    """Tracking numbers, also in short gaps in which a body was not seen at all."""
    filled: int
    """Joints (of a body in a frame) that were interpolated, or held at an end of its time."""
    masked: int
    """Joints that were put where the next one is."""


def without_gaps(recording: Recording, layout: SkeletonLayout) -> Recording:
    """A recording as `close_gaps` leaves it; itself where it has none."""
    closed = close_gaps(recording.joints, recording.bodies, layout, recording.fps)
    return (
        recording
        if closed.joints is recording.joints
        else replace(recording, joints=closed.joints, bodies=closed.bodies)
    )


def close_gaps(
    joints: Float[np.ndarray, "t m v c"],
    bodies: Int[np.ndarray, "t m"],
    layout: SkeletonLayout,
    fps: int | float | None = None,
) -> Closed:
    """Gives a position to every joint (NaN where it was not seen) of every body that is there.

    A gap of up to half a second is interpolated over time; so is one of the whole body, where it keeps its place in the
    file. As long a gap at the beginning or end of a body's time is filled with the joint's last known offset from the
    one that it hangs on. In longer gaps a joint is *masked*: it is where the nearest joint towards the root is in that
    frame, so that the bone has no length and moves with the body; the root, where the joint nearest to it is. A body
    ends where none of its joints is seen any more. Without NaN, what was given comes back, the same arrays.

    Raises RecordingError where less than 30 % of the joints of every body is seen, or fewer than 2 frames are.
    """
    missing = np.isnan(joints).any(axis=3)
    if not missing.any():
        return Closed(joints, bodies, 0, 0)
    longest = LONGEST_GAP_FRAMES if fps is None else int(LONGEST_GAP * fps)
    bridged = _bridged(bodies, missing.all(axis=2), longest)
    there = places(bridged)
    _check_enough(missing, bodies)
    closed, numbers = np.zeros_like(joints), np.zeros_like(bodies)
    filled = masked = 0
    for body in there:
        whole = _Body.of(joints, missing, body, layout, longest)
        kept = whole.known.any(axis=1)
        frames, slots = body.frames[kept], body.slots[kept]
        closed[frames, slots], numbers[frames, slots] = whole.joints[kept], body.number
        filled += int((whole.known | whole.held)[kept].sum() - whole.seen[kept].sum())
        masked += int((~whole.known & ~whole.held)[kept].sum())
    return Closed(closed, numbers, filled, masked)


def _check_enough(missing: Bool[np.ndarray, "t m v"], bodies: Int[np.ndarray, "t m"]) -> None:
    seen = ~missing & (bodies > 0)[..., None]
    frames = int(seen.any(axis=(1, 2)).sum())
    if frames < LEAST_FRAMES:
        raise RecordingError(f"joints are seen in {frames} of its {len(missing)} frames: {LEAST_FRAMES} are needed")
    most = max(float(seen[body.frames, body.slots].mean()) for body in places(bodies))
    if most < LEAST_SEEN:
        who = "the joints" if int(bodies.max()) == 1 else "the joints of the body seen best"
        raise RecordingError(f"only {most:.0%} of {who} are seen: {LEAST_SEEN:.0%} are needed")


def _bridged(bodies: Int[np.ndarray, "t m"], blank: Bool[np.ndarray, "t m"], longest: int) -> Int[np.ndarray, "t m"]:
    """The numbers, also where a body is not seen (all NaN) for a short time and has the same place before and after."""
    bridged = bodies.copy()
    for slot in range(bodies.shape[1]):
        frames = np.flatnonzero(bodies[:, slot] > 0)
        for gap in np.flatnonzero(np.diff(frames) > 1).tolist():
            before, after = int(frames[gap]), int(frames[gap + 1])
            number = bodies[before, slot]
            if after - before - 1 <= longest and bodies[after, slot] == number:
                inside = slice(before + 1, after)
                elsewhere = (bodies[inside] == number).any(axis=1)
                bridged[inside, slot] = np.where(blank[inside, slot] & ~elsewhere, number, 0)
    return bridged


class _Body(NamedTuple):
    """One body over the frames in which it is there, and how its joints are known."""

    joints: Float[np.ndarray, "s v c"]
    seen: Bool[np.ndarray, "s v"]
    known: Bool[np.ndarray, "s v"]
    """Seen or interpolated."""
    held: Bool[np.ndarray, "s v"]
    """Not known, but near enough to the first or last frame in which it is."""

    @classmethod
    def of(
        cls,
        joints: Float[np.ndarray, "t m v c"],
        missing: Bool[np.ndarray, "t m v"],
        body: Places,
        layout: SkeletonLayout,
        longest: int,
    ) -> "_Body":
        frames, seen = body.frames, ~missing[body.frames, body.slots]
        whole = np.where(seen[..., None], joints[body.frames, body.slots], 0)
        count = len(frames)
        row = np.where(seen, np.arange(count)[:, None], -1)
        before = np.maximum.accumulate(row, axis=0)
        after = count - 1 - np.maximum.accumulate(np.where(seen, np.arange(count)[::-1, None], -1)[::-1], axis=0)[::-1]
        inside = (before >= 0) & (after < count)
        start = np.where(before >= 0, frames[before], frames[0] - 1)
        end = np.where(after < count, frames[np.minimum(after, count - 1)], frames[-1] + 1)
        short = ~seen & (end - start - 1 <= longest)
        known = seen | (short & inside)
        held = short & ~inside & ((before >= 0) | (after < count)) & known.any(axis=1)[:, None]

        rows, which = np.nonzero(short & inside)
        first, last = before[rows, which], after[rows, which]
        weight = ((frames[rows] - frames[first]) / (frames[last] - frames[first]))[:, None].astype(whole.dtype)
        whole[rows, which] = whole[first, which] * (1 - weight) + whole[last, which] * weight
        _place_others(whole, known, held, np.where(before >= 0, before, after), layout)
        return cls(whole, seen, known, held)


def _place_others(
    whole: Float[np.ndarray, "s v c"],
    known: Bool[np.ndarray, "s v"],
    held: Bool[np.ndarray, "s v"],
    nearest: Int[np.ndarray, "s v"],
    layout: SkeletonLayout,
) -> None:
    """Puts the joints that are not known where they belong, from the root outwards. `nearest` is the frame in which a
    held joint is seen."""
    depths = np.array(layout.depths)
    root = layout.root
    _place_root(whole, known, held, nearest, root, depths)
    for joint in np.argsort(depths, kind="stable").tolist():
        parent = layout.parents[joint]
        if parent == joint:
            continue
        masked = ~known[:, joint] & ~held[:, joint]
        whole[masked, joint] = whole[masked, parent]
        rows = np.flatnonzero(held[:, joint])
        at = nearest[rows, joint]
        whole[rows, joint] = whole[rows, parent] + whole[at, joint] - whole[at, parent]


def _place_root(
    whole: Float[np.ndarray, "s v c"],
    known: Bool[np.ndarray, "s v"],
    held: Bool[np.ndarray, "s v"],
    nearest: Int[np.ndarray, "s v"],
    root: int,
    depths: Int[np.ndarray, " v"],
) -> None:
    """Held: moved as the joints that are known in both frames do. Masked: amid the known joints nearest to it in the
    tree."""
    open_ = ~known[:, root]
    for depth in range(1, int(depths.max(initial=0)) + 1):
        level = np.flatnonzero(depths == depth)
        rows = np.flatnonzero(open_ & known[:, level].any(axis=1))
        there = known[np.ix_(rows, level)][..., None]
        whole[rows, root] = (whole[np.ix_(rows, level)] * there).sum(axis=1) / there.sum(axis=1)
        open_[rows] = False
    for row in np.flatnonzero(held[:, root]).tolist():
        at = int(nearest[row, root])
        both = known[row] & known[at]
        both[root] = False
        if both.any():
            whole[row, root] = whole[at, root] + (whole[row, both] - whole[at, both]).mean(axis=0)
