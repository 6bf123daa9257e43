"""Recordings as bytes in the raw formats of NTU RGB+D, NW-UCLA and PKU-MMD."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from kinestream.data.synthetic.numerals import numerals
from kinestream.data.synthetic.sensor import Sighting
from kinestream.skeleton.layout import KINECT20, NTU25

FIRST_BODY_ID = 72057594037900000
DEPTH = (365.5, 256.4, 208.5)
COLOUR = (1057.0, 975.0, 567.5)
"""Pinhole cameras as (focal length, middle x, middle y) in pixels."""


def ntu_bytes(sighting: Sighting, rng: np.random.Generator) -> bytes:
    """A `.skeleton` file with LF line ends: joints, their place in the depth and colour image, no orientations."""
    frames, places = np.nonzero(sighting.bodies >= 0)
    joints = sighting.joints[frames, places]
    blocks = _joint_lines(joints, sighting.states[frames, places])
    numbers = FIRST_BODY_ID + int(rng.integers(10_000, 99_000)) + 3 * sighting.bodies[frames, places]
    hands = rng.integers(0, 2, (len(joints), 4)).tolist()
    trunk = joints[:, NTU25.joints.index("spine_shoulder")] - joints[:, NTU25.joints.index("spine_base")]
    leans = trunk[:, ::2].tolist()
    heads = [
        b"%d 0 %d %d %d %d 0 %.7g %.7g 2\n25\n" % (number, *hand, *lean)
        for number, hand, lean in zip(numbers.tolist(), hands, leans, strict=True)
    ]
    counts = (sighting.bodies >= 0).sum(axis=1)
    ends = np.concatenate(([0], np.cumsum(counts))).tolist()
    pieces = [b"%d\n" % len(counts)]
    for start, end in pairwise(ends):
        pieces.append(b"%d\n" % (end - start))
        for body in range(start, end):
            pieces += (heads[body], blocks[body])
    return b"".join(pieces)


def nw_ucla_bytes(joints: Float[np.ndarray, "t 20 3"], name: str, label: int) -> bytes:
    """An NW-UCLA JSON file; numbers have 6 significant digits."""
    point = "[%.6g, %.6g, %.6g]"
    frame = "[" + ", ".join([point] * len(KINECT20.joints)) + "]"
    skeletons = ", ".join([frame] * len(joints)) % tuple(joints.ravel().tolist())
    return f'{{"file_name": "{name}", "skeletons": [{skeletons}], "label": {label}}}'.encode("ascii")


def pku_bytes(sightings: Sequence[Sighting]) -> bytes:
    """A PKU-MMD skeleton file, the sightings one after the other: the first two bodies of each frame, absent ones zero.
    The lines begin with a space, as real ones may."""
    line = " %.6f" * (2 * len(NTU25.joints) * 3) + "\n"
    pieces = []
    for sighting in sightings:
        frames = np.zeros((len(sighting.joints), 2, len(NTU25.joints), 3))
        present = sighting.bodies >= 0
        place = np.cumsum(present, axis=1) - 1
        kept = present & (place < 2)
        t, m = np.nonzero(kept)
        frames[t, place[t, m]] = sighting.joints[t, m]
        pieces.append((line * len(frames)) % tuple(frames.ravel().tolist()))
    return "".join(pieces).encode("ascii")


def _joint_lines(joints: Float[np.ndarray, "k 25 3"], states: Int[np.ndarray, "k 25"]) -> list[bytes]:
    """For each of k bodies its 25 lines: x y z, depth x y, colour x y, four zeros of orientation, tracking state."""
    numbers = np.concatenate((joints, _project(joints, DEPTH), _project(joints, COLOUR)), axis=-1)
    characters, keep = numerals(numbers.reshape(-1))
    count, width = states.size, 7 * characters.shape[1]
    tail = np.frombuffer(b"0 0 0 0 0\n", dtype=np.uint8)
    lines = np.empty((count, width + len(tail)), dtype=np.uint8)
    kept = np.ones(lines.shape, dtype=bool)
    lines[:, :width].reshape(count, 7, -1)[:] = characters.reshape(count, 7, -1)
    kept[:, :width].reshape(count, 7, -1)[:] = keep.reshape(count, 7, -1)
    lines[:, width:] = tail
    lines[:, -2] += states.reshape(-1).astype(np.uint8)
    text = np.compress(kept.reshape(-1), lines).tobytes()  # four times as fast as lines[kept]
    ends = np.cumsum(kept.reshape(len(joints), -1).sum(axis=1)).tolist()
    return [text[start:end] for start, end in pairwise([0, *ends])]


def _project(joints: Float[np.ndarray, "*any 3"], lens: tuple[float, float, float]) -> Float[np.ndarray, "*any 2"]:
    """Pixels; what is nearer than 0.5 m is projected as if at 0.5 m."""
    focal, across, down = lens
    scale = focal / np.maximum(joints[..., 2], 0.5)
    return np.stack((across + scale * joints[..., 0], down - scale * joints[..., 1]), axis=-1)
