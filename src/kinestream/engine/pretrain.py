"""Pre-training as a whole: a store and a recipe in, a run folder with encoders out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from lightning_fabric import Fabric

from kinestream.data.clips import caution, clips_as
from kinestream.data.leaks import write_recordings
from kinestream.data.partners import ClipPairs, Partners, pairs_of_equal, parse_pairs
from kinestream.data.store import Store
from kinestream.data.unlabelled import Part, Unlabelled, choose_further
from kinestream.engine.checkpoint import Position, load_checkpoint
from kinestream.engine.devices import Device, Precision, contact, in_turn, make_fabric
from kinestream.engine.fit import Interrupted, fit
from kinestream.engine.run_folder import Further, GivenPairs, Log, MetricsLog, RunConfig, RunFolder, SilentLog
from kinestream.engine.schedule import make_schedule
from kinestream.engine.seeds import derive_seed
from kinestream.engine.supervise import check_shares
from kinestream.engine.views import ViewLoader
from kinestream.engine.watch import Watch
from kinestream.files import replacing
from kinestream.models.encoder_file import save_encoder
from kinestream.models.stgcn import compile_blocks
from kinestream.readout import Readout
from kinestream.recipes import Recipe
from kinestream.recipes.builders import build_method, build_optimiser, build_views, encoder_card
from kinestream.screen import Screen


@dataclass(frozen=True, kw_only=True)
class _Given:
    """A file of pairs: what is in it, and what that says of the clips."""

    content: bytes
    pairs: ClipPairs


def pretrain(
    recipe: Recipe,
    name: str,
    data: Path,
    out: Path,
    *,
    also: Sequence[Path] = (),
    pairs: Path | None = None,
    resume: bool,
    device: Device,
    precision: Precision,
    tf32: bool = False,
    compiled: bool = False,
    screen: Screen,
) -> None:
    """Trains as `recipe` says on the store `data`, and on the further stores `also`, and leaves the run in `out`: in
    this process, or in all that were started together with it. `pairs` is a file that says which recordings show the
    same from other cameras (see `parse_pairs`); the stores say it if None.

    Raises ValueError when store, recipe and run folder do not go together, or when the training diverges,
    KeyboardInterrupt when it was asked to stop and the state is saved, `LostContactError` when another process ended.
    """
    store = Store(data)
    _check_fit(recipe, store)
    run = RunFolder(out)
    others = [Store(path) for path in also]
    content = None if pairs is None else _read_pairs(pairs, run, resume=resume)
    config = RunConfig(
        recipe_name=name,
        recipe=recipe,
        data=str(data),
        store_fingerprint=store.fingerprint,
        also=tuple(Further(data=str(one.path), store_fingerprint=one.fingerprint) for one in others),
        pairs=None if content is None else GivenPairs(file=str(pairs), sha256=hashlib.sha256(content).hexdigest()),
    )
    resumed = _check_run(run, config, resume=resume)
    if compiled and recipe.encoder.name != "st-gcn":
        raise ValueError(f"--compile is for the blocks of st-gcn, the recipe has {recipe.encoder.name}: leave it out")
    chosen = [(store, store.select(recipe.split, "train"))]
    chosen += [(one, choose_further(one, recipe.split, store)) for one in others]
    _check_partners(recipe, pairs, chosen)
    given = None
    if content is not None:
        given = _Given(content=content, pairs=parse_pairs(content, str(pairs), chosen, recipe.split))
    # What any process may refuse is refused above: from here on they wait for each other.
    fabric = make_fabric(device, precision)
    if not fabric.is_global_zero:
        screen.hush()
    if (tf32 or compiled) and fabric.device.type != "cuda":
        raise ValueError(f"--tf32 and --compile are for CUDA, this would train on {fabric.device.type}: leave them out")
    if tf32:
        torch.set_float32_matmul_precision("high")
    with contact():
        check_shares(recipe.batch_size, fabric.world_size)
        for one, indices in chosen:
            if recipe.other_camera and given is None and not one.share_performances(indices):
                screen.warn(
                    f"no two recordings to learn from show one performance in {one.path}: it has one view of each"
                )
            if (warning := caution(one, recipe.frames)) is not None:
                screen.warn(warning)
        if given is not None:
            clips = sum(len(indices) for _, indices in chosen)
            paired = len(np.unique(given.pairs))
            screen.say(f"{pairs}: {len(given.pairs)} pairs; {paired} of {clips} recordings have a partner")
        _train(fabric, chosen, given, run, config, screen, resumed=resumed, compiled=compiled)


def _train(
    fabric: Fabric,
    chosen: Sequence[tuple[Store, Int64[np.ndarray, " _"]]],
    given: _Given | None,
    run: RunFolder,
    config: RunConfig,
    screen: Screen,
    *,
    resumed: bool,
    compiled: bool,
) -> None:
    recipe, name = config.recipe, config.recipe_name
    layout = chosen[0][0].layout
    parts = in_turn(
        fabric,
        lambda: [Part(clips=clips_as(store, recipe.frames, layout), indices=indices) for store, indices in chosen],
    )
    unlabelled = Unlabelled(parts)
    partners = None
    if recipe.other_camera:
        pairs = given.pairs if given else pairs_of_equal(unlabelled.performances())
        partners = Partners(pairs, len(unlabelled), share=recipe.other_camera)
    loader = ViewLoader(
        unlabelled,
        streams=recipe.streams,
        augmentations=build_views(recipe, layout),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        device=fabric.device,
        partners=partners,
        rank=fabric.global_rank,
        processes=fabric.world_size,
    )
    schedule = make_schedule(
        recipe.optimiser.schedule,
        epochs=recipe.epochs,
        warmup_epochs=recipe.optimiser.warmup_epochs,
        milestones=recipe.optimiser.milestones,
        factor=recipe.optimiser.factor,
    )
    if fabric.is_global_zero:
        if not resumed:
            run.create(config)
        if not run.recordings.is_file():
            write_recordings(run.recordings, *chosen)
        if given is not None and not run.pairs.is_file():
            with replacing(run.pairs) as part:
                part.write_bytes(given.content)

    torch.manual_seed(derive_seed(recipe.seed, "weights"))
    method = build_method(recipe, layout)
    optimizer = build_optimiser(recipe.optimiser, method, fused=fabric.device.type == "cuda")
    if compiled:
        compile_blocks(method)
    module, wrapped = fabric.setup(method, optimizer)
    # Not before: only now the weights have the precision of those that were saved.
    begun = resumed and run.checkpoint.is_file()
    position = load_checkpoint(run.checkpoint, method, optimizer) if begun else Position()
    if position.epoch >= recipe.epochs:
        screen.say(f"{run.path} is done: all {recipe.epochs} epochs are trained")
        return

    watch = Watch(recipe, method, unlabelled, fabric.device, screen)
    log: Log = MetricsLog(run.metrics, keep=position.log_bytes) if fabric.is_global_zero else SilentLog()

    def save_encoders(epochs_done: int) -> None:
        for stream, encoder in method.encoders().items():
            save_encoder(run.encoder(stream), encoder, encoder_card(recipe, name, stream, layout, epochs_done))

    try:
        with screen.progress(f"pretrain {name}", "steps") as advance:
            total = recipe.epochs * loader.steps
            advance(position.epoch * loader.steps + position.step, total)
            fit(
                fabric,
                module,
                loader,
                wrapped,
                schedule,
                epochs=recipe.epochs,
                seed=recipe.seed,
                checkpoint=run.checkpoint,
                log=log,
                start=position,
                observe=lambda epoch, step: watch.observe(loader.chosen(epoch, step)),
                on_step=lambda step, terms: advance(step, total, f"loss {terms['loss']:.3f}{watch.note}"),
                on_epoch=watch.epoch_end,
                on_saved=save_encoders,
            )
    except Interrupted:
        screen.say(f"stopped and saved; go on with the same command and --resume: {run.path}")
        raise KeyboardInterrupt from None
    finally:
        log.close()
    if fabric.is_global_zero:
        watch.summary(run)


def _check_run(run: RunFolder, config: RunConfig, *, resume: bool) -> bool:
    """Whether the folder holds this run already; changes nothing in it."""
    if resume and (run.path / "config.yaml").is_file():
        _check_same(run.config(), config, run)
        return True
    run.check_free()
    return False


def _check_fit(recipe: Recipe, store: Store) -> None:
    if store.info.dataset != recipe.dataset:
        raise ValueError(
            f"the recipe is written for {recipe.dataset}, {store.path} holds {store.info.dataset}: "
            f"take another recipe, or --set dataset={store.info.dataset} and a split of it"
        )
    if not store.preparation.gives(recipe.preparation):
        raise ValueError(
            f"the recipe is written for preparation '{recipe.preparation}', {store.path} was prepared "
            f"'{store.info.preparation}': prepare it so, or --set preparation={store.info.preparation}"
        )


def _check_partners(
    recipe: Recipe, pairs: Path | None, chosen: Sequence[tuple[Store, Int64[np.ndarray, " _"]]]
) -> None:
    if pairs is not None:
        if not recipe.other_camera:
            raise ValueError(
                f"--pairs {pairs} counts as often as other_camera says, which is 0: --set other_camera=0.5"
            )
    elif recipe.other_camera and not any(store.share_performances(indices) for store, indices in chosen):
        where = ", ".join(str(store.path) for store, _ in chosen)
        raise ValueError(
            f"there are no views of other cameras (other_camera) in {where}: no two recordings to learn from show one "
            "performance; give a file of pairs with --pairs, or leave them out with --set other_camera=0"
        )


def _check_same(found: RunConfig, asked: RunConfig, run: RunFolder) -> None:
    out = run.path
    if found.store_fingerprint != asked.store_fingerprint:
        raise ValueError(f"{out} was begun on another store ({found.data}) than {asked.data}: they differ in content")
    if [one.store_fingerprint for one in found.also] != [one.store_fingerprint for one in asked.also]:
        before = " ".join(f"--also {one.data}" for one in found.also) or "without --also"
        raise ValueError(f"{out} was begun with other further stores ({before}): resume with those, as they were")
    if (found.pairs and found.pairs.sha256) != (asked.pairs and asked.pairs.sha256):
        before = f"--pairs {run.pairs}" if found.pairs else "without --pairs"
        raise ValueError(f"{out} was begun with other pairs of recordings: resume as it was begun, {before}")
    # What the literature reports, what a recipe is recommended for and how features are read are no settings of a run.
    no_settings: dict[str, Any] = {"published": None, "recommended": None, "readout": Readout()}
    begun, now = (replace(config.recipe, **no_settings) for config in (found, asked))
    if begun != now:
        changed = ", ".join(_differences(begun.to_dict(), now.to_dict()))
        raise ValueError(f"{out} was begun with other settings ({changed}): resume with those, or begin a new run")


def _read_pairs(file: Path, run: RunFolder, *, resume: bool) -> bytes:
    if not file.is_file():
        kept = f": the run keeps its own, --pairs {run.pairs}" if resume and run.pairs.is_file() else ""
        raise ValueError(f"no file of pairs {file}{kept}")
    return file.read_bytes()


def _differences(found: Mapping[str, Any], asked: Mapping[str, Any], path: str = "") -> list[str]:
    lines = []
    for key in found:
        if isinstance(found[key], dict) and isinstance(asked[key], dict):
            lines += _differences(found[key], asked[key], f"{path}{key}.")
        elif found[key] != asked[key]:
            lines.append(f"{path}{key} was {found[key]}, now {asked[key]}")
    return lines
