"""The long table: a row for each joint of each body in each frame, which any program reads, below a line of JSON.

    # kinestream {"kinestream": VERSION, "layout": {...}, "units": "m", "up": "y", "frames": {NAME: ...},
                  "fps": {NAME: ...}, "label": {NAME: ...}, "subject": {}, "camera": {}, "session": {}}
    recording,frame,time,person,joint,x,y,z

Frames count from 0, people from 1; `time` is in seconds, empty where the rate is not known. A body that is not there
has no rows, a joint that was not seen has empty cells; `z` is missing where there are two coordinates, and a last
column `confidence` is there where a recording tells it. "frames" counts those without rows, too; the other keys name
only recordings of which something is known. Numbers are written so that they read back equal in float32.
"""

import csv
import io
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from kinestream.data.formats.outgoing import Content, Outgoing
from kinestream.files import replacing

MARK = "# kinestream "
_KEYS = ("fps", "label", "subject", "camera", "session")
_BEGIN, _NUMBER = "\0", "\1"
_MOST_AT_ONCE = 4096
"""Frames that are text in memory at a time."""


def write_csv(outgoing: Outgoing, path: Path) -> None:
    """Writes recording after recording."""
    scored = any(row.scored for row in outgoing.rows)
    axes = ("x", "y") if outgoing.planar else ("x", "y", "z")
    joints = [_cell(joint) for joint in outgoing.layout.joints]
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write(MARK + json.dumps(_about(outgoing), ensure_ascii=False) + "\n")
        columns = ("recording", "frame", "time", "person", "joint", *axes, *(("confidence",) if scored else ()))
        file.write(",".join(columns) + "\n")
        for content in outgoing.contents():
            _write_rows(file, content, joints, len(axes), scored)


def _about(outgoing: Outgoing) -> dict[str, Any]:
    told = {
        key: {row.name: value for row in outgoing.rows if (value := getattr(row, key)) is not None} for key in _KEYS
    }
    return {
        "kinestream": version("kinestream"),
        "layout": outgoing.layout.to_dict(),
        "units": "m",
        "up": "y",
        "frames": {row.name: row.frames for row in outgoing.rows},
        **told,
    }


def _write_rows(file: TextIO, content: Content, joints: list[str], axes: int, scored: bool) -> None:
    name, fps = _cell(content.facts.name), content.facts.fps
    there = np.asarray(content.joints.any(axis=(2, 3)))  # NaN is something, too
    values = content.joints[..., :axes]
    if scored:
        lacking = np.full(content.joints.shape[:3], np.nan, np.float32)
        scores = lacking if content.confidence is None else content.confidence
        values = np.concatenate((values, scores[..., None]), axis=-1)
    # Of one body in one frame; what stands for begin and number is no text that can be printed, as names are.
    numbers = ",".join([f"{_NUMBER}%.9g"] * values.shape[-1])
    template = "".join(f"{_BEGIN}{joint.replace('%', '%%')},{numbers}\n" for joint in joints)
    for start in range(0, len(there), _MOST_AT_ONCE):
        frames, people = np.nonzero(there[start : start + _MOST_AT_ONCE])
        text = []
        for frame, person in zip((frames + start).tolist(), people.tolist(), strict=True):
            rows = template % tuple(values[frame, person].ravel().tolist())
            time = "" if fps is None else f"{frame / fps:.9g}"
            rows = rows.replace(f"{_NUMBER}nan", "").replace(_NUMBER, "")
            text.append(rows.replace(_BEGIN, f"{name},{frame},{time},{person + 1},"))
        file.write("".join(text))


def _cell(text: str) -> str:
    """With quotes where a table needs them."""
    made = io.StringIO()
    csv.writer(made, lineterminator="").writerow([text])
    return made.getvalue()
