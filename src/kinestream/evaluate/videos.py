"""Actions in whole videos: where each begins and ends, and what it is (the PKU-MMD protocol)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64

from kinestream.data.clips import FixedClips
from kinestream.data.recording import Recording, Segment
from kinestream.evaluate import register
from kinestream.evaluate.average_precision import THRESHOLDS, Action, MeanPrecision, mean_average_precision
from kinestream.evaluate.result import How, Kind, Row
from kinestream.evaluate.session import Session
from kinestream.evaluate.settings import DetectionSettings
from kinestream.evaluate.tracks import pieces_of
from kinestream.features.extract import calibrate_batch_norm, check_finite, compute_features, raw_coordinates
from kinestream.features.metrics import Accuracy
from kinestream.features.neighbours import side_by_side
from kinestream.features.sticky import sticky_path, with_nobody
from kinestream.features.windows import (
    ClipForm,
    PreparedClips,
    per_window,
    window_clips,
    window_starts,
    windows_of_frames,
    with_gaps_filled,
)
from kinestream.models.encoder import Encoder

HEADLINE = 0.5
"""The tIoU of the figures that papers print."""
COLUMNS = ("file", "label", "start", "end", "confidence")

Features = Callable[[FixedClips], Float32[np.ndarray, "n d"]]
Labels = Int64[np.ndarray, " _"]
_SOME = "features"
_STRENGTH = 0.1
"""Of the layer, as scikit-learn counts it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Where features come from."""

    kind: Kind
    streams: tuple[str, ...]
    features: Features

    @property
    def how(self) -> How:
        return "together" if len(self.streams) > 1 else "alone"


@register(
    "detection",
    first=f"mAP videos % at tIoU {HEADLINE}",
    columns=lambda settings: {f"mAP actions % at {threshold}": f"map_actions_{threshold}" for threshold in THRESHOLDS},
)
def detection(session: Session, settings: DetectionSettings) -> Iterator[Row]:
    """A row for the run, the untrained encoder and the raw streams; its accuracy is the mean average precision over
    videos, that of a class its average precision."""
    session.settings |= {"background": "a class of its own", "layer": "multinomial logistic regression"}
    drawn = _draw_windows(session, settings)
    truth = [
        Action(video=session.store.table.name[index], label=part.label, start=part.start, end=part.end)
        for index in session.test.tolist()
        for part in session.store.segments(index)
    ]
    for source in _sources(session, settings, drawn):
        found = list(_detect(session, settings, source, drawn))
        yield _row(session, source, found, truth)


def window_labels(segments: Sequence[Segment], starts: Labels, size: int, background: int) -> Labels:
    """The class of the frame in the middle of each window.

    Example:
        >>> window_labels((Segment(label=4, start=10, end=20),), np.array([0, 8, 16]), 8, 51).tolist()
        [51, 4, 51]
    """
    labels = np.full(len(starts), background, dtype=np.int64)
    middles = starts + size // 2
    for part in segments:
        labels[(middles >= part.start) & (middles < part.end)] = part.label
    return labels


def actions_in(
    probabilities: Float[np.ndarray, "w k"],
    usable: np.ndarray,
    starts: Labels,
    size: int,
    frames: int,
    *,
    switch: float,
    video: str,
) -> list[Action]:
    """The actions of a video from the probabilities of its windows; the last class is the background. The confidence of
    an action is its mean probability."""
    background = probabilities.shape[1] - 1
    costs = with_nobody(-np.log(np.maximum(probabilities, 1e-6)), usable)
    path = sticky_path(costs, switch)
    which = windows_of_frames(starts, size, frames)
    return [
        Action(
            video=video,
            label=piece.label,
            start=piece.start,
            end=piece.end,
            confidence=float(probabilities[which[piece.start : piece.end], piece.label].mean()),
        )
        for piece in pieces_of(path[which], without=(background, background + 1))
    ]


def _form(session: Session) -> ClipForm:
    store = session.store
    layout = store.layout if session.joint_map is None else session.joint_map.target
    return ClipForm(
        frames=session.source.frames,
        seconds=session.source.seconds,
        layout=layout,
        preparation=store.preparation.name,
        people=store.info.most_bodies,
    )


def _videos(session: Session, indices: Int64[np.ndarray, " n"]) -> Iterator[tuple[int, Recording]]:
    for index in indices.tolist():
        (video,) = session.store.recordings(np.array([index]))
        yield index, with_gaps_filled(video)


def _draw_windows(session: Session, settings: DetectionSettings) -> dict[int, Labels]:
    """By training video the windows that the layer learns from."""
    lengths = session.store.table.length
    every = [
        (index, start)
        for index in session.train.tolist()
        for start in window_starts(int(lengths[index]), settings.window, settings.hop).tolist()
    ]
    lot = np.random.default_rng(settings.seed).permutation(len(every))[: settings.most_windows]
    drawn: dict[int, list[int]] = {}
    for place in np.sort(lot).tolist():
        drawn.setdefault(every[place][0], []).append(every[place][1])
    session.settings |= {"training windows": len(lot), "of": len(every)}
    return {index: np.array(starts, dtype=np.int64) for index, starts in drawn.items()}


def _sources(session: Session, settings: DetectionSettings, drawn: Mapping[int, Labels]) -> Iterator[Source]:
    def read(encoders: Mapping[str, Encoder]) -> Features:
        def features(clips: FixedClips) -> Float32[np.ndarray, "n d"]:
            made = compute_features(encoders, clips, readout=session.readout, device=session.device)
            check_finite(made)
            return side_by_side({stream: torch.from_numpy(rows) for stream, rows in made.items()}).numpy()

        return features

    yield Source(kind="run", streams=session.streams, features=read(session.encoders()))
    if not session.baselines:
        return
    yield Source(kind="untrained", streams=session.streams, features=read(_untrained(session, settings, drawn)))
    for stream in dict.fromkeys(("joint", *session.streams)):

        def raw(clips: FixedClips, stream: str = stream) -> Float32[np.ndarray, "n d"]:
            return raw_coordinates(clips, np.arange(len(clips)), stream)

        yield Source(kind="raw", streams=(stream,), features=raw)


def _untrained(session: Session, settings: DetectionSettings, drawn: Mapping[int, Labels]) -> dict[str, Encoder]:
    form, layout = _form(session), _form(session).layout
    encoders = {
        stream: session.source.random_encoder(stream, layout, session.source.seed) for stream in session.streams
    }
    some, count = [], 0
    for index, video in _videos(session, np.array(list(drawn), dtype=np.int64)):
        clips, _ = window_clips(video, drawn[index], settings.window, form)
        some.append(clips)
        count += len(clips)
        if count >= 1024:
            break
    held = PreparedClips(clips=np.concatenate(some), layout=layout, rate=form.rate)
    for stream, encoder in encoders.items():
        calibrate_batch_norm(encoder, held, np.arange(len(held)), stream)
    return encoders


def _detect(
    session: Session, settings: DetectionSettings, source: Source, drawn: Mapping[int, Labels]
) -> Iterator[Action]:
    layer, known = _learn(session, settings, source, drawn)
    advance = session.advance(f"detection, {source.kind}, {' + '.join(source.streams)}", "videos")
    background = session.classes
    advance(0, len(session.test))
    for done, (index, video) in enumerate(_videos(session, session.test), start=1):
        size = min(settings.window, len(video))
        starts = window_starts(len(video), size, settings.hop)
        rows, usable = _per_window(session, source, video, starts, size)
        told = np.zeros((len(starts), background + 1))
        if usable.any():
            told[np.ix_(usable, known)] = layer.predict_proba(rows[usable])
        yield from actions_in(
            told,
            usable,
            starts,
            size,
            len(video),
            switch=settings.switch * settings.window / settings.hop,
            video=session.store.table.name[index],
        )
        advance(done, len(session.test))


def _learn(
    session: Session, settings: DetectionSettings, source: Source, drawn: Mapping[int, Labels]
) -> tuple[Any, Labels]:
    """The layer, and the classes that it knows."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, labels = [], []
    advance = session.advance(f"windows, {source.kind}, {' + '.join(source.streams)}", "videos")
    advance(0, len(drawn))
    for done, (index, video) in enumerate(_videos(session, np.array(list(drawn), dtype=np.int64)), start=1):
        size = min(settings.window, len(video))
        made, usable = _per_window(session, source, video, drawn[index], size)
        told = window_labels(session.store.segments(index), drawn[index], size, session.classes)
        rows.append(made[usable])
        labels.append(told[usable])
        advance(done, len(drawn))
    x, y = np.concatenate([part for part in rows if len(part)]), np.concatenate(labels)
    if len(np.unique(y)) < 2:
        raise ValueError("the training videos show one class in all windows: a layer needs two or more")
    layer = make_pipeline(
        StandardScaler(),
        PCA(min(settings.components, *x.shape), whiten=True, random_state=settings.seed),
        LogisticRegression(C=_STRENGTH, max_iter=1000),
    ).fit(x, y)
    return layer, np.asarray(layer.classes_, dtype=np.int64)


