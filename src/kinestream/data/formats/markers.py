"""Markers of a file, by their labels, as the points of one or more bodies."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from kinestream.data.recording import Found, RecordingError
from kinestream.words import shown

LARGEST = 1e6
"""Coordinate in any unit; a larger one is damage."""
MOST_MARKERS = 10_000
_UNITS = {"m": "m", "meters": "m", "metres": "m", "cm": "cm", "mm": "mm", "in": "in", "inches": "in"}
_ONE_KIND = 0.5
"""Share of the names that subjects must have in common to be bodies of one recording."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Bodies with the same points."""

    subjects: tuple[str, ...]
    points: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]
    """For each body and point the marker; -1 where that body has none."""


@dataclass(frozen=True, kw_only=True)
class Markers:
    """What the labels of a file tell."""

    groups: tuple[Group, ...]
    """A recording each."""
    notes: tuple[str, ...]

    def found(
        self,
        places: Float[np.ndarray, "t markers 3"],
        *,
        fps: float | None,
        units: str,
        up: str | None,
        notes: Sequence[str] = (),
    ) -> list[Found]:
        """The recordings; `units` as the file has them. Raises RecordingError where no marker was seen."""
        if not len(places):
            raise RecordingError("no frames")
        known = _UNITS.get(units.strip().lower())
        more = [] if known or not units.strip() else [f"its units '{shown(units.strip())}' are none that are known"]
        made = []
        for group in self.groups:
            columns = np.asarray(group.columns)
            joints = places[:, columns]
            joints[:, columns < 0] = np.nan
            several = len(self.groups) > 1
            made.append(
                Found(
                    joints=joints,
                    points=group.points,
                    fps=fps,
                    units=known,
                    up=up,
                    name=" ".join(group.subjects) if several else "",
                    subject=group.subjects[0] if len(group.subjects) == 1 and group.subjects[0] else None,
                    notes=(*notes, *self.notes, *more),
                )
            )
        seen = [one for one in made if not np.isnan(one.joints).all()]
        if not seen:
            raise RecordingError("no marker is seen in any frame")
        return seen


def sort_markers(labels: Sequence[str], *, no_places: Collection[str] = ()) -> Markers:
    """Sorts out which markers belong to whom: `Ann:LKNE` is the marker LKNE of Ann.

    Args:
        labels: of all markers, in the order of their columns.
        no_places: labels of what is no position, such as angles.

    Raises:
        RecordingError: nothing is left.

    Example:
        >>> made = sort_markers(["Ann:LKNE", "Ann:RKNE", "Ben:RKNE", "Ben:LKNE", "*5"])
        >>> made.groups[0].points, made.groups[0].columns, made.notes
        (('LKNE', 'RKNE'), ((0, 1), (3, 2)), ('1 marker without a label is left out',))
    """
    if len(labels) > MOST_MARKERS:
        raise RecordingError(f"{len(labels):,} markers: at most {MOST_MARKERS:,} are taken")
    told = [label.strip() for label in labels]
    counts = Counter(told)
    kept: dict[str, dict[str, int]] = {}
    left = Counter[str]()
    for column, label in enumerate(told):
        subject, _, name = label.rpartition(":")
        if not name or name.startswith("*"):
            left["without a label"] += 1
        elif label in no_places:
            left["of angles, forces and other results of a model"] += 1
        elif counts[label] > 1:
            left["whose label stands twice"] += 1
        elif not label.isprintable():
            left["whose label cannot be printed"] += 1
        else:
            kept.setdefault(subject, {})[name] = column
    notes = tuple(
        f"{count} marker{'s' if count > 1 else ''} {why} {'are' if count > 1 else 'is'} left out"
        for why, count in left.items()
    )
    if not kept:
        raise RecordingError(f"no marker with a label{': ' if notes else ''}{', '.join(notes)}")
    groups: list[dict[str, dict[str, int]]] = []
    for subject, columns in kept.items():
        fitting = next((group for group in groups if _are_one_kind(group, columns)), None)
        if fitting is None:
            groups.append({subject: columns})
        else:
            fitting[subject] = columns
    return Markers(groups=tuple(map(_group, groups)), notes=(*notes, *_of_subjects(groups)))


def _are_one_kind(group: dict[str, dict[str, int]], columns: dict[str, int]) -> bool:
    names = {*next(iter(group.values()))}
    return len(names & {*columns}) >= _ONE_KIND * len(names | {*columns})


def _group(group: dict[str, dict[str, int]]) -> Group:
    points = tuple(dict.fromkeys(name for columns in group.values() for name in columns))
    return Group(
        subjects=tuple(group),
        points=points,
        columns=tuple(tuple(columns.get(name, -1) for name in points) for columns in group.values()),
    )


def _of_subjects(groups: Sequence[dict[str, dict[str, int]]]) -> list[str]:
    if len(groups) < 2:
        return []
    told = ", ".join(f"'{shown(' '.join(group))}'" for group in groups[:8])
    return [f"subjects with other markers are recordings of their own: {told}"]
