"""What methods bring by the number of clips they learn from: `python -m benchmarks.sizes STORE... --out RUNS
[--split NAME] [--encoder NAME] [--steps N] [--seeds N] [--method NAME...] [--set KEY=VALUE...]`.

Stores from the smallest to the largest, each the beginning of the next (`kinestream generate` makes such). Everything
but the clips is the same in every row: streams, thin encoder, augmentations, batch size and the number of steps, so
that of more clips each is seen less often. Methods that agree across streams do so in the last third.

Read alike: 1-NN of the test clips of the largest store among the training clips of the smallest, all streams side by
side, as unit features. Beside them the untrained network and the best raw stream. `right` is the share of
pseudo-positives, beyond a clip itself, that are of its class, `chance` what any two clips of a batch are. Prints JSON;
trainings that are in RUNS already are gone on with, or only read.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32

from kinestream.data.clips import Clips
from kinestream.data.store import Store
from kinestream.evaluate.source import open_source
from kinestream.features.extract import calibrate_batch_norm, compute_features, raw_coordinates
from kinestream.features.windows import PreparedClips
from kinestream.models.encoder import Encoder
from kinestream.recipes import Recipe, with_settings
from kinestream.train.pretrain import pretrain
from kinestream.train.run_folder import read_metrics

STREAMS = ("joint", "motion", "bone")
_DISTILLED = {"decay": 0.97, "target": "whitened", "predictor_rate": 5.0}
_QUEUED = {"decay": 0.99, "temperature": 0.1, "queue": 512}
_GENTLE = {"cross_epoch": 0, "cross_weight": 1.0, "cross_moving_target": True}
METHODS: Mapping[str, Mapping[str, Any]] = {
    "nt-xent": {"name": "nt-xent", "temperature": 0.1},
    "skeletonclr": {"name": "skeletonclr", **_QUEUED},
    "crosclr": {"name": "crosclr", "cross_epoch": 0, **_QUEUED},
    "skeleton-byol": {"name": "skeleton-byol", **_DISTILLED},
    "3s-byol": {"name": "skeleton-byol", "cross_epoch": 0, **_DISTILLED},
    "3s-byol-gentle": {"name": "skeleton-byol", **_DISTILLED, **_GENTLE},
    "caca": {"name": "caca", **_DISTILLED},
    "3s-caca": {"name": "caca", "cross_epoch": 0, **_DISTILLED},
    "3s-caca-gentle": {"name": "caca", **_DISTILLED, **_GENTLE},
    "3s-caca-negated": {"name": "caca", "cross_epoch": 0, "cross_negated": True, **_DISTILLED},
    "3s-caca-negated-gentle": {"name": "caca", "cross_negated": True, **_DISTILLED, **_GENTLE},
}
"""`cross_epoch: 0` stands for two thirds of the epochs. A gentle stage 2 has a tenth of the published weight, and its
targets go on moving. 3s-byol is the published stage 2 after SkeletonBYOL."""
ENCODERS: Mapping[str, Mapping[str, Any]] = {
    "st-gcn": {"name": "st-gcn", "hidden": 8, "dim": 64, "dropout": 0.0, "initialisation": "torch"},
    "bigru": {"name": "bigru", "hidden": 32},
}
"""Features of 64 numbers, both."""

Rows = Float32[np.ndarray, "n d"]


def main(asked: argparse.Namespace) -> dict[str, Any]:
    """What is printed."""
    torch.set_num_threads(1)
    stores = [Store(path) for path in asked.stores]
    judge = Judge(stores[0], stores[-1], asked.split, asked.frames)
    rows = []
    for store in stores:
        for method in asked.method or METHODS:
            for seed in range(asked.seeds):
                row = trained(store, method, seed, judge, asked)
                print(json.dumps(row), file=sys.stderr, flush=True)
                rows.append(row)
    return {
        "benchmark": "sizes",
        "encoder": asked.encoder,
        "steps": asked.steps,
        "changed": asked.set,
        "bank": len(judge.bank),
        "test": len(judge.test),
        "raw": {stream: judge.raw(stream) for stream in STREAMS},
        "untrained": [judge.untrained(recipe_for("caca", asked, 1, seed), seed) for seed in range(max(3, asked.seeds))],
        "rows": rows,
    }


def recipe_for(method: str, asked: argparse.Namespace, clips: int, seed: int) -> Recipe:
    """Of the whole number of epochs, at least three, that comes nearest to the steps."""
    epochs = max(3, round(asked.steps * asked.batch / max(clips, asked.batch)))
    settings = {**METHODS[method], "hidden": 256, "embedding": 64}
    if "cross_epoch" in settings:
        settings["cross_epoch"] = (2 * epochs + 2) // 3
    return Recipe.from_dict(
        {
            "title": f"{method}, {clips} clips",
            "split": asked.split,
            "preparation": "tracked",
            "streams": list(STREAMS),
            "frames": asked.frames,
            "epochs": epochs,
            "batch_size": asked.batch,
            "seed": seed,
            "method": settings,
            "encoder": ENCODERS[asked.encoder],
            "augment": {
                "temporal_crop": None,
                "resized_crop": [0.4, 1.0],
                "mirror": 0.5,
                "rotation": [0.0, 30.0, 0.0],
                "shear": 0.5,
                "joint_mask": 0.1,
                "noise": 0.01,
            },
            "optimiser": {
                "name": "adamw",
                "rate": 0.002,
                "weight_decay": 1e-4,
                "schedule": "cosine",
                "warmup_epochs": epochs / 12,
            },
            "monitor": {"knn_every": 0},
        },
        "sizes",
    )


def trained(store: Store, method: str, seed: int, judge: "Judge", asked: argparse.Namespace) -> dict[str, Any]:
    """One row; the training goes on, or is read, where it is there already."""
    clips = len(store.select(asked.split, "train"))
    recipe = with_settings(recipe_for(method, asked, clips, seed), asked.set)
    run = pretrain(
        store,
        recipe,
        out=asked.out / f"{method}-{clips}-{seed}",
        resume=True,
        name=method,
        device="cpu",
    )
    encoders = {stream: encoder for stream, (encoder, _) in open_source(run.path).encoders().items()}
    last = [line for line in read_metrics(run.metrics) if line.get("kind") == "epoch"]
    share = {
        key: round(float(last[-1][f"by_labels/{key}"]), 4)
        for key in ("right", "chance")
        if f"by_labels/{key}" in last[-1]
    }
    beyond = last[-1].get("positives/beyond")
    more = {} if not beyond else {"right": round(share["right"] / beyond, 3), "chance": share["chance"]}
    minutes = round(sum(line["seconds"] for line in last) / 60, 1)
    return {
        "method": method,
        "clips": clips,
        "seed": seed,
        "epochs": recipe.epochs,
        "1-NN": judge.knn(encoders),
        **more,
        "minutes": minutes,
    }


class Judge:
    """1-NN of the test clips of one store among the training clips of another."""

    def __init__(self, small: Store, large: Store, split: str, frames: int) -> None:
        self.bank, self._bank_labels = _part(small, split, "train", frames)
        self.test, self._test_labels = _part(large, split, "test", frames)

    def knn(self, encoders: Mapping[str, Encoder]) -> float:
        made = [compute_features(encoders, clips) for clips in (self.bank, self.test)]
        bank, test = (np.concatenate([_units(rows) for rows in values.values()], axis=1) for values in made)
        return self._right(bank, test)

    def raw(self, stream: str) -> float:
        bank, test = (_units(raw_coordinates(clips, np.arange(len(clips)), stream)) for clips in (self.bank, self.test))
        return self._right(bank, test)

    def untrained(self, recipe: Recipe, seed: int) -> float:
        torch.manual_seed(seed)
        networks = recipe.networks(self.bank.layout)
        encoders = {stream: networks.encoder(stream) for stream in recipe.streams}
        for stream, encoder in encoders.items():
            calibrate_batch_norm(encoder, self.bank, np.arange(len(self.bank)), stream)
        return self.knn(encoders)

    def _right(self, bank: Rows, test: Rows) -> float:
        found = self._bank_labels[(test @ bank.T).argmax(axis=1)]
        return round(100 * float((found == self._test_labels).mean()), 1)


def _part(store: Store, split: str, part: Literal["train", "test"], frames: int) -> tuple[PreparedClips, np.ndarray]:
    places = store.select(split, part)
    clips = PreparedClips(clips=Clips(store, frames).batch(places), layout=store.layout)
    return clips, np.asarray(store.labels)[places]


def _units(rows: Rows) -> Rows:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes", description=__doc__)
    parser.add_argument("stores", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--split", default="xsub")
    parser.add_argument("--encoder", default="st-gcn", choices=list(ENCODERS))
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--method", action="append", choices=list(METHODS))
    parser.add_argument("--set", action="append", default=[], help="a setting of the recipe, as pretrain takes it")
    print(json.dumps(main(parser.parse_args()), indent=1))
