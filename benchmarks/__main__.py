"""`python -m benchmarks [NAME ...]`: runs the named benchmarks, or all but `gpu`, and prints a JSON object for each.
One that takes words of its own runs alone: `python -m benchmarks kills --count 100`."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks import (
    at_scale,
    augmentation,
    embedding,
    encoder,
    encoders,
    full_size,
    gpu,
    kills,
    linear,
    memory,
    mutations,
    reading,
    recurrent,
    rounding,
    scale,
    search,
    step,
    tables,
    traffic,
)

BENCHMARKS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "reading": reading.measure,
    "tables": tables.measure,
    "processes": scale.measure_processes,
    "scale": scale.measure,
    "search": search.measure,
    "search_index": search.measure_index,
    "full_size": full_size.measure,
    "embedding": embedding.measure,
    "at_scale": at_scale.measure,
    "encoder": encoder.measure,
    "encoders": encoders.measure,
    "recurrent": recurrent.measure,
    "rounding": rounding.measure,
    "step": step.measure,
    "linear": linear.measure,
    "memory": memory.measure,
    "augmentation": augmentation.measure,
    "traffic": traffic.measure,
    "gpu": gpu.measure,
}
PROGRAMS: Mapping[str, Callable[[Sequence[str]], int]] = {"kills": kills.main, "mutations": mutations.main}
"""Those that take words of their own; they run when they are named alone, and print JSON too."""


def main() -> int:
    if (program := PROGRAMS.get("".join(sys.argv[1:2]))) is not None:
        return program(sys.argv[2:])
    names = sys.argv[1:] or [name for name in BENCHMARKS if name != "gpu"]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"unknown benchmark '{unknown[0]}': choose from {', '.join([*BENCHMARKS, *PROGRAMS])}", file=sys.stderr)
        return 2
    for name in names:
        print(json.dumps({"benchmark": name, **BENCHMARKS[name]()}, indent=1), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
