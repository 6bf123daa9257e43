"""How the scripts draw the packed joints of clips."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from kinestream.skeleton.layout import SkeletonLayout
from kinestream.viz.page.packing import PackedClips, text_of


def skeletons(
    packed: PackedClips, layouts: Sequence[SkeletonLayout], layout_of: Int64[np.ndarray, " n"]
) -> dict[str, Any]:
    """What is beside the joints themselves: which of the layouts each clip has, and how they hang together."""
    return {
        "frames": packed.frames,
        "unit": packed.unit,
        "bodies": text_of(packed.bodies, "<u1"),
        "of": text_of(layout_of, "<u1"),
        "layouts": [
            {
                "joints": len(one.joints),
                "bones": [list(bone) for bone in one.bones],
                "sides": list(one.bone_sides),
                "head": one.canonical.index("head") if "head" in one.canonical else None,
            }
            for one in layouts
        ],
    }
