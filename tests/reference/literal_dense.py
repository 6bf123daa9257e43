"""Dense decorrelation as its formulas say it: numpy, loops, no cleverness."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tests.reference.literal_contrast import vicreg

Array = NDArray[np.float64]


def moments(maps: Array, count: int) -> Array:
    """Of the map `(s, v, n, d)` of one body a clip the means over joints and over each of equal parts of the frames."""
    frames, joints, clips, size = maps.shape
    found = np.zeros((clips, count, size))
    for number in range(count):
        first = number * frames // count
        last = max(first + 1, (number + 1) * frames // count)
        for i in range(clips):
            rows = [maps[s, v, i] for s in range(first, last) for v in range(joints)]
            found[i, number] = sum(rows) / len(rows)
    return found


def joints(maps: Array) -> Array:
    frames, count, clips, size = maps.shape
    found = np.zeros((clips, count, size))
    for v in range(count):
        for i in range(clips):
            found[i, v] = sum(maps[s, v, i] for s in range(frames)) / frames
    return found


def most_similar(first: Array, second: Array) -> list[list[int]]:
    """For each moment of each clip the place of the nearest one in the other view."""
    found: list[list[int]] = []
    for a, b in zip(first, second, strict=True):
        cosines = [[float(x @ y) / math.sqrt(float(x @ x) * float(y @ y)) for y in b] for x in a]
        found.append([int(np.argmax(row)) for row in cosines])
    return found


def places_loss(z1: Array, z2: Array, weights: Sequence[float]) -> float:
    places = z1.shape[1]
    return sum(vicreg(z1[:, p], z2[:, p], *weights) for p in range(places)) / places
