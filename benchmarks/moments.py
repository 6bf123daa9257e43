"""Groups of moments instead of windows: `python -m benchmarks.moments ALL_SQE ENCODER [--orders N]`.

Encoders have a map over time, so there can be a feature for each moment. Every window is cut into eight moments, one a
hop long; the feature of one is what the encoder makes of that part of its map and of the parts beside it, and the
moments of all windows that show the same frames are averaged. Groups are then found in moments as in windows: compare
both on the training people of `benchmarks.segmentation`, by whom settings are chosen.
"""

import argparse
import json
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.joined import joined, read_clips
from benchmarks.segmentation import FIGURES, SEEN_VIEWS, TRAINING, Rows, scores, sticky_groups, summary
from kinestream.evaluate.tracks import matched_track
from kinestream.features.windows import windows_of_frames
from kinestream.models.encoder import Encoder
from kinestream.use.model import Model, load
from kinestream.use.segment import HOPS, SWITCH, WINDOW, Windowed, embed_windows

SWITCHES = (SWITCH, 0.35)


class Looks(Encoder):
    """The feature of a clip, and those of its moments, one after the other."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__((1 + HOPS) * encoder.dim)
        self.encoder = encoder

    @property
    def leaves_out_absent(self) -> bool:
        return self.encoder.leaves_out_absent

    def forward(self, x: Float[Tensor, "n c t v m"]) -> Float[Tensor, "n dim"]:
        moments = [partial(_moment, number=number) for number in range(HOPS)]
        every = self.encoder.variants(x, None, *moments)
        return torch.cat([torch.nn.functional.normalize(one, dim=1) for one in every], dim=1)


class Ways(NamedTuple):
    """Rows of one recording, and which row each frame belongs to."""

    rows: Rows
    of_frames: np.ndarray


def main(raw: Path, encoder: str, orders: int) -> dict[str, Any]:
    """What is printed: mean and sample deviation of the orders of the clips."""
    trained, clips = load(encoder), read_clips(raw)
    looking = Model("looks", {stream: Looks(one) for stream, one in trained.encoders.items()}, trained.cards)
    made: dict[str, list[dict[str, float]]] = {}
    for order in range(orders):
        found: dict[str, list[dict[str, float]]] = {}
        for one in joined(clips, TRAINING, SEEN_VIEWS, order):
            windows = embed_windows(looking, one.recording, window=WINDOW)
            count = len(np.unique(one.truth))
            for name, way in ways(windows, len(trained.encoders), len(one.truth)).items():
                for switch in SWITCHES:
                    groups = sticky_groups(windows, count, rows=way.rows, switch=switch)
                    track = matched_track(groups[way.of_frames], one.truth)
                    found.setdefault(f"{name}, switch {switch:g}", []).append(scores(track, one.truth))
        for name, some in found.items():
            made.setdefault(name, []).append({key: statistics.fmean(row[key] for row in some) for key in FIGURES})
    told = {name: summary(some) for name, some in made.items()}
    return {"benchmark": "moments", "recipe": trained.card.recipe, "orders": orders, "mean": told}


def ways(windows: Windowed, streams: int, frames: int) -> dict[str, Ways]:
    """Windows, moments, and moments of which each stream is seen from its mean."""
    looks = windows.rows.reshape(len(windows.rows), streams, 1 + HOPS, -1)
    looks = looks / np.linalg.norm(looks, axis=3, keepdims=True)
    moments = overlapping(looks[:, :, 1:])
    of_frames = np.minimum(np.arange(frames) // windows.hop, len(moments) - 1)
    centred = moments - moments.mean(axis=0)
    return {
        "windows": Ways(_side_by_side(looks[:, :, 0]), windows_of_frames(windows.starts, windows.size, frames)),
        "moments": Ways(_side_by_side(moments), of_frames),
        "moments, streams centred": Ways(_side_by_side(centred), of_frames),
    }


def overlapping(looks: Float[np.ndarray, "w s p d"]) -> Float[np.ndarray, "q s d"]:
    """The mean of each moment over the windows that show it, where every window begins a moment later."""
    count, parts = len(looks), looks.shape[2]
    total = np.zeros((count + parts - 1, *looks.shape[1::2]))
    seen = np.zeros((len(total), 1, 1))
    for part in range(parts):
        total[part : part + count] += looks[:, :, part]
        seen[part : part + count] += 1
    return total / seen


def _moment(y: Tensor, *, number: int) -> Tensor:
    """A part of a map `(s, u, b, d)` and those beside it."""
    places = len(y)
    first = max(0, number - 1) * places // HOPS
    return y[first : max(first + 1, min(HOPS, number + 2) * places // HOPS)]


def _side_by_side(rows: Float[np.ndarray, "q s d"]) -> Rows:
    units = rows / np.maximum(np.linalg.norm(rows, axis=2, keepdims=True), 1e-9)
    return units.reshape(len(rows), -1) / rows.shape[1] ** 0.5


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.moments")
    parser.add_argument("raw", type=Path)
    parser.add_argument("encoder")
    parser.add_argument("--orders", type=int, default=3)
    words = parser.parse_args()
    torch.set_num_threads(1)
    try:
        report = main(words.raw, words.encoder, words.orders)
    except ValueError as error:
        sys.exit(f"benchmarks.moments: {error}")
    print(json.dumps(report, indent=1))
