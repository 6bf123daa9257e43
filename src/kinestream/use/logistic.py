"""Logistic regression on frozen features, and what it says of rows that were held out.

n rows, d numbers of a feature, k classes, s strengths.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

STRENGTHS = (1.0, 10.0, 100.0)
"""Inverse of the penalty on weights (C of scikit-learn), for features of mean squared length 1 about their mean."""
USUAL = 10.0
"""Where it cannot be chosen."""
_ITERATIONS = 300
_HOTTEST = 20.0

Rows = Float[np.ndarray, "n d"]
Codes = Int64[np.ndarray, " n"]
Logits = Float64[np.ndarray, "n k"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """From features to probabilities: softmax((x @ weights.T + bias) / temperature)."""

    weights: Float64[np.ndarray, "k d"]
    bias: Float64[np.ndarray, " k"]
    temperature: float
    strength: float

    def logits(self, rows: Rows) -> Logits:
        """Before the temperature."""
        return rows.astype(np.float64) @ self.weights.T + self.bias

    def probabilities(self, rows: Rows) -> Logits:
        return np.asarray(softmax(self.logits(rows) / self.temperature, axis=1))


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """What layers say of rows that they were not fitted to, by the strength of each."""

    strengths: tuple[float, ...]
    logits: Float64[np.ndarray, "s n k"]
    """-inf for a class that a row's layer does not know; nan for a row that was never held out."""
    fold: Int64[np.ndarray, " n"]
    """In which each row was held out; -1 for never."""
    labels: Codes

    @property
    def tested(self) -> Bool[np.ndarray, " n"]:
        return self.fold >= 0

    def best(self, among: Bool[np.ndarray, " n"]) -> tuple[int, float]:
        """The place of the strength with the best accuracy on these rows, of equal ones that with the best calibrated
        probabilities, and the temperature that calibrates it."""
        labels = self.labels[among]
        told = []
        for place, logits in enumerate(self.logits[:, among]):
            temperature = fit_temperature(logits, labels)
            right = float((logits.argmax(axis=1) == labels).mean())
            told.append((right, -_loss(logits / temperature, labels), place, temperature))
        _, _, place, temperature = max(told, key=lambda one: one[:2])
        return place, temperature

    def honest(self) -> tuple[Logits, Float64[np.ndarray, " n"]]:
        """Calibrated logits of the rows that were held out, and the temperature of each: strength and temperature of a
        fold are those that the other folds choose, so that no row has a say in what it is judged by."""
        logits = np.full(self.logits.shape[1:], np.nan)
        temperatures = np.full(len(logits), np.nan)
        folds = np.unique(self.fold[self.tested])
        for fold in folds.tolist():
            own = self.fold == fold
            others = self.tested & ~own if len(folds) > 1 else own
            place, temperature = self.best(others)
            logits[own] = self.logits[place, own] / temperature
            temperatures[own] = temperature
        return logits, temperatures


def fit_logistic(rows: Rows, labels: Codes, classes: int, strengths: Sequence[float]) -> list[Layer]:
    """A layer of each strength, uncalibrated. A class without rows gets a bias of -inf.

    Features are moved and scaled alike, so that a strength means the same whatever they are. With fewer rows than
    numbers the fit is made in the space of the rows: for a squared penalty it is the same.
    """
    there = np.unique(labels)
    rows = rows.astype(np.float64)
    mean = rows.mean(axis=0)
    centred = rows - mean
    scale = float(np.sqrt((centred**2).sum(axis=1).mean())) or 1.0
    centred /= scale
    basis = _basis(centred) if len(rows) < rows.shape[1] else None
    inputs = centred if basis is None else centred @ basis
    made = []
    fitter = LogisticRegression(max_iter=_ITERATIONS, warm_start=True, tol=1e-3)
    for strength in strengths:
        fitter.set_params(C=strength)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # separable classes: weights grow, decisions stay
            fitter.fit(inputs, labels)
        coefficients, intercepts = fitter.coef_, fitter.intercept_
        if len(there) == 2:  # the log-odds of the second: halves of it make a softmax of two
            coefficients = np.concatenate((-coefficients, coefficients)) / 2
            intercepts = np.concatenate((-intercepts, intercepts)) / 2
        weights, bias = np.zeros((classes, rows.shape[1])), np.full(classes, -np.inf)
        weights[there] = (coefficients if basis is None else coefficients @ basis.T) / scale
        bias[there] = intercepts - weights[there] @ mean
        made.append(Layer(weights=weights, bias=bias, temperature=1.0, strength=float(strength)))
    return made


def held_out(
    rows: Rows, labels: Codes, classes: int, folds: Sequence[Int64[np.ndarray, " q"]], strengths: Sequence[float]
) -> HeldOut:
    """Layers are fitted without each fold in turn, and asked about it."""
    logits = np.full((len(strengths), len(rows), classes), np.nan)
    fold = np.full(len(rows), -1, dtype=np.int64)
    for number, test in enumerate(folds):
        train = np.ones(len(rows), dtype=np.bool_)
        train[test] = False
        for place, layer in enumerate(fit_logistic(rows[train], labels[train], classes, strengths)):
            logits[place, test] = layer.logits(rows[test])
        fold[test] = number
    return HeldOut(strengths=tuple(strengths), logits=logits, fold=fold, labels=labels)


def fit_temperature(logits: Logits, labels: Codes) -> float:
    """The temperature (Guo et al. 2017) with the least loss on held-out rows; a weak prior keeps it near 1 where there
    are few. Rows of a class that their layer does not know are left out.

    Example:
        >>> overconfident = np.array([[9.0, 0.0]] * 50)
        >>> fit_temperature(overconfident, np.array([0] * 30 + [1] * 20)) > 5
        True
    """
    usable = np.isfinite(logits[np.arange(len(labels)), labels])
    if not usable.any():
        return 1.0
    some, known = logits[usable], labels[usable]

    def cost(log_temperature: float) -> float:
        return len(known) * _loss(some / np.exp(log_temperature), known) + log_temperature**2 / 2

    bound = float(np.log(_HOTTEST))
    return float(np.exp(minimize_scalar(cost, bounds=(-bound, bound), method="bounded").x))


def _loss(logits: Logits, labels: Codes) -> float:
    """Mean of minus the log-probabilities; a class that a layer does not know counts as one in a thousand."""
    told = np.asarray(log_softmax(logits, axis=1))[np.arange(len(labels)), labels]
    return float(-np.maximum(told, np.log(1e-3)).mean())


def _basis(centred: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "d r"]:
    """Orthonormal directions that the rows span."""
    squares, vectors = np.linalg.eigh(centred @ centred.T)
    kept = squares > 1e-10 * max(float(squares[-1]), 1e-300)
    return centred.T @ (vectors[:, kept] / np.sqrt(squares[kept]))
