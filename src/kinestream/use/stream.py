"""Groups or labels of movement while it happens: causal, with a latency known beforehand."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32

from kinestream.data.recording import Recording
from kinestream.distributed.launch import Device, device_named
from kinestream.features.sticky import StickyWalker, with_nobody
from kinestream.features.windows import ClipForm, window_features
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.use.segment import SWITCH, WINDOW, frames_of, joined_as_they_are, switch_cost
from kinestream.use.segments import Segments
from kinestream.use.states import NOBODY, Labeller, LabelStates, States

if TYPE_CHECKING:
    from kinestream.use.model import Model

LAG = 1.0
"""Window lengths that a decision waits for what follows."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """A piece begins (`end` is None), or the last one has ended. Seconds and frames count from the first frame."""

    group: int
    """-1 where nobody is seen."""
    label: str
    """Its name, or the predicted label; empty where it has none."""
    start: float
    start_frame: int
    end: float | None
    end_frame: int | None
    certainty: float
    """From 0 to 1: of the window that began it, or the mean of the whole piece."""
    frame: int
    """The newest frame that had come when this was told."""

    @property
    def is_over(self) -> bool:
        return self.end is not None


class Stream:
    """Events of frames that come one at a time; `for event in stream`.

    A frame belongs to the window whose middle is nearest. It is decided `latency_frames` after it came at the latest:
    the half of that window which follows, half a hop, and `lag` windows more that may change the decision.
    """

    def __init__(
        self,
        model: "Model",
        frames: Iterable[np.ndarray],
        *,
        fps: float | int,
        using: Segments | None = None,
        labels: Labeller | None = None,
        window: float | int | None = None,
        hop: float | int | None = None,
        lag: float | int | None = None,
        switch: float | int = SWITCH,
        threshold: float = 0.5,
        layout: str | Path | SkeletonLayout | None = None,
        device: Device = "auto",
    ) -> None:
        """See `Model.stream`."""
        if (using is None) == (labels is None):
            raise ValueError(
                "a stream needs groups or labels that are known: using=, what segment gave, or labels=, a classifier"
            )
        if not 0 < fps < np.inf:
            raise ValueError(f"{fps} frames a second: above 0 is needed")
        if using is not None:
            window = using.window / using.rate if window is None else window
            hop = using.hop / using.rate if hop is None else hop
        self._states: States = using.states if using is not None else LabelStates.of(_given(labels), threshold)
        self.rate = float(fps)
        self.window, self.hop = frames_of(WINDOW if window is None else window, hop, self.rate)
        seconds = LAG * self.window / self.rate if lag is None else lag
        if not 0 <= seconds < np.inf:
            raise ValueError(f"a lag of {lag} s: 0 or more is needed")
        self.lag = round(seconds * self.rate / self.hop)
        self._switch = switch_cost(switch, self.window, self.hop)
        self._layout = model.layout if layout is None else load_layout(layout)
        self._model, self._frames, self._device = model, frames, device_named(device)

    @property
    def latency_frames(self) -> int:
        """How many frames come after a frame, at most, until it is decided what it belongs to; of those before the
        middle of the first window up to half a window more. What the encoder needs for a window comes on top."""
        return (self.window + self.hop) // 2 - 1 + self.lag * self.hop

    @property
    def latency_seconds(self) -> float:
        return self.latency_frames / self.rate

    def __iter__(self) -> Iterator[Event]:
        """Raises ValueError for a frame of another shape than (v, 3) or (m, v, 3), or than the one before it."""
        track = _Track(self._states, self.rate)
        walker = StickyWalker(len(self._states.numbers) + 1, self._switch)
        held: list[Float[np.ndarray, "m v c"]] = []
        certain: list[Float[np.ndarray, " k"]] = []
        count = windows = 0
        for given in self._frames:
            held.append(_frame(given, held, count, self._layout))
            count += 1
            del held[: -self.window]
            if count < self.window or (count - self.window) % self.hop:
                continue
            certain.append(self._walk(walker, held))
            windows += 1
            walker.forget(self.lag)
            if windows > self.lag:
                state = walker.state_before(self.lag)
                yield from track.decide(state, certain.pop(0)[state], self._bound(windows - self.lag - 1), count)
        if count and not windows:  # shorter than a window: all of it is one
            certain.append(self._walk(walker, held))
        for place, left in enumerate(range(len(certain) - 1, -1, -1)):
            state = walker.state_before(left)
            yield from track.decide(state, certain[place][state], self._bound(windows - left - 1), count)
        yield from track.end(count)

    def _bound(self, place: int) -> int:
        """The first frame that is nearer to the middle of this window than to that of the one before it."""
        if place <= 0:
            return 0
        return int(np.floor((place - 0.5) * self.hop + (self.window - 1) / 2)) + 1

    def _walk(self, walker: StickyWalker, held: list[np.ndarray]) -> Float[np.ndarray, " k"]:
        """Takes the step of the window that the frames held are; gives how certain each state is in it."""
        recording = Recording(np.stack(held), self._layout, fps=self.rate)
        card = next(iter(self._model.cards.values()))
        features, usable = window_features(
            self._model.encoders,
            recording,
            np.zeros(1, dtype=np.int64),
            len(held),
            ClipForm.of(card),
            readout=card.readout,
            device=self._device,
        )
        states = len(self._states.numbers)
        costs, certain = np.zeros((1, states)), np.zeros((1, states))
        if usable.any():
            joined = self._model.joined if isinstance(self._states, LabelStates) else joined_as_they_are
            costs, certain = self._states.judge(joined(features))
        walker.step(with_nobody(costs, usable)[0])
        return np.append(certain[0], 1.0)


class _Track:
    """From states of windows to events."""

    def __init__(self, states: States, rate: float) -> None:
        self._numbers = (*states.numbers, NOBODY)
        self._names = states.names
        self._rate = rate
        self._group: int | None = None
        self._start = 0
        self._certain: list[float] = []

    def decide(self, state: int, certain: float, first: int, count: int) -> Iterator[Event]:
        """The window whose frames begin with `first` is in this state."""
        group = self._numbers[state]
        if group != self._group:
            yield from self._over(first, count)
            self._group, self._start, self._certain = group, first, []
            yield self._event(None, float(certain), count)
        self._certain.append(float(certain))

    def end(self, count: int) -> Iterator[Event]:
        """There are no more frames."""
        yield from self._over(count, count)

    def _over(self, end: int, count: int) -> Iterator[Event]:
        if self._group is not None:
            yield self._event(end, float(np.mean(self._certain)), count)

    def _event(self, end: int | None, certain: float, count: int) -> Event:
        group = NOBODY if self._group is None else self._group
        return Event(
            group=group,
            label=self._names.get(group, ""),
            start=self._start / self._rate,
            start_frame=self._start,
            end=None if end is None else end / self._rate,
            end_frame=end,
            certainty=certain,
            frame=count - 1,
        )


def _frame(
    given: np.ndarray, held: list[np.ndarray], number: int, layout: SkeletonLayout
) -> Float32[np.ndarray, "m v c"]:
    try:
        frame = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"frame {number}: an array of numbers is needed, not {type(given).__name__}") from None
    frame = frame[None] if frame.ndim == 2 else frame
    wanted = (len(layout.joints), 3)
    if frame.ndim != 3 or frame.shape[1:] != wanted or not len(frame) or np.isinf(frame).any():
        raise ValueError(
            f"frame {number} has shape {np.shape(given)}: {wanted} or (people, {wanted[0]}, 3) of finite positions, "
            f"NaN where unseen, of layout {layout.name} are needed"
        )
    if held and held[-1].shape != frame.shape:
        raise ValueError(
            f"frame {number} has {len(frame)} people and those before it {len(held[-1])}: keep a place for each, all "
            "zero where one is not there"
        )
    return frame


def _given(labels: Labeller | None) -> Labeller:
    assert labels is not None, "one of the two is given"
    return labels
