"""From pieces of recordings to vectors, some at a time."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float32, Int64

from kinestream.data.held import clip_of
from kinestream.data.preparation import Preparation, preparation_of
from kinestream.data.recording import Recording, RecordingError
from kinestream.skeleton.joint_maps import joint_map
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.use.pieces import Cutting, Piece, Tally, pieces_of
from kinestream.use.rows import Rows

if TYPE_CHECKING:
    from kinestream.use.model import Model

AT_ONCE = 128
"""Clips that are encoded together."""


@dataclass
class Stacked:
    """Clips that are made already."""

    clips: Float32[np.ndarray, "n t m v c"]
    layout: SkeletonLayout
    frames: int
    rate: float | None

    def __len__(self) -> int:
        return len(self.clips)

    def batch(self, indices: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n t m v c"]:
        return self.clips[indices]


@dataclass(frozen=True, kw_only=True)
class Given:
    """A recording, and what its rows say of it."""

    recording: Recording
    file: str = ""
    name: str = ""
    cleaned: str | None = None
    """The preparation that it has gone through already."""


@dataclass(frozen=True, kw_only=True)
class Unusable:
    """A recording that has no rows, and why."""

    file: str
    name: str
    reason: str


Encoded = tuple[Rows, Float32[np.ndarray, "n d"]]


def encode(
    model: "Model", given: Iterable[Given], cutting: Cutting, tally: Tally, *, device: torch.device
) -> Iterator[Encoded | Unusable]:
    """Rows and vectors, in the order of the recordings, some at a time: memory is bounded by the longest recording.

    Raises ValueError where joints cannot be mapped, or windows do not fit the rate.
    """
    clips = clips_of(model, given, cutting, tally)
    while some := list(itertools.islice(clips, AT_ONCE)):
        yield from (one for one in some if isinstance(one, Unusable))
        usable = [one for one in some if not isinstance(one, Unusable)]
        for _, equal in itertools.groupby(usable, key=lambda one: one[2].shape):
            made = list(equal)
            stacked = Stacked(np.stack([clip for _, _, clip in made]), model.layout, model.frames, model.rate)
            yield _rows([(one, piece) for one, piece, _ in made]), model.vectors(stacked, device=device)


def clips_of(
    model: "Model", given: Iterable[Given], cutting: Cutting, tally: Tally
) -> Iterator[tuple[Given, Piece, np.ndarray] | Unusable]:
    """What is encoded: each piece with its clip."""
    preparation = preparation_of(model.preparation)
    for one in given:
        name = one.name or one.recording.name
        try:
            _check(model, one, preparation, tally, name)
            for piece in pieces_of(one.recording, cutting, tally):
                try:
                    made = _clip(model, one, piece, preparation)
                except RecordingError:
                    if cutting.is_plain:
                        raise
                    tally.empty += 1  # the other pieces stand
                    continue
                yield one, piece, made
        except RecordingError as error:
            yield Unusable(file=one.file, name=name, reason=str(error))
        except ValueError as error:
            raise ValueError(f"{one.file or f'recording {name}'}: {error}") from None


def _clip(model: "Model", one: Given, piece: Piece, preparation: Preparation) -> Float32[np.ndarray, "t m v c"]:
    own = one.cleaned is not None
    is_all = piece.person == 0 and piece.stop - piece.start == len(one.recording)
    return clip_of(
        piece.recording,
        model.frames,
        model.layout,
        preparation,
        one.recording.joints.shape[1] if own else model.bodies,
        seconds=model.card.seconds,
        # A part is placed anew, for encoders learnt from clips that begin at the origin.
        cleaned=own and (is_all or preparation.each_frame),
        partly=model.card.partly,
    )


def _check(model: "Model", one: Given, preparation: Preparation, tally: Tally, name: str) -> None:
    if one.cleaned is not None and not preparation_of(one.cleaned).gives(preparation.name):
        raise ValueError(
            f"{model.name} learnt from preparation '{preparation.name}', the store was prepared '{one.cleaned}': "
            f"prepare it as '{preparation.name}'"
        )
    own = one.recording.layout
    if own is None:
        raise ValueError(f"recording '{name}' has no layout: say which joints it has, layout= (--layout)")
    if own != model.layout:
        tally.mapped[joint_map(own, model.layout, partly=model.card.partly).in_words()] += 1


def _rows(pieces: list[tuple[Given, Piece]]) -> Rows:
    columns: dict[str, list[object]] = {name: [] for name in ("name", "file", "person", "start", "end", "fps")}
    columns |= {name: [] for name in ("label", "subject", "camera", "session")}
    for given, piece in pieces:
        recording = given.recording
        rate = recording.fps or 1.0
        columns["name"].append(given.name or recording.name)
        columns["file"].append(given.file)
        columns["person"].append(piece.person)
        columns["start"].append(piece.start / rate)
        columns["end"].append(piece.stop / rate)
        columns["fps"].append(np.nan if recording.fps is None else recording.fps)
        for name in ("label", "subject", "camera", "session"):
            value = getattr(recording, name)
            columns[name].append("" if value is None else value)
    return Rows.of(columns)
