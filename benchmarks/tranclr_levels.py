"""What TranCLR's levels bring with few clips: `python -m benchmarks.tranclr_levels STORE [--variant NAME...]`.

Joint stream of NW-UCLA, thin encoder, trained on view 1 alone, so that what is chosen by it has not seen the test view.
Every variant has the same cost: a pass forward counts 1, one with its gradient 3, and steps are as many as cost what
720 of SkeletonCLR do. Bank and queue are as long as half of the clips. Prints JSON: 1-NN, in percent, the mean of
view 2 among view 1 and view 1 among view 2.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from kinestream.data.clips import clips_as
from kinestream.data.store import Store, open_store
from kinestream.data.unlabelled import Part, Unlabelled
from kinestream.features.extract import compute_features
from kinestream.features.metrics import accuracy
from kinestream.features.neighbours import knn_ranking
from kinestream.methods.method import Progress
from kinestream.models.encoder import Encoder
from kinestream.recipes import Recipe, resolve
from kinestream.train.schedule import make_schedule
from kinestream.train.seeds import derive_seed
from kinestream.train.views import ViewLoader

SPLIT = "xview-tune"
_QUEUE = {"name": "skeletonclr", "decay": 0.99, "temperature": 0.1, "queue": 256, "hidden": 512, "embedding": 128}
_BANK = {"name": "tranclr", "decay": 0.99, "bank": 256, "hidden": 512, "embedding": 128}
_BETWEEN = {"intra": 0.0, "cross": 0.0}
VARIANTS: Mapping[str, tuple[int, Mapping[str, object]]] = {
    "skeletonclr": (720, _QUEUE),
    "skeletonclr, alignment and contrast": (720, {**_QUEUE, "alignment": {"nearest": 64, "contrast": 1.0}}),
    "all levels, centred": (315, {**_BANK, "alignment": {"nearest": 64, "centred": True}}),
    "all levels, centred, contrast": (315, {**_BANK, "alignment": {"nearest": 64, "centred": True, "contrast": 1.0}}),
    "intra, centred, contrast": (
        567,
        {**_BANK, "alignment": {"nearest": 64, "centred": True, "contrast": 1.0}, "inter": 0.0, "cross": 0.0},
    ),
    "inter, centred, contrast": (
        720,
        {**_BANK, "alignment": {"nearest": 64, "centred": True, "contrast": 1.0}, **_BETWEEN},
    ),
    "inter, contrast, small parts": (
        720,
        {
            **_BANK,
            "alignment": {"nearest": 64, "contrast": 1.0},
            "mixing": {"local": 1.0, "window": [0.1, 0.3]},
            **_BETWEEN,
        },
    ),
}
"""Steps and method."""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--variant", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="instead of those of equal cost, to try it out")
    options = parser.parse_args(arguments)
    store = open_store(options.store)
    for name in options.variant:
        steps, method = VARIANTS[name]
        steps = options.steps or steps
        recipe = resolve(
            "skeletonclr-3s-nw-ucla",
            ["streams=[joint]", f"split={SPLIT}", f"seed={options.seed}", f"method={json.dumps(method)}"],
        )
        found = nearest_neighbour(trained(recipe, store, steps), recipe, store)
        print(json.dumps({"variant": name, "seed": options.seed, "steps": steps, "1-NN": round(found, 1)}), flush=True)


def trained(recipe: Recipe, store: Store, steps: int) -> Encoder:
    """The encoder after so many steps, of a cosine schedule after a short warm-up."""
    clips = clips_as(store, recipe.frames, store.info.layout, recipe.seconds, recipe.preparation)
    unlabelled = Unlabelled([Part(clips=clips, indices=store.select(SPLIT, "train"))])
    loader = ViewLoader(
        unlabelled,
        streams=recipe.streams,
        augmentations=recipe.views(clips.layout),
        mixtures=recipe.mixtures(clips.layout),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        device=torch.device("cpu"),
    )
    torch.manual_seed(derive_seed(recipe.seed, "weights"))
    method = recipe.method.build(recipe.networks(clips.layout))
    optimizer = recipe.optimiser.build(method, fused=False)
    rates = [group["lr"] for group in optimizer.param_groups]
    schedule = make_schedule("cosine", epochs=steps, warmup_epochs=max(1, round(0.042 * steps)))
    method.train()
    for done in range(steps):
        epoch, step = divmod(done, loader.steps)
        if step == 0:
            method.start_epoch(epoch)
            batches = loader.epoch(epoch, 0)
        torch.manual_seed(derive_seed(recipe.seed, "step", done, 0))
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * schedule(done)
        loss = method(next(batches))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        method.after_step(Progress(step=done + 1, steps=steps, epoch=epoch))
    return method.encoders()["joint"]


def nearest_neighbour(encoder: Encoder, recipe: Recipe, store: Store) -> float:
    clips = clips_as(store, recipe.frames, store.info.layout, recipe.seconds, recipe.preparation)
    rows = torch.from_numpy(compute_features({"joint": encoder}, clips)["joint"])
    labels, classes = torch.from_numpy(store.labels), len(store.info.classes)
    first, second = (torch.from_numpy(store.select(SPLIT, part)) for part in ("train", "test"))
    found = [
        accuracy(knn_ranking(rows[bank], labels[bank], rows[query], classes=classes, k=1), labels[query]).top1
        for bank, query in ((first, second), (second, first))
    ]
    return float(np.mean(found))


if __name__ == "__main__":
    main(sys.argv[1:])
