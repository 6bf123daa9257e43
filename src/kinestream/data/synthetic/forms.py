"""The same body as different sensors mark it: where exactly a joint is meant differs from one to the next.

Shapes: t frame, v joint; metres.
"""

import numpy as np
from jaxtyping import Float

from kinestream.skeleton.layout import NTU25

BY_PICTURE = 0.3
"""Share of the forms in which the trunk is known by hips and shoulders alone, as pose estimators have it."""

_SIDES = ("left", "right")


def any_form(joints: Float[np.ndarray, "t 25 3"], rng: np.random.Generator) -> Float[np.ndarray, "t 16 3"]:
    """The joints of the layout body16 out of those of NTU25, as one of many sensors would mark them: pelvis between its
    bone and the hips, spine lower or higher, neck from the shoulders to the throat, head from the chin to above the
    crown, wrists and ankles a little up or down the limb, hips and shoulders narrower or wider apart."""
    at = {name: joints[:, v] for v, name in enumerate(NTU25.joints)}
    hips, shoulders = (sum(at[f"{side}_{joint}"] for side in _SIDES) / 2 for joint in ("hip", "shoulder"))
    ahead = np.cross(at["right_shoulder"] - at["left_shoulder"], at["spine_shoulder"] - at["spine_base"])
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    spread = {"hip": rng.uniform(0.8, 2.0), "shoulder": rng.uniform(0.88, 1.12)}
    throat = at["head"] - at["neck"]
    if rng.random() < BY_PICTURE:
        pelvis, neck = hips, shoulders + rng.uniform(0, 0.2) * (at["neck"] - shoulders)
        spine = (pelvis + neck) / 2
        head = at["head"] + rng.uniform(0.02, 0.12) * ahead - rng.uniform(0, 0.6) * throat
    else:
        pelvis = at["spine_base"] + rng.uniform(0, 1) * (hips - at["spine_base"])
        neck = at["spine_shoulder"] + rng.uniform(0, 1) * (at["neck"] - at["spine_shoulder"])
        spine = at["spine_mid"] + rng.uniform(-0.15, 0.15) * (neck - pelvis)
        head = at["neck"] + rng.uniform(0.7, 1.5) * throat + rng.uniform(-0.02, 0.08) * ahead
    hand, foot = rng.uniform(-0.1, 0.6), rng.uniform(-0.05, 0.25)
    marked = {"pelvis": pelvis, "spine": spine, "neck": neck, "head": head}
    for side in _SIDES:
        marked |= {f"{side}_{joint}": at[f"{side}_{joint}"] for joint in ("elbow", "knee")}
        for joint, middle in (("hip", hips), ("shoulder", shoulders)):
            marked[f"{side}_{joint}"] = middle + spread[joint] * (at[f"{side}_{joint}"] - middle)
        for joint, end, share in (("wrist", "hand", hand), ("ankle", "foot", foot)):
            start = at[f"{side}_{joint}"]
            marked[f"{side}_{joint}"] = start + share * (at[f"{side}_{end}"] - start)
    return np.stack([marked[name] for name in BODY16], axis=1)


BODY16 = (
    *("pelvis", "spine", "neck", "head"),
    *(f"left_{joint}" for joint in ("shoulder", "elbow", "wrist")),
    *(f"right_{joint}" for joint in ("shoulder", "elbow", "wrist")),
    *(f"left_{joint}" for joint in ("hip", "knee", "ankle")),
    *(f"right_{joint}" for joint in ("hip", "knee", "ankle")),
)
"""The joints of the layout of that name, in its order."""
