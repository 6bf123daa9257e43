"""The clips of a run as its figures and its page show them: features, labels, what each was taken for."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from kinestream.data.kept import NotKeptError, keep, kept
from kinestream.data.store import Store
from kinestream.distributed.launch import Device
from kinestream.evaluate.run_results import Prediction, read_predictions
from kinestream.evaluate.session import Features, Session, open_session
from kinestream.evaluate.source import AnyRun
from kinestream.features.neighbours import knn_ranking
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.viz.projection import Method, Plane, pca, tsne

UNLABELLED = "no label"
_HOW = {"linear": "linear layer", "knn": "nearest training clip"}
METHODS: dict[Method, str] = {"tsne": "t-SNE", "pca": "PCA"}


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """What each clip was taken for."""

    predicted: Int64[np.ndarray, " q"]
    confidence: Float32[np.ndarray, " q"] | None
    how: str
    """Who guessed."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The clips in the features of one encoder: unit features of all streams side by side."""

    features: Float32[np.ndarray, "q d"]
    nearest: Int64[np.ndarray, " q"] | None
    """Class of the nearest training clip; None without labels or a split."""
    right: float | None
    """Share of the clips whose nearest training clip is of their class, in percent."""


@dataclass(frozen=True, kw_only=True)
class ShownClips:
    """The test clips of a split, or all recordings of a store without labels or splits; in the order of the store."""

    session: Session
    indices: Int64[np.ndarray, " q"]
    """In the store."""
    names: tuple[str, ...]
    labels: Int64[np.ndarray, " q"]
    classes: tuple[str, ...]
    """Those of the store and, where a clip has none, one more at the end."""
    after: Encoded
    before: Encoded | None
    """By the untrained encoder; None where it was left out."""
    guesses: Guesses | None
    """None without labels or a split."""

    @property
    def run(self) -> Path:
        return self.session.source.folder.path

    @property
    def kind(self) -> str:
        return "test clips" if self.guesses else "recordings"

    @property
    def where(self) -> str:
        """The data set, and the split."""
        return f"{self.session.store.info.dataset} {self.session.split}".rstrip()


def encode(
    run: AnyRun,
    store: Store | Path | str | None = None,
    split: str | None = None,
    *,
    baselines: bool = True,
    device: Device = "auto",
    progress: Progress = silent,
    notice: Notice = unheard,
) -> ShownClips:
    """Encodes what is shown of a run on a store, by default on that which it learnt from; features that the run keeps
    are taken. Raises ValueError where they do not go together."""
    session = open_session(
        run, store, split=split, judged=False, baselines=baselines, device=device, progress=progress, notice=notice
    )
    found = [_encoded(session, features) for features in islice(session.features(), 1 + baselines)]
    names, labels, classes = (
        session.store.table.name,
        session.store.table.label[session.test],
        session.store.info.classes,
    )
    if (labels < 0).any():
        labels, classes = np.where(labels < 0, len(classes), labels), (*classes, UNLABELLED)
    clip_names = tuple(names[index] for index in session.test.tolist())
    return ShownClips(
        session=session,
        indices=session.test,
        names=clip_names,
        labels=labels,
        classes=tuple(classes),
        after=found[0],
        before=found[1] if baselines else None,
        guesses=_guesses(session, found[0], clip_names, classes),
    )


def plane_of(clips: ShownClips, encoded: Encoded, rows: Int64[np.ndarray, " n"], method: Method, what: str) -> Plane:
    """Some of the clips laid out; t-SNE is kept among the run's features under a name made of them."""
    features = encoded.features[rows]
    if method == "pca":
        return pca(features)
    digest = hashlib.sha256(np.ascontiguousarray(features).data).hexdigest()[:16]
    file = clips.run / "features" / f"{method}-{digest}.npy"
    try:
        plane = kept(file, len(features))
        if plane.shape[1] == 2 and np.isfinite(plane).all():
            return plane
    except NotKeptError as error:
        if str(error):
            clips.session.notice(f"{file} is not what was kept there ({error}): it is computed again")
    clips.session.progress(f"t-SNE, {what}", "clips", 0, len(features))
    plane = tsne(features)
    try:
        keep(file, plane.shape, plane)
    except OSError as error:
        clips.session.notice(f"the map is not kept in {file.parent}: {error.strerror or error}")
    clips.session.progress(f"t-SNE, {what}", "clips", len(features), len(features))
    return plane


def _encoded(session: Session, features: Features) -> Encoded:
    train, test = features.joined(session.streams)
    if not session.judged:
        return Encoded(features=test.numpy(), nearest=None, right=None)
    nearest = knn_ranking(train, session.train_labels, test, classes=session.classes, k=1)[:, 0]
    right = 100 * float((nearest == session.test_labels).double().mean())
    return Encoded(features=test.numpy(), nearest=nearest.numpy(), right=right)


def _guesses(session: Session, after: Encoded, names: Sequence[str], classes: Sequence[str]) -> Guesses | None:
    """The predictions that an evaluation wrote, those of the linear layer if there are; where there are none of just
    these clips, the class of the nearest training clip."""
    if after.nearest is None:
        return None
    for protocol, rows in read_predictions(session.source.folder.path, session.split).items():
        if (found := _fitted(rows, protocol, names, classes)) is not None:
            return found
    return Guesses(predicted=after.nearest, confidence=None, how="nearest training clip")


def _fitted(rows: Sequence[Prediction], protocol: str, names: Sequence[str], classes: Sequence[str]) -> Guesses | None:
    """The predictions in the order of `names`; None when they are of other clips or classes."""
    called, _, changed = protocol.partition(" ")
    by_name = {row.file: row for row in rows}
    numbers = {name: number for number, name in enumerate(classes)}
    if set(by_name) != set(names) or any(row.predicted not in numbers for row in rows):
        return None
    order = [by_name[name] for name in names]
    sure = [row.confidence for row in order if row.confidence is not None]
    return Guesses(
        predicted=np.array([numbers[row.predicted] for row in order]),
        confidence=np.array(sure, dtype=np.float32) if len(sure) == len(order) else None,
        how=_HOW.get(called, called) + (f" ({changed})" if changed else ""),
    )
