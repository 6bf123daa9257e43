"""Reading raw NTU files: ours against a literal transcription of the published reader, on one core; then the whole of
`prepare` on one process and on all cores."""

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tests.reference.literal_readers import read_ntu

from benchmarks.pairing import machine, pair, spread
from kinestream.data.build import build_store
from kinestream.data.datasets import load_dataset
from kinestream.data.formats import ntu
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.synthetic import generate_ntu

CLIPS = 48
ROUNDS = 5
PREPARED = 480


def measure() -> dict[str, Any]:
    """Ratios and rates, of generated files and of published ones where there are any."""
    folder = Path(tempfile.mkdtemp(prefix="kinestream-benchmark-"))
    try:
        measured = {"machine": machine(), "generated": _read(generate_ntu(folder / "raw", CLIPS, 0))}
        published = sorted((_real_data() / "ntu" / "nturgb+d_skeletons").glob("*.skeleton"))
        if published:
            measured["published"] = _read(published)
        return measured | {"prepare": _prepare(folder)}
    finally:
        shutil.rmtree(folder)


def _read(paths: Sequence[Path]) -> dict[str, Any]:
    """Seconds of the processor. What both readers make of the files is compared first."""
    sources = [ntu.parse_name(path) for path in paths]
    for source in sources:
        recording = ntu.read(source)
        joints, bodies = read_ntu(source.path)
        np.testing.assert_array_equal(recording.joints, joints)
        np.testing.assert_array_equal(recording.bodies, bodies)
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    found = pair(
        lambda: [ntu.read(source) for source in sources],
        lambda: [read_ntu(path) for path in paths],
        ROUNDS,
        clock=time.process_time,
    )
    return {
        "files": len(paths),
        "megabytes": round(megabytes, 2),
        **found,
        "ours_megabytes_a_second": round(megabytes / found["ours_seconds"]["median"], 1),
        "literal_megabytes_a_second": round(megabytes / found["other_seconds"]["median"], 1),
    }


def _real_data() -> Path:
    return Path(os.environ.get("KINESTREAM_DATA", Path(__file__).parents[2] / "shared" / "data"))


def _prepare(folder: Path) -> dict[str, Any]:
    """Files a second of `build_store` with one process and with one a core, in turn."""
    raw = folder / "many"
    generate_ntu(raw, PREPARED, 1)
    dataset = load_dataset("ntu60")
    seconds: dict[int, list[float]] = {processes: [] for processes in sorted({1, os.cpu_count() or 1})}
    for _ in range(3):
        for processes, times in seconds.items():
            began = time.perf_counter()
            build_store(dataset, raw, folder / "store", preparation=PREPARATIONS["published"], processes=processes)
            times.append(time.perf_counter() - began)
            shutil.rmtree(folder / "store")
    return {
        f"{processes}_processes_files_a_second": spread([PREPARED / one for one in times])
        for processes, times in seconds.items()
    }
