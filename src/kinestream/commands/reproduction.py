"""A recipe as a whole: pre-training with some seeds, every evaluation of frozen features, and the report of them."""

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from kinestream.engine.devices import Device, Precision
from kinestream.engine.pretrain import pretrain
from kinestream.engine.run_folder import RunFolder, read_metrics
from kinestream.evaluate.linear import ProbeSettings
from kinestream.files import replacing, write_json
from kinestream.protocols.knn import count_neighbours
from kinestream.protocols.linear import train_probe
from kinestream.protocols.outcome import How, Kind, Outcome, headline
from kinestream.protocols.report import name as name_of
from kinestream.protocols.subject import Subject
from kinestream.recipes import Recipe
from kinestream.screen import Screen

Protocol = Literal["linear", "1-NN"]
_EVALUATIONS: Mapping[Protocol, str] = MappingProxyType({"linear": "linear", "1-NN": "knn"})


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the report: an accuracy, in percent, with each seed."""

    protocol: Protocol
    features: str
    values: tuple[float, ...]
    is_headline: bool
    """Whether it stands for the run: all its streams together, or its only one."""
    kind: Kind
    how: How
    streams: tuple[str, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Of the sample; None for one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def __str__(self) -> str:
        deviation = self.deviation
        return f"{self.mean:.2f}" if deviation is None else f"{self.mean:.2f} ± {deviation:.2f}"


def reproduce(
    recipe: Recipe,
    name: str,
    data: Path,
    out: Path,
    *,
    also: Sequence[Path] = (),
    command: str,
    changes: Sequence[str],
    seeds: Sequence[int],
    references: bool,
    device: Device,
    precision: Precision,
) -> None:
    """Trains, evaluates and draws once for each seed in `out/seed-<n>`, with a page `report.html`, then writes
    `report.md` and `report.json` into `out`. `command` is what the report says to type to make it again; its heading
    names the `changes`, those settings (`key=value`) that are not as the recipe `name` has them.

    Raises ValueError when a run in `out` was begun with other settings or on other data.
    """
    screen = Screen()
    evaluated: list[Mapping[Protocol, Sequence[Outcome]]] = []
    names: list[Mapping[Protocol, Sequence[str]]] = []
    for seed in seeds:
        folder = out / f"seed-{seed}"
        screen.say(f"seed {seed}: {folder}")
        pretrain(
            dataclasses.replace(recipe, seed=seed),
            name,
            data,
            folder,
            also=also,
            resume=True,
            device=device,
            precision=precision,
            screen=screen,
        )
        subject = Subject(folder, data, None, device, references=references)
        found: dict[Protocol, Sequence[Outcome]] = {
            "linear": train_probe(subject, ProbeSettings(), _fusion(recipe)),
            "1-NN": count_neighbours(subject, k=min(20, len(subject.train_labels)), temperature=0.1),
        }
        _show(subject)
        evaluated.append(found)
        names.append(
            {protocol: [name_of(subject, outcome) for outcome in outcomes] for protocol, outcomes in found.items()}
        )
    figures = _figures(evaluated, names)
    runs = [RunFolder(out / f"seed-{seed}") for seed in seeds]
    write_json(out / "report.json", _plain(recipe, name, seeds, figures, runs))
    with replacing(out / "report.md") as part:
        part.write_text(_report(recipe, name, command, changes, seeds, figures, runs), encoding="utf-8")
    screen.table(
        f"{name}: ours beside the published figure",
        ("protocol, features", "ours, %", "published, %", "difference"),
        [(f"{figure.protocol}, {figure.features}", *_cells(recipe, figure)) for figure in figures],
    )
    screen.say(f"report: {out / 'report.md'}")


def _show(subject: Subject) -> None:
    """The figures and the page of a run, where there is what draws them."""
    try:
        from kinestream.commands.report_of_run import Limits, write_report
    except ModuleNotFoundError as error:
        subject.screen.say(f"no figures and no page: they need {error.name}, install kinestream[viz]")
        return
    write_report(
        subject, subject.source.folder.path / "report.html", Limits(), figures=subject.source.folder.path / "figures"
    )


def _figures(
    evaluated: Sequence[Mapping[Protocol, Sequence[Outcome]]], names: Sequence[Mapping[Protocol, Sequence[str]]]
) -> list[Figure]:
    figures = []
    for protocol, outcomes in evaluated[0].items():
        own = headline(outcomes)
        for row, outcome in enumerate(outcomes):
            figures.append(
                Figure(
                    protocol=protocol,
                    features=names[0][protocol][row],
                    values=tuple(found[protocol][row].accuracy.top1 for found in evaluated),
                    is_headline=outcome is own,
                    kind=outcome.kind,
                    how=outcome.how,
                    streams=outcome.streams,
                )
            )
    return figures


def _cells(recipe: Recipe, figure: Figure) -> tuple[str, str, str]:
    """Ours, the published figure where it is of the same kind, and the difference."""
    published, protocol = recipe.published, _EVALUATIONS[figure.protocol]
    if (
        published is None
        or figure.kind != "run"
        or not published.is_like(protocol, figure.how, figure.streams, _fusion(recipe))
    ):
        return str(figure), "-", "-"
    return str(figure), f"{published.accuracy:.2f}", f"{figure.mean - published.accuracy:+.2f}"


def _fusion(recipe: Recipe) -> dict[str, float] | None:
    """The published weights of the streams' scores, where they are for the streams of the recipe; else None: alike."""
    fusion = None if recipe.published is None else recipe.published.fusion
    if fusion is None or set(fusion) != set(recipe.streams):
        return None
    return {stream: fusion[stream] for stream in recipe.streams}


