"""What a recipe says of the encoder of each stream: a dataclass for each kind, told apart by `name`."""

import typing
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class STGCNRecipe:
    """The spatial-temporal graph convolutional network of the published methods."""

    name: Literal["st-gcn"] = "st-gcn"
    """Which encoder."""
    hidden: int = 16
    """Channels of the first blocks."""
    dim: int = 512
    """Channels of the last block: the length of a feature."""
    dropout: float = 0.5
    """At the end of each block but the first."""
    absent: Literal["published", "once", "skip"] = "published"
    """Bodies that are not there: encoded and averaged in as published; one encoded for all of them, its mask of dropout
    too; or left out of the average."""
    pool: int = 1
    """Frames that are averaged into one before the first block: views may be cut from finer clips at the same cost."""
    partition: Literal["one-hop", "distance"] = "one-hop"
    """Of the adjacency: as published, or by true hop distance."""
    initialisation: Literal["published", "torch"] = "published"
    """Weights N(0, 0.02) as published (encoder and heads), or torch's defaults."""

    def __post_init__(self) -> None:
        _check(self, "hidden", "dim", "pool")


@dataclass(frozen=True, kw_only=True)
class BiGRURecipe:
    """A bidirectional GRU over frames, all joints of a frame at once; weights and heads begin with torch's defaults."""

    name: Literal["bigru"] = "bigru"
    """Which encoder."""
    hidden: int = 128
    """Units of each direction; a feature is twice as long."""
    layers: int = 2
    """GRUs on top of each other."""
    dropout: float = 0.0
    """Between the layers."""
    absent: Literal["published", "once", "skip"] = "skip"
    """Bodies that are not there: encoded and averaged in as published; one encoded for all of them, its mask of dropout
    too; or left out of the average."""
    pool: int = 1
    """Frames that are averaged into one before the first layer: views may be cut from finer clips at the same cost."""

    @property
    def dim(self) -> int:
        """The length of a feature."""
        return 2 * self.hidden

    def __post_init__(self) -> None:
        _check(self, "hidden", "layers", "pool")


EncoderRecipe = STGCNRecipe | BiGRURecipe
ENCODER_RECIPES: tuple[type[Any], ...] = typing.get_args(EncoderRecipe)


def _check(recipe: Any, *sizes: str) -> None:
    for size in sizes:
        if getattr(recipe, size) < 1:
            raise ValueError(f"encoder.{size} ({getattr(recipe, size)}) must be at least 1")
    if not 0 <= recipe.dropout < 1:
        raise ValueError(f"encoder.dropout ({recipe.dropout}) must be at least 0 and below 1")
