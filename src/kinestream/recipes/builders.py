"""From a recipe to the objects of a training: one function for each."""

from functools import partial
from typing import Any

import torch
from torch.optim import Optimizer

from kinestream import augment
from kinestream.layout import SkeletonLayout
from kinestream.methods.losses import whiten
from kinestream.methods.method import Method
from kinestream.methods.online_target import OnlineTarget
from kinestream.methods.self_distillation import Collaboration, SelfDistillation, caca, skeleton_byol
from kinestream.models.encoder_file import EncoderCard, new_encoder
from kinestream.models.heads import mlp_head
from kinestream.models.stgcn import STGCN, initialise_as_published
from kinestream.recipes import AugmentRecipe, OptimiserRecipe, Recipe


def encoder_card(recipe: Recipe, name: str, stream: str, layout: SkeletonLayout, epochs_done: int) -> EncoderCard:
    """The card of one stream's encoder."""
    return EncoderCard(
        stream=stream,
        layout=layout,
        hidden=recipe.encoder.hidden,
        dim=recipe.encoder.dim,
        dropout=recipe.encoder.dropout,
        skip_absent=recipe.encoder.skip_absent,
        partition=recipe.encoder.partition,
        frames=recipe.frames,
        preparation=recipe.preparation,
        dataset=recipe.dataset,
        split=recipe.split,
        recipe=name,
        epochs_done=epochs_done,
        epochs=recipe.epochs,
    )


def build_encoder(recipe: Recipe, layout: SkeletonLayout) -> STGCN:
    """A new encoder, initialised as the recipe says, from torch's global generator."""
    encoder = new_encoder(encoder_card(recipe, "", "", layout, 0))
    if recipe.encoder.initialisation == "published":
        initialise_as_published(encoder)
    return encoder


def build_method(recipe: Recipe, layout: SkeletonLayout) -> SelfDistillation:
    """The method, with encoder, heads and target for each stream, from torch's global generator."""
    options = recipe.method
    pairs: dict[str, OnlineTarget] = {}
    for stream in recipe.streams:
        projector = mlp_head(recipe.encoder.dim, options.hidden, options.embedding)
        predictor = mlp_head(options.embedding, options.hidden, options.embedding)
        if recipe.encoder.initialisation == "published":
            initialise_as_published(projector)
            initialise_as_published(predictor)
        pairs[stream] = OnlineTarget(build_encoder(recipe, layout), projector, predictor)
    shared: dict[str, Any] = {
        "decay": options.decay,
        "final_decay": options.final_decay,
        "predictor_rate": options.predictor_rate,
        "targets": partial(whiten, shrinkage=options.shrinkage) if options.target == "whitened" else None,
        "collaboration": None
        if options.cross_epoch is None
        else Collaboration(
            first_epoch=options.cross_epoch,
            k=options.cross_k,
            weight=options.cross_weight,
            moving_target=options.cross_moving_target,
        ),
    }
    if options.name == "caca":
        return caca(pairs, push=options.push, **shared)
    return skeleton_byol(pairs, **shared)


def build_augmentation(recipe: AugmentRecipe, layout: SkeletonLayout) -> augment.Augmentation:
    """The transforms that the recipe does not leave out, in the order of its fields."""
    transforms: list[augment.Transform] = []
    if recipe.temporal_crop:
        transforms.append(augment.TemporalCrop(recipe.temporal_crop))
    if recipe.resized_crop:
        transforms.append(augment.ResizedCrop(*recipe.resized_crop))
    if recipe.mirror:
        transforms.append(augment.Mirror(layout, recipe.mirror))
    if recipe.rotation:
        transforms.append(augment.Rotation(recipe.rotation))
    if recipe.shear:
        transforms.append(augment.Shear(recipe.shear))
    if recipe.joint_mask:
        transforms.append(augment.JointMask(recipe.joint_mask))
    if recipe.noise:
        transforms.append(augment.Noise(recipe.noise))
    return augment.Augmentation(tuple(transforms))


def build_optimiser(recipe: OptimiserRecipe, method: Method) -> Optimizer:
    """One optimiser for the trained parameters of all streams."""
    groups = [{"params": list(group), "lr": recipe.rate * factor} for factor, group in method.parameter_groups()]
    if recipe.name == "adamw":
        return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(groups, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
