"""Timing several ways to do the same thing in turn, so that their ratios hold on a machine whose speed drifts."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        model = platform.processor()
    return {"processor": model, "cores": os.cpu_count(), "python": platform.python_version()}


def in_turn(
    ways: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one that does not count unless they are `warm` already."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds if warm else rounds + 1):
        for name, work in ways.items():
            began = clock()
            work()
            if warm or round_:
                seconds[name].append(clock() - began)
    return seconds


def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    """Round by round."""
    return spread([one / other for one, other in zip(slow, fast, strict=True)])


def pair(
    ours: Callable[[], object],
    other: Callable[[], object],
    rounds: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Seconds of both, in turn, after one round that does not count; `ratio` is other / ours."""
    seconds = in_turn({"ours": ours, "other": other}, rounds, clock=clock)
    return {
        "rounds": rounds,
        "ours_seconds": spread(seconds["ours"]),
        "other_seconds": spread(seconds["other"]),
        "ratio": ratio(seconds["other"], seconds["ours"]),
    }


def spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 5),
        "least": round(min(values), 5),
        "most": round(max(values), 5),
    }
