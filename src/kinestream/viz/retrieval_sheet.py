"""A sheet of queries and what they found, each clip as a strip of skeletons. Needs the extra `[viz]`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from kinestream.data.gaps import without_gaps
from kinestream.data.recording import Recording
from kinestream.evaluate.result import Result
from kinestream.files import replacing, scratch_folder
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.use.again import read_again
from kinestream.use.made_by import Reading
from kinestream.use.rows import Rows
from kinestream.use.search import Hits
from kinestream.use.suggest import Suggestions
from kinestream.viz.skeleton import skeleton_strip
from kinestream.words import shown

CELL = (560, 180)
"""Width and height of a clip on the sheet, in pixels, its title included."""
_TITLE = 26
_GAP = 14
_FRAMES = 6
_ANSWERS = 3
_HITS_A_ROW = 3
_RIGHT, _WRONG, _QUERY = "#009e73", "#cc3311", "#303030"


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """A clip on a sheet."""

    joints: Float[np.ndarray, "t m v c"]
    layout: SkeletonLayout
    title: str
    colour: str = _QUERY
    """Of its frame."""


def draw_found(result: Result, path: Path, *, queries: int = 6, seed: int = 0) -> None:
    """Draws what a retrieval found into a .png file, a row for each of some test clips: itself at the left, then its
    nearest training clips, with a green frame those of its class, with a red one the others. The queries are spread
    over the classes."""
    draw_sheet(
        [list(_cells(result, place)) for place in _spread(result.store.labels[result.test], queries, seed)], path
    )


def draw_hits(hits: Hits, reading: Reading, path: Path, *, query: Recording | None = None) -> int:
    """Draws what a search found into a .png file: the query first where it is given, then the hits, nearest first. A
    hit with the label of the query has a green frame, one with another a red one.

    Returns how many hits are left out because their recordings cannot be read any more. Raises ValueError where that
    are all.
    """
    known = "" if query is None or query.label is None else str(query.label)
    titles, colours = [], []
    for place, (label, distance) in enumerate(zip(hits.rows.label.tolist(), hits.distances, strict=True)):
        called = f"{hits.rows.called(place)}{f', {label}' if label else ''}"
        titles.append(f"{place + 1}: {called} (cos {1 - distance:.3f})")
        colours.append(_QUERY if not (known and label) else _RIGHT if label == known else _WRONG)
    first = [] if query is None else [_cell(query, f"query: {hits.query}", _QUERY)]
    return _draw_rows(hits.rows, titles, colours, reading, path, first)


def draw_suggestions(found: Suggestions, reading: Reading, path: Path) -> int:
    """Draws what is to be labelled into a .png file, numbered as in the table.

    Returns how many are left out because their recordings cannot be read any more. Raises ValueError where that are
    all.
    """
    titles = [f"{place + 1}: {found.rows.called(place)}" for place in range(len(found))]
    return _draw_rows(found.rows, titles, [_QUERY] * len(found), reading, path, [])


def _draw_rows(
    rows: Rows, titles: Sequence[str], colours: Sequence[str], reading: Reading, path: Path, cells: list[Cell]
) -> int:
    """Rows of an archive, below some cells; gives how many are missing."""
    failed: list[ValueError] = []
    found = {(one.file, one.name): one.recording for one in read_again(rows, reading, failed)}
    missing = 0
    for place, (title, colour) in enumerate(zip(titles, colours, strict=True)):
        whole = found.get((rows.file[place], rows.name[place]))
        if whole is None:
            missing += 1
            continue
        rate = 1.0 if np.isnan(rows.fps[place]) else float(rows.fps[place])
        part = whole.cut(slice(round(rows.start[place] * rate), round(rows.end[place] * rate)))
        cells = [*cells, _cell(part, title, colour)]
    if missing == len(rows):
        raise ValueError(f"nothing can be drawn: {failed[0]}")
    width = _HITS_A_ROW
    draw_sheet([cells[first : first + width] for first in range(0, len(cells), width)], path)
    return missing


def draw_sheet(table: Sequence[Sequence[Cell]], path: Path) -> None:
    """Rows of clips, as a .png file."""
    width, height = CELL
    columns = max(map(len, table))
    sheet = Image.new("RGB", (columns * (width + _GAP) + _GAP, len(table) * (height + _GAP) + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(findfont("DejaVu Sans"), 14)
    with scratch_folder() as scratch:
        strip = scratch / "strip.png"
        for row, cells in enumerate(table):
            for column, cell in enumerate(cells):
                left, top = _GAP + column * (width + _GAP), _GAP + row * (height + _GAP)
                skeleton_strip(cell.joints, cell.layout, strip, frames=_FRAMES)
                with Image.open(strip) as picture:
                    picture.thumbnail((width - 8, height - _TITLE - 8))
                    below = top + _TITLE + (height - _TITLE - picture.height) // 2
                    sheet.paste(picture, (left + (width - picture.width) // 2, below))
                pen.text((left + 8, top + 6), _fitting(cell.title, font, width - 16), fill=_QUERY, font=font)
                pen.rectangle((left, top, left + width, top + height), outline=cell.colour, width=3)
    with replacing(path) as unfinished:
        sheet.save(unfinished, format="PNG")


def _cell(recording: Recording, title: str, colour: str) -> Cell:
    """Joints that were not seen are filled in as for embeddings."""
    assert recording.layout is not None, "what was read has a layout"
    joints = without_gaps(recording, recording.layout).joints
    return Cell(joints=joints, layout=recording.layout, title=title, colour=colour)


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """In one line of so many pixels: cut in the middle, where names differ least."""
    text = shown(text, 400)
    while font.getlength(text) > width:
        middle = len(text) // 2
        text = f"{text[: middle - 2]}…{text[middle + 2 :]}"
    return text


def _cells(result: Result, place: int) -> Iterator[Cell]:
    """A query and its answers."""
    store, found = result.store, result.headline.detail

    def cell(index: int, title: str, colour: str) -> Cell:
        return Cell(joints=store.joints(index), layout=store.layout, title=title, colour=colour)

    def named(index: int) -> str:
        return f"{store.table.name[index]}, {store.info.classes[store.labels[index]]}"

    query = int(result.test[place])
    yield cell(query, f"query: {named(query)}", _QUERY)
    nearest = result.train[found.nearest[place].numpy()].tolist()[:_ANSWERS]
    for rank, (index, cosine) in enumerate(zip(nearest, found.similarity[place].tolist(), strict=False), start=1):
        right = store.labels[index] == store.labels[query]
        yield cell(index, f"{rank}: {named(index)} (cos {cosine:.3f})", _RIGHT if right else _WRONG)


def _spread(labels: Int64[np.ndarray, " n"], count: int, seed: int) -> list[int]:
    """Places of `count` clips, one of each class before a second of any."""
    seen: Counter[int] = Counter()
    turns = []
    for place in np.random.default_rng(seed).permutation(len(labels)).tolist():
        turns.append((seen[labels[place]], place))
        seen[labels[place]] += 1
    return [place for _, place in sorted(turns, key=lambda turn: turn[0])[:count]]
