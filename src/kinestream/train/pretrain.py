"""Pre-training as a whole: a store and a recipe in, a run folder with encoders out."""

import dataclasses
import statistics
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int64
from lightning_fabric import Fabric
from torch.optim import Optimizer

from kinestream.data.clips import caution, clips_as
from kinestream.data.leaks import write_recordings
from kinestream.data.partners import ClipPairs, Partners, pairs_of_equal
from kinestream.data.store import Store
from kinestream.data.unlabelled import Part, Unlabelled, choose_further
from kinestream.distributed.collectives import by_themselves
from kinestream.distributed.devices import contact, in_turn, make_fabric, set_tf32
from kinestream.distributed.launch import Device, Precision, check_shares, is_first
from kinestream.estimate import Estimate, peak_of_process
from kinestream.features.whitening_file import load_whitening, make_whitening
from kinestream.files import replacing
from kinestream.methods.method import Method, Networks
from kinestream.methods.method import Progress as StepsDone
from kinestream.models.encoder import Encoder
from kinestream.models.encoder_file import load_encoder, save_encoder, weights_hash
from kinestream.models.kernels.rounding import check_rounding, round_spectra
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.recipes import Recipe, resolve, with_settings
from kinestream.train.checkpoint import Position, load_checkpoint
from kinestream.train.fit import Interrupted, fit
from kinestream.train.further import further
from kinestream.train.given_pairs import Given, check_partners, read_given
from kinestream.train.known_store import store_of
from kinestream.train.logs import LogName, MakesLog, in_all_logs, maker_of
from kinestream.train.run_folder import Further, GivenPairs, Log, MetricsLog, Run, RunConfig, SilentLog
from kinestream.train.same_run import check_same
from kinestream.train.schedule import make_schedule
from kinestream.train.seeds import derive_seed
from kinestream.train.start import Start, read_start
from kinestream.train.views import ViewLoader
from kinestream.train.watch import Watch

_STEPS_TIMED, _SECONDS_TIMED = 8, 15.0
_LOG_BYTES = 300
"""About what a step adds to the log."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The recordings of a store that are learnt from."""

    store: Store
    indices: Int64[np.ndarray, " n"]


def pretrain(
    store: Store | str | Path | None = None,
    recipe: Recipe | str | Path | None = None,
    *,
    out: str | Path,
    epochs: int | None = None,
    settings: Sequence[str] = (),
    also: Sequence[str | Path] = (),
    pairs: str | Path | None = None,
    start: str | Path | None = None,
    resume: bool = False,
    device: Device = "auto",
    precision: Precision | None = None,
    tf32: bool = False,
    compiled: bool = False,
    name: str | None = None,
    logs: Sequence[LogName | MakesLog] = (),
    progress: Progress = silent,
    notice: Notice = unheard,
) -> Run:
    """Learns encoders from the unlabelled recordings of a store and leaves them in the run folder `out`: in this
    process, or in all that were started together with it.

    Args:
        store: to learn from; that of the run, where it goes on, if None.
        recipe: the name of one (see `kinestream.recipes.recipe_names`), the path of a .yaml file, or a `Recipe`; that
            of the run, where it goes on, if None.
        epochs: instead of the recipe's; of a run that goes on, how far.
        settings: further changes of the recipe, `key=value`, as `kinestream pretrain --set` takes them.
        also: further stores of unlabelled recordings to learn from.
        pairs: a CSV file of which recordings show the same from other cameras (see `data.partners.parse_pairs`); the
            stores say it if None.
        start: a run, or the name of an encoder of the package, whose weights are gone on from. Recordings of other
            layouts are mapped to its own.
        resume: go on with the run in `out`, or begin it where there is none.
        precision: of the computation; that of the run, where it goes on, or 32-true if None.
        name: what the run calls its recipe; its name, or that of its file, if None.
        logs: where the numbers go besides `metrics.jsonl`: "tensorboard", "wandb", or what makes a log of yours (see
            `kinestream.train.logs`).
        progress: told after every few steps, with the loss.
        notice: told what a user should know, such as that the features have collapsed.

    Raises:
        ValueError: store, recipe and run folder do not go together, another process trains in the folder, or the
            training diverges.
        KeyboardInterrupt: it was asked to stop, and the state is saved: go on with `resume`.
        LostContactError: another process of the same training ended.

    Example:
        >>> run = pretrain("store/", "laptop", out="runs/mine", epochs=40)  # doctest: +SKIP
        >>> run = pretrain("store/", "laptop", out="runs/tuned", start="anybody", epochs=20)  # doctest: +SKIP
        >>> run = pretrain(out="runs/mine", epochs=80, resume=True)  # doctest: +SKIP
    """
    given = locals()
    run = Run(Path(out))
    if run.path.exists() and not run.path.is_dir():
        run.check_free()
    with run.locked(notice) if is_first() else nullcontext():
        training, how = _opened(**given)
        with contact():
            training.run(**how)
    return run


