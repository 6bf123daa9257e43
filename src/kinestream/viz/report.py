"""From a run to its page: what it says, its figures, and the map of its test clips."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jaxtyping import Float32, Int64

from kinestream.data.clips import Clips
from kinestream.evaluate.protocols.subject import Subject
from kinestream.evaluate.run_results import Evaluation, Result, read_evaluations
from kinestream.files import replacing
from kinestream.train.run_folder import RunConfig
from kinestream.viz.page.packing import bodies_of, budget, in_unit_square, nearest, pack_clips, text_of
from kinestream.viz.page.page import Cell, Page, Picture, Row, render
from kinestream.viz.palette import CLASS_COLOURS, CLASS_COLOURS_ON_DARK, class_symbol
from kinestream.viz.projection import sample, unit
from kinestream.viz.run_figures import LeftOut, RunFigure, epochs_of, figures_of_run, write_figure
from kinestream.viz.settings import changed_settings
from kinestream.viz.style import encoded, theme
from kinestream.viz.test_clips import EncodedTest, Guesses, cached_plane, encode_test_clips, guesses

_NEIGHBOURS = 5


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the page may hold."""

    points: int = 20_000
    frames: int = 24
    megabytes: float = 30.0


def write_report(run: Subject, out: Path, limits: Limits, *, figures: Path | None = None) -> None:
    """Writes the page, and the figures as .png and .svg into the folder `figures` where one is given; says where,
    how large it is, and which figures could not be made."""
    clips = encode_test_clips(run)
    guessed = guesses(run.source.folder.path, run.store, run.split, clips)
    made = list(figures_of_run(run.source.folder, run.store, run.split, clips, guessed, run.screen))
    drawn = [figure for figure in made if isinstance(figure, RunFigure)]
    left_out = [figure for figure in made if isinstance(figure, LeftOut)]
    if figures is not None:
        for figure in drawn:
            for suffix in ("png", "svg"):
                write_figure(figure, figures / f"{figure.name}.{suffix}")
        run.screen.say(f"figures: {figures}")
    data, skeletons, words = _map(run, clips, guessed, limits)
    page = _page(run, words, [_picture(figure) for figure in drawn], [f"{one.name}: {one.reason}" for one in left_out])
    text = render(page, data, skeletons)
    with replacing(out) as part:
        part.write_text(text, encoding="utf-8")
    for one in left_out:
        run.screen.say(f"left out: {one.name} ({one.reason})")
    run.screen.say(f"report: {out} ({len(text.encode()) / 1e6:.1f} MB, skeletons {len(skeletons) / 1e6:.1f} MB)")


def _picture(figure: RunFigure) -> Picture:
    """Pictures of dots as pixels, the others as lines."""
    dots = figure.name.startswith("embedding")
    contents = []
    for dark in (False, True):
        with theme(dark=dark):
            contents.append(encoded(figure.draw(), "png" if dots else "svg", dpi=240))
    kind = "png" if dots else "svg+xml"
    return Picture(title=figure.title, words=figure.words, light=contents[0], dark=contents[1], kind=kind)


def _map(run: Subject, clips: EncodedTest, guessed: Guesses, limits: Limits) -> tuple[dict[str, Any], str, str]:
    """What the map reads, the skeletons, and what is said above it."""
    rows = sample(len(clips.labels), limits.points)
    features = unit(clips.after.features[rows])
    neighbours, cosines = nearest(features, _NEIGHBOURS)
    skeletons, bodies, frames, scale = _skeletons(run, clips.indices[rows], limits)
    layout = run.store.layout
    sure = guessed.confidence
    data = {
        "classes": [_class(number, name) for number, name in enumerate(run.store.info.classes)],
        "names": [clips.names[row] for row in rows.tolist()],
        "labels": text_of(clips.labels[rows], "<u2"),
        "predicted": text_of(guessed.predicted[rows], "<u2"),
        "confidence": None if sure is None else text_of(np.round(100 * np.clip(sure[rows], 0, 1)), "<u1"),
        "neighbours": text_of(neighbours, "<u4"),
        "cosines": text_of(np.round(100 * cosines), "<i1"),
        "layouts": list(_layouts(run, clips, rows)),
        "skeleton": {
            "frames": frames,
            "joints": len(layout.joints),
            "bones": [list(bone) for bone in layout.bones],
            "sides": list(layout.bone_sides),
            "head": layout.canonical.index("head") if "head" in layout.canonical else None,
            "unit": scale,
            "bodies": text_of(bodies, "<u1"),
        },
    }
    with_skeleton = int((bodies > 0).sum())
    some = "" if len(rows) == len(clips.labels) else f" of {len(clips.labels):,}, drawn by lot"
    lacking = (
        "" if with_skeleton == len(rows) else f" of {with_skeleton:,} of them, as many as {limits.megabytes:g} MB hold"
    )
    words = (
        f"{len(rows):,} test clips{some}; skeletons{lacking} with {frames} frames. Clips that lie close are close to "
        "the encoder; the five neighbours are the nearest of these test clips by the cosine of their features, and "
        f"lines join them. A ring marks a clip that the {guessed.how} takes for another class."
    )
    return data, skeletons, words