def _per_window(
    session: Session, source: Source, video: Recording, starts: Labels, size: int
) -> tuple[Float32[np.ndarray, "w d"], np.ndarray]:
    made, usable = per_window(
        lambda clips: {_SOME: source.features(clips)}, video, starts, size, _form(session), streams=(_SOME,)
    )
    return made[_SOME], usable


def _row(session: Session, source: Source, found: Sequence[Action], truth: Sequence[Action]) -> Row:
    means = {threshold: mean_average_precision(found, truth, threshold) for threshold in THRESHOLDS}
    main: MeanPrecision = means[HEADLINE]
    extra = {f"map_actions_{threshold}": mean.over_actions for threshold, mean in means.items()}
    extra |= {f"map_videos_{threshold}": mean.over_videos for threshold, mean in means.items()}
    per_class = torch.full((session.classes,), torch.nan)
    for label, precision in main.by_action.items():
        per_class[label] = precision
    names = {"untrained": "untrained encoder", "raw": "raw coordinates"}
    which = "streams together" if source.how == "together" else source.streams[0]
    name = names.get(source.kind, session.source.name)
    classes = session.store.info.classes
    return Row(
        name=name if (source.kind, which) == ("raw", "joint") else f"{name}, {which}",
        kind=source.kind,
        how=source.how,
        streams=source.streams,
        accuracy=Accuracy(top1=main.over_videos, top5=float("nan"), per_class=per_class),
        top1_without_copies=None,
        extra={**extra, "detections": len(found), "true_actions": len(truth)},
        ece=None,
        hits=np.array(list(main.by_video.values())) / 100,
        predicted=np.full(len(main.by_video), -1, dtype=np.int64),
        confidence=None,
        predictions=(
            COLUMNS,
            *((one.video, classes[one.label], one.start, one.end, round(one.confidence, 6)) for one in found),
        ),
    )
