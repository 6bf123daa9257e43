"""From an archive of embeddings to a page: a map of its rows without labels, on which one gives names."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from kinestream.files import check_writable, replacing
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.use.archive import Embeddings, open_embeddings
from kinestream.use.grouping import find_groups
from kinestream.use.label_table import match_labels, read_labels
from kinestream.use.rows import Rows
from kinestream.use.states import squared_distances
from kinestream.use.vectors import take
from kinestream.viz.explorer_clips import RowClips, read_clips
from kinestream.viz.landmarks import Laid, lay_out
from kinestream.viz.page.coloured import SYMBOLS, colouring, symbols
from kinestream.viz.page.packing import in_unit_square, nearest, text_of
from kinestream.viz.page.page import ExplorerPage, render
from kinestream.viz.page.skeletons import skeletons
from kinestream.viz.projection import sample, unit
from kinestream.words import shown

_NEIGHBOURS = 5
_MOST_BYTES = 1 << 30
"""Of vectors that are held at once: very long ones make fewer dots."""
_COLUMNS = {"subject": "person", "file": "file", "session": "session", "camera": "camera", "label": "label"}
"""What rows may be coloured by besides their group, and what that is called."""
_UNKNOWN = "not known"


@dataclass(frozen=True, kw_only=True)
class Explorer:
    """A page that was written."""

    path: Path
    megabytes: float
    """Size of the page."""
    rows: int
    """On the map."""
    left_out: int
    """Rows of the archive that are not on it."""
    groups: int
    clips: int
    """That play."""
    gone: int
    """Rows whose recordings cannot be read any more."""
    named: int
    """Rows that have a name already."""

    def __str__(self) -> str:
        return (
            f"explore: {self.path} ({self.megabytes:.1f} MB): {self.rows:,} rows in {self.groups} groups, "
            f"{self.clips:,} play"
        )


def explore(
    archive: Embeddings | Path | str,
    out: Path | str = "explore.html",
    *,
    labels: Path | str | None = None,
    groups: int | None = None,
    points: int = 20_000,
    frames: int = 24,
    megabytes: float = 25.0,
    progress: Progress = silent,
    notice: Notice = unheard,
) -> Explorer:
    """Writes a page that opens from disk: the rows of an archive as a map, coloured by group, person, file or label,
    whose clips play; on it one selects, gives names, and saves these as a table for `kinestream fit`.

    Args:
        labels: a table of names given before: columns name (of the recording) or file, and label, with start, end and
            person for what is not a whole recording.
        groups: how many groups the rows are coloured by, found by k-means; a guess (`find_groups`) if None.
        points: most rows on the map; of more, some are drawn by lot.
        frames: most frames of each clip.
        megabytes: most that the clips take; beyond it they have fewer frames, then fewer rows have one.

    Raises:
        ValueError: an empty archive, impossible bounds, more groups than different rows, or labels of nothing in it.

    Example:
        >>> explore("movements.parquet", "explore.html")  # doctest: +SKIP
        Explorer(path=PosixPath('explore.html'), ...)
    """
    if points < 1 or frames < 2 or not 0 <= megabytes < float("inf") or not (groups is None or 1 <= groups <= SYMBOLS):
        raise ValueError(
            f"{points} points, {frames} frames, {megabytes} megabytes, {groups} groups: at least 1 point, 2 frames and "
            "0 "
            f"megabytes are needed, and 1 to {SYMBOLS} groups"
        )
    path = Path(out)
    if path.suffix not in (".html", ".htm"):
        raise ValueError(f"{path}: the suffix '{path.suffix}' is not one of .html, .htm")
    check_writable(path)  # before any work
    opened = archive if isinstance(archive, Embeddings) else open_embeddings(archive)
    if not len(opened):
        raise ValueError(f"{opened.path or 'the archive'} has no rows: there is nothing to explore")
    named = {} if labels is None else _named(opened, Path(labels), notice)
    numbers = sample(len(opened), max(1, min(points, _MOST_BYTES // (4 * opened.made_by.dim))))
    features = take(opened.source, numbers)
    if not np.isfinite(features).all():
        raise ValueError(f"{opened.path or 'the archive'} is damaged: some of its vectors are no numbers")
    features = unit(features)
    rows = opened.rows.take(numbers)
    laid = lay_out(features, progress=progress)
    grouped = _groups(laid, groups)
    clips = read_clips(rows, opened.made_by, frames=frames, megabytes=megabytes, progress=progress)
    data = {
        "symbols": symbols(),
        "colourings": [_by_group(grouped), *_by_columns(rows)],
        "names": _names(opened, rows),
        "rows": _cells(opened, rows),
        "given": _given(named, numbers),
        **_neighbours(features, rows),
        "layouts": [
            {"name": name, "points": text_of(in_unit_square(plane), "<u2")}
            for name, plane in (("t-SNE", laid.tsne), ("PCA", laid.pca))
        ],
        "skeleton": skeletons(clips.packed, clips.layouts, clips.layout_of),
    }
    done = Explorer(
        path=path,
        megabytes=0.0,
        rows=len(rows),
        left_out=len(opened) - len(rows),
        groups=int(grouped.max()) + 1,
        clips=clips.count,
        gone=clips.gone,
        named=sum(number in named for number in numbers.tolist()),
    )
    text = render(_page(opened, done, clips, laid, groups, megabytes), data, clips.packed.base64).encode()
    with replacing(path) as part:
        part.write_bytes(text)
    if clips.gone:
        notice(_gone(clips))
    return Explorer(**{**vars(done), "megabytes": len(text) / 1e6})


def _groups(laid: Laid, count: int | None) -> Int64[np.ndarray, " n"]:
    """Group of each row, the largest is 0: k-means on the principal components of the landmarks; the others belong to
    the nearest centre."""
    some = laid.components[laid.landmarks]
    if count is None and len(np.unique(some.astype(np.float64).round(6), axis=0)) < 3:
        return np.zeros(len(laid.components), np.int64)
    found = find_groups([some], count, switch=0.0).states
    nearest_centre = squared_distances(laid.components, found.centres).argmin(axis=1)
    sizes = np.bincount(nearest_centre, minlength=len(found.centres))
    place = np.empty(len(sizes), np.int64)
    place[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return place[nearest_centre]


def _by_group(groups: Int64[np.ndarray, " n"]) -> dict[str, Any]:
    return colouring("group", [str(number + 1) for number in range(int(groups.max()) + 1)], groups)


def _by_columns(rows: Rows) -> list[dict[str, Any]]:
    """Columns that tell rows apart; those that name each row alone, or that all share, tell nothing."""
    made = []
    for column, called in _COLUMNS.items():
        values = getattr(rows, column)
        sizes = Counter(value for value in values.tolist() if value)
        if not sizes or (column != "label" and not 1 < len(sizes) < len(rows)):
            continue
        kept = sorted((value for value, _ in sizes.most_common(SYMBOLS - 2)), key=_naturally)
        classes = _short(kept) if column == "file" else kept
        numbers = {value: number for number, value in enumerate(kept)}
        rest, unknown = len(kept), len(kept) + (len(sizes) > len(kept))
        classes = [*classes, *([f"{len(sizes) - len(kept):,} others"] if unknown > rest else []), _UNKNOWN]
        labels = np.array([numbers.get(value, rest) if value else unknown for value in values.tolist()], np.int64)
        made.append(colouring(called, classes, labels, blank=unknown))
    return made


def _naturally(text: str) -> list[tuple[int, int, str]]:
    """Numbers in texts by their size: 2 before 10."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+|[0-9]+", text)
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in parts]


