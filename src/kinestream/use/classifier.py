"""A classifier of movements from few labels: logistic regression on frozen features, calibrated, and able to say that a
movement is like nothing that was labelled.

n rows, d numbers of an embedding, k classes.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64, Int64
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from kinestream.data.recording import Recording
from kinestream.data.store import Store
from kinestream.distributed.launch import Device
from kinestream.progress import Progress, silent
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.use.archive import Embeddings
from kinestream.use.familiar import Familiar, fit_familiar
from kinestream.use.folds import Together, folds_of, together
from kinestream.use.label_report import Judged, LabelReport, make_report
from kinestream.use.logistic import STRENGTHS, USUAL, HeldOut, Layer, fit_logistic, held_out
from kinestream.use.made_by import MadeBy
from kinestream.use.model import Model, Moves
from kinestream.use.query import check_encoder
from kinestream.use.rows import Rows
from kinestream.words import shown

if TYPE_CHECKING:
    from kinestream.use.export.writing import Exported

Given = Moves | Embeddings
"""Recordings, an archive of embeddings, or embeddings `(n, d)`."""
MOST = 10_000
"""Labelled rows that are learnt from; of more, so many are drawn."""


class Classifier(ClassifierMixin, BaseEstimator):
    """A classifier of scikit-learn over recordings, over archives of embeddings, or over embeddings.

    Args:
        model: the encoder, for recordings; None where embeddings or an archive are given.
        folds: how often some are held out: people where they are known (GroupKFold), else sessions, recordings, or
            rows, stratified.
        strengths: among which the strength C of the regression is chosen, by the held-out rows.
        false_alarms: share of movements like those labelled that `known` may call unknown.
        seed: of what is drawn.
        arrays: layout of recordings that are given as arrays.
        device: to embed on; that of the model if None.

    After `fit`: `classes_`, `strength_`, `temperature_`, `threshold_` (of `known`; None where it cannot be told),
    `notes_`, and `report`.

    Example:
        >>> rows = np.repeat(np.eye(3), 10, axis=0) + np.linspace(0, 0.1, 30)[:, None]
        >>> classifier = Classifier().fit(rows, ["walk"] * 10 + ["sit"] * 10 + ["wave"] * 10)
        >>> classifier.predict(rows[[0, 15]]).tolist()
        ['walk', 'sit']
    """

    def __init__(
        self,
        model: Model | None = None,
        *,
        folds: int = 5,
        strengths: Sequence[float] = STRENGTHS,
        false_alarms: float = 0.05,
        seed: int = 0,
        arrays: str | Path | SkeletonLayout | None = None,
        device: Device | None = None,
    ) -> None:
        self.model = model
        self.folds = folds
        self.strengths = strengths
        self.false_alarms = false_alarms
        self.seed = seed
        self.arrays = arrays
        self.device = device

    def fit(self, moves: Any, y: Any = None, groups: Any = None) -> "Classifier":
        """Learns from labelled movements.

        Args:
            moves: recordings, an archive, or embeddings `(n, d)`.
            y: the label of each; those of the recordings or of the archive if None.
            groups: who each is of: what is alike is held out together; persons, else sessions, as the recordings or the
                archive tell if None.

        Raises:
            ValueError: there are fewer than two classes, something has no label, or an archive is of another encoder.
        """
        self._check()
        archive = self._archive(moves, fitting=True)
        labels = _labels_of(archive, y)
        if archive.rows is not None and y is None:
            labelled = np.array([label != "" for label in labels.tolist()])
            archive, labels = archive.take(labelled), labels[labelled]
            groups = None if groups is None else [one for one, is_in in zip(groups, labelled, strict=True) if is_in]
        classes, codes = _classes(labels)
        who = together(len(codes), groups, archive.rows)
        notes = []
        if len(codes) > MOST:
            drawn = np.sort(np.random.default_rng(self.seed).permutation(len(codes))[:MOST])
            notes.append(f"learnt from {MOST:,} of {len(codes):,} labelled rows, drawn")
            archive, codes, who = archive.take(drawn), codes[drawn], who.take(drawn)
        self.classes_ = classes
        self.n_features_in_ = archive.vectors.shape[1]
        self._learn(archive, codes, who, notes)
        return self

    def predict(self, moves: Any) -> np.ndarray:
        """The most probable class of each."""
        probabilities = self.predict_proba(moves)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def predict_proba(self, moves: Any) -> Float64[np.ndarray, "n k"]:
        """Calibrated probabilities of the classes, in the order of `classes_`."""
        check_is_fitted(self)
        return self.layer_.probabilities(self._archive(moves).vectors)

    def decision_function(self, moves: Any) -> np.ndarray:
        """The logits whose softmax the probabilities are; of two classes their difference `(n,)`."""
        check_is_fitted(self)
        logits = self.layer_.logits(self._archive(moves).vectors) / self.layer_.temperature
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def known(self, moves: Any) -> Bool[np.ndarray, " n"]:
        """Whether each is like anything that was labelled: of movements that are, the share `false_alarms` is called
        unknown, by the people that were held out. All are where no threshold could be found (`threshold_` is None)."""
        check_is_fitted(self)
        return self.familiar_.known(self._archive(moves).vectors)

    @property
    def threshold_(self) -> float | None:
        """Of `known`: the largest distance from what was labelled."""
        return self.familiar_.threshold

    @property
    def strength_(self) -> float:
        return self.layer_.strength

    @property
    def temperature_(self) -> float:
        return self.layer_.temperature

    @property
    def label_count(self) -> int | None:
        """Labelled rows that it learnt from; None for one that was loaded, and saved without its report."""
        if self._judged is not None:
            return len(self._judged.codes)
        return sum(self.report.counts) if "report" in vars(self) else None

    @cached_property
    def report(self) -> LabelReport:
        """How good it is on people that were held out, beside raw coordinates and the untrained encoder where the
        recordings are at hand, what it confuses, and what more labels would bring. Made when it is first asked for,
        which takes a while; see `make_report`."""
        return self.make_report()

    def make_report(self, *, baselines: bool = True, progress: Progress = silent) -> LabelReport:
        """Makes `report`; without `baselines` recordings are not read again, and features not compared."""
        check_is_fitted(self)
        if self._judged is None:
            raise ValueError("this classifier was loaded, and what it learnt from is not kept: fit it for a report")
        made = make_report(
            self._judged,
            self.model,
            strengths=tuple(self.strengths),
            most=self.folds,
            seed=self.seed,
            baselines=baselines,
            progress=progress,
        )
        vars(self)["report"] = made
        return made

    def save(self, folder: str | Path, *, replace: bool = False) -> None:
        """Writes all that is needed to predict into a new folder, whole: the encoder, its layout, preparation and
        whitening, the classes, weights and thresholds, and the report where it was made. `kinestream.load` reads it.

        `replace` takes the place of a saved classifier that is there. Raises ValueError for what exists otherwise, a
        classifier that has no encoder, or is not fitted.
        """
        from kinestream.use.classifier_files import save_classifier

        save_classifier(self, Path(folder), replace=replace)

    def export(
        self,
        out: str | Path,
        *,
        layout: str | Path | SkeletonLayout | None = None,
        prepared: bool = False,
        people: int = 2,
        progress: Progress = silent,
    ) -> "Exported":
        """Writes the encoder and the classifier as one file, `.onnx` or `.pt2`: joints in, embeddings and calibrated
        probabilities out. See `Model.export`; what `known` says is not in the file.

        Raises ValueError also for a classifier that has no encoder, or is not fitted.
        """
        from kinestream.use.export.graph import LinearHead

        check_is_fitted(self)
        if self.model is None:
            raise ValueError("this classifier knows no encoder to export: make it with Classifier(model)")
        layer = self.layer_
        head = LinearHead(
            weights=layer.weights,
            bias=layer.bias,
            temperature=layer.temperature,
            classes=tuple(map(str, self.classes_.tolist())),
        )
        return self.model.export(out, layout=layout, prepared=prepared, people=people, head=head, progress=progress)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self.model is not None and not isinstance(self.model, Model):
            raise ValueError(f"model is {shown(repr(self.model))}: a model is meant, as ks.load gives one, or None")
        if self.folds < 2:
            raise ValueError(f"folds ({self.folds}) must be 2 or more")
        if not 0 < self.false_alarms < 1:
            raise ValueError(f"false_alarms ({self.false_alarms}) must be above 0 and below 1")
        if not len(self.strengths) or not all(0 < strength < np.inf for strength in self.strengths):
            raise ValueError(f"strengths {tuple(self.strengths)}: some numbers above 0 are needed")

    def _learn(self, archive: "_Rows", codes: Int64[np.ndarray, " n"], who: Together, notes: list[str]) -> None:
        vectors, count = archive.vectors, len(self.classes_)
        if not np.ptp(vectors, axis=0).any():
            raise ValueError(f"all {len(vectors)} embeddings are the same: there is nothing to tell classes by")
        folds = folds_of(codes, who, self.folds, self.seed)
        tested: HeldOut | None = None
        strength, temperature = USUAL, 1.0
        if folds:
            tested = held_out(vectors, codes, count, folds, sorted(self.strengths))
            place, temperature = tested.best(tested.tested)
            strength = tested.strengths[place]
        else:
            what = "one row of each class" if len(codes) == count else f"one of the {who.what} only"
            notes.append(
                f"{what}: nothing can be held out, so that strength and temperature are not chosen, accuracy is not "
                "told, and all movements count as known"
            )
        if folds and who.note:
            notes.append(who.note)
        counts = np.bincount(codes, minlength=count)
        if folds and (single := [str(name) for name, n in zip(self.classes_, counts, strict=True) if n == 1]):
            notes.append(
                f"one example only of {', '.join(map(shown, single[:5]))}"
                f"{f' and {len(single) - 5} more' if len(single) > 5 else ''}: when it is held out nothing is known of "
                "its class, so that it counts as not recognised"
            )
        layer = fit_logistic(vectors, codes, count, [strength])[0]
        self.layer_ = Layer(weights=layer.weights, bias=layer.bias, temperature=temperature, strength=strength)
        self.familiar_: Familiar = fit_familiar(vectors, codes, folds, self.false_alarms)
        notes += self.familiar_.notes
        self.notes_ = tuple(notes)
        self.made_by_: MadeBy | None = archive.made_by
        self.seconds_ = archive.seconds
        self._judged: Judged | None = Judged(
            vectors=vectors,
            codes=codes,
            classes=tuple(self.classes_.tolist()),
            who=who,
            folds=tuple(folds),
            tested=tested,
            familiar=self.familiar_,
            rows=archive.rows,
            recordings=archive.recordings,
            made_by=archive.made_by,
            notes=self.notes_,
        )
        vars(self).pop("report", None)

    def _archive(self, moves: Any, *, fitting: bool = False) -> "_Rows":
        """What it is given as embeddings, with what is known of them."""
        if isinstance(moves, Embeddings):
            if self.model is not None:
                check_encoder(moves, self.model)
            elif not fitting and self.made_by_ is not None and self.made_by_.encoder != moves.encoder:
                raise ValueError(
                    f"{moves.path or 'the archive'} was made by another encoder ({moves.made_by.encoder_name}, "
                    f"{moves.encoder[:12]}) than what this classifier learnt from ({self.made_by_.encoder[:12]})"
                )
            found = _Rows(moves.vectors, moves.rows, moves.made_by, None)
        elif self.model is not None and _are_recordings(moves):
            archive = self.model.embedded(moves, layout=self.arrays, device=self.device)
            kept = None if isinstance(moves, Store) else _kept(moves, self.arrays)
            found = _Rows(archive.vectors, archive.rows, archive.made_by, kept)
        elif _are_recordings(moves):
            raise ValueError(
                "recordings need an encoder: Classifier(model), with model = ks.load(...), or give their embeddings"
            )
        else:
            values = validate_data(self, moves, reset=fitting, dtype=(np.float64, np.float32))
            return _Rows(np.asarray(values), None, None, None)
        if not fitting and found.vectors.shape[1] != self.n_features_in_:
            raise ValueError(
                f"embeddings of {found.vectors.shape[1]} numbers, the classifier learnt from {self.n_features_in_}"
            )
        return found


class _Rows:
    """Embeddings, and what is known of them."""

    def __init__(
        self, vectors: np.ndarray, rows: Rows | None, made_by: MadeBy | None, recordings: tuple[Recording, ...] | None
    ) -> None:
        self.vectors, self.rows, self.made_by, self.recordings = vectors, rows, made_by, recordings

    def take(self, which: np.ndarray) -> "_Rows":
        places = np.arange(len(self.vectors))[which]
        recordings = None if self.recordings is None else tuple(self.recordings[place] for place in places.tolist())
        rows = None if self.rows is None else self.rows.take(places)
        return _Rows(np.asarray(self.vectors[places]), rows, self.made_by, recordings)

    @property
    def seconds(self) -> float | None:
        """How long most of them are; None where rates are not known."""
        if self.rows is None or not len(self.rows) or np.isnan(self.rows.fps).any():
            return None
        return float(np.median(self.rows.end - self.rows.start))


def _are_recordings(moves: Any) -> bool:
    if isinstance(moves, Recording | Store):
        return True
    if isinstance(moves, np.ndarray):
        return moves.ndim >= 3 or (moves.dtype == object and moves.size > 0 and _is_one(moves.flat[0]))
    return isinstance(moves, list | tuple) and len(moves) > 0 and _is_one(moves[0])


def _is_one(value: Any) -> bool:
    return isinstance(value, Recording) or (isinstance(value, np.ndarray) and value.ndim >= 3)


def _kept(moves: Any, layout: str | Path | SkeletonLayout | None) -> tuple[Recording, ...]:
    from kinestream.data.recording import as_recordings

    return tuple(as_recordings(moves, layout))


def _labels_of(given: _Rows, y: Any) -> np.ndarray:
    if y is None:
        if given.rows is None:
            raise ValueError("fit requires y to be passed, but the target y is None: give the label of each row")
        if not any(given.rows.label):
            raise ValueError("no recording has a label: give labels, one for each")
        return given.rows.label
    check_classification_targets(y)
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        import warnings

        from sklearn.exceptions import DataConversionWarning

        warnings.warn("A column-vector y was passed when a 1d array was expected", DataConversionWarning, stacklevel=3)
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) != len(given.vectors):
        raise ValueError(f"labels {labels.shape} for {len(given.vectors)} movements: one for each is needed")
    return labels


def _classes(labels: np.ndarray) -> tuple[np.ndarray, Int64[np.ndarray, " n"]]:
    if labels.dtype == object and len({type(one) for one in labels.tolist()}) > 1:
        raise ValueError("labels are of several kinds: text, or whole numbers, for all of them")
    if labels.dtype == object and len(labels) and isinstance(labels[0], str):
        labels = labels.astype(str)
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        what = f"one class ('{shown(str(classes[0]))}')" if len(classes) else "no class"
        raise ValueError(f"the {len(labels)} labels have {what}: two or more are needed to tell one from another")
    return classes, np.asarray(codes, dtype=np.int64).reshape(-1)
