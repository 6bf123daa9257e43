"""The results of a run as its report tells them: the headline beside its baselines, then each evaluation."""

from collections.abc import Iterator, Sequence

from kinestream.evaluate.run_results import SavedResult, SavedRow
from kinestream.recipes import Recipe
from kinestream.viz.encoded import ShownClips
from kinestream.viz.page.page import Cell, Group, Row

_TITLES = {"linear": "linear probe", "knn": "nearest neighbour", "probe-grid": "linear probe, rate chosen"}


def headline_of(clips: ShownClips, evaluations: Sequence[SavedResult]) -> str:
    """What the run came to, in a sentence or two."""
    if clips.guesses is None:
        return f"{len(clips.names):,} recordings without labels to judge by: the map is what the encoder makes of them."
    first, own = _first(evaluations)
    if first is None or own is None:
        right = clips.after.right
        return (
            f"Not evaluated yet. The nearest training clip is of the right class for {right:.1f} % of the test clips."
        )
    said = f"{own.top1:.1f} % of {first.test_clips:,} test clips are recognised ({_title(first)}, {own.name})."
    untrained = first.headline("untrained")
    if untrained is None:
        return f"{said} No baseline was evaluated: without one this says little of what was learnt."
    apart = own.low > untrained.high or own.high < untrained.low
    gain = f"{own.top1 - untrained.top1:+.1f} points against the same encoder without training"
    return f"{said} That is {gain}{'' if apart else ', within the margin of error'}."


def beside_of(clips: ShownClips, evaluations: Sequence[SavedResult], recipe: Recipe) -> Iterator[Row]:
    """The figure of the run, then those of the untrained encoder, the best raw stream and the literature."""
    first, own = _first(evaluations)
    if first is None or own is None:
        for name, one in (("this run, 1-NN", clips.after), ("untrained encoder, 1-NN", clips.before)):
            if one is not None and one.right is not None:
                yield Row(
                    cells=[Cell(text=name), Cell(text=f"{one.right:.1f} %", value=one.right)], strong=one is clips.after
                )
        return
    raw = [row for row in first.rows if row.kind == "raw"]
    best = max(raw, key=lambda row: row.top1, default=None)
    untrained = first.headline("untrained")
    for name, row in (("this run", own), ("untrained encoder", untrained), (best.name if best else "", best)):
        if row is not None:
            yield Row(cells=[Cell(text=name), _measured(row)], strong=row is own)
    if (published := recipe.published) is not None and _is_like(first, own, recipe):
        figure = Cell(text=f"{published.accuracy:.2f}", value=published.accuracy)
        yield Row(cells=[Cell(text="published"), figure], strong=False)


def groups_of(evaluations: Sequence[SavedResult], recipe: Recipe) -> Iterator[Group]:
    """A group for each evaluation."""
    for one in evaluations:
        copies = any(row.without_copies is not None for row in one.rows)
        likes = [_is_like(one, row, recipe) for row in one.rows]
        headings = ["features", "top-1 and 95 % interval", *(["without copies"] if copies else []), "mean class"]
        headings += ["published", "difference"] if any(likes) else []
        rows = [
            Row(cells=list(_cells(row, recipe, copies=copies, any_like=any(likes), is_like=like)), strong=row is own)
            for own in [one.headline()]
            for row, like in zip(one.rows, likes, strict=True)
        ]
        shown = [
            (word, one.headline(kind)) for word, kind in (("run", "run"), ("untrained", "untrained"), ("raw", "raw"))
        ]
        summary = ", ".join(f"{word} {row.top1:.1f} %" for word, row in shown if row is not None)
        yield Group(title=_title(one), summary=summary, headings=headings, rows=rows)


def _first(evaluations: Sequence[SavedResult]) -> tuple[SavedResult | None, SavedRow | None]:
    """The first evaluation that has a figure of the run, and that figure."""
    return next(((one, own) for one in evaluations if (own := one.headline()) is not None), (None, None))


def _title(evaluation: SavedResult) -> str:
    return f"{_TITLES.get(evaluation.protocol, evaluation.protocol)} {evaluation.changed}".rstrip()


def _cells(row: SavedRow, recipe: Recipe, *, copies: bool, any_like: bool, is_like: bool) -> Iterator[Cell]:
    yield Cell(text=row.name)
    yield _measured(row)
    if copies:
        yield Cell(text="-" if row.without_copies is None else f"{row.without_copies:.2f}")
    yield Cell(text="-" if row.mean_class is None else f"{row.mean_class:.2f}")
    if any_like:
        published = recipe.published
        yield Cell(text=f"{published.accuracy:.2f}" if published is not None and is_like else "-")
        yield Cell(text=f"{row.top1 - published.accuracy:+.2f}" if published is not None and is_like else "-")


def _measured(row: SavedRow) -> Cell:
    return Cell(text=f"{row.top1:.2f} ({row.low:.1f} to {row.high:.1f})", value=row.top1, low=row.low, high=row.high)


def _is_like(evaluation: SavedResult, row: SavedRow, recipe: Recipe) -> bool:
    """Whether the published figure is of the same kind."""
    published = recipe.published
    return (
        published is not None
        and row.kind == "run"
        and evaluation.split == recipe.split
        and published.is_like(evaluation.protocol, row.how, row.streams, evaluation.fusion)
    )
