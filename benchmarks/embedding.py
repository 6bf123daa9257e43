"""Embedding and search: windows a second on one core, by our recurrent layers and by torch's, and how long an exact
search takes and what memory it needs.

`python -m benchmarks embedding`; `python -m benchmarks.embedding RUN` for the windows of an encoder of one's own alone.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.arithmetic import clock, setting
from benchmarks.pairing import in_turn, ratio, spread
from benchmarks.recurrent import way_of
from kinestream.data.recording import Recording
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.skeleton.pose import standing
from kinestream.use.encode import Given, clips_of
from kinestream.use.model import Model, load
from kinestream.use.pieces import Cutting, Tally

ROUNDS = 3
WAYS = ("torch", "ours", "bfloat16")
SAME = 1e-4
MINUTES = 5
"""Of recordings at 30 frames a second that are cut into windows of two seconds, half a second apart."""
ROWS = 100_000
DIM = 1792
QUERIES = 100
TOP = 10


def measure() -> dict[str, Any]:
    """Rates on one core; seconds and megabytes of searches."""
    return {**rates("anybody"), "search": _search()}


def rates(run: str) -> dict[str, Any]:
    """Of recordings in the encoder's own joints and in MediaPipe's 33, seconds of the processor, one thread. Raises
    ValueError where our layers give other embeddings than torch's."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = load(run, device="cpu")
        layouts = {layout.name: layout for layout in (model.layout, load_layout("mediapipe33"))}
        return {
            "machine": setting(),
            "encoder": {"streams": len(model.streams), "numbers": model.dim, "looks": model.card.readout.turns},
            "windows_a_second_on_one_core": {name: _rate(model, layout) for name, layout in layouts.items()},
        }
    finally:
        torch.set_num_threads(threads)


def _rate(model: Model, layout: SkeletonLayout) -> dict[str, Any]:
    recording = movement(layout, MINUTES * 60 * 30)

    def embed(way: str) -> np.ndarray:
        with way_of(way):
            return model.embed(recording, windows="2s", hop="0.5s")

    def prepare() -> int:
        clips = clips_of(model, [Given(recording=recording)], Cutting.of("2s", "0.5s", None), Tally())
        return sum(1 for _ in clips)

    made = {way: embed(way) for way in WAYS}
    off = float(np.abs(made["ours"] - made["torch"]).max())
    if off > SAME:
        raise ValueError(f"an embedding by our layers is {off:.1e} off that by torch's")
    ways: dict[str, Callable[[], object]] = {way: partial(embed, way) for way in WAYS}
    seconds = in_turn({**ways, "preparation_alone": prepare}, ROUNDS, warm=True, clock=clock())
    windows = len(made["ours"])
    return {
        "windows": windows,
        **{way: spread([windows / one for one in own]) for way, own in seconds.items()},
        "torch by ours": ratio(seconds["torch"], seconds["ours"]),
        "differs_at_most": {way: float(np.abs(made[way] - made["torch"]).max()) for way in WAYS},
        "least_cosine": {way: float((made[way] * made["torch"]).sum(axis=1).min()) for way in WAYS},
    }


def movement(layout: SkeletonLayout, frames: int, seed: int = 0) -> Recording:
    """Someone who sways, at 30 frames a second."""
    rng = np.random.default_rng(seed)
    pose = standing(layout)
    slow = np.repeat(rng.normal(0, 0.05, (frames // 30 + 1, *pose.shape)), 30, axis=0)[:frames]
    return Recording(pose + slow + rng.normal(0, 0.002, slow.shape), layout, fps=30, name="generated")


def _search() -> dict[str, Any]:
    """In a process of its own, whose largest resident size the operating system counts."""
    with tempfile.TemporaryDirectory(prefix="kinestream-benchmark-") as folder:
        command = [sys.executable, "-m", "benchmarks.embedding", "--search"]
        _run([*command, "write", folder])
        return {
            "rows": ROWS,
            "numbers": DIM,
            "archive_megabytes": round((Path(folder) / "a.npz").stat().st_size / 1e6),
            "exact": json.loads(_run([*command, "exact", folder])),
            "import_alone_megabytes": json.loads(_run([*command, "nothing", folder])),
        }


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]).stdout


def _part(what: str, folder: Path) -> None:
    from kinestream.use.archive import Embeddings, open_embeddings
    from kinestream.use.made_by import MadeBy
    from kinestream.use.nearest import nearest
    from kinestream.use.rows import TEXTS, Rows
    from kinestream.use.vectors import Held, take

    if what == "write":
        made = MadeBy(
            encoder="0" * 64, encoder_name="random", encoder_path="", dim=DIM, streams=("joint",), layout="kinect20",
            frames=48, preparation="tracked", readout="whole", windows="2s", hop="0.5s", people="each",
        )  # fmt: skip
        rng = np.random.default_rng(0)
        vectors = rng.normal(size=(ROWS, DIM)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        numbers = np.arange(ROWS)
        columns: dict[str, Any] = {name: [""] * ROWS for name in TEXTS}
        columns |= {"name": [f"recording-{number // 100}" for number in range(ROWS)]}
        columns |= {"person": numbers * 0 + 1, "start": numbers % 100 / 2, "end": numbers % 100 / 2 + 2}
        Embeddings(made, Rows.of({**columns, "fps": numbers * 0 + 30}), Held(vectors)).save(folder / "a.npz")
        return
    if what == "nothing":
        print(_megabytes())
        return
    began = time.perf_counter()
    archive = open_embeddings(folder / "a.npz")
    opened = time.perf_counter() - began
    memory_open = _megabytes()
    queries = take(archive.source, np.arange(0, ROWS, ROWS // QUERIES))
    batch, single = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        nearest(archive.source, queries, TOP)
        batch.append(time.perf_counter() - began)
        began = time.perf_counter()
        archive.search("recording-7@10-12", k=TOP)
        single.append(time.perf_counter() - began)
    print(
        json.dumps(
            {
                "opening_seconds": round(opened, 2),
                "megabytes_open": memory_open,
                f"seconds_of_{QUERIES}_queries_together": spread(batch),
                "seconds_of_one_query_windows_merged": spread(single),
                "megabytes_at_most": _megabytes(),
                "megabytes_at_most_without_the_mapped_file": _own(),
            }
        )
    )


def _megabytes() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _own() -> float | None:
    """What the process holds itself: pages of the mapped archive, which the system takes back at need, are not."""
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    except OSError:
        return None
    return round(sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024, 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--search"]:
        _part(sys.argv[2], Path(sys.argv[3]))
    else:
        print(json.dumps(rates(sys.argv[1]) if sys.argv[1:] else measure(), indent=1))
