"""Evaluates runs in several ways with one call: the named evaluations, or a linear probe and nearest neighbours. The
store is the one that each run learnt from, unless --data names another. 'kinestream evaluate NAME --help' says what an
evaluation does and which options it has when it is called alone.

Examples:
  kinestream evaluate runs/caca
  kinestream evaluate linear knn retrieval runs/caca
  kinestream evaluate linear runs/caca runs/other --bare
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinestream.arguments import misuse, remember_words, typed_words
from kinestream.commands.evaluate import FrozenOptions, command
from kinestream.distributed.launch import Device
from kinestream.evaluate import EVALUATIONS
from kinestream.words import unknown

USUAL = ("linear", "knn")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream evaluate`."""

    words: tuple[str, ...]
    """Evaluations, linear and knn if none is named, then folders of runs, or encoder files."""
    data: Path | None = None
    """The store; the one that each run learnt from if not given."""
    split: str | None = None
    """Split to evaluate on; that of the run if not given."""
    bare: bool = False
    """Only the runs: leave out the untrained encoder and the raw coordinates, which take long on much data."""
    allow_leak: bool = False
    """Go on although the encoder learnt from test clips; the results are marked."""
    device: Device = "auto"
    """Where to compute; auto takes a GPU where there is one."""


def run(config: Config) -> None:
    from kinestream.console import Screen
    from kinestream.evaluate.overview import reached
    from kinestream.evaluate.run_results import read_evaluations
    from kinestream.evaluate.source import open_source

    names, runs = _told(config.words)
    screen, typed, failed = Screen(), typed_words(), []
    folders = [open_source(one).folder.path for one in runs]
    for one in runs:
        for name in names:
            screen.say(f"{name} of {one}:")
            module = command(name)
            options = dict(_options(config, module.Config))
            remember_words(("evaluate", name, str(one), *_typed(options)))
            try:
                module.run(module.Config(run=one, **options))
            except ValueError as error:
                failed.append(f"{name} of {one}: {error}")
                screen.warn(failed[-1])
            finally:
                remember_words(typed)
    rows = [
        (
            str(one),
            f"{figure.protocol} {figure.split}",
            f"{figure.top1:.2f}",
            *map(_cell, (figure.untrained, figure.raw)),
        )
        for one, folder in zip(runs, folders, strict=True)
        for figure in reached(
            [saved for saved in read_evaluations(folder) if any(saved.protocol.startswith(name) for name in names)]
        )
    ]
    if rows:
        columns = ("run", "evaluation", "top-1 %", "untrained", "best raw stream")
        screen.table("each run, all its streams together, and its baselines", columns, rows)
    if failed:
        raise ValueError(f"{len(failed)} of {len(runs) * len(names)} evaluations failed; the first: {failed[0]}")
    screen.say(f"next: kinestream report {shlex.quote(str(runs[0]))}")


def _told(words: Sequence[str]) -> tuple[list[str], list[Path]]:
    """The evaluations and the runs. What is no evaluation is a run."""
    known = EVALUATIONS.names()
    names: list[str] = []
    rest = list(words)
    while rest and all(part in known for part in rest[0].split(",")):
        names += rest.pop(0).split(",")
    if not rest:
        misuse("kinestream evaluate", "no run: name the folder of one after the evaluations")
    if not Path(rest[0]).exists() and (len(rest) > 1 or "," in rest[0]):
        wrong = next(part for part in rest[0].split(",") if part not in known)
        raise ValueError(f"{unknown('evaluation', wrong, known)}; nor is there a run of that name")
    return list(dict.fromkeys(names or USUAL)), [Path(one) for one in rest]


def _options(config: Config, of: type[Any]) -> Iterator[tuple[str, Any]]:
    yield from (("data", config.data), ("split", config.split), ("allow_leak", config.allow_leak))
    yield "device", config.device
    if issubclass(of, FrozenOptions):
        yield "bare", config.bare


def _typed(options: dict[str, Any]) -> Iterator[str]:
    """As one would type them."""
    for name, value in options.items():
        if value is True:
            yield f"--{name.replace('_', '-')}"
        elif value not in (None, False, "auto"):
            yield from (f"--{name}", str(value))


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
