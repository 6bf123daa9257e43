"""From a run to its page: what it says, its figures, and the map of its clips."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jaxtyping import Float32, Int64

from kinestream.data.clips import Clips
from kinestream.data.store import Store
from kinestream.distributed.launch import Device
from kinestream.evaluate.run_results import SavedResult, read_evaluations
from kinestream.evaluate.session import Session
from kinestream.evaluate.source import AnyRun, open_source
from kinestream.files import check_writable, replacing
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.train.run_folder import RunConfig
from kinestream.viz.encoded import METHODS, ShownClips, encode, plane_of
from kinestream.viz.page.coloured import colouring, symbols
from kinestream.viz.page.packing import PackedClips, bodies_of, budget, in_unit_square, nearest, pack_clips, text_of
from kinestream.viz.page.page import Page, Picture, render
from kinestream.viz.page.skeletons import skeletons
from kinestream.viz.projection import sample, unit
from kinestream.viz.results import beside_of, groups_of, headline_of
from kinestream.viz.run_figures import LeftOut, RunFigure, epochs_of, figures_of_run
from kinestream.viz.settings import changed_settings
from kinestream.viz.style import encoded, theme

_NEIGHBOURS = 5


@dataclass(frozen=True, kw_only=True)
class Report:
    """A page that was written."""

    path: Path
    megabytes: float
    """Size of the page."""
    figures: tuple[str, ...]
    """By name, in their order."""
    left_out: tuple[LeftOut, ...]
    """Figures that could not be made, and why."""

    def __str__(self) -> str:
        return f"report: {self.path} ({self.megabytes:.1f} MB)"


def report(
    run: AnyRun,
    store: Store | Path | str | None = None,
    *,
    out: Path | str | None = None,
    split: str | None = None,
    points: int = 20_000,
    frames: int = 24,
    megabytes: float = 30.0,
    figures: Path | str | None = None,
    baselines: bool = True,
    device: Device = "auto",
    progress: Progress = silent,
    notice: Notice = unheard,
) -> Report:
    """Writes a run as one page that opens from disk: results, figures, and a map of its clips to explore.

    Args:
        store: that which the run learnt from, if None.
        out: `report.html` in the run, if None.
        split: whose test clips are shown; that of the run if None. Without labels or splits all recordings are shown.
        points: most clips on the map; of more, some are drawn by lot.
        frames: most frames of each skeleton.
        megabytes: most that the skeletons take; beyond it they have fewer frames, then fewer clips have one.
        figures: a folder for the figures as .png and .svg.
        baselines: show the untrained encoder, too.

    Raises ValueError for impossible bounds, and where run and store do not go together.
    """
    if points < 1 or frames < 2 or not megabytes >= 0:
        raise ValueError(
            f"{points} points, {frames} frames, {megabytes} megabytes: at least 1 point, 2 frames and 0 megabytes are "
            "needed"
        )
    path = open_source(run).folder.path / "report.html" if out is None else Path(out)
    if path.suffix not in (".html", ".htm"):
        raise ValueError(f"{path}: the suffix '{path.suffix}' is not one of .html, .htm")
    check_writable(path)  # before any work
    clips = encode(run, store, split, baselines=baselines, device=device, progress=progress, notice=notice)
    made = list(figures_of_run(clips))
    drawn = [figure for figure in made if isinstance(figure, RunFigure)]
    left_out = tuple(figure for figure in made if isinstance(figure, LeftOut))
    for figure in drawn if figures is not None else ():
        for suffix in ("png", "svg"):
            figure.save(Path(figures or "") / f"{figure.name}.{suffix}")
    data, joints, note = _map(clips, points, frames, megabytes)
    page = _page(clips, note, [_picture(figure) for figure in drawn], [f"{one.name}: {one.reason}" for one in left_out])
    text = render(page, data, joints).encode()
    with replacing(path) as part:
        part.write_bytes(text)
    return Report(
        path=path, megabytes=len(text) / 1e6, figures=tuple(figure.name for figure in drawn), left_out=left_out
    )


def _picture(figure: RunFigure) -> Picture:
    """Pictures of dots as pixels, the others as lines."""
    dots = figure.name.startswith("embedding")
    contents = []
    for dark in (False, True):
        with theme(dark=dark):
            contents.append(encoded(figure.draw(), "png" if dots else "svg", dpi=240))
    kind = "png" if dots else "svg+xml"
    return Picture(title=figure.title, words=figure.words, light=contents[0], dark=contents[1], kind=kind)


def _map(clips: ShownClips, points: int, frames: int, megabytes: float) -> tuple[dict[str, Any], str, str]:
    """What the map reads, the skeletons, and what is said above it."""
    rows = sample(len(clips.labels), points)
    neighbours, cosines = nearest(unit(clips.after.features[rows]), _NEIGHBOURS)
    packed = _packed(clips.session, clips.indices[rows], frames, megabytes)
    guesses = clips.guesses
    sure = None if guesses is None else guesses.confidence
    data = {
        "symbols": symbols(),
        "colourings": [colouring("class", clips.classes, clips.labels[rows])],
        "names": [clips.names[row] for row in rows.tolist()],
        "predicted": None if guesses is None else text_of(guesses.predicted[rows], "<u2"),
        "confidence": None if sure is None else text_of(np.round(100 * np.clip(sure[rows], 0, 1)), "<u1"),
        "neighbours": text_of(neighbours, "<u4"),
        "cosines": text_of(np.round(100 * cosines), "<i1"),
        "layouts": list(_layouts(clips, rows)),
        "skeleton": skeletons(packed, [clips.session.store.layout], np.zeros(len(rows), np.int64)),
    }
    with_skeleton = int((packed.bodies > 0).sum())
    some = "" if len(rows) == len(clips.labels) else f" of {len(clips.labels):,}, drawn by lot"
    lacking = "" if with_skeleton == len(rows) else f" of {with_skeleton:,} of them, as many as {megabytes:g} MB hold"
    note = (
        f"{len(rows):,} {clips.kind}{some}; skeletons{lacking} with {packed.frames} frames. Clips that lie close are "
        "close to "
        f"the encoder; the five neighbours are the nearest of these {clips.kind} by the cosine of their features, and "
        "lines join them."
    )
    if guesses is not None:
        note += f" A ring marks a clip that the {guesses.how} takes for another class."
    return data, packed.base64, note


def _layouts(clips: ShownClips, rows: Int64[np.ndarray, " n"]) -> Iterator[dict[str, str]]:
    for method, name in METHODS.items():
        for stage, found in (("after pre-training", clips.after), ("untrained encoder", clips.before)):
            if found is not None:
                plane = plane_of(clips, found, rows, method, f"map, {stage}")
                yield {"name": f"{name}, {stage}", "points": text_of(in_unit_square(plane), "<u2")}


def _packed(session: Session, indices: Int64[np.ndarray, " n"], most_frames: int, megabytes: float) -> PackedClips:
    """The clips that fit; 0 bodies for one that does not."""
    clips = Clips(session.store, session.source.frames, session.source.seconds)
    bodies, reach = np.zeros(len(indices), np.int64), 0.0
    for row, clip in enumerate(_each(clips, indices)):
        if row % 500 == 0:
            session.progress("skeletons", "clips", row, len(indices))
        bodies[row] = bodies_of(clip)
        reach = max(reach, float(np.abs(clip).max()))
    session.progress("skeletons", "clips", len(indices), len(indices))
    lot = np.random.default_rng(0).permutation(len(indices))
    joints, frames = len(session.store.layout.joints), min(most_frames, clips.frames)
    fits = budget(bodies[lot], joints, frames=frames, most_bytes=1e6 * megabytes)
    bodies[lot[fits.clips :]] = 0
    return pack_clips(_each(clips, indices), bodies, fits.frames, reach)


def _each(clips: Clips, indices: Int64[np.ndarray, " n"]) -> Iterator[Float32[np.ndarray, "t m v c"]]:
    for index in indices.tolist():
        yield clips.batch(np.array([index]))[0]


def _page(clips: ShownClips, map_note: str, pictures: Sequence[Picture], left_out: Sequence[str]) -> Page:
    session, info = clips.session, clips.session.store.info
    folder, config = session.source.folder, session.source.of_run()
    recipe = config.recipe
    evaluations = [one for one in read_evaluations(folder.path) if one.split == session.split]
    epochs = epochs_of(folder)
    minutes = sum(epoch.get("seconds", 0.0) for epoch in epochs) / 60
    parts = f"{len(session.train):,} training, {len(session.test):,} test" if session.split else f"{len(clips.names):,}"
    facts = [
        ("run", folder.path.name),
        ("recipe", config.recipe_name),
        ("data", f"{info.title}, {session.split}".removesuffix(", ")),
        ("clips", parts),
        ("classes", f"{len(info.classes) or 'none'}"),
        ("streams", ", ".join(session.streams)),
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
    note = "Top-1 accuracy in percent, after the last epoch. Bold: all streams of the run together, or its only one."
    if recipe.published is not None:
        note += f" Published: {recipe.published.accuracy:.2f}, {recipe.published.what}."
    if clips.guesses is None:
        note = "None: the store has no labels or no split into training and test clips, which an evaluation needs."
    elif not evaluations:
        missing = shlex.join(["kinestream", "evaluate", "linear", str(folder.path), "--data", str(session.store.path)])
        note = f"This run has not been evaluated on split {session.split}: '{missing}' does it; then make the report "
        note += "again."
    return Page(
        title=recipe.title,
        subtitle=f"A kinestream run: what an encoder learnt from unlabelled skeletons of {info.title}.",
        facts=facts,
        warnings=list(dict.fromkeys(warnings)),
        headline=headline_of(clips, evaluations),
        beside=list(beside_of(clips, evaluations, recipe)),
        groups=list(groups_of(evaluations, recipe)),
        results_note=note,
        map_note=map_note,
        pictures=pictures,
        left_out=left_out,
        configuration=yaml.safe_dump(recipe.to_dict(), sort_keys=False, allow_unicode=True),
        environment=folder.environment.read_text("utf-8").rstrip() if folder.environment.is_file() else "not recorded",
        commands=_commands(session, config, evaluations),
        guessed=clips.guesses is not None,
    )


def _commands(session: Session, config: RunConfig, evaluations: Sequence[SavedResult]) -> list[str]:
    data, folder = str(session.store.path), str(session.source.folder.path)
    lines = []
    known, changes = changed_settings(config)
    if not known:
        lines.append(f"# the settings are those below, under Configuration: save them as {config.recipe_name}.yaml")
    recipe = config.recipe_name if known else f"{config.recipe_name}.yaml"
    words = ["kinestream", "pretrain", recipe, "--data", data, "--out", folder]
    words += [word for store in config.also for word in ("--also", store.data)]
    words += ["--pairs", str(session.source.folder.pairs)] if config.pairs else []
    lines.append(shlex.join([*words, *(word for change in changes for word in ("--set", change))]))
    for one in evaluations:
        fusion = ",".join(f"{stream}={weight:g}" for stream, weight in (one.fusion or {}).items())
        words = list(one.command) or ["kinestream", "evaluate", one.protocol, folder, "--data", data]
        words += ["--weights", fusion] if fusion and not one.command else []
        if (line := shlex.join(words)) not in lines:
            lines.append(line)
    lines.append(shlex.join(["kinestream", "report", folder, "--data", data]))
    return lines
