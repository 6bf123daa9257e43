"""The cheapest path through states where every change costs: labels over time that do not flicker.

w steps in time, k states. What a state costs at a step is given; a change from one to any other costs `switch`, and
staying nothing. This is Viterbi's algorithm for a hidden Markov model whose changes are all as likely.
"""

import numpy as np
from jaxtyping import Bool, Float, Int64

Costs = Float[np.ndarray, "w k"]
Path = Int64[np.ndarray, " w"]


def sticky_path(costs: Costs, switch: float) -> Path:
    """The state of each step: the path whose costs and changes sum to the least. An infinite cost forbids a state; of
    equals the lower state is taken, and staying before changing.

    Raises ValueError for a negative `switch`, costs that are not numbers, or a step at which no state is allowed.

    Example:
        >>> costs = np.array([[0, 1], [0.6, 0.4], [0, 1], [1, 0], [1, 0.0]])
        >>> sticky_path(costs, 0.0).tolist(), sticky_path(costs, 0.5).tolist()
        ([0, 1, 0, 1, 1], [0, 0, 0, 1, 1])
    """
    walker = StickyWalker(costs.shape[1], switch)
    for row in costs:
        walker.step(row)
    return walker.path()


class StickyWalker:
    """The same step by step: `step` takes the costs of the next moment, `path` tells the cheapest path so far, and
    `state_before` what it was some steps ago, which is all that a causal decision needs."""

    def __init__(self, states: int, switch: float) -> None:
        if not 0 <= switch < np.inf:
            raise ValueError(f"a change that costs {switch}: it must be 0 or more, and finite")
        self._switch = switch
        self._least = np.zeros(states)
        self._back: list[Int64[np.ndarray, " k"]] = []

    def __len__(self) -> int:
        """Steps taken."""
        return len(self._back)

    def step(self, costs: Float[np.ndarray, " k"]) -> None:
        """Raises ValueError for costs that are not numbers, or none of which is finite."""
        if np.isnan(costs).any() or not np.isfinite(costs).any():
            raise ValueError(f"step {len(self)} of a path: no state is allowed, or a cost is not a number")
        cheapest = int(np.argmin(self._least))
        change = self._least[cheapest] + self._switch
        stays = self._least <= change
        first = not self._back
        self._back.append(np.where(stays, np.arange(len(costs)), cheapest))
        self._least = (0.0 if first else np.where(stays, self._least, change)) + costs
        self._least -= self._least.min()  # only differences count, and sums would lose digits over hours

    def path(self) -> Path:
        """Raises ValueError before the first step."""
        if not self._back:
            raise ValueError("a path of no steps: there is nothing to decide")
        state = int(np.argmin(self._least))
        states = [state]
        for back in reversed(self._back[1:]):
            state = int(back[state])
            states.append(state)
        return np.array(states[::-1], dtype=np.int64)

    def state_before(self, steps: int) -> int:
        """The state `steps` before the last, on the path that is cheapest now."""
        if not 0 <= steps < len(self):
            raise ValueError(f"{steps} steps back of {len(self)}")
        state = int(np.argmin(self._least))
        for back in reversed(self._back[len(self) - steps :]):
            state = int(back[state])
        return state

    def forget(self, steps: int) -> None:
        """Keeps what is needed to look back `steps`, so that memory does not grow with time."""
        del self._back[: max(0, len(self._back) - steps - 1)]


def with_nobody(costs: Costs, usable: Bool[np.ndarray, " w"]) -> Float[np.ndarray, "w _"]:
    """One more state, the last: that nobody is seen. It is the only one where a window is not usable, and forbidden
    elsewhere."""
    shown = np.where(usable[:, None], costs, np.inf)
    return np.concatenate((shown, np.where(usable, np.inf, 0.0)[:, None]), axis=1)
