"""Recipes: everything that decides a pre-training run, in one YAML file each, found by name.

The YAML keys are the fields of `Recipe`; unknown keys and values that do not fit are refused. `resolve` reads a recipe
by name or path and applies overrides `key=value`, with dots into its parts: `optimiser.rate=0.05`. A file that begins
with `base: NAME` holds only what differs from that recipe.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml

from kinestream.config import choose_by_name, parse_strictly
from kinestream.methods.settings import (
    METHOD_RECIPES,
    MethodRecipe,
    SelfDistillationRecipe,
    setting_between_streams,
)
from kinestream.models.encoder_settings import ENCODER_RECIPES, EncoderRecipe, STGCNRecipe
from kinestream.models.readout import Readout
from kinestream.plugins import unknown
from kinestream.skeleton import STREAMS

_KINDS = {"method": METHOD_RECIPES, "encoder": ENCODER_RECIPES}
"""The parts of a recipe that are one of several dataclasses, told by their names."""
_NAMES = tuple(f"{part}.name=" for part in _KINDS)


@dataclass(frozen=True, kw_only=True)
class AugmentRecipe:
    """Transforms of a view, in this order; null or 0 leaves one out."""

    temporal_crop: int | None = 6
    """Mirror-pad by a share of 1 / this at both ends, then cut."""
    resized_crop: tuple[float, float] | None = None
    """Cut a stretch between these shares of the clip and resize it."""
    mirror: float = 0.0
    """Probability of the mirror image."""
    rotation: tuple[float, float, float] | None = None
    """Largest angle about x, y (vertical) and z, in degrees."""
    shear: float = 0.5
    """Amplitude of the shear."""
    joint_mask: float = 0.0
    """Probability that a joint is hidden."""
    joint_mask_at: Literal["origin", "parent"] = "origin"
    """Where a hidden joint is put: at the origin, or on the nearest joint that is seen towards the root."""
    noise: float = 0.0
    """Gaussian noise in metres."""


@dataclass(frozen=True, kw_only=True)
class OptimiserRecipe:
    """Optimiser and learning rate."""

    name: Literal["sgd", "adamw"] = "sgd"
    """SGD without Nesterov, or AdamW."""
    rate: float = 0.1
    """Learning rate after the warm-up."""
    momentum: float = 0.9
    """Of SGD."""
    weight_decay: float = 1e-4
    """On every parameter."""
    schedule: Literal["constant", "step", "cosine"] = "constant"
    """Course of the learning rate over the training."""
    warmup_epochs: float = 0.0
    """Linear rise from 0 at the beginning."""
    milestones: tuple[int, ...] = ()
    """Epochs after which schedule `step` multiplies the rate by `factor`."""
    factor: float = 0.1
    """See `milestones`."""


@dataclass(frozen=True, kw_only=True)
class MonitorRecipe:
    """What is watched during training; nothing of it changes the result."""

    knn_every: int = 0
    """Epochs between two 1-NN evaluations with labels, for the log only; 0 for never."""
    collapse_spread: float = 0.1
    """A feature spread below this (1 is isotropic, 0 is collapse) is reported loudly."""


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """A figure from the literature to stand beside a run's own; a difference is taken only to one of the same kind."""

    accuracy: float
    """Top-1, in percent."""
    what: str
    """Method, protocol and source."""
    streams: tuple[str, ...] = ()
    """The streams that it is of; empty where that is not known, and then no difference is taken to it."""
    protocol: Literal["linear", "knn"] = "linear"
    """Linear evaluation, or the nearest neighbour."""
    fusion: dict[str, float] | None = None
    """Weights of the streams, where their scores were fused; null where one probe (or one distance) took them all."""

    def __post_init__(self) -> None:
        if not 0 <= self.accuracy <= 100:
            raise ValueError(f"published.accuracy ({self.accuracy}) must be in percent, from 0 to 100")
        if len(set(self.streams)) != len(self.streams):
            raise ValueError(f"published.streams {list(self.streams)} must name no stream twice")
        _check_streams(self.streams)
        if self.fusion is not None and (len(self.streams) < 2 or set(self.fusion) != set(self.streams)):
            raise ValueError(
                f"published.fusion has weights for {', '.join(self.fusion)}, it must have one for each of several "
                f"published.streams, which are {list(self.streams)}"
            )

    def is_like(
        self, protocol: str, how: str, streams: Sequence[str], weights: Mapping[str, float] | None = None
    ) -> bool:
        """Whether an accuracy is of this kind: the same protocol and streams, taken the same way (`alone`, `together`,
        or `fused` with `weights`; alike where None)."""
        if protocol != self.protocol or not self.streams or set(streams) != set(self.streams):
            return False
        if self.fusion is not None:
            return how == "fused" and self.fusion == (weights or dict.fromkeys(streams, 1.0))
        return how == ("together" if len(self.streams) > 1 else "alone")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One pre-training run."""

    title: str
    """What it is, in a line."""
    dataset: str
    """Data set of the store it is written for."""
    preparation: str
    """Preparation of the store it is written for."""
    split: str
    """The training part of this split is learnt from, without labels."""
    streams: tuple[str, ...] = ("joint",)
    """Which streams have an encoder."""
    frames: int = 50
    """Length of a clip."""
    epochs: int
    """Passes over the training clips."""
    batch_size: int = 128
    """Clips a step; the last, smaller batch is dropped."""
    other_camera: float = 0.0
    """Probability that the views of a clip but the first are of the same performance from another camera, where the
    store, or a file of pairs, tells which recordings are."""
    find_pairs: bool = False
    """Whether a first run of it, without other cameras, finds the pairs: it is not trained without a file of them."""
    seed: int = 0
    """Of weights, order, augmentation and dropout."""
    method: MethodRecipe = dataclasses.field(default_factory=SelfDistillationRecipe)
    encoder: EncoderRecipe = dataclasses.field(default_factory=STGCNRecipe)
    augment: AugmentRecipe = dataclasses.field(default_factory=AugmentRecipe)
    optimiser: OptimiserRecipe = dataclasses.field(default_factory=OptimiserRecipe)
    monitor: MonitorRecipe = dataclasses.field(default_factory=MonitorRecipe)
    readout: Readout = dataclasses.field(default_factory=Readout)
    """How the evaluations of frozen features read a clip, and whether they whiten features."""
    published: PublishedFigure | None = None
    """What the literature reports, if anything."""
    recommended: str | None = None
    """What it is the recommended recipe for, if for anything; a recipe based on it says so for itself."""

    def __post_init__(self) -> None:
        for name, value, least in (("epochs", self.epochs, 1), ("batch_size", self.batch_size, 2)):
            if value < least:
                raise ValueError(f"{name} ({value}) must be at least {least}")
        if not 0 <= self.other_camera <= 1:
            raise ValueError(f"other_camera ({self.other_camera}) is a probability: it must be in [0, 1]")
        if self.find_pairs and not self.other_camera:
            raise ValueError(
                "find_pairs is for views of other cameras: set other_camera above 0, or find_pairs to false"
            )
        if not self.streams or len(set(self.streams)) != len(self.streams):
            raise ValueError(f"streams {list(self.streams)} must name at least one stream, none twice")
        _check_streams(self.streams)

    def first_pass(self) -> "Recipe":
        """What finds the pairs: the same without other cameras."""
        return dataclasses.replace(self, other_camera=0.0, find_pairs=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain containers; `from_dict` gives an equal recipe."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], where: str) -> "Recipe":
        """Raises ValueError, naming `where`, for a key that is unknown, a value that does not fit, or streams that the
        encoder cannot take or that are too few for the method."""
        encoder = plain.get("encoder")
        if isinstance(encoder, Mapping) and isinstance(encoder.get("skip_absent"), bool):
            # What earlier versions wrote.
            rest = {key: value for key, value in encoder.items() if key != "skip_absent"}
            absent = "skip" if encoder["skip_absent"] else "published"
            plain = {**plain, "encoder": {"absent": absent, **rest}}
        recipe = parse_strictly(cls, plain, where)
        # Not in `__post_init__`: the parser makes a recipe of the default encoder first, and puts the chosen one in.
        graph = isinstance(recipe.encoder, STGCNRecipe)
        paired = [stream for stream in recipe.streams if graph and STREAMS.get(stream).of_pairs]
        if paired:
            raise ValueError(
                f"{where}: {' and '.join(paired)} are of pairs of joints, which the graph of encoder st-gcn does not "
                "have: leave them out of streams, or set encoder.name=bigru"
            )
        between = setting_between_streams(recipe.method)
        if between is not None and len(recipe.streams) < 2:
            raise ValueError(
                f"{where}: method.{between} ({getattr(recipe.method, between)}) has streams learn from each other, and "
                f"{recipe.streams[0]} is alone: name more streams, or set method.{between}="
                f"{0 if between == 'across' else 'null'}"
            )
        return recipe


def _check_streams(names: Sequence[str]) -> None:
    known = STREAMS.names()
    for name in names:
        if name not in known:
            raise ValueError(unknown("stream", name, known))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def recipe_names() -> tuple[str, ...]:
    """The recipes of the package."""
    files = resources.files(__package__).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def resolve(recipe: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by name, or by path when it ends in `.yaml`, with `key=value` overrides applied.

    Raises ValueError for an unknown recipe, key or value.

    Example:
        >>> resolve("caca-joint-ntu60-xsub", ["epochs=10", "optimiser.rate=0.05"]).optimiser.rate
        0.05
    """
    plain = _read(recipe)
    # Names first: where one changes the kind of method or encoder, what is set besides belongs to the new one.
    for override in sorted(overrides, key=lambda override: not override.startswith(_NAMES)):
        _apply(plain, override)
    return Recipe.from_dict(plain, f"recipe '{recipe}'")


