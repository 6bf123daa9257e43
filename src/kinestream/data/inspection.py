"""What recordings are, before anything is made of them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.plausibility import examine
from kinestream.data.reading import Collected, Files, open_files
from kinestream.data.recording import Recording, Up
from kinestream.data.rejected import Rejected
from kinestream.data.tracks import join_tracks
from kinestream.data.understanding import Told, ToldUnits
from kinestream.skeleton.layout import SkeletonLayout, load_layout

_MOST = 20
"""Recordings that are shown."""
COLUMNS = ("recording", "frames", "seconds", "people", "height, m", "unseen, %", "what is odd")


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A recording that was looked at."""

    name: str
    frames: int
    seconds: float | None
    people: int
    height: float | None
    """Metres, of the skeleton, from ankles to head; of the scaled body where metres are not known."""
    unseen: float
    """Percent of the joints of the bodies that are there."""
    problems: tuple[str, ...]

    def row(self) -> tuple[str, ...]:
        seconds = "?" if self.seconds is None else f"{self.seconds:.1f}"
        height = "?" if self.height is None else f"{self.height:.2f}"
        odd = "; ".join(self.problems)
        return self.name, f"{self.frames:,}", seconds, str(self.people), height, f"{self.unseen:.1f}", odd


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What files are. Printing it shows a table."""

    place: str
    format: str
    recordings: int
    """Files of the format; of a collection, its recordings."""
    layout: SkeletonLayout
    facts: tuple[str, ...]
    notes: tuple[str, ...]
    looked_at: tuple[Looked, ...]
    """A sample, spread evenly."""
    refused: tuple[str, ...]
    """What is wrong with those of the sample that cannot be used."""
    recording: Recording | None = field(repr=False, compare=False)
    """The first that can be used, to be drawn."""

    def to_dict(self) -> dict[str, Any]:
        plain = asdict(self) | {"layout": self.layout.to_dict()}
        plain.pop("recording")
        return plain

    def __str__(self) -> str:
        lines = [f"{self.place}: {self.recordings:,} of format {self.format}", *self.facts, *self.notes]
        lines += ["  ".join(row) for row in (COLUMNS, *(one.row() for one in self.looked_at))]
        return "\n".join([*lines, *self.refused])


def inspect(
    place: str | Path,
    *,
    layout: str | Path | SkeletonLayout | None = None,
    format: str | None = None,  # noqa: A002  the word of the command line
    fps: int | float | None = None,
    units: ToldUnits | None = None,
    up: Up | None = None,
    columns: str = "",
    variable: str = "",
) -> Inspection:
    """Looks at a file, or at some of the files of a folder or archive; nothing is written.

    The arguments are those of `kinestream.read`. Raises ValueError where it would.

    Example:
        >>> print(inspect("recordings/"))  # doctest: +SKIP
    """
    known = None if layout is None else load_layout(layout)
    told = Told(layout=known, fps=fps, units=units, up=up, columns=columns, variable=variable)
    files = open_files(Path(place), told, format)
    if isinstance(files, Collected):
        incoming = files.incoming
        said = (
            f"layout: {incoming.layout.name}",
            f"classes: {incoming.classes}",
            f"splits: {', '.join(incoming.splits) or 'none'}",
        )
        first = [one for _, one in zip(range(_MOST), files.read(), strict=False)]
        return _inspection(place, incoming.form, len(files), files.layout, said, incoming.notes, first)
    other = [f"{count} files {suffix} are of another kind" for suffix, count in files.other.items()]
    notes = (*files.notes, *other)
    some = [one for _, one in zip(range(_MOST), _sampled(files), strict=False)]
    return _inspection(place, files.format, len(files), files.layout, files.facts.how, notes, some)


def _sampled(files: Files) -> Iterator[Recording | Rejected]:
    chosen = [source for source in files.sources if source.path in files.sample] or list(files.sources[:1])
    for source in chosen:
        for _, one in files.read_one(source):
            yield one


def _inspection(
    place: str | Path,
    form: str,
    count: int,
    layout: SkeletonLayout,
    facts: Sequence[str],
    notes: Sequence[str],
    read: Sequence[Recording | Rejected],
) -> Inspection:
    recordings = [one for one in read if isinstance(one, Recording)]
    return Inspection(
        place=str(place),
        format=form,
        recordings=count,
        layout=layout,
        facts=tuple(facts),
        notes=tuple(notes),
        looked_at=tuple(_look(one, layout) for one in recordings),
        refused=tuple(str(one) for one in read if isinstance(one, Rejected)),
        recording=recordings[0] if recordings else None,
    )


def _look(recording: Recording, layout: SkeletonLayout) -> Looked:
    bodies = join_tracks(recording.joints, recording.bodies, recording.fps)
    there = bodies > 0
    unseen = np.isnan(recording.joints).any(axis=3)[there]
    seen = examine(recording.joints, layout, bodies=bodies, planar=recording.planar)
    return Looked(
        name=recording.name,
        frames=len(recording),
        seconds=recording.seconds,
        people=len(np.unique(bodies[there])),
        height=seen.height,
        unseen=100 * float(unseen.mean()) if unseen.size else 100.0,
        problems=seen.problems,
    )
