"""Skeletons: the joints of a sensor, how those of two sensors correspond, and the streams that encoders see.

A stream of your own is a function with the decorator `kinestream.skeleton.streams.stream`.
"""

from typing import Any

from kinestream.plugins import Registry

STREAMS: Registry[Any] = Registry(
    "stream",
    dict.fromkeys(
        (
            *("joint", "motion", "bone", "bone-motion", "distance", "distance-motion", "lagged-distance"),
            *("displacement", "cylindrical-motion"),
        ),
        "kinestream.skeleton.streams",
    ),
)
"""Each stream's record, a `kinestream.skeleton.streams.Stream`; its names are known without torch."""
