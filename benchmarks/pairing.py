"""Timing two ways to do the same thing in turn, so that their ratio holds on a machine whose speed drifts."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        model = platform.processor()
    return {"processor": model, "cores": os.cpu_count(), "python": platform.python_version()}


def pair(ours: Callable[[], object], other: Callable[[], object], rounds: int) -> dict[str, Any]:
    """Seconds of both, in turn, after one round that does not count; `ratio` is other / ours, round by round."""
    ours()
    other()
    seconds: dict[str, list[float]] = {"ours": [], "other": []}
    for _ in range(rounds):
        for name, work in (("ours", ours), ("other", other)):
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    ratios = [slow / fast for fast, slow in zip(seconds["ours"], seconds["other"], strict=True)]
    return {
        "rounds": rounds,
        "ours_seconds": spread(seconds["ours"]),
        "other_seconds": spread(seconds["other"]),
        "ratio": spread(ratios),
    }


def spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 5),
        "least": round(min(values), 5),
        "most": round(max(values), 5),
    }
