"""The clips of an archive's rows, read again from where they were embedded from, for a page that plays them.

n rows, t frames, m bodies, v joints, c coordinates.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from kinestream.data.held import clip_of
from kinestream.data.preparation import preparation_of
from kinestream.data.recording import Recording
from kinestream.progress import Progress, silent
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.use.made_by import MadeBy
from kinestream.use.pieces import alone
from kinestream.use.rows import Rows
from kinestream.use.sources import RowReader
from kinestream.viz.page.packing import FEWEST_FRAMES, PackedClips, bodies_of, budget, pack_clips

_PEOPLE = 2
_TOLD = 100
_MOST_LAYOUTS = 255


@dataclass(frozen=True, kw_only=True, eq=False)
class RowClips:
    """What of the rows can be played."""

    packed: PackedClips
    """0 bodies for a row without a clip."""
    layouts: tuple[SkeletonLayout, ...]
    layout_of: Int64[np.ndarray, " n"]
    """Which of these a row has."""
    gone: int
    """Rows whose recordings cannot be read, or used, any more."""
    why: str
    """What most of these have in common; empty where all can be read."""

    @property
    def count(self) -> int:
        """Clips that play."""
        return int((self.packed.bodies > 0).sum())


def read_clips(
    rows: Rows, made_by: MadeBy, *, frames: int, megabytes: float, seed: int = 0, progress: Progress = silent
) -> RowClips:
    """Reads the recordings of rows again, each cleaned as for the encoder, but with all joints that it has.

    All clips have equally many frames, at most `frames`: fewer, down to 8, where they would take more than `megabytes`
    of text. Where even these are too many, the `seed` draws those that the page holds; the others are not read.
    """
    reading = _Reading(rows, made_by)
    lot = np.random.default_rng(seed).permutation(len(rows))
    wanted = np.ones(len(rows), np.bool_)
    clips: list[Float32[np.ndarray, "t m v c"] | None] = [None] * len(rows)
    layouts: dict[SkeletonLayout, int] = {}
    layout_of, joints = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    failed: Counter[str] = Counter()
    most = frames
    for row in range(len(rows)):
        if row % _TOLD == 0:
            progress("clips", "rows", row, len(rows))
        if not wanted[row]:
            continue
        try:
            layout, clip = reading.clip(row, most)
            layout_of[row] = layouts.setdefault(layout, len(layouts))
            if len(layouts) > _MOST_LAYOUTS:
                raise ValueError(f"it has another layout than {_MOST_LAYOUTS} others")
        except (ValueError, OSError) as error:
            failed[str(error)] += 1
            continue
        if not joints.any():  # the first one tells how many fit, were all like it and of one body
            one = np.ones(len(rows), np.int64)
            fits = budget(one, len(layout.joints), frames=frames, most_bytes=1e6 * megabytes)
            most = fits.frames
            wanted[lot[fits.clips :]] = False
            if not wanted[row]:
                joints[row] = -1
                continue
            clip = clip if most == frames else reading.clip(row, most)[1]
        clips[row], joints[row] = clip, len(layout.joints)
    progress("clips", "rows", len(rows), len(rows))
    bodies = np.array([0 if clip is None else clip.shape[1] for clip in clips], np.int64)
    fits = budget(bodies[lot], joints[lot], frames=most, most_bytes=1e6 * megabytes)
    bodies[lot[fits.clips :]] = 0
    held = [clip for clip, some in zip(clips, bodies, strict=True) if some and clip is not None]
    reach = max((float(np.abs(clip).max()) for clip in held), default=1.0)
    return RowClips(
        packed=pack_clips(_filled(clips), bodies, max(fits.frames, 1), reach),
        layouts=tuple(layouts)[:_MOST_LAYOUTS],
        layout_of=np.minimum(layout_of, _MOST_LAYOUTS - 1),
        gone=failed.total(),
        why=failed.most_common(1)[0][0] if failed else "",
    )


def _filled(clips: list[Float32[np.ndarray, "_ _ _ 3"] | None]) -> Iterator[Float32[np.ndarray, "_ _ _ 3"]]:
    nothing = np.zeros((FEWEST_FRAMES, 0, 1, 3), np.float32)
    yield from (nothing if clip is None else clip for clip in clips)


class _Reading:
    """Rows of one recording read it once."""

    def __init__(self, rows: Rows, made_by: MadeBy) -> None:
        self._rows, self._reader = rows, RowReader(made_by.reading)
        self._made_by = made_by
        self._key: tuple[str, str] | None = None
        self._recording: Recording | ValueError | OSError = ValueError("nothing is read yet")

    def clip(self, row: int, frames: int) -> tuple[SkeletonLayout, Float32[np.ndarray, "t m v c"]]:
        """With the bodies that are there. Raises ValueError or OSError where it cannot be had."""
        rows = self._rows
        key = rows.file[row], rows.name[row]
        if key != self._key:
            self._key = key
            try:
                self._recording = self._reader.read(*key)
            except (ValueError, OSError) as error:
                self._recording = error
        if not isinstance(self._recording, Recording):
            raise self._recording
        whole = self._recording
        assert whole.layout is not None, "what was read has a layout"
        part = whole.cut(rows.frames(row))
        if len(part) < 2:
            raise ValueError(f"{rows.called(row)}: the recording has {len(whole)} frames now")
        person = int(rows.person[row])
        if person:
            part = alone(part, person)
        preparation = preparation_of(self._made_by.preparation)
        is_all = not person and len(part) == len(whole)
        cleaned = self._reader.cleaned is not None and (is_all or preparation.each_frame)
        people = max(_PEOPLE, part.joints.shape[1]) if cleaned else _PEOPLE
        clip = clip_of(part, frames, whole.layout, preparation, people, cleaned=cleaned)
        bodies = bodies_of(clip)
        if not bodies:
            raise ValueError(f"{rows.called(row)}: nobody is seen in it")
        return whole.layout, clip[:, :bodies].astype(np.float32)
