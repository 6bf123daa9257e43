"""Stores, runs and recipes made for tests."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinestream.data.datasets import load_dataset
from kinestream.data.leaks import write_recordings
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Source
from kinestream.data.store import Store, StoreWriter
from kinestream.models.encoder_file import save_encoder
from kinestream.recipes import Recipe
from kinestream.train.run_folder import Run, RunConfig

SMALL: dict[str, Any] = {
    "title": "small",
    "dataset": "nw-ucla",
    "preparation": "tracked",
    "split": "xview",
    "epochs": 3,
    "batch_size": 8,
    "frames": 10,
    "encoder": {"name": "bigru", "hidden": 4, "dropout": 0.5},  # a step takes a third of that of a small ST-GCN
    "method": {"name": "caca", "hidden": 16, "embedding": 8},
    "augment": {"temporal_crop": 6, "shear": 0.5},
    "optimiser": {"name": "sgd", "rate": 0.05},
}


def write_small_store(path: Path, *, copied: int = 0, seed: int = 0) -> Path:
    """40 recordings of 20 joints: 27 for training, 13 for testing, 2 classes that differ in where the arms go; each
    performance is told to be seen by three views, but for the last. Of the test clips the first `copied` are copies of
    the training clip before them."""
    path.mkdir()
    dataset = load_dataset("nw-ucla")
    rng = np.random.default_rng(seed)
    made: list[np.ndarray] = []
    with StoreWriter(path, dataset.format.layout, dataset.most_bodies) as writer:
        for number in range(40):
            action, view = number % 2 + 1, number % 3 + 1
            joints = rng.normal(0, 0.05, (int(rng.integers(12, 30)), 1, 20, 3)) + rng.normal(0, 0.4, (1, 1, 20, 3))
            joints[:, 0, 4:8, 1] += np.linspace(0, 1 if action == 1 else -1, len(joints))[:, None]
            made.append(made[-1] if view == 3 and number // 3 < copied else joints.astype(np.float32))
            name = f"a{action:02}_s01_e{number:02}_v{view:02}"
            source = Source(
                path=Path(name), name=name, action=action, subject=1, camera=view, setup=1, repetition=number // 6
            )
            writer.add(source, made[-1])
        writer.finish(dataset, PREPARATIONS["tracked"], excluded=0, rejected=0)
    return path


def write_small_run(path: Path, store: Path, *streams: str, listed: bool = True, **changed: Any) -> Path:
    """A run on the store with encoders that were not trained, as if its epochs were done; `listed` tells whether it
    keeps the list of the recordings that it learnt from, `changed` are settings of `SMALL`."""
    recipe = Recipe.from_dict({**SMALL, "streams": list(streams or ("joint",)), **changed}, "test")
    opened, run = Store(store), Run(path)
    run.create(RunConfig(recipe_name="small", recipe=recipe, data=str(store), store_fingerprint=opened.fingerprint))
    if listed:
        write_recordings(run.recordings, (opened, opened.select(recipe.split, "train")))
    for number, stream in enumerate(recipe.streams):
        torch.manual_seed(number)
        encoder = recipe.networks(opened.layout).encoder(stream)
        save_encoder(run.encoder(stream), encoder, recipe.card("small", stream, opened.layout, recipe.epochs))
    return path


def write_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """A file of pairs of recordings, as a user would write it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("recording", "partner"))
        writer.writerows(pairs)