def _short(files: list[str]) -> list[str]:
    """Without the folder that all are in."""
    folder = os.path.commonpath([Path(file).parent for file in files]) if files else ""
    return [file.removeprefix(folder).lstrip("/") or file for file in files]


def _names(archive: Embeddings, rows: Rows) -> list[str]:
    """What is a whole recording needs no times."""
    if archive.made_by.windows is not None:
        return [rows.called(row) for row in range(len(rows))]
    people = zip(rows.name.tolist(), rows.person.tolist(), strict=True)
    return [f"{name} person {person}" if person else name for name, person in people]


def _cells(archive: Embeddings, rows: Rows) -> dict[str, Any]:
    """The columns that tell each row apart in a saved table, the name first."""
    columns = ["name"]
    every = archive.rows
    files: dict[str, str] = {}
    if any(files.setdefault(name, file) != file for file, name in every.recordings()):
        columns.append("file")
    if archive.made_by.windows is not None:
        columns += ["start", "end"]
    if np.any(every.person > 0):
        columns.append("person")
    return {"columns": columns, "cells": [getattr(rows, column).tolist() for column in columns]}


def _neighbours(features: Float32[np.ndarray, "n d"], rows: Rows) -> dict[str, str]:
    """Windows of one recording and person that overlap are no neighbours: they are nearly the same."""
    found, cosines = nearest(features, _NEIGHBOURS, apart=_overlapping(rows))
    return {"neighbours": text_of(found, "<u4"), "cosines": text_of(np.round(100 * cosines), "<i1")}


