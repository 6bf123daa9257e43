"""Search of 100 queries: exact among a million made-up vectors of 512 numbers, beside the product of both alone, what
it finds compared with a sort of all cosines of some queries; and by the index of usearch among 50 000 clustered
vectors, with the share of the exact ten nearest that it finds. Seconds of the processor, over all threads, and of the
clock."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from benchmarks.pairing import in_turn, machine, spread
from kinestream.use.nearest import approximate, nearest
from kinestream.use.vectors import Held, chunks

ROUNDS = 3
ROWS, DIM, QUERIES, TOP = 1_000_000, 512, 100, 10
INDEXED, INDEXED_DIM = 50_000, 256
CLUSTERS, RANK = 500, 16
CLOCKS: Mapping[str, Callable[[], float]] = {"of the processor": time.process_time, "of the clock": time.perf_counter}


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
    return {
        "machine": {**machine(), "threads": torch.get_num_threads()},
        "rows": rows,
        "numbers": DIM,
        "queries": QUERIES,
        "seconds": _seconds(ways),
    }


def measure_index(rows: int = INDEXED) -> dict[str, Any]:
    """Builds it first, which takes a minute or more."""
    rng = np.random.default_rng(0)
    made = _clustered(rng, rows + QUERIES, INDEXED_DIM)
    queries, vectors = made[:QUERIES], Held(made[QUERIES:])
    began = {name: clock() for name, clock in CLOCKS.items()}
    index = approximate(vectors)
    built = {name: round(clock() - began[name], 2) for name, clock in CLOCKS.items()}
    exact, near = nearest(vectors, queries, TOP)[1], index.nearest(queries, TOP)[1]
    found = [len(np.intersect1d(one, other)) / TOP for one, other in zip(exact, near, strict=True)]
    ways: dict[str, Callable[[], object]] = {
        "exact": lambda: nearest(vectors, queries, TOP),
        "index": lambda: index.nearest(queries, TOP),
    }
    return {
        "machine": {**machine(), "threads": torch.get_num_threads()},
        "rows": rows,
        "numbers": INDEXED_DIM,
        "clusters": CLUSTERS,
        "queries": QUERIES,
        "recall_at_10": {"mean": round(float(np.mean(found)), 4), "least of a query": min(found)},
        "recall_told_to_users": round(index.recall, 4),
        "seconds_to_build": built,
        "seconds": _seconds(ways),
    }


def _seconds(ways: Mapping[str, Callable[[], object]]) -> dict[str, Any]:
    seconds = {which: in_turn(ways, ROUNDS, clock=clock) for which, clock in CLOCKS.items()}
    return {which: {name: spread(own) for name, own in times.items()} for which, times in seconds.items()}


def _clustered(rng: np.random.Generator, rows: int, dim: int) -> np.ndarray:
    """Unit vectors like embeddings: clusters of unequal size, each wide in few directions of its own, and all of them
    around a common mean."""
    shares = rng.dirichlet(np.full(CLUSTERS, 0.5))
    cluster = rng.choice(CLUSTERS, rows, p=shares)
    centres = 1 + rng.standard_normal((CLUSTERS, dim), dtype=np.float32)
    made = 0.1 * rng.standard_normal((rows, dim), dtype=np.float32)
    for one in range(CLUSTERS):
        mine = cluster == one
        directions = rng.standard_normal((RANK, dim), dtype=np.float32)
        made[mine] += centres[one] + 0.2 * rng.standard_normal((int(mine.sum()), RANK), dtype=np.float32) @ directions
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made
