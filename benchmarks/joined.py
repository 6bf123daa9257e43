"""Long recordings with known boundaries: clips of one person and view of NW-UCLA, end to end in random order."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from kinestream.data.formats import nw_ucla
from kinestream.data.reading import read
from kinestream.data.recording import Recording

NOMINAL_FPS = 30.0
"""Of the sensor; the files do not say their rate, and some frames were dropped when they were recorded."""


@dataclass(frozen=True, kw_only=True)
class Joined:
    """A long recording and the class of each of its frames."""

    recording: Recording
    truth: Int64[np.ndarray, " t"]
    clips: int


def read_clips(raw: Path) -> list[Recording]:
    """Raises ValueError for a folder without the data set."""
    return read(raw, format="nw-ucla")


def joined(
    clips: Sequence[Recording],
    subjects: Collection[int],
    views: Collection[int],
    seed: int,
    *,
    classes: int | None = None,
) -> Iterator[Joined]:
    """One for each person and view that there are clips of: those of all classes, or of as many as `classes`, drawn."""
    groups: dict[tuple[int, int], list[Recording]] = defaultdict(list)
    for clip in clips:
        if clip.subject in subjects and clip.camera in views:
            groups[int(clip.subject or 0), int(clip.camera or 0)].append(clip)
    for (subject, view), some in sorted(groups.items()):
        rng = np.random.default_rng((seed, subject, view))
        there = sorted({int(clip.label or 0) for clip in some})
        kept = rng.permutation(there)[:classes].tolist()
        mine = [clip for clip in some if clip.label in kept]
        order = [mine[place] for place in rng.permutation(len(mine)).tolist()]
        yield join(order, f"s{subject:02}-v{view:02}-seed{seed}")


def join(clips: Sequence[Recording], name: str) -> Joined:
    """Each clip is moved along the floor so that its pelvis begins where that of the one before it ended: the place in
    the room does not tell where a clip begins. Nothing is turned or smoothed."""
    hip = nw_ucla.LAYOUT.pelvis
    parts: list[np.ndarray] = []
    for clip in clips:
        joints = clip.joints.astype(np.float64)
        if parts:
            step = parts[-1][-1, 0, list(hip)].mean(axis=0) - joints[0, 0, list(hip)].mean(axis=0)
            joints = joints + step * (1.0, 0.0, 1.0)
        parts.append(joints)
    truth = np.concatenate([np.full(len(clip), int(clip.label or 0), dtype=np.int64) for clip in clips])
    recording = Recording(np.concatenate(parts), nw_ucla.LAYOUT, fps=NOMINAL_FPS, name=name)
    return Joined(recording=recording, truth=truth, clips=len(clips))
