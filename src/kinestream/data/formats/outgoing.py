"""Recordings on their way into a file: looked through for what its header needs, then given again to be written."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from jaxtyping import Float32

from kinestream.data.formats.incoming import ExchangeError
from kinestream.data.recording import Recording
from kinestream.data.store import Store
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.words import shown


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a recording but its joints."""

    name: str
    frames: int
    bodies: int
    label: str | int | None
    subject: str | int | None
    camera: str | int | None
    session: str | int | None
    fps: float | None
    scored: bool
    """It tells the confidence of its joints."""
    unseen: bool
    """Some joints of bodies that are there were not seen."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """The joints of a recording: zero where a body is not there, NaN where a joint was not seen."""

    facts: Facts
    joints: Float32[np.ndarray, "t m v 3"]
    confidence: Float32[np.ndarray, "t m v"] | None


class Outgoing:
    """Recordings of one layout, each looked at twice.

    What can be gone through again (a store, a list) is read twice; an iterator is kept in a temporary file beside the
    target meanwhile. Use as a context manager. Raises ExchangeError where there are none, or they do not go into one
    file.
    """

    def __init__(self, recordings: Recording | Iterable[Recording] | Store, beside: Path) -> None:
        self.store = recordings if isinstance(recordings, Store) else None
        self.class_names = () if self.store is None else self.store.info.classes
        self.preparation = "" if self.store is None else self.store.info.preparation
        """What the joints went through; empty for recordings as they were read."""
        self._kept: IO[bytes] | None = None
        self._source: Iterable[Recording] = ()
        if isinstance(recordings, Recording):
            self._source = [recordings]
        elif self.store is None and isinstance(recordings, Iterable):
            self._source = recordings
        if isinstance(self._source, Iterator):
            beside.mkdir(parents=True, exist_ok=True)
            self._kept = tempfile.TemporaryFile(dir=beside, prefix=".kinestream-")  # noqa: SIM115  closed on exit
        self.rows: list[Facts] = []
        try:
            first = self._look_through()
        except BaseException:
            self.close()
            raise
        assert first.layout is not None
        self.layout: SkeletonLayout = first.layout
        self.planar = first.planar
        self.most_bodies = max(row.bodies for row in self.rows)

    def __enter__(self) -> "Outgoing":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes what was kept."""
        if self._kept is not None:
            self._kept.close()

    def __len__(self) -> int:
        return len(self.rows)

    def contents(self) -> Iterator[Content]:
        """The recordings again, in their order. Raises ExchangeError where they are others than before."""
        if self._kept is not None:
            self._kept.seek(0)
            yield from (self._next(facts) for facts in self.rows)
            return
        count = 0
        for number, one in enumerate(self._recordings()):
            content = _content(one, number)
            if number >= len(self.rows) or content.facts != self.rows[number]:
                raise ExchangeError(f"recording '{shown(content.facts.name)}' changed while it was written: nothing is")
            count += 1
            yield content
        if count != len(self.rows):
            raise ExchangeError(f"{count} recordings where there were {len(self.rows)} before: nothing is written")

    def refuse_unseen(self, form: str) -> None:
        """Raises ExchangeError where joints were not seen, and a form cannot say so."""
        lacking = [row.name for row in self.rows if row.unseen]
        if lacking:
            raise ExchangeError(
                f"{len(lacking)} recordings have joints that were not seen ('{shown(lacking[0])}' is the first), which "
                f"{form} cannot say: write npz, csv, xarray or pyskl, or prepare a store, which fills them in"
            )

    def _look_through(self) -> Recording:
        """Notes the facts of all recordings; gives the first."""
        seen: set[str] = set()
        first: Recording | None = None
        for number, one in enumerate(self._recordings()):
            _check(one, number, first)
            first = first or one
            content = _content(one, number)
            if content.facts.name in seen:
                raise ExchangeError(f"two recordings are called '{shown(content.facts.name)}': names must differ")
            seen.add(content.facts.name)
            self.rows.append(content.facts)
            self._keep(content)
        if first is None:
            raise ExchangeError("no recordings to write: give at least one")
        return first

    def _recordings(self) -> Iterator[Recording]:
        return iter(self._source) if self.store is None else self.store.recordings()

    def _keep(self, content: Content) -> None:
        if self._kept is not None:
            self._kept.write(content.joints.data)
            if content.confidence is not None:
                self._kept.write(content.confidence.data)

    def _next(self, facts: Facts) -> Content:
        shape = (facts.frames, facts.bodies, len(self.layout.joints), 3)
        joints = self._array(shape)
        confidence = self._array(shape[:3]) if facts.scored else None
        return Content(facts=facts, joints=joints, confidence=confidence)

    def _array(self, shape: tuple[int, ...]) -> Float32[np.ndarray, "..."]:
        assert self._kept is not None
        array = np.frombuffer(self._kept.read(4 * int(np.prod(shape))), np.float32)
        return array.reshape(shape)


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Labels as numbers from 0, and what the classes are called where they have names."""

    numbers: tuple[int, ...]
    """-1 for none."""
    class_names: tuple[str, ...] = ()


def numbered(rows: Sequence[Facts], class_names: Sequence[str] = ()) -> Labels:
    """Numbers of labels: those that they are, or in the order of `class_names`, or in that in which names come."""
    if not class_names and all(row.label is None or isinstance(row.label, int) for row in rows):
        return Labels(numbers=tuple(-1 if row.label is None else int(row.label) for row in rows))
    places = {name: place for place, name in enumerate(class_names)}
    numbers = [-1 if row.label is None else places.setdefault(str(row.label), len(places)) for row in rows]
    return Labels(numbers=tuple(numbers), class_names=tuple(places))


def _check(one: object, number: int, first: Recording | None) -> None:
    if not isinstance(one, Recording):
        raise ExchangeError(
            f"{type(one).__name__} where a Recording belongs: make one with ks.Recording(array, layout)"
        )
    name = shown(one.name or str(number))
    if one.layout is None:
        raise ExchangeError(f"recording '{name}' has no layout: say which joints it has, layout=")
    if not (one.name or "0").isprintable():
        raise ExchangeError(f"recording '{name}': its name cannot be printed")
    if one.segments:
        raise ExchangeError(
            f"recording '{name}' has {len(one.segments)} labelled parts, which none of these forms keep: "
            "give each as a recording, with move.cut(slice(start, end))"
        )
    if first is not None and one.layout != first.layout:
        assert first.layout is not None
        raise ExchangeError(f"recording '{name}' has layout {one.layout.name}, the first has {first.layout.name}")
    if first is not None and one.planar != first.planar:
        raise ExchangeError(f"recording '{name}' has {2 if one.planar else 3} coordinates, the first does not")


def _content(one: Recording, number: int) -> Content:
    there = np.nan_to_num(one.joints).any(axis=(2, 3))
    joints = np.ascontiguousarray(np.where(there[..., None, None], one.joints, 0.0), dtype=np.float32)
    lost = np.isnan(joints).any(axis=3)
    if lost.any():
        joints[lost] = np.nan
    confidence = None if one.confidence is None else np.ascontiguousarray(one.confidence, dtype=np.float32)
    facts = Facts(
        name=one.name or str(number),
        frames=len(one),
        bodies=one.joints.shape[1],
        label=_plain(one.label),
        subject=_plain(one.subject),
        camera=_plain(one.camera),
        session=_plain(one.session),
        fps=None if one.fps is None else float(one.fps),
        scored=confidence is not None,
        unseen=bool(lost.any()),
    )
    return Content(facts=facts, joints=joints, confidence=confidence)


def _plain(value: str | int | None) -> str | int | None:
    return value if value is None or isinstance(value, str) else int(value)
