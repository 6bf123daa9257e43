"""From a recipe to the objects of a training: one function for each."""

from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from kinestream import augment
from kinestream.augment import extreme
from kinestream.layout import SkeletonLayout
from kinestream.methods.aimclr import AimCLR, NeighbourMining
from kinestream.methods.in_batch import InBatch, Projected, nt_xent, vicreg
from kinestream.methods.losses import whiten
from kinestream.methods.method import Method
from kinestream.methods.momentum_contrast import CrossMining, MomentumContrast
from kinestream.methods.online_target import OnlineTarget
from kinestream.methods.query_key import QueryKey
from kinestream.methods.queue import KeyQueue
from kinestream.methods.self_distillation import Collaboration, SelfDistillation, caca, skeleton_byol
from kinestream.models.encoder import Encoder
from kinestream.models.encoder_file import EncoderCard, new_encoder
from kinestream.models.heads import contrast_head, mlp_head
from kinestream.models.stgcn import initialise_as_published
from kinestream.recipes import AugmentRecipe, OptimiserRecipe, Recipe
from kinestream.recipes.encoders import BiGRURecipe, STGCNRecipe
from kinestream.recipes.methods import (
    AimCLRRecipe,
    ExtremeRecipe,
    MomentumContrastRecipe,
    NTXentRecipe,
    SelfDistillationRecipe,
    VICRegRecipe,
)

BuiltMethod = SelfDistillation | MomentumContrast | AimCLR | InBatch
"""Each is a `Method` and a module."""


def encoder_card(recipe: Recipe, name: str, stream: str, layout: SkeletonLayout, epochs_done: int) -> EncoderCard:
    """The card of one stream's encoder."""
    match recipe.encoder:
        case STGCNRecipe() as encoder:
            own: dict[str, Any] = {"partition": encoder.partition}
        case BiGRURecipe() as encoder:
            own = {"layers": encoder.layers}
    return EncoderCard(
        stream=stream,
        layout=layout,
        architecture=encoder.name,
        hidden=recipe.encoder.hidden,
        dim=recipe.encoder.dim,
        dropout=recipe.encoder.dropout,
        absent=recipe.encoder.absent,
        pool=recipe.encoder.pool,
        frames=recipe.frames,
        preparation=recipe.preparation,
        dataset=recipe.dataset,
        split=recipe.split,
        recipe=name,
        epochs_done=epochs_done,
        epochs=recipe.epochs,
        readout=recipe.readout,
        **own,
    )


def build_encoder(recipe: Recipe, stream: str, layout: SkeletonLayout) -> Encoder:
    """A new encoder of a stream, initialised as the recipe says, from torch's global generator."""
    encoder = new_encoder(encoder_card(recipe, "", stream, layout, 0))
    _initialise(recipe, encoder)
    return encoder


def build_method(recipe: Recipe, layout: SkeletonLayout) -> BuiltMethod:
    """The method with its networks for each stream, weights from torch's global generator."""
    match recipe.method:
        case SelfDistillationRecipe() as options:
            return _self_distillation(recipe, options, layout)
        case MomentumContrastRecipe() as options:
            return _momentum_contrast(recipe, options, layout)
        case AimCLRRecipe() as options:
            return _aimclr(recipe, options, layout)
        case NTXentRecipe() as options:
            return nt_xent(_projected(recipe, layout), temperature=options.temperature)
        case VICRegRecipe() as options:
            return vicreg(
                _projected(recipe, layout),
                invariance=options.invariance,
                variance=options.variance,
                covariance=options.covariance,
            )


def _self_distillation(recipe: Recipe, options: SelfDistillationRecipe, layout: SkeletonLayout) -> SelfDistillation:
    pairs: dict[str, OnlineTarget] = {}
    for stream in recipe.streams:
        projector = mlp_head(recipe.encoder.dim, options.hidden, options.embedding)
        predictor = mlp_head(options.embedding, options.hidden, options.embedding)
        _initialise(recipe, projector, predictor)
        pairs[stream] = OnlineTarget(build_encoder(recipe, stream, layout), projector, predictor)
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


def _momentum_contrast(recipe: Recipe, options: MomentumContrastRecipe, layout: SkeletonLayout) -> MomentumContrast:
    mining = None
    if options.cross_epoch is not None:
        mining = CrossMining(first_epoch=options.cross_epoch, k=options.cross_k)
    return MomentumContrast(
        _query_keys(recipe, options, layout), decay=options.decay, temperature=options.temperature, mining=mining
    )


