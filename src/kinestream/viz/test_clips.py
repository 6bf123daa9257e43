"""The test clips of a run as figures and report need them: features, predictions, places in a plane."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from kinestream.data.store import Store
from kinestream.evaluate.run_results import Prediction, read_predictions
from kinestream.evaluate.session import Features, Session
from kinestream.features.neighbours import knn_ranking
from kinestream.files import replacing
from kinestream.viz.projection import Method, Plane, plane_of

_HOW = {"linear": "linear layer", "knn": "nearest training clip"}


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """What each test clip was taken for."""

    predicted: Int64[np.ndarray, " q"]
    confidence: Float32[np.ndarray, " q"] | None
    how: str
    """Who guessed."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The test clips in the features of one encoder, and how many their nearest training clip names rightly."""

    features: Float32[np.ndarray, "q d"]
    nearest: Int64[np.ndarray, " q"]
    """Class of the nearest training clip."""
    right: float
    """Share of the clips whose nearest training clip is of their class, in percent."""


@dataclass(frozen=True, kw_only=True)
class EncodedTest:
    """All test clips of a split, in the order of the store."""

    indices: Int64[np.ndarray, " q"]
    """In the store."""
    names: tuple[str, ...]
    labels: Int64[np.ndarray, " q"]
    after: Encoded
    before: Encoded | None
    """By the untrained encoder; None where it was left out."""


def encode_test_clips(run: Session) -> EncodedTest:
    """Features of several streams stand side by side, as unit vectors; what `run` has cached is kept."""
    found: dict[str, Encoded] = {}
    for parts in run.features():
        if parts.kind == "raw":
            break
        found[parts.kind] = _encoded(run, parts)
        if len(found) == 2:  # the raw coordinates of all clips, which come next, are not needed
            break
    indices = run.test
    return EncodedTest(
        indices=indices,
        names=tuple(run.store.table.name[index] for index in indices),
        labels=run.store.labels[indices],
        after=found["run"],
        before=found.get("untrained"),
    )


def guesses(run: Path, store: Store, split: str, clips: EncodedTest) -> Guesses:
    """The predictions that an evaluation wrote, those of the linear layer if there are; where there are none of just
    these clips, the class of the nearest training clip."""
    for protocol, rows in read_predictions(run, split).items():
        if (found := _fitted(rows, protocol, clips.names, store.info.classes)) is not None:
            return found
    return Guesses(predicted=clips.after.nearest, confidence=None, how="nearest training clip")


def _fitted(rows: Sequence[Prediction], protocol: str, names: Sequence[str], classes: Sequence[str]) -> Guesses | None:
    """The predictions in the order of `names`; None when they are of other clips or classes."""
    by_name = {row.file: row for row in rows}
    numbers = {name: number for number, name in enumerate(classes)}
    if set(by_name) != set(names) or any(row.predicted not in numbers for row in rows):
        return None
    order = [by_name[name] for name in names]
    sure = [row.confidence for row in order if row.confidence is not None]
    return Guesses(
        predicted=np.array([numbers[row.predicted] for row in order]),
        confidence=np.array(sure, dtype=np.float32) if len(sure) == len(order) else None,
        how=_HOW.get(protocol, protocol),
    )


def cached_plane(
    run: Path,
    method: Method,
    features: Float32[np.ndarray, "n d"],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Plane:
    """`plane_of`, kept among the run's features under a name made of them."""
    if method == "pca":
        return plane_of(method, features)
    digest = hashlib.sha256(np.ascontiguousarray(features).data).hexdigest()[:16]
    file = run / "features" / f"{method}-{digest}.npy"
    try:
        plane = np.load(file)
        if plane.shape == (len(features), 2) and plane.dtype == np.float32:
            return plane
    except (OSError, ValueError, EOFError):
        pass
    plane = plane_of(method, features, progress=progress)
    with replacing(file) as part:
        np.save(part, plane)
    return plane


def _encoded(run: Session, parts: Features) -> Encoded:
    train, test = parts.joined(tuple(parts.train))
    ranking = knn_ranking(train, run.train_labels, test, classes=run.classes, k=1)
    nearest = ranking[:, 0].numpy()
    right = 100 * float((nearest == run.test_labels.numpy()).mean())
    return Encoded(features=test.numpy(), nearest=nearest, right=right)
