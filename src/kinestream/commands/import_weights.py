"""Makes encoders from the 3s-CACA authors' released weights: one or three streams, as saved by a pre-training or a
linear evaluation. Every key and shape is checked, and what is missing or not known is named; nothing is loaded in part.
With a recipe the result is a run that 'kinestream evaluate' takes; without one it is encoder files with their cards.

Examples:
  kinestream import-weights 3s_caca_ntu60_xsub.pt runs/released --recipe caca-3s-ntu60-xsub
  kinestream import-weights joint.pt encoders/ --stream joint --layout ntu25 --preparation published --frames 50
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.console import Screen
from kinestream.data.datasets import load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.files import new_folder
from kinestream.recipes import Recipe, resolve
from kinestream.skeleton import STREAMS
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.words import unknown

if TYPE_CHECKING:
    from kinestream.models.encoder_file import EncoderCard
    from kinestream.models.published_weights import Released, ReleasedEncoder


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream import-weights`."""

    file: Path
    """State dict saved by torch."""
    out: Path
    """Folder of the run or the encoders; must not exist."""
    recipe: str | None = None
    """Name or .yaml file of the recipe that the weights were trained by."""
    set: tuple[str, ...] = ()
    """Change a setting of the recipe: KEY=VALUE; may be given several times."""
    stream: str | None = None
    """Without a recipe: the stream of weights whose keys name none."""
    layout: str | None = None
    """Without a recipe: name or .yaml file of the skeleton layout."""
    preparation: str | None = None
    """Without a recipe: how the clips that it learnt from were prepared."""
    frames: int | None = None
    """Without a recipe: length of those clips."""


def run(config: Config) -> None:
    recipe = _recipe(config)
    layout = _layout(config, recipe)
    from kinestream.models.published_weights import check_released, read_state

    state, beside = read_state(config.file)
    try:
        released = check_released(state, layout)
        encoders = _by_stream(released, recipe, config.stream)
    except ValueError as error:
        raise ValueError(f"{config.file}: {error}") from None
    cards = {stream: _card(config, recipe, layout, stream, encoder) for stream, encoder in encoders.items()}
    _write(config, recipe, encoders, cards)
    _report(config, recipe, released, encoders, cards, beside)


def _recipe(config: Config) -> Recipe | None:
    """The recipe, if any. Raises ValueError unless the call says either a recipe or everything that one would."""
    alone = {"--layout": config.layout, "--preparation": config.preparation, "--frames": config.frames}
    if config.recipe is not None:
        given = [flag for flag, value in {**alone, "--stream": config.stream}.items() if value is not None]
        if given:
            raise ValueError(f"{given[0]} is what the recipe says: change it with --set, or leave --recipe out")
        recipe = resolve(config.recipe, config.set)
        if recipe.encoder.name != "st-gcn":
            raise ValueError(f"published weights are of the encoder st-gcn, the recipe has {recipe.encoder.name}")
        return recipe
    lacking = [flag for flag, value in alone.items() if value is None]
    if lacking or config.set:
        raise ValueError(
            f"give --recipe (see 'kinestream recipes'), or {', '.join(alone)}: {', '.join(lacking)} missing"
        )
    if config.preparation not in PREPARATIONS:
        raise ValueError(unknown("preparation", config.preparation, PREPARATIONS.names()))
    if config.frames is not None and config.frames < 2:
        raise ValueError(f"a clip needs at least 2 frames, not {config.frames}")
    return None


def _layout(config: Config, recipe: Recipe | None) -> SkeletonLayout:
    if recipe is not None:
        return load_dataset(recipe.dataset or "").layout
    assert config.layout is not None
    return load_layout(config.layout)


