"""Encoders that a training goes on from, instead of random weights."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from kinestream.models.encoder import EncoderSettings
from kinestream.models.encoder_file import load_encoder, read_card, weights_hash
from kinestream.recipes import Recipe
from kinestream.shipped import shipped_folder
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.train.run_folder import Run, StartedFrom


@dataclass(frozen=True, kw_only=True)
class Start:
    """Weights of each stream, and what clips they take."""

    named: str
    layout: SkeletonLayout
    preparation: str
    weights: Mapping[str, Mapping[str, Tensor]]
    sha256: str

    @property
    def config(self) -> StartedFrom:
        return StartedFrom(encoder=self.named, sha256=self.sha256)

    def fitted(self, recipe: Recipe) -> Recipe:
        """The recipe with the preparation of these encoders, where it leaves that to the store. Raises ValueError for
        another."""
        if recipe.preparation not in (None, self.preparation):
            raise ValueError(
                f"the encoders of {self.named} learnt from preparation '{self.preparation}', the recipe is for "
                f"'{recipe.preparation}': --set preparation={self.preparation}"
            )
        return replace(recipe, preparation=self.preparation)


def read_start(encoder: str | Path, recipe: Recipe) -> Start:
    """The encoders of a run, or of the package, for the streams of a recipe. Raises ValueError where they are not
    there or not of its form."""
    folder = Run(shipped_folder(encoder) or Path(encoder))
    known = folder.streams()
    lacking = [stream for stream in recipe.streams if stream not in known]
    if lacking:
        raise ValueError(
            f"{encoder} has no encoder of stream {', '.join(lacking)}, it has {', '.join(known) or 'none'}: take a "
            "recipe with these, or --set streams=[...]"
        )
    cards = [read_card(folder.encoder(stream)) for stream in recipe.streams]
    for card in cards:
        if _weights_of(card.encoder) != _weights_of(recipe.encoder):
            raise ValueError(
                f"{encoder} has other encoders ({card.encoder}) than the recipe ({recipe.encoder}): "
                "take a recipe with the same encoder, or leave --from out"
            )
    loaded = {stream: load_encoder(folder.encoder(stream))[0] for stream in recipe.streams}
    return Start(
        named=str(encoder),
        layout=cards[0].layout,
        preparation=cards[0].preparation,
        weights={stream: one.state_dict() for stream, one in loaded.items()},
        sha256=" ".join(weights_hash(one) for one in loaded.values()),
    )


def _weights_of(settings: EncoderSettings) -> dict[str, Any]:
    """Of the settings of an encoder those that its weights depend on."""
    return {key: value for key, value in asdict(settings).items() if key not in ("dropout", "absent")}
