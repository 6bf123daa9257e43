"""The features of a run on a store: written into a file of their own, and what computing them would take."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64

from kinestream.data.clips import AnyClips
from kinestream.estimate import Estimate, peak_of_process
from kinestream.evaluate.session import Session
from kinestream.features.extract import compute_features
from kinestream.features.neighbours import side_by_side
from kinestream.files import check_writable, replacing
from kinestream.skeleton.layout import SkeletonLayout

_TIMED = 256


def write_features(session: Session, path: Path) -> None:
    """Writes an `.npz` that numpy reads without pickle, a row for each clip in the order of the store:

    - `name`, `label` (its class, empty where it has none) and `part` (`train`, `test` or empty), as text
    - `features` (n, d): all streams, of unit length each, side by side
    - `features_<stream>` (n, d) for each stream, where there are several

    They are read as the run's readout says, but for the whitening, which evaluations do by the training part.
    """
    check_npz(path)
    streams = session.of_run()
    table, classes = session.store.table, session.store.info.classes
    part = np.full(len(session.store), "", dtype="U5")
    if session.judged:
        part[session.train], part[session.test] = "train", "test"
    several = {f"features_{stream}": values.numpy() for stream, values in streams.items() if len(streams) > 1}
    content = {
        "name": np.array(list(table.name), dtype=np.str_),
        "label": np.array([classes[label] if label >= 0 else "" for label in table.label.tolist()], dtype=np.str_),
        "part": part,
        "features": side_by_side(streams).numpy(),
        **several,
    }
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **content)  # type: ignore[arg-type]


def check_npz(path: Path) -> None:
    """Raises ValueError for another suffix than .npz, and where the file cannot be written."""
    if path.suffix != ".npz":
        raise ValueError(f"{path}: the suffix '{path.suffix}' is not .npz")
    check_writable(path)


def estimate(session: Session) -> Estimate:
    """From the first clips. Keeps nothing but the clips beside the store, which every evaluation takes."""
    clips = session.clips
    some = _First(clips, min(_TIMED, len(clips)))
    encoders = session.encoders()
    began = time.monotonic()
    made = compute_features(encoders, some, readout=session.readout, device=session.device)
    seconds = time.monotonic() - began
    passes = 1 + session.baselines
    on_cuda = session.device.type == "cuda"
    return Estimate(
        makes=(
            ("features", str(session.source.folder.path / "features")),
            ("clips", f"{len(clips):,}"),
            ("streams", ", ".join(f"{stream} ({values.shape[1]})" for stream, values in made.items())),
            ("encoders", "the run's and the untrained one" if session.baselines else "the run's"),
        ),
        seconds=passes * seconds * len(clips) / len(some),
        memory=torch.cuda.max_memory_allocated(session.device) if on_cuda else peak_of_process(),
        disk=sum(4 * values.shape[1] for values in made.values()) * len(clips) * passes,
        timed=f"{len(some):,} clips on {session.device.type}, {seconds:.1f} s",
    )


@dataclass(frozen=True)
class _First:
    """The first clips of a store."""

    clips: AnyClips
    count: int

    @property
    def frames(self) -> int:
        return self.clips.frames

    @property
    def rate(self) -> float | None:
        return self.clips.rate

    @property
    def layout(self) -> SkeletonLayout:
        return self.clips.layout

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n t m v c"]:
        return self.clips.batch(indices)