def estimate(store: Store | str | Path | None, recipe: Recipe | str | Path | None, **given: Any) -> Estimate:
    """What a training would make and take, from a few timed steps; writes nothing but the clips beside the store, which
    the training would take. The arguments are those of `pretrain`.

    Example:
        >>> estimate("store/", "laptop", out="runs/mine", epochs=40).seconds  # doctest: +SKIP
    """
    training, _ = _opened(store, recipe, **given)
    with contact():
        return training.estimate()


def _opened(
    store: Store | str | Path | None,
    recipe: Recipe | str | Path | None,
    *,
    out: str | Path,
    epochs: int | None = None,
    settings: Sequence[str] = (),
    also: Sequence[str | Path] = (),
    pairs: str | Path | None = None,
    start: str | Path | None = None,
    resume: bool = False,
    device: Device = "auto",
    precision: Precision | None = None,
    tf32: bool = False,
    compiled: bool = False,
    name: str | None = None,
    logs: Sequence[LogName | MakesLog] = (),
    progress: Progress = silent,
    notice: Notice = unheard,
) -> "tuple[_Training, dict[str, bool]]":
    """The training that is asked for, and how it is run. Writes nothing; raises ValueError as `pretrain` does."""
    run = Run(Path(out))
    begun = run.config() if resume and (run.path / "config.yaml").is_file() else None
    if begun is not None and recipe is None:
        name, recipe = begun.recipe_name, with_settings(begun.recipe, settings)
        also = also or [one.data for one in begun.also]
        pairs = pairs or (run.pairs if begun.pairs else None)
        start = start or (begun.start.encoder if begun.start else None)
    elif isinstance(recipe, Recipe):
        if settings or (epochs is not None and begun is None):
            raise ValueError("a recipe that is given as an object is changed with dataclasses.replace, not by settings")
        name = name or "recipe"
    elif recipe is not None:
        length = [] if epochs is None or begun is not None else [f"epochs={epochs}"]
        name, recipe = name or Path(recipe).stem, resolve(str(recipe), [*settings, *length])
    if recipe is None or name is None or (store is None and begun is None):
        raise ValueError(f"{run.path} holds no run to go on with: to begin one, give a recipe and a store (--data)")
    said = [f"no run in {run.path} yet: it begins"] if begun is None and resume else []
    opened = store if isinstance(store, Store) else store_of(run) if store is None else Store(Path(store))
    if begun is not None and epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=begun.recipe.epochs)
    begin = None if start is None else read_start(start, recipe)
    recipe = _fitted(recipe if begin is None else begin.fitted(recipe), opened)
    precision = precision or (cast(Precision, begun.precision) if begun is not None else "32-true")
    others = [Store(Path(path)) for path in also]
    split = recipe.split
    chosen = [Chosen(store=opened, indices=opened.select(split, "train"))]
    chosen += [Chosen(store=one, indices=choose_further(one, split, opened)) for one in others]
    check_partners(recipe, pairs, [(one.store, one.indices) for one in chosen])
    given = None
    if pairs is not None:
        given = read_given(Path(pairs), run, [(one.store, one.indices) for one in chosen], split, resume=resume)
    config = RunConfig(
        recipe_name=name,
        recipe=recipe,
        data=str(opened.path),
        store_fingerprint=opened.fingerprint,
        also=tuple(Further(data=str(one.path), store_fingerprint=one.fingerprint) for one in others),
        pairs=None if given is None else GivenPairs(file=str(pairs), sha256=given.sha256),
        start=None if begin is None else begin.config,
        precision=precision,
    )
    resumed = _check_run(run, config, resume=resume)
    if begun is not None and epochs is not None and epochs != recipe.epochs:
        config = further(run, config, begun, epochs, said.append)
        recipe = config.recipe
    makers = [maker_of(log) for log in logs]
    # What any process may refuse is refused above: from here on they wait for each other.
    fabric = make_fabric(device, precision)
    if not fabric.is_global_zero:
        progress, notice = silent, unheard
    if (tf32 or compiled) and fabric.device.type != "cuda":
        raise ValueError(f"--tf32 and --compile are for CUDA, this would train on {fabric.device.type}: leave them out")
    if precision == "spectral-bf16":
        check_rounding(fabric.device)
        if not recipe.encoder.spectral:
            raise ValueError(
                f"precision spectral-bf16 changes nothing of encoder '{recipe.encoder.name}', which has no "
                "convolutions by spectra: take bf16-mixed or 32-true"
            )
    set_tf32(tf32)
    check_shares(recipe.batch_size, fabric.world_size)
    for text in said:
        notice(text)
    _give_notice(recipe, chosen, given, notice)
    training = _Training(fabric, chosen, given, begin, run, config, makers, progress, notice)
    return training, {"resumed": resumed, "compiled": compiled}


