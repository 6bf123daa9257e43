"""Evaluations: functions of encoders, a store and a split that return a `Result`. They print nothing, and write nothing
but checkpoints of long trainings until the result is saved.

    result = kinestream.evaluate.knn("runs/mine", "store/")
    print(result)          # the table
    result.save()          # into the run

An evaluation of your own takes a `Session` and a frozen dataclass of settings and yields rows:

    @dataclass(frozen=True, kw_only=True)
    class MeanSettings:
        "Accuracy of the nearest class mean."
        power: float = 1.0

    @kinestream.evaluate.register("class-means")
    def class_means(session: Session, settings: MeanSettings) -> Iterator[Row]:
        for features in session.features():
            for streams, how in features.choices():
                train, test = features.joined(streams)
                ...
                yield session.row(features.kind, streams, how, ranking)

Then `kinestream.evaluate.class_means(run, store, power=0.5)` and `kinestream evaluate class-means` are there. What else
it is, its settings say: `uses: ClassVar[Uses]` which part of the encoders, `is_search: ClassVar[bool]` that the command
can draw what it found, `whole_videos: ClassVar[bool]` that its store has videos of many actions,
`learns: ClassVar[bool]` whether test clips are named after training clips, as they are if it is not given.
"""

import dataclasses
import importlib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from typing import TYPE_CHECKING, Any

from kinestream.evaluate.settings import BUILTIN, Uses, changed_settings
from kinestream.plugins import Registry
from kinestream.progress import Notice, Progress, silent, unheard

if TYPE_CHECKING:
    from kinestream.data.store import Store
    from kinestream.distributed.launch import Device
    from kinestream.evaluate.result import Result as Result
    from kinestream.evaluate.result import Row as Row
    from kinestream.evaluate.session import Features as Features
    from kinestream.evaluate.session import Session as Session
    from kinestream.evaluate.source import AnyRun
    from kinestream.models.readout import Readout

    Measure = Callable[[Session, Any], Iterable[Row]]
    linear: "Evaluation"
    knn: "Evaluation"
    probe_grid: "Evaluation"
    retrieval: "Evaluation"
    cluster: "Evaluation"
    one_shot: "Evaluation"
    robustness: "Evaluation"
    correctness: "Evaluation"
    finetune: "Evaluation"
    semi: "Evaluation"
    supervised: "Evaluation"
    transfer: "Evaluation"
    detection: "Evaluation"

_LAZY = {"Result": "result", "Row": "result", "Session": "session", "Features": "session"}


class Evaluation:
    """An evaluation by name, called with a run and a store.

    Args:
        measure: from a session and settings to the rows of the result.
        first: heads the column of the accuracy in the table.
        columns: from the settings to further columns: heading, and a key of the rows' `extra` or what makes the cell.
    """

    __name__: str

    def __init__(
        self,
        name: str,
        measure: "Measure",
        *,
        first: str = "top-1 %",
        columns: Callable[[Any], Mapping[str, "str | Callable[[Row], str]"]] = lambda settings: {},
    ) -> None:
        self.name = name
        self.measure = measure
        self.settings = _settings_of(name, measure)
        self.first = first
        self.columns = columns
        update_wrapper(self, measure)
        self.__doc__ = inspect.getdoc(self.settings)
        self.__signature__ = _signature(self.settings)

    @property
    def uses(self) -> Uses:
        return uses_of(self.settings)

    def __call__(
        self,
        run: "AnyRun",
        store: "Store | str | None" = None,
        *,
        split: str | None = None,
        baselines: bool = True,
        readout: "Readout | Mapping[str, Any] | None" = None,
        device: "Device" = "auto",
        allow_leak: bool = False,
        progress: Progress = silent,
        notice: Notice = unheard,
        command: Iterable[str] = (),
        **settings: Any,
    ) -> "Result":
        """Evaluates `run` (a run, its folder, or an encoder file) on `store` (by default the one it learnt from).

        Args:
            split: that of the pre-training if None.
            baselines: evaluate an untrained encoder and raw coordinates, too.
            readout: how frozen encoders are read, or what differs from how they say themselves.
            allow_leak: go on where test clips were learnt from; the result is marked.
            notice: told at once what `notes` of the result will say.
            command: the words that make the result again, kept with it.

        Raises ValueError where run, store and split do not go together, or test clips were learnt from.
        """
        from kinestream.evaluate.session import open_session

        known = [field.name for field in dataclasses.fields(self.settings)]
        if unknown := [key for key in settings if key not in known]:
            raise ValueError(
                f"evaluation {self.name} has no setting '{unknown[0]}': it has {', '.join(known) or 'none'}"
            )
        chosen = self.settings(**settings)
        _check_finite(chosen)
        session = open_session(
            run,
            store,
            split=split,
            uses=self.uses,
            baselines=baselines,
            readout=readout,
            device=device,
            allow_leak=allow_leak,
            whole_videos=takes_whole_videos(self.settings),
            learns=learns(self.settings),
            progress=progress,
            notice=notice,
        )
        session.protocol, session.settings = self.name, dataclasses.asdict(chosen) | session.settings
        session.changed = (*changed_settings(chosen), *session.changed)
        rows = tuple(self.measure(session, chosen))
        return session.result(rows, {self.first: "top1", **self.columns(chosen)}, tuple(command))


