"""What is evaluated: a run of the pre-training, or one encoder file."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from kinestream.augment.settings import AugmentSettings
from kinestream.data.leaks import Recordings, read_recordings
from kinestream.models.encoder import Encoder
from kinestream.models.encoder_file import EncoderCard, load_encoder, read_card
from kinestream.recipes import PublishedFigure
from kinestream.shipped import shipped_folder
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.train.run_folder import Run, RunConfig
from kinestream.train.seeds import derive_seed

SUFFIX = ".safetensors"


@runtime_checkable
class HasPath(Protocol):
    """A run, or what else lies somewhere."""

    @property
    def path(self) -> Path: ...


AnyRun = HasPath | Path | str
"""A run, its folder, an encoder file, or the name of an encoder that comes with the package."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Encoders by stream, what they learnt from, and the folder for the results."""

    path: Path
    """What the user named."""
    folder: Run
    """Where results go: the run; of an encoder file a folder beside it with its name; of one that comes with the
    package a folder of its name in the one that one works in."""
    kept: Path
    """Where the whitening lies."""
    shipped: bool
    """It comes with the package, and learnt from made-up movements alone."""
    name: str
    """What the features are called: the recipe, or the file."""
    files: dict[str, Path]
    """The encoder of each stream."""
    seed: int
    frames: int
    seconds: float | None
    dataset: str
    """Of the pre-training; empty where it is not known, and so is the split."""
    split: str
    preparation: str
    """Whose clips the encoders take."""
    augment: AugmentSettings
    published: PublishedFigure | None
    config: RunConfig | None
    """None for an encoder file."""

    @property
    def streams(self) -> tuple[str, ...]:
        return tuple(self.files)

    def of_run(self) -> RunConfig:
        """The configuration of the run. Raises ValueError for an encoder file, which has none."""
        if self.config is None:
            raise ValueError(f"{self.path} is one encoder: this needs the folder of a pre-training run")
        return self.config

    def encoders(self) -> dict[str, tuple[Encoder, EncoderCard]]:
        """Raises ValueError where a file is missing or damaged."""
        return {stream: load_encoder(file) for stream, file in self.files.items()}

    def random_encoder(self, stream: str, layout: SkeletonLayout, seed: int) -> Encoder:
        """The same network with new weights: initialised as the recipe says, or as torch does for an encoder file."""
        torch.manual_seed(derive_seed(seed, "weights"))
        if self.config is None:
            return replace(read_card(self.files[stream]), layout=layout).new_encoder()
        return self.config.recipe.networks(layout).encoder(stream)

    def recordings(self) -> Recordings | None:
        """What the encoders learnt from, by the list in the run; None where it has none."""
        folder = Run(self.path.parent) if self.config is None else Run(self.kept)
        return read_recordings(folder.recordings) if folder.recordings.is_file() else None


def open_source(run: AnyRun) -> Source:
    """A run, its folder, an encoder file with its card beside it, or an encoder that comes with the package, by name.

    Raises ValueError when it is none of them, or when the run has no encoder yet."""
    path = Path(run if isinstance(run, str | Path) else run.path)
    own = shipped_folder(path)
    if path.suffix == SUFFIX:
        card = read_card(path)
        return Source(
            path=path,
            folder=Run(path.with_suffix("")),
            kept=path.with_suffix(""),
            shipped=False,
            name=path.stem,
            files={card.stream: path},
            seed=0,
            frames=card.frames,
            seconds=card.seconds,
            dataset=card.dataset,
            split=card.split,
            preparation=card.preparation,
            augment=AugmentSettings(),
            published=None,
            config=None,
        )
    folder = Run(path if own is None else own)
    config = folder.config()
    streams = folder.streams()
    if not streams:
        raise ValueError(f"{path} has no encoder yet: the run has not finished an epoch")
    recipe = config.recipe
    return Source(
        path=path,
        folder=folder if own is None else Run(path),
        kept=folder.path,
        shipped=own is not None,
        name=config.recipe_name,
        files={stream: folder.encoder(stream) for stream in streams},
        seed=recipe.seed,
        frames=recipe.frames,
        seconds=recipe.seconds,
        dataset=recipe.dataset or "",
        split=recipe.split or "",
        preparation=recipe.preparation or "",
        augment=recipe.augment,
        published=recipe.published,
        config=config,
    )
