"""Archives of embeddings made for tests, with recordings on disk that they are of."""

from pathlib import Path
from typing import Any

import numpy as np
from tests.use.conftest import movement

from kinestream.use.archive import Embeddings
from kinestream.use.made_by import MadeBy, Reading
from kinestream.use.rows import Rows
from kinestream.use.vectors import Held

EVIL = "</script><b>wave & {{style}} \u2028'\""
KEPT = "</script><b>wave & {{style}} _'\""
"""As an archive keeps it, without what breaks a line."""


def made_by(dim: int, **changed: Any) -> MadeBy:
    known: dict[str, Any] = {
        "encoder": "e" * 64,
        "encoder_name": "mine",
        "encoder_path": "",
        "dim": dim,
        "streams": ("joint",),
        "layout": "kinect20",
        "frames": 20,
        "preparation": "tracked",
        "readout": "whole",
        "windows": None,
        "hop": None,
        "people": "together",
        "reading": Reading(layout="kinect20", fps=10.0),
    }
    return MadeBy(**{**known, **changed})


def archive(vectors: np.ndarray, made: MadeBy, **columns: Any) -> Embeddings:
    """Rows of these columns; of those that are not given nothing is known."""
    count = len(vectors)
    blank: dict[str, Any] = {name: [""] * count for name in ("file", "label", "subject", "camera", "session")}
    blank |= {"name": [f"move-{number:02}" for number in range(count)], "person": [0] * count}
    blank |= {"start": [0.0] * count, "end": [4.0] * count, "fps": [10.0] * count}
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return Embeddings(made, Rows.of({**blank, **columns}), Held((vectors / lengths).astype(np.float32)))


def kinds(count: int, dim: int = 6, seed: int = 0) -> np.ndarray:
    """Three kinds of vectors in turn, wide apart."""
    rng = np.random.default_rng(seed)
    return np.eye(3, dim)[np.arange(count) % 3] + rng.normal(0, 0.03, (count, dim))


def files(folder: Path, count: int, frames: int = 40) -> list[str]:
    """A recording each, 40 frames at 10 a second."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"move-{number:02}.npy" for number in range(count)]
    for number, path in enumerate(paths):
        np.save(path, movement(number, frames))
    return [path.as_posix() for path in paths]
