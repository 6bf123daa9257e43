"""How much is recognised of test clips that are worse than the training clips."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

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
    chosen = settings.corruption or tuple(CORRUPTIONS)
    for name in chosen:
        if name not in CORRUPTIONS:
            raise ValueError(unknown("corruption", name, tuple(CORRUPTIONS)))
    session.settings |= {"similarity": "cosine", "levels": {name: list(CORRUPTIONS[name].levels) for name in chosen}}
    for kind, streams, train, of_test in _kinds(session):
        how: How = "together" if len(streams) > 1 else "alone"
        clean = _row(session, kind, streams, how, train, of_test("", 0.0), "")
        yield clean
        for name in dict.fromkeys(chosen):
            yield _curve(session, name, clean, train, of_test)


def _kinds(
    session: Session,
) -> Iterator[tuple[Kind, tuple[str, ...], ByStream, Callable[[str, float], ByStream]]]:
    """Features of the training clips, and what gives those of the test clips for a corruption and its level; those of
    the test clips as they are where it has no name."""
    seed = int(session.settings["seed"])

    def corrupted(name: str, level: float) -> CorruptedClips:
        return CorruptedClips(session.clips, session.test, name, level, seed=seed)

    kinds: tuple[Kind, ...] = ("run", "untrained") if session.baselines else ("run",)
    for kind in kinds:
        every = session.of_run() if kind == "run" else session.of_untrained()
        encoders = session.encoders() if kind == "run" else session.random_encoders(session.source.seed)
        if kind == "untrained":
            for stream, encoder in encoders.items():
                calibrate_batch_norm(encoder, session.clips, session.train, stream)

        def of_test(
            name: str, level: float, every: ByStream = every, encoders: Mapping[str, torch.nn.Module] = encoders
        ) -> ByStream:
            if not name:
                return {stream: values[session.test] for stream, values in every.items()}
            advance = session.advance(f"features, {name} {level:g}", "clips")
            readout, device = replace(session.readout, whitening=0.0), session.device
            found = compute_features(encoders, corrupted(name, level), readout=readout, device=device, progress=advance)
            return {stream: torch.from_numpy(values) for stream, values in found.items()}

        yield kind, session.streams, {stream: values[session.train] for stream, values in every.items()}, of_test
    if session.baselines:
        places = np.arange(len(session.test))

        def raw(name: str, level: float) -> ByStream:
            clips, which = (corrupted(name, level), places) if name else (session.clips, session.test)
            return {"joint": torch.from_numpy(raw_coordinates(clips, which))}

        yield "raw", ("joint",), {"joint": torch.from_numpy(raw_coordinates(session.clips, session.train))}, raw


def _curve(session: Session, name: str, clean: Row, train: ByStream, of_test: Callable[[str, float], ByStream]) -> Row:
    corruption = CORRUPTIONS[name]
    variant = f"{', '.join(f'{level:g}' for level in corruption.levels)} {corruption.unit}"
    rows = [
        _row(session, clean.kind, clean.streams, clean.how, train, of_test(name, level), variant)
        for level in corruption.levels
    ]
    mean = mean_of_seeds(rows, ())
    curve = {f"{name}_{level:g}": row.top1 for level, row in zip(corruption.levels, rows, strict=True)}
    kept = 100 * mean.top1 / clean.top1 if clean.top1 else float("nan")
    return replace(mean, top1_by_seed=(), extra={"kept": kept, **curve}, detail=tuple(curve.values()))


def _row(
    session: Session, kind: Kind, streams: Sequence[str], how: How, train: ByStream, test: ByStream, variant: str
) -> Row:
    plain = Features(kind=kind, train=train, test=test)
    known, asked = (plain if kind == "raw" else session.read_as(kind, train, test)).joined(streams)
    ranking = knn_ranking(known, session.train_labels, asked, classes=session.classes, k=1)
    return session.row(kind, streams, how, ranking, variant=variant)
