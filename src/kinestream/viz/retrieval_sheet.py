"""A sheet of queries and what they found, each clip as a strip of skeletons. Needs the extra `[viz]`."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from kinestream.evaluate.result import Result
from kinestream.files import replacing
from kinestream.viz.skeleton import skeleton_strip

CELL = (560, 180)
"""Width and height of a clip on the sheet, in pixels, its title included."""
_TITLE = 26
_GAP = 14
_FRAMES = 6
_ANSWERS = 3
_RIGHT, _WRONG, _QUERY = "#009e73", "#cc3311", "#303030"


def draw_found(result: Result, path: Path, *, queries: int = 6, seed: int = 0) -> None:
    """Draws what a retrieval found into a .png file, a row for each of some test clips: itself at the left, then its
    nearest training clips, with a green frame those of its class, with a red one the others. The queries are spread
    over the classes."""
    shown = [list(_cells(result, place)) for place in _spread(result.store.labels[result.test], queries, seed)]
    width, height = CELL
    columns = max(map(len, shown))
    sheet = Image.new("RGB", (columns * (width + _GAP) + _GAP, len(shown) * (height + _GAP) + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(findfont("DejaVu Sans"), 14)
    with tempfile.TemporaryDirectory() as scratch:
        strip = Path(scratch) / "strip.png"
        for row, cells in enumerate(shown):
            for column, (index, title, colour) in enumerate(cells):
                left, top = _GAP + column * (width + _GAP), _GAP + row * (height + _GAP)
                skeleton_strip(result.store.joints(index), result.store.layout, strip, frames=_FRAMES)
                with Image.open(strip) as picture:
                    picture.thumbnail((width - 8, height - _TITLE - 8))
                    below = top + _TITLE + (height - _TITLE - picture.height) // 2
                    sheet.paste(picture, (left + (width - picture.width) // 2, below))
                pen.text((left + 8, top + 6), title, fill=_QUERY, font=font)
                pen.rectangle((left, top, left + width, top + height), outline=colour, width=3)
    with replacing(path) as unfinished:
        sheet.save(unfinished, format="PNG")


def _cells(result: Result, place: int) -> Iterator[tuple[int, str, str]]:
    """A query and its answers: place in the store, title, colour of the frame."""
    store, found = result.store, result.headline.detail

    def named(index: int) -> str:
        return f"{store.table.name[index]}, {store.info.classes[store.labels[index]]}"

    query = int(result.test[place])
    yield query, f"query: {named(query)}", _QUERY
    nearest = result.train[found.nearest[place].numpy()].tolist()[:_ANSWERS]
    for rank, (index, cosine) in enumerate(zip(nearest, found.similarity[place].tolist(), strict=False), start=1):
        right = store.labels[index] == store.labels[query]
        yield index, f"{rank}: {named(index)} (cos {cosine:.3f})", _RIGHT if right else _WRONG


def _spread(labels: Int64[np.ndarray, " n"], count: int, seed: int) -> list[int]:
    """Places of `count` clips, one of each class before a second of any."""
    seen: Counter[int] = Counter()
    turns = []
    for place in np.random.default_rng(seed).permutation(len(labels)).tolist():
        turns.append((seen[labels[place]], place))
        seen[labels[place]] += 1
    return [place for _, place in sorted(turns, key=lambda turn: turn[0])[:count]]
