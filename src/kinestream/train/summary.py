"""What a training came to, read from its run folder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kinestream.train.run_folder import Run, read_metrics
from kinestream.train.watch import TOGETHER


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Of the epochs that are trained."""

    last: Mapping[str, float]
    """Means over the last epoch of what the method gave."""
    neighbours: Sequence[Sequence[str]]
    """A row for each online 1-NN evaluation: after which epoch (and in which stage), then each stream, in percent."""
    columns: Sequence[str]
    """Of those rows."""
    gains: Sequence[str]
    """What each step brought by 1-NN, in sentences."""
    collapsed: Mapping[str, int]
    """Streams whose features have collapsed, with the first epoch in which they had."""


def summarise(run: Run) -> Summary:
    """Raises ValueError when the folder is no run."""
    recipe = run.config().recipe
    epochs = (
        [line for line in read_metrics(run.metrics) if line.get("kind") == "epoch"] if run.metrics.is_file() else []
    )
    streams = [*recipe.streams, *([TOGETHER] if len(recipe.streams) > 1 else [])]
    change = recipe.method.stage_change
    rows = []
    for line in epochs:
        if all(f"knn/{stream}" in line for stream in streams):
            stage = "" if change is None else f" (stage {1 if line['epoch'] <= change else 2})"
            rows.append((f"{line['epoch']}{stage}", *(f"{line[f'knn/{stream}']:.2f}" for stream in streams)))
    collapsed: dict[str, int] = {}
    for line in epochs:
        for name, value in line.items():
            if name.startswith("spread/") and value < recipe.monitor.collapse_spread:
                collapsed.setdefault(name.split("/")[1], line["epoch"])
    means = epochs[-1] if epochs else {}
    skipped = ("kind", "epoch", "rate", "seconds")
    return Summary(
        last={name: value for name, value in means.items() if name not in skipped and not name.startswith("knn/")},
        neighbours=rows,
        columns=("after epoch", *streams),
        gains=tuple(gains(epochs, recipe.streams, change)),
        collapsed=collapsed,
    )


def gains(epochs: Sequence[Mapping[str, Any]], streams: Sequence[str], change: int | None) -> Iterator[str]:
    """What each step brought by 1-NN: one stream, all of them together, stage 2. None of it for a single stream or a
    single stage."""
    found = {line["epoch"]: line for line in epochs if f"knn/{TOGETHER}" in line}
    last = max(found, default=0)
    if len(streams) < 2 or change is None or change not in found or change == last:
        return
    for stage, epoch in ((1, change), (2, last)):
        line = found[epoch]
        best = max(streams, key=lambda stream: float(line[f"knn/{stream}"]))
        single, together = line[f"knn/{best}"], line[f"knn/{TOGETHER}"]
        yield (
            f"1-NN after stage {stage} (epoch {epoch}): best single stream {best} {single:.2f} %, "
            f"{len(streams)} streams together {together:.2f} % ({together - single:+.2f})"
        )
    gain = found[last][f"knn/{TOGETHER}"] - found[change][f"knn/{TOGETHER}"]
    yield (
        f"1-NN, stage 2 against stage 1, together: {gain:+.2f}; stage 2 is also {last - change} further epochs, so "
        "this is not what its objective brings alone"
    )