def _check_finite(settings: Any) -> None:
    """Raises ValueError for numbers that no evaluation can be done with."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and not math.isfinite(number):
                raise ValueError(f"{field.name.replace('_', ' ')} {number} is no finite number")


def _check(name: str, entry: Evaluation) -> None:
    if not isinstance(entry, Evaluation):
        raise ValueError(f"evaluation '{name}' is {entry!r}: register it with @kinestream.evaluate.register('{name}')")


EVALUATIONS: Registry[Evaluation] = Registry(
    "evaluation", {name: f"{__name__}.{module}" for name, (_, module, _) in BUILTIN.items()}, _check
)


def register(name: str, **options: Any) -> Callable[["Measure"], Evaluation]:
    """A decorator that makes an evaluation of a function from a session and settings to rows; `options` are those of
    `Evaluation`."""
    return lambda measure: EVALUATIONS.add(name, Evaluation(name, measure, **options))


def settings_of(name: str) -> type[Any]:
    """The settings of an evaluation; those of a built-in one without importing it."""
    return BUILTIN[name][0] if name in BUILTIN else EVALUATIONS.get(name).settings


def uses_of(settings: type[Any]) -> Uses:
    """What an evaluation with these settings takes of the encoders."""
    uses: Uses = getattr(settings, "uses", "features")
    return uses


def is_search(settings: type[Any]) -> bool:
    """Whether the `detail` of the rows is what a search found (see `search.Retrieved`), which the command can draw."""
    return bool(getattr(settings, "is_search", False))


def takes_whole_videos(settings: type[Any]) -> bool:
    """Whether the store of an evaluation with these settings has whole videos, with a track of labels each."""
    return bool(getattr(settings, "whole_videos", False))


def learns(settings: type[Any]) -> bool:
    """Whether an evaluation with these settings names test clips after training clips, whose classes it then needs."""
    return bool(getattr(settings, "learns", True))


def _settings_of(name: str, measure: "Measure") -> type[Any]:
    parameters = list(inspect.signature(measure).parameters.values())
    settings = parameters[1].annotation if len(parameters) == 2 else None
    if isinstance(settings, str):
        settings = getattr(measure, "__globals__", {}).get(settings)
    if not (isinstance(settings, type) and dataclasses.is_dataclass(settings)):
        raise ValueError(f"evaluation '{name}': its function takes a session and settings, annotated with a dataclass")
    return settings


def _signature(settings: type[Any]) -> inspect.Signature:
    own = [entry for entry in inspect.signature(Evaluation.__call__).parameters.values() if entry.name != "self"]
    keyword = inspect.Parameter.KEYWORD_ONLY
    more = [entry.replace(kind=keyword) for entry in inspect.signature(settings).parameters.values()]
    return inspect.Signature([*own[:-1], *more])


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _LAZY:
            return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return EVALUATIONS.get(name.replace("_", "-"))
        except ValueError as error:
            raise AttributeError(str(error)) from None


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *(name.replace("-", "_") for name in EVALUATIONS.names())})
