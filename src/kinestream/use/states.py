"""What a moment of a recording may be: one of some groups, or one of some labels.

Both give a cost to each state at each window, for the cheapest path (`features.sticky`), and say how certain it is.
w windows, d numbers of an embedding, k states.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

NOBODY = -1
"""The number of frames in which nobody is seen."""
BACKGROUND = "background"

Rows = Float[np.ndarray, "w d"]
ByState = Float[np.ndarray, "w k"]


@runtime_checkable
class Labeller(Protocol):
    """What predicts labels from embeddings, in scikit-learn's form."""

    @property
    def classes_(self) -> Any: ...
    def predict_proba(self, embeddings: Any, /) -> Any: ...


@runtime_checkable
class States(Protocol):
    """What a path may go through."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The integer that a frame of each state gets; several states may share one."""
        ...

    @property
    def names(self) -> Mapping[int, str]:
        """Of the numbers, where they have one."""
        ...

    @property
    def background(self) -> int | None:
        """The number of what is no label."""
        ...

    def judge(self, rows: Rows) -> tuple[ByState, ByState]:
        """What each state costs at each window, and how certain it is there, from 0 to 1."""
        ...

    def renumbered(self, numbers: Mapping[int, int], names: Mapping[int, str]) -> "States":
        """With other numbers and names."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupStates:
    """Groups of movements by the centres of their embeddings, seen from `origin`.

    A state costs the squared distance to its centre in units of `spread`. It is certain as far as its centre is nearer
    than that of the next group: 1 - own / next distance, 0 where another is nearer.
    """

    centres: Float[np.ndarray, "k d"]
    origin: Float[np.ndarray, " d"] | None = None
    """Whence embeddings are compared, by their direction from there; None for embeddings as they are."""
    spread: float
    """Mean squared distance from a window to the nearest centre, where the groups were found."""
    numbers: tuple[int, ...]
    names: Mapping[int, str]
    background: None = None

    def judge(self, rows: Rows) -> tuple[ByState, ByState]:
        squares = squared_distances(rows if self.origin is None else directions(rows, self.origin), self.centres)
        groups = np.array(self.numbers)
        certain = np.empty_like(squares)
        for state in range(len(groups)):
            others = squares[:, groups != groups[state]]
            following = others.min(axis=1, initial=np.inf)
            own = squares[:, groups == groups[state]].min(axis=1)
            with np.errstate(invalid="ignore"):
                certain[:, state] = 1 - np.sqrt(np.where(own > 0, own / np.maximum(following, 1e-300), 0.0))
        return squares / self.spread, np.clip(certain, 0.0, 1.0)

    def renumbered(self, numbers: Mapping[int, int], names: Mapping[int, str]) -> "GroupStates":
        return replace(self, numbers=tuple(numbers.get(one, one) for one in self.numbers), names=dict(names))


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelStates:
    """The labels of a model. A state costs minus the logarithm of its probability. A class called "background" is the
    background; a model without one leaves to it what no label has at least `threshold` probability for."""

    labeller: Labeller
    threshold: float
    numbers: tuple[int, ...]
    names: Mapping[int, str]
    background: int

    @classmethod
    def of(cls, labeller: Labeller, threshold: float = 0.5) -> "LabelStates":
        """Raises ValueError for a model without classes or a method that tells probabilities, or a threshold outside
        (0, 1)."""
        if not isinstance(labeller, Labeller):
            raise ValueError(
                f"{type(labeller).__name__} predicts no probabilities of labels: give a fitted classifier, with "
                "classes_ and predict_proba"
            )
        if not 0 < threshold < 1:
            raise ValueError(f"a threshold of {threshold}: it must be above 0 and below 1")
        names = [str(name) for name in labeller.classes_]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"the model has {len(names)} classes: one or more are needed, none twice")
        every = names if BACKGROUND in names else [*names, BACKGROUND]
        return cls(
            labeller=labeller,
            threshold=threshold,
            numbers=tuple(range(len(every))),
            names=dict(enumerate(every)),
            background=every.index(BACKGROUND),
        )

    def judge(self, rows: Rows) -> tuple[ByState, ByState]:
        known = len(self.labeller.classes_)
        told = np.asarray(self.labeller.predict_proba(rows), dtype=np.float64)
        if told.shape != (len(rows), known) or not ((told >= 0) & (told <= 1 + 1e-6)).all():
            raise ValueError(
                f"the model gave {told.shape} for {len(rows)} windows and {known} classes: probabilities from 0 to 1, "
                "a row for each window, are needed"
            )
        costs = -np.log(np.maximum(told, 1e-6))
        if len(self.numbers) == known:
            return costs, told
        nothing = 1 - told.max(axis=1, keepdims=True)
        threshold = np.full((len(rows), 1), -np.log(self.threshold))
        return np.concatenate((costs, threshold), axis=1), np.concatenate((told, nothing), axis=1)

    def renumbered(self, numbers: Mapping[int, int], names: Mapping[int, str]) -> "LabelStates":
        return replace(
            self,
            numbers=tuple(numbers.get(one, one) for one in self.numbers),
            names=dict(names),
            background=numbers.get(self.background, self.background),
        )


def directions(rows: Rows, origin: Float[np.ndarray, " d"]) -> Rows:
    """Unit vectors from the origin towards the rows; zero for a row that is there itself.

    Example:
        >>> directions(np.array([[3.0, 4.0], [0.0, 1.0]]), np.array([0.0, 1.0])).round(2).tolist()
        [[0.71, 0.71], [0.0, 0.0]]
    """
    away = rows.astype(np.float64) - origin
    lengths = np.linalg.norm(away, axis=1, keepdims=True)
    return np.divide(away, lengths, out=np.zeros_like(away), where=lengths > 1e-9)


def squared_distances(rows: Rows, centres: Float[np.ndarray, "k d"]) -> ByState:
    """Between every row and every centre."""
    a, b = rows.astype(np.float64), centres.astype(np.float64)
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.maximum(squares, 0.0)
