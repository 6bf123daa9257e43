"""Every evaluation as a command: its settings become options, its figures a table and files in the run."""

import inspect
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kinestream.distributed.launch import Device
from kinestream.evaluate import EVALUATIONS, is_search, settings_of, uses_of
from kinestream.models.readout import WhitenedBy

if TYPE_CHECKING:
    from collections.abc import Callable

    from kinestream.console import Screen


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What is evaluated on what."""

    run: Path
    """Folder of a pre-training run, or an encoder file (.safetensors)."""
    data: Path | None = None
    """The store; the one that the run learnt from if not given."""
    split: str | None = None
    """Split to evaluate on; that of the run if not given."""
    allow_leak: bool = False
    """Go on although the encoder learnt from test clips; the results are marked."""
    device: Device = "auto"
    """Where to compute; auto takes a GPU where there is one."""

    @property
    def shared(self) -> dict[str, Any]:
        """As functions of Python take them."""
        return {"split": self.split, "device": self.device, "allow_leak": self.allow_leak}


@dataclass(frozen=True, kw_only=True)
class FrozenOptions(RunOptions):
    """How frozen encoders are read."""

    bare: bool = False
    """Only the run: leave out the untrained encoder and the raw coordinates, which take long on much data."""
    turns: int | None = None
    """Directions about the vertical to read each clip from, averaged; as the run's recipe says if not given. One
    suffices for streams that are invariant to rotation about the vertical."""
    whitening: float | None = None
    """How far features are whitened, 0 (not at all) to 1; as the recipe says if not given."""
    whitened_by: WhitenedBy | None = None
    """What features are whitened by: all training clips, pairs of nearest neighbours among them, or pairs of recordings
    of one performance (partners); as the recipe says if not given."""

    @property
    def shared(self) -> dict[str, Any]:
        readout = {"turns": self.turns, "whitening": self.whitening, "whitened_by": self.whitened_by}
        return {**super().shared, "baselines": not self.bare, "readout": readout}


@dataclass(frozen=True, kw_only=True)
class SheetOptions(FrozenOptions):
    """The options of evaluations that search by example."""

    queries: int = 6
    """Test clips on the sheet of what was found; 0 for none."""
    seed: int = 0
    """Random seed of their choice."""


def command(name: str) -> Any:
    """Arguments, help and work of `kinestream evaluate NAME`. Raises ValueError for an unknown name."""
    settings = settings_of(name)
    frozen = SheetOptions if is_search(settings) else FrozenOptions
    options = frozen if uses_of(settings) == "features" else RunOptions
    made = type("Config", (options, settings), {"__doc__": f"Arguments of `kinestream evaluate {name}`."})
    config: type[Any] = dataclass(frozen=True, kw_only=True)(made)
    return SimpleNamespace(Config=config, run=partial(_run, name), __doc__=inspect.getdoc(settings))


def _run(name: str, config: Any) -> None:
    from kinestream.arguments import typed_words
    from kinestream.console import Screen

    screen, evaluation = Screen(), EVALUATIONS.get(name)
    settings = {field.name: getattr(config, field.name) for field in fields(evaluation.settings)}
    from kinestream.evaluate.result import check_results
    from kinestream.evaluate.source import open_source

    check_results(open_source(config.run).folder.path)  # before any work
    draw = _drawing(screen) if isinstance(config, SheetOptions) and config.queries else None
    result = evaluation(
        config.run,
        config.data,
        **config.shared,
        **settings,
        progress=screen.progress_callback(),
        notice=screen.notice,
        command=("kinestream", *typed_words()),
    )
    screen.say(str(result))
    evaluation_file, predictions, figures = result.save()
    screen.say("hardest classes: " + ", ".join(f"{key} {share:.0f} %" for key, share in result.hardest()))
    if result.published:
        screen.say(f"published: {result.published}")
    screen.say(f"per class and all settings: {evaluation_file}")
    screen.say(f"each test clip: {predictions}; all figures of all evaluations: {figures}")
    if draw is not None:
        path = evaluation_file.with_name(f"{result.name}.png")
        draw(result, path, queries=config.queries, seed=config.seed)
        screen.say(f"queries and what they found: {path}")


def _drawing(screen: "Screen") -> "Callable[..., None] | None":
    try:
        from kinestream.viz.retrieval_sheet import draw_found
    except ModuleNotFoundError as error:
        screen.warn(f'no picture: it needs {error.name}: pip install "kinestream[viz]"')
        return None
    return draw_found
