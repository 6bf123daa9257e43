"""100 000 windows embedded by two processes that share the work: windows a second, the largest process, rows equal to
those of one process, and exact searches among them. `python -m benchmarks at_scale` takes a quarter of an hour or more
and 2 GB of disk; `python -m benchmarks.at_scale 8` makes and embeds 8 recordings alone."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.embedding import movement
from benchmarks.pairing import in_turn, machine, spread
from kinestream.skeleton.layout import load_layout
from kinestream.use.archive import open_embeddings
from kinestream.use.nearest import nearest
from kinestream.use.rows import Rows
from kinestream.use.vectors import take

RECORDINGS = 84
"""Of ten minutes at 30 frames a second each, cut into windows of two seconds, half a second apart: 1 197 windows."""
FRAMES = 10 * 60 * 30
ALONE = 8
"""Recordings that one process embeds too."""
QUERIES, TOP, ROUNDS = 100, 10, 3


def measure(recordings: int = RECORDINGS) -> dict[str, Any]:
    """Raises ValueError where the rows of one process are others."""
    with tempfile.TemporaryDirectory(prefix="kinestream-benchmark-") as name:
        folder = Path(name)
        for number in range(recordings):
            part = folder / "moves" / ("first" if number < ALONE else "others")
            part.mkdir(parents=True, exist_ok=True)
            moves = movement(load_layout("body16"), FRAMES, seed=number)
            np.save(part / f"move-{number:03}.npy", moves.joints.astype(np.float32))
        one = _embed(folder, "moves/first", "one.npz", processes=1)
        two = _embed(folder, "moves", "two.npz", processes=2)
        whole, alone = open_embeddings(folder / "two.npz"), open_embeddings(folder / "one.npz")
        known = dict(zip(_called(alone.rows), range(len(alone.rows)), strict=True))
        places = np.array([known.get(called, -1) for called in _called(whole.rows)])
        same = np.flatnonzero(places >= 0)
        if len(same) != len(alone.rows) or not np.array_equal(
            take(whole.source, same), take(alone.source, places[same])
        ):
            raise ValueError("two processes have other rows than one")
        queries = take(whole.source, np.linspace(0, len(whole.rows) - 1, QUERIES).astype(np.int64))
        seconds = in_turn({"search": lambda: nearest(whole.source, queries, TOP)}, ROUNDS)["search"]
        return {
            "machine": machine(),
            "recordings": recordings,
            "windows": len(whole.rows),
            "numbers": whole.source.shape[1],
            "one_process": {**one, "windows": len(alone.rows)},
            "two_processes": two,
            "rows_equal_to_those_of_one_process": len(same),
            "megabytes_of_the_archive": round((folder / "two.npz").stat().st_size / 1e6),
            f"seconds_of_{QUERIES}_queries": spread(seconds),
        }


def _embed(folder: Path, what: str, out: str, *, processes: int) -> dict[str, Any]:
    """Seconds, and megabytes of the largest process so far."""
    launcher = ["torch.distributed.run", f"--nproc-per-node={processes}", "-m"] if processes > 1 else []
    command = [sys.executable, "-m", *launcher, "kinestream", "embed", what, "--out", out]
    command += ["--windows", "2s", "--hop", "0.5s", "--layout", "body16", "--fps", "30", "--trust", "--device", "cpu"]
    began, used = time.perf_counter(), _processor()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "seconds_of_the_processor": round(_processor() - used, 1),
        "megabytes_of_the_largest_process": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _called(rows: Rows) -> list[tuple[str, int, float]]:
    """What a row is of, wherever the files lie."""
    names = [Path(name).name for name in rows.name]
    return list(zip(names, rows.person.tolist(), rows.start.tolist(), strict=True))


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:])), indent=1))
