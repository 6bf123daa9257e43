"""The one training loop."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from kinestream.distributed.collectives import agree, mean_over_processes
from kinestream.distributed.launch import stopping_signals
from kinestream.methods.method import Method, Progress
from kinestream.train.checkpoint import Position, save_checkpoint
from kinestream.train.run_folder import Log
from kinestream.train.schedule import Schedule
from kinestream.train.seeds import derive_seed
from kinestream.train.views import Loader

_LOG_EVERY = 10
"""Steps between two transfers of the logged numbers from the device; several processes also agree then whether to stop
or to save."""


class Interrupted(Exception):  # noqa: N818 - it is no error
    """The user or the system asked the run to stop; its state is saved."""


@dataclass(frozen=True, kw_only=True)
class EpochEnd:
    """What the loop tells when an epoch is over."""

    epoch: int
    """From 0."""
    means: Mapping[str, float]
    """Of every number that the method gave, over the steps of the epoch."""
    rate: float
    """Learning rate of its last step."""


def fit(
    fabric: Fabric,
    method: nn.Module,
    loader: Loader[Any],
    optimizer: Optimizer,
    schedule: Schedule,
    *,
    epochs: int,
    seed: int,
    checkpoint: Path,
    log: Log,
    start: Position | None = None,
    observe: Callable[[int, int], Mapping[str, Tensor]] = lambda epoch, step: {},
    on_step: Callable[[int, Mapping[str, float]], None] = lambda step, terms: None,
    on_epoch: Callable[[EpochEnd], Mapping[str, Any]] = lambda end: {},
    on_saved: Callable[[int], None] = lambda epochs_done: None,
    save_seconds: float = 600.0,
) -> None:
    """Trains `method` (a `Method`) from `start` to the end of epoch `epochs`.

    A checkpoint is written after each epoch, and within one when `save_seconds` have passed. The learning rate of each
    parameter group is its own at the beginning times `schedule`. Of several processes each calls this; the first one
    writes, numbers are means over all, and a signal to any of them stops all.

    Args:
        observe: called after the pass forward of a step with the epoch and the step in it; what it returns is logged
            beside the method's own numbers.
        on_step: called with the steps done in all and the latest numbers that are known.
        on_epoch: called before the checkpoint of an epoch; what it returns is logged with the epoch.
        on_saved: called after a checkpoint with the number of whole epochs done.

    Raises:
        ValueError: the loss is not finite, or the weights are not; the last checkpoint stays as it was.
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the step was finished and saved.
    """
    position = start or Position()
    rates = [group.setdefault("base_rate", group["lr"]) for group in optimizer.param_groups]
    learner = cast(Method, method)
    method.train()
    began = last_save = time.monotonic()

    def save(epoch: int, step: int, sums: dict[str, float]) -> None:
        nonlocal last_save
        seconds = position.seconds + time.monotonic() - began
        here = Position(epoch=epoch, step=step, sums=sums, log_bytes=log.size, seconds=seconds)
        save_checkpoint(fabric, checkpoint, method, optimizer, here)
        last_save = time.monotonic()
        if fabric.is_global_zero:
            on_saved(epoch)

    with _graceful_stop() as stop_asked:
        for epoch in range(position.epoch, epochs):
            first = position.step if epoch == position.epoch else 0
            learner.start_epoch(epoch)
            record = _StepRecord(log, epoch, position.sums if first else {})
            rate = 0.0
            for step, batch in enumerate(loader.epoch(epoch, first), start=first):
                done = epoch * loader.steps + step
                torch.manual_seed(derive_seed(seed, "step", done, fabric.global_rank))
                rate = schedule(epoch + step / loader.steps)
                for group, base in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = base * rate
                try:
                    terms: dict[str, Tensor] = method(batch)
                except RuntimeError:  # of a decomposition: what led to it is told, where it is known
                    _check_weights(method, done, epoch + 1)
                    raise
                optimizer.zero_grad()
                fabric.backward(terms["loss"])
                optimizer.step()
                learner.after_step(Progress(step=done + 1, steps=epochs * loader.steps, epoch=epoch))
                record.add(done, rates[0] * rate, {**terms, **observe(epoch, step)})
                last = step + 1 == loader.steps
                beat = (step + 1) % _LOG_EVERY == 0 or last
                stop, due = stop_asked(), time.monotonic() - last_save > save_seconds
                if fabric.world_size > 1:
                    stop, due = agree(stop, due, device=fabric.device) if beat else (False, False)
                if stop or beat:
                    on_step(done + 1, record.flush())
                if last or stop or due:
                    _check_weights(method, done + 1, epoch + 1)
                if not last and (stop or due):
                    record.flush()
                    save(epoch, step + 1, record.sums)
                if stop and not last:
                    raise Interrupted
            means = record.means(loader.steps)
            end = EpochEnd(epoch=epoch, means=means, rate=rates[0] * rate)
            extra = on_epoch(end)
            method.train()
            log.append({"kind": "epoch", "epoch": epoch + 1, "rate": end.rate, **means, **extra})
            save(epoch + 1, 0, {})
            if epoch + 1 < epochs and agree(stop_asked(), device=fabric.device)[0]:
                raise Interrupted


def _check_weights(method: nn.Module, step: int, epoch: int) -> None:
    """The loss of a step says nothing of the weights that the step leaves. Raises ValueError where they are not
    finite."""
    for name, value in method.state_dict().items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ValueError(
                f"the weights are not finite after step {step} (epoch {epoch}; {name} first): the training has "
                "diverged; lower optimiser.rate or add optimiser.warmup_epochs"
            )


class _StepRecord:
    """Collects the numbers of the steps of an epoch; writes them to the log a few at a time."""

    def __init__(self, log: Log, epoch: int, sums: Mapping[str, float]) -> None:
        self._log = log
        self._epoch = epoch
        self.sums = dict(sums)
        self._waiting: list[tuple[int, float, dict[str, Tensor]]] = []
        self._latest: dict[str, float] = {}

    def add(self, done: int, rate: float, terms: Mapping[str, Tensor]) -> None:
        self._waiting.append((done, rate, {name: value.detach() for name, value in terms.items()}))

    def flush(self) -> Mapping[str, float]:
        """Logs what waits and returns the latest numbers. Raises ValueError when a loss is not finite."""
        if not self._waiting:
            return self._latest
        waiting = [torch.stack([value.double() for value in terms.values()]) for _, _, terms in self._waiting]
        values = iter(mean_over_processes(torch.cat(waiting)).tolist())
        for done, rate, terms in self._waiting:
            self._latest = {name: next(values) for name in terms}
            if not math.isfinite(self._latest["loss"]):
                raise ValueError(
                    f"the loss is {self._latest['loss']} at step {done + 1} (epoch {self._epoch + 1}): "
                    "the training has diverged; lower optimiser.rate or add optimiser.warmup_epochs"
                )
            for name, value in self._latest.items():
                self.sums[name] = self.sums.get(name, 0.0) + value
            self._log.append({"kind": "step", "step": done + 1, "epoch": self._epoch + 1, "rate": rate, **self._latest})
        self._waiting.clear()
        return self._latest

    def means(self, steps: int) -> dict[str, float]:
        return {name: total / steps for name, total in self.sums.items()}


@contextmanager
def _graceful_stop() -> Iterator[Callable[[], bool]]:
    """Turns the first SIGINT, SIGTERM or SIGHUP into a question that the loop asks after each step; a second SIGINT
    stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in stopping_signals()}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
