"""Reading CSV files of own recordings: ours to an array against `pandas.read_csv` to a table, on one core.

The files are those of 60 frames and 25 joints in metres, written in three ways: with six decimals, with as many digits
as Python writes, and with a frame and a time before them. The numbers are compared first.
"""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.pairing import in_turn, machine, ratio, spread
from kinestream.data.formats import table
from kinestream.data.recording import Found, Source
from kinestream.skeleton.layout import load_layout

FILES = 20_000
FRAMES = 60
ROUNDS = 3
_DISTINCT = 500
"""Contents that differ: more would only take longer to write."""


def measure(files: int = FILES, rounds: int = ROUNDS) -> dict[str, Any]:
    """Ratio and rates of each way of writing, by the time of one core; all files are read in each round."""
    folder = Path(tempfile.mkdtemp(prefix="kinestream-benchmark-"))
    try:
        ways = {"six_decimals": "{:.6f}", "all_digits": "{!r}", "frame_and_time": "{:.6f}"}
        found = {name: _measure(folder / name, form, files, rounds) for name, form in ways.items()}
        return {"machine": machine(), "files": files, "frames": FRAMES, "joints": 25, **found}
    finally:
        shutil.rmtree(folder)


def _measure(folder: Path, form: str, files: int, rounds: int) -> dict[str, Any]:
    folder.mkdir()
    sources = _write(folder, form, files, timed=folder.name == "frame_and_time")
    for source in sources[:: max(files // 50, 1)]:
        ours = _read(source)
        theirs = pd.read_csv(source.path)
        wanted = theirs[[name for name in theirs if name.endswith(("_x", "_y", "_z"))]].to_numpy()
        # pandas rounds the last digit in its own way unless it is told to be exact.
        np.testing.assert_allclose(ours.joints.reshape(wanted.shape), wanted, rtol=1e-14)
        exact = pd.read_csv(source.path, float_precision="round_trip")[ours_names()].to_numpy()
        np.testing.assert_array_equal(ours.joints.reshape(exact.shape), exact)
    ways = {
        "ours": lambda: [_read(source) for source in sources],
        "pandas": lambda: [pd.read_csv(source.path) for source in sources],
    }
    # The time that the core worked for this program: other programs on the machine do not count.
    seconds = in_turn(ways, rounds, clock=time.process_time)
    size = sum(source.path.stat().st_size for source in sources)
    shutil.rmtree(folder)
    return {
        "megabytes": round(size / 1e6, 1),
        "rounds": rounds,
        "ratio": ratio(seconds["pandas"], seconds["ours"]),
        **{f"{name}_files_a_second": spread([files / one for one in own]) for name, own in seconds.items()},
    }


def ours_names() -> list[str]:
    """The columns of coordinates."""
    return [f"{joint}_{axis}" for joint in load_layout("ntu25").joints for axis in "xyz"]


def _read(source: Source) -> Found:
    found = table.read(source)
    assert isinstance(found, Found)
    return found


def _write(folder: Path, form: str, files: int, *, timed: bool) -> list[Source]:
    """Walks at random of 25 joints; the same contents under several names where there are many files."""
    rng = np.random.default_rng(0)
    names = [*(["frame", "time"] if timed else []), *ours_names()]
    texts = []
    for _ in range(min(files, _DISTINCT)):
        joints = rng.normal(0, 0.3, (1, 75)) + rng.normal(0, 0.01, (FRAMES, 75)).cumsum(axis=0)
        rows = []
        for frame, row in enumerate(joints.tolist()):
            before = [str(frame), f"{frame / 30:.4f}"] if timed else []
            rows.append(",".join([*before, *(form.format(value) for value in row)]))
        texts.append("\n".join([",".join(names), *rows, ""]))
    sources = []
    for number in range(files):
        path = folder / f"{number:05}.csv"
        path.write_text(texts[number % len(texts)], encoding="utf-8")
        sources.append(Source(path=path, name=path.stem))
    return sources
