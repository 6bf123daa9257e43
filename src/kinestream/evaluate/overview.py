"""Runs at a glance: how far each is, and what it reached."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinestream.evaluate.run_results import SavedResult, read_evaluations
from kinestream.train.run_folder import Run, read_metrics

_DEEP = 4
_LEARNING_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What stands for a run in one of its evaluations, in percent, beside the baselines of the same evaluation."""

    protocol: str
    split: str
    top1: float
    low: float
    high: float
    untrained: float | None
    raw: float | None
    """Of the best raw stream."""

    def __str__(self) -> str:
        beside = [
            f"{name} {value:.1f}"
            for name, value in (("untrained", self.untrained), ("raw", self.raw))
            if value is not None
        ]
        return f"{self.protocol} {self.split} {self.top1:.1f}" + (f" ({', '.join(beside)})" if beside else "")


@dataclass(frozen=True, kw_only=True)
class Overview:
    """A run at a glance."""

    path: Path
    recipe: str
    data: str
    """Data set and split."""
    seed: int
    epochs_done: int
    epochs: int
    seconds: float | None
    """Since the log last grew; None where there is none."""
    minutes: float
    """Of the whole epochs that are trained."""
    nearest: float | None
    """The last 1-NN accuracy while learning, in percent."""
    reached: tuple[Reached, ...]
    problem: str = ""
    """Why nothing else is known of it."""

    @property
    def state(self) -> str:
        """`done`, `learning`, `stopped`, `not begun` or `damaged`."""
        if self.problem:
            return "damaged"
        if self.epochs_done >= self.epochs:
            return "done"
        if self.seconds is None:
            return "not begun"
        return "learning" if self.seconds < _LEARNING_SECONDS else "stopped"


def runs_in(folder: Path | str) -> tuple[Overview, ...]:
    """Every run in a folder and in those below it, by name; a run that cannot be read says why. Raises ValueError where
    there is no such folder.

    Example:
        >>> runs_in("runs/")  # doctest: +SKIP
    """
    if not Path(folder).is_dir():
        raise ValueError(f"no folder {folder}")
    return tuple(_safely(run) for run in _found(Path(folder), _DEEP))


def overview(path: Path) -> Overview:
    """Raises ValueError when the folder is no run."""
    run = Run(path)
    config = run.config()
    recipe = config.recipe
    log = read_metrics(run.metrics) if run.metrics.is_file() else []
    epochs = [line for line in log if line.get("kind") == "epoch"]
    online = [
        value
        for line in epochs
        for key in ("knn/together", f"knn/{recipe.streams[0]}")
        if isinstance(value := line.get(key), int | float)
    ]
    return Overview(
        path=path,
        recipe=config.recipe_name,
        data=f"{recipe.dataset or 'own'} {recipe.split or ''}".rstrip(),
        seed=recipe.seed,
        epochs_done=run.epochs_done,
        epochs=recipe.epochs,
        seconds=max(0.0, time.time() - run.metrics.stat().st_mtime) if run.metrics.is_file() else None,
        minutes=sum(line.get("seconds", 0.0) for line in epochs) / 60,
        nearest=online[-1] if online else None,
        reached=tuple(reached(read_evaluations(path))),
    )


def reached(evaluations: Sequence[SavedResult]) -> Iterator[Reached]:
    """What stands for the run in each evaluation that has such a figure."""
    for one in evaluations:
        own, untrained = one.headline(), one.headline("untrained")
        raw = [row.top1 for row in one.rows if row.kind == "raw"]
        if own is not None:
            yield Reached(
                protocol=f"{'1-NN' if one.protocol == 'knn' else one.protocol} {one.changed}".rstrip(),
                split=one.split,
                top1=own.top1,
                low=own.low,
                high=own.high,
                untrained=None if untrained is None else untrained.top1,
                raw=max(raw, default=None),
            )


def _safely(path: Path) -> Overview:
    try:
        return overview(path)
    except (ValueError, OSError) as error:
        return Overview(
            path=path,
            recipe="?",
            data="?",
            seed=0,
            epochs_done=0,
            epochs=0,
            seconds=None,
            minutes=0.0,
            nearest=None,
            reached=(),
            problem=str(error),
        )


def _found(folder: Path, deep: int) -> Iterator[Path]:
    """Runs do not lie within runs."""
    if (folder / "config.yaml").is_file():
        yield folder
    elif deep:
        try:
            below = sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
        except PermissionError:
            return
        for one in below:
            yield from _found(one, deep - 1)