def _aimclr(recipe: Recipe, options: AimCLRRecipe, layout: SkeletonLayout) -> AimCLR:
    mining = None
    if options.mining_epoch is not None:
        mining = NeighbourMining(first_epoch=options.mining_epoch, k=options.mining_k)
    return AimCLR(
        _query_keys(recipe, options, layout),
        decay=options.decay,
        temperature=options.temperature,
        threshold=options.drop_threshold,
        mining=mining,
    )


def _query_keys(
    recipe: Recipe, options: MomentumContrastRecipe | AimCLRRecipe, layout: SkeletonLayout
) -> dict[str, QueryKey]:
    networks: dict[str, QueryKey] = {}
    for stream in recipe.streams:
        projector = contrast_head(recipe.encoder.dim, options.hidden, options.embedding)
        _initialise(recipe, projector)
        queue = KeyQueue(options.queue, options.embedding)
        networks[stream] = QueryKey(build_encoder(recipe, stream, layout), projector, queue)
    return networks


def _projected(recipe: Recipe, layout: SkeletonLayout) -> dict[str, Projected]:
    networks: dict[str, Projected] = {}
    for stream in recipe.streams:
        projector = mlp_head(recipe.encoder.dim, recipe.method.hidden, recipe.method.embedding)
        _initialise(recipe, projector)
        networks[stream] = Projected(build_encoder(recipe, stream, layout), projector)
    return networks


def _initialise(recipe: Recipe, *networks: nn.Module) -> None:
    if isinstance(recipe.encoder, STGCNRecipe) and recipe.encoder.initialisation == "published":
        for network in networks:
            initialise_as_published(network)


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
        fold = layout if recipe.joint_mask_at == "parent" else None
        transforms.append(augment.JointMask(recipe.joint_mask, fold))
    if recipe.noise:
        transforms.append(augment.Noise(recipe.noise))
    return augment.Augmentation(tuple(transforms))


def build_extreme(recipe: ExtremeRecipe, layout: SkeletonLayout) -> augment.Augmentation:
    """AimCLR's extreme view: the transforms that the recipe does not leave out, in the order of its fields."""
    transforms: list[augment.Transform] = []
    if recipe.temporal_crop:
        transforms.append(augment.TemporalCrop(recipe.temporal_crop))
    if recipe.resized_crop:
        transforms.append(augment.ResizedCrop(*recipe.resized_crop))
    if recipe.shear:
        transforms.append(augment.Shear(recipe.shear))
    if recipe.swap_sides:
        transforms.append(extreme.Sometimes(extreme.SwapSides(layout), recipe.swap_sides))
    if recipe.mirror:
        transforms.append(augment.Mirror(layout, recipe.mirror))
    if recipe.turn:
        transforms.append(extreme.Turn(*recipe.turn))
    if recipe.time_flip:
        transforms.append(extreme.Sometimes(extreme.TimeFlip(), recipe.time_flip))
    if recipe.noise:
        transforms.append(extreme.Sometimes(augment.Noise(recipe.noise)))
    if recipe.blur:
        transforms.append(extreme.Sometimes(extreme.Blur(*recipe.blur, recipe.blur_normalised)))
    if recipe.axis_mask:
        transforms.append(extreme.Sometimes(extreme.AxisMask(), recipe.axis_mask))
    return augment.Augmentation(tuple(transforms))


def build_views(recipe: Recipe, layout: SkeletonLayout) -> list[augment.Augmentation]:
    """The augmentation of each view that the recipe's method takes: two normal ones, and AimCLR's extreme one."""
    normal = build_augmentation(recipe.augment, layout)
    if isinstance(recipe.method, AimCLRRecipe):
        return [normal, normal, build_extreme(recipe.method.extreme, layout)]
    return [normal, normal]


def build_optimiser(recipe: OptimiserRecipe, method: Method, *, fused: bool = False) -> Optimizer:
    """One optimiser for the trained parameters of all streams; `fused` makes its step one kernel, on CUDA."""
    groups = [{"params": list(group), "lr": recipe.rate * factor} for factor, group in method.parameter_groups()]
    if recipe.name == "adamw":
        return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=fused)
    return torch.optim.SGD(groups, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=fused)
