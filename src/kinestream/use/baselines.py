"""What a learnt encoder must beat: the same network with new weights, and coordinates as they are, of the same pieces.

n rows, t frames, m bodies, v joints, c coordinates, d numbers of a feature.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64

from kinestream.data.recording import Recording
from kinestream.distributed.launch import device_named
from kinestream.evaluate.source import Source
from kinestream.features.extract import calibrate_batch_norm, compute_features, raw_coordinates
from kinestream.features.whitening import fit_streams
from kinestream.models.encoder import Encoder
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.train.seeds import derive_seed
from kinestream.use.again import read_again
from kinestream.use.encode import Given, Stacked, Unusable, encode
from kinestream.use.made_by import MadeBy
from kinestream.use.model import Model
from kinestream.use.pieces import Cutting, Tally
from kinestream.use.rows import Rows

RAW = ("joint", "bone", "bone-motion")
"""Streams whose coordinates are features themselves."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Baselines:
    """Features by name."""

    features: Mapping[str, Float32[np.ndarray, "n _"]]
    notes: tuple[str, ...]


def baseline_features(
    model: Model,
    rows: Rows,
    made_by: MadeBy,
    recordings: tuple[Recording, ...] | None,
    places: Int64[np.ndarray, " n"],
    *,
    seed: int = 0,
) -> Baselines:
    """Features of an untrained encoder and of raw streams for these rows, from recordings at hand, row by row those of
    `places`, or read again from their files. Raises ValueError where some cannot be read any more."""
    given: Iterable[Given]
    if recordings is None:
        given = read_again(rows, made_by.reading)
    else:
        names = rows.name.tolist()
        given = [Given(recording=recordings[p], name=n) for p, n in zip(places.tolist(), names, strict=True)]
    clips = clips_of(model, given, made_by.cutting, rows, in_order=recordings is not None)
    found, note = untrained_features(model, clips, seed=seed)
    features = {"untrained encoder": found}
    features |= {f"raw {stream}": raw_coordinates(clips, np.arange(len(clips)), stream) for stream in RAW}
    return Baselines(features=features, notes=(note,) if note else ())


def clips_of(model: Model, given: Iterable[Given], cutting: Cutting, rows: Rows, *, in_order: bool = False) -> Stacked:
    """The clips that the rows were made of. `in_order`: a recording each, in their order."""
    made: list[np.ndarray] = []
    keys: list[tuple[object, ...]] = []
    taker = _Clips(model)
    for one in encode(taker, given, cutting, Tally(), device=torch.device("cpu")):  # type: ignore[arg-type]
        if isinstance(one, Unusable):
            raise ValueError(f"{one.file or one.name}: {one.reason}")
        made.append(one[1])
        keys += _keys(one[0])
    every = np.concatenate(made) if made else np.zeros((0, 0), np.float32)
    if in_order:
        if len(every) != len(rows):
            raise ValueError(f"{len(every)} pieces of {len(rows)} recordings: one of each is needed")
    else:
        where = {key: place for place, key in enumerate(keys)}
        wanted = [where.get(key, -1) for key in _keys(rows)]
        if -1 in wanted:
            raise ValueError(f"{rows.called(wanted.index(-1))} is not found any more: its file has changed")
        every = every[wanted]
    shape = (len(every), model.frames, -1, len(model.layout.joints), 3)
    return Stacked(every.reshape(shape), model.layout, model.frames, model.rate)


def untrained_features(model: Model, clips: Stacked, *, seed: int = 0) -> tuple[Float32[np.ndarray, "n d"], str]:
    """Embeddings of the same networks with new weights, whitened as the card says; and what there is to say of that.

    Batch normalisation and whitening know these clips, the only ones at hand: that is in favour of the baseline.
    """
    encoders = {stream: new_encoder(model, stream, seed) for stream in model.streams}
    for stream, encoder in encoders.items():
        calibrate_batch_norm(encoder, clips, np.arange(len(clips)), stream)
    readout = model.card.readout
    values = compute_features(encoders, clips, readout=readout, device=device_named(model.device))
    whitening, note = {}, ""
    if model.whitening:
        try:
            rows = {stream: torch.from_numpy(some) for stream, some in values.items()}
            whitening = fit_streams(rows, readout.whitening, readout.whitened_by)
        except ValueError as error:
            note = f"features of the untrained encoder are not whitened: {error}"
    return Model("untrained", encoders, model.cards, whitening=whitening).joined(values), note


def new_encoder(model: Model, stream: str, seed: int) -> Encoder:
    """With new weights, as its recipe begins where that is known."""
    source: Source | None = model.source
    if source is not None:
        return source.random_encoder(stream, model.layout, seed)
    torch.manual_seed(derive_seed(seed, "weights"))
    return model.cards[stream].new_encoder()


class _Clips:
    """A model whose vectors are the clips themselves."""

    def __init__(self, model: Model) -> None:
        self.name, self.layout, self.frames = model.name, model.layout, model.frames
        self.bodies, self.preparation = model.bodies, model.preparation
        self.card, self.rate = model.card, model.rate

    layout: SkeletonLayout

    def vectors(self, clips: Stacked, *, device: torch.device) -> Float32[np.ndarray, "n d"]:
        return clips.clips.reshape(len(clips), -1)


def _keys(rows: Rows) -> list[tuple[object, ...]]:
    columns = (getattr(rows, name).tolist() for name in ("file", "name", "person", "start", "end"))
    return list(zip(*columns, strict=True))
