"""A recipe as a whole: pre-training with some seeds, the evaluations that its published figure is of, and all of it in
one table."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kinestream import evaluate
from kinestream.console import table_text
from kinestream.data.store import Store
from kinestream.distributed.launch import Device, Precision
from kinestream.evaluate.result import How, Kind, Result
from kinestream.files import replacing, write_json
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.recipes import Recipe
from kinestream.train.pretrain import pretrain
from kinestream.train.run_folder import Run, read_metrics


@dataclass(frozen=True, kw_only=True)
class Figure:
    """An accuracy, in percent, with each seed."""

    protocol: str
    features: str
    values: tuple[float, ...]
    is_headline: bool
    """Whether it stands for the run: all its streams together, or its only one."""
    kind: Kind
    how: How
    streams: tuple[str, ...]
    published: float | None
    """Where there is one of the same kind."""

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Of the sample; None for one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def cells(self) -> tuple[str, str, str]:
        """Ours, the published one and the difference."""
        ours = f"{self.mean:.2f}" + ("" if self.deviation is None else f" ± {self.deviation:.2f}")
        if self.published is None:
            return ours, "-", "-"
        return ours, f"{self.published:.2f}", f"{self.mean - self.published:+.2f}"


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A recipe's runs and their figures. Printing it shows them beside the published one."""

    name: str
    """Of the recipe."""
    recipe: Recipe
    runs: tuple[Run, ...]
    seeds: tuple[int, ...]
    figures: tuple[Figure, ...]
    file: Path
    """Where all of it is written down."""

    @property
    def minutes(self) -> list[float]:
        """Of the whole epochs of each run, with the log's own evaluations."""
        lines = (read_metrics(run.metrics) for run in self.runs)
        return [sum(line.get("seconds", 0.0) for line in log if line["kind"] == "epoch") / 60 for log in lines]

    def to_dict(self) -> dict[str, Any]:
        return {
            "recipe_name": self.name,
            "recipe": self.recipe.to_dict(),
            "seeds": list(self.seeds),
            "training_minutes": [round(minutes, 1) for minutes in self.minutes],
            "figures": [{**asdict(one), "mean": one.mean, "deviation": one.deviation} for one in self.figures],
        }

    def __str__(self) -> str:
        return table_text(
            f"{self.name}: ours beside the published figure",
            ("protocol, features", "ours, %", "published, %", "difference"),
            [(f"{figure.protocol}, {figure.features}", *figure.cells) for figure in self.figures],
        )


def reproduce(
    recipe: Recipe,
    data: Store | Path | str,
    out: Path,
    *,
    name: str,
    seeds: Sequence[int] = (0,),
    also: Sequence[Path] = (),
    command: str = "",
    changes: Sequence[str] = (),
    baselines: bool = True,
    device: Device = "auto",
    precision: Precision = "32-true",
    progress: Progress = silent,
    notice: Notice = unheard,
) -> Reproduction:
    """Trains, evaluates and draws once for each seed in `out/seed-<n>`, with a page `report.html`, then writes
    `reproduction.md` and `reproduction.json` into `out`. What is done already is not done again.

    Args:
        name: of the recipe.
        command: what one types to make it again.
        changes: settings (`key=value`) that are not as the recipe of that name has them.

    Raises ValueError when a run in `out` was begun with other settings or on other data.
    """
    store = data if isinstance(data, Store) else Store(Path(data))
    shared: dict[str, Any] = {"device": device, "baselines": baselines, "progress": progress}
    found: list[tuple[Result, Result]] = []
    for seed in seeds:
        folder = out / f"seed-{seed}"
        run = pretrain(
            store,
            replace(recipe, seed=seed),
            out=folder,
            also=also,
            resume=(folder / "config.yaml").is_file(),
            device=device,
            precision=precision,
            name=name,
            progress=progress,
            notice=notice,
        )
        split = run.config().recipe.split
        results = (
            evaluate.linear(folder, store, weights=_fusion(recipe), notice=notice, **shared),
            evaluate.knn(folder, store, k=min(20, len(store.select(split, "train"))), **shared),
        )
        for result in results:
            result.save()
        found.append(results)
        _draw(folder, store, shared, notice)
    made = Reproduction(
        name=name,
        recipe=recipe,
        runs=tuple(Run(out / f"seed-{seed}") for seed in seeds),
        seeds=tuple(seeds),
        figures=tuple(figure for results in zip(*found, strict=True) for figure in _figures(recipe, results)),
        file=out / "reproduction.md",
    )
    write_json(out / "reproduction.json", made.to_dict())
    with replacing(made.file) as part:
        part.write_text(_written(made, command, changes), encoding="utf-8")
    return made


