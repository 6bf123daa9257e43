"""A sheet of queries and what they found, each clip as a strip of skeletons. Needs the extra `[viz]`."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from kinestream.evaluate.result import Result
from kinestream.files import replacing
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.viz.skeleton import skeleton_strip

CELL = (560, 180)
"""Width and height of a clip on the sheet, in pixels, its title included."""
_TITLE = 26
_GAP = 14
_FRAMES = 6
_ANSWERS = 3
_RIGHT, _WRONG, _QUERY = "#009e73", "#cc3311", "#303030"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A clip of the gallery that was found."""

    name: str
    class_name: str
    cosine: float
    right: bool
    """Of the query's class."""
    joints: Float[np.ndarray, "t m v c"]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A query and what it found, the nearest first."""

    name: str
    class_name: str
    joints: Float[np.ndarray, "t m v c"]
    answers: Sequence[Answer]


def draw_found(result: Result, path: Path, *, queries: int = 6, seed: int = 0) -> None:
    """Draws test clips, spread over the classes, and what they found in a retrieval."""
    store, found = result.store, result.headline.detail
    labels, classes = store.labels, store.info.classes
    shown = []
    for place in _spread(labels[result.test], queries, seed):
        query = int(result.test[place])
        nearest = result.train[found.nearest[place].numpy()].tolist()[:_ANSWERS]
        answers = [
            Answer(
                name=store.table.name[index],
                class_name=classes[labels[index]],
                cosine=cosine,
                right=bool(labels[index] == labels[query]),
                joints=store.joints(index),
            )
            for index, cosine in zip(nearest, found.similarity[place].tolist(), strict=False)
        ]
        name, joints = store.table.name[query], store.joints(query)
        shown.append(Shown(name=name, class_name=classes[labels[query]], joints=joints, answers=answers))
    draw_retrieval(shown, store.layout, path)


def _spread(labels: np.ndarray, count: int, seed: int) -> list[int]:
    """Places of `count` clips, one of each class before a second of any."""
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = {int(place): int(np.sum(labels[order[:rank]] == labels[place])) for rank, place in enumerate(order)}
    return sorted(turn, key=lambda place: turn[place])[:count]


def draw_retrieval(shown: Sequence[Shown], layout: SkeletonLayout, path: Path) -> None:
    """A row for each query: itself at the left, then its answers; a green frame is the right class, a red one a wrong
    one. Writes a .png file. Raises ValueError when there is no query."""
    if not shown:
        raise ValueError(f"{path}: no query to draw")
    width, height = CELL
    columns = 1 + max(len(query.answers) for query in shown)
    sheet = Image.new("RGB", (columns * (width + _GAP) + _GAP, len(shown) * (height + _GAP) + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(findfont("DejaVu Sans"), 14)
    with tempfile.TemporaryDirectory() as scratch:
        for row, query in enumerate(shown):
            cells = [(f"query: {query.name}, {query.class_name}", query.joints, _QUERY)]
            cells += [
                (
                    f"{rank}: {answer.name}, {answer.class_name} (cos {answer.cosine:.3f})",
                    answer.joints,
                    _RIGHT if answer.right else _WRONG,
                )
                for rank, answer in enumerate(query.answers, start=1)
            ]
            for column, (title, joints, colour) in enumerate(cells):
                left, top = _GAP + column * (width + _GAP), _GAP + row * (height + _GAP)
                strip = Path(scratch) / "strip.png"
                skeleton_strip(joints, layout, strip, frames=_FRAMES)
                with Image.open(strip) as picture:
                    picture.thumbnail((width - 8, height - _TITLE - 8))
                    below = top + _TITLE + (height - _TITLE - picture.height) // 2
                    sheet.paste(picture, (left + (width - picture.width) // 2, below))
                pen.text((left + 8, top + 6), title, fill=_QUERY, font=font)
                pen.rectangle((left, top, left + width, top + height), outline=colour, width=3)
    with replacing(path) as unfinished:
        sheet.save(unfinished, format="PNG")
