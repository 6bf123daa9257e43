"""Where the numbers of a training go besides `metrics.jsonl`: TensorBoard, Weights & Biases, or a log of your own.

    @kinestream.train.logs.register("mine")
    class Mine:
        def __init__(self, run: Run, config: RunConfig) -> None: ...
        def append(self, entry: Mapping[str, Any]) -> None: ...  # a line of metrics.jsonl
        def close(self) -> None: ...

Then `kinestream --plugin mine.py pretrain ... --log mine`, or `pretrain(..., logs=["mine"])`, or `logs=[Mine]`. Only
the first of several processes logs. A log that fails is told of once and left out: the training goes on.
"""

import importlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from kinestream.plugins import Registry
from kinestream.progress import Notice
from kinestream.train.run_folder import Log, Run, RunConfig
from kinestream.words import shown

LogName = str
"""The name of a log that is registered."""


@runtime_checkable
class OtherLog(Protocol):
    """A log beside that of the run. Of a run that was stopped and goes on, steps may come twice."""

    def append(self, entry: Mapping[str, Any]) -> None:
        """A line of `metrics.jsonl`: `kind` is "step" or "epoch", whose number stands under that name (from 1); the
        other entries are numbers."""
        ...

    def close(self) -> None: ...


MakesLog = Callable[[Run, RunConfig], OtherLog]
"""Makes the log of a run; the folder is there when it is called."""


def _check(name: str, entry: MakesLog) -> None:
    if not callable(entry):
        raise ValueError(f"log '{name}' is {shown(repr(entry))}: it must be called with a run and its configuration")


LOGS: Registry[MakesLog] = Registry("log", {"tensorboard": __name__, "wandb": __name__}, _check)
register = LOGS.register
"""A decorator that makes a log known by a name."""


@register("tensorboard")
class TensorBoard:
    """Event files in `RUN/tensorboard`: look with `tensorboard --logdir RUNS`."""

    @staticmethod
    def check() -> None:
        """Raises ValueError where it is not installed."""
        try:
            import torch.utils.tensorboard  # noqa: F401
        except ImportError:
            raise ValueError("--log tensorboard needs tensorboard: pip install tensorboard") from None

    def __init__(self, run: Run, config: RunConfig) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run.path / "tensorboard"))

    def append(self, entry: Mapping[str, Any]) -> None:
        for name, value in _numbers(entry):
            self._writer.add_scalar(name, value, entry[entry["kind"]])

    def close(self) -> None:
        self._writer.close()


@register("wandb")
class WeightsAndBiases:
    """A run of the project that WANDB_PROJECT names, else of `kinestream`, called as the folder is. It is the same one
    when the training goes on."""

    @staticmethod
    def check() -> None:
        """Raises ValueError where it is not installed."""
        try:
            importlib.import_module("wandb")
        except ImportError:
            raise ValueError("--log wandb needs wandb: pip install wandb, then wandb login") from None

    def __init__(self, run: Run, config: RunConfig) -> None:
        file = run.path / "wandb-id.txt"
        known = file.read_text("utf-8").strip() if file.is_file() else secrets.token_hex(4)
        file.write_text(f"{known}\n", encoding="utf-8")
        settings = {"recipe": config.recipe_name, **config.recipe.to_dict()}
        # Our steps and epochs are numbers beside the others: W&B counts its own, upwards only.
        self._run = importlib.import_module("wandb").init(
            dir=str(run.path), id=known, resume="allow", name=run.path.name, config=settings, **_project()
        )
        for kind in ("step", "epoch"):
            self._run.define_metric(f"{kind}/*", step_metric=kind)

    def append(self, entry: Mapping[str, Any]) -> None:
        self._run.log({entry["kind"]: entry[entry["kind"]], **dict(_numbers(entry))})

    def close(self) -> None:
        self._run.finish()


def maker_of(log: LogName | MakesLog) -> MakesLog:
    """Raises ValueError for a name that is not registered, and where the log has a `check()` that raises it."""
    maker = LOGS.get(log) if isinstance(log, str) else log
    getattr(maker, "check", lambda: None)()
    return maker


def in_all_logs(own: Log, makers: Sequence[MakesLog], run: Run, config: RunConfig, notice: Notice) -> Log:
    """The log of the run with others beside it. One that cannot be made is told of and left out."""
    others = []
    for make in makers:
        try:
            others.append(make(run, config))
        except Exception as error:  # noqa: BLE001  what others wrote, or a network, must not end a training
            notice(f"log {getattr(make, '__name__', make)} cannot be opened: {shown(str(error), 200)}")
    return _Together(own, others, notice)


class _Together:
    def __init__(self, own: Log, others: Sequence[OtherLog], notice: Notice) -> None:
        self._own, self._others, self._notice = own, list(others), notice

    @property
    def size(self) -> int:
        return self._own.size

    def append(self, entry: Mapping[str, Any]) -> None:
        self._own.append(entry)
        for log in list(self._others):
            self._try(log, lambda log=log: log.append(entry))  # type: ignore[misc]

    def close(self) -> None:
        self._own.close()
        for log in list(self._others):
            self._try(log, log.close)

    def _try(self, log: OtherLog, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001  what others wrote, or a network, must not end a training
            self._others.remove(log)
            self._notice(f"{type(log).__name__} failed and is left out from here on: {shown(str(error), 200)}")


def _project() -> dict[str, str]:
    return {} if os.environ.get("WANDB_PROJECT") else {"project": "kinestream"}


def _numbers(entry: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """`step/loss`, `epoch/knn/joint` and so on."""
    kind = entry["kind"]
    for name, value in entry.items():
        if name not in ("kind", "step", "epoch") and isinstance(value, int | float):
            yield f"{kind}/{name}", float(value)
