"""Exact search of 100 queries among a million made-up vectors of 512 numbers, beside the product of both alone; what it
finds is compared with a sort of all cosines of some queries. Seconds of the processor, over all
threads, and of the clock."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.pairing import in_turn, machine, spread
from kinestream.use.nearest import nearest
from kinestream.use.vectors import Held, chunks

ROUNDS = 3
ROWS, DIM, QUERIES, TOP = 1_000_000, 512, 100, 10


def measure(rows: int = ROWS) -> dict[str, Any]:
    """Takes 2 GB of memory for the vectors."""
    rng = np.random.default_rng(0)
    vectors = np.empty((rows, DIM), np.float32)
    for start in range(0, rows, 20_000):
        vectors[start : start + 20_000] = rng.standard_normal((min(20_000, rows - start), DIM), dtype=np.float32)
    some = rng.choice(rows, QUERIES, replace=False)
    queries = vectors[some] + 0.1 * rng.standard_normal((QUERIES, DIM), dtype=np.float32)
    found = nearest(Held(vectors), queries, TOP)
    for query, places in zip(queries[:3], found[1][:3], strict=True):
        np.testing.assert_array_equal(np.argsort(-(vectors @ query), kind="stable")[:TOP], places)

    def product() -> None:
        for _, part in chunks(Held(vectors)):
            part @ queries.T

    ways: dict[str, Callable[[], object]] = {
        "search": lambda: nearest(Held(vectors), queries, TOP),
        "product_alone": product,
    }
    clocks = {"of the processor": time.process_time, "of the clock": time.perf_counter}
    seconds = {which: in_turn(ways, ROUNDS, clock=clock) for which, clock in clocks.items()}
    return {
        "machine": {**machine(), "threads": torch.get_num_threads()},
        "rows": rows,
        "numbers": DIM,
        "queries": QUERIES,
        "seconds": {which: {name: spread(own) for name, own in times.items()} for which, times in seconds.items()},
    }
