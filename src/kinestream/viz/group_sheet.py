"""A sheet of groups: a row for each, with a few of its pieces as strips of skeletons. Needs the extra `[viz]`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from kinestream.data.gaps import without_gaps
from kinestream.data.recording import Recording
from kinestream.files import replacing, scratch_folder
from kinestream.use.segments import SegmentRow, Segments
from kinestream.use.states import NOBODY
from kinestream.viz.palette import CLASS_COLOURS
from kinestream.viz.skeleton import skeleton_strip

CELL = (440, 150)
"""Width and height of a piece on the sheet, in pixels, its title included."""
MOST = 40
"""Groups on a sheet."""
_SIDE = 190
_TITLE = 24
_GAP = 12
_FRAMES = 5


@dataclass(frozen=True, kw_only=True)
class _Group:
    number: int
    title: str
    told: str
    examples: tuple[tuple[Recording, SegmentRow], ...]


def draw_groups(
    segments: Segments | Sequence[Segments],
    recordings: Recording | Sequence[Recording],
    path: str | Path,
    *,
    examples: int = 3,
) -> Path:
    """Draws what the groups of one or more recordings look like into a .png file, and gives its path: their pieces that
    are the most certain, from different recordings where there are several.

    Raises ValueError for another suffix, segments that are not of the recordings, or where nobody is seen.
    """
    some = [segments] if isinstance(segments, Segments) else list(segments)
    moves = [recordings] if isinstance(recordings, Recording) else list(recordings)
    target = Path(path)
    if target.suffix != ".png":
        raise ValueError(f"{target}: the suffix '{target.suffix}' is not .png")
    if [len(one.frames) for one in some] != [len(one) for one in moves]:
        raise ValueError(f"{len(some)} segmentations are not of these {len(moves)} recordings: give both in one order")
    if examples < 1:
        raise ValueError(f"{examples} examples of each group: 1 or more are needed")
    shown = _groups(some, moves, examples)
    if not shown:
        raise ValueError(f"{target}: nothing to draw, nobody is seen")
    width, height = CELL
    columns = max(len(group.examples) for group in shown)
    size = (_SIDE + columns * (width + _GAP) + _GAP, len(shown) * (height + _GAP) + _GAP)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(findfont("DejaVu Sans"), 14)
    with scratch_folder() as scratch:
        strip = scratch / "strip.png"
        for place, group in enumerate(shown):
            top = _GAP + place * (height + _GAP)
            colour = CLASS_COLOURS[place % len(CLASS_COLOURS)]
            pen.rectangle((_GAP, top, _GAP + 10, top + height), fill=colour)
            pen.text((_GAP + 20, top + 8), group.title, fill="#202020", font=font)
            pen.multiline_text((_GAP + 20, top + 34), group.told, fill="#606060", font=font, spacing=6)
            for column, (recording, row) in enumerate(group.examples):
                left = _SIDE + column * (width + _GAP)
                _draw(recording, row, strip)
                with Image.open(strip) as picture:
                    picture.thumbnail((width - 8, height - _TITLE - 8))
                    below = top + _TITLE + (height - _TITLE - picture.height) // 2
                    sheet.paste(picture, (left + (width - picture.width) // 2, below))
                name = f"{_short(recording.name, 20)}  " if len(moves) > 1 and recording.name else ""
                pen.text((left + 8, top + 5), f"{name}{row.start:.1f} to {row.end:.1f} s", fill="#202020", font=font)
                pen.rectangle((left, top, left + width, top + height), outline=colour, width=2)
    with replacing(target) as unfinished:
        sheet.save(unfinished, format="PNG")
    return target


def _groups(some: Sequence[Segments], moves: Sequence[Recording], examples: int) -> list[_Group]:
    every = [(one, move, row) for one, move in zip(some, moves, strict=True) for row in one if row.group != NOBODY]
    made = []
    for number in sorted({row.group for _, _, row in every}):
        mine = sorted((entry for entry in every if entry[2].group == number), key=lambda entry: -entry[2].certainty)
        seconds = sum(row.end - row.start for _, _, row in mine)
        name = mine[0][0].names.get(number, "")
        made.append(
            _Group(
                number=number,
                title=_short(f"{number}  {name}" if name else f"group {number}", 20),
                told=f"{len(mine)} piece{'s' if len(mine) > 1 else ''}\n{seconds:.1f} s",
                examples=tuple((move, row) for _, move, row in _spread(mine)[:examples]),
            )
        )
    return made[:MOST]


def _spread(
    mine: Sequence[tuple[Segments, Recording, SegmentRow]],
) -> list[tuple[Segments, Recording, SegmentRow]]:
    """One piece of each recording before a second of any."""
    turns: dict[int, int] = {}
    ranked = []
    for entry in mine:
        turn = turns[id(entry[1])] = turns.get(id(entry[1]), -1) + 1
        ranked.append((turn, entry))
    return [entry for _, entry in sorted(ranked, key=lambda pair: pair[0])]


def _draw(recording: Recording, row: SegmentRow, strip: Path) -> None:
    """The frames in which somebody is seen, each with its bodies in the middle: poses count here, not the path."""
    assert recording.layout is not None, "it was segmented"
    part = recording.cut(slice(row.start_frame, row.end_frame))
    filled = without_gaps(part, recording.layout).joints
    seen = np.asarray(filled.any(axis=(2, 3)))
    there = np.asarray(seen.any(axis=1))
    poses = filled[there].copy()
    for frame, present in zip(poses, seen[there], strict=True):
        frame[present, :, 0] -= frame[present, :, 0].mean()
    skeleton_strip(poses, recording.layout, strip, frames=_FRAMES)


def _short(text: str, most: int) -> str:
    clean = "".join(character if character.isprintable() else "?" for character in text)
    return clean if len(clean) <= most else clean[: most - 1].rstrip() + "…"