class _Training:
    """The objects of a training, and their course."""

    def __init__(
        self,
        fabric: Fabric,
        chosen: Sequence[Chosen],
        given: Given | None,
        begin: Start | None,
        run: Run,
        config: RunConfig,
        logs: Sequence[MakesLog],
        progress: Progress,
        notice: Notice,
    ) -> None:
        self._logs = logs
        self._fabric, self.folder, self._config = fabric, run, config
        self._chosen, self._given = chosen, given
        self._progress, self._notice = progress, notice
        self._recipe = config.recipe
        self._begin = begin
        self._layout = chosen[0].store.layout if begin is None else begin.layout

    def run(self, *, resumed: bool, compiled: bool) -> None:
        fabric, recipe, folder = self._fabric, self._recipe, self.folder
        clips = self._clips()
        loader = self._loader(clips)
        schedule = make_schedule(
            recipe.optimiser.schedule,
            epochs=recipe.epochs,
            warmup_epochs=_warmup(recipe),
            milestones=recipe.optimiser.milestones,
            factor=recipe.optimiser.factor,
        )
        if fabric.is_global_zero:
            self._write_sources(resumed=resumed)
        method, optimizer = self._begun()
        if compiled:
            for encoder in method.encoders().values():
                encoder.compile_parts()
        module, wrapped = fabric.setup(method, optimizer)
        # Not before: only now the weights have the precision of those that were saved.
        begun = resumed and folder.checkpoint.is_file()
        position = load_checkpoint(folder.checkpoint, method, optimizer) if begun else Position()
        total, what = recipe.epochs * loader.steps, f"pretrain {self._config.recipe_name}"
        self._progress(what, "steps", position.epoch * loader.steps + position.step, total)
        if position.epoch >= recipe.epochs:
            self._notice(f"{folder.path} is done: all {recipe.epochs} epochs are trained")
            self._finish(method)
            return
        watch = Watch(recipe, method, clips, fabric.device, self._notice)
        log: Log = SilentLog()
        if fabric.is_global_zero:
            own = MetricsLog(folder.metrics, keep=position.log_bytes)
            log = in_all_logs(own, self._logs, folder, self._config, self._notice) if self._logs else own
        try:
            fit(
                fabric,
                module,
                loader,
                wrapped,
                schedule,
                epochs=recipe.epochs,
                seed=recipe.seed,
                checkpoint=folder.checkpoint,
                log=log,
                start=position,
                observe=lambda epoch, step: watch.observe(loader.chosen(epoch, step)),
                on_step=lambda step, terms: self._progress(
                    what, "steps", step, total, f"loss {terms['loss']:.3f}{watch.note}"
                ),
                on_epoch=watch.epoch_end,
                on_saved=lambda epochs_done: self._save_encoders(method, epochs_done),
            )
        except Interrupted:
            self._notice(f"stopped and saved; go on with the same command and --resume: {folder.path}")
            raise KeyboardInterrupt from None
        finally:
            log.close()
        self._finish(method)

    def _save_encoders(self, method: Method, epochs_done: int) -> None:
        for stream, encoder in method.encoders().items():
            card = self._recipe.card(self._config.recipe_name, stream, self._layout, epochs_done)
            bodies = self._chosen[0].store.info.most_bodies
            save_encoder(self.folder.encoder(stream), encoder, dataclasses.replace(card, bodies=bodies))

    def _finish(self, method: Method) -> None:
        """What follows the last epoch, as far as it is not there: a process killed meanwhile may have left it out."""
        fabric, folder, readout = self._fabric, self.folder, self._recipe.readout
        if fabric.is_global_zero and not all(starmap(self._is_saved, method.encoders().items())):
            self._save_encoders(method, self._recipe.epochs)
        fabric.barrier()
        if readout.whitening:
            if fabric.is_global_zero and load_whitening(folder.path, method.encoders(), readout) is None:
                self._keep_whitening()
            fabric.barrier()

    def _is_saved(self, stream: str, encoder: Encoder) -> bool:
        try:
            saved, card = load_encoder(self.folder.encoder(stream))
        except ValueError:
            return False
        return card.epochs_done == self._recipe.epochs and weights_hash(saved) == weights_hash(encoder)

    def estimate(self) -> Estimate:
        """From the second step on: the first is slow. Evaluations of the log and checkpoints are not counted."""
        fabric, recipe = self._fabric, self._recipe
        clips = self._clips()
        loader = self._loader(clips)
        method, optimizer = self._begun()
        module, wrapped = fabric.setup(method, optimizer)
        method.start_epoch(0)
        times: list[float] = []
        for step, batch in enumerate(loader.epoch(0, 0)):
            began = time.monotonic()
            terms = module(batch)
            wrapped.zero_grad()
            fabric.backward(terms["loss"])
            wrapped.step()
            method.after_step(StepsDone(step=step + 1, steps=recipe.epochs * loader.steps, epoch=0))
            terms["loss"].item()  # waits for the device
            times.append(time.monotonic() - began)
            if len(times) > 1 and (len(times) > _STEPS_TIMED or sum(times) > _SECONDS_TIMED):
                break
        a_step, timed = statistics.median(times[1:] or times), max(1, len(times) - 1)
        steps = recipe.epochs * loader.steps
        weights = sum(one.numel() * one.element_size() for one in method.state_dict().values())
        moments = sum(
            one.numel() * one.element_size()
            for state in optimizer.state.values()
            for one in state.values()
            if isinstance(one, torch.Tensor)
        )
        encoders = {stream: encoder.state_dict().values() for stream, encoder in method.encoders().items()}
        saved = sum(one.numel() * one.element_size() for values in encoders.values() for one in values)
        on_cuda = fabric.device.type == "cuda"
        return Estimate(
            makes=(
                ("run", str(self.folder.path)),
                ("clips to learn from", f"{sum(len(one.indices) for one in self._chosen):,}"),
                ("steps", f"{recipe.epochs:,} epochs of {loader.steps:,} = {steps:,}"),
                ("encoders", f"{len(encoders)}: {', '.join(encoders)}"),
            ),
            seconds=steps * a_step,
            memory=torch.cuda.max_memory_allocated(fabric.device) if on_cuda else peak_of_process(),
            disk=weights + moments + saved + steps * _LOG_BYTES,
            timed=f"{a_step:.3g} s a step on {fabric.device.type} ({timed} timed), without 1-NN evaluations",
        )

    def _keep_whitening(self) -> None:
        """So that the run can be used where its store is not; of the encoders as they were saved."""
        folder, store = self.folder, self._chosen[0].store
        encoders = {stream: load_encoder(folder.encoder(stream))[0] for stream in self._recipe.streams}
        clips = clips_as(store, self._recipe.frames, self._layout, self._recipe.seconds, self._recipe.preparation)
        train = store.select(self._recipe.split, "train")
        try:
            with by_themselves():
                make_whitening(
                    folder.path,
                    encoders,
                    clips,
                    train,
                    self._recipe.readout,
                    partners=self._partners(len(train)),
                    device=self._fabric.device,
                    progress=self._progress,
                    notice=self._notice,
                )
        except ValueError as error:
            self._notice(f"no whitening is kept: {error}")

    def _partners(self, count: int) -> ClipPairs | None:
        """Which of the first store's clips, by place among those that are learnt from, show the same."""
        if not self._recipe.partner:
            return None
        pairs = self._pairs(self._clips())
        return pairs[(pairs < count).all(axis=1)]

    def _pairs(self, clips: Unlabelled) -> ClipPairs:
        """By number of the clip."""
        return self._given.pairs if self._given else pairs_of_equal(clips.performances())

    def _begun(self) -> tuple[Any, Optimizer]:
        """The method, a module, with the weights of its seed, computing as the precision says; and its optimiser."""
        torch.manual_seed(derive_seed(self._recipe.seed, "weights"))
        method = self._recipe.method.build(self._networks())
        if self._config.precision == "spectral-bf16":
            round_spectra(method)
        return method, self._recipe.optimiser.build(method, fused=self._fabric.device.type == "cuda")

    def _networks(self) -> Networks:
        made = self._recipe.networks(self._layout)
        return made if self._begin is None else dataclasses.replace(made, start=self._begin.weights)

    def _clips(self) -> Unlabelled:
        recipe = self._recipe
        form = (recipe.frames, self._layout, recipe.seconds, recipe.preparation)
        return Unlabelled(
            in_turn(
                self._fabric,
                lambda: [Part(clips=clips_as(one.store, *form), indices=one.indices) for one in self._chosen],
            )
        )

    def _loader(self, clips: Unlabelled) -> ViewLoader:
        recipe, partners = self._recipe, None
        if recipe.partner:
            partners = Partners(self._pairs(clips), len(clips), share=recipe.partner)
        return ViewLoader(
            clips,
            streams=recipe.streams,
            augmentations=recipe.views(self._layout),
            mixtures=recipe.mixtures(self._layout),
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            device=self._fabric.device,
            partners=partners,
            rank=self._fabric.global_rank,
            processes=self._fabric.world_size,
        )

    def _write_sources(self, *, resumed: bool) -> None:
        folder = self.folder
        if not resumed:
            folder.create(self._config)
        elif folder.config().recipe.epochs != self._recipe.epochs:
            folder.write_config(dataclasses.replace(folder.config(), recipe=self._recipe))
        if not folder.recordings.is_file():
            write_recordings(folder.recordings, *((one.store, one.indices) for one in self._chosen))
        if self._given is not None and not folder.pairs.is_file():
            with replacing(folder.pairs) as part:
                part.write_bytes(self._given.content)