def _overlapping(rows: Rows) -> Callable[[Int64[np.ndarray, " r"]], Bool[np.ndarray, "r n"]]:
    numbers: dict[tuple[str, str, int], int] = {}
    keys = zip(rows.file.tolist(), rows.name.tolist(), rows.person.tolist(), strict=True)
    which = np.array([numbers.setdefault(key, len(numbers)) for key in keys])

    def mark(some: Int64[np.ndarray, " r"]) -> Bool[np.ndarray, "r n"]:
        same = which[some, None] == which
        return same & (rows.start[some, None] < rows.end) & (rows.end[some, None] > rows.start)

    return mark


def _named(archive: Embeddings, path: Path, notice: Notice) -> dict[int, str]:
    """The names that rows of the archive have already."""
    matched = match_labels(archive, read_labels(path), path, nearest=True)
    for text in matched.notes:
        notice(text)
    return dict(zip(matched.places.tolist(), matched.labels, strict=True))


def _given(named: dict[int, str], numbers: Int64[np.ndarray, " n"]) -> dict[str, Any]:
    names = list(dict.fromkeys(named[number] for number in numbers.tolist() if number in named))
    places = {name: place for place, name in enumerate(names)}
    of = [places[named[number]] if number in named else -1 for number in numbers.tolist()]
    return {"names": names, "of": text_of(np.array(of, np.int64), "<i4")}


def _page(
    archive: Embeddings, done: Explorer, clips: RowClips, laid: Laid, groups: int | None, megabytes: float
) -> ExplorerPage:
    made = archive.made_by
    where = "an archive in memory" if archive.path is None else archive.path.name
    kind = f"windows of {made.windows}" if made.windows else "recordings"
    people = len({*archive.rows.subject.tolist()} - {""})
    facts = [
        ("archive", where),
        ("rows", f"{done.rows + done.left_out:,}"),
        ("what they are", kind),
        ("people", f"{people:,}" if people else "not known"),
        ("encoder", made.encoder_name),
        ("numbers an embedding", f"{made.dim:,}"),
        ("groups", f"{done.groups}, {'chosen' if groups is None else 'as asked for'}"),
        ("clips that play", f"{done.clips:,}"),
    ]
    some = (
        f"{done.rows:,} of {done.rows + done.left_out:,} rows, drawn by lot" if done.left_out else f"{done.rows:,} rows"
    )
    note = (
        f"{some}; rows that lie close are close to the encoder. Groups are found by k-means, without labels. The "
        "neighbours of a clip are the nearest by the cosine of their embeddings, and lines join them"
    )
    note += "; windows that overlap in time are left out." if made.windows else "."
    if len(laid.landmarks) < done.rows:
        note += (
            f" {len(laid.landmarks):,} landmarks are laid out by t-SNE, the other rows lie amid the nearest of these."
        )
    too_many = done.rows - done.clips - done.gone
    if done.clips:
        note += f" Clips play with {clips.packed.frames} frames each, however long they are."
    if too_many:
        note += f" {too_many:,} have no clip: {megabytes:g} MB hold no more."
    archived = shlex.quote(str(archive.path or "movements.parquet"))
    return ExplorerPage(
        title="Explore movements",
        subtitle=f"{where}: a map of {kind}, without labels. Select what belongs together, and give it a name.",
        facts=facts,
        warnings=[_gone(clips)] if clips.gone else [],
        map_note=note,
        commands=[
            f"kinestream explore {archived} --labels labels.csv",
            f"kinestream fit {archived} --labels labels.csv --out gestures.model",
        ],
    )


def _gone(clips: RowClips) -> str:
    what = "row has" if clips.gone == 1 else "rows have"
    return f"{clips.gone:,} {what} no clip to play, the recordings cannot be read any more: {shown(clips.why, 300)}"