def _by_stream(released: "Released", recipe: Recipe | None, stream: str | None) -> "dict[str, ReleasedEncoder]":
    """The encoders of the streams that the recipe has, all of them and no other."""
    names = list(released.encoders)
    if names == [""]:
        single = recipe.streams[0] if recipe is not None and len(recipe.streams) == 1 else stream
        if single is None:
            wanted = (
                f"take a recipe of one stream, not of {', '.join(recipe.streams)}"
                if recipe is not None
                else "say which, --stream joint"
            )
            raise ValueError(f"the weights are of one stream, and their keys do not say which: {wanted}")
        if not STREAMS.get(single).published:
            raise ValueError(f"nobody released weights of stream {single}: choose from joint, motion, bone")
        return {single: released.encoders[""]}
    if stream is not None:
        raise ValueError(f"the keys of the weights name their streams ({', '.join(names)}): leave --stream out")
    wanted_names = names if recipe is None else list(recipe.streams)
    if set(names) != set(wanted_names):
        raise ValueError(f"the weights have the streams {', '.join(names)}, the recipe {', '.join(wanted_names)}")
    return {name: released.encoders[name] for name in wanted_names}


def _card(
    config: Config, recipe: Recipe | None, layout: SkeletonLayout, stream: str, encoder: "ReleasedEncoder"
) -> "EncoderCard":
    """Raises ValueError where the weights are not those of the recipe."""
    from kinestream.models.encoder_file import EncoderCard
    from kinestream.models.stgcn import STGCNSettings

    if recipe is None:
        assert config.frames is not None
        assert config.preparation is not None
        return EncoderCard(
            stream=stream,
            layout=layout,
            encoder=STGCNSettings(hidden=encoder.hidden, dim=encoder.dim, partition=encoder.partition),
            frames=config.frames,
            preparation=config.preparation,
            recipe="",
            epochs_done=0,
            epochs=0,
        )
    for setting in ("hidden", "dim", "partition"):
        found, wanted = getattr(encoder, setting), getattr(recipe.encoder, setting)
        if found != wanted:
            raise ValueError(
                f"{config.file}: encoder.{setting} of stream {stream} is {found}, the recipe says {wanted}: take "
                f"another recipe, or --set encoder.{setting}={found}"
            )
    return recipe.card(Path(config.recipe or "").stem, stream, layout, recipe.epochs)


def _write(
    config: Config,
    recipe: Recipe | None,
    encoders: "dict[str, ReleasedEncoder]",
    cards: "dict[str, EncoderCard]",
) -> None:
    from kinestream.models.encoder_file import save_encoder
    from kinestream.train.run_folder import Run, RunConfig

    with new_folder(config.out) as folder:
        made = Run(folder)
        if recipe is not None:
            origin = f"weights imported from {config.file.absolute().name}"
            name = Path(config.recipe or "").stem
            made.create(RunConfig(recipe_name=name, recipe=recipe, data=origin, store_fingerprint=""))
        for stream, encoder in encoders.items():
            network = cards[stream].new_encoder()
            network.load_state_dict(dict(encoder.state))
            save_encoder(made.encoder(stream), network, cards[stream])


def _report(
    config: Config,
    recipe: Recipe | None,
    released: "Released",
    encoders: "dict[str, ReleasedEncoder]",
    cards: "dict[str, EncoderCard]",
    beside: tuple[str, ...],
) -> None:
    screen = Screen()
    screen.table(
        f"weights of a {released.form}",
        ("stream", "layout", "hidden", "dim", "partition"),
        [
            (stream, cards[stream].layout.name, encoder.hidden, encoder.dim, encoder.partition)
            for stream, encoder in encoders.items()
        ],
    )
    for what in (*released.left_aside, *(f"'{name}' of the file" for name in beside)):
        screen.say(f"left aside: {what}")
    for stream in released.untrained:
        screen.warn(f"stream {stream}: its batch normalisation has never seen a batch, these weights look untrained")
    if recipe is None:
        screen.say(f"encoders: {config.out}")
    else:
        screen.say(f"run: {config.out}")
        screen.say(f"next: kinestream evaluate linear {config.out} --data STORE")
