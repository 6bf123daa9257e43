"""How much is recognised of test clips that are worse than the training clips."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from kinestream.evaluate import register
from kinestream.evaluate.corruptions import CORRUPTIONS, CorruptedClips
from kinestream.evaluate.result import How, Kind, Row, mean_of_seeds
from kinestream.evaluate.session import Features, Session
from kinestream.evaluate.settings import RobustnessSettings
from kinestream.features.extract import calibrate_batch_norm, compute_features, raw_coordinates
from kinestream.features.neighbours import knn_ranking
from kinestream.models.encoder import Encoder
from kinestream.words import unknown

ByStream = Mapping[str, Tensor]


@register(
    "robustness",
    first="1-NN %",
    columns=lambda settings: {
        "of clean %": "kept",
        "curve": lambda row: " ".join(f"{value:.1f}" for value in row.detail or ()) or "-",
    },
)
def robustness(session: Session, settings: RobustnessSettings) -> Iterator[Row]:
    """For the run, an untrained encoder and raw coordinates a row of the test clips as they are, then one for each
    corruption: means over its levels, which `extra` and `detail` have one by one. Of several streams all together."""
    chosen = tuple(dict.fromkeys(settings.corruption)) or tuple(CORRUPTIONS)
    for name in chosen:
        if name not in CORRUPTIONS:
            raise ValueError(unknown("corruption", name, tuple(CORRUPTIONS)))
    session.settings |= {"similarity": "cosine", "levels": {name: list(CORRUPTIONS[name].levels) for name in chosen}}
    for asked in _asked(session, settings.seed):
        clean = _row(session, asked, asked.clean, "")
        yield clean
        for name in chosen:
            yield _curve(session, asked, name, clean)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """Features whose curves are taken."""

    kind: Kind
    streams: tuple[str, ...]
    read: Callable[[ByStream], Features]
    """Those of test clips beside those of the training clips."""
    clean: ByStream
    """Of the test clips as they are."""
    spoilt: Callable[[str, float], ByStream]
    """Of the test clips with a corruption at a level."""


def _asked(session: Session, seed: int) -> Iterator[_Asked]:
    def clips(name: str, level: float) -> CorruptedClips:
        return CorruptedClips(session.clips, session.test, name, level, seed=seed)

    def features(encoders: Mapping[str, Encoder], name: str, level: float) -> ByStream:
        advance = session.advance(f"features, {name} {level:g}", "clips")
        readout = replace(session.readout, whitening=0.0)
        found = compute_features(encoders, clips(name, level), readout=readout, device=session.device, progress=advance)
        return {stream: torch.from_numpy(values) for stream, values in found.items()}

    def of_encoders(kind: Kind, encoders: Mapping[str, Encoder], every: ByStream) -> _Asked:
        train, test = ({stream: rows[part] for stream, rows in every.items()} for part in (session.train, session.test))
        return _Asked(
            kind=kind,
            streams=session.streams,
            read=session.reader(kind, train),
            clean=test,
            spoilt=lambda name, level: features(encoders, name, level),
        )

    yield of_encoders("run", session.encoders(), session.of_run())
    if session.baselines:
        untrained = session.random_encoders(session.source.seed)
        for stream, encoder in untrained.items():
            calibrate_batch_norm(encoder, session.clips, session.train, stream)
        yield of_encoders("untrained", untrained, session.of_untrained())
        known, clean = (
            torch.from_numpy(raw_coordinates(session.clips, part)) for part in (session.train, session.test)
        )
        every = np.arange(len(session.test))
        yield _Asked(
            kind="raw",
            streams=("joint",),
            read=session.reader("raw", {"joint": known}),
            clean={"joint": clean},
            spoilt=lambda name, level: {"joint": torch.from_numpy(raw_coordinates(clips(name, level), every))},
        )


def _curve(session: Session, asked: _Asked, name: str, clean: Row) -> Row:
    corruption = CORRUPTIONS[name]
    variant = f"{', '.join(f'{level:g}' for level in corruption.levels)} {corruption.unit}"
    rows = [_row(session, asked, asked.spoilt(name, level), variant) for level in corruption.levels]
    mean = mean_of_seeds(rows, ())
    curve = {f"{name}_{level:g}": row.top1 for level, row in zip(corruption.levels, rows, strict=True)}
    kept = 100 * mean.top1 / clean.top1 if clean.top1 else float("nan")
    return replace(mean, top1_by_seed=(), extra={"kept": kept, **curve}, detail=tuple(curve.values()))


def _row(session: Session, asked: _Asked, test: ByStream, variant: str) -> Row:
    how: How = "together" if len(asked.streams) > 1 else "alone"
    known, queries = asked.read(test).joined(asked.streams)
    ranking = knn_ranking(known, session.train_labels, queries, classes=session.classes, k=1)
    return session.row(asked.kind, asked.streams, how, ranking, variant=variant)