def _read(recipe: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """The keys of a recipe, those of its base included; `above` are the recipes that are based on it."""
    plain = _read_one(recipe)
    base = plain.pop("base", None)
    if base is None:
        return plain
    if not isinstance(base, str) or base in (*above, recipe):
        raise ValueError(f"recipe '{recipe}': base '{base}' is not the name of another recipe, or goes round in a ring")
    below = _read(base, (*above, recipe))
    below.pop("recommended", None)
    return _laid_over(below, plain)


def _laid_over(base: dict[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what `plain` says instead; parts (mappings) are laid over each other key by key. A method or encoder
    of another kind than that of `base` takes nothing over: its settings are others."""
    merged = dict(base)
    for key, value in plain.items():
        parts = isinstance(value, Mapping) and isinstance(base.get(key), dict)
        if parts and _is_of_another_kind(key, base[key], value):
            parts = False
        merged[key] = _laid_over(base[key], value) if parts else value
    return merged


def _is_of_another_kind(key: str, base: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    """Whether the part `key` of a recipe changes from one kind to another; a part without a name is of the first."""
    if key not in _KINDS or "name" not in part:
        return False
    kinds = _KINDS[key]
    try:
        return choose_by_name(kinds, part["name"]) is not (
            choose_by_name(kinds, base["name"]) if "name" in base else kinds[0]
        )
    except ValueError:
        return False  # the names are checked where the recipe is made


def _read_one(recipe: str) -> dict[str, Any]:
    if recipe.endswith((".yaml", ".yml")):
        path = Path(recipe)
        if not path.is_file():
            raise ValueError(f"no recipe file {recipe}")
        text = path.read_text("utf-8")
    elif recipe in recipe_names():
        text = resources.files(__package__).joinpath(f"{recipe}.yaml").read_text("utf-8")
    else:
        raise ValueError(
            f"unknown recipe '{recipe}': choose from {', '.join(recipe_names())}, or give the path of a .yaml file"
        )
    try:
        plain = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"recipe '{recipe}' is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(plain, dict):
        raise ValueError(f"recipe '{recipe}' is not a mapping of keys to values")
    return plain


def _apply(plain: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ValueError(f"'{override}' is no setting: write key=value, as in epochs=10 or optimiser.rate=0.05")
    *parts, last = key.split(".")
    target = plain
    for part in parts:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise ValueError(f"'{override}': {part} has no parts to set")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError(f"'{override}': {text!r} is no value") from None
    if last == "name" and _is_of_another_kind(".".join(parts), target, {"name": value}):
        target.clear()
    target[last] = value
