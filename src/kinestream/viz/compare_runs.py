"""Runs side by side: a table of the settings that differ, one of what was reached, and a figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from kinestream.console import Screen
from kinestream.evaluate.run_results import SavedRow, read_evaluations
from kinestream.train.run_folder import RunFolder
from kinestream.viz.comparison import ComparedRun, Reached, draw_comparison
from kinestream.viz.run_figures import epochs_of
from kinestream.viz.settings import differing, flat, in_yaml
from kinestream.viz.style import format_of, save, theme


def compare(paths: Sequence[Path], out: Path, *, dark: bool = False) -> None:
    """Prints and draws. Raises ValueError for a folder that is no run, a suffix that no figure has, and where there is
    nothing to draw."""
    format_of(out)
    folders = [RunFolder(path) for path in paths]
    settings = [
        {
            "recipe": config.recipe_name,
            "store": config.store_fingerprint[:8],
            "also": " ".join(one.store_fingerprint[:8] for one in config.also),
            "pairs": config.pairs.sha256[:8] if config.pairs else "",
            **flat(config.recipe.to_dict()),
        }
        for config in (folder.config() for folder in folders)
    ]
    names = distinct_names(paths)
    reached = [headlines(folder) for folder in folders]
    with theme(dark=dark):
        figure = draw_comparison(
            [
                ComparedRun(
                    name=name,
                    epochs=epochs_of(folder),
                    reached={key: Reached(top1=one.top1, low=one.low, high=one.high) for key, one in found.items()},
                )
                for name, folder, found in zip(names, folders, reached, strict=True)
            ]
        )
        save(figure, out)
    screen = Screen()
    rows = [(key, *map(in_yaml, values)) for key, values in differing(settings).items() if key != "title"]
    if rows:
        screen.table("settings that differ", ("setting", *names), rows)
    else:
        screen.say("no setting differs")
    protocols = dict.fromkeys(key for found in reached for key in found)
    if protocols:
        screen.table(
            "top-1 accuracy, %, with 95 % interval, of what stands for each run",
            ("protocol, split", *names),
            [(key, *(_in_words(found.get(key)) for found in reached)) for key in protocols],
        )
    for name, path, found in zip(names, paths, reached, strict=True):
        if not found:
            screen.say(f"{name} has no evaluation: make one with 'kinestream evaluate linear {path} --data STORE'")
    screen.say(f"comparison: {out}")


def headlines(folder: RunFolder) -> Mapping[str, SavedRow]:
    """What stands for the run in each of its evaluations, by protocol and split."""
    found = ((evaluation, evaluation.headline()) for evaluation in read_evaluations(folder.path))
    return {
        f"{'1-NN' if evaluation.protocol == 'knn' else evaluation.protocol} {evaluation.split}": result
        for evaluation, result in found
        if result is not None
    }


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """As many of the last parts of each path as tell all apart.

    Example:
        >>> distinct_names([Path("a/seed-0"), Path("b/seed-0")])
        ['a/seed-0', 'b/seed-0']
    """
    whole = [path.resolve().parts for path in paths]
    for length in range(1, max(map(len, whole)) + 1):
        names = ["/".join(parts[-length:]) for parts in whole]
        if len(set(names)) == len(names):
            return names
    raise ValueError(f"a run stands twice among {', '.join(map(str, paths))}")


def _in_words(result: SavedRow | None) -> str:
    return "-" if result is None else f"{result.top1:.2f} ({result.low:.1f} to {result.high:.1f})"
