"""Training of a classifier with labels as a whole: from encoders and labelled clips to scores of the test clips."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from lightning_fabric import Fabric
from torch import Tensor

from kinestream.augment.transforms import Augmentation
from kinestream.console import Advance
from kinestream.data.clips import AnyClips
from kinestream.data.store import batches
from kinestream.documents import read_json
from kinestream.files import write_json
from kinestream.lock import lock
from kinestream.models.classifier import StreamClassifier
from kinestream.skeleton.streams import make_streams
from kinestream.train.checkpoint import Position, load_checkpoint
from kinestream.train.fit import Interrupted, fit
from kinestream.train.labelled import Classification, LabelledLoader
from kinestream.train.run_folder import MetricsLog
from kinestream.train.schedule import make_schedule
from kinestream.train.seeds import derive_seed
from kinestream.train.views import to_batch

_TEST_BATCH = 128


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a classifier is trained."""

    epochs: int = 50
    batch_size: int = 64
    optimiser: Literal["adamw", "sgd"] = "adamw"
    rate: float = 0.003
    """Of the linear layers, after the warm-up."""
    layer_decay: float = 0.75
    """Factor on the rate for each layer further down; 1 for one rate."""
    weight_decay: float = 0.01
    momentum: float = 0.9
    """Of SGD."""
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_epochs: float = 2.0
    smoothing: float = 0.0
    """Of the labels."""
    frozen_statistics: bool = False
    """Encoders in evaluation mode, as published."""
    augment: Literal["none", "published", "recipe"] = "recipe"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs ({self.epochs}) and batch size ({self.batch_size}) must be at least 1")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"the layer decay ({self.layer_decay}) must be above 0 and at most 1")


def train_classifier(
    classifier: Callable[[], StreamClassifier],
    clips: AnyClips,
    train: Int[Tensor, " n"],
    labels: Int[Tensor, " n"],
    *,
    augmentation: Augmentation,
    settings: TrainingSettings,
    seed: int,
    folder: Path,
    origin: str,
    device: torch.device,
    advance: Advance,
) -> StreamClassifier:
    """The classifier trained on these clips (indices into the store), in evaluation mode.

    `folder` keeps checkpoint and log: stopped, the same call goes on, and what is trained is not trained again. What
    lies there from other settings, or from another `origin` (which names weights, store and clips), is removed first.

    Raises ValueError when the training diverges, or another process trains in the folder; KeyboardInterrupt when it was
    asked to stop and the state is saved.
    """
    torch.manual_seed(derive_seed(seed, "weights"))
    model = classifier()
    # Beside the folder, which may be removed.
    with lock(folder.with_name(f".{folder.name}.lock"), of=folder):
        _train(model, clips, train, labels, augmentation, settings, seed, folder, origin, device, advance)
    return model.eval()


def _train(
    model: StreamClassifier,
    clips: AnyClips,
    train: Int[Tensor, " n"],
    labels: Int[Tensor, " n"],
    augmentation: Augmentation,
    settings: TrainingSettings,
    seed: int,
    folder: Path,
    origin: str,
    device: torch.device,
    advance: Advance,
) -> None:
    method = Classification(model, settings.smoothing)
    checkpoint = folder / "last.ckpt"
    resumed = _take_up(folder, {"origin": origin, "seed": seed, **asdict(settings)}) and checkpoint.is_file()
    optimizer = _optimiser(settings, model)
    position = load_checkpoint(checkpoint, method, optimizer) if resumed else Position()
    fabric = Fabric(accelerator=device.type, devices=1)
    module, wrapped = fabric.setup(method, optimizer)
    if position.epoch < settings.epochs:
        loader = LabelledLoader(
            clips,
            train,
            labels,
            streams=tuple(model.encoders),
            augmentation=augmentation,
            batch_size=settings.batch_size,
            seed=derive_seed(seed, "batches"),
            device=fabric.device,
        )
        schedule = make_schedule(
            settings.schedule,
            epochs=settings.epochs,
            warmup_epochs=min(settings.warmup_epochs, settings.epochs / 2),
        )
        log = MetricsLog(folder / "metrics.jsonl", keep=position.log_bytes)
        total = settings.epochs * loader.steps
        advance(position.epoch * loader.steps + position.step, total)
        try:
            fit(
                fabric,
                module,
                loader,
                wrapped,
                schedule,
                epochs=settings.epochs,
                seed=derive_seed(seed, "dropout"),
                checkpoint=checkpoint,
                log=log,
                start=position,
                on_step=lambda step, terms: advance(
                    step, total, f"loss {terms['loss']:.3f}, {terms['training_top1']:.0f} % of the batch right"
                ),
            )
        except Interrupted:
            raise KeyboardInterrupt from None
        finally:
            log.close()


@torch.no_grad()
def score_clips(
    model: StreamClassifier, clips: AnyClips, indices: Int[Tensor, " q"], device: torch.device
) -> Float[Tensor, "q classes"]:
    """Logits of these clips, not augmented, in evaluation mode. Raises ValueError where they are not finite."""
    model = model.to(device).eval()
    parts = []
    for rows in batches(len(indices), _TEST_BATCH):
        batch = to_batch(torch.from_numpy(clips.batch(indices[rows].numpy())).to(device))
        parts.append(model(make_streams(batch, tuple(model.encoders), clips.layout, clips.rate)).float().cpu())
    scores = torch.cat(parts)
    if not bool(torch.isfinite(scores).all()):
        raise ValueError(
            "the scores of some test clips are not finite: the training has diverged; lower --learning-rate"
        )
    return scores


def _take_up(folder: Path, identity: dict[str, Any]) -> bool:
    """Whether the training in `folder` is this one; else the folder is made anew for it."""
    file = folder / "settings.json"
    try:
        if read_json(file, remedy="it is made again") == json.loads(json.dumps(identity)):
            return True
    except (OSError, ValueError):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_json(file, identity)
    return False


def _optimiser(settings: TrainingSettings, model: StreamClassifier) -> torch.optim.Optimizer:
    groups = [
        {"params": group, "lr": settings.rate * factor}
        for factor, group in model.parameter_groups(settings.layer_decay)
    ]
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, momentum=settings.momentum, weight_decay=settings.weight_decay)
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
