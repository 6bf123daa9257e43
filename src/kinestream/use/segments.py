"""A long recording in pieces: what `Model.segment` gives."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from kinestream.console import table_html
from kinestream.files import replacing
from kinestream.use.states import NOBODY, States

COLUMNS = ("recording", "start", "end", "start_frame", "end_frame", "group", "label", "certainty")


@dataclass(frozen=True, kw_only=True)
class SegmentRow:
    """One piece: frames `start_frame` to `end_frame`, counted from 0, `end_frame` not included."""

    start: float
    """Seconds, as `end`."""
    end: float
    start_frame: int
    end_frame: int
    group: int
    """-1 where nobody is seen."""
    label: str
    """The name of the group, or the predicted label; empty where it has none."""
    certainty: float
    """From 0 to 1, the mean over the piece. Of groups: how much nearer its centre is than the next; of labels: the
    probability."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Segments(Sequence[SegmentRow]):
    """The pieces of a recording, in the order of time; without a gap, they cover it.

    Example:
        >>> parts = model.segment(long_move, groups=6)  # doctest: +SKIP
        >>> parts = parts.named({0: "walk", 3: "sit"}).merged([1, 2])  # doctest: +SKIP
        >>> parts.save("segments.csv")  # doctest: +SKIP
    """

    recording: str
    """Its name."""
    frames: Int64[np.ndarray, " t"] = field(repr=False)
    """The group of each frame; -1 where nobody is seen."""
    rate: float
    """Frames a second."""
    certainty: Float32[np.ndarray, " t"] = field(repr=False)
    """Of each frame."""
    names: Mapping[int, str]
    """By group, where it has a name."""
    background: int | None = None
    """The group that is no label, where labels were predicted."""
    window: int
    """Frames of a window, and from one to the next."""
    hop: int
    states: States = field(repr=False)
    """What the groups are: `Model.stream` goes on with them."""

    @cached_property
    def rows(self) -> tuple[SegmentRow, ...]:
        bounds = [0, *(np.flatnonzero(np.diff(self.frames)) + 1).tolist(), len(self.frames)]
        return tuple(
            SegmentRow(
                start=first / self.rate,
                end=end / self.rate,
                start_frame=first,
                end_frame=end,
                group=int(self.frames[first]),
                label=self.names.get(int(self.frames[first]), ""),
                certainty=float(self.certainty[first:end].mean()),
            )
            for first, end in pairwise(bounds)
        )

    def __len__(self) -> int:
        """Pieces."""
        return len(self.rows)

    def __getitem__(self, place: Any) -> Any:
        return self.rows[place]

    def __iter__(self) -> Iterator[SegmentRow]:
        return iter(self.rows)

    @property
    def groups(self) -> tuple[int, ...]:
        """Those that occur, without -1."""
        return tuple(group for group in np.unique(self.frames).tolist() if group != NOBODY)

    @property
    def actions(self) -> tuple[SegmentRow, ...]:
        """Without background, and without what shows nobody."""
        return tuple(row for row in self.rows if row.group not in (NOBODY, self.background))

    def named(self, names: Mapping[int, str]) -> "Segments":
        """With names for some groups. Raises ValueError for a group that there is not.

        Example:
            >>> parts.named({0: "walk"})  # doctest: +SKIP
        """
        self._check(names)
        every = {**self.names, **{int(group): str(name) for group, name in names.items()}}
        return replace(self, names=every, states=self.states.renumbered({}, every))

    def merged(self, groups: Sequence[int], name: str | None = None) -> "Segments":
        """With some groups as one: that of the first, which keeps its name unless it gets another. Certainties stay:
        they tell less than there is, for what the groups were taken for may have been each other.

        Raises ValueError for fewer than two, or a group that there is not.
        """
        if len(set(groups)) < 2:
            raise ValueError(f"merge two groups or more, not {len(set(groups))}")
        self._check(groups)
        first, *others = dict.fromkeys(int(group) for group in groups)
        numbers = dict.fromkeys(others, first)
        every = {group: text for group, text in self.names.items() if group not in numbers}
        if name is not None:
            every[first] = name
        return replace(
            self,
            frames=np.where(np.isin(self.frames, others), first, self.frames),
            names=every,
            background=None if self.background is None else numbers.get(self.background, self.background),
            states=self.states.renumbered(numbers, every),
        )

    def to_pandas(self) -> Any:
        """A `DataFrame` with a row for each piece, its columns those of the file. Raises ValueError where pandas is not
        installed."""
        try:
            import pandas as pd
        except ModuleNotFoundError:
            raise ValueError('this needs pandas: pip install "kinestream[formats]"') from None
        return pd.DataFrame(list(self.lines()), columns=list(COLUMNS))

    def lines(self) -> Iterator[tuple[str | int | float, ...]]:
        """The rows of the file; times in seconds, to a millisecond."""
        for row in self.rows:
            yield (
                *(self.recording, round(row.start, 3), round(row.end, 3), row.start_frame, row.end_frame),
                *(row.group, row.label, round(row.certainty, 4)),
            )

    def save(self, path: str | Path) -> Path:
        """Writes a row for each piece as CSV, and gives the path."""
        return save_segments([self], path)

    def _repr_html_(self) -> str:
        return table_html(f"{len(self):,} pieces", COLUMNS, self.lines())

    def __str__(self) -> str:
        lines = [
            f"{row.start:8.2f} to {row.end:8.2f} s  {row.label or f'group {row.group}':<24} {row.certainty:.2f}"
            for row in self.rows
        ]
        return "\n".join(lines)

    def _check(self, groups: Sequence[int] | Mapping[int, str]) -> None:
        known = sorted(set(self.states.numbers))
        for group in groups:
            if group not in known:
                raise ValueError(f"there is no group {group!r}: the groups are {', '.join(map(str, known))}")


def save_segments(some: Sequence[Segments], path: str | Path) -> Path:
    """The pieces of several recordings in one CSV file, one recording after the other."""
    target = Path(path)
    with replacing(target) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for segments in some:
            writer.writerows(segments.lines())
    return target
