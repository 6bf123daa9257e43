"""`kinestream prepare` on a tree of 100 000 files: files a second and peak memory.

The tree has true names; its files are links to some generated recordings, so that it fits on a small disk.
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

from benchmarks.pairing import machine
from kinestream.data.synthetic import generate_ntu

FILES = 100_000
DIFFERENT = 96


def measure() -> dict[str, Any]:
    """Memory is the largest of any one process, as the operating system counts it."""
    folder = Path(tempfile.mkdtemp(prefix="kinestream-benchmark-"))
    try:
        kept = generate_ntu(folder / "kept", DIFFERENT, 0, frames=(30, 60))
        raw = folder / "raw"
        raw.mkdir()
        for path, name in zip(itertools.cycle(kept), _names(), strict=False):
            os.link(path, raw / name)
        raw_bytes = sum(path.stat().st_size for path in itertools.islice(itertools.cycle(kept), FILES))
        began = time.perf_counter()
        words = ["prepare", "ntu60", str(raw), str(folder / "store")]
        subprocess.run([sys.executable, "-m", "kinestream", *words], check=True, capture_output=True)
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


def _names() -> list[str]:
    numbers = itertools.product(range(1, 18), range(1, 4), range(1, 41), range(1, 3), range(1, 61))
    scheme = "S{:03}C{:03}P{:03}R{:03}A{:03}.skeleton"
    return [scheme.format(*fields) for fields in itertools.islice(numbers, FILES)]