def _warmup(recipe: Recipe) -> float:
    """Epochs of warm-up: half of a training that is too short for the recipe's."""
    wanted = recipe.optimiser.warmup_epochs
    return wanted if wanted < recipe.epochs else recipe.epochs / 2


def _fitted(recipe: Recipe, store: Store) -> Recipe:
    """The recipe with what it leaves to the store. Raises ValueError where it is written for another one."""
    if recipe.dataset not in (None, store.info.dataset):
        raise ValueError(
            f"the recipe is written for {recipe.dataset}, {store.path} holds {store.info.dataset or 'own recordings'}: "
            "take another recipe, such as laptop, or --set dataset=null --set split=null"
        )
    if recipe.preparation is not None and not store.preparation.gives(recipe.preparation):
        raise ValueError(
            f"the recipe is written for preparation '{recipe.preparation}', {store.path} was prepared "
            f"'{store.info.preparation}': prepare it so, or --set preparation={store.info.preparation}"
        )
    split = recipe.split if recipe.split is not None else store.usual_split
    return dataclasses.replace(
        recipe, dataset=store.info.dataset, preparation=recipe.preparation or store.info.preparation, split=split
    )


def _give_notice(recipe: Recipe, chosen: Sequence[Chosen], given: Given | None, notice: Notice) -> None:
    for one in chosen:
        if recipe.partner and given is None and not one.store.share_performances(one.indices):
            notice(f"no two recordings to learn from show one performance in {one.store.path}: it has one view of each")
        if (warning := caution(one.store, recipe.frames)) is not None:
            notice(warning)
    if given is not None:
        clips = sum(len(one.indices) for one in chosen)
        notice(f"{given.file}: {len(given.pairs)} pairs; {given.paired} of {clips} recordings have a partner")


def _check_run(run: Run, config: RunConfig, *, resume: bool) -> bool:
    """Whether the folder holds this run already; changes nothing in it."""
    if resume and (run.path / "config.yaml").is_file():
        check_same(run.config(), config, run)
        return True
    run.check_free()
    return False
