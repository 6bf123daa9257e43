"""The whole chain at the size of NTU RGB+D 60: seconds, peak memory and size on disk of each command.

The tree has the true 56 578 names (from `ntu60_clip_names.txt.gz` in `KINESTREAM_DATA` or `../shared/data`, which is no
part of the repository), so splits and counts are the published ones; its files are links to some generated recordings
of few frames. The encoders are thin: what is measured is the handling of so many clips, not the arithmetic.
"""

import gzip
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.pairing import machine
from kinestream.data.synthetic import generate_ntu

DIFFERENT = 96
THIN = (
    *("epochs=1", "frames=16", "batch_size=512", "encoder.hidden=2", "encoder.dim=8"),
    *("method.hidden=16", "method.embedding=8", "method.cross_epoch=null"),
)


def measure() -> dict[str, Any]:
    """Each command is a process of its own; memory is the largest of it and of its workers, one by one."""
    names = _names()
    folder = Path(tempfile.mkdtemp(prefix="kinestream-benchmark-"))
    try:
        kept = generate_ntu(folder / "kept", DIFFERENT, 0, frames=(12, 20))
        raw = folder / "raw"
        raw.mkdir()
        for path, name in zip(itertools.cycle(kept), names, strict=False):
            os.link(path, raw / f"{name}.skeleton")
        store, run = str(folder / "store"), str(folder / "run")
        thin = [word for setting in THIN for word in ("--set", setting)]
        commands = {
            "prepare": ["prepare", "ntu60", str(raw), store],
            "check": ["check", store, "--brief"],
            "pretrain": ["pretrain", "caca-3s-ntu60-xsub", "--data", store, "--out", run, *thin],
            "evaluate knn": ["evaluate", "knn", run, "--data", store, *_AS_IT_IS],
            "evaluate linear": ["evaluate", "linear", run, "--data", store, "--epochs", "5", *_AS_IT_IS],
        }
        measured = {name: _run(words) for name, words in commands.items()}
        return {
            "machine": machine(),
            "files": len(names),
            "settings": list(THIN),
            "store_megabytes": _megabytes(folder / "store", "joints.npy"),
            "clips_megabytes": _megabytes(folder / "store", "clips-*.npy"),
            "run_megabytes": _megabytes(folder / "run", "**/*"),
            "commands": measured,
        }
    finally:
        shutil.rmtree(folder)


def _names() -> list[str]:
    default = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("KINESTREAM_DATA", default)) / "ntu" / "ntu60_clip_names.txt.gz"
    if not path.is_file():
        raise SystemExit(f"the benchmark full_size needs the names of the clips, {path}: set KINESTREAM_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read().split()


def _run(words: list[str]) -> dict[str, float]:
    print(f"full_size: kinestream {' '.join(words[:2])} ...", file=sys.stderr, flush=True)
    began = time.perf_counter()
    # A process between, so that its children's peak is not that of the commands before.
    peak = subprocess.run(
        [sys.executable, "-c", _MEASURED, *words], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()[-1]
    return {"seconds": round(time.perf_counter() - began, 1), "largest_process_megabytes": round(int(peak) / 1024, 1)}


_AS_IT_IS = ("--bare", "--allow-leak")
"""The files repeat a few recordings, so the training part has copies of test clips: no accuracy is of interest here."""

_MEASURED = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "kinestream", *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _megabytes(folder: Path, pattern: str) -> float:
    return round(sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file()) / 1e6, 1)