def _class(number: int, name: str) -> dict[str, Any]:
    symbol = class_symbol(number)
    colours = {"light": CLASS_COLOURS[symbol.colour], "dark": CLASS_COLOURS_ON_DARK[symbol.colour]}
    return {"name": name, "shape": symbol.shape, "filled": symbol.filled, **colours}


def _layouts(run: Subject, clips: EncodedTest, rows: Int64[np.ndarray, " n"]) -> Iterator[dict[str, str]]:
    stages = (("after pre-training", clips.after), ("untrained encoder", clips.before))
    for method, name in (("tsne", "t-SNE"), ("pca", "PCA")):
        for stage, found in stages:
            if found is not None:
                with run.screen.progress(f"map, {name}, {stage}", "steps") as advance:
                    plane = cached_plane(
                        run.source.folder.path, "pca" if method == "pca" else "tsne", found.features[rows], advance
                    )
                yield {"name": f"{name}, {stage}", "points": text_of(in_unit_square(plane), "<u2")}


def _skeletons(
    run: Subject, indices: Int64[np.ndarray, " n"], limits: Limits
) -> tuple[str, Int64[np.ndarray, " n"], int, float]:
    """Base64 of the clips that fit, bodies of each clip (0 for none), frames and unit."""
    clips = Clips(run.store, run.source.frames)
    bodies, reach = np.zeros(len(indices), np.int64), 0.0
    with run.screen.progress("skeletons", "clips") as advance:
        advance(0, len(indices))
        for row, clip in enumerate(_each(clips, indices)):
            bodies[row] = bodies_of(clip)
            reach = max(reach, float(np.abs(clip).max()))
            if row % 500 == 499 or row + 1 == len(indices):
                advance(row + 1, len(indices))
    lot = np.random.default_rng(0).permutation(len(indices))
    fits = budget(
        bodies[lot],
        len(run.store.layout.joints),
        frames=min(limits.frames, clips.frames),
        most_bytes=1e6 * limits.megabytes,
    )
    bodies[lot[fits.clips :]] = 0
    packed = pack_clips(_each(clips, indices), bodies, fits.frames, reach)
    return packed.base64, packed.bodies, packed.frames, packed.unit


def _each(clips: Clips, indices: Int64[np.ndarray, " n"]) -> Iterator[Float32[np.ndarray, "t m v c"]]:
    for index in indices.tolist():
        yield clips.batch(np.array([index]))[0]


