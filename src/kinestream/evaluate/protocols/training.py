"""What the protocols that train with labels share: a classifier for each seed, and how streams come together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from kinestream.augment.settings import AugmentSettings
from kinestream.augment.transforms import Augmentation
from kinestream.evaluate.protocols.outcome import How, Kind, Outcome, mean_of_seeds
from kinestream.evaluate.protocols.subject import Subject
from kinestream.features.metrics import ranked
from kinestream.features.together import fuse_scores
from kinestream.models.classifier import StreamClassifier
from kinestream.models.encoder_file import weights_hash
from kinestream.train.classify import TrainingSettings, score_clips, train_classifier
from kinestream.train.seeds import derive_seed

Fusion = Literal["together", "fused", "both"]
"""Of several streams: one classifier on all, logits summed; or one for each, and their scores summed; or both."""

PUBLISHED = TrainingSettings(
    optimiser="sgd",
    rate=0.1,
    layer_decay=1.0,
    weight_decay=1e-4,
    schedule="constant",
    warmup_epochs=0.0,
    batch_size=128,
    frozen_statistics=True,
    augment="none",
)
"""The published form: encoder in evaluation mode. No settings are published with it, so optimiser, rate and batch are
those of the published pre-training."""
USUAL = TrainingSettings()


def protocol_in_form(protocol: str, settings: TrainingSettings) -> str:
    """What results and trainings are called: those of the published form lie beside those of the usual one."""
    return f"{protocol}-published" if settings.frozen_statistics else protocol


def trained_outcomes(
    subject: Subject,
    kind: Kind,
    settings: TrainingSettings,
    seeds: Sequence[int],
    *,
    protocol: str,
    fusion: Fusion = "together",
    weights: Mapping[str, float] | None = None,
    subsets: Sequence[Tensor] | None = None,
    variant: str = "",
    place: str = "",
) -> Iterator[Outcome]:
    """Classifiers trained with labels, the figures being means over the seeds.

    Args:
        kind: "run" for encoders as learnt, "supervised" for new ones.
        subsets: for each seed the training clips, as places among those of the split; all if None.
        variant: what the outcomes are called beside their streams.
        place: further part of the names of the trainings' folders.
    """
    alone = len(subject.streams) == 1 or fusion != "together"
    choices: list[tuple[Sequence[str], How]] = [([stream], "alone") for stream in subject.streams] if alone else []
    if len(subject.streams) > 1 and fusion != "fused":
        choices.append((list(subject.streams), "together"))
    scores: dict[tuple[str, ...], list[Tensor]] = {}
    for streams, how in choices:
        logits = []
        for number, seed in enumerate(seeds):
            subset = torch.arange(len(subject.train)) if subsets is None else subsets[number]
            words = [protocol, subject.store.info.dataset, subject.split, *([place] if place else []), *streams]
            folder = "-".join([*words, f"seed{seed}"])
            logits.append(_train_and_score(subject, kind, streams, settings, seed, subset, folder))
        scores[tuple(streams)] = logits
        yield _over_seeds(subject, kind, how, streams, logits, seeds, variant)
    if len(subject.streams) > 1 and alone:
        by_seed = zip(*(scores[(stream,)] for stream in subject.streams), strict=True)
        fused = [fuse_scores(dict(zip(subject.streams, one, strict=True)), weights) for one in by_seed]
        yield _over_seeds(subject, kind, "fused", subject.streams, fused, seeds, variant)


def _over_seeds(
    subject: Subject,
    kind: Kind,
    how: How,
    streams: Sequence[str],
    logits: Sequence[Tensor],
    seeds: Sequence[int],
    variant: str,
) -> Outcome:
    single = [subject.reached(kind, how, streams, ranked(one), {}, logits=one, variant=variant) for one in logits]
    return mean_of_seeds(single, seeds)


def _train_and_score(
    subject: Subject,
    kind: Kind,
    streams: Sequence[str],
    settings: TrainingSettings,
    seed: int,
    subset: Tensor,
    folder: str,
) -> Tensor:
    """Logits of the test clips."""
    learnt = subject.encoders() if kind == "run" else subject.random_encoders(derive_seed(seed, "encoders"))
    encoders = {stream: learnt[stream] for stream in streams}
    chosen = torch.from_numpy(subject.train)[subset]
    labels = subject.train_labels[subset]
    # What the training comes from, told at its beginning: from other weights or clips it is begun anew.
    hashes = [weights_hash(encoder)[:16] for encoder in encoders.values()]
    origin = " ".join([*hashes, subject.store.fingerprint[:16], str(derive_seed(0, *chosen.tolist()))])
    with subject.screen.progress(folder, "steps") as advance:
        model = train_classifier(
            lambda: StreamClassifier(encoders, subject.classes, frozen_statistics=settings.frozen_statistics),
            subject.clips,
            chosen,
            labels,
            augmentation=_augmentation(subject, settings),
            settings=settings,
            seed=seed,
            folder=subject.source.folder.path / "trained" / folder,
            origin=origin,
            device=subject.device,
            advance=advance,
        )
    return score_clips(model, subject.clips, torch.from_numpy(subject.test), subject.device)


def _augmentation(subject: Subject, settings: TrainingSettings) -> Augmentation:
    recipes = {
        "none": AugmentSettings(temporal_crop=None, shear=0.0),
        "published": AugmentSettings(),
        "recipe": subject.source.augment,
    }
    return recipes[settings.augment].build(subject.clips.layout)


def seeds_from(first: int, count: int) -> range:
    """Raises ValueError for less than one."""
    if count < 1:
        raise ValueError(f"--seeds {count}: at least one training is needed")
    return range(first, first + count)