def _draw(folder: Path, store: Store, shared: Mapping[str, Any], notice: Notice) -> None:
    """The figures and the page of a run, where there is what draws them."""
    try:
        from kinestream.viz.report import report
    except ModuleNotFoundError as error:
        notice(f'no figures and no page: they need {error.name}: pip install "kinestream[viz]"')
        return
    report(folder, store, figures=folder / "figures", **shared)


def _figures(recipe: Recipe, results: Sequence[Result]) -> list[Figure]:
    """Of one evaluation with each seed."""
    first, published = results[0], recipe.published
    return [
        Figure(
            protocol=first.protocol,
            features=row.name,
            values=tuple(result.rows[number].top1 for result in results),
            is_headline=row is first.headline,
            kind=row.kind,
            how=row.how,
            streams=row.streams,
            published=published.accuracy
            if published is not None
            and row.kind == "run"
            and published.is_like(first.protocol, row.how, row.streams, _weights(recipe))
            else None,
        )
        for number, row in enumerate(first.rows)
    ]


def _weights(recipe: Recipe) -> dict[str, float] | None:
    """The published weights of the streams' scores, where they are for the streams of the recipe; else None: alike."""
    fusion = None if recipe.published is None else recipe.published.fusion
    if fusion is None or set(fusion) != set(recipe.streams):
        return None
    return {stream: fusion[stream] for stream in recipe.streams}


def _fusion(recipe: Recipe) -> str | None:
    """The same as an option says them."""
    weights = _weights(recipe)
    return None if weights is None else ",".join(f"{stream}={weight:g}" for stream, weight in weights.items())


def _written(made: Reproduction, command: str, changes: Sequence[str]) -> str:
    recipe, several = made.recipe, len(made.seeds) > 1
    lines = [
        f"# {recipe.title}" + (f" (with {', '.join(changes)})" if changes else ""),
        "",
        f"Recipe `{made.name}`, {recipe.dataset} {recipe.split}, preparation `{recipe.preparation}`, "
        f"{recipe.epochs} epochs, seeds {', '.join(map(str, made.seeds))}; training took "
        f"{', '.join(f'{minutes:.1f}' for minutes in made.minutes)} minutes.",
        "Top-1 accuracy in percent after the last epoch" + ("; mean ± deviation." if several else "."),
        "",
        "| protocol | features | ours | published | difference |",
        "|---|---|---|---|---|",
        *(f"| {one.protocol} | {one.features} | {' | '.join(one.cells)} |" for one in made.figures),
    ]
    if recipe.published:
        lines += ["", f"Published: {recipe.published.accuracy:.2f}, {recipe.published.what}."]
    if (weights := _weights(recipe)) is not None:
        lines += [
            "",
            f"Scores are fused as published: {', '.join(f'{key} {part:g}' for key, part in weights.items())}.",
        ]
    lines += ["", "## Ran with", "", "```", made.runs[0].environment.read_text("utf-8").rstrip(), "```", ""]
    lines += ["## To make it again", "", *([f"    {command}", "", "with these settings:", ""] if command else [])]
    lines += ["```json", json.dumps(recipe.to_dict(), indent=1, ensure_ascii=False), "```", ""]
    return "\n".join(lines)
