"""Where hands go: places about the body, as (outward, up, forward) from the shoulder in arm lengths."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from kinestream.data.synthetic.stance import Place

ANCHORS: Mapping[str, Place] = MappingProxyType(
    {
        "mouth": (-0.15, 0.22, 0.38),
        "ear": (-0.06, 0.27, 0.12),
        "brow": (0.05, 0.42, 0.3),
        "crown": (-0.18, 0.62, 0.08),
        "nape": (-0.12, 0.3, -0.18),
        "own shoulder": (0.05, 0.05, 0.25),
        "other shoulder": (-0.58, -0.02, 0.25),
        "other elbow": (-0.62, -0.42, 0.3),
        "other wrist": (-0.4, -0.35, 0.55),
        "chest": (-0.3, -0.12, 0.3),
        "belly": (-0.3, -0.5, 0.3),
        "hip": (0.02, -0.62, 0.08),
        "small of the back": (-0.22, -0.68, -0.24),
        "thigh": (0.0, -0.85, 0.3),
        "low before": (-0.05, -0.6, 0.6),
        "before": (-0.1, -0.05, 0.92),
        "high before": (-0.05, 0.55, 0.72),
        "across": (-0.62, -0.12, 0.6),
        "up": (0.03, 0.96, 0.1),
        "joined above": (-0.25, 0.9, 0.12),
        "up and out": (0.66, 0.66, 0.0),
        "out": (0.95, 0.02, 0.08),
        "out and before": (0.65, -0.02, 0.65),
        "out and low": (0.6, -0.7, 0.05),
        "hanging": (0.16, -0.95, 0.06),
        "behind": (0.2, -0.55, -0.68),
        "out and behind": (0.75, -0.1, -0.45),
        "as if to throw": (0.45, 0.4, -0.3),
    }
)

_PLACES = np.array(list(ANCHORS.values()))


def somewhere(rng: np.random.Generator) -> Float[np.ndarray, " 3"]:
    """A place that a hand may go to: near one of the anchors, or anywhere an arm reaches."""
    if rng.random() < 0.65:
        place = _PLACES[int(rng.integers(len(_PLACES)))] + 0.08 * rng.standard_normal(3)
    else:
        direction = rng.standard_normal(3)
        direction[2] = abs(direction[2]) if rng.random() < 0.8 else direction[2]
        direction[0] += 0.3
        place = rng.uniform(0.45, 1.0) * direction / np.linalg.norm(direction)
    result: Float[np.ndarray, " 3"] = place
    return result
