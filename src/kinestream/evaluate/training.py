"""Fine-tuning and its bar: everything trains with labels, from the weights of the run or from random ones. A classifier
for each seed is kept in the run, so that a training that was stopped goes on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from kinestream.augment.settings import AugmentSettings
from kinestream.augment.transforms import Augmentation
from kinestream.evaluate import register
from kinestream.evaluate.result import How, Kind, Row, mean_of_seeds
from kinestream.evaluate.session import Session
from kinestream.evaluate.settings import (
    FineTuneSettings,
    SupervisedSettings,
    changed_settings,
    in_file_name,
    parse_weights,
    seed_range,
)
from kinestream.features.metrics import fuse_scores, ranked
from kinestream.models.classifier import StreamClassifier
from kinestream.models.encoder_file import weights_hash
from kinestream.train.classify import TrainingSettings, score_clips, train_classifier
from kinestream.train.seeds import derive_seed

USUAL = TrainingSettings()
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


@register("finetune")
def finetune(session: Session, settings: FineTuneSettings) -> Iterator[Row]:
    """All labels of the training part, the encoders going on to learn."""
    training, weights = begin_training(session, settings)
    yield from trained_rows(session, "run", settings, training, weights)


@register("supervised")
def supervised(session: Session, settings: SupervisedSettings) -> Iterator[Row]:
    """The same networks from random weights with all labels, by one learning rate for all layers."""
    if settings.layer_decay is None:
        settings = replace(settings, layer_decay=1.0)
    training, weights = begin_training(session, settings)
    yield from trained_rows(session, "supervised", settings, training, weights)


def begin_training(session: Session, settings: FineTuneSettings) -> tuple[TrainingSettings, Mapping[str, float] | None]:
    """How the classifiers are trained, and the weights of their scores; the session is told both. Results and trainings
    of the published form lie beside those of the usual one. Raises ValueError for impossible settings."""
    training, weights = training_settings(settings), parse_weights(settings.weights)
    session.check_weights(weights)
    session.protocol += "-published" if training.frozen_statistics else ""
    session.settings |= {
        **asdict(training),
        "seeds": list(seed_range(settings.seed, settings.seeds)),
        "weights": weights or "uniform",
    }
    return training, weights


def training_settings(given: FineTuneSettings) -> TrainingSettings:
    """The settings of a form, with those instead that are given."""
    asked: dict[str, Any] = {
        "epochs": given.epochs,
        "batch_size": given.batch_size,
        "optimiser": given.optimiser,
        "rate": given.learning_rate,
        "layer_decay": given.layer_decay,
        "weight_decay": given.weight_decay,
        "augment": given.augment,
    }
    form = PUBLISHED if given.form == "published" else USUAL
    return replace(form, **{name: value for name, value in asked.items() if value is not None})


def trained_rows(
    session: Session,
    kind: Kind,
    settings: FineTuneSettings,
    training: TrainingSettings,
    weights: Mapping[str, float] | None = None,
    *,
    subsets: Sequence[Tensor] | None = None,
    protocol: str = "",
    variant: str = "",
    part: str = "",
) -> Iterator[Row]:
    """Classifiers trained with labels, the figures being means over the seeds.

    Args:
        kind: "run" for encoders as learnt, "supervised" for new ones.
        subsets: for each seed the training clips, as places among those of the split; all if None.
        protocol: what the folders of the trainings begin with; the session's if not given.
        variant: what the rows are called beside their streams.
        part: further part of the names of the folders.
    """
    several = len(session.streams) > 1
    alone = not several or settings.fusion != "together"
    choices: list[tuple[tuple[str, ...], How]] = [((stream,), "alone") for stream in session.streams] if alone else []
    if several and settings.fusion != "fused":
        choices.append((session.streams, "together"))
    seeds = seed_range(settings.seed, settings.seeds)
    # Trainings with other settings, or on another store, lie beside each other.
    usual = PUBLISHED if training.frozen_statistics and not protocol else USUAL
    usual = replace(usual, layer_decay=1.0) if kind == "supervised" else usual
    others = in_file_name(
        (*changed_settings(training, usual), *(word for word in session.changed if word.startswith("data=")))
    )

    def row(streams: Sequence[str], how: How, logits: Sequence[Tensor]) -> Row:
        return mean_of_seeds(
            [session.row(kind, streams, how, ranked(one), logits=one, variant=variant) for one in logits], seeds
        )

    scores: dict[tuple[str, ...], list[Tensor]] = {}
    for streams, how in choices:
        words = [
            protocol or session.protocol,
            session.store.info.dataset,
            session.split,
            *filter(None, [part]),
            *streams,
        ]
        scores[streams] = [
            _train_and_score(
                session,
                kind,
                streams,
                training,
                seed,
                torch.arange(len(session.train)) if subsets is None else subsets[number],
                "-".join([*words, f"seed{seed}", *others]),
            )
            for number, seed in enumerate(seeds)
        ]
        yield row(streams, how, scores[streams])
    if several and alone:
        by_seed = zip(*(scores[(stream,)] for stream in session.streams), strict=True)
        fused = [fuse_scores(dict(zip(session.streams, one, strict=True)), weights) for one in by_seed]
        yield row(session.streams, "fused", fused)


def _train_and_score(
    session: Session,
    kind: Kind,
    streams: Sequence[str],
    training: TrainingSettings,
    seed: int,
    subset: Tensor,
    folder: str,
) -> Tensor:
    """Logits of the test clips."""
    learnt = session.encoders() if kind == "run" else session.random_encoders(derive_seed(seed, "encoders"))
    encoders = {stream: learnt[stream] for stream in streams}
    chosen = torch.from_numpy(session.train)[subset]
    labels = session.train_labels[subset]
    # What the training comes from, told at its beginning: from other weights or clips it is begun anew.
    hashes = [weights_hash(encoder)[:16] for encoder in encoders.values()]
    origin = " ".join([*hashes, session.store.fingerprint[:16], str(derive_seed(0, *chosen.tolist()))])
    model = train_classifier(
        lambda: StreamClassifier(encoders, session.classes, frozen_statistics=training.frozen_statistics),
        session.clips,
        chosen,
        labels,
        augmentation=_augmentation(session, training),
        settings=training,
        seed=seed,
        folder=session.source.folder.path / "trained" / folder,
        origin=origin,
        device=session.device,
        advance=session.advance(folder, "steps"),
    )
    return score_clips(model, session.clips, torch.from_numpy(session.test), session.device)


def _augmentation(session: Session, training: TrainingSettings) -> Augmentation:
    recipes = {
        "none": AugmentSettings(temporal_crop=None, shear=0.0),
        "published": AugmentSettings(),
        "recipe": session.source.augment,
    }
    return recipes[training.augment].build(session.clips.layout)
