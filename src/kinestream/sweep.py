"""A recipe with several seeds and settings: what each combination reaches, with means and deviations over the seeds."""

import csv
import itertools
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kinestream import evaluate
from kinestream.console import table_text
from kinestream.data.store import Store
from kinestream.distributed.launch import Device
from kinestream.evaluate.overview import Reached, reached
from kinestream.evaluate.run_results import SavedResult, read_evaluations
from kinestream.files import replacing, write_json
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.recipes import resolve, with_settings
from kinestream.train.pretrain import pretrain
from kinestream.train.run_folder import Run

_SEED = "seed"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One run of a sweep."""

    run: Path
    settings: Mapping[str, str]
    """What was varied, with the value here."""
    reached: tuple[Reached, ...]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What one combination of settings reached over its seeds, in percent."""

    settings: Mapping[str, str]
    """Without the seed."""
    protocol: str
    values: tuple[float, ...]
    """Of each seed."""
    untrained: float | None
    """Mean of the untrained encoders of the same seeds."""

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Of the sample; None for one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Runs of a recipe that differ in a few settings. Printing it shows what each combination reached."""

    recipe: str
    members: tuple[Member, ...]
    file: Path
    """A CSV file with a line for each run and evaluation."""

    def summaries(self) -> tuple[Summary, ...]:
        """The best mean first, by evaluation."""
        found: dict[tuple[str, tuple[tuple[str, str], ...]], list[Reached]] = {}
        for member in self.members:
            own = tuple((key, value) for key, value in member.settings.items() if key != _SEED)
            for one in member.reached:
                found.setdefault((f"{one.protocol} {one.split}", own), []).append(one)
        made = [
            Summary(
                settings=dict(own),
                protocol=protocol,
                values=tuple(one.top1 for one in every),
                untrained=_mean([one.untrained for one in every if one.untrained is not None]),
            )
            for (protocol, own), every in found.items()
        ]
        return tuple(sorted(made, key=lambda one: (one.protocol, -one.mean)))

    def __str__(self) -> str:
        keys = list(dict.fromkeys(key for member in self.members for key in member.settings if key != _SEED))
        rows = [
            (
                one.protocol,
                *(one.settings[key] for key in keys),
                str(len(one.values)),
                f"{one.mean:.2f}" + ("" if one.deviation is None else f" ± {one.deviation:.2f}"),
                "-" if one.untrained is None else f"{one.untrained:.2f}",
            )
            for one in self.summaries()
        ]
        return table_text(
            f"{self.recipe}: mean top-1 ± deviation over the seeds",
            ("evaluation", *keys, "seeds", "top-1 %", "untrained %"),
            rows,
        )


def sweep(
    store: Store | Path | str,
    recipe: str,
    out: Path | str,
    *,
    vary: Mapping[str, Sequence[str]],
    settings: Sequence[str] = (),
    evaluations: Sequence[str] = ("knn",),
    baselines: bool = True,
    device: Device = "auto",
    progress: Progress = silent,
    notice: Notice = unheard,
) -> Sweep:
    """Trains and evaluates every combination of the values in `vary`, each in a folder of its own in `out`. What is
    done already is not done again: the same call goes on after a stop, and takes further values up.

    Args:
        vary: the values of each setting, as `--set` takes them: `{"seed": ["0", "1"], "learning_rate": ["1e-3"]}`.
        settings: `key=value` of all runs.
        evaluations: by name.
        baselines: evaluate untrained encoders and raw coordinates, too.

    Raises ValueError where nothing varies, or one of the combinations is no recipe; then nothing is trained.

    Example:
        >>> sweep("store/", "laptop", "runs/seeds", vary={"seed": ["0", "1", "2"]})  # doctest: +SKIP
    """
    if not vary or any(len(set(values)) != len(values) or not values for values in vary.values()):
        raise ValueError("a sweep needs a setting with several values, none twice: --set seed=0,1,2")
    opened = store if isinstance(store, Store) else Store(Path(store))
    chosen = [dict(zip(vary, values, strict=True)) for values in itertools.product(*vary.values())]
    for one in chosen:  # before anything is trained
        with_settings(resolve(recipe, settings), _words(one))
    measures = [evaluate.EVALUATIONS.get(name) for name in evaluations]
    folders = _folders(Path(out), chosen)
    members = []
    for number, (one, folder) in enumerate(zip(chosen, folders, strict=True), start=1):
        notice(f"run {number} of {len(chosen)}: {', '.join(_words(one))}")
        run = pretrain(
            opened,
            recipe,
            out=folder,
            settings=[*settings, *_words(one)],
            resume=(folder / "config.yaml").is_file(),
            device=device,
            progress=progress,
            notice=notice,
        )
        for measure in measures:
            if not _is_evaluated(run, measure.name):
                measure(run, opened, baselines=baselines, device=device, progress=progress).save()
        own = [saved for measure in measures for saved in _saved(run, measure.name)]
        members.append(Member(run=folder, settings=one, reached=tuple(reached(own))))
    made = Sweep(recipe=recipe, members=tuple(members), file=Path(out) / "sweep.csv")
    _write(made, settings)
    return made


def varied(words: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """What varies, and what is the same in all runs, of `key=value` words: `key=a,b` has two values, commas within
    brackets divide none.

    Example:
        >>> varied(["seed=0,1", "streams=[joint,bone]"])
        ({'seed': ['0', '1']}, ['streams=[joint,bone]'])
    """
    several: dict[str, list[str]] = {}
    same = []
    for word in words:
        key, _, text = word.partition("=")
        values = re.split(r",(?![^\[{]*[\]}])", text)
        if len(values) > 1:
            if key in several:
                raise ValueError(f"--set {key} stands twice: give all its values in one, {key}=A,B,C")
            several[key] = [value.strip() for value in values]
        else:
            same.append(word)
    return several, same


def _words(settings: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in settings.items()]


def _folders(out: Path, chosen: Sequence[Mapping[str, str]]) -> list[Path]:
    """Named by what varies. Raises ValueError where two would have one name."""
    names = [
        "+".join(re.sub(r"[^A-Za-z0-9_.=-]+", "-", f"{key.rpartition('.')[2]}={value}") for key, value in one.items())[
            :150
        ]
        for one in chosen
    ]
    if len(set(names)) < len(names):
        raise ValueError(
            "two combinations of settings would have folders of one name: sweep over fewer of them at once"
        )
    return [out / name for name in names]


def _saved(run: Run, protocol: str) -> Iterator[SavedResult]:
    split = run.config().recipe.split
    return (one for one in read_evaluations(run.path) if (one.called, one.split) == (protocol, split))


def _is_evaluated(run: Run, protocol: str) -> bool:
    """After its last epoch."""
    file = run.path / f"evaluation-{protocol}-{run.config().recipe.split}.json"
    return file.is_file() and file.stat().st_mtime >= run.checkpoint.stat().st_mtime and any(_saved(run, protocol))


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _write(made: Sweep, settings: Sequence[str]) -> None:
    keys = list(made.members[0].settings)
    with replacing(made.file) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("run", *keys, "evaluation", "split", "top1", "low", "high", "untrained", "raw"))
        for member in made.members:
            for one in member.reached:
                figures = (one.top1, one.low, one.high, one.untrained, one.raw)
                own = (member.settings[key] for key in keys)
                writer.writerow((member.run.name, *own, one.protocol, one.split, *figures))
    plain: dict[str, Any] = {"recipe_name": made.recipe, "settings": list(settings)}
    plain["summaries"] = [{**asdict(one), "mean": one.mean, "deviation": one.deviation} for one in made.summaries()]
    write_json(made.file.with_suffix(".json"), plain)
