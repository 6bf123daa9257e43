"""Loading and augmenting a batch, beside the training step that it feeds: it should not be seen."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.arithmetic import clock, setting
from benchmarks.pairing import spread
from kinestream.data.build import build_store
from kinestream.data.clips import Clips
from kinestream.data.datasets import load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.store import Store
from kinestream.data.synthetic import generate_ntu
from kinestream.data.unlabelled import Part, Unlabelled
from kinestream.methods.method import Progress
from kinestream.recipes import resolve
from kinestream.train.views import ViewLoader

BATCH = 32
STEPS = 3


def measure() -> dict[str, Any]:
    """Seconds of reading two views of a batch from a store of generated recordings, augmenting them and making their
    streams, and of the step on them, for the published one-stream recipe."""
    recipe = resolve("caca-joint-ntu60-xsub", [f"batch_size={BATCH}"])
    with tempfile.TemporaryDirectory(prefix="kinestream-benchmark-") as folder:
        generate_ntu(Path(folder) / "raw", BATCH * (STEPS + 1), 0)
        build_store(
            load_dataset("ntu60"),
            Path(folder) / "raw",
            Path(folder) / "store",
            preparation=PREPARATIONS["published"],
            processes=1,
        )
        store = Store(Path(folder) / "store")
        loader = ViewLoader(
            Unlabelled([Part(clips=Clips(store, recipe.frames), indices=np.arange(len(store)))]),
            streams=recipe.streams,
            augmentations=recipe.views(store.layout),
            batch_size=BATCH,
            seed=0,
            device=torch.device("cpu"),
        )
        torch.manual_seed(0)
        method = recipe.method.build(recipe.networks(store.layout))
        optimizer = recipe.optimiser.build(method)
        seconds: dict[str, list[float]] = {"views": [], "step": []}
        now, batches = clock(), loader.epoch(0, 0)
        for step in range(STEPS + 1):
            began = now()
            views = next(batches)
            between = now()
            optimizer.zero_grad()
            method(views)["loss"].backward()
            optimizer.step()
            method.after_step(Progress(step=step + 1, steps=STEPS + 1, epoch=0))
            if step:  # the first does not count
                seconds["views"].append(between - began)
                seconds["step"].append(now() - between)
    return {
        "machine": setting(),
        "batch": BATCH,
        "steps": STEPS,
        "views_seconds": spread(seconds["views"]),
        "step_seconds": spread(seconds["step"]),
        "share_of_the_step_percent": spread(
            [100 * views / step for views, step in zip(seconds["views"], seconds["step"], strict=True)]
        ),
    }
