"""Recipes: everything that decides a pre-training run, found by name (see `kinestream.recipes.families`), or in a YAML
file of one's own.

The YAML keys are the fields of `Recipe`; unknown keys and values that do not fit are refused. `resolve` reads a recipe
by name or path and applies overrides `key=value`, with dots into its parts: `optimiser.rate=0.05`; a field may have
further names, as `learning_rate` (see `kinestream.recipes.keys`). A file that begins with `base: NAME` holds only what
differs from that recipe.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator

from kinestream.augment.settings import AugmentSettings
from kinestream.config import parse_strictly, registered
from kinestream.data.durations import check_clip_seconds
from kinestream.documents import load_yaml, read_yaml
from kinestream.methods import METHODS
from kinestream.models import ENCODERS
from kinestream.models.readout import Readout
from kinestream.recipes.families import REGISTRIES, USUAL, is_of_another_kind, laid_over, published_recipes
from kinestream.recipes.keys import also_called, place_of
from kinestream.skeleton import STREAMS
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.words import shown, unknown

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from kinestream.augment.mixing import Mixture
    from kinestream.augment.transforms import Augmentation
    from kinestream.methods.method import Method, Networks
    from kinestream.models.encoder_file import EncoderCard

MOST_EPOCHS = 1_000_000
_NAMES = tuple(f"{part}.name=" for part in REGISTRIES)


@dataclass(frozen=True, kw_only=True)
class OptimiserSettings:
    """Optimiser and learning rate."""

    name: Literal["sgd", "adamw"] = "sgd"
    """SGD without Nesterov, or AdamW."""
    rate: float = dataclasses.field(default=0.1, metadata=also_called("learning_rate", "lr"))
    """Learning rate after the warm-up."""
    momentum: float = 0.9
    """Of SGD."""
    weight_decay: float = 1e-4
    """On every parameter."""
    schedule: Literal["constant", "step", "cosine"] = "constant"
    """Course of the learning rate over the training."""
    warmup_epochs: float = dataclasses.field(default=0.0, metadata=also_called("warmup"))
    """Linear rise from 0 at the beginning; half of a training that is no longer than this."""
    milestones: tuple[int, ...] = ()
    """Epochs after which schedule `step` multiplies the rate by `factor`."""
    factor: float = 0.1
    """See `milestones`."""

    def __post_init__(self) -> None:
        if not 0 <= self.rate < math.inf:  # one that is too high makes the training diverge, which is told there
            raise ValueError(f"optimiser.rate ({self.rate}) must be a finite number from 0")
        for name, value, most in (
            ("weight_decay", self.weight_decay, 1000),
            ("warmup_epochs", self.warmup_epochs, MOST_EPOCHS),
            ("factor", self.factor, 1),
        ):
            if not 0 <= value <= most:
                raise ValueError(f"optimiser.{name} ({value}) must be in 0..{most}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"optimiser.momentum ({self.momentum}) must be at least 0 and below 1")
        if any(milestone < 1 for milestone in self.milestones):
            raise ValueError(f"optimiser.milestones {list(self.milestones)[:10]} must be epochs, from 1")

    def build(self, method: "Method", *, fused: bool = False) -> "Optimizer":
        """One optimiser for the trained parameters of all streams; `fused` makes its step one kernel, on CUDA."""
        from torch.optim import SGD, AdamW

        groups: list[dict[str, Any]] = [
            {"params": list(group), "lr": self.rate * factor} for factor, group in method.parameter_groups()
        ]
        if self.name == "adamw":
            return AdamW(groups, weight_decay=self.weight_decay, fused=fused)
        return SGD(groups, momentum=self.momentum, weight_decay=self.weight_decay, fused=fused)


@dataclass(frozen=True, kw_only=True)
class MonitorSettings:
    """What is watched during training; nothing of it changes the result."""

    knn_every: int = 0
    """Epochs between two 1-NN evaluations with labels, for the log only; 0 for never."""
    collapse_spread: float = 0.1
    """A feature spread below this (1 is isotropic, 0 is collapse) is reported loudly."""

    def __post_init__(self) -> None:
        for name, value in (("knn_every", self.knn_every), ("collapse_spread", self.collapse_spread)):
            if not 0 <= value < math.inf:
                raise ValueError(f"monitor.{name} ({value}) must be 0 or more")


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
    dataset: str | None = None
    """Data set of the store that it is written for; null for any."""
    preparation: str | None = None
    """Preparation of the store that it is written for; null for any."""
    split: str | None = None
    """The training part of this split is learnt from, without labels; null for the only split of the store, or for all
    recordings where it has none."""
    streams: tuple[str, ...] = ("joint",)
    """Which streams have an encoder."""
    frames: int = 50
    """Length of a clip."""
    seconds: float | None = None
    """Length of a clip in time: the middle of a longer recording, a shorter one with its ends held, so that all have
    `frames / seconds` frames a second and what moves is taken for a second. Null for whole recordings, as published."""
    epochs: int
    """Passes over the training clips."""
    batch_size: int = 128
    """Clips a step; the last, smaller batch is dropped."""
    partner: float = 0.0
    """Probability that the views of a clip but the first are of another recording that shows the same, where the store
    (the same performance from another camera), or a file of pairs, tells which ones do."""
    seed: int = 0
    """Of weights, order, augmentation and dropout."""
    method: Annotated[Any, BeforeValidator(registered(METHODS, "method"))]
    """The settings of a method, see `kinestream.methods`."""
    encoder: Annotated[Any, BeforeValidator(registered(ENCODERS, "encoder"))]
    """The settings of an encoder, see `kinestream.models`."""
    augment: AugmentSettings = dataclasses.field(default_factory=AugmentSettings)
    optimiser: OptimiserSettings = dataclasses.field(
        default_factory=OptimiserSettings, metadata=also_called("optimizer")
    )
    monitor: MonitorSettings = dataclasses.field(default_factory=MonitorSettings)
    readout: Readout = dataclasses.field(default_factory=Readout)
    """How the evaluations of frozen features read a clip, and whether they whiten features."""
    published: PublishedFigure | None = None
    """What the literature reports, if anything."""
    recommended: str | None = None
    """What it is the recommended recipe for, if for anything; a recipe based on it says so for itself."""

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("epochs", self.epochs, 1, MOST_EPOCHS),
            ("batch_size", self.batch_size, 2, 1_000_000),
            ("frames", self.frames, 2, 100_000),
            ("seed", self.seed, 0, 2**63 - 1),
        ):
            if value < least:
                raise ValueError(f"{name} ({value}) must be at least {least}")
            if value > most:
                raise ValueError(f"{name} ({shown(value, 20)}) must be at most {most}")
        check_clip_seconds(self.seconds)
        if not 0 <= self.partner <= 1:
            raise ValueError(f"partner ({self.partner}) is a probability: it must be in [0, 1]")
        if not self.streams or len(set(self.streams)) != len(self.streams):
            raise ValueError(f"streams {list(self.streams)} must name at least one stream, none twice")
        _check_streams(self.streams)
        for stream in self.streams:
            self.encoder.check_stream(stream)
        self.method.check_streams(self.streams)
        self.method.check_sizes()

    def to_dict(self) -> dict[str, Any]:
        """Plain containers; `from_dict` gives an equal recipe."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        return plain

    @classmethod
    def from_dict(cls, plain: Any, where: str) -> "Recipe":
        """Raises ValueError, naming `where`, for a key that is unknown, a value that does not fit, or streams that the
        encoder cannot take or that are too few for the method. A method or encoder without a name is the usual one."""
        if not isinstance(plain, Mapping):
            raise ValueError(f"{where} is not a mapping of keys to values")
        parts = {part: plain.get(part, {}) for part in USUAL}
        named = {
            part: {"name": USUAL[part], **value} if isinstance(value, Mapping) else value
            for part, value in parts.items()
        }
        return parse_strictly(cls, {**plain, **named}, where)

    def networks(self, layout: SkeletonLayout) -> "Networks":
        """What makes the encoders of the streams, and the method on them, for recordings of a layout."""
        from kinestream.methods.method import Networks

        return Networks(streams=self.streams, layout=layout, settings=self.encoder)

    def views(self, layout: SkeletonLayout) -> "Sequence[Augmentation]":
        """The augmentation of each view that the method takes."""
        made: Sequence[Augmentation] = self.method.views(self.augment.build(layout), layout)
        return made

    def mixtures(self, layout: SkeletonLayout) -> "Sequence[Mixture]":
        """The further views that the method has put together of those."""
        made: Sequence[Mixture] = self.method.mixtures(layout)
        return made

    def card(self, name: str, stream: str, layout: SkeletonLayout, epochs_done: int) -> "EncoderCard":
        """The card of the encoder of a stream; `name` is what the recipe is called."""
        from kinestream.models.encoder_file import EncoderCard

        return EncoderCard(
            stream=stream,
            layout=layout,
            encoder=self.encoder,
            frames=self.frames,
            seconds=self.seconds,
            preparation=self.preparation or "",
            dataset=self.dataset or "",
            split=self.split or "",
            recipe=name,
            epochs_done=epochs_done,
            epochs=self.epochs,
            readout=self.readout,
            partly=self.augment.limb_mask > 0,
        )


