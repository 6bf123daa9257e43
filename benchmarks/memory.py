"""Peak memory of the parts of the chain at paper size, each in a process of its own.

The operating system counts the largest resident size of a process, everything imported included. What grows with the
data is measured at two sizes, so that a growth would show.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.pairing import machine

BATCH = 128


def measure() -> dict[str, Any]:
    """Megabytes."""
    return {
        "machine": machine(),
        "megabytes": {
            "import of torch and kinestream": _peak("pass"),
            **{
                f"a training step, {len(streams)} streams, batch {BATCH}, absent {absent}": _peak(
                    _STEP, json.dumps([streams, absent, BATCH])
                )
                for streams, absent in (
                    (["joint"], "published"),
                    (["joint"], "once"),
                    (["joint", "motion", "bone"], "once"),
                )
            },
            **{f"features of {count} clips": _in_folder(_FEATURES, count) for count in (512, 1536)},
            "20-NN, 63 026 clips, 50 919 queries, d 512": _peak(_KNN),
            **{f"prepare, {count} files": _in_folder(_PREPARE, count) for count in (500, 2000)},
        },
    }


def _in_folder(program: str, count: int) -> float:
    with tempfile.TemporaryDirectory(prefix="kinestream-benchmark-") as folder:
        # What makes the recordings is a process of its own, for its memory is not what is measured.
        _run(_GENERATE if program is _PREPARE else _GENERATE + _STORE, folder, str(count))
        return _peak(program, folder)


def _peak(program: str, *words: str) -> float:
    print(f"memory: {program.strip().splitlines()[-1][:60]} {' '.join(words)} ...", file=sys.stderr, flush=True)
    return round(int(_run(_HEAD + program + _TAIL, *words).split()[-1]) / 1024, 1)


def _run(program: str, *words: str) -> str:
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]).stdout


_HEAD = """
import json, sys, resource
from pathlib import Path
import torch
import kinestream.methods.self_distillation
"""

_TAIL = """
mine, workers = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(max(mine, workers))
"""

_STEP = """
from kinestream.skeleton.layout import NTU25
from kinestream.methods.method import Progress
from kinestream.recipes import resolve
streams, absent, batch = json.loads(sys.argv[1])
recipe = resolve("caca-joint-ntu60-xsub", [f"streams={streams}", f"encoder.absent={absent}"])
method = recipe.method.build(recipe.networks(NTU25))
optimizer = recipe.optimiser.build(method)
views = []
for _ in range(2):
    view = torch.randn(batch, 3, recipe.frames, 25, 2)
    view[[clip for clip in range(batch) if clip % 5], ..., 1] = 0
    views.append({stream: view for stream in streams})
method(views)["loss"].backward()
optimizer.step()
method.after_step(Progress(step=1, steps=2, epoch=0))
"""

_GENERATE = """
import sys
from pathlib import Path
from kinestream.data.synthetic import generate_ntu
generate_ntu(Path(sys.argv[1]) / "raw", int(sys.argv[2]), 0, frames=(30, 60))
"""

_STORE = """
from kinestream.data.build import build_store
from kinestream.data.datasets import load_dataset
from kinestream.data.preparation import PREPARATIONS
folder = Path(sys.argv[1])
build_store(load_dataset("ntu60"), folder / "raw", folder / "store", preparation=PREPARATIONS["published"], processes=1)
"""

_FEATURES = """
from kinestream.data.clips import Clips
from kinestream.data.store import Store
from kinestream.features.extract import compute_features
from kinestream.skeleton.layout import NTU25
from kinestream.recipes import resolve
encoder = resolve("caca-joint-ntu60-xsub").networks(NTU25).encoder("joint")
compute_features({"joint": encoder}, Clips(Store(Path(sys.argv[1]) / "store"), 50))
"""

_KNN = """
from kinestream.features.neighbours import knn_ranking
bank, query, labels = torch.randn(63_026, 512), torch.randn(50_919, 512), torch.randint(120, (63_026,))
knn_ranking(bank, labels, query, classes=120, k=20)
"""

_PREPARE = _STORE
