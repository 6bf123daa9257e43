"""The adjacency of a skeleton graph, split into the three parts of ST-GCN's spatial configuration."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from kinestream.skeleton.layout import SkeletonLayout

Partition = Literal["one-hop", "distance"]


def adjacency(layout: SkeletonLayout, partition: Partition = "one-hop") -> Float[np.ndarray, "3 v v"]:
    """`A[k, i, j]`, the weight from joint i to joint j in part k.

    The graph has every bone in both directions and a self link at each joint; each column j is divided by its number
    of entries. With d(i) the distance to the root, part 0 holds i = j, part 2 the links with d(i) < d(j), part 1 all
    others.

    `partition="one-hop"` is the published code's and what its weights need: d is 0 at the root, 1 at its neighbours and
    infinite, hence equal, everywhere else. `"distance"` takes the true number of hops, as the ST-GCN paper (Yan et al.
    2018, section 3.3) describes it.
    """
    count = len(layout.joints)
    links = np.eye(count)
    for child, parent in layout.bones:
        links[child, parent] = links[parent, child] = 1.0
    weights = links / links.sum(axis=0, keepdims=True)

    depths = np.asarray(layout.depths, dtype=np.float64)
    if partition == "one-hop":
        # NOTE(deviation 9): the published hop matrix is cut at one hop, so nearly all limb links fall into part 1.
        depths = np.where(depths > 1, np.inf, depths)
    own = np.eye(count, dtype=bool)
    outward = depths[:, None] < depths[None, :]
    return np.stack([weights * own, weights * (~own & ~outward), weights * outward])
