"""Labels of NW-UCLA that are exchanged: `python -m benchmarks.exchanged_labels ALL_SQE [OUT]`.

Prints how far the head rises over the feet in "sit down" and "stand up", in metres, mean of the clips of each view and
subject. Where it rises as somebody sits down and falls as he stands up, the two have each other's labels: OUT becomes a
copy of the data set in which those clips have the other name and label.
"""

import json
import shutil
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats import nw_ucla
from kinestream.data.recording import RecordingError, Source
from kinestream.files import new_folder

SIT_DOWN, STAND_UP = 5, 6
"""Their numbers in the file names, and their labels."""
ACTIONS = {SIT_DOWN: "sit down", STAND_UP: "stand up"}


def main(raw: Path, out: Path | None) -> dict[str, Any]:
    """What is printed.

    Raises ValueError for a folder without the data set, a file that is not of it, or when OUT is there.
    """
    paths = sorted(raw.glob(f"a*{nw_ucla.SUFFIX}"))
    if not paths:
        raise ValueError(f"{raw}: no files {nw_ucla.NAME_SCHEME}{nw_ucla.SUFFIX} in it")
    sources = [_source(path) for path in paths]
    clips: dict[tuple[int, int], dict[int, list[Source]]] = defaultdict(lambda: defaultdict(list))
    for source in sources:
        if source.action in ACTIONS:
            clips[source.camera, source.subject][source.action].append(source)
    printed: dict[str, dict[str, float]] = defaultdict(dict)
    exchanged: dict[str, int] = {}
    for (view, subject), of_action in sorted(clips.items()):
        if len(of_action) < len(ACTIONS):
            continue
        rises = {action: _mean_rise(of_action[action]) for action in ACTIONS}
        for action, name in ACTIONS.items():
            printed[f"{name}, view {view}"][f"subject {subject}"] = round(rises[action], 2)
        if rises[SIT_DOWN] > 0 > rises[STAND_UP]:
            exchanged |= {
                source.name: SIT_DOWN + STAND_UP - source.action for action in ACTIONS for source in of_action[action]
            }
    if out is not None:
        with new_folder(out) as folder:
            for source in sources:
                _copy(source, folder, exchanged.get(source.name))
    return {"head_rises_metres": printed, "exchanged": sorted(exchanged)}


def _source(path: Path) -> Source:
    try:
        return nw_ucla.parse_name(path)
    except RecordingError as error:
        raise ValueError(f"{path}: {error}") from None


def _mean_rise(clips: Sequence[Source]) -> float:
    """From the first sixth of the frames to the last, metres."""
    return statistics.fmean(_rise(source) for source in clips)


def _rise(source: Source) -> float:
    try:
        height = nw_ucla.read(source).joints[:, 0, :, 1]
    except RecordingError as error:
        raise ValueError(f"{source.path}: {error}") from None
    head, *feet = (height[:, nw_ucla.LAYOUT.joints.index(joint)] for joint in ("head", "left_foot", "right_foot"))
    over_feet = head - np.minimum(*feet)
    span = -(-len(over_feet) // 6)
    return float(over_feet[-span:].mean() - over_feet[:span].mean())


def _copy(source: Source, folder: Path, action: int | None) -> None:
    """With another action in name and content where one is given."""
    if action is None:
        shutil.copyfile(source.path, folder / source.path.name)
        return
    name = f"a{action:02}{source.name[len('aAA') :]}"
    content = json.loads(source.path.read_text("utf-8")) | {"file_name": name, "label": action}
    (folder / f"{name}{nw_ucla.SUFFIX}").write_text(json.dumps(content), "utf-8")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m benchmarks.exchanged_labels ALL_SQE [OUT]")
    try:
        report = main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else None)
    except ValueError as error:
        sys.exit(str(error))
    print(json.dumps(report, indent=1))
