"""Text files with a line for each frame: x, y and z of each joint, separated by white space."""

import numpy as np

from kinestream.data.formats import FORMATS, Format
from kinestream.data.recording import Recording, RecordingError, Source
from kinestream.layouts import load

JOINTS = 5


def read(source: Source) -> Recording:
    frames = []
    for number, line in enumerate(source.path.read_text("utf-8").splitlines(), start=1):
        words = line.split()
        if len(words) != 3 * JOINTS:
            raise RecordingError(f"{len(words)} numbers where {3 * JOINTS} belong", number)
        try:
            frames.append([float(word) for word in words])
        except ValueError as error:
            raise RecordingError(str(error), number) from None
    if not frames:
        raise RecordingError("no frames")
    return Recording(np.array(frames).reshape(-1, JOINTS, 3), name=source.name)


FORMATS.add("lines", Format(suffixes=(".lines",), read=read, layout=load("stick5")))
