"""The archive of recordings: an `.npz` that any numpy reads, with everything that a recording is but its tracking
numbers.

    joints      float32 (frames, m, v, c), all recordings end to end, metres, y up, c 2 or 3; NaN where a joint was not
                seen, zero where a body is not there
    offset      int64 (n + 1), where each recording begins, and the end
    name, label, subject, camera, session   text (n); empty where it is not known
    fps         float64 (n), NaN where it is not known
    layout      JSON text, as `SkeletonLayout.from_dict` takes it
    units, up   "m", "y"
    kinestream  version that wrote it
    confidence  float32 (frames, m, v), only where a recording tells it; NaN for those that do not
"""

import json
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from kinestream.data.formats.outgoing import Outgoing
from kinestream.files import replacing


@runtime_checkable
class Writable(Protocol):
    """A file, or a member of an archive."""

    def write(self, content: Any, /) -> int: ...


_TEXTS = ("name", "label", "subject", "camera", "session")


def write_npz(outgoing: Outgoing, path: Path) -> None:
    """Writes recording after recording."""
    coordinates = 2 if outgoing.planar else 3
    frames, joints = sum(row.frames for row in outgoing.rows), len(outgoing.layout.joints)
    shape = (frames, outgoing.most_bodies, joints)
    offset = np.cumsum([0, *(row.frames for row in outgoing.rows)], dtype=np.int64)
    with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("joints.npy", "w", force_zip64=True) as file:
            write_header(file, (*shape, coordinates))
            for content in outgoing.contents():
                padded = np.zeros((len(content.joints), *shape[1:], coordinates), dtype="<f4")
                padded[:, : content.facts.bodies] = content.joints[..., :coordinates]
                file.write(padded.data)
        add(archive, "offset", offset)
        for key in _TEXTS:
            values = [getattr(row, key) for row in outgoing.rows]
            add(archive, key, np.asarray(["" if value is None else str(value) for value in values], dtype=np.str_))
        add(archive, "fps", np.asarray([np.nan if row.fps is None else row.fps for row in outgoing.rows]))
        add(archive, "layout", np.asarray(json.dumps(outgoing.layout.to_dict(), ensure_ascii=False)))
        for key, value in (("units", "m"), ("up", "y"), ("kinestream", version("kinestream"))):
            add(archive, key, np.asarray(value))
        if any(row.scored for row in outgoing.rows):
            with archive.open("confidence.npy", "w", force_zip64=True) as file:
                write_header(file, shape)
                for content in outgoing.contents():
                    scores = np.full((len(content.joints), *shape[1:]), np.nan, dtype="<f4")
                    if content.confidence is not None:
                        scores[:, : content.facts.bodies] = content.confidence
                    file.write(scores.data)


def write_header(file: Writable, shape: tuple[int, ...]) -> None:
    """Of an array of float32."""
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})


def add(archive: zipfile.ZipFile, name: str, values: np.ndarray) -> None:
    """A whole array as a member."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, values, allow_pickle=False)
