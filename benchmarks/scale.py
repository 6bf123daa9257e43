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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.pairing import in_turn, machine, ratio, spread
from kinestream.data.synthetic import generate_ntu

FILES = 100_000
FILES_TO_COMPARE = 12_000
ROUNDS = 3
DIFFERENT = 96


def measure_processes() -> dict[str, Any]:
    """The same files with one process and with as many as cores, in turn; the stores are equal (tests/data).

    Beside them what the machine itself gives: as many separate runs of one process at once, each on its share of the
    files, which have nothing to do with each other.
    """
    cores = len(os.sched_getaffinity(0))
    folder = Path(tempfile.mkdtemp(prefix="kinestream-benchmark-"))
    try:
        _write_tree(folder, FILES_TO_COMPARE)
        _deal_out(folder, cores)
        seconds = in_turn(
            {
                "one": lambda: _run(folder, [("raw", 1)]),
                "together": lambda: _run(folder, [("raw", cores)]),
                "apart": lambda: _run(folder, [(f"share-{share}", 1) for share in range(cores)]),
            },
            ROUNDS,
            warm=True,
        )
        return {
            "machine": machine(),
            "files": FILES_TO_COMPARE,
            "processes": cores,
            "files_a_second_with_one": spread([FILES_TO_COMPARE / one for one in seconds["one"]]),
            "files_a_second": spread([FILES_TO_COMPARE / one for one in seconds["together"]]),
            "times_as_many": ratio(seconds["one"], seconds["together"]),
            "times_as_many_in_separate_runs": ratio(seconds["one"], seconds["apart"]),
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


def _deal_out(folder: Path, shares: int) -> None:
    """Links the files of `raw` into so many folders `share-<n>`, in turn."""
    for share in range(shares):
        (folder / f"share-{share}").mkdir()
    for number, path in enumerate(sorted((folder / "raw").iterdir())):
        os.link(path, folder / f"share-{number % shares}" / path.name)


def _run(folder: Path, runs: Sequence[tuple[str, int]]) -> None:
    """Starts the runs at once, each on a folder with so many processes, and waits for all."""
    stores = [folder / f"store-{number}" for number in range(len(runs))]
    started = [
        subprocess.Popen(
            _command(folder / raw, store, "--processes", str(processes)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for (raw, processes), store in zip(runs, stores, strict=True)
    ]
    exits = [run.wait() for run in started]
    if any(exits):
        raise RuntimeError("a run failed: try the command by hand")
    for store in stores:
        shutil.rmtree(store)


def _prepare(folder: Path) -> None:
    subprocess.run(_command(folder / "raw", folder / "store"), check=True, capture_output=True)


def _command(raw: Path, store: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "kinestream", "prepare", "ntu60", str(raw), str(store), *options]


def _names(files: int) -> list[str]:
    numbers = itertools.product(range(1, 18), range(1, 4), range(1, 41), range(1, 3), range(1, 61))
    scheme = "S{:03}C{:03}P{:03}R{:03}A{:03}.skeleton"
    return [scheme.format(*fields) for fields in itertools.islice(numbers, files)]
