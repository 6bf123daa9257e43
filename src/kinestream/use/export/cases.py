"""Made-up recordings, and what a model makes of them: an exported file is compared with it before it gets its name."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float32

from kinestream.data.held import clip_of
from kinestream.data.preparation import preparation_of
from kinestream.data.recording import Recording
from kinestream.features.extract import compute_features
from kinestream.features.neighbours import side_by_side
from kinestream.features.whitening import Whitening
from kinestream.features.windows import PreparedClips
from kinestream.models.encoder import Encoder
from kinestream.models.readout import Readout
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.skeleton.pose import standing

BATCHES = (1, 3, 17)
Batch = Float32[np.ndarray, "n t m v 3"]


def recordings(layout: SkeletonLayout, *, frames: int, people: int, seed: int = 0) -> list[Recording]:
    """As many as the largest of `BATCHES`: bodies that stand somewhere in the room and sway, shorter and longer than a
    clip. By turns the last body is never there, comes late, goes early, or is out of sight for a while."""
    rng = np.random.default_rng(seed)
    pose = standing(layout)
    made = []
    for number in range(max(BATCHES)):
        length = int(rng.integers(max(frames // 2, 2), 2 * frames + 1)) if number else frames
        time = np.linspace(0, 2 * np.pi, length)[:, None, None, None]
        shape = (1, people, len(pose), 3)
        sway = rng.uniform(0.02, 0.2, shape) * np.sin(rng.uniform(0.5, 2, shape) * time + rng.uniform(0, 6, shape))
        joints = pose + sway + rng.uniform(-2, 2, (1, people, 1, 3)) * (1, 0.05, 1)
        third = max(length // 3, 1)
        away = (slice(0, length), slice(0, third), slice(length - third, length), slice(third, 2 * third), slice(0))
        if people > 1:
            joints[away[number % 5], -1] = 0
        elif number % 5 == 3:
            joints[third : 2 * third] = 0
        made.append(Recording(joints.astype(np.float32), layout, name=str(number)))
    return made


def batch(some: Sequence[Recording], *, shorter: bool = True) -> Batch:
    """One array: the bodies that are not there and the frames after a recording has ended are zero. Bodies that no
    recording has are left out, unless not `shorter`."""
    most = max(len(one) for one in some)
    joints = np.stack([np.pad(one.joints, ((0, most - len(one)), (0, 0), (0, 0), (0, 0))) for one in some])
    there = joints.any(axis=(0, 1, 3, 4))
    bodies = int(np.flatnonzero(there)[-1]) + 1 if shorter else joints.shape[2]
    return np.ascontiguousarray(joints[:, :, :bodies], dtype=np.float32)


def expected(
    encoders: Mapping[str, Encoder],
    some: list[Recording],
    *,
    layout: SkeletonLayout,
    frames: int,
    rate: float | None,
    people: int,
    preparation: str,
    readout: Readout,
    whitening: Mapping[str, Whitening],
) -> Float32[np.ndarray, "n d"]:
    """The embeddings as kinestream computes them."""
    chosen = preparation_of(preparation)
    made = np.stack([clip_of(one, frames, layout, chosen, people, partly=True) for one in some])
    clips = PreparedClips(clips=made, layout=layout, rate=rate)
    features = {
        stream: torch.from_numpy(rows) for stream, rows in compute_features(encoders, clips, readout=readout).items()
    }
    if whitening:
        features = {stream: whitening[stream](rows) for stream, rows in features.items()}
    return (side_by_side(features) / len(features) ** 0.5).numpy()