def _plain(
    recipe: Recipe, name: str, seeds: Sequence[int], figures: Sequence[Figure], runs: Sequence[RunFolder]
) -> dict[str, Any]:
    return {
        "recipe_name": name,
        "recipe": recipe.to_dict(),
        "seeds": list(seeds),
        "training_minutes": [round(_minutes(run), 1) for run in runs],
        "figures": [
            {**dataclasses.asdict(figure), "mean": figure.mean, "deviation": figure.deviation} for figure in figures
        ],
    }


def _report(
    recipe: Recipe,
    name: str,
    command: str,
    changes: Sequence[str],
    seeds: Sequence[int],
    figures: Sequence[Figure],
    runs: Sequence[RunFolder],
) -> str:
    settings = json.dumps(recipe.to_dict(), indent=1, ensure_ascii=False)
    lines = [
        f"# {recipe.title}" + (f" (with {', '.join(changes)})" if changes else ""),
        "",
        f"Recipe `{name}`, {recipe.dataset} {recipe.split}, preparation `{recipe.preparation}`, "
        f"{recipe.epochs} epochs, seeds {', '.join(map(str, seeds))}; training took "
        f"{', '.join(f'{_minutes(run):.1f}' for run in runs)} minutes.",
        "Top-1 accuracy in percent after the last epoch" + ("; mean ± deviation." if len(seeds) > 1 else "."),
        "",
        "| protocol | features | ours | published | difference |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {figure.protocol} | {figure.features} | {' | '.join(_cells(recipe, figure))} |" for figure in figures]
    if recipe.published:
        lines += ["", f"Published: {recipe.published.accuracy:.2f}, {recipe.published.what}."]
    if (fusion := _fusion(recipe)) is not None:
        lines += ["", f"Scores are fused as published: {', '.join(f'{key} {part:g}' for key, part in fusion.items())}."]
    lines += ["", "## Ran with", "", "```"]
    lines += [runs[0].environment.read_text("utf-8").rstrip(), "```", "", "## To make it again", ""]
    lines += [f"    {command}", "", "with these settings:", "", "```json", settings, "```", ""]
    return "\n".join(lines)


def _minutes(run: RunFolder) -> float:
    """Time of the whole epochs, with the log's own evaluations."""
    return sum(line.get("seconds", 0.0) for line in read_metrics(run.metrics) if line["kind"] == "epoch") / 60