def _check_streams(names: Sequence[str]) -> None:
    """Raises ValueError for a name that no stream has."""
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
    return tuple(published_recipes())


def resolve(recipe: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by name, or by path when it ends in `.yaml`, with `key=value` overrides applied.

    Raises ValueError for an unknown recipe, key or value.

    Example:
        >>> resolve("caca-joint-ntu60-xsub", ["epochs=10", "optimiser.rate=0.05"]).optimiser.rate
        0.05
    """
    plain = _read(recipe)
    return _changed(plain, overrides, f"recipe '{recipe}'")


def with_settings(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """A recipe with `key=value` overrides applied. Raises ValueError for an unknown key or value.

    Example:
        >>> with_settings(resolve("laptop"), ["epochs=3", "learning_rate=0.01"]).optimiser.rate
        0.01
    """
    return _changed(recipe.to_dict(), overrides, "the recipe") if overrides else recipe


def _changed(plain: dict[str, Any], overrides: Sequence[str], where: str) -> Recipe:
    # Names first: where one changes the kind of method or encoder, what is set besides belongs to the new one.
    for override in sorted(overrides, key=lambda override: not override.startswith(_NAMES)):
        _apply(plain, override)
    return Recipe.from_dict(plain, where)


def _read(recipe: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """The keys of a recipe, those of its base included; `above` are the recipes that are based on it."""
    plain = _read_one(recipe)
    base = plain.pop("base", None)
    if base is None:
        return plain
    if not isinstance(base, str) or base in (*above, recipe):
        raise ValueError(
            f"recipe '{recipe}': base '{shown(base)}' is not the name of another recipe, or goes round in a ring"
        )
    below = _read(base, (*above, recipe))
    below.pop("recommended", None)
    return laid_over(below, plain)


def _read_one(recipe: str) -> dict[str, Any]:
    if not recipe.endswith((".yaml", ".yml")):
        known = published_recipes()
        if recipe not in known:
            raise ValueError(
                f"{unknown('recipe', recipe, tuple(known), most=0)} See all with 'kinestream recipes', or give the "
                "path of a .yaml file"
            )
        return known[recipe]
    path = Path(recipe)
    if not path.is_file():
        raise ValueError(f"no recipe file {recipe}")
    plain = read_yaml(path, f"recipe '{recipe}'")
    if not isinstance(plain, dict):
        raise ValueError(f"recipe '{recipe}' is not a mapping of keys to values")
    return plain


def _apply(plain: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ValueError(f"'{shown(override)}' is no setting: write key=value, as in epochs=10 or optimiser.rate=0.05")
    *parts, last = place_of(key, Recipe, plain)
    target = plain
    for part in parts:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise ValueError(f"'{shown(override)}': {shown(part)} has no parts to set")
    value = load_yaml(text, f"'{shown(override)}': the value")
    if last == "name" and is_of_another_kind(".".join(parts), target, {"name": value}):
        target.clear()
    target[last] = value
