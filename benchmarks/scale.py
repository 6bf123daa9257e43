"""`kinestream prepare`: files a second with one process and with one on each core, and peak memory at 100 000 files.

The trees have true names; their files are links to some generated recordings, so that they fit on a small disk.
"""

import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.pairing import machine, pair
from kinestream.data.synthetic import generate_ntu

FILES = 100_000
FILES_TO_COMPARE = 6_000
ROUNDS = 3
DIFFERENT = 96


def measure_processes() -> dict[str, Any]:
    """The same files with one process and with as many as cores, in turn; the stores are equal (tests/data)."""
    cores = len(os.sched_getaffinity(0))
    folder = Path(tempfile.mkdtemp(prefix="kinestream-benchmark-"))
    try:
        _write_tree(folder, FILES_TO_COMPARE)

        def prepare(processes: int) -> None:
            _prepare(folder, "--processes", str(processes))
            shutil.rmtree(folder / "store")

        times = pair(lambda: prepare(cores), lambda: prepare(1), ROUNDS)
        return {
            "machine": machine(),
            "files": FILES_TO_COMPARE,
            "processes": cores,
            "files_a_second": round(FILES_TO_COMPARE / times["ours_seconds"]["median"], 1),
            "files_a_second_with_one": round(FILES_TO_COMPARE / times["other_seconds"]["median"], 1),
            **times,
        }
    finally:
        shutil.rmtree(folder)


def measure() -> dict[str, Any]:
    """Memory is the largest of any one process, as the operating system counts it."""
    folder = Path(tempfile.mkdtemp(prefix="kinestream-benchmark-"))
    try:
        raw_bytes = _write_tree(folder, FILES)
        began = time.perf_counter()
        _prepare(folder)
        seconds = time.perf_counter() - began
        return {
            "machine": machine(),
            "files": FILES,
            "raw_gigabytes": round(raw_bytes / 1e9, 2),
            "store_gigabytes": round((folder / "store" / "joints.npy").stat().st_size / 1e9, 2),
            "seconds": round(seconds, 1),
            "files_a_second": round(FILES / seconds, 1),
            "largest_process_megabytes": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, 1),
        }
    finally:
        shutil.rmtree(folder)


def _write_tree(folder: Path, files: int) -> int:
    """Writes `folder / "raw"`; its bytes, each link counted."""
    kept = generate_ntu(folder / "kept", DIFFERENT, 0, frames=(30, 60))
    raw = folder / "raw"
    raw.mkdir()
    for path, name in zip(itertools.cycle(kept), _names(files), strict=False):
        os.link(path, raw / name)
    return sum(path.stat().st_size for path in itertools.islice(itertools.cycle(kept), files))


def _prepare(folder: Path, *options: str) -> None:
    words = ["prepare", "ntu60", str(folder / "raw"), str(folder / "store"), *options]
    subprocess.run([sys.executable, "-m", "kinestream", *words], check=True, capture_output=True)


def _names(files: int) -> list[str]:
    numbers = itertools.product(range(1, 18), range(1, 4), range(1, 41), range(1, 3), range(1, 61))
    scheme = "S{:03}C{:03}P{:03}R{:03}A{:03}.skeleton"
    return [scheme.format(*fields) for fields in itertools.islice(numbers, files)]