def _page(run: Subject, map_note: str, pictures: Sequence[Picture], left_out: Sequence[str]) -> Page:
    config = run.source.of_run()
    recipe = config.recipe
    every = read_evaluations(run.source.folder.path)
    evaluations = [evaluation for evaluation in every if evaluation.split == run.split]
    epochs = epochs_of(run.source.folder)
    minutes = sum(epoch.get("seconds", 0.0) for epoch in epochs) / 60
    info = run.store.info
    facts = [
        ("run", run.source.folder.path.name),
        ("recipe", config.recipe_name),
        ("data", f"{info.title}, {run.split}"),
        ("clips", f"{len(run.train_labels):,} training, {len(run.test_labels):,} test"),
        ("classes", f"{run.classes}"),
        ("streams", ", ".join(run.streams)),
        ("epochs", f"{len(epochs)} of {recipe.epochs}"),
        ("training", f"{minutes:.0f} min, seed {recipe.seed}"),
    ]
    warnings = [evaluation.leak for evaluation in evaluations if evaluation.leak]
    copied = next((evaluation for evaluation in evaluations if evaluation.copies), None)
    if copied is not None:
        warnings.append(
            f"{copied.copies} of the {copied.test_clips} test clips are copies of a training clip, to the bit: what "
            "they add to an accuracy is no generalisation. Figures without them stand beside the usual ones."
        )
    mixed = any(result.without_copies is not None for one in evaluations for result in one.results)
    headings = ["protocol", "features", "top-1 and 95 % interval", *(["without copies"] if mixed else []), "mean class"]
    if recipe.published is not None:
        headings += ["published", "difference"]
    note = (
        "Top-1 accuracy in percent, after the last epoch. Bold: what stands for the run, all its streams together or "
        "its only one."
    )
    if recipe.published is not None:
        note += f" Published: {recipe.published.accuracy:.2f}, {recipe.published.what}."
    if not evaluations:
        missing = shlex.join(
            ["kinestream", "evaluate", "linear", str(run.source.folder.path), "--data", str(run.store.path)]
        )
        note = f"This run has not been evaluated on split {run.split}: '{missing}' does it; then make the report again."
    return Page(
        title=recipe.title,
        subtitle=f"A kinestream run: what an encoder learnt from unlabelled skeletons of {info.title}.",
        facts=facts,
        warnings=list(dict.fromkeys(warnings)),
        headings=headings,
        rows=[_row(one, result, config, mixed) for one in evaluations for result in one.results],
        results_note=note,
        map_note=map_note,
        pictures=pictures,
        left_out=left_out,
        configuration=yaml.safe_dump(recipe.to_dict(), sort_keys=False, allow_unicode=True),
        environment=_environment(run),
        commands=_commands(run, evaluations),
    )


def _row(evaluation: Evaluation, result: Result, config: RunConfig, mixed: bool) -> Row:
    own = result is evaluation.headline()
    cells = [
        Cell(text="1-NN" if evaluation.protocol == "knn" else evaluation.protocol),
        Cell(text=result.name),
        Cell(
            text=f"{result.top1:.2f} ({result.low:.1f} to {result.high:.1f})",
            value=result.top1,
            low=result.low,
            high=result.high,
        ),
    ]
    if mixed:
        cells.append(Cell(text="-" if result.without_copies is None else f"{result.without_copies:.2f}"))
    cells.append(Cell(text="-" if result.mean_class is None else f"{result.mean_class:.2f}"))
    if (published := config.recipe.published) is not None:
        is_same = (
            result.kind == "run"
            and evaluation.split == config.recipe.split
            and published.is_like(evaluation.protocol, result.how, result.streams, evaluation.fusion)
        )
        cells.append(Cell(text=f"{published.accuracy:.2f}" if is_same else "-"))
        cells.append(Cell(text=f"{result.top1 - published.accuracy:+.2f}" if is_same else "-"))
    return Row(cells=cells, strong=own)


def _environment(run: Subject) -> str:
    file = run.source.folder.environment
    return file.read_text("utf-8").rstrip() if file.is_file() else "not recorded"


def _commands(run: Subject, evaluations: Sequence[Evaluation]) -> list[str]:
    config, data, folder = run.source.of_run(), str(run.store.path), str(run.source.folder.path)
    lines = []
    known, changes = changed_settings(config)
    if not known:
        lines.append(f"# the settings are those below, under Configuration: save them as {config.recipe_name}.yaml")
    recipe = config.recipe_name if known else f"{config.recipe_name}.yaml"
    words = ["kinestream", "pretrain", recipe, "--data", data, "--out", folder]
    words += [word for store in config.also for word in ("--also", store.data)]
    words += ["--pairs", str(run.source.folder.pairs)] if config.pairs else []
    lines.append(shlex.join([*words, *(word for change in changes for word in ("--set", change))]))
    for one in evaluations:
        fusion = ",".join(f"{stream}={weight:g}" for stream, weight in (one.fusion or {}).items())
        words = list(one.command) or ["kinestream", "evaluate", one.protocol, folder, "--data", data]
        words += ["--weights", fusion] if fusion and not one.command else []
        if (line := shlex.join(words)) not in lines:
            lines.append(line)
    lines.append(shlex.join(["kinestream", "report", folder, "--data", data]))
    return lines
