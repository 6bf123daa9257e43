"""Long recordings in pieces: recurring groups without labels, or the labels of a model.

Embeddings of sliding windows, a cost of each group or label for each window, and the cheapest path through them on
which every change is paid for. A frame gets what the window has whose middle is nearest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64

from kinestream.data.recording import Recording, as_recordings
from kinestream.distributed.launch import Device, device_named
from kinestream.features.neighbours import side_by_side
from kinestream.features.sticky import sticky_path, with_nobody
from kinestream.features.windows import ClipForm, window_features, window_starts, windows_of_frames
from kinestream.progress import Progress, silent
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.use.grouping import find_groups
from kinestream.use.segments import Segments
from kinestream.use.states import NOBODY, Labeller, LabelStates, States

if TYPE_CHECKING:
    from kinestream.use.model import Model

WINDOW = 32 / 30
"""Seconds; chosen, as the next, on the training people of NW-UCLA (docs/explanation/segments.md)."""
SWITCH = 0.25
"""What a change costs: so many window lengths of being at the mean distance from a centre (of groups), or so many of
one unit of log-probability (of labels)."""
HOPS = 8
"""Windows that begin within the length of one."""

Moves = Recording | np.ndarray | Sequence[Recording] | Sequence[np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Windowed:
    """A recording and the embeddings of its windows."""

    recording: Recording
    rate: float
    size: int
    hop: int
    starts: Int64[np.ndarray, " w"]
    rows: Float32[np.ndarray, "w d"]
    """Unit vectors; zero where nobody is seen."""
    usable: Bool[np.ndarray, " w"]


def segment(
    model: "Model",
    moves: Moves,
    *,
    groups: int | None = None,
    labels: Labeller | None = None,
    using: Segments | None = None,
    window: float | int = WINDOW,
    hop: float | int | None = None,
    switch: float | int = SWITCH,
    threshold: float = 0.5,
    fps: float | int | None = None,
    layout: str | Path | SkeletonLayout | None = None,
    seed: int = 0,
    device: Device = "auto",
    progress: Progress = silent,
) -> list[Segments]:
    """The pieces of each recording; groups are common to all of them. See `Model.segment`."""
    if sum(given is not None for given in (groups, labels, using)) > 1:
        raise ValueError("groups=, labels= and using= exclude each other: give one of them, or none")
    if not 0 <= switch < np.inf:
        raise ValueError(f"switch ({switch}) must be 0 or more: 0 lets every window be for itself")
    if using is not None:
        window, hop = using.window / using.rate, using.hop / using.rate
    some = [
        embed_windows(
            model, one, window=window, hop=hop, fps=fps, whitened=labels is not None, device=device, progress=progress
        )
        for one in as_recordings(moves, layout)
    ]
    change = switch_cost(switch, some[0].size, some[0].hop)
    if using is not None:
        states = using.states
    elif labels is not None:
        states = LabelStates.of(labels, threshold)
    else:
        seen = [one.rows[one.usable] for one in some if one.usable.any()]
        if not seen:
            raise ValueError(f"recording {some[0].recording.name or 0}: nobody is seen in any window")
        states = find_groups(seen, groups, switch=change, centred=True, seed=seed).states
    return [_decoded(one, states, switch_cost(switch, one.size, one.hop)) for one in some]


def embed_windows(
    model: "Model",
    recording: Recording,
    *,
    window: float | int = WINDOW,
    hop: float | int | None = None,
    fps: float | int | None = None,
    whitened: bool = False,
    device: Device = "auto",
    progress: Progress = silent,
) -> Windowed:
    """The embedding of every window of a recording; `whitened` as `Model.embed` has it of a recording of that length,
    which is what classifiers learn from. Groups are found in features as they are, about their mean.

    Raises ValueError for a recording whose rate is not known, or windows of less than two frames.
    """
    rate = recording.fps or fps
    what = f"recording '{recording.name}'" if recording.name else "a recording"
    if rate is None or not 0 < rate < np.inf:
        raise ValueError(f"{what} has no frame rate, and windows are in seconds: give fps= (--fps)")
    size, step = frames_of(window, hop, float(rate))
    size = min(size, len(recording))
    starts = window_starts(len(recording), size, step)
    card = next(iter(model.cards.values()))
    features, usable = window_features(
        model.encoders,
        recording,
        starts,
        size,
        ClipForm.of(card),
        readout=card.readout,
        device=device_named(device),
        progress=lambda done, total: progress(f"windows of {recording.name or 'it'}", "windows", done, total),
    )
    rows = model.joined(features) if whitened else joined_as_they_are(features)
    return Windowed(recording=recording, rate=float(rate), size=size, hop=step, starts=starts, rows=rows, usable=usable)


def joined_as_they_are(features: Mapping[str, Float32[np.ndarray, "w _"]]) -> Float32[np.ndarray, "w d"]:
    """Unit vectors, the streams side by side, not whitened."""
    joined = side_by_side({stream: torch.from_numpy(rows) for stream, rows in features.items()})
    return (joined / len(features) ** 0.5).numpy()


def frames_of(window: float | int, hop: float | int | None, rate: float) -> tuple[int, int]:
    """Frames of a window and from one to the next, of so many seconds. Without a `hop`, an eighth of a window.

    Example:
        >>> frames_of(1.0, None, 30.0), frames_of(1.0, 0.5, 30.0)
        ((30, 4), (30, 15))
    """
    if not 0 < window < np.inf or not (hop is None or 0 < hop < np.inf):
        raise ValueError(f"windows of {window} s every {hop} s: both must be above 0")
    size = round(window * rate)
    if size < 2:
        raise ValueError(f"a window of {window:g} s is {size} frames at {rate:g} frames a second: 2 or more are needed")
    step = max(1, round(size / HOPS if hop is None else hop * rate))
    if step > size:
        raise ValueError(f"a hop of {hop} s leaves out frames between windows of {window:g} s: make it shorter")
    return size, step


def switch_cost(switch: float | int, size: int, hop: int) -> float:
    """Per window: windows that overlap tell the same several times over."""
    return float(switch) * size / hop


def _decoded(one: Windowed, states: States, switch: float) -> Segments:
    numbers = np.array([*states.numbers, NOBODY])
    rows = one.rows[one.usable]
    costs, certain = (np.zeros((len(one.starts), len(states.numbers))) for _ in range(2))
    if len(rows):
        costs[one.usable], certain[one.usable] = states.judge(rows)
    path = sticky_path(with_nobody(costs, one.usable), switch)
    certain = np.concatenate((certain, np.ones((len(certain), 1))), axis=1)[np.arange(len(path)), path]
    which = windows_of_frames(one.starts, one.size, len(one.recording))
    return Segments(
        recording=one.recording.name,
        frames=numbers[path][which].astype(np.int64),
        rate=one.rate,
        certainty=certain[which].astype(np.float32),
        names=dict(states.names),
        background=states.background,
        window=one.size,
        hop=one.hop,
        states=states,
    )
